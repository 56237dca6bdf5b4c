#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nfs-dynamic with a server of one's own, on two nodes whose kernels mount NFS: each replica's
# directory on the server, data that go with a pod from node to node, volumes that pods of both
# nodes share, and all that a pod may ask of a mount.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/nfs.sh
. "$(dirname "$0")/nfs.sh"

ns=e2e-nfs
begin $ns

chapter "A StatefulSet: a directory on the server for each replica"
SET_CLASS=nfs-dynamic set_of web data
wait_for 240 "two replicas are ready" set_ready web
check "on both nodes" test "$(node_of web-0)" != "$(node_of web-1)"
for i in 0 1; do
  check "the server has what web-$i wrote" server_holds "$ns/web/data-$i/name" "web-$i"
done

chapter "A replica moves to the other node, and finds its data"
from=$(node_of web-0) uid=$(uid_of web-0)
kube cordon "$from" >/dev/null
kube delete pod web-0 --grace-period=0 --force >/dev/null 2>&1
wait_for 180 "web-0 is made again" is_another_pod web-0 "$uid"
check "on the other node" test "$(node_of web-0)" != "$from"
check "with what it had written" server_lines "$ns/web/data-0/name" 2
kube uncordon "$from" >/dev/null

chapter "One volume, pods of both nodes: read and written, read-only, a sub-path, a group, no root"
CLAIM_ACCESS=ReadWriteMany claim shared nfs-dynamic
nfs_pod writer node-1 shared '{}' '{mountPath: /data}' 'echo hello > /data/file; mkdir -p /data/sub; sleep 1000000000'
wait_for 120 "a pod writes on one node" pod_ready writer
nfs_pod reader node-2 shared '{}' '{mountPath: /data, readOnly: true}' \
  'touch /data/x 2>/error; sleep 1000000000'
nfs_pod grouped node-2 shared '{runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000}' '{mountPath: /data, subPath: sub}' \
  'echo mine > /data/of-1000; sleep 1000000000'
wait_for 120 "a pod with a read-only mount is ready on the other" pod_ready reader
wait_for 120 "and one that is not root, has a group, and mounts a folder of the volume" pod_ready grouped
check_equal "the reader reads what the writer wrote" hello "$(kube exec reader -- cat /data/file)"
check "and cannot write" contains "$(kube exec reader -- cat /error)" "Read-only file system"
wait_for 20 "the group's file is in the folder" file_in_pod writer /data/sub/of-1000 mine
check_equal "it belongs to user and group of the pod" 1000:2000 "$(kube exec writer -- stat -c %u:%g /data/sub/of-1000)"

chapter "It grows while it is used"
kube patch pvc shared -p '{"spec":{"resources":{"requests":{"storage":"2Mi"}}}}' >/dev/null
wait_for 60 "the claim has its new size" claim_has shared 2Mi
check "its pods went on" pod_ready writer

chapter "A node is drained, and takes its volumes back"
kube delete pod writer reader grouped --grace-period=0 --force >/dev/null 2>&1
from=$(node_of web-1)
kube cordon "$from" >/dev/null
kube delete pod -l set=web --field-selector "spec.nodeName=$from" --grace-period=0 --force >/dev/null 2>&1
wait_for 180 "both replicas are ready on the node that is left" all_on_other web "$from"
wait_for 90 "the drained node holds no mount of a volume" no_volume_mounted "$from"
kube uncordon "$from" >/dev/null

chapter "The driver is replaced under running pods"
kube -n nfs-dynamic rollout restart daemonset/nfs-node >/dev/null
wait_for 240 "a new driver runs on each node" \
  kube -n nfs-dynamic rollout status daemonset/nfs-node --timeout=1s
check "the pods went on, with their volumes" kube exec web-0 -- sh -c 'echo again >> /data/name'
check "as the server sees" server_has "$ns/web/data-0/name"

chapter "The provisioner is killed in the midst of fifty claims"
claims burst 0 49 nfs-dynamic
kube -n nfs-dynamic delete pod -l app.kubernetes.io/name=nfs-provisioner --grace-period=0 --force >/dev/null 2>&1
wait_for 300 "all are Bound" claims_bound_of burst 50
check_equal "to a volume each" 50 "$(volumes_of burst | sort -u | wc -l)"
check_equal "and the server has fifty directories, no more" 50 "$(find "$ganesha_dir/export/$ns" -mindepth 2 -maxdepth 2 -path '*/burst-*' | wc -l)"

chapter "Everything is deleted"
kube delete statefulset web >/dev/null
kube delete pod --all --grace-period=0 --force >/dev/null 2>&1
kube delete pvc --all --wait=false >/dev/null
wait_for 180 "the PVs are gone" no_volumes_here
wait_for 60 "and the directories" server_lacks "$ns/web"
summary
