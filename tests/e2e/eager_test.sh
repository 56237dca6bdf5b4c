#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Classes of our own driver that wait for no pod: volumes are made before the controller-manager has
# asked for them, but never where one that is there would do, and never twice.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

base=/var/lib/ordinal

# static_volume NAME CLASS SIZE: a PersistentVolume that an administrator made
static_volume() {
  kube apply -f - >/dev/null <<END
apiVersion: v1
kind: PersistentVolume
metadata: {name: $1}
spec:
  capacity: {storage: $3}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: $2
  hostPath: {path: /var/lib/static/$1}
END
  wait_for 30 "$1 is Available" volume_phase_is "$1" Available
}
volume_phase_is() { [ "$(kube get pv "$1" -o jsonpath='{.status.phase}')" = "$2" ]; }
directories_here() { node_files sh -c "ls -d $base/$story_namespace/*/* 2>/dev/null | wc -l"; }
directories_are() { [ "$(directories_here)" = "$1" ]; }
unasked() { # how many claims got a volume though the controller-manager never asked for one
  kube get pvc -l e2e=yes -o jsonpath='{range .items[*]}{.metadata.annotations.volume\.beta\.kubernetes\.io/storage-provisioner}|{.spec.volumeName}{"\n"}{end}' |
    grep -c '^|pvc-' || :
}

begin e2e-eager
class e2e-immediate '{}' Delete Immediate

chapter "A volume that is there wins"
static_volume e2e-static e2e-immediate 1Mi
claim static e2e-immediate
wait_for 60 "the claim is Bound" claim_is static Bound
check_equal "to the volume that was there" e2e-static "$(volume_of static)"
check_equal "and none was made" e2e-static "$(volumes_here)"
check "nor a directory" node_lacks "$base/$story_namespace"

chapter "One that is too small does not stand in the way"
static_volume e2e-small e2e-immediate 1Ki
claim large e2e-immediate
wait_for 60 "the claim is Bound" claim_is large Bound
check_equal "to a volume of its own" "pvc-$(kube get pvc large -o jsonpath='{.metadata.uid}')" "$(volume_of large)"
check "the small one is still Available" volume_phase_is e2e-small Available
kube delete pv e2e-small >/dev/null
kube delete pvc --all --wait=false >/dev/null
wait_for 60 "deleted, the directory is gone" directories_are 0
kube delete pv e2e-static >/dev/null

chapter "100 claims, with the controller-manager at work on them, too"
claims many 1 100 e2e-immediate
wait_for 120 "all are Bound" claims_bound 100
check_equal "to 100 PersistentVolumes" 100 "$(volumes_here | wc -l)"
check_equal "and 100 directories" 100 "$(directories_here)"
printf '%s of them were served before the controller-manager asked\n' "$(unasked)"

chapter "Deleted as soon as they are made"
kube delete pvc -l e2e=yes --wait=false >/dev/null
claims brief 1 30 e2e-immediate
kube delete pvc -l e2e=yes --wait=false >/dev/null
wait_for 120 "the claims are gone" gone pvc -l e2e=yes
wait_for 120 "no volume is left" no_volumes_here
wait_for 30 "no directory either" directories_are 0
summary
