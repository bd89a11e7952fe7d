#!/usr/bin/env bash
# Shows what `bertha inspect` does with weight files made to harm (tests/cli/hostile_files.cc): each
# must be refused in one line, and no process started, no file removed, no connection made after the
# program's own start. Prints the slowest and the hungriest. Needs strace and GNU time.
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

export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive  # the program starts itself again to set the latter
# Memory of a run that reads nothing, to be taken off.
idle=$({ /usr/bin/time -f %M "$build/bertha" inspect /no/such/file > /dev/null; } 2>&1 | tail -1) || true
calls='execve,execveat,fork,vfork,unlink,unlinkat,rmdir,rename,renameat,renameat2,socket,connect,bind'
total=0 taken=0 forbidden=0
while read -r target; do
  total=$((total + 1))
  if /usr/bin/time -f '%e %U %S %M' -o "$work/time" "$build/bertha" inspect "$target" > /dev/null 2> "$work/said"; then
    taken=$((taken + 1))
    echo "taken: $target"
  fi
  [[ $(wc -l < "$work/said") -eq 1 ]] || { taken=$((taken + 1)); echo "not one line: $target"; }
  # A regular file that the target names, or all of its folder.
  size=$(du -sk --apparent-size "$(dirname "$target")" | cut -f1)
  read -r wall user system memory < <(tail -1 "$work/time")
  echo "$wall $(echo "$user + $system" | bc) $((memory - idle - size)) $target" >> "$work/figures"
  strace -f -qq -e trace="$calls" -o "$work/trace" "$build/bertha" inspect "$target" > /dev/null 2>&1 || true
  # The first line is the program's own start.
  found=$(grep -v -e '^[0-9]* *+++' "$work/trace" | tail -n +2 | wc -l)
  [[ $found -eq 0 ]] || { forbidden=$((forbidden + found)); echo "calls: $target"; cat "$work/trace"; }
done < "$work/files/targets"

echo "$total files, $taken not refused in one line, $forbidden forbidden system calls"
echo "slowest, seconds:        $(sort -rn "$work/figures" | head -1 | cut -d' ' -f1,4)"
echo "most CPU, seconds:       $(sort -k2 -rn "$work/figures" | head -1 | cut -d' ' -f2,4)"
echo "most memory, KiB beyond: $(sort -k3 -rn "$work/figures" | head -1 | cut -d' ' -f3,4)"
[[ $taken -eq 0 && $forbidden -eq 0 ]]
