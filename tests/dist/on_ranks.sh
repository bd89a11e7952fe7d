#!/usr/bin/env bash
# on_ranks.sh RANKS PROGRAM [arguments…]: runs mpirun (or MPIRUN, if it is set) on this host, with one
# thread for each rank. There may be more ranks than cores. Open MPI needs an option to run as root.
set -euo pipefail
ranks=$1
shift
mpirun=${MPIRUN:-mpirun}
options=()
if [[ $("$mpirun" --version) == *"Open MPI"* ]]; then
  options=(--oversubscribe --bind-to none)
  [[ $EUID -ne 0 ]] || options+=(--allow-run-as-root)
  # In many containers the kernel does not let a process read the memory of another. Open MPI then copies.
  export OMPI_MCA_btl_vader_single_copy_mechanism=none
fi
export OMP_NUM_THREADS=1
exec "$mpirun" "${options[@]}" -n "$ranks" "$@"
