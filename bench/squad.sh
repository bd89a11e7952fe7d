#!/bin/bash
# Question answering of bertha beside its peers, prediction and fine-tuning, in turn and on the same
# windows and threads: PyTorch as the recipe runs it (fp32, padded to 384), PyTorch at its best
# (bf16, sorted, padded to the longest), ONNX Runtime. One table; ratios are bertha's speed over the
# peer's.
#
#   bench/squad.sh SQUAD_BENCH [PYTHON]
#
# Environment: THREADS (all), MODELS ("minilm base"), WORKS ("predict train onnx"), LENGTHS (a JSON
# list; without it 48 windows with the lengths of SQuAD 1.1 dev, at its 48 quantiles), ONNX_FULL (16
# windows of 384 in batches of 8), ONNX_SINGLE (20 times one of 128).
set -euo pipefail
bench=${1:?usage: bench/squad.sh SQUAD_BENCH [PYTHON]}
python=${2:-python3}
here=$(cd "$(dirname "$0")" && pwd)
threads=${THREADS:-$(nproc)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=$threads

lengths=${LENGTHS:-$work/lengths.json}
[[ -n ${LENGTHS:-} ]] || cat > "$lengths" << 'END'
[294, 141, 317, 127, 114, 207, 89, 139, 151, 202, 198, 363, 242, 172, 132, 224, 218, 134, 156, 146,
 154, 159, 182, 194, 130, 100, 149, 277, 169, 163, 384, 254, 55, 175, 232, 76, 265, 118, 136, 166,
 185, 179, 189, 121, 144, 108, 212, 124]
END

field() { "$python" -c 'import json,sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }

# sizes NAME HIDDEN LAYERS HEADS INTERMEDIATE ATTENTION_DROPOUT: a config for both sides.
sizes() {
  printf '{"vocab_size": 30528, "hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
    "intermediate_size": %d, "max_position_embeddings": 512, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": %s}' "${@:2}" > "$work/$1.json"
}
sizes base 768 12 12 3072 0.1
sizes minilm 384 6 12 1536 0.1
sizes base-flash 768 12 12 3072 0
sizes minilm-flash 384 6 12 1536 0

# ours MODEL WORK PRECISION BATCH LENGTHS
ours() {
  "$bench" --config "$work/$1.json" --mode "$2" --precision "$3" --batch "$4" --lengths "$5"
}

# peer MODEL PRECISION BATCH LENGTHS [options…]
peer() {
  local options=(--model "$work/$1.json" --precision "$2" --batch "$3" --lengths "$4" --threads "$threads")
  shift 4
  "$python" "$here/pytorch/question_answering.py" "${options[@]}" "$@" 2> "$work/errors" ||
    { cat "$work/errors" >&2; exit 1; }
}

# row MODEL WORK WINDOWS PRECISION OURS PEER_NAME PEER
row() {
  awk -v m="$1" -v w="$2" -v x="$3" -v p="$4" -v a="$(field "$5" windows_per_s)" -v n="$6" \
    -v b="$(field "$7" windows_per_s)" -v ca="$(field "$5" cpu_seconds)" \
    -v cb="$(field "$7" cpu_seconds)" \
    'BEGIN { printf "%-7s %-8s %-10s %-5s %9.2f  %-22s %9.2f %7.2f %7.2f\n",
             m, w, x, p, a, n, b, a / b, cb / ca }'
}

# The windows of SQuAD, 24 at a time.
compare() {
  local model=$1 doing=$2 train=()
  [[ $doing == predict ]] || train=(--train)
  local fp32 bf16 recipe best
  fp32=$(ours "$model" "$doing" fp32 24 "$lengths")
  bf16=$(ours "$model" "$doing" bf16 24 "$lengths")
  recipe=$(peer "$model" fp32 24 "$lengths" --order file "${train[@]}")
  best=$(peer "$model" bf16 24 "$lengths" --order sorted "${train[@]}")
  row "$model" "$doing" SQuAD fp32 "$fp32" 'PyTorch fp32, padded' "$recipe"
  row "$model" "$doing" SQuAD bf16 "$bf16" 'PyTorch fp32, padded' "$recipe"
  row "$model" "$doing" SQuAD bf16 "$bf16" 'PyTorch bf16, sorted' "$best"
  row "$model" "$doing" SQuAD bf16 "$bf16" 'bertha fp32' "$fp32"
  [[ $doing == train ]] || return 0
  # Without dropout on the attention PyTorch has a far faster one, and bertha less to do too.
  best=$(peer "$model-flash" bf16 24 "$lengths" --order sorted --train)
  row "$model" train 'SQuAD (a)' bf16 "$(ours "$model-flash" train bf16 24 "$lengths")" \
    'PyTorch bf16, sorted' "$best"
}

# repeated LENGTH COUNT: a JSON list.
repeated() { "$python" -c 'import sys; print([int(sys.argv[1])] * int(sys.argv[2]))' "$1" "$2"; }

# Full windows, and one short one at a time.
compare_onnx() {
  local model=$1
  "$bench" --config "$work/$model.json" --write-onnx "$work/model.onnx"
  repeated 384 "${ONNX_FULL:-16}" > "$work/full.json"
  repeated 128 "${ONNX_SINGLE:-20}" > "$work/single.json"
  local batch windows kind runtime
  for kind in 'full 8 8x384' 'single 1 1x128'; do
    read -r kind batch windows <<< "$kind"
    runtime=$(peer "$model" fp32 "$batch" "$work/$kind.json" --order sorted --onnx "$work/model.onnx")
    for precision in fp32 bf16; do
      row "$model" predict "$windows" $precision \
        "$(ours "$model" predict $precision "$batch" "$work/$kind.json")" 'ONNX Runtime fp32' "$runtime"
    done
  done
  rm -f "$work"/model.onnx*
}

printf '%-7s %-8s %-10s %-5s %9s  %-22s %9s %7s %7s\n' \
  model work windows type 'win/s' peer 'win/s' ratio 'by CPU'
for model in ${MODELS:-minilm base}; do
  for doing in ${WORKS:-predict train onnx}; do
    if [[ $doing == onnx ]]; then compare_onnx "$model"; else compare "$model" "$doing"; fi
  done
done
