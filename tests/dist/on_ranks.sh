#!/usr/bin/env bash
# on_ranks.sh RANKS PROGRAM [arguments…]: mpirun (MPIRUN, where it is set) on this host, more ranks
# than cores allowed, one thread each. As root, which Open MPI asks to be told.
set -euo pipefail
ranks=$1
shift
mpirun=${MPIRUN:-mpirun}
options=()
if [[ $("$mpirun" --version) == *"Open MPI"* ]]; then
  options=(--oversubscribe --bind-to none)
  [[ $EUID -ne 0 ]] || options+=(--allow-run-as-root)
  # The kernel refuses one process another's memory in many containers; sums then go by copies.
  export OMPI_MCA_btl_vader_single_copy_mechanism=none
fi
export OMP_NUM_THREADS=1
exec "$mpirun" "${options[@]}" -n "$ranks" "$@"
