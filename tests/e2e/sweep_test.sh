#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A PersistentVolume that somebody removed by hand, finalizer and all: its data are found, told of,
# and archived where that is wanted. By a driver and provisioners on this machine, because those that
# are deployed wait ten minutes.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/host.sh
. "$(dirname "$0")/host.sh"

driver_name=swept.ordinal.dev
root=$host_dir/root

start_provisioner() { # FLAGS...
  provisioner provisioner --sweep-interval=1s --sweep-grace=3s "$@"
}
path_of() { echo "$root/$story_namespace/$1/$(volume_of "$1")"; } # CLAIM
lose_pv() { # CLAIM: the claim and its PersistentVolume, and nobody tells the driver
  local volume
  volume=$(volume_of "$1")
  kube patch pv "$volume" --type=merge -p '{"metadata": {"finalizers": null}, "spec": {"persistentVolumeReclaimPolicy": "Retain"}}' >/dev/null
  kube delete pvc "$1" --wait=false >/dev/null
  kube delete pv "$volume" --wait=false >/dev/null
  kube patch pv "$volume" --type=merge -p '{"metadata": {"finalizers": null}}' >/dev/null 2>&1 || :
  wait_for 60 "the PersistentVolume is gone" gone pv "$volume"
}

# The driver is on no node: what kubelet would say of one is said by hand.
register() {
  kube label node node-1 "topology.$driver_name/node=node-1" >/dev/null
  kube patch csinode node-1 --type=json -p "[{\"op\": \"add\", \"path\": \"/spec/drivers/-\", \"value\":
    {\"name\": \"$driver_name\", \"nodeID\": \"node-1\", \"topologyKeys\": [\"topology.$driver_name/node\"]}}]" >/dev/null
}
unregister() { # EXIT CODE
  local at
  host_clean "$1"
  kube label node node-1 "topology.$driver_name/node-" >/dev/null
  at=$(kube get csinode node-1 -o jsonpath='{range .spec.drivers[*]}{.name}{"\n"}{end}' | grep -nx $driver_name | cut -d: -f1)
  [ -z "$at" ] || kube patch csinode node-1 --type=json -p "[{\"op\": \"remove\", \"path\": \"/spec/drivers/$((at - 1))\"}]" >/dev/null
}
# shellcheck disable=SC2034 # common.sh uses it
at_end=(unregister)

begin e2e-sweep
register
CLASS_DRIVER=$driver_name class e2e-swept '{}' Delete Immediate
mkdir "$root"
host_start driver "$project/build/ordinal-csi" --backend=hostpath --drivername=$driver_name --nodeid=node-1 \
  --endpoint="unix://$host_dir/csi.sock" --hostpath-root="$root"
start_provisioner
claim lost e2e-swept
claim kept e2e-swept
wait_for 60 "two claims are Bound" claims_bound 2
lost=$(volume_of lost) lost_path=$(path_of lost) kept_path=$(path_of kept)
echo precious >"$lost_path/file"
echo used >"$kept_path/file"

chapter "Its PersistentVolume is removed by hand"
lose_pv lost
check "its data are still there" test -e "$lost_path/file"
wait_for 60 "the log tells of it" host_says provisioner \
  "sweep: volume is known to no PersistentVolume and no claim: --sweep=archive would archive it volume=$lost what=.made for claim $story_namespace/lost, data at $root"
check "of nothing else" test -z "$(grep "sweep: " "$host_dir/provisioner.log" | grep -v "volume=$lost ")"
check "its data are only told of" test -e "$lost_path/file"

chapter "Archived where that is wanted"
host_end provisioner
start_provisioner --sweep=archive
wait_for 60 "the log says that it was done" host_says provisioner "sweep: archived volume=$lost"
check "its place is free" test ! -e "$lost_path"
check_equal "its data are in the archive" precious "$(cat "$root/.ordinal/archive/$story_namespace/lost/"*/*/file)"
check_equal "the other volume is untouched" used "$(cat "$kept_path/file")"

chapter "A claim of the same name starts afresh"
claim lost e2e-swept
wait_for 60 "it is Bound" claim_is lost Bound
check "it is empty" test -z "$(ls -A "$(path_of lost)")"
kube delete pvc --all --wait=false >/dev/null
wait_for 60 "deleted, no volume is left" no_volumes_here
check "nor its directory" test ! -e "$root/$story_namespace"
check_equal "the archive is" precious "$(cat "$root/.ordinal/archive/$story_namespace/lost/"*/*/file)"
summary
