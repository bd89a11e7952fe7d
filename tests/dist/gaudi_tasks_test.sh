#!/usr/bin/env bash
# Commands on a Gaudi beside the same on the CPU, by way of the stand-in for the vendor's library
# (tests/gaudi/standin): pre-training of packed rows, a run that is continued, SQuAD, classification and
# tagging with their predictions, and the commands that predict alone.
source "$(dirname "$0")/common.sh"
export BERTHA_LIBSYNAPSE=$(dirname "$bertha")/synapse_standin/libSynapse.so
export BERTHA_GAUDI_RECIPES=0 BERTHA_STANDIN_DELAY_US=20
fixtures=$here/../tasks/fixtures/squad

# A run in two parts has the bits of a run in one.
steps=(--max_steps=100 --num_steps_per_checkpoint=3)
pretrain 1 whole --device=gaudi "${steps[@]}" --steps_this_run=6 || die "pre-training failed"
pretrain 1 parts --device=gaudi "${steps[@]}" --steps_this_run=3 || die "the first part failed"
pretrain 1 parts --device=gaudi "${steps[@]}" --steps_this_run=6 || die "the second part failed"
"$tiny_job" same "$work/whole/ckpt_6.pt" "$work/parts/ckpt_6.pt" || die "two parts gave other bits"
grep -q "dropout's masks from the host" "$work/whole.log" || die "the log does not name who draws masks"

# Rows of several sequences.
"$bertha" prepare pack --input-dir="$work/data" --output-dir="$work/packed" --max-sequence-length=64 \
  --max-predictions-per-sequence=15 --quiet > "$work/pack.log" 2>&1 || die "packing failed"
for device in cpu gaudi; do
  pretrain 1 "packed_$device" --device=$device "${steps[@]}" --steps_this_run=3 \
    --input_dir="$work/packed" --max_seq_length=64 --max_predictions_per_seq=15 ||
    die "packed rows on $device failed"
done
"$tiny_job" close "$work/packed_cpu/losses.tsv" "$work/packed_gaudi/losses.tsv" 1e-4 ||
  die "losses of packed rows are not those of the CPU"

# Fine-tuning: equal losses and equal predictions.
"$tiny_job" encoder "$work/encoder" "$fixtures/vocab.txt"
common=(--init_checkpoint="$work/encoder" --vocab_file="$fixtures/vocab.txt" --learning_rate=5e-3
  --disable_progress_bar)
printf 'sentence\tlabel\n' > "$work/train.tsv"
for i in $(seq 16); do
  printf 'the %s of the city\t%s\n' "$([[ $((i % 2)) -eq 0 ]] && echo river || echo team $i)" \
    $((i % 2)) >> "$work/train.tsv"
  printf 'the O\nriver B-LOC\nof O\ncity B-LOC\n\n' >> "$work/train.conll"
done
for device in cpu gaudi; do
  "$bertha" squad --device=$device --do_train --do_predict --do_lower_case \
    --train_file="$fixtures/small.json" --predict_file="$fixtures/small.json" \
    --config_file="$work/encoder/config.json" --output_dir="$work/squad_$device" \
    --max_seq_length=64 --doc_stride=24 --max_query_length=16 --train_batch_size=8 \
    --predict_batch_size=5 --num_train_epochs=1 --use_fused_adam "${common[@]}" \
    > "$work/squad_$device.log" 2>&1 || die "SQuAD on $device failed"
  "$bertha" classify --device=$device --train_file="$work/train.tsv" \
    --predict_file="$work/train.tsv" --output_dir="$work/classify_$device" --max_seq_length=32 \
    --train_batch_size=6 --num_train_epochs=1 "${common[@]}" \
    > "$work/classify_$device.log" 2>&1 || die "classification on $device failed"
  "$bertha" tag --device=$device --train_file="$work/train.conll" \
    --predict_file="$work/train.conll" --output_dir="$work/tag_$device" --max_seq_length=32 \
    --train_batch_size=6 --predict_batch_size=3 --num_train_epochs=1 "${common[@]}" \
    > "$work/tag_$device.log" 2>&1 || die "tagging on $device failed"
done
for task in squad classify tag; do
  "$tiny_job" close "$work/${task}_cpu/losses.tsv" "$work/${task}_gaudi/losses.tsv" 1e-4 ||
    die "$task: losses are not those of the CPU"
done
same_text() { cmp -s "$work/$1" "$work/$2" || die "$2 is not $1"; }
same_text squad_cpu/predictions.json squad_gaudi/predictions.json
same_text tag_cpu/predictions.conll tag_gaudi/predictions.conll

# The commands that predict alone, on one model.
for device in cpu gaudi; do
  "$bertha" ask --device=$device --checkpoint="$work/squad_cpu" --passage='the river of the city' \
    --question='where ?' > "$work/ask_$device.txt" 2> "$work/ask_$device.log" || die "ask on $device failed"
  printf 'the river\na city\n' | "$bertha" embed --device=$device --checkpoint="$work/encoder" \
    > "$work/embed_$device.txt" 2> "$work/embed_$device.log" || die "embed on $device failed"
done
same_text ask_cpu.txt ask_gaudi.txt

# What a Gaudi has no products for is refused by name, and nothing is written.
status=0
pretrain 1 fp8 --device=gaudi --precision=fp8 "${steps[@]}" --steps_this_run=1 || status=$?
[[ $status -eq 1 ]] || die "fp8: status $status in place of 1"
grep -qE 'error: --precision fp8: .* use --precision bf16 or fp32' "$work/fp8.log" || die "fp8: no such line"
status=0
"$bertha" embed --device=gaudi --precision=int8 --checkpoint="$work/encoder" <<< 'the river' \
  > "$work/int8.log" 2>&1 || status=$?
[[ $status -eq 1 ]] || die "int8: status $status in place of 1"
grep -qE 'error: --precision int8: .* use --precision bf16 or fp32' "$work/int8.log" || die "int8: no such line"
