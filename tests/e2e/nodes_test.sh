#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two nodes: each replica's data are on the disk of its own node, where it comes back to; claims that
# wait for nobody are shared out; and each node's volumes are deleted by its own driver. The last
# test on a lab: the node stays.
#
# usage: tests/e2e/nodes_test.sh [uml]      uml: on two nodes with kernels of their own, by nfs-dynamic's overlay
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

base=/var/lib/ordinal
if [ "${1:-}" = uml ]; then
  lab_nodes=(--uml 2)
  ordinal_folder=deploy/nfs-dynamic/overlays/host-path
  before_install=(quota_disks)
fi

# The nodes' volumes are on disks with quotas.
quota_disks() {
  local node
  for node in node-1 node-2; do
    "$lab" node exec $node -- sh -c "modprobe loop && truncate -s 64M /tmp/quota-disk &&
      mke2fs -q -t ext4 -O quota,project -E quotatype=prjquota /tmp/quota-disk && mkdir -p $base &&
      mount -o loop,prjquota /tmp/quota-disk $base"
  done
}

file_on() { "$lab" node exec "$1" -- cat "$2" 2>/dev/null || :; } # NODE FILE
lacks_on() { ! "$lab" node exec "$1" -- test -e "$2"; }           # NODE FILE
lines_on() { [ "$(file_on "$1" "$2" | wc -l)" = "$3" ]; }         # NODE FILE COUNT
node_of() { kube get pod "$1" -o jsonpath='{.spec.nodeName}'; }
# The node that a volume's affinity names.
home_of() { kube get pv "$1" -o jsonpath='{.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]}'; }
selected_for() { kube get pvc "$1" -o jsonpath='{.metadata.annotations.volume\.kubernetes\.io/selected-node}'; }
uid_of() { kube get pod "$1" -o jsonpath='{.metadata.uid}'; }
is_another_pod() { # NAME UID: the set has made it again, and it is ready
  [ "$(uid_of "$1" 2>/dev/null)" != "$2" ] && pod_ready "$1"
}
other_than() { if [ "$1" = node-1 ]; then echo node-2; else echo node-1; fi; }

# spread_set NAME CLASS: two replicas, never on the same node, that write their names
spread_set() {
  kube apply -f - >/dev/null <<END
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: $1}
spec:
  serviceName: none
  podManagementPolicy: Parallel
  replicas: 2
  selector: {matchLabels: {set: $1}}
  template:
    metadata: {labels: {set: $1}}
    spec:
      terminationGracePeriodSeconds: 0
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {set: $1}}}
      containers:
        - name: main
          image: ordinal.dev/busybox:lab
          imagePullPolicy: IfNotPresent
          command: [sh, -c, "hostname >> /disk/name; sleep 1000000000"]
          volumeMounts: [{name: disk, mountPath: /disk}]
  volumeClaimTemplates:
    - metadata: {name: disk}
      spec: {accessModes: [ReadWriteOnce], storageClassName: $2, resources: {requests: {storage: 1Mi}}}
END
}

end_set() { # NAME: with its pods and claims
  kube delete statefulset "$1" >/dev/null
  kube delete pod -l set="$1" --grace-period=0 --force >/dev/null 2>&1 || :
  kube delete pvc -l set="$1" --wait=false >/dev/null
}

# check_replicas NAME: each has written, once, on its own node and on no other
check_replicas() {
  local i node dir
  for i in 0 1; do
    node=$(node_of "$1-$i") dir=$base/$story_namespace/$1/disk-$i
    check_equal "the volume of $1-$i is bound to its node" "$node" "$(home_of "$(volume_of "disk-$1-$i")")"
    wait_for 20 "its data are there" lines_on "$node" "$dir/name" 1
    check "and on no other node" lacks_on "$(other_than "$node")" "$dir"
  done
}

begin e2e-nodes
chapter "A second node"
[ "${1:-}" = uml ] || "$lab" node add
wait_for 90 "the driver runs there" \
  kube -n ordinal-system rollout status daemonset/ordinal-hostpath --timeout=1s

chapter "A StatefulSet with a replica on each node"
spread_set web ordinal-hostpath
wait_for 180 "it is ready" set_ready web
check_equal "on two nodes" 2 "$(printf '%s\n' "$(node_of web-0)" "$(node_of web-1)" | sort -u | wc -l)"
check_replicas web

if [ "${1:-}" = uml ]; then
  chapter "Sizes are enforced by quotas of the nodes' disks"
  check_equal "df tells the claim's size" 1024 "$(kube exec web-0 -- df -k /disk | awk 'END {print $2}')"
  for i in 0 1; do check_quota "web-$i" /disk 896 1024; done
fi

chapter "A deleted pod comes back to its data"
for i in 0 1; do
  node=$(node_of "web-$i") uid=$(uid_of "web-$i")
  kube delete pod "web-$i" --grace-period=0 --force >/dev/null 2>&1
  wait_for 120 "web-$i is made again" is_another_pod "web-$i" "$uid"
  check_equal "on its node" "$node" "$(node_of "web-$i")"
  wait_for 20 "with what it had written" lines_on "$node" "$base/$story_namespace/web/disk-$i/name" 2
done

chapter "A class that waits for nobody: the replicas are shared out before there are pods"
class e2e-immediate '{}' Delete Immediate
spread_set db e2e-immediate
wait_for 180 "the set is ready, each replica where its volume was made" set_ready db
check_replicas db
for i in 0 1; do
  check_equal "the claim of db-$i says which node took it" "$(node_of "db-$i")" "$(selected_for "disk-db-$i")"
done
for i in $(seq 10); do claim "plain-$i" e2e-immediate; done
wait_for 120 "ten claims without a pod are Bound" claims_bound 10
check_equal "and there is one volume for each" 14 "$(volumes_here | wc -l)"

chapter "A cordoned node takes no more of them"
kube cordon node-2 >/dev/null
claim cordoned e2e-immediate
wait_for 120 "a claim is Bound" claim_is cordoned Bound
check_equal "on the other" node-1 "$(home_of "$(volume_of cordoned)")"
kube uncordon node-2 >/dev/null

chapter "Deleted by the node that has them"
declare -A homes
for set in web db; do
  for i in 0 1; do homes[$set/disk-$i]=$(home_of "$(volume_of "disk-$set-$i")"); done
done
end_set web
end_set db
kube delete pvc -l e2e=yes --wait=false >/dev/null
wait_for 120 "the PVs are gone" no_volumes_here
for place in "${!homes[@]}"; do
  check "the data of $place are gone from ${homes[$place]}" \
    lacks_on "${homes[$place]}" "$base/$story_namespace/$place"
done
summary
