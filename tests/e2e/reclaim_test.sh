#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What becomes of data under each onDelete, who gets them back, and what kubelet hears of volumes.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

base=/var/lib/ordinal
archive=$base/.ordinal/archive

end_set() { # NAME: with its pods and claims
  kube delete statefulset "$1" >/dev/null
  kube delete pod -l set="$1" --grace-period=0 --force >/dev/null 2>&1 || :
  kube delete pvc -l set="$1" --wait=false >/dev/null
}
no_volumes_of_set() {
  local names
  names=$(kube get pv -l "ordinal.dev/statefulset=$1" -o jsonpath="{.items[?(@.spec.claimRef.namespace=='$story_namespace')].metadata.name}") &&
    [ -z "$names" ]
}
archived_once() { [ "$(node_files sh -c "ls -d $archive/$story_namespace/$1/*" | wc -l)" = 1 ]; }
archive_holds() { [ "$(node_files sh -c "cat $archive/$story_namespace/$1/*/name")" = "$2" ]; }
trash_is_empty() { [ -z "$(node_files ls $base/.ordinal/trash)" ]; }
twice() { printf '%s\n%s' "$1" "$1"; }

kubelet_tells_usage() { # CLAIM
  contains "$(kube get --raw /api/v1/nodes/node-1/proxy/stats/summary |
    tr -d ' \n' | grep -o "\"usedBytes\":[0-9]*,[^}]*\"pvcRef\":{\"name\":\"$1\"" || :)" pvcRef
}

begin e2e-reclaim

chapter "onDelete: archive. Deleted with its claims, a set leaves its data in the archive"
class e2e-archive '{onDelete: archive, reuse: ordinal}'
SET_CLASS=e2e-archive set_of web disk
wait_for 180 "the set is ready" set_ready web
claim watched
pod watched watched
end_set web
wait_for 120 "its PVs go" no_volumes_of_set web
check "the data of replica 0 are archived under their path" archive_holds web/disk-0 web-0
check "and those of replica 1" archive_holds web/disk-1 web-1
check "their place is free" node_lacks "$base/$story_namespace/web"

chapter "reuse: ordinal. Created again, each replica has its own data back"
SET_CLASS=e2e-archive set_of web disk
wait_for 180 "the set is ready" set_ready web
wait_for 20 "replica 0 goes on where it was" holds "$base/$story_namespace/web/disk-0/name" "$(twice web-0)"
wait_for 20 "and replica 1" holds "$base/$story_namespace/web/disk-1/name" "$(twice web-1)"
check "the archive is empty" node_lacks "$archive/$story_namespace"
end_set web
wait_for 120 "deleted again, its PVs go" no_volumes_of_set web
check "and there is one archive of each" archived_once web/disk-0

chapter "A namespace of the same name is another one: nobody's data for it"
other=$story_namespace-other
kube create namespace "$other" >/dev/null
story_namespace=$other
SET_CLASS=e2e-archive set_of web disk
wait_for 180 "a set there is ready" set_ready web
wait_for 20 "it writes" holds "$base/$other/web/disk-0/name" web-0
end_set web
wait_for 120 "deleted, its PVs go" no_volumes_of_set web
kube delete namespace "$other" >/dev/null
kube create namespace "$other" >/dev/null
SET_CLASS=e2e-archive set_of web disk
wait_for 180 "the same set in the same namespace, created anew, is ready" set_ready web
wait_for 20 "it starts empty" holds "$base/$other/web/disk-0/name" web-0
check "the archive of the earlier one is still there" archive_holds web/disk-0 web-0
end_set web
wait_for 120 "deleted, its PVs go" no_volumes_of_set web
kube delete namespace "$other" --wait=false >/dev/null
story_namespace=e2e-reclaim

chapter "onDelete: retain. The data stay at their place, for the same replica or for nobody"
class e2e-retain '{onDelete: retain, reuse: ordinal}'
class e2e-retain-never '{onDelete: retain}'
SET_CLASS=e2e-retain set_of db disk
wait_for 180 "the set is ready" set_ready db
end_set db
wait_for 120 "its PVs go" no_volumes_of_set db
check "its data stay" holds "$base/$story_namespace/db/disk-1/name" db-1
SET_CLASS=e2e-retain-never set_of db disk
wait_for 180 "with a class that does not reuse, the set is ready" set_ready db
newest=$base/$story_namespace/db/disk-1@$(volume_of disk-db-1)
wait_for 20 "on volumes of its own" holds "$newest/name" db-1
check "beside the data" holds "$base/$story_namespace/db/disk-1/name" db-1
end_set db
wait_for 120 "its PVs go" no_volumes_of_set db
SET_CLASS=e2e-retain set_of db disk
wait_for 180 "with reuse the set is ready" set_ready db
wait_for 20 "on the newest data of its replica" holds "$newest/name" "$(twice db-1)"
end_set db
wait_for 120 "its PVs go" no_volumes_of_set db

chapter "archiveTTL. Old archives are swept"
class e2e-ttl '{onDelete: archive, archiveTTL: 10s}'
claim short e2e-ttl
pod short short 'echo x > /data/file; sleep 1000000000'
wait_for 90 "a pod has written" pod_ready short
volume=$(volume_of short)
kube delete pod short --grace-period=0 --force >/dev/null 2>&1
kube delete pvc short --wait=false >/dev/null
wait_for 60 "the PV is gone" gone pv "$volume"
wait_for 60 "its archive goes" node_lacks "$archive/$story_namespace/short"

chapter "Many files are removed behind the claim's back"
claim big
# shellcheck disable=SC2016 # expanded in the pod
pod big big 'for i in $(seq 100); do mkdir /data/$i; cd /data/$i; seq 200 | xargs touch; done; touch /data/full; sleep 1000000000'
wait_for 90 "a pod has written 20,000 files" node_files sh -c "test -e $base/$story_namespace/big/*/full"
volume=$(volume_of big)
kube delete pod big --grace-period=0 --force >/dev/null 2>&1
kube delete pvc big --wait=false >/dev/null
wait_for 60 "the PV is gone" gone pv "$volume"
wait_for 60 "and then the files" trash_is_empty

chapter "persistentVolumeClaimRetentionPolicy, as newer clusters have it"
if contains "$(kube explain statefulset.spec --recursive 2>/dev/null)" persistentVolumeClaimRetentionPolicy; then
  set_of kept data
  wait_for 90 "the set is ready" set_ready kept
  kube patch statefulset kept -p '{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenScaled":"Delete","whenDeleted":"Delete"}}}' >/dev/null
  volume=$(volume_of data-kept-1)
  kube scale statefulset kept --replicas=1 >/dev/null
  wait_for 120 "scaled down, replica 1 loses its claim" gone pvc data-kept-1
  wait_for 60 "its PV" gone pv "$volume"
  wait_for 60 "and its data" node_lacks "$base/$story_namespace/kept/data-1"
  check "replica 0 has its own" node_has "$base/$story_namespace/kept/data-0/name"
  kube delete statefulset kept >/dev/null
  wait_for 120 "when the set is deleted, so does replica 0" gone pvc data-kept-0
  wait_for 60 "with its data" node_lacks "$base/$story_namespace/kept/data-0"
else
  echo "not run: this API server has no persistentVolumeClaimRetentionPolicy (1.23 and later may have it)"
fi

chapter "kubelet hears how full a volume is"
wait_for 150 "its summary has the claim" kubelet_tells_usage watched

kube delete pod watched --grace-period=0 --force >/dev/null 2>&1
node_files rm -rf "$archive/$story_namespace" "$archive/$story_namespace-other" "$base/$story_namespace/db"
summary
