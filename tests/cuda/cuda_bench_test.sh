#!/usr/bin/env bash
# Every line of bench/cuda_bench.sh, on the CPU with a tiny model: both parts end, each row has run, and a
# program that fails is a row of the table. PyTorch, compute-sanitizer and nvidia-smi are stand-ins.
#
#   tests/cuda/cuda_bench_test.sh BUILD
set -euo pipefail

build=$(realpath "$1")
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
for program in bertha test_cuda bench/training_bench bench/squad_bench; do
  [[ -x $build/$program ]] || { echo "skipped: $build/$program is not built"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

# Python: prints what the scripts of bench/pytorch print.
cat > "$work/bin/peer" << 'SCRIPT'
#!/usr/bin/env bash
[[ ${1:-} == *.py ]] || exit 1
[[ $* == *"--mode compile"*"--batch 1"* || $* == *"--batch 1"*"--mode compile"* ]] && { echo "no compiler" >&2; exit 3; }
echo '{"program": "torch", "batch": 4, "step_s": 0.5, "tokens_per_s": 100.0}'
SCRIPT
# compute-sanitizer: runs the program that follows its options.
cat > "$work/bin/compute-sanitizer" << 'SCRIPT'
#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift 2; done
exec "$@"
SCRIPT
printf '#!/usr/bin/env bash\necho "a stand-in, 1.0, 1 MiB"\n' > "$work/bin/nvidia-smi"
chmod +x "$work"/bin/*

fail() {
  echo "FAILED: $*" >&2
  cat "$work/table" "$work/errors" >&2 || true
  exit 1
}
run() {  # OPTIONS…: the table of a dry run
  PATH="$work/bin:$PATH" "$root/bench/cuda_bench.sh" --dry --build "$build" --python "$work/bin/peer" \
    --out "$work/out" "$@" > "$work/table" 2> "$work/errors" || fail "the script ended with $?"
}
has() {  # PATTERN…: each is a line of the table
  local pattern
  for pattern in "$@"; do
    grep -qE "$pattern" "$work/table" || fail "no line '$pattern'"
  done
}

run --first-contact
has 'on a stand-in' \
  '^pass +test_cuda +[0-9]+ passed, 0 failed' \
  '^ran +time by kernel' \
  '^ran +pretrain 40, first ' '^ran +pretrain 40, no graphs ' '^(pass|below) +pretrain 40 full .* 100 ' '^ran +pretrain 40, 8 a step ' \
  '^(pass|below) +pretrain 40, mean 30.5 ' '^ran +pretrain 40, as shards ' '^(pass|below) +pretrain 48, mean 20 ' \
  '^ran +pretrain 48 full ' '^(pass|below) +squad train 44 .* 100 ' '^(pass|below) +squad predict 44 .* 100 ' \
  '^(pass|below) +latency 40 ' '^(pass|below) +latency 44 ' '^ran +squad predict 44, cuDNN ' '^ran +latency 44, cuDNN ' \
  '^pass +fp32 as the CPU, first steps +steps 1 to 5' '^pass +fp32 as the CPU, later ' '^pass +bf16 beside fp32 ' \
  '^pass +one seed twice ' '^FAIL +torch compile, latency 40 +status 3: no compiler' \
  '^pass +memcheck ' '^pass +racecheck ' '^pass +initcheck '
[[ $(grep -c '^FAIL' "$work/table") == 1 ]] || fail "more than the one row that must fail"
tar -tzf "$work/out/first_contact.tar.gz" > "$work/files"
for file in table.txt figures.tsv checks.txt tests.txt; do
  grep -qx "first_contact/$file" "$work/files" || fail "$file is not in the archive"
done

# A program that fails, a time that is over, a test that fails: rows, and the script goes on.
mkdir "$work/broken" "$work/broken/bench"
cp "$work/bin/compute-sanitizer" "$work/broken/bertha"
cat > "$work/broken/test_cuda" << 'SCRIPT'
#!/usr/bin/env bash
[[ $* == *--gtest_list_tests* ]] && { printf 'Suite.\n  Works\n  Breaks\n'; exit 0; }
[[ $* == *Breaks* ]] || exit 0
echo "Breaks: Failure"
exit 1
SCRIPT
printf '#!/usr/bin/env bash\necho "error: out of luck" >&2\nexit 1\n' > "$work/broken/bench/training_bench"
printf '#!/usr/bin/env bash\necho nothing\n' > "$work/broken/bench/squad_bench"
chmod +x "$work"/broken/*a "$work"/broken/bench/*
PATH="$work/bin:$PATH" "$root/bench/cuda_bench.sh" --dry --first-contact --build "$work/broken" \
  --python "$work/bin/peer" --out "$work/out" > "$work/table" 2> "$work/errors" || fail "the script ended with $?"
has '^FAIL +test_cuda +1 passed, 1 failed' '^FAIL +Suite.Breaks' 'Breaks: Failure' \
  '^FAIL +pretrain 40, first +status 1: error: out of luck' '^FAIL +squad train 44 +printed no figure' \
  '^FAIL +one seed twice|^FAIL +repeat 1'
run --part 1 --seconds 3
has '^left +test_cuda' '^left +pretrain 40, first'
echo "every row of the bench has run"
