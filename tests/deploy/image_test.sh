#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The image has what mounting takes: in a guest, in a root that is the image and nothing else, its
# mount.nfs mounts an export by each version of NFS, and finds the host's statd for NFSv3.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR/../uml
. "$(dirname "$0")/../uml/guests.sh"

sandbox "$@"
cd "$uml_root" || exit 1
network_up
guest_start 1
hack/image ordinal -o "$uml_work/ordinal.tar" || exit 1
guest_wait 1
mkdir "$uml_work/layers" "$uml_work/guest1/image"
tar -xf "$uml_work/ordinal.tar" -C "$uml_work/layers"
for layer in "$uml_work"/layers/*.tar; do
  tar -xf "$layer" -C "$uml_work/guest1/image"
done
# As the container has it: its own /proc, and the node's name server's answers.
guest_run 1 180 "tests/uml/nfs_server export /run/export && cd /share/image &&
  mkdir -p proc dev mounts && mount -t proc proc proc && echo '$uml_net.10 server' >etc/hosts" ||
  die "no NFS server in guest 1"

failed=0
# By the driver itself, which mounts for whoever calls it so.
mounts() {
  guest_run 1 60 "chroot /share/image /usr/bin/ordinal-csi --helper mount /mounts server:/run/export nfsvers=$1 &&
    grep ' /share/image/mounts nfs' /proc/mounts && umount /share/image/mounts" | tr -d '\0'
}
for version in 3 4.0 4.1 4.2; do
  if said=$(mounts $version) && [[ $said == *"vers=$version,"* ]]; then
    echo "ok   mounted by NFS $version"
  else
    echo "FAIL NFS $version: $said"
    failed=1
  fi
done
guest_stop 1
exit $failed
