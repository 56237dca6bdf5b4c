#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# reuse: ordinal. Sets and claims are deleted and created again, and each replica has its own data.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

base=/var/lib/ordinal

end_set() { # NAME: with its pods and claims
  kube delete statefulset "$1" >/dev/null
  kube delete pod -l set="$1" --grace-period=0 --force >/dev/null 2>&1 || :
  kube delete pvc -l set="$1" --wait=false >/dev/null
}
volumes_of_set() { # NAME: "NAME PHASE", a line each
  kube get pv -l "ordinal.dev/statefulset=$1" \
    -o jsonpath="{range .items[?(@.spec.claimRef.namespace=='$story_namespace')]}{.metadata.name} {.status.phase}{'\n'}{end}"
}
volumes_are() { # NAME COUNT PHASE
  local volumes
  volumes=$(volumes_of_set "$1") && [ "$(grep -c " $3\$" <<<"$volumes" || :)" = "$2" ] &&
    [ "$(grep -c . <<<"$volumes" || :)" = "$2" ]
}
no_volumes_of_set() { [ -z "$(volumes_of_set "$1")" ]; }
same() { [ "$1" = "$2" ]; }
twice() { printf '%s\n%s' "$1" "$1"; }

begin e2e-reuse

chapter "reclaimPolicy: Retain. The PersistentVolumes stay, and each replica gets its own back"
class e2e-reuse-retain '{reuse: ordinal}' Retain
SET_CLASS=e2e-reuse-retain set_of web disk
wait_for 180 "the set is ready" set_ready web
first=$(volume_of disk-web-0) second=$(volume_of disk-web-1)
end_set web
wait_for 120 "its two PVs are Released" volumes_are web 2 Released
SET_CLASS=e2e-reuse-retain set_of web disk
wait_for 180 "created again, the set is ready" set_ready web
check "replica 0 has its volume" same "$(volume_of disk-web-0)" "$first"
check "replica 1 has its own" same "$(volume_of disk-web-1)" "$second"
check "there is no other" volumes_are web 2 Bound
wait_for 20 "replica 0 goes on with its data" holds "$base/$story_namespace/web/disk-0/name" "$(twice web-0)"
wait_for 20 "and replica 1" holds "$base/$story_namespace/web/disk-1/name" "$(twice web-1)"
wait_for 20 "an event says so" event_says disk-web-1 VolumeReused "$second"

chapter "A claim that asks for less than its replica had is refused, in words"
end_set web
wait_for 120 "its PVs are Released" volumes_are web 2 Released
kube apply -f - >/dev/null <<END
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: none
  replicas: 1
  selector: {matchLabels: {set: web}}
  template:
    metadata: {labels: {set: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: "ordinal.dev/busybox:lab", imagePullPolicy: IfNotPresent, command: [sleep, "1000000000"]}]
      volumes: []
  volumeClaimTemplates: [{metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], storageClassName: e2e-reuse-retain, resources: {requests: {storage: 4Ki}}}}]
END
wait_for 90 "the claim's event says what to ask for" event_says disk-web-0 ProvisioningFailed "asks for only 4Ki: let it ask for 1Mi"
check "it is Pending" claim_is disk-web-0 Pending
check "and nobody took the data" holds "$base/$story_namespace/web/disk-0/name" "$(twice web-0)"
end_set web

chapter "PV objects gone altogether: what the driver retained is found without them"
class e2e-reuse-driver '{onDelete: retain, reuse: ordinal}'
SET_CLASS=e2e-reuse-driver set_of db disk
wait_for 180 "the set is ready" set_ready db
end_set db
wait_for 120 "no PV of it is left" no_volumes_of_set db
SET_CLASS=e2e-reuse-driver set_of db disk
wait_for 180 "created again, the set is ready" set_ready db
wait_for 20 "replica 0 goes on with its data" holds "$base/$story_namespace/db/disk-0/name" "$(twice db-0)"
wait_for 20 "and replica 1" holds "$base/$story_namespace/db/disk-1/name" "$(twice db-1)"

chapter "Deleted and created again at once, each replica still has its own data"
kube delete statefulset db >/dev/null
kube delete pod -l set=db --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc -l set=db --wait=true --timeout=60s >/dev/null
SET_CLASS=e2e-reuse-driver set_of db disk
wait_for 180 "the set is ready" set_ready db
wait_for 20 "replica 0 has three starts behind it" holds "$base/$story_namespace/db/disk-0/name" "$(printf 'db-0\ndb-0\ndb-0')"
wait_for 20 "and replica 1" holds "$base/$story_namespace/db/disk-1/name" "$(printf 'db-1\ndb-1\ndb-1')"

end_set db
wait_for 120 "the PVs of the last set go" no_volumes_of_set db
kube delete pv -l ordinal.dev/statefulset=web --wait=false >/dev/null
kube delete storageclass e2e-reuse-retain e2e-reuse-driver >/dev/null
node_files rm -rf "$base/$story_namespace"
summary
