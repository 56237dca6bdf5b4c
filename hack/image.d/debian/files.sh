# shellcheck shell=bash disable=SC2154 # set by hack/image
# SPDX-License-Identifier: Apache-2.0
# What recipes take from Debian's packages, as they are installed on this machine: files, and for each
# the record and the copyright of its package, by which scanners know it.

# debian_root ROOT: its folders as Debian has them, so that the loader is found by its usual name, two
# users, and what libc and libtirpc look up names in.
debian_root() {
  local file
  mkdir -p "$1"/{etc,usr/{bin,sbin,lib,lib64},var/lib/dpkg/status.d}
  for file in bin sbin lib lib64; do
    ln -s "usr/$file" "$1/$file"
  done
  printf 'root:x:0:0:root:/:/usr/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/usr/sbin/nologin\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$1/etc/group"
  echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
}

# programs_add ROOT PROGRAM...: with exactly the shared libraries that they need. Those that are there
# already, below ROOT, stay as they are.
programs_add() {
  local root=$1 file
  shift
  for file; do
    [[ $file == "$root"/* ]] || file_add "$root" "$file"
  done
  libraries_of "$@" >"$work/libraries"
  while read -r file; do
    file_add "$root" "$file"
  done <"$work/libraries"
}

# What the dynamic loader would load, and the loader itself.
libraries_of() {
  local listing
  listing=$(ldd "$@")
  ! grep 'not found' <<<"$listing" >&2 || exit 1
  grep -o '/[^ ]*' <<<"$listing" | grep -v ':$' | sort -u
}

# file_add ROOT FILE
file_add() {
  local root=$1 file=$2 package target
  target=$root/$(readlink -f "$(dirname "$file")" | cut -c2-)/${file##*/}
  mkdir -p "${target%/*}"
  cp -L "$file" "$target"
  # dpkg knows the file under its old or its new folder
  package=$(dpkg -S "$(readlink -f "$file")" 2>/dev/null || dpkg -S "${file#/usr}" 2>/dev/null ||
    dpkg -S "$(readlink -f "$file" | sed 's,^/usr,,')") || {
    echo "hack/image: no Debian package owns $file" >&2
    exit 1
  }
  package_record "$root" "${package%%: *}"
}

# package_record ROOT PACKAGE
package_record() {
  local source=/usr/share/doc/${2%%:*}/copyright
  [ ! -e "$1$source" ] || return 0
  dpkg-query --status "$2" | sed '/^Conffiles:/,/^[^ ]/{/^Conffiles:/d;/^ /d}' \
    >"$1/var/lib/dpkg/status.d/${2%%:*}"
  mkdir -p "$1${source%/*}"
  cp -L "$source" "$1$source"
}
