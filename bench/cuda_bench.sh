#!/usr/bin/env bash
# All checks and measurements for a machine with an NVIDIA GPU, in one call of under ten minutes: whether
# the kernels agree with the CPU's, whether repeated runs are bit-identical, and the speed of training and
# prediction and the latency of BERT-Large compared with the installed PyTorch. Ends with one table.
#
#   bench/cuda_bench.sh [--build FOLDER | --pack FILE] [--python PYTHON] [--out FOLDER] [--seconds N]
#
# The programs are those of a build folder (build/cuda, as docs/guide/cuda.md builds it) or of a pack
# (scripts/pack_cuda.sh), which brings what a bare machine lacks; build/cuda_pack/pack.tar.xz is taken
# where there is no build. Each part has a time limit of its own and none begins when N seconds (570)
# are over: what fails or does not fit is a line of the table. table.txt, results.jsonl and
# logs.tar.gz go to --out ($OUT, else build/cuda_bench).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/cuda"
pack=""
python=python3
out=${OUT:-$root/build/cuda_bench}
total=570
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$2 ;;
    --pack) pack=$2 ;;
    --python) python=$2 ;;
    --out) out=$2 ;;
    --seconds) total=$2 ;;
    *)
      echo "cuda_bench.sh: unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done

work=$(mktemp -d)
mkdir -p "$out" "$work/logs"
table="$out/table.txt"
results="$out/results.jsonl"
: > "$table"
: > "$results"

finish() {
  tar -C "$work" -czf "$out/logs.tar.gz" logs || true
  rm -rf "$work"
}
trap finish EXIT

line() { printf '%s\n' "$*" | tee -a "$table"; }

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
data=""
start=()  # what a packed program is started with
use_pack() {
  mkdir "$work/pack"
  tar -C "$work/pack" -xJf "$pack"
  bin="$work/pack/bin"
  data="$work/pack/data"
  local libraries
  libraries="$work/pack/lib:$(cuda_folders)"
  start=(env "LD_LIBRARY_PATH=$libraries:${LD_LIBRARY_PATH:-}")
  # An older C library than the programs need: theirs came along.
  if ! "${start[@]}" "$bin/bertha" --help > /dev/null 2> "$work/logs/start"; then
    start=("$work/pack/libc/ld-linux-x86-64.so.2" --library-path
      "$work/pack/libc:$libraries:${LD_LIBRARY_PATH:-}:/usr/local/nvidia/lib64:/usr/lib/x86_64-linux-gnu")
  fi
}
if [[ -z $pack && ! -x $build/bertha && -e $root/build/cuda_pack/pack.tar.xz ]]; then
  pack="$root/build/cuda_pack/pack.tar.xz"
fi
if [[ -n $pack ]]; then
  use_pack
fi

program() {  # NAME: where it lies
  local path
  for path in "$bin/$1" "$bin/bench/$1"; do
    [[ -x $path ]] && echo "$path" && return
  done
  echo "$bin/$1"
}

# --- running ----------------------------------------------------------------------------------

# part NAME SECONDS COMMAND…: stdout to logs/NAME.out, stderr to logs/NAME.err. A failure is a line
# of the table and the answer false.
part() {
  local name=$1 limit=$2 file status=0
  shift 2
  file="$work/logs/${name// /_}"
  local left=$((total - SECONDS))
  if ((left < 5)); then
    line "$name: left out, the time is over"
    return 1
  fi
  echo "==> $name (at $SECONDS s)" >&2
  timeout --kill-after=5 "$((limit < left ? limit : left))" "$@" > "$file.out" 2> "$file.err" || status=$?
  case $status in
    0) return 0 ;;
    124 | 137) line "$name: stopped after its time" ;;
    *) line "$name: failed ($status): $(grep -hv '^ *$' "$file.err" "$file.out" | tail -n 1 | cut -c1-160)" ;;
  esac
  return 1
}

ours() {  # NAME SECONDS PROGRAM ARGUMENTS…
  local name=$1 limit=$2 path
  path=$(program "$3")
  shift 3
  part "$name" "$limit" "${start[@]}" "$path" "$@"
}

# Adds a row from the JSON line that a part printed; TARGET is the figure to reach, in the row's unit.
row() {  # NAME TARGET [ms]
  "$python" - "$1" "$2" "${3:-}" "$work/logs/${1// /_}.out" "$results" << 'PYTHON' | tee -a "$table"
import json, sys
name, target, unit, path, results = sys.argv[1:]
line = json.loads([text for text in open(path) if text.startswith("{")][-1])
with open(results, "a") as file:
    file.write(json.dumps({"name": name, "target": target, **line}) + "\n")
rate = line["batch"] / line["step_s"]
share = f"{100 * line['share_of_ceiling']:6.1f} %" if "share_of_ceiling" in line else "       -"
goal = f"{target} {unit or '/s'}" if target else "-"
print(f"{name:<30} {1000 * line['step_s']:9.2f} ms {rate:9.1f} seq/s {goal:>10} "
      f"{line['tokens_per_s']:10.0f} tok/s {share}")
PYTHON
}
timed() {  # NAME TARGET SECONDS PROGRAM ARGUMENTS…
  local name=$1 target=$2
  shift 2
  if ours "$name" "$@"; then row "$name" "$target"; fi
}
torch() {  # NAME SECONDS SCRIPT ARGUMENTS…
  local name=$1 limit=$2 script=$3
  shift 3
  if part "$name" "$limit" "$python" "$root/bench/pytorch/$script" --model large "$@"; then row "$name" ""; fi
}

# --- parts ------------------------------------------------------------------------------------

large="$work/large.json"
cat > "$large" << 'JSON'
{"vocab_size": 30522, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
 "intermediate_size": 4096, "max_position_embeddings": 512, "type_vocab_size": 2,
 "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
 "initializer_range": 0.02}
JSON
# Products are timed at their first use and the choice kept: the same in every part.
export BERTHA_CUDA_PLANS="$work/logs/plans"
readonly large_bf16=(--device cuda --precision bf16 --config "$large")

kernels() {
  if ours test_cuda 150 test_cuda --gtest_brief=1; then
    line "test_cuda: $(tail -n 3 "$work/logs/test_cuda.out" | tr '\n' ' ')"
  fi
}

pretraining() {
  timed "pretrain 128 full" 2250 60 training_bench "${large_bf16[@]}" --length 128 --batch 64 --warmup 8 --steps 30
  timed "pretrain 128 real" 2650 60 training_bench "${large_bf16[@]}" --length 128 --batch 64 --lengths real \
    --warmup 8 --steps 30 --save-lengths "$work/128.json"
  timed "pretrain 512 real" 1050 60 training_bench "${large_bf16[@]}" --length 512 --batch 16 --lengths real \
    --warmup 8 --steps 30 --save-lengths "$work/512.json"
  timed "pretrain 512 full" "" 60 training_bench "${large_bf16[@]}" --length 512 --batch 16 --warmup 8 --steps 30
}

question_answering() {
  timed "squad train 384 real" 1300 60 squad_bench "${large_bf16[@]}" --length 384 --batch 32 --lengths real \
    --warmup 8 --steps 30 --save-lengths "$work/384.json"
  timed "squad predict 384 real" 5500 60 squad_bench --mode predict "${large_bf16[@]}" --length 384 --batch 64 \
    --lengths real --warmup 8 --steps 30 --save-lengths "$work/384_64.json"
  local length target
  for length in 128 384; do
    target=$([[ $length == 128 ]] && echo 0.85 || echo 1.5)
    if ours "latency $length" 40 squad_bench --mode predict "${large_bf16[@]}" --length "$length" --batch 1 \
      --warmup 20 --steps 200; then
      row "latency $length" "$target" ms
    fi
  done
}

peers() {
  torch "torch 128 full eager" 45 bert_training_cuda.py --length 128 --batch 64
  [[ ! -s $work/384.json ]] || torch "torch squad 384 real eager" 45 bert_training_cuda.py --task squad \
    --length 384 --batch 32 --lengths "$work/384.json"
  [[ ! -s $work/512.json ]] || torch "torch 512 real eager" 45 bert_training_cuda.py --length 512 --batch 16 \
    --lengths "$work/512.json"
  [[ ! -s $work/384_64.json ]] || torch "torch predict 384 real eager" 45 bert_inference_cuda.py \
    --precision bf16 --length 384 --batch 64 --lengths "$work/384_64.json" --warmup 5 --steps 20
  torch "torch 128 full compile" 90 bert_training_cuda.py --length 128 --batch 64 --mode compile
  torch "torch latency 128 compile" 60 bert_inference_cuda.py --precision bf16 --length 128 --batch 1 \
    --mode compile --warmup 20 --steps 100
}

# Two runs of one seed: the last loss must be the same to the last digit.
repeats() {
  local round losses=()
  for round in 1 2; do
    ours "repeat $round" 40 training_bench "${large_bf16[@]}" --length 128 --batch 16 --warmup 1 --steps 5 || return 0
    losses+=("$(grep -o '"last_loss":[^,}]*' "$work/logs/repeat_$round.out")")
  done
  if [[ ${losses[0]} == "${losses[1]}" ]]; then
    line "repeats: bit-identical (${losses[0]})"
  else
    line "repeats: DIFFER (${losses[0]}, ${losses[1]})"
  fi
}

small_run() {  # NAME STEPS OPTIONS…: a small model on the pack's shards, a log line a step
  local name=$1 steps=$2
  shift 2
  ours "$name" 60 bertha pretrain --do_train --bert_model=small --config_file="$data/small.json" \
    --input_dir="$data/shards" --output_dir="$work/${name// /_}" --json-summary="$work/logs/${name// /_}.json" \
    --optimizer=adamw --enable_packed_data_mode=False --log_freq=1 --max_seq_length=128 \
    --max_predictions_per_seq=20 --train_batch_size=32 --gradient_accumulation_steps=1 --seed=7 \
    --max_steps="$steps" --warmup_proportion=0.1 --learning_rate=0.0005 --skip_checkpoint "$@"
}

# Losses step by step of two runs: the largest difference, relative, of means over WINDOW steps.
compare() {  # NAME LIMIT WINDOW RUN RUN
  "$python" - "$@" "$work/logs" << 'PYTHON' | tee -a "$table"
import json, sys
name, limit, window, first, second, folder = sys.argv[1:]
def losses(run):
    found = []
    for line in open(f"{folder}/{run.replace(' ', '_')}.json"):
        record = json.loads(line.removeprefix("DLLL "))
        data = record.get("data", {})
        if isinstance(record.get("step"), (int, list)) and record["step"] and "step_loss" in data:
            found.append(float(data["step_loss"]))
    return found
a, b, w = losses(first), losses(second), int(window)
count = min(len(a), len(b))
means = lambda values: [sum(values[i:i + w]) / w for i in range(count - w + 1)]
worst = max((abs(x - y) / abs(x) for x, y in zip(means(a), means(b))), default=float("nan"))
verdict = "within" if worst <= float(limit) else "MORE THAN"
print(f"{name}: {count} steps, largest difference {worst:.2e}, {verdict} {limit}")
PYTHON
}

parity() {
  if [[ -z $data ]]; then
    line "parity: left out, it needs the shards of a pack"
    return 0
  fi
  small_run "cuda fp32" 200 --device=cuda || return 0
  if small_run "cpu fp32" 100 --device=cpu; then compare "cpu and cuda, fp32" 1e-5 1 "cpu fp32" "cuda fp32"; fi
  if small_run "cuda bf16" 200 --device=cuda --autocast; then
    compare "fp32 and bf16 on the GPU" 0.01 20 "cuda fp32" "cuda bf16"
  fi
}

sanitizers() {
  local sanitizer tool
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  if [[ ! -x $sanitizer ]]; then
    line "compute-sanitizer: not on this machine"
    return 0
  fi
  for tool in memcheck racecheck; do
    # Without graphs every kernel is a launch of its own.
    if part "$tool" 45 env BERTHA_CUDA_GRAPHS=0 "${start[@]}" "$sanitizer" --tool "$tool" --error-exitcode 9 \
      "$(program test_cuda)" --gtest_filter='*CudaOps*'; then
      line "compute-sanitizer $tool: clean"
    fi
  done
}

profile() {
  if ! command -v nsys > /dev/null; then
    line "profile by kernel: nsys is not on this machine"
    return 0
  fi
  if part profile 60 nsys profile --stats=true --force-overwrite=true -o "$work/profile" "${start[@]}" \
    "$(program training_bench)" "${large_bf16[@]}" --length 128 --batch 64 --lengths real --warmup 8 --steps 10; then
    grep -A 25 'cuda_gpu_kern_sum' "$work/logs/profile.out" >> "$table" || true
  fi
}

line "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null || echo 'nvidia-smi finds no GPU')"
line "$(printf '%-30s %12s %15s %10s %16s %8s' what median rate target 'real tokens' share)"
kernels
pretraining
question_answering
parity
repeats
peers
sanitizers
profile
line "share: of the GPU's 8192³ bf16 product, measured in the same run; $SECONDS s in all"
