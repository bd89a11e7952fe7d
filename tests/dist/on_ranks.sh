#!/usr/bin/env bash
# on_ranks.sh RANKS PROGRAM [arguments…]: mpirun on this host, more ranks than cores allowed, one
# thread each. As root, which Open MPI asks to be told.
set -euo pipefail
ranks=$1
shift
options=(--oversubscribe --bind-to none)
[[ $EUID -ne 0 ]] || options+=(--allow-run-as-root)
export OMP_NUM_THREADS=1
# The kernel refuses one process another's memory in many containers; sums then go by copies.
export OMPI_MCA_btl_vader_single_copy_mechanism=none
exec mpirun "${options[@]}" -n "$ranks" "$@"
