#!/usr/bin/env bash
# debian.sh 12|13 [--quick] [FOLDER]: makes a bare Debian of that release with debootstrap in FOLDER
# (build/platforms/debian-12 or -13), clones the last commit into it, and runs there what the README
# says: ./run demo, then ./run test. --quick builds the program instead, and runs the tests of what differs
# most between the releases: the products of oneDNN and the reader over expat. A FOLDER that holds such a
# system is used again. Needs root, debootstrap, git and a network. Prints times and the versions of the packages.
#
# Environment: DEBIAN_MIRROR, BERTHA_DATA (real data for the tests, mounted read-only), and what
# scripts/demo.sh reads.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
started=$SECONDS

die() {
  echo "debian.sh: $*" >&2
  exit 1
}
say() {
  printf '== %5d s: %s\n' $((SECONDS - started)) "$*"
}

release=${1:-}
case $release in
  12) suite=bookworm ;;
  13) suite=trixie ;;
  *) die "expected 12 or 13, the release of Debian" ;;
esac
shift
quick=0
[[ ${1:-} != --quick ]] || { quick=1; shift; }
system=$(realpath -m "${1:-$root/build/platforms/debian-$release}")
[[ $EUID -eq 0 ]] || die "debootstrap and chroot need root"
command -v debootstrap > /dev/null || die "there is no debootstrap; apt-get install debootstrap"

# inside COMMAND…: runs it in the system, from the clone. Mounts are gone when it ends.
inside() {
  # shellcheck disable=SC2016
  unshare --mount --fork bash -euc '
    system=$1 data=$2
    shift 2
    mount -t proc proc "$system/proc"
    mount --rbind /sys "$system/sys"
    mount --rbind /dev "$system/dev"
    if [[ -n $data ]]; then
      mkdir -p "$system/data"
      mount --bind -o ro "$data" "$system/data"
      export BERTHA_DATA=/data
    fi
    export HOME=/root LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec chroot "$system" bash -euc "cd /root/bertha 2> /dev/null || cd /; \"\$@\"" bash "$@"
  ' bash "$system" "${BERTHA_DATA:-}" "$@"
}

# timed COMMAND…: the same, with a line before it and one after it.
timed() {
  local before=$SECONDS status=0
  say "$*"
  inside "$@" || status=$?
  say "$* ended with $status after $((SECONDS - before)) s"
  [[ $status -eq 0 ]] || exit "$status"
}

if [[ ! -e $system/etc/debian_version ]]; then
  say "debootstrap $suite"
  mkdir -p "$system"
  debootstrap --variant=minbase "$suite" "$system" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
    > "$system.log" 2>&1 || die "debootstrap failed; see $system.log"
fi
rm -rf "$system/root/bertha"
git -c safe.directory='*' clone --quiet --no-hardlinks "$root" "$system/root/bertha"
say "Debian $(cat "$system/etc/debian_version"), commit $(git -c safe.directory='*' -C "$root" rev-parse --short HEAD), \
$(nproc) processors, load $(cut -d ' ' -f 1 /proc/loadavg)"

if [[ $quick -eq 1 ]]; then
  timed ./run build
  timed apt-get install -y -qq --no-install-recommends libgtest-dev libhdf5-dev
  timed cmake --preset release -DBERTHA_TESTS=ON
  timed cmake --build --preset release --target test_ops test_corpus
  timed ctest --preset release -R 'Linear|^DumpReader'
else
  timed ./run demo
  timed ./run test
fi

say "packages"
# shellcheck disable=SC2016
inside dpkg-query --show --showformat='${Package} ${Version}\n' g++ cmake ninja-build 'libdnnl*' \
  'libopenmpi*' openmpi-bin 'libfmt*' 'libspdlog*' 'libexpat1*' 'libhdf5-[0-9]*' libgtest-dev \
  'libdeflate*' 'libutf8proc*' nlohmann-json3-dev libcurl4-openssl-dev libssl-dev libboost-dev \
  libc6
say "done"
