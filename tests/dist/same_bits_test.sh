#!/usr/bin/env bash
# Under --deterministic 1, 2 and 4 ranks give the same bits after 100 steps, also when a run changes from
# 4 ranks to 2 and back. Without it their losses agree. The runs compare their weights.
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

# ZeRO-1, also when a run goes from four partitions to two and then to none.
for optimizer in lamb adamw; do
  options=(--deterministic --optimizer=$optimizer "${steps[@]}")
  whole=fixed_1/ckpt_100.pt
  if [[ $optimizer != lamb ]]; then
    pretrain 1 whole_$optimizer "${options[@]}" || die "one rank with $optimizer failed"
    whole=whole_$optimizer/ckpt_100.pt
  fi
  pretrain 4 zero_$optimizer "${options[@]}" --use_zero_optimizer=true --steps_this_run=30 ||
    die "4 ranks with ZeRO and $optimizer failed"
  pretrain 2 zero_$optimizer "${options[@]}" --use_zero_optimizer=true --steps_this_run=70 ||
    die "2 ranks with ZeRO and $optimizer failed"
  pretrain 4 zero_$optimizer "${options[@]}" || die "4 ranks after ZeRO with $optimizer failed"
  "$tiny_job" same "$work/$whole" "$work/zero_$optimizer/ckpt_100.pt" ||
    die "ZeRO with $optimizer gave other bits"
done

# 8-bit floats: each rank has histories of its own, which one checkpoint holds for all.
fp8=(--deterministic --precision=fp8 "${steps[@]}")
pretrain 2 fp8 "${fp8[@]}" || die "2 ranks in fp8 failed"
pretrain 2 fp8_parts "${fp8[@]}" --steps_this_run=30 || die "30 steps in fp8 failed"
pretrain 2 fp8_parts "${fp8[@]}" || die "going on in fp8 failed"
"$tiny_job" same "$work/fp8/ckpt_100.pt" "$work/fp8_parts/ckpt_100.pt" ||
  die "a run in fp8 that was stopped gave other bits"

pretrain 2 free "${steps[@]}" --steps_this_run=20 || die "2 ranks failed"
pretrain 1 alone "${steps[@]}" --steps_this_run=20 || die "one rank failed"
"$tiny_job" close "$work/alone/losses.tsv" "$work/free/losses.tsv" 1e-5 ||
  die "losses of 2 ranks are not those of one"
pretrain 4 bf16 --allreduce-dtype=bf16 --use_zero_optimizer=true "${steps[@]}" \
  --steps_this_run=20 || die "ZeRO with sums in bf16 failed"
"$tiny_job" close "$work/alone/losses.tsv" "$work/bf16/losses.tsv" 1e-2 ||
  die "losses of sums in bf16 are far from those in fp32"
if "$tiny_job" same "$work/fixed_1/ckpt_100.pt" "$work/alone/ckpt_20.pt"; then
  die "the comparison finds no difference between step 100 and step 20"
fi
