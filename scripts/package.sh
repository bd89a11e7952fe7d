#!/usr/bin/env bash
# ./run package [deb] [archive] [wheel]: makes packages in build/packages from build/package, which ./run
# has built. The same commit gives the same bytes: times come from the commit, names are sorted, and the
# preset removes the paths of this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build=build/package
readonly packages=build/packages
readonly work=$build/work
readonly staged=$work/staged/usr
# Debian 12's. A newer one would bind the archive and the wheel to newer systems than they name.
readonly glibc=2.36
# Every system with that glibc has these; the manylinux policy of the wheel names the same.
readonly host_libraries=' linux-vdso.so.1 ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libresolv.so.2 libgcc_s.so.1 libstdc++.so.6 '

version=$(sed -n 's/^project(bertha VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
umask 022

die() {
  printf 'package: %s\n' "$*" >&2
  exit 1
}

stage() {
  rm -rf "$work"
  mkdir -p "$work" "$packages"
  DESTDIR=$work/staged cmake --install "$build" --prefix /usr --strip > "$work/install.log" ||
    { cat "$work/install.log" >&2; die "cmake --install failed"; }
}

# same_time FOLDER: gives all files the time of the commit, and the same permissions everywhere.
same_time() {
  chmod -R u+rwX,go+rX,go-w "$1"
  find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# bundle PREFIX: copies the libraries that other systems lack into PREFIX/lib/bertha, with their licences.
# The program finds them with an rpath (not a runpath), which LD_LIBRARY_PATH does not overrule and which
# serves the libraries' own needs. Its second folder is where a wheel's archive has them.
bundle() {
  local prefix=$1 name path package
  mkdir -p "$prefix/share/doc/bertha/licenses"
  while read -r name path; do
    [[ $host_libraries != *" ${name##*/} "* ]] || continue
    install -m 644 "$path" "$prefix/lib/bertha/$name"
    strip --strip-unneeded "$prefix/lib/bertha/$name"
    patchelf --remove-rpath "$prefix/lib/bertha/$name"
    package=$(dpkg -S "$(readlink -f "$path")" 2> /dev/null || dpkg -S "${path#/usr}")
    package=${package%%:*}
    cp "/usr/share/doc/$package/copyright" "$prefix/share/doc/bertha/licenses/$package.txt"
  done < <(ldd "$prefix/bin/bertha" | awk '{ print $1, $3 }')
  patchelf --force-rpath --set-rpath "\$ORIGIN/../lib/bertha:\$ORIGIN/../data/lib/bertha" "$prefix/bin/bertha"
}

# check_symbols PREFIX: no file may need a newer glibc than the packages name.
check_symbols() {
  local newest
  newest=$(find "$1" -type f \( -name '*.so*' -o -path '*/bin/bertha' \) -exec objdump -T {} + |
    grep -o 'GLIBC_2\.[0-9.]*' | sort -uV | tail -n 1)
  newest=${newest#GLIBC_}
  [[ $(printf '%s\n' "$newest" "$glibc" | sort -V | tail -n 1) == "$glibc" ]] ||
    die "the program needs glibc $newest: build the archive and the wheel on Debian 12 (glibc $glibc)"
}

make_portable() {
  [[ ! -e $work/portable ]] || return 0
  cp -a "$staged" "$work/portable"
  bundle "$work/portable"
  check_symbols "$work/portable"
}

make_archive() {
  make_portable
  local name=bertha-$version-linux-x86_64
  rm -rf "${work:?}/$name"
  cp -a "$work/portable" "$work/$name"
  same_time "$work/$name"
  tar --create --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --directory "$work" "$name" | gzip --no-name --best > "$packages/$name.tar.gz"
}

# The lines of a wheel's RECORD: path, hash, size.
record() {
  local file hash
  find . -type f ! -name RECORD | sed 's|^\./||' | sort | while read -r file; do
    hash=$(openssl dgst -sha256 -binary "$file" | base64 -w 0 | tr '+/' '-_' | tr -d '=')
    printf '%s,sha256=%s,%s\n' "$file" "$hash" "$(stat -c %s "$file")"
  done
  printf '%s\n' "$1,,"
}

# pip copies the program from data/scripts into the bin/ of an environment, and data/data over its prefix.
make_wheel() {
  make_portable
  local tag=py3-none-manylinux_${glibc/./_}_x86_64
  local root=$work/wheel info=bertha-$version.dist-info data=bertha-$version.data
  local file=$PWD/$packages/bertha-$version-$tag.whl
  rm -rf "$root" "$file"
  mkdir -p "$root/$data/scripts" "$root/$info/licenses"
  cp -a "$work/portable" "$root/$data/data"
  mv "$root/$data/data/bin/bertha" "$root/$data/scripts/bertha"
  rmdir "$root/$data/data/bin"
  cp LICENSE "$work"/portable/share/doc/bertha/licenses/* "$root/$info/licenses"
  printf 'Wheel-Version: 1.0\nGenerator: bertha\nRoot-Is-Purelib: false\nTag: %s\n' "$tag" > "$root/$info/WHEEL"
  {
    printf 'Metadata-Version: 2.1\nName: bertha\nVersion: %s\n' "$version"
    printf 'Summary: Pre-trains, fine-tunes and uses BERT, in one program\nLicense: Apache-2.0\n'
    printf 'Requires-Python: >=3.8\nDescription-Content-Type: text/markdown\n\n'
    cat README.md
  } > "$root/$info/METADATA"
  local records
  records=$(cd "$root" && record "$info/RECORD")
  printf '%s\n' "$records" > "$root/$info/RECORD"
  same_time "$root"
  (cd "$root" && find . -type f | sed 's|^\./||' | sort | zip -X -q -9 "$file" -@)
}

# The name of a Debian package says for which Debian: bertha_0.3.0-1+deb12_amd64.deb.
make_deb() {
  local revision
  revision=$version-1+deb$(. /etc/os-release && printf '%s' "${VERSION_ID:-0}")
  local root=$work/deb documents=$work/deb/usr/share/doc/bertha
  rm -rf "$root"
  mkdir -p "$root/DEBIAN"
  cp -a "$staged" "$root/usr"
  mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
  rm "$documents/LICENSE"
  write_deb_documents "$revision" "$documents"
  find "$root/usr/share/man" -type f -exec gzip --no-name --best {} +
  write_control "$revision" "$root"
  same_time "$root"
  dpkg-deb --root-owner-group --build "$root" "$packages/bertha_${revision}_amd64.deb" > /dev/null
}

write_deb_documents() {
  local revision=$1 folder=$2
  gzip --no-name --best < "$folder/CHANGELOG.md" > "$folder/changelog.gz"
  rm "$folder/CHANGELOG.md"
  printf 'bertha (%s) stable; urgency=medium\n\n  * Version %s; see changelog.gz.\n\n -- %s  %s\n' \
    "$revision" "$version" "$maintainer" "$(date -R -d "@$SOURCE_DATE_EPOCH")" |
    gzip --no-name --best > "$folder/changelog.Debian.gz"
  cat > "$folder/copyright" << 'TEXT'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: bertha

Files: *
Copyright: 2026 the authors of Bertha
License: Apache-2.0
 On Debian systems, the full text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
TEXT
}

readonly maintainer='Bertha <bertha@users.noreply.github.com>'

# MPI is recommended: the program starts without it, and its plugins find it at run time.
write_control() {
  local revision=$1 root=$2
  mkdir -p "$work/control/debian"
  printf 'Source: bertha\n\nPackage: bertha\nArchitecture: amd64\n' > "$work/control/debian/control"
  local depends
  depends=$(cd "$work/control" && dpkg-shlibdeps -O --ignore-missing-info "$OLDPWD/$root/usr/bin/bertha" 2> /dev/null)
  cat > "$root/DEBIAN/control" << TEXT
Package: bertha
Version: $revision
Architecture: amd64
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
Depends: ${depends#shlibs:Depends=}
Recommends: ca-certificates, openmpi-bin
Suggests: mpich
Section: science
Priority: optional
Description: pre-trains, fine-tunes and uses BERT, in one program
 Bertha takes text or a Wikipedia dump, and makes vocabularies, HDF5 shards,
 checkpoints, filled-in sentences and answers. It runs on x86-64 processors,
 on one core or over many ranks with Open MPI or MPICH, and reads and writes
 the files of the PyTorch BERT recipe by NVIDIA and Habana.
TEXT
}

[[ -n $version ]] || die "CMakeLists.txt names no version"
if [[ $# -eq 0 ]]; then
  set -- deb
  # A program that was built with a newer glibc would not start on the systems that these two name.
  if [[ $(getconf GNU_LIBC_VERSION) == "glibc $glibc" ]]; then set -- deb archive wheel; fi
fi
stage
for kind in "$@"; do
  case $kind in
    deb | archive | wheel) "make_$kind" ;;
    *) die "unknown package \"$kind\": deb, archive and wheel can be made" ;;
  esac
done
(cd "$packages" && sha256sum -- *"$version"*)
