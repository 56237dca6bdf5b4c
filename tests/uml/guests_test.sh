#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Run the test programs of this folder in a guest: guest 1 has the kernel's NFS server, with an ext4
# disk at /srv, and runs them; guest 2 is another machine for those that need two; ganesha serves from
# outside. They may ask for what `answer` below knows.
#
# usage: tests/uml/guests_test.sh [PROGRAM...]     default: all (BUILD is the build directory)
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/guests.sh"
# shellcheck source-path=SCRIPTDIR
. "$uml_dir/ganesha.sh"
ganesha_address=$uml_net.1 ganesha_dir=$uml_work/ganesha

# Never sanitized: see the Makefile.
build=build/tests/uml
limit=600 # seconds, for one program on a slow machine

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

sandbox "$@"
cd "$uml_root" || exit 1
[ $# -gt 0 ] || set -- "$build"/*_test
network_up
disk
guest_start 1 ubd0="$uml_work/disk"
guest_start 2
ganesha_start
guest_wait 1
guest_wait 2
guest_run 2 180 "tests/uml/nfs_server start" || die "no statd in guest 2"
guest_run 1 180 "mkdir -p /srv && mount /dev/ubda /srv && tests/uml/nfs_server export /srv" ||
  die "no NFS server in guest 1"

failed=()
for program; do
  echo "== $program (in a guest)"
  guest_run 1 $limit "$program" || failed+=("$program")
done
guest_stop 1
guest_stop 2
[ ${#failed[@]} -eq 0 ] || {
  printf 'FAILED in a guest: %s\n' "${failed[@]}" >&2
  exit 1
}
