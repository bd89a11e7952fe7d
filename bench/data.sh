#!/usr/bin/env bash
# The way from a dump to shards beside its peers: CPU seconds of one thread each, run one after the
# other, and peak memory on the dump once and four times over. The best of three runs counts. A dump
# of 10 MB takes five minutes.
#
#   bench/data.sh DUMP.xml VOCAB.txt [PYTHON [RECIPE]]
#
# DUMP.xml is plain XML; PYTHON has wikiextractor and tokenizers installed, for RECIPE what
# it imports too; RECIPE is the folder of its create_pretraining_data.py. What is not given is left
# out of the table. BERTHA names the program (build/release/bertha); tokenizer_bench lies beside it.
set -euo pipefail

[[ $# -ge 2 ]] || { sed -n '5s/^# *//p' "$0" >&2; exit 2; }
readonly bertha=${BERTHA:-build/release/bertha} dump=$1 vocabulary=$2 python=${3:-} recipe=${4:-}
export OMP_NUM_THREADS=1
work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT

# Runs a command, whose output is dropped, and sets seconds, user and system together, and kilobytes.
# Of a short run the kernel knows the sum, but guesses from its ticks how much of it was user time.
run_once() {
  local TIMEFORMAT='%3U %3S'
  { time /usr/bin/time -f %M -o "$work/peak" "$@" > "$work/out" 2> "$work/err"; } 2> "$work/time" ||
    { tail -3 "$work/err" >&2; return 1; }
  seconds=$(awk 'END {print $1 + $2}' "$work/time")
  kilobytes=$(tail -1 "$work/peak")
}

# Sets cpu_s and peak_mb of the best of three runs of a command.
measure() {
  cpu_s=1000000
  peak_mb=0
  for _ in 1 2 3; do
    run_once "$@"
    if awk "BEGIN {exit !($seconds < $cpu_s)}"; then cpu_s=$seconds; fi
    peak_mb=$((kilobytes / 1024 > peak_mb ? kilobytes / 1024 : peak_mb))
  done
}

# row WHAT MEGABYTES: a line of the table from the last two measurements (peer "-": none).
row() {
  awk -v what="$1" -v mb="$2" -v ours="$ours" -v peak="$ours_mb" -v peer="$peer" 'BEGIN {
    printf "%-38s %8.3f s %8.1f MB/s %6d MB", what, ours, mb / ours, peak
    if (peer != "-") printf "   peer %8.2f s %8.2f MB/s   %.1f times", peer, mb / peer, peer / ours
    print ""}'
}

megabytes() { awk "BEGIN {print $(cat "$@" | wc -c) / 1e6}"; }

measure_ours() {
  measure "$bertha" "$@"
  ours=$cpu_s
  ours_mb=$peak_mb
  peer=-
}

measure_peer() {
  measure "$@"
  peer=$cpu_s
}

# The dump's pages $1 times over, as one dump. Without <siteinfo> WikiExtractor would never end.
repeat_dump() {
  sed '/<page>/,$d' "$dump"
  for _ in $(seq "$1"); do
    awk '/<page>/ {on = 1} on {page = page $0 "\n"} /<\/page>/ {printf "%s", page; page = ""; on = 0}' "$dump"
  done
  echo '</mediawiki>'
}

# Seconds of the tokenizer over the articles, then of HF tokenizers ("-": no PYTHON).
tokenizer_seconds() {
  "$(dirname "$bertha")/bench/tokenizer_bench" "$vocabulary" "$work/once.txt" |
    sed 's/:/ /' | awk -v mb="$(megabytes "$work/once.txt")" '{printf "%.4f ", mb / $5}'
  if [[ -z $python ]]; then echo -; return; fi
  RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false "$python" - "$vocabulary" "$work/once.txt" << 'END'
import sys, time
from tokenizers import BertWordPieceTokenizer
tokenizer = BertWordPieceTokenizer(sys.argv[1])
lines = open(sys.argv[2], encoding="utf-8").read().split("\n")
best = 1e9
for _ in range(3):
    start = time.process_time()
    for at in range(0, len(lines), 64):
        tokenizer.encode_batch(lines[at:at + 64], add_special_tokens=False)
    best = min(best, time.process_time() - start)
print(best)
END
}

repeat_dump 1 > "$work/once.xml"
repeat_dump 4 > "$work/four.xml"
for size in once four; do
  measure_ours prepare extract "$work/$size.xml" --output_dir "$work/$size" --threads 1
  if [[ -n $python ]]; then
    measure_peer "$python" -m wikiextractor.WikiExtractor "$work/$size.xml" -o "$work/peer" \
      --processes 1 -q --no-templates
  fi
  row "extract ($size)" "$(megabytes "$work/$size.xml")"
done

for size in once four; do
  "$bertha" prepare format --input_dir "$work/$size" --output_file "$work/$size.txt" > /dev/null
  measure_ours prepare shard --input_files "$work/$size.txt" --output_dir "$work/$size.shards" \
    --n_training_shards 2 --n_test_shards 1 --threads 1
  row "sentences and shards ($size)" "$(megabytes "$work/$size.txt")"
done

# The tokenizer measures itself, its start apart; so does the peer, fed the same lines in batches.
read -r ours peer < <(tokenizer_seconds)
ours_mb=0
row "tokenizer, its start apart" "$(megabytes "$work/once.txt")"

for phase in '128 20' '512 80'; do
  read -r length predictions <<< "$phase"
  options=(--vocab_file "$vocabulary" --max_seq_length "$length"
    --max_predictions_per_seq "$predictions" --dupe_factor 5)
  for size in once four; do
    input=$work/$size.shards/wikicorpus_en_training_0.txt
    measure_ours prepare instances --input_file "$input" --output_file "$work/one.hdf5" \
      "${options[@]}" --threads 1 --overwrite
    if [[ -n $recipe ]]; then
      measure_peer env -C "$recipe" "$python" create_pretraining_data.py --input_file "$input" \
        --output_file "$work/recipe.hdf5" --bert_model bert-large-uncased --do_lower_case \
        --masked_lm_prob 0.15 --random_seed 12345 "${options[@]}"
    fi
    row "instances of $length, a shard ($size)" "$(megabytes "$input")"
  done
  "$bertha" prepare instances --input_file "$work/once.shards" --output_file "$work/h$length" \
    "${options[@]}" --threads 1 > /dev/null 2>&1
  measure_ours prepare pack --input_dir "$work/h$length" --output_dir "$work/p$length" \
    --max_sequence_length "$length" --max_predictions_per_sequence "$predictions" --threads 1 \
    --overwrite
  row "pack, of $length" "$(megabytes "$work"/once.shards/*.txt)"
done

for size in once four; do
  rm -rf "$work/all"
  mkdir -p "$work/all/download/wikicorpus_en"
  ln "$work/$size.xml" "$work/all/download/wikicorpus_en/wikicorpus_en.xml"
  all=(prepare --working_dir "$work/all" --vocab_file "$vocabulary" --n_training_shards 8
    --n_test_shards 2 --threads 1 --stream)
  # Once: a second run would find everything done.
  run_once "$bertha" "${all[@]}"
  ours=$seconds
  ours_mb=$((kilobytes / 1024))
  peer=-
  row "XML to both phases, packed ($size)" "$(megabytes "$work/$size.xml")"
done
