#!/usr/bin/env bash
# Ranks with a Gaudi device each, by way of the stand-in for the vendor's library (tests/gaudi/standin):
# the losses of 2 and 4 ranks are those of one rank on the CPU, also with ZeRO-1 and with sums in bf16.
source "$(dirname "$0")/common.sh"
export BERTHA_LIBSYNAPSE=$(dirname "$bertha")/synapse_standin/libSynapse.so
export BERTHA_GAUDI_RECIPES=0 BERTHA_STANDIN_DELAY_US=20
steps=(--max_steps=100 --steps_this_run=4 --num_steps_per_checkpoint=100 --weight-check-interval=2)

pretrain 1 cpu "${steps[@]}" || die "one rank on the CPU failed"
for ranks in 1 2 4; do
  pretrain $ranks gaudi_$ranks --device=gaudi "${steps[@]}" || die "$ranks ranks failed"
  "$tiny_job" close "$work/cpu/losses.tsv" "$work/gaudi_$ranks/losses.tsv" 1e-4 ||
    die "losses of $ranks ranks are not those of the CPU"
done
pretrain 2 zero --device=gaudi --use_zero_optimizer=true "${steps[@]}" || die "ZeRO failed"
"$tiny_job" close "$work/cpu/losses.tsv" "$work/zero/losses.tsv" 1e-4 ||
  die "losses with ZeRO are not those of the CPU"
pretrain 2 bf16 --device=gaudi --allreduce-dtype=bf16 "${steps[@]}" || die "sums in bf16 failed"
"$tiny_job" close "$work/cpu/losses.tsv" "$work/bf16/losses.tsv" 1e-2 ||
  die "losses of sums in bf16 are far from those in fp32"
