#!/usr/bin/env bash
# What the compiler makes of the CUDA kernels: registers of a thread, bytes spilled, shared memory, the
# instructions of the kernel, and how many warps a multiprocessor holds by registers and static shared
# memory. Needs nvcc and readelf, and no GPU.
#
#   scripts/kernel_resources.sh [--arch sm_90a] [--source FOLDER] [--most-spilled BYTES] [NAME…]
#
# NAME… are the files of src/ops/cuda and src/backend/cuda, without .cu; all without it. --source takes the
# sources of another checkout, to compare. With --most-spilled a kernel that stores more bytes of spilled
# registers fails the call.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arch=sm_90a
source=src
most=""
names=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --arch) arch=$2 && shift 2 ;;
    --source) source=$2 && shift 2 ;;
    --most-spilled) most=$2 && shift 2 ;;
    -*)
      echo "kernel_resources.sh: unknown option $1" >&2
      exit 2
      ;;
    *) names+=("$1") && shift ;;
  esac
done
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc > /dev/null || { echo "kernel_resources.sh: no nvcc on the PATH or in /usr/local/cuda/bin" >&2; exit 1; }
if [[ ${#names[@]} -eq 0 ]]; then
  for file in "$source"/ops/cuda/*.cu "$source"/backend/cuda/*.cu; do
    [[ -e $file ]] && names+=("$(basename "$file" .cu)")
  done
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The options of CMakeLists.txt that change device code.
compile() {  # FILE: its PTX, its machine code, and what ptxas says
  nvcc -std=c++20 --expt-relaxed-constexpr -DFMT_USE_CONSTEXPR=1 -DFMT_CONSTEVAL= -O3 -arch="${arch/sm/compute}" \
    -I"$source" -ptx -o "$work/ptx" "$1"
  ptxas -O3 -arch="$arch" -v -o "$work/code" "$work/ptx" 2> "$work/said"
}

# Lines "KIND MANGLED-NAME NUMBERS": threads from PTX, registers, spills and shared memory from ptxas, and
# instructions of 16 bytes from the size of the code.
facts() {
  awk '/\.entry/ { name = $0; sub(/.*\.entry /, "", name); sub(/\(.*/, "", name) }
       /\.maxntid/ { line = $0; gsub(/[^0-9 ]/, "", line); split(line, n, " "); print "threads", name, n[1] * (n[2] ? n[2] : 1) }' "$work/ptx"
  awk '/Compiling entry/ { split($0, q, "\047"); name = q[2] }
       /spill stores/ { for (i = 1; i < NF; ++i) if ($(i + 2) == "spill") { print "spilled", name, $i; break } }
       /Used [0-9]+ registers/ {
         for (i = 1; i < NF; ++i) if ($i == "Used") print "registers", name, $(i + 1)
         shared = 0; for (i = 2; i <= NF; ++i) if ($i ~ /^smem/) shared = $(i - 2)
         print "shared", name, shared }' "$work/said"
  readelf -SW "$work/code" 2> /dev/null |
    sed -nE 's/^ *\[ *[0-9]+\] \.text\.([^ ]+) +PROGBITS +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) .*/\1 \2/p' |
    while read -r name size; do echo "instructions $name $((16#$size / 16))"; done
}

# A multiprocessor of compute capability 8.0 or 9.0: 65,536 registers, given to a warp in groups of 256; 64
# warps; 32 blocks; 227 KB (163 KB on 8.0) of shared memory, 1 KB of it for each block's own use.
rows() {
  awk -v file="$1" -v shared_kb="$([[ $arch == sm_80 ]] && echo 163 || echo 227)" '
    { value[$2, $1] = $3; names[$2] = 1 }
    function least(a, b) { return a < b ? a : b }
    END {
      for (name in names) {
        threads = value[name, "threads"] ? value[name, "threads"] : 1024
        warps = int((threads + 31) / 32)
        of_warp = int((value[name, "registers"] * 32 + 255) / 256) * 256
        blocks = least(32, int(64 / warps))
        if (of_warp) blocks = least(blocks, int(int(65536 / of_warp) / warps))
        blocks = least(blocks, int(shared_kb * 1024 / (value[name, "shared"] + 1024)))
        printf "%s %s %s %d %d %d %d %d\n", file, name, value[name, "threads"] ? threads : "-", value[name, "registers"],
          value[name, "spilled"], value[name, "shared"], value[name, "instructions"], blocks * warps
      }
    }'
}

printf '%-22s %-46s %7s %9s %8s %7s %12s %6s\n' file kernel threads registers spilled shared instructions warps
worst=0
for name in "${names[@]}"; do
  for folder in ops backend; do
    file="$source/$folder/cuda/$name.cu"
    [[ -e $file ]] || continue
    compile "$file"
    facts | rows "${name%_cuda}" > "$work/rows"
    while read -r label mangled threads registers spilled shared instructions warps; do
      kernel=$(c++filt "$mangled" | sed -E 's/^void //; s/\(anonymous namespace\):://g; s/bertha::(ops|cuda):://g; s/bertha:://g; s/\(.*//; s/BFloat16/bf16/g')
      printf '%-22s %-46s %7s %9d %8d %7d %12d %6d\n' "$label" "$kernel" "$threads" "$registers" "$spilled" "$shared" "$instructions" "$warps"
    done < "$work/rows" | sort > "$work/sorted"
    cat "$work/sorted"
    worst=$(awk -v w="$worst" '$(NF - 3) > w { w = $(NF - 3) } END { print w }' "$work/sorted")
  done
done
if [[ -n $most ]] && ((worst > most)); then
  echo "kernel_resources.sh: a kernel spills $worst bytes; $most are allowed" >&2
  exit 1
fi
