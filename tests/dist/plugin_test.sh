#!/usr/bin/env bash
# The plugin of an MPI library is chosen at run time: one that mpicc compiles as docs/guide/install.md
# says works when BERTHA_MPI names it, and a missing one gives a message that names the file.
source "$(dirname "$0")/common.sh"
world_check="$(dirname "$tiny_job")/world_check"
mpirun=$(command -v "${MPIRUN:-mpirun}")
mpicc="$(dirname "$mpirun")/mpicc${mpirun##*mpirun}"

status=0
BERTHA_MPI=$work/absent.so "$here/on_ranks.sh" 2 "$world_check" 2 > "$work/absent.log" 2>&1 || status=$?
[[ $status -ne 0 ]] || die "a missing plugin: status 0"
grep -q "started with other ranks (.*MPI cannot be used: $work/absent.so" "$work/absent.log" ||
  die "the message does not name the missing plugin"

if [[ ! -x $mpicc ]]; then
  echo "no $mpicc: a site's own plugin is not tested"
  exit 0
fi
"$mpicc" -O2 -shared -fPIC "$here/../../src/comm/mpi/mpi_plugin.c" -o "$work/site.so"
BERTHA_MPI=$work/site.so "$here/on_ranks.sh" 2 "$world_check" 2 > "$work/site.log" 2>&1 ||
  { cat "$work/site.log" >&2; die "a plugin that mpicc compiled does not work"; }
