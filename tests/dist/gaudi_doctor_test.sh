#!/usr/bin/env bash
# bertha doctor --device=gaudi on the stand-in for SynapseAI's library (tests/gaudi/standin/README.md): with
# the library alone, with devices, with two ranks, and with a device that fails. Nothing here is a result
# of a Gaudi.
source "$(dirname "$0")/common.sh"
library=$(dirname "$bertha")/synapse_standin/libSynapse.so
export BERTHA_LIBSYNAPSE=$library BERTHA_GAUDI_RECIPES=0

# has NAME FILE PATTERN: the fact of that name has the pattern in its line of the report.
has() {
  tr -d '\n' < "$2" | grep -oE "\"name\": *\"$1\".{0,400}" | grep -E "$3" > /dev/null || die "$1: no $3"
}

# The graphs of BERT-Large need no device.
BERTHA_STANDIN_DEVICES=0 "$bertha" doctor --device=gaudi --report="$work/graphs.json" \
  --dump-graphs="$work/graphs" > "$work/graphs.log" 2>&1 || die "no device: status $?"
has device "$work/graphs.json" 'reports no Gaudi device'
has graphs "$work/graphs.json" 'phase 1, 64 x 128: 4 graphs'
has footprint "$work/graphs.json" 'phase 2, 16 x 512, --checkpoint-activations: parameters 1.3 GiB'
for kind in Gaudi Gaudi2 Gaudi3; do
  [[ $(find "$work/graphs/$kind" -name 'first_micro_batch-*.json' | wc -l) -eq 4 ]] || die "$kind: four micro-batches"
done
rm -r "$work/graphs"

"$bertha" doctor --device=gaudi --mpi --report="$work/device.json" > "$work/device.log" 2>&1 ||
  die "with devices: status $?"
has ops "$work/device.json" 'agree with their references'
has waits "$work/device.json" ' 0 of them too early'
has training "$work/device.json" 'losses of 20 steps'
has MPI "$work/device.json" 'two ranks agree'
! grep -q 'synapse stand-in' "$work/device.log" || die "a rule of SynapseAI is broken"

# A device that is lost in the checks is a problem, and the report is written.
if BERTHA_STANDIN_FAULT=device-lost=5 "$bertha" doctor --device=gaudi --report="$work/lost.json" \
  > "$work/lost.log" 2>&1; then
  die "a lost device: status 0"
fi
has ops "$work/lost.json" 'problem'
