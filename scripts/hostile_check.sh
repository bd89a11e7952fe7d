#!/usr/bin/env bash
# Runs `bertha inspect` on hostile weight files (tests/cli/hostile_files.cc). Each file must be rejected
# with one line, and after its own start the program must start no process, remove no file and make no
# connection. Prints the runs with the most time and memory. Needs strace and GNU time.
#
#   scripts/hostile_check.sh [build folder]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

BERTHA_HOSTILE_DIR=$work/files "$build/test_cli" --gtest_filter='HostileFiles.*' > "$work/test.log" || {
  cat "$work/test.log"
  exit 1
}

export OMP_NUM_THREADS=1
# Memory of a run that reads no file, to subtract.
idle=$({ /usr/bin/time -f %M "$build/bertha" inspect /no/such/file > /dev/null; } 2>&1 | tail -1) || true
calls='execve,execveat,fork,vfork,unlink,unlinkat,rmdir,rename,renameat,renameat2,socket,connect,bind'
total=0 accepted=0 forbidden=0
while read -r target; do
  total=$((total + 1))
  if /usr/bin/time -f '%e %U %S %M' -o "$work/time" "$build/bertha" inspect "$target" > /dev/null 2> "$work/output"; then
    accepted=$((accepted + 1))
    echo "accepted: $target"
  fi
  [[ $(wc -l < "$work/output") -eq 1 ]] || { accepted=$((accepted + 1)); echo "not one line: $target"; }
  # The size of the folder that holds the target and all of its files.
  size=$(du -sk --apparent-size "$(dirname "$target")" | cut -f1)
  read -r wall user system memory < <(tail -1 "$work/time")
  echo "$wall $(echo "$user + $system" | bc) $((memory - idle - size)) $target" >> "$work/figures"
  strace -f -qq -e trace="$calls" -o "$work/trace" "$build/bertha" inspect "$target" > /dev/null 2>&1 || true
  # The first traced call is the program's own start.
  found=$(grep -v -e '^[0-9]* *+++' "$work/trace" | tail -n +2 | wc -l)
  [[ $found -eq 0 ]] || { forbidden=$((forbidden + found)); echo "calls: $target"; cat "$work/trace"; }
done < "$work/files/targets"

echo "$total files, $accepted not rejected with one line, $forbidden forbidden system calls"
echo "slowest, seconds:        $(sort -rn "$work/figures" | head -1 | cut -d' ' -f1,4)"
echo "most CPU, seconds:       $(sort -k2 -rn "$work/figures" | head -1 | cut -d' ' -f2,4)"
echo "most memory, KiB beyond: $(sort -k3 -rn "$work/figures" | head -1 | cut -d' ' -f3,4)"
[[ $accepted -eq 0 && $forbidden -eq 0 ]]
