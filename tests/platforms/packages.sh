#!/usr/bin/env bash
# packages.sh 12|13 [FOLDER [KIND…]]: installs the deb, the archive and the wheel of FOLDER (build/packages),
# or those named, in bare systems of Debian 12 or 13, and runs a small job in each: alone, on two ranks of
# Open MPI and on two of MPICH. Nothing that only developers need is installed, which is checked. Needs root
# and debootstrap.
# BERTHA_BARE names a folder with such a system, to be copied in place of debootstrap's.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
debian=${1:?"12 or 13"}
packages=$(realpath "${2:-$here/../../build/packages}")
declare -A codenames=([12]=bookworm [13]=trixie)
codename=${codenames[$debian]:?"12 or 13"}
work=$(mktemp -d "${TMPDIR:-/tmp}/bertha-packages-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
bare=${BERTHA_BARE:-$work/bare}
started=$SECONDS

say() {
  printf 'Debian %s, %4d s: %s\n' "$debian" $((SECONDS - started)) "$*"
}
die() {
  say "$*" >&2
  exit 1
}

# in_system SYSTEM COMMAND…: runs it there, with mounts and processes that end with it.
in_system() {
  local system=$1
  shift
  # shellcheck disable=SC2016
  unshare --mount --pid --fork bash -c 'set -e
    mount -t proc proc "$0/proc"; mount --rbind /sys "$0/sys"; mount --rbind /dev "$0/dev"
    exec chroot "$0" env -i PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bertha/bin" \
      HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"' "$system" "$@"
}

# new_system NAME: a copy of the bare one at $work/NAME.
new_system() {
  [[ -e $bare/etc/debian_version ]] || {
    say "debootstrap $codename"
    debootstrap --variant=minbase "$codename" "$bare" > "$work/debootstrap.log"
  }
  cp -a "$bare" "$work/$1"
  cp /etc/resolv.conf "$work/$1/etc/resolv.conf"
  cp "$here/small_job.sh" "$work/$1/root/small_job.sh"
  in_system "$work/$1" apt-get update -qq
}

# add SYSTEM PACKAGE…: with apt, without what is only recommended.
add() {
  local system=$1
  shift
  in_system "$work/$system" apt-get install -y -qq --no-install-recommends "$@" > "$work/apt.log" 2>&1 ||
    { tail "$work/apt.log" >&2; die "apt cannot install $*"; }
}

# job SYSTEM WHAT RANKS [LAUNCHER…]: the loss must be that of every other job.
job() {
  local system=$1 what=$2
  shift 2
  in_system "$work/$system" sh /root/small_job.sh bertha "$@" > "$work/job.log" 2>&1 ||
    { cat "$work/job.log" >&2; die "$what: the small job failed"; }
  local result
  result=$(tail -n 1 "$work/job.log")
  [[ $result == *"final_loss : "* ]] || die "$what: no loss"
  [[ ${loss:=$result} == "$result" ]] || die "$what: $result, before: $loss"
  say "$what: $(tr '\n' ' ' < "$work/job.log")"
}

# jobs SYSTEM WHAT: alone, where a launch on ranks has to say what is missing, then with each library.
jobs() {
  local system=$1 what=$2
  job "$system" "$what, without MPI" 1
  if in_system "$work/$system" env OMPI_COMM_WORLD_SIZE=2 sh /root/small_job.sh bertha 2 > "$work/job.log" 2>&1; then
    die "$what: trained alone although a launcher started it with others"
  fi
  grep -q "MPI cannot be used: libmpi.so.40" "$work/job.log" ||
    { cat "$work/job.log" >&2; die "$what: the message about the missing MPI is not there"; }
  cp -a "$work/$system" "$work/$system-mpich"
  add "$system" openmpi-bin
  job "$system" "$what, Open MPI $(version_of "$system" openmpi-bin)" 2 mpirun --oversubscribe -n 2
  add "$system-mpich" mpich
  job "$system-mpich" "$what, MPICH $(version_of "$system-mpich" mpich)" 2 mpirun -n 2
  no_development "$system"
  no_development "$system-mpich"
  rm -rf --one-file-system "${work:?}/$system" "${work:?}/$system-mpich"
}

version_of() {
  # shellcheck disable=SC2016
  in_system "$work/$1" dpkg-query --show --showformat='${Version}' "$2"
}

no_development() {
  local found
  found=$(in_system "$work/$1" dpkg --get-selections | cut -f1 | grep -E -- '-dev(:.*)?$|^(gcc|g\+\+)(-[0-9]+)?$' || true)
  [[ -z $found ]] || die "$1 has packages for development: ${found//$'\n'/ }"
}

# start_up SYSTEM: the shortest of 20 runs of bertha --version, with warm files.
start_up() {
  # shellcheck disable=SC2016
  in_system "$work/$1" bash -c 'bertha --version > /dev/null
    for run in $(seq 20); do
      begin=${EPOCHREALTIME/./}; bertha --version > /dev/null; end=${EPOCHREALTIME/./}
      echo $((end - begin))
    done | sort -n | head -n 1'
}

test_archive() {
  new_system archive
  in_system "$work/archive" mkdir /opt/bertha
  tar -xzf "$packages"/bertha-*-linux-x86_64.tar.gz -C "$work/archive/opt/bertha" --strip-components 1
  say "archive: $(stat -c %s "$packages"/bertha-*-linux-x86_64.tar.gz) bytes, $(du -sm "$work/archive/opt/bertha" | cut -f1) MiB unpacked, bertha --version in $(start_up archive) us"
  jobs archive archive
}

test_wheel() {
  new_system wheel
  add wheel python3-venv
  cp "$packages"/bertha-*.whl "$work/wheel/root"
  in_system "$work/wheel" sh -c 'python3 -m venv /opt/bertha && /opt/bertha/bin/pip install --quiet --no-index /root/bertha-*.whl'
  say "wheel: $(stat -c %s "$packages"/bertha-*.whl) bytes, bertha --version in $(start_up wheel) us"
  jobs wheel wheel
}

# A Debian package is built on its own Debian, in a bare system too if it is not there.
build_deb() {
  say "building the Debian package, which is not in $packages"
  new_system build
  git clone --quiet "$here/../.." "$work/build/root/bertha"
  add build git ca-certificates
  in_system "$work/build" sh -c 'cd /root/bertha && ./run package deb' > "$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log" >&2; die "the package cannot be built"; }
  cp "$work"/build/root/bertha/build/packages/*.deb "$packages"
  rm -rf --one-file-system "$work/build"
}

test_deb() {
  local deb=$packages/bertha_$version-1+deb${debian}_amd64.deb
  [[ -e $deb ]] || build_deb
  new_system deb
  cp "$deb" "$work/deb/root"
  add deb "/root/$(basename "$deb")"
  say "deb: $(stat -c %s "$deb") bytes, bertha --version in $(start_up deb) us"
  loss=  # another oneDNN may round differently
  jobs deb deb
}

version=$(sed -n 's/^project(bertha VERSION \([0-9.]*\) .*/\1/p' "$here/../../CMakeLists.txt")
kinds=("${@:3}")
[[ ${#kinds[@]} -gt 0 ]] || kinds=(archive wheel deb)
for kind in "${kinds[@]}"; do
  case $kind in
    archive | wheel | deb) "test_$kind" ;;
    *) die "unknown package \"$kind\": archive, wheel or deb" ;;
  esac
done
say "these packages work: ${kinds[*]}"
