#!/usr/bin/env bash
# soak.sh BERTHA TINY_JOB WRONG_CLOCK [--seconds N] [--seed N]: trains a tiny model twice, for about N seconds
# in all (120). The first run is left alone: its descriptors and its memory must stay flat. The second one is
# killed, asked to end, paused, given a wrong clock, and, as root where file systems can be mounted, a full disk
# and an output folder that is unmounted, at random moments; after each end the same command continues. No
# checkpoint may be damaged, no file may be too many, and the last weights and moments must be those of the
# first run, bit for bit.
set -euo pipefail
bertha=$(realpath "$1")
tiny_job=$(realpath "$2")
wrong_clock=$(realpath "$3")
shift 3
seconds=120
RANDOM=1
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds) seconds=$2 ;;
    --seed) RANDOM=$2 ;;
    *) echo "soak.sh: unknown option \"$1\"" >&2; exit 2 ;;
  esac
  shift 2
done

readonly kept=3  # checkpoints of a run
readonly interval=25
work=$(mktemp -d)
mounts=()
run=0
clean_up() {
  [[ $run -eq 0 ]] || kill -KILL "$run" 2> /dev/null || true
  local i
  for ((i = ${#mounts[@]} - 1; i >= 0; --i)); do umount -l "${mounts[i]}" 2> /dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT

die() {
  echo "soak.sh: $*" >&2
  tail -n 20 "$work"/*.log >&2
  exit 1
}

# The second run writes to $work/output, a second place of a small disk where there is one.
kinds=(KILL TERM STOP clock)
mkdir "$work/disk" "$work/output"
if [[ $EUID -eq 0 ]] && mount -t tmpfs -o size=24m tmpfs "$work/disk" 2> /dev/null; then
  mounts+=("$work/disk")
  if mount --bind "$work/disk" "$work/output" 2> /dev/null; then
    mounts+=("$work/output")
    kinds+=(full unmount)
  fi
fi
[[ ${#kinds[@]} -eq 6 ]] || echo "no file systems can be mounted: no full disk, no unmounted output"

"$tiny_job" make "$work"
export OMP_NUM_THREADS=1 BERTHA_CLOCK_FILE="$work/clock"
set_clock() { printf '%-16d' "$1" | dd of="$BERTHA_CLOCK_FILE" conv=notrunc status=none; }
set_clock 0

# start OUTPUT STEPS: the training, in the background, as $run.
start() {
  LD_PRELOAD="$wrong_clock" "$bertha" pretrain --do_train --config_file="$work/config.json" \
    --input_dir="$work/data" --output_dir="$work/$1/run" --max_steps="$2" --train_batch_size=8 \
    --gradient_accumulation_steps=2 --max_seq_length=32 --max_predictions_per_seq=5 \
    --learning_rate=0.02 --warmup_proportion=0.1 --num_steps_per_checkpoint=$interval \
    --log-freq=50 --disable_progress_bar --quiet > "$work/$1.out" 2> "$work/$1.log" &
  run=$!
}
alive() { kill -0 "$run" 2> /dev/null; }
# end: the status of $run, in $status.
end() {
  status=0
  { wait "$run" || status=$?; } 2> /dev/null  # without the shell's own line
  run=0
}
milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

# How long a step takes.
start warm 200
began=$(milliseconds)
end
[[ $status -eq 0 ]] || die "a short run ended with status $status"
rm -rf "$work/warm"
steps=$((seconds * 1000 * 200 / 2 / ($(milliseconds) - began) / interval * interval))
[[ $steps -ge 200 ]] || steps=200

# The first run. Its memory and descriptors in the second fifth of the time and in the last one.
began=$(milliseconds)
start alone $steps
while alive; do
  memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$run/status" 2> /dev/null || true)
  descriptors=$(ls "/proc/$run/fd" 2> /dev/null | wc -l || true)
  [[ -z $memory ]] || echo "$memory $descriptors"
  sleep 0.2
done > "$work/samples"
end
[[ $status -eq 0 ]] || die "the run that was left alone ended with status $status"
alone_ms=$(($(milliseconds) - began))
# sorted COLUMN FROM TO: that column of the samples between two shares of the time.
sorted() { awk -v column="$1" -v from="$2" -v to="$3" '{ row[NR] = $column }
  END { for (i = int(NR * from) + 1; i <= NR * to; i++) print row[i] }' "$work/samples" | sort -n; }
median() { sorted "$@" | awk '{ row[NR] = $1 } END { print row[int((NR + 1) / 2)] }'; }
# A checkpoint that is being written has a descriptor for a moment; one that leaks is in every sample.
least() { sorted "$@" | sed -n 1p; }
early=$(median 1 0.2 0.4) late=$(median 1 0.8 1)
early_files=$(least 2 0.2 0.4) late_files=$(least 2 0.8 1)
echo "left alone: memory $early KiB, then $late KiB; descriptors $early_files, then $late_files"
[[ $late -le $((early + 1024)) && $late_files -le $early_files ]] ||
  die "memory or descriptors grew"

# The second run.
declare -A count=([KILL]=0 [TERM]=0 [STOP]=0 [clock]=0 [full]=0 [unmount]=0)
starts=0
# check_files KIND: after an end.
check_files() {
  local checkpoints most=$kept
  mapfile -t checkpoints < <(ls "$work/output/run"/ckpt_*.pt 2> /dev/null || true)
  # It may fall between a new file and an old one.
  [[ $1 != KILL && $1 != unmount ]] || most=$((kept + 1))
  [[ ${#checkpoints[@]} -le $most ]] || die "$1: ${#checkpoints[@]} checkpoints"
  [[ ${#checkpoints[@]} -eq 0 ]] || "$tiny_job" whole "${checkpoints[@]}" || die "$1: a damaged checkpoint"
  [[ $1 == KILL ]] || ! compgen -G "$work/output/run/*.tmp-*" > /dev/null || die "$1: a temporary file is left"
}
one_error() {
  [[ $status -eq 1 && $(grep -c '^error:' "$work/output.log") -eq 1 ]] ||
    die "$1: status $status, and $(grep -c '^error:' "$work/output.log") error lines"
}

disturb() {
  case $1 in
    KILL) kill -KILL "$run" 2> /dev/null || true ;;
    TERM) kill -TERM "$run" 2> /dev/null || true ;;
    STOP)
      kill -STOP "$run" 2> /dev/null || true
      sleep "0.$((RANDOM % 9))"
      kill -CONT "$run" 2> /dev/null || true
      ;;
    clock)
      local steps=(-31536000 -3600 -1 0 1 3600 31536000)
      set_clock "${steps[RANDOM % 7]}"
      ;;
    full)
      head -c 64m /dev/zero > "$work/disk/fill" 2> /dev/null || true
      for _ in $(seq 20); do alive && sleep 0.1; done
      rm "$work/disk/fill"
      ;;
    unmount)
      # Before it has opened its files, a run would begin anew in the empty folder.
      compgen -G "/proc/$run/fd/*" > /dev/null && readlink "/proc/$run/fd/"* 2> /dev/null | grep -q "^$work/output/run/" ||
        return 1
      umount -l "$work/output"
      ;;
  esac
  count[$1]=$((${count[$1]} + 1))
}

# after KIND: the process has ended; was it as it should be?
after() {
  case $1 in
    KILL) [[ $status -eq 137 || $status -eq 0 ]] || die "KILL: status $status" ;;
    # 143: before the program takes notice of signals.
    TERM) [[ $status -eq 75 || $status -eq 143 || $status -eq 0 ]] || die "TERM: status $status" ;;
    full) [[ $status -eq 0 ]] || one_error full ;;
    unmount)
      [[ $status -eq 0 ]] || one_error unmount
      [[ -z $(ls -A "$work/output") ]] || die "unmount: files were written beside the disk"
      mount --bind "$work/disk" "$work/output"
      ;;
    *) [[ $status -eq 0 ]] || die "$1: status $status" ;;
  esac
  check_files "$1"
}

# Two disturbances for each second of the first run; then the run is left to its end.
events=$((alone_ms / 500))
status=1
while [[ $status -ne 0 ]]; do
  start output $steps
  starts=$((starts + 1))
  last=none
  while alive; do
    sleep "0.$((1 + RANDOM % 9))"
    alive && [[ $events -gt 0 ]] || { sleep 0.1; continue; }
    events=$((events - 1))
    last=${kinds[RANDOM % ${#kinds[@]}]}
    disturb "$last" || last=none
    [[ $last != KILL && $last != TERM && $last != unmount ]] || break
  done
  end
  after "$last"
done

"$tiny_job" same "$work/alone/run/ckpt_$steps.pt" "$work/output/run/ckpt_$steps.pt" ||
  die "the weights or moments differ from those of the run that was left alone"
awk 'NR == FNR { known[$0]; next } !($0 in known) { exit 1 }' "$work/alone/run/losses.tsv" \
  "$work/output/run/losses.tsv" || die "a loss differs from that of the run that was left alone"
echo "$steps steps, $((steps / interval)) checkpoints; $starts starts: ${count[KILL]} killed, ${count[TERM]} asked" \
  "to end, ${count[STOP]} paused, ${count[clock]} clock steps, ${count[full]} full disks, ${count[unmount]} unmounted;" \
  "the same weights and moments"
