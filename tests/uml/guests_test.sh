#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Run the test programs of this folder in a guest: guest 1 has the kernel's NFS server, with an ext4
# disk at /srv and disks with quotas at /quota, and runs them; guest 2 is another machine for those that need two; ganesha serves from
# outside. They may ask for what `answer` below knows. So are the tests of the driver's core
# (build/tests/csi/...), over an export that the driver mounts.
#
# usage: tests/uml/guests_test.sh [PROGRAM[@ext4|@xfs]...]     default: all; @: on that disk with quotas
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/guests.sh"
# shellcheck source-path=SCRIPTDIR
. "$uml_dir/ganesha.sh"
ganesha_address=$uml_net.1 ganesha_dir=$uml_work/ganesha

# Never sanitized: see the Makefile.
build=build/tests
limit=1500 # seconds, for one program on a slow machine

answer() {
  case $1 in
    "ganesha "*)
      # shellcheck disable=SC2086
      ganesha_${1#ganesha }
      ;;
    "guest 2 "*) guest_run 2 180 "${1#guest 2 }" ;;
    "kill guest 2") guest_kill 2 ;;
    "boot guest 2")
      guest_start 2
      guest_wait 2
      guest_run 2 180 "tests/uml/nfs_server start"
      ;;
    *)
      echo "nobody here knows: $1"
      return 127
      ;;
  esac
}

disk() {
  truncate -s 512M "$uml_work/disk"
  mke2fs -q -t ext4 -O quota,project -E quotatype=prjquota,lazy_itable_init=1,lazy_journal_init=1 "$uml_work/disk"
}

# The base of the core's tests: 64 MiB, as the tmpfs that it is elsewhere.
core_disk() {
  truncate -s 64M "$uml_work/core"
  mke2fs -q -t ext4 -m 0 -N 20000 -O ^has_journal,^resize_inode "$uml_work/core"
}

# Disks with project quotas. XFS wants 300 MiB.
quota_disks() {
  truncate -s 64M "$uml_work/ext4"
  mke2fs -q -t ext4 -m 0 -N 20000 -O quota,project -E quotatype=prjquota "$uml_work/ext4"
  truncate -s 300M "$uml_work/xfs"
  mkfs.xfs -q "$uml_work/xfs"
}

# What runs on disks with quotas: the core's tests have volumes too small for XFS, which binds root.
on_quotas=("$build"/uml/quota_test@ext4 "$build"/uml/quota_test@xfs "$build"/csi/reclaim_test@ext4
  "$build"/csi/reclaim_failure_test@ext4 "$build"/csi/snapshots_test@ext4)

# What a program gets to know.
settings() {
  case $1 in
    *@*) echo "ORDINAL_DISK=/quota/${1#*@}" ;;
    */csi/*) echo "ORDINAL_BACKEND=nfs ORDINAL_EXPORT=guest-1:/core" ;;
  esac
}

sandbox "$@"
cd "$uml_root" || exit 1
# locks_test is last: it ends statd in guest 1, and leaves mounts there that others would count.
mapfile -t core < <(tests/csi/core_tests)
[ $# -gt 0 ] || set -- "$build"/uml/guest_test "$build"/uml/nfs_mount_test "${core[@]/#/$build/csi/}" \
  "${on_quotas[@]}" "$build"/uml/locks_test
network_up
disk
core_disk
quota_disks
guest_start 1 ubd0="$uml_work/disk" ubd1="$uml_work/core" ubd2="$uml_work/ext4" ubd3="$uml_work/xfs"
guest_start 2
ganesha_start
guest_wait 1
guest_wait 2
guest_run 2 180 "tests/uml/nfs_server start" || die "no statd in guest 2"
guest_run 1 180 "mkdir -p /srv && mount /dev/ubda /srv && tests/uml/nfs_server export /srv" ||
  die "no NFS server in guest 1"
guest_run 1 180 "mkdir -p /core && mount -o minixdf /dev/ubdb /core && rmdir /core/lost+found &&
  tests/uml/nfs_server export /core rw,no_root_squash,no_subtree_check,fsid=3,insecure" ||
  die "no base for the core's tests in guest 1"
guest_run 1 180 "mkdir -p /quota/ext4 /quota/xfs && mount -o prjquota /dev/ubdc /quota/ext4 &&
  mount -o prjquota /dev/ubdd /quota/xfs && rmdir /quota/ext4/lost+found" || die "no quotas in guest 1"

failed=()
for program; do
  echo "== $program (in a guest)"
  begun=$SECONDS
  guest_run 1 $limit "$(settings "$program") ${program%@*}" || failed+=("$program")
  echo "== $((SECONDS - begun)) seconds"
done
guest_stop 1
guest_stop 2
[ ${#failed[@]} -eq 0 ] || {
  printf 'FAILED in a guest: %s\n' "${failed[@]}" >&2
  exit 1
}
