# Sourced by the tests of this folder: BERTHA and TINY_JOB are the first two arguments.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
bertha=$(realpath "$1")
tiny_job=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tiny_job" make "$work"
export OMP_NUM_THREADS=1

die() {
  echo "$(basename "$0"): $*" >&2
  for log in "$work"/*.log; do
    echo "--- $log" >&2
    tail -n 20 "$log" >&2
  done
  exit 1
}

# names_dead RANK LOG: checks that a line names the rank that died. It is a rank's line, with the last step.
# Open MPI 5 kills the other ranks before they can report, and there its launcher's line will do.
names_dead() {
  grep -qE "rank $1 on .* has not answered for [0-9]+ s; its last heartbeat was at step [0-9]+, in " "$2" ||
    { kills_at_once && grep -qE "process rank $1 with PID|Process name: \[.*,$1\]" "$2"; }
}

kills_at_once() {
  [[ $("${MPIRUN:-mpirun}" --version) =~ \(Open\ MPI\)\ ([0-9]+) && ${BASH_REMATCH[1]} -ge 5 ]]
}

# set_command RANKS OUTPUT [options…]: ${command[@]} trains on 16 rows and 4 micro-batches a step over
# all ranks.
set_command() {
  local ranks=$1 output=$2
  shift 2
  command=("$bertha" pretrain --do_train --config_file="$work/config.json"
    --input_dir="$work/data" --output_dir="$work/$output"
    --json-summary="$work/$output/dllogger.json" --train_batch_size=$((16 / ranks))
    --gradient_accumulation_steps=$((4 / ranks)) --max_seq_length=32 --max_predictions_per_seq=5
    --learning_rate=0.02 --warmup_proportion=0.1 --disable_progress_bar "$@")
  [[ $ranks -eq 1 ]] || command=("$here/on_ranks.sh" "$ranks" "${command[@]}")
}

# pretrain RANKS OUTPUT [options…]: runs it. Standard output and errors go to OUTPUT.log; the status
# is the job's.
pretrain() {
  local command
  set_command "$@"
  "${command[@]}" >> "$work/$2.log" 2>&1
}
