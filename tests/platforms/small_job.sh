#!/bin/sh
# small_job.sh BERTHA RANKS [LAUNCHER…]: what a new user does first, in seconds: a vocabulary, word pieces,
# instances, pre-training on 1, 2 or 4 ranks. The last line has the final loss, which is the same for each
# number of ranks. It runs in bare systems, hence with sh and Debian's essential packages alone.
set -eu
bertha=$1
ranks=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Containers rarely let one process read the memory of another.
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_btl_smsc_base_verbose=0

"$bertha" --version | head -n 1
mkdir "$work/text" "$work/data"
line=0
while [ $line -lt 400 ]; do
  line=$((line + 1))
  echo "the reader of line $line sees a quick brown fox jump over lazy dog number $((line % 7))"
  [ $((line % 10)) -ne 0 ] || echo
done > "$work/text/small_training_0.txt"
"$bertha" vocab --vocab_size=120 --do_lower_case --output_file="$work/vocab.txt" "$work/text/small_training_0.txt" 2> /dev/null
echo "The quick reader sees a fox" |
  "$bertha" tokenize --vocab_file="$work/vocab.txt" --do_lower_case > "$work/pieces"
grep -q fox "$work/pieces"
"$bertha" prepare instances --input_file="$work/text" --output_file="$work/data" \
  --vocab_file="$work/vocab.txt" --do_lower_case --max_seq_length=32 --max_predictions_per_seq=5 \
  --masked_lm_prob=0.15 --random_seed=1 --dupe_factor=1 > /dev/null
cat > "$work/config.json" << JSON
{"vocab_size": $(wc -l < "$work/vocab.txt"), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
 "intermediate_size": 64, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
 "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 64, "type_vocab_size": 2,
 "initializer_range": 0.02}
JSON
"$@" "$bertha" pretrain --do_train --config_file="$work/config.json" --input_dir="$work/data" \
  --output_dir="$work/out" --json-summary="$work/out/dllogger.json" --train_batch_size=$((16 / ranks)) \
  --gradient_accumulation_steps=$((4 / ranks)) --deterministic --max_seq_length=32 --max_predictions_per_seq=5 --max_steps=6 \
  --enable_packed_data_mode=False --learning_rate=0.002 --warmup_proportion=0.1 \
  --num_steps_per_checkpoint=6 --disable_progress_bar > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
[ -s "$work/out/ckpt_6.pt" ] || { cat "$work/log"; echo "small_job.sh: no checkpoint"; exit 1; }
echo "small job: $(grep -o 'final_loss : [0-9.]*' "$work/log" | tail -n 1)"
