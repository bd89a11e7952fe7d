#!/usr/bin/env bash
# ./run demo: trains a small BERT from real English text, in demo/. A stage is skipped when its output
# exists; remove demo/ to start again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly bertha=build/release/bertha
readonly text=demo/sharded/bible        # one verse per line, a blank line between chapters
readonly training_shards=8
readonly vocab=demo/vocab.txt
readonly config=demo/bert_config.json
readonly results=demo/results
readonly questions=scripts/demo_questions.json
readonly answers=demo/answers
readonly question="What was the name of the champion?"
readonly passage="And there went out a champion out of the camp of the Philistines, named Goliath, of Gath, whose \
height was six cubits and a span. And he had an helmet of brass upon his head, and he was armed with \
a coat of mail; and the weight of the coat was five thousand shekels of brass. And he had greaves of \
brass upon his legs, and a target of brass between his shoulders. And the staff of his spear was \
like a weaver's beam; and his spear's head weighed six hundred shekels of iron: and one bearing a \
shield went before him. And he stood and cried unto the armies of Israel, and said unto them, Why \
are ye come out to set your battle in array? am not I a Philistine, and ye servants to Saul? choose \
you a man for you, and let him come down to me."

# All sizes are reduced, for ten minutes on two cores: the model, its vocabulary, and rows of 64 and 128
# tokens for the two phases instead of 128 and 512. The initial weights have a larger deviation than
# 0.02, which suits hidden sizes near 1000: with 0.02, so small a model would need many steps to learn
# more than word frequencies.
readonly pieces=2500
readonly layers=2 hidden=192 heads=3 initializer_range=0.05
readonly phase1_steps=${DEMO_PHASE1_STEPS:-1200}
readonly phase2_steps=${DEMO_PHASE2_STEPS:-400}

say() { printf '\n[%s] %s\n' "$1" "$2"; }

hdf5_folder() {  # LENGTH MAX_PREDICTIONS
  echo "demo/hdf5_lower_case_1_seq_len_$1_max_pred_$2_masked_lm_prob_0.15_random_seed_12345_dupe_factor_5/bible"
}

# Every 20th chapter is held out; the others are distributed round-robin over the training shards.
write_shards() {
  local aside=demo/sharded/aside
  rm -rf "$aside"
  mkdir -p "$aside"
  bible -f gen1:1-rev22:21 | awk -v folder="$aside" -v shards="$training_shards" '
    {
      chapter = $1
      sub(/:.*/, "", chapter)
      if (chapter != last) {
        if (last != "") print "" > file
        number++
        file = folder "/bible_" (number % 20 == 0 ? "test_0" : "training_" number % shards) ".txt"
        last = chapter
      }
      sub(/^[^ ]+ /, "")
      print > file
    }'
  mv "$aside" "$text"
}

write_config() {
  cat > "$config" << JSON
{
  "vocab_size": $(wc -l < "$vocab"),
  "hidden_size": $hidden,
  "num_hidden_layers": $layers,
  "num_attention_heads": $heads,
  "intermediate_size": $((4 * hidden)),
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.0,
  "attention_probs_dropout_prob": 0.0,
  "max_position_embeddings": 512,
  "type_vocab_size": 2,
  "initializer_range": $initializer_range
}
JSON
}

# Training and held-out shards of one length are in one folder; their names differ.
instances() {  # LENGTH MAX_PREDICTIONS
  local folder
  folder=$(hdf5_folder "$1" "$2")
  mkdir -p "$folder"
  [[ $(count "$folder" hdf5) -eq $(count "$text" txt) ]] || "$bertha" prepare instances \
    --input-file="$text" --output-file="$folder" --vocab-file="$vocab" --do-lower-case \
    --max-seq-length="$1" --max-predictions-per-seq="$2" --masked-lm-prob=0.15 \
    --random-seed=12345 --dupe-factor=5
}

count() {  # FOLDER EXTENSION
  find "$1" -name "*.$2" | wc -l
}

pretrain() {  # LENGTH MAX_PREDICTIONS, then the options of the phase
  local length=$1 predictions=$2
  shift 2
  local folder
  folder=$(hdf5_folder "$length" "$predictions")
  "$bertha" pretrain --do-train --bert-model=demo --config-file="$config" \
    --input-dir="$folder" --eval-dir="$folder" --eval-interval=250 --output-dir="$results" \
    --json-summary="$results/dllogger.json" --tensorboard-logdir="$results/tensorboard" \
    --autocast --optimizer=adamw --enable-packed-data-mode=False --log-freq=50 \
    --max-seq-length="$length" --max-predictions-per-seq="$predictions" \
    --num-steps-per-checkpoint=500 "$@"
}

# Starts a server, asks it the question, and ends it. A unix socket needs no free port.
serve_one_question() {
  if ! command -v curl > /dev/null; then
    echo "curl is not installed, so nothing asks the server; the last lines say how to start it"
    return 0
  fi
  local folder server
  folder=$(mktemp -d)
  local ask=(curl --silent --show-error --fail --unix-socket "$folder/socket")
  "$bertha" serve --model qa="$answers" --unix "$folder/socket" --drain-delay-s 0 2> "$folder/log" &
  server=$!
  # shellcheck disable=SC2064
  trap "kill $server 2> /dev/null || true; rm -rf '$folder'" EXIT
  until "${ask[@]}" http://localhost/health 2> /dev/null; do
    kill -0 "$server" 2> /dev/null || { cat "$folder/log" >&2; return 1; }
    sleep 0.1
  done
  # Windows as in the fine-tuning: the model has seen no longer ones.
  local body="{\"question\": \"$question\", \"passage\": \"$passage\", \"windows\": {\"tokens\": 128, \"step\": 48}}"
  echo "POST /v1/answer $body"
  "${ask[@]}" --header 'Content-Type: application/json' --data "$body" http://localhost/v1/answer
  echo
  kill "$server"
  wait "$server"
}

mkdir -p demo/sharded

say "1/8 text" "the King James Bible (Debian package bible-kjv) as shards: 1,189 chapters are the documents"
[[ -d $text ]] || write_shards

say "2/8 vocabulary" "$pieces word pieces trained on the training shards"
[[ -e $vocab ]] || "$bertha" vocab --vocab-size="$pieces" --do-lower-case --output-file="$vocab" \
  "$text"/bible_training_*.txt
write_config

say "3/8 instances" "masked words and next-sentence pairs for lengths 64 and 128"
instances 64 10
instances 128 20

say "4/8 phase 1" "$phase1_steps steps at length 64, L=$layers H=$hidden A=$heads"
[[ -e $results/ckpt_$phase1_steps.pt ]] || pretrain 64 10 --train-batch-size=64 \
  --gradient-accumulation-steps=1 --max-steps="$phase1_steps" --warmup-proportion=0.1 \
  --learning-rate=0.002

readonly last=$results/ckpt_$((phase1_steps + phase2_steps)).pt
say "5/8 phase 2" "$phase2_steps steps at length 128, from phase 1's checkpoint"
[[ -e $last ]] || pretrain 128 20 --train-batch-size=32 --gradient-accumulation-steps=1 \
  --max-steps="$phase2_steps" --warmup-proportion=0.1 --learning-rate=0.002 \
  --resume-from-checkpoint --phase1-end-step="$phase1_steps" --phase2

say "6/8 fill" "which word does [MASK] stand for?"
for sentence in "And the LORD spake unto [MASK], saying," \
  "And it came to [MASK], when the king heard it,"; do
  "$bertha" fill --init-checkpoint="$last" --config-file="$config" --vocab-file="$vocab" \
    --do-lower-case "$sentence"
done

# The model memorizes so few questions: this shows the steps from pre-training to answers, not quality.
# The schedule counts questions as the reference does (7 batches per epoch), while the windows make 23.
say "7/8 questions" "57 questions about 12 passages: fine-tune, score on the same, ask one"
[[ -e $answers/model.safetensors ]] || "$bertha" squad --do-train --do-predict --do-eval \
  --train-file="$questions" --predict-file="$questions" --init-checkpoint="$last" \
  --config-file="$config" --vocab-file="$vocab" --do-lower-case --output-dir="$answers" \
  --json-summary="$answers/dllogger.json" --autocast --use-fused-adam --train-batch-size=8 \
  --max-seq-length=128 --doc-stride=48 --num-train-epochs=240 --max-steps=1680 \
  --learning-rate=0.001 --log-freq=50
"$bertha" ask --init-checkpoint="$answers" --max-seq-length=128 --question="$question" \
  --passage="$passage"

say "8/8 server" "the model at work: one question over HTTP"
serve_one_question

cat << TEXT

  checkpoint  $last
  questions   $answers
  log         $results/dllogger.json  (TensorBoard: $results/tensorboard)
  loss        $results/loss.svg
  server      $bertha serve --model qa=$answers
              then the page at http://127.0.0.1:8080/ (--port chooses another port)
TEXT
