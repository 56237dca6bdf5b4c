#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Driver and provisioner are killed and upgraded under running pods: nobody notices, nothing is lost
# and nothing is made twice.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

# The process of a container on the node, by the program's name; there is one driver on a node.
kill_on_node() {
  # shellcheck disable=SC2016 # expanded on the node
  node_files sh -c 'for p in /proc/[0-9]*; do
    [ "$(readlink $p/exe)" = "$1" ] && kill -9 ${p#/proc/}; done; :' sh "/usr/bin/$1"
}

restarts_of() {
  kube -n ordinal-system get pod -l app.kubernetes.io/name=ordinal-hostpath \
    -o jsonpath="{.items[0].status.containerStatuses[?(@.name=='$1')].restartCount}"
}
restarted() { [ "$(restarts_of "$1")" -gt "$2" ]; }
directories_here() { node_files sh -c "ls -d /var/lib/ordinal/$story_namespace/*/* 2>/dev/null | wc -l"; }
writes() { kube exec steady -- sh -c 'echo more >> /data/log && wc -l < /data/log'; }

# Of the requests that the one on node-1 made, none is open: what was killed has been settled.
journal_is_empty() {
  local data
  data=$(kube -n ordinal-system get configmap ordinal-journal-hostpath-ordinal-dev-node-1 -o jsonpath='{.metadata.name}{.data}') &&
    [ "${data%'{}'}" = ordinal-journal-hostpath-ordinal-dev-node-1 ]
}

count=0
begin e2e-restarts
class e2e-immediate '{}' Delete Immediate
claim steady
pod steady steady
wait_for 90 "a pod with a volume runs" pod_ready steady
check_equal "it writes" 1 "$(writes)"

for program in ordinal-csi ordinal-provisioner; do
  container=driver
  [ $program = ordinal-csi ] || container=provisioner
  chapter "kill -9 of $program while claims come in"
  before=$(restarts_of $container)
  for i in $(seq 10); do claim "$container-$i" e2e-immediate; done
  kill_on_node $program
  for i in $(seq 11 20); do claim "$container-$i" e2e-immediate; done
  wait_for 90 "the container is restarted" restarted $container "$before"
  count=$((count + 20))
  wait_for 120 "all claims are Bound" claims_bound $((count + 1))
  check_equal "each has one volume" $((count + 1)) "$(volumes_here | wc -l)"
  check_equal "and one directory" $((count + 1)) "$(directories_here)"
  wait_for 60 "the journal is empty" journal_is_empty
done

chapter "The DaemonSet is upgraded while claims come in"
kube -n ordinal-system rollout restart daemonset/ordinal-hostpath >/dev/null
for i in $(seq 10); do claim "upgrade-$i" e2e-immediate; done
check "it is rolled out" kube -n ordinal-system rollout status daemonset/ordinal-hostpath --timeout=120s
count=$((count + 10))
wait_for 120 "all claims are Bound" claims_bound $((count + 1))
pod upgraded upgrade-1
wait_for 90 "a new pod gets its volume mounted" pod_ready upgraded
kube delete pod upgraded --grace-period=0 --force >/dev/null 2>&1

chapter "The running pod has not noticed"
check_equal "it still writes to the same file" 2 "$(writes)"
check_equal "and was not restarted" 0 "$(kube get pod steady -o jsonpath='{.status.containerStatuses[0].restartCount}')"

chapter "kill -9 of both while claims are deleted"
kube delete pvc --all --wait=false >/dev/null
kill_on_node ordinal-provisioner
kill_on_node ordinal-csi
kube delete pod steady --grace-period=0 --force >/dev/null 2>&1
wait_for 240 "all volumes go" no_volumes_here
check_equal "and all directories" 0 "$(directories_here)"
wait_for 60 "the journal is empty" journal_is_empty

chapter "kill -9 of both while claims come and go"
for round in 1 2 3; do
  for i in $(seq 5); do claim "brief-$round-$i" e2e-immediate; done
  if [ $round = 2 ]; then kill_on_node ordinal-csi; else kill_on_node ordinal-provisioner; fi
  kube delete pvc -l e2e=yes --wait=false >/dev/null
done
wait_for 60 "the claims are gone" gone pvc -l e2e=yes
wait_for 240 "nothing is left in the journal" journal_is_empty
wait_for 240 "no volume is left" no_volumes_here
check_equal "no directory either" 0 "$(directories_here)"
summary
