#!/usr/bin/env bash
# random_faults.sh BERTHA TINY_JOB FAULTS [SEED [SECONDS]]: FAULTS times, a rank of a tiny job is killed,
# crashes, exits or is stopped at a random moment. Half of the jobs save after every step. Each job must end
# within SECONDS (10 by default; busy machines need more) with a line that names the rank, its step and what
# it was doing. It must leave no process and no damaged checkpoint. The next start must continue from the
# last checkpoint.
source "$(dirname "$0")/common.sh"
faults=$3
RANDOM=${4:-1}
in_time=${5:-10}
watchdog=$((in_time * 4 / 10))
# Seconds after SIGTERM until Open MPI kills; it waits for twice as long after a rank has died.
export OMPI_MCA_odls_base_sigkill_timeout=4
# AddressSanitizer refuses a library that is loaded before its own. This library replaces none of its
# functions, so the check is off.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
export LD_PRELOAD="$(dirname "$tiny_job")/libexit_on_signal.so"

declare -A count longest
failures=0

fault() {
  local kind=$1 ranks=$2 interval=$3 log="$work/$1_$4.log"
  local output=run_$((ranks))_$interval
  local before
  before=$(ls -v "$work/$output"/ckpt_*.pt 2> /dev/null | tail -n 1 || true)
  local command
  set_command "$ranks" "$output" --max_steps=1000000 --num_steps_per_checkpoint="$interval" \
    --watchdog-seconds=$watchdog
  "${command[@]}" > "$work/$output.log" 2>&1 &
  local job=$! newest=$before
  for _ in $(seq 1200); do
    newest=$(ls -v "$work/$output"/ckpt_*.pt 2> /dev/null | tail -n 1 || true)
    [[ $newest == "$before" ]] || break
    sleep 0.05
  done
  if [[ $newest == "$before" ]]; then
    kill -USR1 $job && wait $job || true
    echo "$kind: no checkpoint within 60 s"
    return 1
  fi
  sleep "0.$(printf %03d $((RANDOM % 1000)))"
  local victim pid
  victim=$((RANDOM % ranks))
  pid=$(rank_pid "$output" "$victim")
  local at=${EPOCHREALTIME/./}
  kill -"$kind" "$pid"
  local status=0 limit=$in_time
  [[ $kind != STOP ]] || limit=$((in_time + watchdog))
  wait $job || status=$?
  local took=$(((${EPOCHREALTIME/./} - at) / 1000))
  count[$kind]=$((${count[$kind]:-0} + 1))
  [[ $took -le ${longest[$kind]:-0} ]] || longest[$kind]=$took
  mv "$work/$output.log" "$log"
  [[ -z $before ]] || grep -q "continuing .*$(basename "$before")" "$log" ||
    { echo "$kind: it did not go on from $before"; return 1; }
  [[ $took -le $((limit * 1000)) ]] || { echo "$kind: ended after $took ms"; return 1; }
  [[ $status -ne 0 && $status -ne 75 ]] || { echo "$kind: status $status"; return 1; }
  names_dead "$victim" "$log" ||
    { echo "$kind: no line names rank $victim"; return 1; }
  sleep 0.2
  [[ -z $(pids_of "$output") ]] || { echo "$kind: processes are left"; return 1; }
  "$tiny_job" whole "$work/$output"/ckpt_*.pt || { echo "$kind: a damaged checkpoint"; return 1; }
}

pids_of() { pgrep -f "^$bertha pretrain .*--output_dir=$work/$1 " || true; }

rank_pid() {
  local pid
  for pid in $(pids_of "$1"); do
    ! grep -qz "^OMPI_COMM_WORLD_RANK=$2\$" "/proc/$pid/environ" || echo "$pid"
  done
}

kinds=(KILL SEGV RTMIN STOP)
intervals=(1 20)
for ((i = 0; i < faults; ++i)); do
  kind=${kinds[$((i % 4))]}
  if ! fault "$kind" $((2 << (RANDOM % 2))) "${intervals[$((i / 4 % 2))]}" "$i"; then
    failures=$((failures + 1))
    tail -n 15 "$work"/"${kind}_$i".log "$work"/run_*.log 2> /dev/null || true
  fi
done
for kind in "${kinds[@]}"; do
  echo "${kind/RTMIN/exit}: ${count[$kind]:-0} times, the longest took ${longest[$kind]:-0} ms"
done
echo "$failures of $faults not as they should be"
[[ $failures -eq 0 ]]
