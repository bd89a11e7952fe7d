#!/usr/bin/env bash
# All checks and measurements for a machine with an NVIDIA GPU: whether the kernels agree with the CPU's,
# whether repeated runs are bit-identical, and the speed of training and prediction and the latency of
# BERT-Large beside the installed PyTorch. Ends with one table.
#
#   bench/cuda_bench.sh [--first-contact] [--part 1|2] [--build FOLDER | --pack FILE] [--python PYTHON]
#                       [--out FOLDER] [--seconds N] [--dry]
#
# --first-contact runs part 1 and then part 2; --part runs one of them; without either it is part 2.
# Part 1 (150 s) says whether anything works: the tests, a process each, one shape of training with and
# without graphs, and its time by kernel. Part 2 (480 s) is everything else. --seconds is a shorter limit
# for each part.
# The programs are those of a build folder (build/cuda, as docs/guide/cuda.md builds it) or of a pack
# (scripts/pack_cuda.sh), which brings what a bare machine lacks; build/cuda_pack/pack.tar.gz is taken
# where there is no build. Each row has a time limit of its own and none begins when its part's time is
# over: what fails or does not fit is a row of the table. table.txt and first_contact.tar.gz, which holds
# the table, all figures and all logs, go to --out ($OUT, else build/cuda_bench). The exit status is 0
# when every row that could run has run, whatever it says.
# --dry runs every line of this script without a GPU: the CPU and a tiny model instead.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/cuda"
pack=""
python=python3
out=${OUT:-$root/build/cuda_bench}
parts=(2)
longest=600
dry=""
while [[ $# -gt 0 ]]; do
  case $1 in
    --first-contact) parts=(1 2) && shift && continue ;;
    --dry) dry=1 && shift && continue ;;
    --part) parts=("$2") ;;
    --build) build=$2 ;;
    --pack) pack=$2 ;;
    --python) python=$2 ;;
    --out) out=$2 ;;
    --seconds) longest=$2 ;;
    *)
      echo "cuda_bench.sh: unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done
for number in "${parts[@]}"; do
  [[ $number == 1 || $number == 2 ]] || { echo "cuda_bench.sh: --part $number: expected 1 or 2" >&2; exit 2; }
done

work=$(mktemp -d)
logs="$work/first_contact"
mkdir -p "$out" "$logs"
table="$out/table.txt"
figures="$logs/figures.tsv"  # key, program, milliseconds, sequences a second, tokens a second, share, goal, unit
checks="$logs/checks.txt"
: > "$figures"
: > "$checks"

finish() {
  write_table > "$table" || true
  cat "$table"
  cp "$table" "$logs/"
  tar -C "$work" -czf "$out/first_contact.tar.gz" first_contact || true
  rm -rf "$work"
}

# check RESULT WHAT TEXT…: a row of the table's first half.
check() {
  local result=$1 what=$2
  shift 2
  printf '%-6s %-34s %s\n' "$result" "$what" "$*" | tee -a "$checks" >&2
}

# --- programs ---------------------------------------------------------------------------------

# Folders of CUDA's libraries: the toolkit's, then those of the wheels beside PyTorch.
cuda_folders() {
  local nvcc
  nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
  printf '%s:' "$(dirname "$(dirname "$nvcc")")/lib64"
  "$python" -c 'import glob, site; print(":".join(glob.glob(site.getsitepackages()[0] + "/nvidia/*/lib")))' \
    2> /dev/null || true
}

bin="$build"
data="$work/data"
start=()  # what a packed program is started with
use_pack() {
  mkdir "$work/pack"
  tar -C "$work/pack" -xzf "$pack"
  bin="$work/pack/bin"
  data="$work/pack/data"
  local libraries
  libraries="$work/pack/lib:$(cuda_folders)"
  start=(env "LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:-}")
  # An older C library than the programs need: theirs came along.
  if ! "${start[@]}" "$bin/bertha" --help > /dev/null 2> "$logs/start"; then
    start=("$work/pack/libc/ld-linux-x86-64.so.2" --library-path
      "$work/pack/libc:$libraries:${LD_LIBRARY_PATH:-}:/usr/local/nvidia/lib64:/usr/lib/x86_64-linux-gnu")
  fi
}

program() {  # NAME: where it lies
  local path
  for path in "$bin/$1" "$bin/bench/$1"; do
    [[ -x $path ]] && echo "$path" && return
  done
  echo "$bin/$1"
}

# --- running ----------------------------------------------------------------------------------

part_end=0  # when the part's time is over, in SECONDS
log_of() { echo "$logs/${1//[^A-Za-z0-9.]/_}"; }
last_line() { { grep -hv '^ *$' "$@" || true; } | tail -n 1 | cut -c1-120; }

# try NAME SECONDS COMMAND…: stdout to NAME.out of the logs, stderr to NAME.err. The status is the
# command's, 124 for a time that is over and 125 for one that was over before.
try() {
  local name=$1 limit=$2 file status=0
  shift 2
  file=$(log_of "$name")
  local left=$((part_end - SECONDS))
  ((left >= 5)) || return 125
  echo "==> $name (at $SECONDS s)" >&2
  timeout --kill-after=5 "$((limit < left ? limit : left))" "$@" > "$file.out" 2> "$file.err" || status=$?
  return "$status"
}

# row NAME SECONDS COMMAND…: the same; a failure is a row of the table and the answer false.
row() {
  local name=$1 file status=0
  file=$(log_of "$name")
  try "$@" || status=$?
  case $status in
    0) return 0 ;;
    124 | 137) check FAIL "$name" "stopped after its time" ;;
    125) check left "$name" "the time of this part is over" ;;
    *) check FAIL "$name" "status $status: $(last_line "$file.err" "$file.out")" ;;
  esac
  return 1
}
ours() {  # NAME SECONDS PROGRAM ARGUMENTS…
  local name=$1 limit=$2 path
  path=$(program "$3")
  shift 3
  row "$name" "$limit" "${start[@]}" "$path" "$@"
}

# field FILE NAME: a number of the last line of JSON in the file; - where it has none.
field() {
  local value
  value=$({ grep '^{' "$1" || true; } | tail -n 1 | sed -nE "s/.*\"$2\": ?([-+0-9.e]+).*/\1/p")
  echo "${value:--}"
}

# figure KEY PROGRAM NAME [GOAL UNIT]: a row of figures.tsv from what NAME printed.
figure() {
  local key=$1 program=$2 file goal=${4:--} unit=${5:--}
  file="$(log_of "$3").out"
  local seconds rows
  seconds=$(field "$file" step_s)
  if [[ $seconds == - ]]; then
    check FAIL "$3" "printed no figure"
    return 0
  fi
  rows=$(field "$file" sequences)
  [[ $rows != - ]] || rows=$(field "$file" batch)
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$key" "$program" \
    "$(awk -v s="$seconds" 'BEGIN { printf "%.2f", 1000 * s }')" \
    "$(awk -v s="$seconds" -v n="$rows" 'BEGIN { printf "%.1f", n / s }')" \
    "$(field "$file" tokens_per_s)" "$(field "$file" share_of_ceiling)" "$goal" "$unit" >> "$figures"
}
timed() {  # KEY GOAL UNIT SECONDS PROGRAM ARGUMENTS…: UNIT is tok/s, seq/s or ms
  local key=$1 goal=$2 unit=$3
  shift 3
  if ours "$key" "$@"; then figure "$key" bertha "$key" "$goal" "$unit"; fi
}
peer() {  # KEY MODE SECONDS SCRIPT ARGUMENTS…: PyTorch's figures for a row of ours
  local key=$1 mode=$2 limit=$3 script=$4
  shift 4
  if row "torch $mode, $key" "$limit" "$python" "$root/bench/pytorch/$script" --device "$device" \
    --model "$peer_model" --mode "$mode" "$@"; then
    figure "$key" "torch $mode" "torch $mode, $key"
  fi
}

# Both halves of the table: what works, then what it takes.
write_table() {
  printf 'bertha %s on %s\n\n' "$(git -C "$root" rev-parse --short HEAD 2> /dev/null || echo '(no commit)')" \
    "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null || echo 'no NVIDIA GPU')"
  cat "$checks"
  printf '\n%-6s %-26s %9s %10s %12s %7s %14s %12s %6s\n' '' what 'median ms' 'seq/s' 'real tok/s' share goal \
    'PyTorch tok/s' ratio
  awk -F '\t' '
    $2 == "bertha" { order[++rows] = $1; line[$1] = $0; next }
    $5 > best[$1] + 0 { best[$1] = $5 }
    END {
      for (i = 1; i <= rows; ++i) {
        split(line[order[i]], f, "\t")
        reached = f[8] == "ms" ? f[3] + 0 <= f[7] + 0 : (f[8] == "tok/s" ? f[5] : f[4]) + 0 >= f[7] + 0
        result = f[7] == "-" ? "ran" : reached ? "pass" : "below"
        goal = f[7] == "-" ? "-" : f[7] " " f[8]
        share = f[6] == "-" ? "-" : sprintf("%.1f %%", 100 * f[6])
        torch = best[f[1]] ? sprintf("%.0f", best[f[1]]) : "-"
        ratio = best[f[1]] ? sprintf("%.2f", f[5] / best[f[1]]) : "-"
        printf "%-6s %-26s %9.2f %10.1f %12.0f %7s %14s %12s %6s\n", result, f[1], f[3], f[4], f[5], share, goal, torch, ratio
      }
    }' "$figures"
  printf '\nshare: of the GPU'"'"'s 8192 x 8192 x 8192 product, measured in the same run. PyTorch: the better of its rows.\n'
  if [[ -s $logs/kernels.txt ]]; then
    printf '\ntime by kernel, without graphs, of all steps and warm-ups:\n'
    head -n 30 "$logs/kernels.txt"
  fi
  printf '\n%s s in all\n' "$SECONDS"
}

# --- sizes ------------------------------------------------------------------------------------

model="$work/model.json"
# model_config LAYERS HIDDEN HEADS: what the config says, BERT-Large's or a tiny one for --dry.
model_config() {
  cat > "$model" << JSON
{"vocab_size": 30522, "hidden_size": $2, "num_hidden_layers": $1, "num_attention_heads": $3,
 "intermediate_size": $((4 * $2)), "max_position_embeddings": 512, "type_vocab_size": 2,
 "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
 "initializer_range": 0.02}
JSON
}
if [[ -z $dry ]]; then
  model_config 24 1024 16
  device=cuda
  precision=bf16
  peer_model=large
  short=128 long=512 window=384           # tokens of a row
  many=64 some=32 few=16                  # rows of a micro-batch
  short_mean=106.3 long_mean=254.5        # tokens of a row that the goals assume
  steps=30 repeats=3                      # repeats: a direct run, a capture, a replay
  test_filter='*' op_filter='*CudaOps*'
  compared=200                            # steps of the small model
else
  model_config 1 32 2
  device=cpu
  precision=fp32
  peer_model="$model"
  short=40 long=48 window=44
  many=4 some=3 few=2
  short_mean=30.5 long_mean=20
  steps=2 repeats=1
  test_filter='*Converts*:*SquaredError*' op_filter='*SquaredError*'
  compared=6
fi
common=(--device "$device" --precision "$precision" --config "$model")
# Products are timed at their first use and the choice kept: the same in every row.
export BERTHA_CUDA_PLANS="$logs/plans"

# --- part 1 -----------------------------------------------------------------------------------

# The tests of a program of GoogleTest, one a line.
tests_of() {
  "${start[@]}" "$1" --gtest_list_tests --gtest_filter="$test_filter" |
    awk '/^[^ ].*\.( |$)/ { suite = $1 } /^  / { print suite $1 }'
}

# A process a test, because a bad access breaks the GPU for its process. The first that fails runs again
# with launches that wait, which names the kernel.
tests() {
  local path name file status passed=0 skipped=0 failed=()
  path=$(program test_cuda)
  if ! tests_of "$path" > "$logs/tests.txt" 2> "$logs/tests.err"; then
    check FAIL test_cuda "does not start: $(last_line "$logs/tests.err")"
    return 0
  fi
  while read -r name; do
    status=0
    try "$name" 20 "${start[@]}" "$path" --gtest_filter="$name" || status=$?
    if ((status == 125)); then
      check left test_cuda "the time of this part is over before $name"
      break
    elif ((status != 0)); then
      failed+=("$name")
    elif grep -q '^\[  SKIPPED \]' "$(log_of "$name").out"; then
      skipped=$((skipped + 1))
    else
      passed=$((passed + 1))
    fi
  done < "$logs/tests.txt"
  check "$([[ ${#failed[@]} -eq 0 && $passed -gt 0 ]] && echo pass || echo FAIL)" test_cuda \
    "$passed passed, ${#failed[@]} failed, $skipped skipped of $(wc -l < "$logs/tests.txt")"
  [[ ${#failed[@]} -gt 0 ]] || return 0
  try "again ${failed[0]}" 30 env CUDA_LAUNCH_BLOCKING=1 "${start[@]}" "$path" --gtest_filter="${failed[0]}" || true
  file=$(log_of "again ${failed[0]}")
  for name in "${failed[@]:0:8}"; do check FAIL "  $name" ""; done
  { grep -hE -A 4 'Failure|error|CUDA|unknown file' "$file.out" "$file.err" || cat "$file.err"; } | head -n 12 | cut -c1-150 |
    while read -r name; do check "" "  ${failed[0]##*.}" "$name"; done
}

first_speed() {
  timed "pretrain $short, first" "" "" 45 training_bench "${common[@]}" --length "$short" --batch "$many" \
    --batches 1 --warmup "$repeats" --steps "$steps"
  if row "without graphs" 45 env BERTHA_CUDA_GRAPHS=0 "${start[@]}" "$(program training_bench)" "${common[@]}" \
    --length "$short" --batch "$many" --batches 1 --warmup 2 --steps 10; then
    figure "pretrain $short, no graphs" bertha "without graphs"
  fi
}

kernel_times() {
  row "time by kernel" 45 env BERTHA_CUDA_PROFILE="$logs/kernels.txt" "${start[@]}" "$(program training_bench)" \
    "${common[@]}" --length "$short" --batch "$many" --batches 1 --warmup 1 --steps 4 || return 0
  if [[ -s $logs/kernels.txt ]]; then
    check pass "time by kernel" "$(wc -l < "$logs/kernels.txt") rows, below"
  else
    check "$([[ -n $dry ]] && echo ran || echo FAIL)" "time by kernel" "no file was written"
  fi
}

# --- part 2 -----------------------------------------------------------------------------------

# Goals are those of docs/design/gpu-step.md, in real tokens where rows are not full.
pretraining() {
  timed "pretrain $short full" 2250 seq/s 45 training_bench "${common[@]}" --length "$short" --batch "$many" \
    --batches 1 --warmup "$repeats" --steps "$steps" --save-lengths "$work/short_full.json"
  timed "pretrain $short, 8 a step" "" "" 45 training_bench "${common[@]}" --length "$short" --batch "$many" \
    --batches 1 --warmup "$repeats" --steps 6 --accumulation 8
  timed "pretrain $short, mean $short_mean" 282000 tok/s 45 training_bench "${common[@]}" --length "$short" \
    --batch "$many" --lengths "$short_mean" --warmup "$repeats" --steps "$steps" --save-lengths "$work/short.json"
  timed "pretrain $short, as shards" "" "" 45 training_bench "${common[@]}" --length "$short" --batch "$many" \
    --lengths real --warmup "$repeats" --steps "$steps"
  timed "pretrain $long, mean $long_mean" 267000 tok/s 45 training_bench "${common[@]}" --length "$long" \
    --batch "$some" --lengths "$long_mean" --warmup "$repeats" --steps "$steps" --save-lengths "$work/long.json"
  timed "pretrain $long full" "" "" 45 training_bench "${common[@]}" --length "$long" --batch "$few" \
    --batches 1 --warmup "$repeats" --steps "$steps"
}

by_cudnn() {  # KEY SECONDS ARGUMENTS…: squad_bench with cuDNN's attention
  local key=$1 limit=$2
  shift 2
  if row "$key" "$limit" env BERTHA_LIBCUDNN=libcudnn.so.9 "${start[@]}" "$(program squad_bench)" "$@"; then
    figure "$key" bertha "$key"
  fi
}

question_answering() {
  timed "squad train $window" 1300 seq/s 45 squad_bench "${common[@]}" --length "$window" --batch "$some" \
    --lengths real --warmup "$repeats" --steps "$steps" --save-lengths "$work/train.json"
  timed "squad predict $window" 5500 seq/s 45 squad_bench --mode predict "${common[@]}" --length "$window" \
    --batch "$many" --lengths real --warmup "$repeats" --steps "$steps" --save-lengths "$work/predict.json"
  timed "latency $short" 0.85 ms 30 squad_bench --mode predict "${common[@]}" --length "$short" --batch 1 \
    --batches 1 --warmup "$repeats" --steps $((steps * 6))
  timed "latency $window" 1.5 ms 30 squad_bench --mode predict "${common[@]}" --length "$window" --batch 1 \
    --batches 1 --warmup "$repeats" --steps $((steps * 6))
  by_cudnn "squad predict $window, cuDNN" 45 --mode predict "${common[@]}" --length "$window" \
    --batch "$many" --lengths real --warmup "$repeats" --steps "$steps"
  by_cudnn "latency $window, cuDNN" 30 --mode predict "${common[@]}" --length "$window" --batch 1 \
    --batches 1 --warmup "$repeats" --steps $((steps * 6))
}

# small_run NAME STEPS OPTIONS…: a small model on small shards, a log line a step. All runs have one schedule
# of rates, of which some take the first steps alone.
small_run() {
  local name=$1 count=$2
  shift 2
  ours "$name" 60 bertha pretrain --do_train --bert_model=small --config_file="$data/small.json" \
    --input_dir="$data/shards" --output_dir="$work/${name// /_}" --json-summary="$logs/${name// /_}.json" \
    --optimizer=adamw --enable_packed_data_mode=False --log_freq=1 --max_seq_length=128 \
    --max_predictions_per_seq=20 --train_batch_size=32 --gradient_accumulation_steps=1 --seed=7 \
    --max_steps="$compared" --steps_this_run="$count" --warmup_proportion=0.1 --learning_rate=0.0005 --skip_checkpoint "$@"
}

losses_of() {  # RUN: the loss of each step
  sed -nE 's/.*"step": \[?[0-9][^{]*"data": \{.*"step_loss": "?([-+0-9.einfa]+)"?.*/\1/p' "$logs/${1// /_}.json"
}

# compare NAME RUN RUN FIRST LAST WINDOW LIMIT: the largest relative difference of means over WINDOW
# steps, of the steps FIRST to LAST.
compare() {
  local name=$1 first=$2 second=$3 from=$4 to=$5 window=$6 limit=$7 worst
  worst=$(paste <(losses_of "$first") <(losses_of "$second") | awk -v from="$from" -v to="$to" -v w="$window" '
    NF == 2 && NR >= from && NR <= to {
      a[++n] = $1; b[n] = $2; x += $1; y += $2
      if (n > w) { x -= a[n - w]; y -= b[n - w] }
      if (n >= w) { d = (x - y) / x; if (d < 0) d = -d; if (d > worst || d != d) worst = d; ++means }
    }
    END { if (means) printf "%.2e", worst; else print "-" }')
  if [[ $worst == - ]]; then
    check FAIL "$name" "no losses to compare"
  else
    check "$(awk -v d="$worst" -v l="$limit" 'BEGIN { print (d <= l) ? "pass" : "FAIL" }')" "$name" \
      "steps $from to $to, means of $window: $worst apart, limit $limit"
  fi
}

# Two orders of addition part slowly: Adam divides by the root of small second moments.
parity() {
  if [[ ! -d $data/shards ]] && ! row shards 30 "$root/bench/small_shards.sh" "$(program bertha)" "$data"; then
    return 0
  fi
  small_run "gpu fp32" "$compared" --device="$device" || return 0
  if small_run "cpu fp32" $((compared / 2)) --device=cpu; then
    compare "fp32 as the CPU, first steps" "cpu fp32" "gpu fp32" 1 5 1 1e-5
    compare "fp32 as the CPU, later" "cpu fp32" "gpu fp32" $((compared / 20 + 1)) $((compared / 2)) \
      $((compared / 20 + 1)) 1e-3
  fi
  if small_run "gpu bf16" "$compared" --device="$device" --autocast; then
    compare "bf16 beside fp32" "gpu fp32" "gpu bf16" 1 "$compared" $((compared / 10 + 1)) 0.01
  fi
}

# Two runs of one seed: the last loss must be the same to the last digit.
repeats() {
  local round losses=()
  for round in 1 2; do
    ours "repeat $round" 30 training_bench "${common[@]}" --length "$short" --batch "$few" --batches 2 \
      --warmup 1 --steps 4 || return 0
    losses+=("$(field "$(log_of "repeat $round").out" last_loss)")
  done
  if [[ ${losses[0]} == "${losses[1]}" && ${losses[0]} != - ]]; then
    check pass "one seed twice" "loss ${losses[0]}, bit-identical"
  else
    check FAIL "one seed twice" "losses ${losses[0]} and ${losses[1]}"
  fi
}

# Each on the lengths that our row drew.
peers() {
  local counts=(--warmup 5 --steps 20)
  [[ -z $dry ]] || counts=(--warmup 1 --steps 2)
  [[ ! -s $work/short_full.json ]] || peer "pretrain $short full" eager 40 bert_training_cuda.py \
    --length "$short" --batch "$many" --lengths "$work/short_full.json" "${counts[@]}"
  [[ ! -s $work/train.json ]] || peer "squad train $window" eager 40 bert_training_cuda.py --task squad \
    --length "$window" --batch "$some" --lengths "$work/train.json" "${counts[@]}"
  [[ ! -s $work/long.json ]] || peer "pretrain $long, mean $long_mean" eager 40 bert_training_cuda.py \
    --length "$long" --batch "$some" --lengths "$work/long.json" "${counts[@]}"
  [[ ! -s $work/predict.json ]] || peer "squad predict $window" eager 40 bert_inference_cuda.py \
    --precision "$precision" --length "$window" --batch "$many" --lengths "$work/predict.json" "${counts[@]}"
  peer "latency $short" compile 60 bert_inference_cuda.py --precision "$precision" --length "$short" \
    --batch 1 "${counts[@]}"
  [[ ! -s $work/short_full.json ]] || peer "pretrain $short full" compile 150 bert_training_cuda.py \
    --length "$short" --batch "$many" --lengths "$work/short_full.json" "${counts[@]}"
}

# Our kernels alone: those of the libraries take most of the time.
sanitizers() {
  local sanitizer tool
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  if [[ ! -x $sanitizer ]]; then
    check left compute-sanitizer "it is not on this machine"
    return 0
  fi
  for tool in memcheck racecheck initcheck; do
    # Without graphs every kernel is a launch of its own.
    if row "$tool" 45 env BERTHA_CUDA_GRAPHS=0 "${start[@]}" "$sanitizer" --tool "$tool" --error-exitcode 9 \
      --kernel-name kns=bertha "$(program test_cuda)" --gtest_filter="$op_filter"; then
      check pass "$tool" "our kernels in the tests of ops"
    fi
  done
}

# --- both -------------------------------------------------------------------------------------

trap finish EXIT
if [[ -z $pack && ! -x $build/bertha && -e $root/build/cuda_pack/pack.tar.gz ]]; then
  pack="$root/build/cuda_pack/pack.tar.gz"
fi
if [[ -n $pack ]]; then
  use_pack
fi
for number in "${parts[@]}"; do
  limit=$((number == 1 ? 150 : 480))
  part_end=$((SECONDS + (limit < longest ? limit : longest)))
  if [[ $number == 1 ]]; then
    tests
    first_speed
    kernel_times
  else
    pretraining
    question_answering
    parity
    repeats
    peers
    sanitizers
  fi
done
