#!/usr/bin/env bash
# Fine-tuning of a classifier: under --deterministic two ranks with ZeRO-1 give the model and the
# predictions of one rank, byte for byte.
source "$(dirname "$0")/common.sh"
fixtures=$here/../tasks/fixtures/squad
"$tiny_job" encoder "$work/start" "$fixtures/vocab.txt"

printf 'sentence\tlabel\n' > "$work/train.tsv"
for i in $(seq 16); do
  printf 'the %s of the city\t%s\n' "$([[ $((i % 2)) -eq 0 ]] && echo river || echo team $i)" \
    $((i % 2)) >> "$work/train.tsv"
done

# classify RANKS OUTPUT [options…]: 8 texts an update over all ranks, into $work/OUTPUT.
classify() {
  local ranks=$1 output=$2 launcher=()
  shift 2
  [[ $ranks -eq 1 ]] || launcher=("$here/on_ranks.sh" "$ranks")
  "${launcher[@]}" "$bertha" classify --train_file="$work/train.tsv" \
    --eval_file="$work/train.tsv" --predict_file="$work/train.tsv" \
    --init_checkpoint="$work/start" --vocab_file="$fixtures/vocab.txt" \
    --output_dir="$work/$output" --max_seq_length=32 --train_batch_size=$((8 / ranks)) \
    --learning_rate=5e-3 --num_train_epochs=4 --weight-check-interval=3 \
    --num_steps_per_checkpoint=3 --disable-progress-bar "$@" >> "$work/$output.log" 2>&1
}

classify 1 one --deterministic || die "one rank failed"
classify 2 zero --deterministic --use_zero_optimizer=true || die "two ranks with ZeRO-1 failed"
for name in model.safetensors predictions.tsv losses.tsv; do
  cmp -s "$work/one/$name" "$work/zero/$name" || die "$name of two ranks is not that of one"
done
if cmp -s "$work/one/model.safetensors" "$work/start/model.safetensors"; then
  die "the weights did not change"
fi
