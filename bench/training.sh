#!/bin/bash
# Pre-training steps of bertha beside PyTorch + transformers, in turn, on the same lengths and
# threads: phase 1 and phase 2, full rows and real lengths, fp32 and bf16. One table.
#
#   bench/training.sh TRAINING_BENCH [PYTHON]
#
# Environment: STEPS (5), WARMUP (1), THREADS (all), BATCH128 (16), BATCH512 (4), CONFIG (BERT-Base),
# SHARDS128 and SHARDS512 (folders of shards; without them lengths are drawn), PRECISIONS ("fp32 bf16"),
# TORCH_MODE ("eager", or "compile" for torch.compile).
set -euo pipefail
bench=${1:?usage: bench/training.sh TRAINING_BENCH [PYTHON]}
python=${2:-python3}
here=$(cd "$(dirname "$0")" && pwd)
steps=${STEPS:-5}
warmup=${WARMUP:-1}
threads=${THREADS:-$(nproc)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=$threads

field() { "$python" -c 'import json,sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }

printf '%-6s %-5s %-5s %12s %12s %7s %9s\n' length rows type 'bertha tok/s' 'torch tok/s' ratio 'FMA share'
for precision in ${PRECISIONS:-fp32 bf16}; do
  for length in 128 512; do
    batch_name=BATCH$length
    batch=${!batch_name:-$((2048 / length))}
    shards_name=SHARDS$length
    shards=${!shards_name:-}
    for rows in full real; do
      ours=(--length "$length" --batch "$batch" --precision "$precision" --steps "$steps"
            --warmup "$warmup" --save-lengths "$work/lengths.json" ${CONFIG:+--config "$CONFIG"})
      if [[ $rows == real && -n $shards ]]; then
        ours+=(--shards "$shards")
      else
        ours+=(--lengths "$rows")
      fi
      bertha=$("$bench" "${ours[@]}")
      # Padding to the longest row of a micro-batch is PyTorch's best setting.
      torch=$("$python" "$here/pytorch/bert_training.py" --length "$length" --batch "$batch" \
        --precision "$precision" --steps "$steps" --warmup "$warmup" --threads "$threads" \
        --lengths "$work/lengths.json" --padding longest --mode "${TORCH_MODE:-eager}" ${CONFIG:+--model "$CONFIG"} 2> "$work/errors") ||
        { cat "$work/errors" >&2; exit 1; }
      a=$(field "$bertha" tokens_per_s)
      b=$(field "$torch" tokens_per_s)
      share=$(field "$bertha" share_of_ceiling)
      awk -v l="$length" -v r="$rows" -v p="$precision" -v a="$a" -v b="$b" -v s="$share" \
        'BEGIN { printf "%-6s %-5s %-5s %12.1f %12.1f %7.2f %8.1f%%\n", l, r, p, a, b, a / b, 100 * s }'
    done
  done
done
