#!/usr/bin/env bash
# hosts.sh BERTHA TINY_JOB [RANKS_A_HOST [WATCHDOG]]: runs mpirun across four hosts on this machine. Each
# host is a network namespace with its own sshd on a bridge. By default a host has 8 ranks and the watchdog
# 5 s; more ranks on few cores need a longer watchdog. Four faults: a cable is pulled, a host is killed, a
# host is stopped while its kernel still answers (a frozen container), a host is frozen with its kernel (a
# paused machine). Each time the job must end, the message must name that host, checkpoints must be
# complete, and no process may be left (on stopped hosts once they run again). Then the job must continue.
# At the end 4, 2 and 4 hosts must give the bits of one rank. Not part of ctest. Needs root, iproute2 and
# openssh-server. The hosts have common files and processes; their addresses, 10.77.0.1 to 10.77.0.4,
# distinguish them.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
skip() {
  echo "skipped: $*"
  exit 77
}
[[ $EUID -eq 0 ]] || skip "not root"
[[ -x /usr/sbin/sshd ]] || skip "no sshd"
command -v ip > /dev/null || skip "no iproute2"
ip netns add "bt$$" 2> /dev/null || skip "no network namespaces"
ip netns del "bt$$"

source "$here/common.sh"
each=${3:-8}
watchdog=${4:-5}
tag=b$(($$ % 1000))

clean_up() {
  local host
  for host in 1 2 3 4; do
    signal_to KILL $(ip netns pids "$tag-$host" 2> /dev/null)
    ip netns del "$tag-$host" 2> /dev/null || true
  done
  ip link del "$tag" 2> /dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

# on_host N COMMAND…: replaces this shell by the command, with the network and the name of host N.
on_host() {
  exec ip netns exec "$tag-$1" unshare --uts sh -c 'hostname "$0"; exec "$@"' "$tag-$1" "${@:2}"
}

signal_to() {
  [[ $# -lt 2 ]] || kill -"$1" "${@:2}" 2> /dev/null || true
}

# The processes of a host except sshd: the launcher, Open MPI's daemon and the ranks.
pids_on() {
  local pid
  for pid in $(ip netns pids "$tag-$1" 2> /dev/null); do
    ! grep -qE "^(orted|prted|bertha|mpirun|prterun|launch.sh)" "/proc/$pid/comm" 2> /dev/null || echo "$pid"
  done
}

ssh-keygen -q -t ed25519 -N "" -f "$work/key"
ip link add "$tag" type bridge
ip link set "$tag" up
mkdir -p /run/sshd
for host in 1 2 3 4; do
  ip netns add "$tag-$host"
  ip link add "$tag-$host" type veth peer name eth0 netns "$tag-$host"
  ip link set "$tag-$host" master "$tag" up
  ip -n "$tag-$host" addr add "10.77.0.$host/24" dev eth0
  ip -n "$tag-$host" link set eth0 up
  ip -n "$tag-$host" link set lo up
  on_host "$host" /usr/sbin/sshd -D -f /dev/null -h "$work/key" -p 22 \
    -o AuthorizedKeysFile="$work/key.pub" -o StrictModes=no -o PidFile=none -o UsePAM=no \
    -o PermitRootLogin=yes -o MaxStartups=100 2> "$work/sshd_$host.log" &
  disown
  echo "10.77.0.$host slots=$each" >> "$work/hosts"
done
sleep 1

# across RANKS A_HOST OUTPUT [options…]: replaces this shell by a training over the first
# RANKS / A_HOST hosts.
across() {
  local ssh="ssh -i $work/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
  on_host 1 "$here/../../deploy/launch.sh" mpirun --allow-run-as-root --hostfile "$work/hosts" \
    -n "$1" --npernode "$2" --bind-to none --oversubscribe \
    --mca plm_rsh_agent "$ssh -o LogLevel=ERROR" \
    --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
    --mca oob_tcp_keepalive_time 3 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 \
    --mca odls_base_sigkill_timeout 4 --mca mpi_yield_when_idle 1 -x OMP_NUM_THREADS=1 \
    "$bertha" pretrain --do_train --config_file="$work/config.json" --input_dir="$work/data" \
    --output_dir="$work/$3" --json-summary="$work/$3/dllogger.json" --max_seq_length=32 \
    --max_predictions_per_seq=5 --disable_progress_bar "${@:4}" > "$work/$3.log" 2>&1
}

# start OUTPUT: starts ranks on all four hosts in the background, and waits until they have saved a new
# checkpoint.
start() {
  before=$(ls -v "$work/$1"/ckpt_*.pt 2> /dev/null | tail -n 1 || true)
  across $((4 * each)) "$each" "$1" --train_batch_size=1 --gradient_accumulation_steps=1 \
    --max_steps=1000000 --num_steps_per_checkpoint=2 --watchdog-seconds="$watchdog" &
  job=$!
  for _ in $(seq 3000); do
    newest=$(ls -v "$work/$1"/ckpt_*.pt 2> /dev/null | tail -n 1 || true)
    [[ $newest == "$before" ]] || return 0
    kill -0 $job 2> /dev/null || die "$1: it ended before its first checkpoint"
    sleep 0.1
  done
  die "no checkpoint within 300 s"
}

# finish FAULT SECONDS: checks that the job ends within the time, and that a line of ours or of Open MPI
# names host 3.
finish() {
  local at=$SECONDS status=0
  while kill -0 $job 2> /dev/null; do
    [[ $((SECONDS - at)) -le $2 ]] || die "$1: still there after $2 s"
    sleep 0.1
  done
  wait $job || status=$?
  echo "$1: ended after $((SECONDS - at)) s with status $status: $(grep -m 1 -aoE \
    "(rank [0-9]+ on .* has not answered|all ranks have waited).*, in [a-z ]*" "$work/job.log" || true)"
  [[ $status -ne 0 && $status -ne 75 ]] || die "$1: status $status"
  grep -qaE "rank [0-9]+ on $tag-3 has not answered for|Remote daemon: .* on node (10.77.0.3|$tag-3)" \
    "$work/job.log" || die "$1: no line names the host"
  "$tiny_job" whole "$work"/job/ckpt_*.pt || die "$1: a damaged checkpoint"
}

# none_left HOST…: checks that the processes of the hosts end by themselves.
none_left() {
  local host
  for host in "$@"; do
    for _ in $(seq 300); do
      [[ -n $(pids_on "$host") ]] || continue 2
      sleep 0.1
    done
    die "host $host: processes are left: $(ps -o pid,comm,args $(pids_on "$host"))"
  done
}

start job
ip link set "$tag-3" down
finish "cable pulled" $((watchdog + 60))
none_left 1 2 3 4
ip link set "$tag-3" up

start job
signal_to KILL $(pids_on 3)
finish "host killed" $((watchdog + 60))
none_left 1 2 3 4

for kernel in answers silent; do
  start job
  [[ $kernel == answers ]] || ip link set "$tag-3" down
  signal_to STOP $(ip netns pids "$tag-3")
  finish "host stopped, kernel $kernel" $((watchdog + 60))
  none_left 1 2 4
  ip link set "$tag-3" up
  signal_to CONT $(ip netns pids "$tag-3")
  none_left 3
done

start job
grep -q "continuing .*ckpt_" "$work/job.log" || die "it started anew"
kill -TERM $job
status=0
wait $job || status=$?
[[ $status -eq 75 ]] || die "TERM: status $status in place of 75"
none_left 1 2 3 4
echo "asked to stop: status 75, checkpoints whole"

# One rank on each host.
bits=(--deterministic --learning_rate=0.02 --warmup_proportion=0.1 --max_steps=100)
pretrain 1 alone "${bits[@]}" || die "one rank failed"
for part in 4:30 2:70 4:100; do
  ranks=${part%:*}
  (across "$ranks" 1 parts "${bits[@]}" --train_batch_size=$((16 / ranks)) \
    --gradient_accumulation_steps=$((4 / ranks)) --steps_this_run="${part#*:}") ||
    die "$ranks hosts failed"
done
grep -q "continuing .*ckpt_70" "$work/parts.log" || die "parts: it started anew"
"$tiny_job" same "$work/alone/ckpt_100.pt" "$work/parts/ckpt_100.pt" ||
  die "4, 2 and 4 hosts gave other bits than one rank"
echo "4, 2, 4 hosts with a start each: the bits of one rank"
