#!/usr/bin/env bash
# hardening_test.sh FILE…: what cmake/hardening.cmake asks for is in the ELF files: the program first, then
# its plugins.
set -euo pipefail

fail() {
  echo "hardening_test: $1" >&2
  exit 1
}

for file in "$@"; do
  headers=$(readelf --wide --program-headers --dynamic "$file")
  grep -q GNU_RELRO <<< "$headers" || fail "$file: relocated data can be written (no GNU_RELRO)"
  grep -qE 'BIND_NOW|Flags:.*NOW' <<< "$headers" || fail "$file: symbols are bound late (no BIND_NOW)"
  grep -qE 'GNU_STACK .* RW +0x' <<< "$headers" || fail "$file: the stack can be executed"
done

program=$1
symbols=$(readelf --wide --dyn-syms "$program")
readelf --wide --dynamic "$program" | grep -q 'Flags:.*PIE' || fail "$program: not position-independent"
grep -q ' __stack_chk_fail' <<< "$symbols" || fail "$program: no stack protector"
grep -qE ' __(memcpy|read|pread|snprintf|vsnprintf|fread|memset|memmove)[a-z0-9]*_chk' <<< "$symbols" ||
  fail "$program: no fortified function"
if [[ $(uname -m) == x86_64 ]]; then
  # The linker marks a file only when all of its objects are marked; functions alone are looked at here.
  objdump --disassemble=main "$program" | grep -q endbr64 || fail "$program: main has no endbr64"
fi

"$program" doctor --quick --json > /dev/null || true
text=$("$program" doctor --quick | tr '\n' ' ' | tr -s ' ')
for word in "full RELRO" "stack protector" "fortified functions" "stack clash protection" "checked containers"; do
  [[ $text == *"$word"* ]] || fail "bertha doctor does not name: $word"
done
[[ $text != *"; without: "* ]] || fail "bertha doctor names what is off: ${text##*; without: }"
