#!/usr/bin/env bash
# Fine-tuning and prediction on several ranks. Under --deterministic the model and the predictions
# are those of one rank, byte for byte, with and without ZeRO-1, also after a run that was stopped.
# Without it the losses agree when there is no dropout, which then depends on the parts.
source "$(dirname "$0")/common.sh"
fixtures=$here/../tasks/fixtures/squad
"$tiny_job" encoder "$work/start" "$fixtures/vocab.txt"

# squad RANKS OUTPUT [options…]: 8 windows a micro-batch over all ranks, into $work/OUTPUT.
squad() {
  local ranks=$1 output=$2 launcher=()
  shift 2
  [[ $ranks -eq 1 ]] || launcher=("$here/on_ranks.sh" "$ranks")
  "${launcher[@]}" "$bertha" squad --do_train --do_predict --do_eval --do_lower_case \
    --train_file="$fixtures/small.json" --predict_file="$fixtures/small.json" \
    --init_checkpoint="$work/start" --config_file="$work/start/config.json" \
    --vocab_file="$fixtures/vocab.txt" --output_dir="$work/$output" \
    --json-summary="$work/$output/dllogger.json" --max_seq_length=64 --doc_stride=24 \
    --max_query_length=16 --train_batch_size=$((16 / ranks)) --gradient_accumulation_steps=2 \
    --predict_batch_size=5 --learning_rate=5e-3 --num_train_epochs=3 --use_fused_adam --log_freq=1 \
    --weight-check-interval=5 --eval_steps=10 --disable_progress_bar "$@" \
    >> "$work/$output.log" 2>&1
}

# same A B: what both wrote for users is equal.
same() {
  for name in model.safetensors predictions.json nbest_predictions.json losses.tsv; do
    cmp -s "$work/$1/$name" "$work/$2/$name" || die "$name of $2 is not that of $1"
  done
}

squad 1 one --deterministic || die "one rank failed"
squad 2 two --deterministic || die "two ranks failed"
same one two

# ZeRO-1 partitions the moments and the update. BertAdam's clipping needs norms of whole parameters.
squad 2 two_zero --deterministic --use_zero_optimizer=true || die "two ranks with ZeRO-1 failed"
same one two_zero
squad 2 free_zero --use_zero_optimizer=true || die "two ranks with ZeRO-1 failed"
squad 2 free_whole || die "two ranks failed"
same free_whole free_zero
squad 1 each --deterministic --per_param_grad_clipping --adam-bias-correction ||
  die "one rank with clipping by parameter failed"
squad 4 each_zero --deterministic --per_param_grad_clipping --adam-bias-correction \
  --use_zero_optimizer=true || die "four ranks with ZeRO-1 and clipping by parameter failed"
same each each_zero

squad 1 free --no-dropout || die "one rank failed"
squad 2 free_2 --no-dropout || die "two ranks failed"
"$tiny_job" close "$work/free/losses.tsv" "$work/free_2/losses.tsv" 1e-3 ||
  die "losses of two ranks are not those of one"
if cmp -s "$work/free/model.safetensors" "$work/start/model.safetensors"; then
  die "nothing was learnt"
fi

# Two ranks with ZeRO-1, of which one gets a signal; one rank without ZeRO-1 continues.
squad 2 stopped --deterministic --use_zero_optimizer=true &
job=$!
for _ in $(seq 300); do
  [[ -f $work/stopped/losses.tsv && $(wc -l < "$work/stopped/losses.tsv") -gt 2 ]] && break
  sleep 0.02
done
kill -TERM "$(pgrep -f "^$bertha squad .*--output_dir=$work/stopped" | tail -n 1)" || true
status=0
wait "$job" || status=$?
[[ $status -eq 75 || $status -eq 0 ]] || die "stopped ranks ended with $status"
if [[ $status -eq 75 ]]; then
  [[ -f $work/stopped/fine_tuning.pt ]] || die "a stopped run left no state"
  squad 1 stopped --deterministic || die "going on with one rank failed"
fi
same one stopped
