#!/usr/bin/env bash
# Makes a vocabulary, the config of a small model, and shards of this project's documentation, for runs
# that compare devices and arithmetics.
#
#   bench/small_shards.sh BERTHA FOLDER [TEXT…]
#
# FOLDER gets vocab.txt, small.json and shards/. Texts, which replace the documentation, have one sentence
# per line and a blank line between documents.
set -euo pipefail

bertha=$(realpath "$1")
mkdir -p "$2/shards"
data=$(realpath "$2")
shift 2
texts=()
for text in "$@"; do texts+=("$(realpath "$text")"); done
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Sentences of the documentation: prose only, one file per document.
if [[ ${#texts[@]} -eq 0 ]]; then
  for page in README.md CONTRIBUTING.md docs/*/*.md; do
    sed -E '/^```/,/^```/d; /^[#|<>-]/d; s/[][`*]//g; s/([.:;]) +/\1\n/g' "$page" | grep -E '[a-z]{3}.* ' || true
    echo
  done > "$data/text.txt"
  texts=("$data/text.txt")
fi
"$bertha" vocab --vocab_size=2000 --do_lower_case --output_file="$data/vocab.txt" "${texts[@]}" >&2
cat > "$data/small.json" << JSON
{"vocab_size": $(wc -l < "$data/vocab.txt"), "hidden_size": 256, "num_hidden_layers": 4,
 "num_attention_heads": 4, "intermediate_size": 1024, "max_position_embeddings": 512,
 "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
 "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02}
JSON
"$bertha" prepare instances --input_file="$(IFS=,; echo "${texts[*]}")" \
  --output_file="$data/shards/training_0.hdf5" --vocab_file="$data/vocab.txt" --do_lower_case \
  --max_seq_length=128 --max_predictions_per_seq=20 --masked_lm_prob=0.15 --random_seed=12345 \
  --dupe_factor=20 >&2
