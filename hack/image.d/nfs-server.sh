# shellcheck shell=bash disable=SC2034,SC2154 # read and set by hack/image
# SPDX-License-Identifier: Apache-2.0
# Debian's nfs-ganesha, which serves directories by NFSv4 from user space. No shell, nothing else; the
# configuration is the manifest's.

image_name=ordinal.dev/nfs-server:$version
image_config='{"Entrypoint": ["/usr/bin/ganesha.nfsd", "-F", "-L", "STDOUT", "-p", "/run/ganesha.pid", "-f", "/etc/ganesha/ganesha.conf"]}'

image_fill() {
  local file
  debian_root "$1"
  mkdir -p "$1"/{run,export,var/lib/nfs/ganesha,etc/ganesha}
  mkdir -m 1777 "$1/tmp" # where it tries what locks there are
  ln -s ../run "$1/var/run"
  ln -s ../proc/self/mounts "$1/etc/mtab"
  # ganesha loads its file system, and libnfsidmap how it maps names, which here are numbers
  programs_add "$1" /usr/bin/ganesha.nfsd "$(dpkg -L nfs-ganesha-vfs | grep '/libfsalvfs\.so$')" \
    "$(dpkg -L libnfsidmap1 | grep '/nsswitch\.so$')"
  printf '[General]\nDomain = localdomain\n[Translation]\nMethod = nsswitch\n' >"$1/etc/idmapd.conf"
  for file in netconfig protocols rpc services; do
    file_add "$1" /etc/$file
  done
}
