# shellcheck shell=bash disable=SC2034,SC2154 # read and set by hack/image
# SPDX-License-Identifier: Apache-2.0
# Both programs, and mount.nfs, which ordinal-csi runs, with exactly the shared libraries that they
# need, and for each library the record and the copyright of its Debian package, by which scanners
# know it. No shell, nothing else.

image_name=ordinal.dev/ordinal:$version
image_config='{"User": "65532:65532"}' # the manifests give the command

image_fill() {
  local program file
  mkdir -p "$1"/{usr/bin,etc,var/lib/dpkg/status.d}
  # as on Debian, so that the loader is found by its usual name
  mkdir -p "$1"/usr/{lib,lib64}
  ln -s usr/bin "$1/bin"
  ln -s usr/lib "$1/lib"
  ln -s usr/lib64 "$1/lib64"
  printf 'root:x:0:0:root:/:/usr/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/usr/sbin/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
  for program in ordinal-provisioner ordinal-csi; do
    [ -x "$build_dir/$program" ] || {
      echo "hack/image: there is no $build_dir/$program; build it by: make" >&2
      exit 1
    }
    cp "$build_dir/$program" "$1/usr/bin/$program"
  done
  # with its package's record, as a library has it
  mkdir -p "$1/usr/sbin"
  ln -s usr/sbin "$1/sbin"
  library_add "$1" "$(readlink -f "$(PATH=/usr/sbin:/sbin:$PATH command -v mount.nfs)")"
  libraries_of "$1"/usr/bin/* "$1"/usr/sbin/* >"$work/libraries"
  while read -r file; do
    library_add "$1" "$file"
  done <"$work/libraries"
}

# What the dynamic loader would load, and the loader itself.
libraries_of() {
  local listing
  listing=$(ldd "$@")
  ! grep 'not found' <<<"$listing" >&2 || exit 1
  grep -o '/[^ ]*' <<<"$listing" | grep -v ':$' | sort -u
}

library_add() {
  local root=$1 file=$2 package source target
  target=$root/$(readlink -f "$(dirname "$file")" | cut -c2-)/${file##*/}
  mkdir -p "${target%/*}"
  cp -L "$file" "$target"
  # dpkg knows the file under its old or its new folder
  package=$(dpkg -S "$(readlink -f "$file")" 2>/dev/null || dpkg -S "${file#/usr}" 2>/dev/null ||
    dpkg -S "$(readlink -f "$file" | sed 's,^/usr,,')") || {
    echo "hack/image: no Debian package owns $file" >&2
    exit 1
  }
  package=${package%%: *}
  source=/usr/share/doc/${package%%:*}/copyright
  dpkg-query --status "$package" | sed '/^Conffiles:/,/^[^ ]/{/^Conffiles:/d;/^ /d}' \
    >"$root/var/lib/dpkg/status.d/${package%%:*}"
  mkdir -p "$root${source%/*}"
  cp -L "$source" "$root$source"
}
