#!/usr/bin/env bash
# run_guide.sh BERTHA: runs the commands of the guide, page by page, on small data. A block of shell code
# runs as it stands, in a folder that has what the pages name. `bertha` is a wrapper there that makes
# training short; nothing else is replaced. A block that cannot run here has a comment before it:
#   <!-- not run: it needs a network -->
# A block of another language ("```text", "```json") is no command.
set -euo pipefail
program=$(realpath "$1")
guide=$(cd "$(dirname "$0")/../../docs/guide" && pwd)
readonly program guide
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# blocks PAGE FOLDER: each block to run as FOLDER/LINE.sh; prints how many there are.
blocks() {
  awk -v folder="$2" '
    /^ *<!-- not run: .* -->/ { skip = 1; next }
    /^ *```/ {
      if (file != "") { close(file); file = "" }
      else if (open) open = 0
      else if (!skip && ($0 ~ /^ *```(sh)?$/)) { file = folder "/" NR ".sh"; count++ }
      else open = 1
      skip = 0
      next
    }
    file != "" { print > file }
    END { print count + 0 }' "$1"
}

# The program with options that end every training after a few steps of few rows. The last of two
# equal options holds.
make_wrapper() {
  mkdir "$work/bin"
  cat > "$work/bin/bertha" << WRAPPER
#!/usr/bin/env bash
case "\${1:-}" in
  pretrain) set -- "\$@" --train-batch-size=4 --gradient-accumulation-steps=1 --max-steps=4 --eval-batches=2 -q
    [[ " \$* " != *" --phase2 "* ]] || set -- "\$@" --phase1-end-step=4 ;;
  squad) [[ \$2 == score || \$2 == features ]] || set -- "\$@" --train-batch-size=4 --max-seq-length=64 \\
    --max-query-length=16 --doc-stride=16 --num-train-epochs=1 --max-steps=2 -q ;;
  classify | tag) [[ " \$* " != *" --train-file="* ]] || set -- "\$@" --num-train-epochs=1 --max-seq-length=32 -q ;;
esac
exec "$program" "\$@"
WRAPPER
  # A page may filter JSON with jq, which need not be installed.
  command -v jq > /dev/null || printf "#!/bin/sh\nexec cat\n" > "$work/bin/jq"
  chmod +x "$work/bin/"*
  export PATH="$work/bin:$PATH" OMP_NUM_THREADS=2
}

# Chapters of sentences of a few hundred words.
write_book() {  # SEED
  awk -v seed="$1" '
    function draw(n) { seed = (seed * 16807) % 2147483647; return seed % n }
    BEGIN {
      split("the a king queen ship house river man woman night day sea road horse letter city", noun, " ")
      split("saw took found left gave made loved feared called followed", verb, " ")
      for (chapter = 1; chapter <= 12; chapter++) {
        printf "CHAPTER %d\n\n", chapter
        for (i = 0; i < 60; i++) {
          printf "The %s of %s%d %s the %s and the %s. ", noun[3 + draw(14)], noun[3 + draw(14)], draw(30),
            verb[1 + draw(10)], noun[3 + draw(14)], noun[3 + draw(14)]
          if (i % 6 == 5) printf "\n\n"
        }
      }
    }'
}

write_questions() {  # FILE
  cat > "$1" << 'JSON'
{"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "The king saw the ship at night.", "qas": [
{"id": "1", "question": "Who saw the ship?", "answers": [{"text": "The king", "answer_start": 0}]},
{"id": "2", "question": "When?", "answers": [{"text": "at night", "answer_start": 22}]}]}]}]}
JSON
}

write_tables() {
  mkdir SST-2 STS-B v1.1
  printf 'sentence\tlabel\nthe king saw\t1\nthe ship left\t0\nthe house\t1\nthe sea\t0\n' |
    tee SST-2/train.tsv > SST-2/dev.tsv
  printf 'index\tsentence\n0\tthe king\n1\tthe sea\n' > SST-2/test.tsv
  printf 'sentence1\tsentence2\tscore\nthe king\tthe queen\t4.5\nthe sea\tthe road\t1.0\n' |
    tee STS-B/train.tsv > STS-B/dev.tsv
  printf '%s\n' '{"text": "the king", "labels": ["joy", "love"]}' '{"text": "the sea", "labels": []}' |
    tee train.jsonl > dev.jsonl
  printf '{"text": "the queen"}\n' > new.jsonl
  printf 'Ada B-PER\nsaw O\nLondon B-LOC\n\nthe O\nsea O\n' | tee train.conll > dev.conll
  cp dev.conll test.conll
}

write_texts() {
  printf '{"id": 7, "text": "the king saw"}\n' > reviews.jsonl
  printf 'the [MASK] saw the ship\n' | gzip > sentences.gz
  printf 'who saw the ship?\n' > questions.txt
  printf 'The king saw the ship.\n' > article.txt
  printf 'the king saw the ship\nthe night was long\n' | tee texts.txt > lines.txt
  printf '{"1": "The king", "2": "night"}\n' > predictions.json
  write_questions v1.1/train-v1.1.json
  write_questions v1.1/dev-v1.1.json
  cp v1.1/dev-v1.1.json dev-v1.1.json
}

# Models of random weights under the names that the pages use.
write_models() {
  bertha prepare text books --output-dir=made --lengths 64
  bertha pretrain --do-train --size=tiny --vocab-file=made/vocab.txt --input-dir=made/shards_64 --output-dir=first
  cp made/vocab.txt first/bert_config.json .
  mkdir results out
  cp first/ckpt_4.pt results/ckpt_7038.pt
  cp first/ckpt_4.pt out/ckpt_8601.pt
  cp first/ckpt_4.pt ckpt_8601.pt
  for name in bert bert-base-uncased bert-base-cased all-MiniLM-L6-v2; do bertha convert first "$name"; done
  cp bert/model.safetensors mine.pt
  bertha squad --do-train --train-file=v1.1/train-v1.1.json --init-checkpoint=first --output-dir=squad-model
  cp -r squad-model squad-hf
  bertha classify --train-file=SST-2/train.tsv --init-checkpoint=first --output-dir=sentiment
}

make_folder() {
  mkdir "$work/data"
  cd "$work/data"
  mkdir books
  write_book 7 > books/one.txt
  write_book 11 > books/two.txt
  write_tables
  write_texts
  write_models > "$work/made.log" 2>&1 || { cat "$work/made.log" >&2; exit 1; }
}

failures=0
run_page() {
  local page=$1 name folder block count
  name=$(basename "$page" .md)
  folder=$work/$name
  mkdir "$work/$name.blocks"
  count=$(blocks "$page" "$work/$name.blocks")
  [[ $count -gt 0 ]] || return 0
  cp -r "$work/data" "$folder"
  [[ $name != your-text ]] || rm -r "$folder/results"  # the page makes it
  for block in $(find "$work/$name.blocks" -name '*.sh' | sort -V); do
    if ! (cd "$folder" && bash -eu -o pipefail "$block" > "$work/log" 2>&1 < /dev/null); then
      echo "FAILED: $name.md, the block at line $(basename "$block" .sh):" >&2
      cat "$block" >&2
      tail -n 5 "$work/log" >&2
      failures=$((failures + 1))
    fi
  done
  echo "$name.md: $count blocks"
  ran=$((ran + count))
}

make_wrapper
make_folder
ran=0
for page in "$guide"/*.md; do run_page "$page"; done
[[ $ran -ge 12 ]] || { echo "only $ran blocks of the guide were run" >&2; exit 1; }
exit $((failures > 0))
