#!/usr/bin/env bash
# Ranks that are asked to stop, that die and that hang. Expected: one checkpoint at one step, a line that
# names the rank, the end of the job in time, no process left, no damaged file.
source "$(dirname "$0")/common.sh"
forever=(--max_steps=1000000 --num_steps_per_checkpoint=50 --watchdog-seconds=6)
# Open MPI 4.1 waits twice this time after a rank has died, even if none is left. As in deploy/.
export OMPI_MCA_odls_base_sigkill_timeout=4
launch=$here/../../deploy/launch.sh

ranks_of() { pgrep -f "^$bertha pretrain .*--output_dir=$work/$1 " || true; }

# start OUTPUT: starts four ranks in the background, and waits until they have saved a checkpoint.
start() {
  pretrain 4 "$1" "${forever[@]}" &
  job=$!
  wait_for_checkpoint "$1"
}

wait_for_checkpoint() {
  for _ in $(seq 900); do
    compgen -G "$work/$1/ckpt_*.pt" > /dev/null && return 0
    sleep 0.1
  done
  die "no checkpoint within 90 s"
}

# finish OUTPUT SECONDS: checks that the job ends in that time and leaves no rank. Sets $status to its status.
finish() {
  local before=$SECONDS
  while kill -0 "$job" 2> /dev/null; do
    [[ $((SECONDS - before)) -le $2 ]] || die "$1: still there after $2 s"
    sleep 0.1
  done
  status=0
  wait "$job" || status=$?
  sleep 0.5
  [[ -z $(ranks_of "$1") ]] || die "$1: ranks are left: $(ranks_of "$1")"
  "$tiny_job" whole "$work/$1"/ckpt_*.pt || die "$1: a damaged checkpoint"
  ! compgen -G "$work/$1/*tmp*" > /dev/null || [[ $status -ne 75 ]] || die "$1: a file left aside"
}

for signal in USR1 TERM; do
  start "rank_$signal"
  kill -"$signal" "$(ranks_of "rank_$signal" | sed -n 3p)"
  finish "rank_$signal" 60
  [[ $status -eq 75 ]] || die "$signal to one rank: status $status in place of 75"
  grep -q "stopped by a signal" "$work/rank_$signal.log" || die "$signal: nothing said"
done

# SIGUSR1 to all ranks of a host by the program's name, as a worker's preStop sends it.
start named
for rank in $(ranks_of named); do
  [[ $(cat "/proc/$rank/comm") == bertha ]] || die "a rank goes by the name $(cat "/proc/$rank/comm")"
  kill -USR1 "$rank"
done
finish named 60
[[ $status -eq 75 ]] || die "USR1 to all ranks: status $status in place of 75"

# SIGUSR1 to mpirun reaches all ranks; the same command then continues.
start launcher
kill -USR1 "$(pgrep -P "$job")"  # the shell in between does not pass it on
finish launcher 60
[[ $status -eq 75 ]] || die "USR1 to mpirun: status $status in place of 75"
newest=$(ls -v "$work"/launcher/ckpt_*.pt | tail -n 1)
number=$(basename "$newest" .pt)
number=${number#ckpt_}
pretrain 4 launcher "${forever[@]}" --steps_this_run=$((number + 3)) || die "it does not go on"
grep -q '^DLL .*final_loss : ' "$work/launcher.log" || die "the log records are not in the job's standard output"
grep -q "continuing" "$work/launcher.log" || die "it started anew"

# SIGTERM to the script that starts mpirun.
set_command 4 script "${forever[@]}"
"$launch" "${command[@]}" >> "$work/script.log" 2>&1 &
job=$!
wait_for_checkpoint script
kill -TERM $job
finish script 60
[[ $status -eq 75 ]] || die "TERM to the launch script: status $status in place of 75"

for signal in KILL SEGV; do
  start "dead_$signal"
  kill -"$signal" "$(ranks_of "dead_$signal" | sed -n 2p)"
  finish "dead_$signal" 60
  [[ $status -ne 0 && $status -ne 75 ]] || die "$signal of a rank: status $status"
  names_dead "[0-9]" "$work/dead_$signal.log" || die "$signal: no line names the rank"
done

start stuck
kill -STOP "$(ranks_of stuck | sed -n 4p)"
finish stuck 90
[[ $status -ne 0 && $status -ne 75 ]] || die "a stopped rank: status $status"
grep -qE "rank 3 on .* has not answered for [0-9]+ s; its last heartbeat was at step [0-9]+, in" \
  "$work/stuck.log" || die "no line names the stopped rank"

# deploy/launch.sh kills an mpirun that does not end after its ranks have ended, and prints its output.
status=0
"$launch" bash -c 'echo -n "rank 5 on x is silent"; sleep 2; echo "; the job ends"; echo later; exec sleep 300' \
  > "$work/patience.log" || status=$?
[[ $status -eq 137 ]] || die "a launcher that hangs: status $status in place of 137"
[[ $(head -n 2 "$work/patience.log") == $'rank 5 on x is silent; the job ends\nlater' ]] ||
  die "what a launcher said is not passed on"
