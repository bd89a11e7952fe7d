#!/usr/bin/env bash
# bertha prepare on several ranks makes the same files as one process, manifests included, byte for
# byte. Each line is printed once. An error of one rank ends all ranks with one line and its status.
source "$(dirname "$0")/common.sh"

# Pages of 5 to 34 sentences of 60 made-up words, and a vocabulary of their letters.
make_dump() {
  mkdir -p "$work/$1/download/wikicorpus_en"
  awk 'function draw(n) { state = (state * 1103515245 + 12345) % 2147483648; return int(state / 65536) % n }
    function word() { w = draw(60); return sprintf("%c%c%c", 98 + w % 10, 97 + int(w / 10), 98 + w % 7) }
    BEGIN {
      print "<mediawiki>"
      for (page = 0; page < 80; ++page) {
        printf "<page><title>T%d</title><ns>0</ns><id>%d</id><revision><id>5</id><text>", page, page
        for (s = 5 + draw(30); s > 0; --s) {
          printf "A"
          for (w = 4 + draw(12); w > 0; --w) printf " %s", word()
          printf "."
          printf s % 4 == 0 ? "\n\n" : " "
        }
        print "</text></revision></page>"
      }
      print "</mediawiki>"
    }' > "$work/$1/download/wikicorpus_en/wikicorpus_en.xml"
}
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' . a b c d e f g h i j k \
  '##a' '##b' '##c' '##d' '##e' '##f' '##g' '##h' > "$work/vocab.txt"

# prepare RANKS FOLDER [options…]: into FOLDER.log; the status is the job's.
prepare() {
  local ranks=$1 folder=$2 launcher=()
  shift 2
  [[ $ranks -eq 1 ]] || launcher=("$here/on_ranks.sh" "$ranks")
  "${launcher[@]}" "$bertha" prepare --working_dir="$work/$folder" --vocab_file="$work/vocab.txt" \
    --n_training_shards=5 --n_test_shards=2 --dupe_factor=2 "$@" > "$work/$folder.log" 2>&1
}

for folder in one two three stream; do make_dump "$folder"; done
prepare 1 one || die "one process failed"

prepare 2 two --dry_run || die "a dry run failed"
[[ $(grep -c "] instances.*would run" "$work/two.log") -eq 2 ]] || die "a dry run does not name its steps once"
[[ $(find "$work/two" -type f | wc -l) -eq 1 ]] || die "a dry run left files"

prepare 2 two || die "two ranks failed"
diff -r "$work/one" "$work/two" || die "two ranks made other files"
[[ $(grep -c "^7 shards, " "$work/two.log") -eq 2 ]] || die "not one line for each phase"
[[ $(grep -c ": 7 shards$" "$work/two.log") -eq 2 ]] || die "a step is not reported once"
sed -n 's/ in [0-9.]* s.*//; /documents/p' "$work/one.log" > "$work/one.counts"
sed -n 's/ in [0-9.]* s.*//; /documents/p' "$work/two.log" | cmp -s - "$work/one.counts" ||
  die "counts of two ranks are not those of one process"
prepare 2 two || die "two ranks failed with all done"
! grep -q ": runs" "$work/two.log" || die "a finished step runs again"

# More ranks than some stages have files; with another number of ranks before; with --stream.
prepare 3 three --action sharding --stream || die "sharding on three ranks failed"
prepare 3 three --stream || die "three ranks failed"
prepare 1 stream --stream || die "streaming failed"
diff -r "$work/stream" "$work/three" || die "three ranks made other files"

# A faulty file of one rank: the rank prints its line, rank 0 the counts, and the job fails.
shard=$(find "$work/two" -name "wikicorpus_en_training_3.hdf5" | sort | head -n 1)
truncate -s 1000 "$shard"
status=0
"$here/on_ranks.sh" 2 "$bertha" prepare verify --input_dir="$(dirname "$shard")" \
  --vocab_file="$work/vocab.txt" > "$work/verify.log" 2>&1 || status=$?
[[ $status -eq 1 ]] || die "verify ended with $status"
[[ $(grep -c "error:.*training_3.hdf5" "$work/verify.log") -eq 1 ]] || die "the file is not named once"
grep -q "^6 of 7 files are sound" "$work/verify.log" || die "the sound files are not counted"

mkdir "$work/texts"
for i in 0 1 2 3; do cp "$work/one"/sharded*/wikicorpus_en/*_training_$i.txt "$work/texts/"; done
: > "$work/texts/wikicorpus_en_training_2.txt"
status=0
"$here/on_ranks.sh" 2 "$bertha" prepare instances --input_file="$work/texts" \
  --output_file="$work/shards" --vocab_file="$work/vocab.txt" > "$work/empty.log" 2>&1 || status=$?
[[ $status -eq 1 ]] || die "an empty text ended with $status"
[[ $(grep -c "error:.*training_2.txt" "$work/empty.log") -eq 1 ]] || die "the text is not named once"

status=0
prepare 2 two --vocab_file="$work/none.txt" || status=$?
[[ $status -eq 1 && $(grep -c "error:.*none.txt" "$work/two.log") -eq 1 ]] ||
  die "a missing vocabulary: status $status, or not one line"
