#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# servers: the replicas of a set on several exports, ordinal n on n mod their number, where they stay.
# By a driver and a provisioner on this machine, which has the exports as folders: where volumes are
# made needs no NFS. The pods wait for ever; nfs_spread_test has some that mount.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/host.sh
. "$(dirname "$0")/host.sh"

ns=e2e-spread
driver_name=spread.ordinal.dev
names=(nfs-a nfs-b nfs-c nfs-d)

start_driver() {
  local name flags=()
  for name in "${names[@]}" nfs-away; do flags+=("--export=$name:/export=$host_dir/$name"); done
  host_start driver "$project/build/ordinal-csi" --backend=nfs --drivername=$driver_name --nodeid=none \
    --endpoint="unix://$host_dir/csi.sock" --mount-dir="$host_dir/mounts" "${flags[@]}"
}

# spread_class NAME SERVER...: its data stay, and are taken up again
spread_class() {
  local class=$1 list
  shift
  list=$(printf '%s:/export, ' "$@")
  CLASS_DRIVER=$driver_name class "$class" "{servers: '${list%, }', onDelete: retain, reuse: ordinal}" Delete Immediate
}

# claiming_set REPLICAS: web, with the claims disk and log for each, and pods that no node gets
claiming_set() {
  local template templates=''
  for template in disk log; do
    templates+="{metadata: {name: $template}, spec: {accessModes: [ReadWriteOnce], storageClassName: $ns, resources: {requests: {storage: 1Mi}}}},"
  done
  kube apply -f - >/dev/null <<END
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: none
  podManagementPolicy: Parallel
  replicas: $1
  selector: {matchLabels: {set: web}}
  template:
    metadata: {labels: {set: web}}
    spec:
      nodeSelector: {e2e: no-such-node}
      containers: [{name: main, image: "ordinal.dev/busybox:lab", imagePullPolicy: IfNotPresent}]
  volumeClaimTemplates: [$templates]
END
}
bound() { # COUNT: of the set's claims
  [ "$(kube get pvc -l set=web -o jsonpath='{range .items[?(@.status.phase=="Bound")]}{.metadata.name}{"\n"}{end}' | wc -l)" = "$1" ]
}
attribute() { kube get pv "$(volume_of "$1")" -o jsonpath="$2"; } # CLAIM JSONPATH
path_of() { attribute "$1" '{.spec.csi.volumeAttributes.ordinal\.dev/path}'; }

# check_home TEMPLATE ORDINAL SERVER: that replica's volume is there, by what the PersistentVolume says
check_home() {
  check_equal "the $1 of web-$2 is on $3" "$3:/export/$ns/web/$1-$2" "$(path_of "$1-web-$2")"
  check "which its handle names" contains "$(attribute "$1-web-$2" '{.spec.csi.volumeHandle}')" ":$3:/export"
  check "and has its directory" test -d "$host_dir/$3/$ns/web/$1-$2"
}
# The server that has a claim of no set.
server_of() { path_of "$1" | cut -d: -f1; }

begin $ns
for name in "${names[@]}"; do mkdir "$host_dir/$name"; done
start_driver
provisioner provisioner --retry-interval-start=200ms --retry-interval-max=5s

chapter "Three servers: ordinal n is on n mod 3, with all its templates"
spread_class $ns nfs-a nfs-b nfs-c
claiming_set 5
wait_for 120 "five replicas have two volumes each" bound 10
homes=(nfs-a nfs-b nfs-c nfs-a nfs-b)
for i in "${!homes[@]}"; do
  check_home disk "$i" "${homes[i]}"
  check_home log "$i" "${homes[i]}"
done
check_equal "there is no other directory" 10 "$(find "$host_dir"/nfs-?/$ns/web -mindepth 1 -maxdepth 1 | wc -l)"
check "every node reaches them" test -z "$(attribute disk-web-0 '{.spec.nodeAffinity}')"

chapter "A claim of no set: its name decides, every time"
for i in 1 2 3 4 5 6; do claim "plain-$i" $ns; done
wait_for 60 "six are Bound" claims_bound 6
first=$(for i in 1 2 3 4 5 6; do server_of "plain-$i"; done)
check "they are not all on one server" test "$(sort -u <<<"$first" | wc -l)" -gt 1
kube delete pvc -l e2e=yes >/dev/null
for i in 1 2 3 4 5 6; do claim "plain-$i" $ns; done
wait_for 60 "made again, they are Bound" claims_bound 6
check_equal "each where it was" "$first" "$(for i in 1 2 3 4 5 6; do server_of "plain-$i"; done)"

chapter "Deleted, and created again by a class with another list: each replica is where its data are"
for i in "${!homes[@]}"; do
  echo "web-$i" >"$host_dir/${homes[i]}/$ns/web/disk-$i/name"
done
kube delete statefulset web >/dev/null
kube delete pod -l set=web --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc -l set=web --wait=false >/dev/null
wait_for 120 "its volumes are gone" gone pv -l ordinal.dev/statefulset=web
kube delete storageclass $ns >/dev/null
spread_class $ns nfs-d nfs-c nfs-b nfs-a
host_end driver
start_driver
claiming_set 8
wait_for 180 "eight replicas have two volumes each" bound 16
for i in "${!homes[@]}"; do
  check_home disk "$i" "${homes[i]}"
  check_equal "with what web-$i wrote" "web-$i" "$(cat "$host_dir/${homes[i]}/$ns/web/disk-$i/name")"
  wait_for 30 "and an event that says so" event_says "disk-web-$i" DataTakenUp "the data of the same replica's earlier one"
done
check_home disk 5 nfs-c
check_home disk 6 nfs-b
check_home disk 7 nfs-a

chapter "A server that cannot be asked: nothing new is made, and what there is goes on"
spread_class $ns-away nfs-a nfs-away
claim waits $ns-away
wait_for 60 "an event says which one it is" event_says waits ProvisioningFailed \
  "no volume is made before nfs-away:/export has said whether it has it"
check "the claim is Pending" claim_is waits Pending
volume=$(volume_of plain-1)
kube delete pvc plain-1 --wait=false >/dev/null
wait_for 60 "a volume of another server is deleted" gone pv "$volume"
mkdir "$host_dir/nfs-away"
wait_for 60 "it is there: the claim is Bound" claim_is waits Bound

kube delete statefulset web >/dev/null
kube delete pod -l set=web --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc --all --wait=false >/dev/null
wait_for 120 "deleted, no volume is left" no_volumes_here
summary
