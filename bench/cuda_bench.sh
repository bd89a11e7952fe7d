#!/usr/bin/env bash
# Everything to be known on a machine with an NVIDIA card, in one call of under ten minutes: do the
# kernels agree with the CPU's, are repeats bit-identical, how fast are steps of BERT-Large beside
# the PyTorch that is installed there.
#
#   bench/cuda_bench.sh [--build FOLDER] [--python PYTHON]
#
# FOLDER (build/cuda) holds test_cuda and bench/training_bench, built by ./run build --cuda and
# cmake --build build/cuda --target training_bench. What cannot run is said and left out; the last
# lines are one table.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/cuda"
python=python3
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$2 ;;
    --python) python=$2 ;;
    *)
      echo "cuda_bench.sh: unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
large="$folder/large.json"
cat > "$large" << 'JSON'
{"vocab_size": 30522, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
 "intermediate_size": 4096, "max_position_embeddings": 512, "type_vocab_size": 2,
 "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
 "initializer_range": 0.02}
JSON
export BERTHA_CUDA_PLANS="$folder/plans"
table="$folder/table"
: > "$table"

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true

# within SECONDS COMMAND…: stops it after that time, or when ten minutes of the whole are near.
within() {
  local left=$((570 - SECONDS)) limit=$1
  shift
  timeout "$((limit < left ? limit : (left > 1 ? left : 1)))" "$@"
}

# run NAME SECONDS COMMAND…: its JSON line goes to NAME.json; a failure goes to the table.
run() {
  local name=$1 limit=$2
  shift 2
  echo "==> $name" >&2
  if ! within "$limit" "$@" > "$folder/$name.json" 2> "$folder/$name.log"; then
    echo "$name: failed or ran past $limit s: $(tail -n 1 "$folder/$name.log")" >> "$table"
    return 0
  fi
  "$python" - "$name" "$folder/$name.json" >> "$table" << 'PYTHON'
import json, sys
name, path = sys.argv[1:]
line = json.loads(open(path).read().strip().splitlines()[-1])
rate = line.get("sequences_per_s", line["batch"] / line["step_s"])
share = f"{100 * line['share_of_ceiling']:5.1f} %" if "share_of_ceiling" in line else "      -"
print(f"{name:<28} {1000 * line['step_s']:9.1f} ms {rate:9.1f} sequences/s "
      f"{line['tokens_per_s']:11.0f} tokens/s  {share}")
PYTHON
}

echo "==> kernels against the CPU's" >&2
if within 150 "$build/test_cuda" > "$folder/tests" 2>&1; then
  echo "test_cuda: $(grep -c '\[       OK' "$folder/tests" || true) passed," \
    "$(grep -c '\[  SKIPPED' "$folder/tests" || true) lines of skips" >> "$table"
else
  echo "test_cuda: FAILED: $(grep '\[  FAILED' "$folder/tests" | tail -n 1)" >> "$table"
fi
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do
    if within 60 compute-sanitizer --tool $tool --error-exitcode 9 "$build/test_cuda" \
      --gtest_filter='*LayerNorm*:*Rows*' > "$folder/$tool" 2>&1; then
      echo "compute-sanitizer $tool: clean" >> "$table"
    else
      echo "compute-sanitizer $tool: $(tail -n 1 "$folder/$tool")" >> "$table"
    fi
  done
fi

bertha=("$build/bench/training_bench" --device cuda --precision bf16 --config "$large"
  --optimizer adamw --warmup 6 --steps 20)
torch=("$python" "$root/bench/pytorch/bert_training_cuda.py" --model large)
for shape in "128 64" "512 16"; do
  read -r length batch <<< "$shape"
  lengths="$folder/lengths$length.json"
  run "bertha $length full" 60 "${bertha[@]}" --length "$length" --batch "$batch"
  run "bertha $length real" 60 "${bertha[@]}" --length "$length" --batch "$batch" --lengths real \
    --save-lengths "$lengths"
  run "torch $length eager" 60 "${torch[@]}" --length "$length" --batch "$batch"
  if [[ -s $lengths ]]; then
    run "torch $length real eager" 60 "${torch[@]}" --length "$length" --batch "$batch" \
      --lengths "$lengths"
  fi
done
run "torch 128 compile" 100 "${torch[@]}" --length 128 --batch 64 --mode compile

# The same seed twice: the last loss must be the same to the last digit.
first=$(within 60 "${bertha[@]}" --length 128 --batch 16 | grep -o '"last_loss":[^,}]*' || true)
second=$(within 60 "${bertha[@]}" --length 128 --batch 16 | grep -o '"last_loss":[^,}]*' || true)
if [[ -n $first && $first == "$second" ]]; then
  echo "repeats: bit-identical ($first)" >> "$table"
else
  echo "repeats: DIFFER ($first, $second)" >> "$table"
fi

echo "The last column is the share of the card's own 8192³ bf16 product, measured in the same run."
cat "$table"
