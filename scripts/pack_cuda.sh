#!/usr/bin/env bash
# Packs everything that bench/cuda_bench.sh needs on a machine with a GPU that has neither this
# project's packages nor a network: programs without symbols, the shared libraries that they load
# (except CUDA's, which must be installed there), the C library in case the one there is older, and
# small shards for the parity runs.
#
#   scripts/pack_cuda.sh [--build FOLDER] [--output FILE] [--text FILE…]
#
# FOLDER is build/cuda (docs/guide/cuda.md shows how to build the program, test_cuda and the benchmarks).
# FILE is build/cuda_pack/pack.tar.gz, which git ignores; its size is printed. The text for the shards
# has one sentence per line and a blank line between documents. It is this project's own documentation
# unless --text, which must be the last option, names other files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/cuda
output=build/cuda_pack/pack.tar.gz
texts=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$2 ;;
    --output) output=$2 ;;
    --text)
      shift
      texts=("$@")
      break
      ;;
    *)
      echo "pack_cuda.sh: unknown option $1" >&2
      exit 2
      ;;
  esac
  shift 2
done

readonly programs=(bertha test_cuda bench/training_bench bench/squad_bench)
for program in "${programs[@]}"; do
  [[ -x $build/$program ]] || {
    echo "pack_cuda.sh: $build/$program is missing; build it first, as docs/guide/cuda.md says" >&2
    exit 1
  }
done

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage"/{bin,lib,libc,data} "$(dirname "$output")"

for program in "${programs[@]}"; do
  strip -o "$stage/bin/$(basename "$program")" "$build/$program"
done

libraries() { ldd "${programs[@]/#/$build/}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u; }
while read -r library; do
  case $(basename "$library") in
    libcuda.so* | libcudart.so* | libcublas*.so* | libnccl.so*) ;;  # provided by the machine with the GPU
    libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | libresolv.so*)
      cp -L "$library" "$stage/libc/"
      ;;
    *) cp -L "$library" "$stage/lib/" ;;
  esac
done < <(libraries)
cp -L "$(ldd "$build/bertha" | awk '/ld-linux/ { print $1 }')" "$stage/libc/"

bench/small_shards.sh "$build/bertha" "$stage/data" "${texts[@]}"

tar -C "$stage" -czf "$output" bin lib libc data
printf '%s: %s packed, %s unpacked\n' "$output" "$(du -h "$output" | cut -f1)" \
  "$(du -sh --total "$stage"/{bin,lib,libc,data} | tail -n 1 | cut -f1)"
