#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nfs-dynamic with a server in the cluster, whose disk is a claim: volumes on it, the server made again
# under running pods, and removing all of it, in the documented order and in the other.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/nfs.sh
. "$(dirname "$0")/nfs.sh"

ns=e2e-server
ordinal_folder=deploy/nfs-dynamic/overlays/in-cluster-server
NFS_SERVER=''
before_install=(server_disk)
at_end=(server_end)

on_disk() { "$lab" node exec node-1 -- "$@"; }
disk_holds() { [ "$(on_disk cat "/srv/export/$1" 2>/dev/null)" = "$2" ]; }           # PATH TEXT
disk_lines() { [ "$(on_disk cat "/srv/export/$1" 2>/dev/null | wc -l)" -ge "$2" ]; } # PATH COUNT
disk_lacks() { ! on_disk test -e "/srv/export/$1"; }

# A disk with ext4 and quotas of node-1's, as an administrator's volume for the claim "nfs". What another test has
# installed goes: its class is another one under the same name.
server_disk() {
  local image=$e2e_project/build/nfs-server-image.tar
  uninstall_ordinal
  wait_for 120 "nothing is installed" nothing_left
  "$e2e_project/hack/image" nfs-server -o "$image" >/dev/null
  "$lab" load-image "$image"
  # shellcheck disable=SC2016
  on_disk sh -c 'grep -q " /srv " /proc/mounts || {
    modprobe loop && truncate -s 256M /tmp/disk &&
      mke2fs -q -t ext4 -O quota,project -E quotatype=prjquota /tmp/disk && mkdir -p /srv && mount -o loop,prjquota /tmp/disk /srv
  }'
  cluster_kubectl apply -f - >/dev/null <<END
apiVersion: v1
kind: PersistentVolume
metadata: {name: e2e-server-disk}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  claimRef: {namespace: nfs-dynamic, name: nfs}
  hostPath: {path: /srv, type: Directory}
  nodeAffinity:
    required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-1]}]}]}
END
}

server_end() {
  local until=$((SECONDS + 60))
  kube delete statefulset --all --wait=false >/dev/null 2>&1
  kube delete pod --all --grace-period=0 --force --wait=false >/dev/null 2>&1
  kube delete pvc --all --wait=false >/dev/null 2>&1
  until no_volumes_here || [ $SECONDS -gt $until ]; do sleep 0.5; done
  uninstall_ordinal
  KUBECTL="$lab kubectl" "$e2e_project/hack/release-volumes" --all >/dev/null
  until nothing_left || [ $SECONDS -gt $((until + 60)) ]; do sleep 0.5; done
  cluster_kubectl delete pv e2e-server-disk --wait=false >/dev/null 2>&1
}

server_pod() { cluster_kubectl -n nfs-dynamic get pod -l app.kubernetes.io/name=nfs-provisioner -o jsonpath='{.items[0].metadata.uid}'; }
server_is_another() { # UID: made again, and ready
  [ "$(server_pod)" != "$1" ] && ordinal_runs
}
beats() { kube exec web-1 -- sh -c 'date >> /data/name'; }

size_of() { on_disk sh -c "stat -f -c '%b %S' '/srv/export/$1' | awk '{print \$1 * \$2}'"; } # PATH: as the server's disk tells it
disk_size_is() { [ "$(size_of "$1")" = "$2" ]; }
grow() { kube patch pvc "$1" --type=merge -p "{\"spec\": {\"resources\": {\"requests\": {\"storage\": \"$2\"}}}}" >/dev/null; }

# What the overlay makes is gone, but for what is the users'.
nothing_left() {
  gone namespace nfs-dynamic && gone storageclass nfs-dynamic && gone csidriver nfs.ordinal.dev &&
    gone clusterrole nfs-provisioner-runner && gone clusterrolebinding run-nfs-provisioner
}

begin $ns

chapter "Volumes on the server in the cluster"
SET_CLASS=nfs-dynamic set_of web data
wait_for 240 "two replicas are ready" set_ready web
check "on both nodes" test "$(node_of web-0)" != "$(node_of web-1)"
for i in 0 1; do
  check "the server's disk has what web-$i wrote" disk_holds "$ns/web/data-$i/name" "web-$i"
done

chapter "Sizes are enforced at the server, by quotas of its disk"
check_equal "the PersistentVolume says so" enforced \
  "$(kube get pv "$(volume_of data-web-0)" -o jsonpath='{.spec.csi.volumeAttributes.ordinal\.dev/quota}')"
check "the directory on the disk has the claim's size" disk_size_is "$ns/web/data-0" 1048576
check_quota web-0 /data 896 1024
check_equal "the other replica has its own" 512 "$(kib_written web-1 /data 512)"
grow data-web-0 3Mi
wait_for 60 "the claim grows" claim_has data-web-0 3Mi
check "and with it the limit" disk_size_is "$ns/web/data-0" 3145728
check_quota web-0 /data 2816 3072

chapter "The server is made again: no data are lost, and pods go on"
uid=$(server_pod)
cluster_kubectl -n nfs-dynamic delete pod -l app.kubernetes.io/name=nfs-provisioner --grace-period=0 --force >/dev/null 2>&1
wait_for 240 "it is another pod" server_is_another "$uid"
wait_for 180 "a running pod writes on" beats
check "after what it wrote before" disk_lines "$ns/web/data-1/name" 2
uid=$(uid_of web-0)
kube delete pod web-0 --grace-period=0 --force >/dev/null 2>&1
wait_for 180 "a pod made now has its volume" is_another_pod web-0 "$uid"
wait_for 30 "and what is on it" disk_lines "$ns/web/data-0/name" 2
claim later nfs-dynamic
wait_for 120 "new claims are served" claim_is later Bound

chapter "Removed in the documented order"
kube delete statefulset web >/dev/null
kube delete pod --all --grace-period=0 --force >/dev/null 2>&1
kube delete pvc later data-web-0 --wait=false >/dev/null
wait_for 120 "the data of a claim that is deleted go" disk_lacks "$ns/web/data-0"
wait_for 90 "pods have given back their mounts" no_volume_mounted node-1
wait_for 90 "on both nodes" no_volume_mounted node-2
volume=$(volume_of data-web-1)
uninstall_ordinal
wait_for 180 "nothing of nfs-dynamic is left" nothing_left
check_equal "but the claim that its user keeps" data-web-1 "$(kube get pvc -o jsonpath='{.items[*].metadata.name}')"
check "with its PersistentVolume" test "$volume" = "$(kube get pv "$volume" -o jsonpath='{.metadata.name}')"
check "and its data" disk_lines "$ns/web/data-1/name" 2

chapter "Removed in the other order, claims wait for nobody: one command frees them"
kube delete pvc data-web-1 --wait=false >/dev/null
kube delete pv "$volume" --wait=false >/dev/null
wait_for 60 "the claim is gone" gone pvc data-web-1
check "the PersistentVolume waits for its provisioner" test -n "$(kube get pv "$volume" -o name)"
KUBECTL="$lab kubectl" "$e2e_project/hack/release-volumes" >/dev/null
wait_for 60 "hack/release-volumes lets it go" gone pv "$volume"
check "its data stay" disk_lines "$ns/web/data-1/name" 2
summary
