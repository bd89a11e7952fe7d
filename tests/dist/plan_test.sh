#!/usr/bin/env bash
# bertha plan --measure on two ranks writes one file and prints one plan, with all-reduces of both ranks.
# Another plan reads the file.
source "$(dirname "$0")/common.sh"
options=(--config_file="$work/config.json" --micro_batch=2 --max_seq_length=16
  --max_predictions_per_seq=3 --ranks=1,2,8 --ranks_a_node=2)
"$here/on_ranks.sh" 2 "$bertha" plan "${options[@]}" --measure="$work/measured.json" \
  --measure_steps=2 > "$work/measured.log" 2> "$work/errors.log" || die "measuring failed"
[[ $(grep -c "^links" "$work/measured.log") -eq 1 ]] || die "not one plan"
grep -q "measured: 2 ranks of 1 threads on 1 hosts" "$work/measured.log" || die "not two ranks"
grep -q '"ranks": 2' "$work/measured.json" || die "sums are not of two ranks"
"$bertha" plan "${options[@]}" --measured "$work/measured.json" > "$work/read.log" ||
  die "the measurement cannot be read"
cmp -s "$work/measured.log" "$work/read.log" || die "another plan came of it"
status=0
"$here/on_ranks.sh" 2 "$bertha" plan "${options[@]}" --measure="$work/none/measured.json" \
  > "$work/none.log" 2>&1 || status=$?
[[ $status -eq 1 ]] || die "a file that cannot be written: status $status"
[[ $(grep -c "error:.*none/measured.json" "$work/none.log") -eq 1 ]] || die "not one line"
