#!/usr/bin/env bash
# A NaN on one rank: all ranks skip the same step and continue, or stop after five in a row with the last
# good checkpoint. A weight that differs on one rank is found, and the message names the rank.
source "$(dirname "$0")/common.sh"
export OMPI_MCA_odls_base_sigkill_timeout=1
spoiled_job="$(dirname "$tiny_job")/spoiled_job"

# spoiled OUTPUT … : two ranks; weights are compared after every step.
spoiled() {
  status=0
  "$here/on_ranks.sh" 2 "$spoiled_job" "$work" "$@" > "$work/$1.log" 2>&1 || status=$?
}

spoiled once nan 1 4 5
[[ $status -eq 0 ]] || die "one NaN: status $status"
grep -q "step 3: a loss or gradient is not finite; the step is skipped (1 in a row)" \
  "$work/once.log" || die "the step was not skipped, or another one was"
[[ $(grep -c "is skipped" "$work/once.log") -eq 1 ]] || die "more than one step was skipped"
"$tiny_job" whole "$work"/once/ckpt_20.pt || die "no checkpoint at the end"

spoiled ever nan 1 12 1000
[[ $status -ne 0 ]] || die "NaN for ever: status 0"
[[ $(grep -c "rank [01]: step 7: 5 steps in a row" "$work/ever.log") -eq 2 ]] ||
  die "not all ranks stopped at the same step"
"$tiny_job" whole "$work"/ever/ckpt_*.pt || die "a damaged checkpoint"
[[ -e $work/ever/ckpt_6.pt ]] || die "the last good checkpoint is gone"

spoiled flip flip 1 4
[[ $status -ne 0 ]] || die "a flipped bit: status 0"
grep -qE "step 4: the weights of rank 1 on .* differ from those of rank 0" "$work/flip.log" ||
  die "the flipped bit was not found"
