#!/bin/bash
# launch.sh mpirun [its arguments…]: runs mpirun for a job that a scheduler may stop.
#
# SIGTERM to this script asks all ranks to save and to end. The script sends SIGUSR1 to mpirun, which
# passes it on and waits. At SIGTERM mpirun of Open MPI 4.1 would kill the ranks after
# odls_base_sigkill_timeout, and that of Open MPI 5 after a quarter of a second.
#
# Ranks report "the job ends" when a rank does not answer. If the processes of its host are stopped (a
# frozen container) while its kernel still answers, mpirun of Open MPI 4.1 waits for its daemon there for
# ever. Then this script kills mpirun, and the daemons of the other hosts end with it.
set -u
patience=20  # seconds; mpirun itself needs twice odls_base_sigkill_timeout

exec 3< <(exec "$@" 2>&1)
job=$!
trap 'kill -USR1 "$job"' TERM
part= deadline=
while :; do
  if IFS= read -r -t 1 line <&3; then
    printf '%s\n' "$part$line"
    [[ $part$line != *"; the job ends"* ]] || deadline=${deadline:-$((SECONDS + patience))}
    part=
  else
    [[ $? -gt 128 ]] || break  # the end of the output, not of the second
    part+=$line
    kill -0 "$job" 2> /dev/null || break
  fi
  if [[ -n $deadline && $SECONDS -ge $deadline ]]; then
    echo "launch.sh: mpirun is still there after $patience s; it is killed"
    kill -KILL "$job"
    break
  fi
done
printf '%s' "$part"
trap '' TERM  # it would end the wait, not the job
wait "$job"
