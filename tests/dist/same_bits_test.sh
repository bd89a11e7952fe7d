#!/usr/bin/env bash
# Under --deterministic 1, 2 and 4 ranks give the same bits after 100 steps, also when a run goes
# from 4 ranks to 2 and back; without it their losses agree. Weights are compared as they go.
source "$(dirname "$0")/common.sh"
steps=(--max_steps=100 --num_steps_per_checkpoint=40 --weight-check-interval=10)

for ranks in 1 2 4; do
  pretrain $ranks fixed_$ranks --deterministic "${steps[@]}" || die "$ranks ranks failed"
done
for ranks in 2 4; do
  "$tiny_job" same "$work/fixed_1/ckpt_100.pt" "$work/fixed_$ranks/ckpt_100.pt" ||
    die "$ranks ranks gave other bits than one"
done

pretrain 4 mixed --deterministic "${steps[@]}" --steps_this_run=30 || die "4 ranks failed"
pretrain 2 mixed --deterministic "${steps[@]}" --steps_this_run=70 || die "going on with 2 failed"
pretrain 4 mixed --deterministic "${steps[@]}" || die "going on with 4 failed"
"$tiny_job" same "$work/fixed_1/ckpt_100.pt" "$work/mixed/ckpt_100.pt" ||
  die "4, 2 and 4 ranks gave other bits than one"

pretrain 2 free "${steps[@]}" --steps_this_run=20 || die "2 ranks failed"
pretrain 1 alone "${steps[@]}" --steps_this_run=20 || die "one rank failed"
"$tiny_job" close "$work/alone/losses.tsv" "$work/free/losses.tsv" 1e-5 ||
  die "losses of 2 ranks are not those of one"
if "$tiny_job" same "$work/fixed_1/ckpt_100.pt" "$work/alone/ckpt_20.pt"; then
  die "the comparison finds no difference between step 100 and step 20"
fi
