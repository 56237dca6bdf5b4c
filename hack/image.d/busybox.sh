# shellcheck shell=bash disable=SC2034 # read by hack/image
# SPDX-License-Identifier: Apache-2.0
# Debian's busybox-static with a link for every applet.

image_name=ordinal.dev/busybox:lab
image_config='{"Cmd": ["sh"]}'

image_fill() {
  local applet
  mkdir "$1"/{bin,etc,root,usr,var}
  mkdir -m 1777 "$1/tmp"
  ln -s bin "$1/sbin"
  ln -s ../bin "$1/usr/bin"
  ln -s ../bin "$1/usr/sbin"
  cp "$(dpkg -L busybox-static | grep -x '\(/usr\)\?/bin/busybox')" "$1/bin/busybox"
  for applet in $("$1/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
  echo 'root:x:0:' >"$1/etc/group"
}
