#!/usr/bin/env bash
# `bertha serve` beside its peers on this machine, with texts of 16, 128 and 384 tokens on all-MiniLM-L6-v2 and on
# a BERT-Base of random weights: FastAPI servers with ONNX Runtime, OpenVINO (fp32 and bf16) and fastembed, one
# server at a time, all measured by `bertha load`, which shares the processor with each of them.
#
#   bench/serve.sh BERTHA DATA [PYTHON]
#
# PYTHON (python3) has the packages of bench/serve_peers/requirements.txt. DATA is the folder of real data.
# Environment: FOLDER for models, bodies and results (a temporary one), ROUNDS (3), MODELS ("minilm base"), ENGINES
# (all), PLAN (full for minilm, short for base), THREADS (all). Results are appended to FOLDER/results.jsonl, so
# rounds may be run apart: ROUNDS="2" FIRST_ROUND=2.
set -euo pipefail
bertha=${1:?usage: bench/serve.sh BERTHA DATA [PYTHON]}
data=${2:?usage: bench/serve.sh BERTHA DATA [PYTHON]}
python=${3:-python3}
here=$(cd "$(dirname "$0")" && pwd)/serve_peers
first=${FIRST_ROUND:-1}
rounds=${ROUNDS:-3}
if [[ -z ${FOLDER:-} ]]; then
  FOLDER=$(mktemp -d)
  trap 'rm -rf "$FOLDER"' EXIT
fi
export OMP_NUM_THREADS=${THREADS:-$(nproc)} HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1

[[ -e $FOLDER/bodies_384.jsonl ]] || "$python" "$here/make_inputs.py" "$data" "$FOLDER"
for model in minilm base; do
  [[ -e $FOLDER/$model/model.onnx ]] || "$bertha" convert "$FOLDER/$model" "$FOLDER/$model/model.onnx"
done
ulimit -n 8192
for ((round = first; round < first + rounds; ++round)); do
  for model in ${MODELS:-minilm base}; do
    plan=${PLAN:-$([[ $model == base ]] && echo short || echo full)}
    read -ra engines <<< "${ENGINES:-bertha-fp32 bertha-bf16 onnxruntime openvino-fp32 openvino-bf16 fastembed}"
    "$python" "$here/measure.py" "$bertha" "$FOLDER" "$model" "$FOLDER/results.jsonl" --plan "$plan" \
      --round "$round" --engines "${engines[@]}"
  done
done
"$python" "$here/table.py" "$FOLDER/results.jsonl"
