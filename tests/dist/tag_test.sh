#!/usr/bin/env bash
# Fine-tuning of a classifier of words: under --deterministic two ranks give the model and the
# predictions of one rank, byte for byte, although their parts have different numbers of labels.
source "$(dirname "$0")/common.sh"
fixtures=$here/../tasks/fixtures/squad
"$tiny_job" encoder "$work/start" "$fixtures/vocab.txt"

for i in $(seq 16); do
  printf 'the O\nriver B-LOC\n'
  for ((j = 0; j < i % 4; ++j)); do printf 'of O\nthe O\n'; done
  printf 'city B-LOC\n\n'
done > "$work/train.conll"

# tag RANKS OUTPUT: 8 windows an update over all ranks, into $work/OUTPUT.
tag() {
  local ranks=$1 output=$2 launcher=()
  [[ $ranks -eq 1 ]] || launcher=("$here/on_ranks.sh" "$ranks")
  "${launcher[@]}" "$bertha" tag --train_file="$work/train.conll" \
    --eval_file="$work/train.conll" --predict_file="$work/train.conll" \
    --init_checkpoint="$work/start" --vocab_file="$fixtures/vocab.txt" \
    --output_dir="$work/$output" --max_seq_length=32 --train_batch_size=$((8 / ranks)) \
    --predict_batch_size=3 --learning_rate=5e-3 --num_train_epochs=4 --weight-check-interval=3 \
    --disable-progress-bar --deterministic >> "$work/$output.log" 2>&1
}

tag 1 one || die "one rank failed"
tag 2 two || die "two ranks failed"
for name in model.safetensors predictions.conll losses.tsv; do
  cmp -s "$work/one/$name" "$work/two/$name" || die "$name of two ranks is not that of one"
done
if cmp -s "$work/one/model.safetensors" "$work/start/model.safetensors"; then
  die "the weights did not change"
fi
