#!/usr/bin/env bash
# What a second CPU rank brings on this host: bertha plan --measure on one rank of one thread, two
# ranks of one thread, and one rank of two threads with twice the rows, in turn, ROUNDS times; medians.
# Weak scaling: two ranks against one with half the rows. Strong: two ranks against two threads.
# The table also shows what plan/cost_model.h predicts for two ranks from the one rank and the fitted link.
#
#   bench/scaling.sh BERTHA CONFIG.json
#
# Environment: ROUNDS (3), STEPS (3), BATCH (4 rows a rank), LENGTH (128), ACCUMULATION (1),
# OPTIONS (more of bertha plan's, such as --autocast).
set -euo pipefail
bertha=${1:?usage: bench/scaling.sh BERTHA CONFIG.json}
config=${2:?usage: bench/scaling.sh BERTHA CONFIG.json}
rounds=${ROUNDS:-3}
batch=${BATCH:-4}
accumulation=${ACCUMULATION:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$(cd "$(dirname "$0")" && pwd)

# measure NAME THREADS ROWS [launcher…]
measure() {
  local name=$1 threads=$2 rows=$3
  shift 3
  # shellcheck disable=SC2086
  "$@" env OMP_NUM_THREADS="$threads" "$bertha" plan \
    --config_file="$config" --micro_batch="$rows" --max_seq_length="${LENGTH:-128}" \
    --measure_steps="${STEPS:-3}" --ranks=1,2 --ranks_a_node=2 \
    --gradient_accumulation_steps="$accumulation" ${OPTIONS:-} --measure="$work/$name.$round" \
    > "$work/$name.$round.txt" 2> "$work/errors" || { cat "$work/errors" >&2; exit 1; }
}
for round in $(seq "$rounds"); do
  measure one 1 "$batch"
  measure two 1 "$batch" "$here/../tests/dist/on_ranks.sh" 2
  measure threads 2 $((2 * batch))
done

# figure NAME FIELD: the median over rounds, in ms.
figure() {
  awk -v field="\"$2\"" -F'[:,]' 'index($1, field) { print 1e3 * $2 }' "$work/$1".? | sort -g |
    awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
for name in one two threads; do
  printf '%-8s micro-batch %8.1f ms, with sums %8.1f, update %7.1f, all gradients summed alone %7.1f\n' \
    $name "$(figure $name micro_batch_seconds)" "$(figure $name summed_micro_batch_seconds)" \
    "$(figure $name update_seconds)" "$(figure $name whole_sum_seconds)"
done
step() {
  awk -v m="$(figure "$1" micro_batch_seconds)" -v s="$(figure "$1" summed_micro_batch_seconds)" \
    -v u="$(figure "$1" update_seconds)" -v a="$accumulation" 'BEGIN { print (a - 1) * m + s + u }'
}
awk -v one="$(step one)" -v two="$(step two)" -v threads="$(step threads)" \
  -v plain="$(figure two micro_batch_seconds)" -v summed="$(figure two summed_micro_batch_seconds)" \
  -v whole="$(figure two whole_sum_seconds)" 'BEGIN {
    printf "steps: %.1f, %.1f, %.1f ms; weak scaling %.1f %%, strong %.1f %% of two threads\n",
           one, two, threads, 100 * one / two, 100 * threads / two
    printf "sums add %.1f ms to a step, alone they take %.1f: %.0f %% hidden\n",
           summed - plain, whole, 100 * (1 - (summed - plain) / whole) }'

# The model from the last round: the rank's own step, and the link of the two.
"$bertha" plan --config_file="$config" --measured "$work/two.$rounds" --ranks=1,2 --ranks_a_node=2 \
  --gradient_accumulation_steps="$accumulation" | sed -n '/^links/,/residual/p; /^ ranks/,/^ *2 /p'
