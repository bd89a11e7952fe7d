#!/usr/bin/env bash
# ./run release-check: all that a release needs, on Debian 12 as root. It stops at the first failure.
# 1. version and changelog agree, everything is committed; 2. format and tests; 3. the packages, made
# twice in different folders, are equal to the byte; 4. lintian and auditwheel; 5. the sources build and
# the packages run in bare systems of Debian 12 and 13.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly packages=build/packages
work=$(mktemp -d "${TMPDIR:-/tmp}/bertha-release-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
started=$SECONDS

section() {
  printf 'release-check: %s (after %d s)\n' "$1" $((SECONDS - started))
}
die() {
  printf 'release-check: %s\n' "$*" >&2
  exit 1
}

version=$(sed -n 's/^project(bertha VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
section "version $version"
[[ $EUID -eq 0 ]] || die "the bare systems need root"
[[ -z $(git status --porcelain) ]] || die "there are changes that are not committed"
newest=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
[[ $newest == "$version" ]] || die "CHANGELOG.md ends with version $newest, CMakeLists.txt has $version"
! grep -q '^## Unreleased' CHANGELOG.md || die "CHANGELOG.md has changes that belong to no version"

section "format"
./run format --check
section "tests"
./run test

section "packages"
rm -rf "$packages" build/package
./run package
section "the same packages from another folder"
git clone --quiet . "$work/again"
(cd "$work/again" && ./run package)
for file in "$packages"/*; do
  cmp "$file" "$work/again/$file" || die "two builds of one commit differ: $file"
done

section "lintian"
lintian --fail-on error,warning "$packages"/*.deb
section "auditwheel"
python3 -m venv "$work/audit"
"$work/audit/bin/pip" install --quiet auditwheel
PATH=$work/audit/bin:$PATH
tag=$(basename "$packages"/*.whl .whl)
tag=${tag##*-none-}
auditwheel show "$packages"/*.whl | tr '\n' ' ' | grep "following platform tag: \"$tag\"" ||
  die "auditwheel does not confirm $tag"

for debian in 12 13; do
  section "the sources on a bare Debian $debian"
  tests/platforms/debian.sh "$debian"
done
section "the packages on bare systems"
tests/platforms/packages.sh 12
tests/platforms/packages.sh 13
section "done: tag v$version, and publish $packages"
