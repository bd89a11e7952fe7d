#!/usr/bin/env bash
# Packs everything that bench/cuda_bench.sh needs on a machine with a GPU that has neither this
# project's packages nor a network: programs without symbols, the shared libraries that they load
# (except CUDA's, which must be installed there), the C library in case the one there is older, and
# small shards for the parity runs.
#
#   scripts/pack_cuda.sh [--build FOLDER] [--output FILE] [--text FILE…]
#
# FOLDER is build/cuda (docs/guide/cuda.md shows how to build the program, test_cuda and the benchmarks).
# FILE is build/cuda_pack/pack.tar.xz, which git ignores; its size is printed. The text for the shards
# has one sentence per line and a blank line between documents. It is this project's own documentation
# unless --text, which must be the last option, names other files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/cuda
output=build/cuda_pack/pack.tar.xz
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
mkdir -p "$stage"/{bin,lib,libc,data/shards} "$(dirname "$output")"

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

# Sentences of the documentation: prose only, one file per document.
if [[ ${#texts[@]} -eq 0 ]]; then
  for page in README.md CONTRIBUTING.md docs/*/*.md; do
    sed -E '/^```/,/^```/d; /^[#|<>-]/d; s/[][`*]//g; s/([.:;]) +/\1\n/g' "$page" | grep -E '[a-z]{3}.* ' || true
    echo
  done > "$stage/text.txt"
  texts=("$stage/text.txt")
fi
data=$stage/data
"$build/bertha" vocab --vocab_size=2000 --do_lower_case --output_file="$data/vocab.txt" "${texts[@]}" >&2
cat > "$data/small.json" << JSON
{"vocab_size": $(wc -l < "$data/vocab.txt"), "hidden_size": 256, "num_hidden_layers": 4,
 "num_attention_heads": 4, "intermediate_size": 1024, "max_position_embeddings": 512,
 "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
 "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02}
JSON
"$build/bertha" prepare instances --input_file="$(IFS=,; echo "${texts[*]}")" \
  --output_file="$data/shards/training_0.hdf5" --vocab_file="$data/vocab.txt" --do_lower_case \
  --max_seq_length=128 --max_predictions_per_seq=20 --masked_lm_prob=0.15 --random_seed=12345 \
  --dupe_factor=20 >&2

XZ_OPT='-1 -T0' tar -C "$stage" -cJf "$output" bin lib libc data
printf '%s: %s packed, %s unpacked\n' "$output" "$(du -h "$output" | cut -f1)" \
  "$(du -sh --total "$stage"/{bin,lib,libc,data} | tail -n 1 | cut -f1)"
