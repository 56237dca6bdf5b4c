#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kubectl ordinal: what it shows of a set with three replicas, and what its doctor says of a cluster
# that is well, and of one with a class that can make no volume.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/plugin.sh
. "$(dirname "$0")/plugin.sh"

base=/var/lib/ordinal
# shellcheck disable=SC2034 # common.sh uses it
at_end=(plugin_clean)

# replica ORDINAL FIELD: of the JSON that was printed last
replica() { printed -r --argjson n "$1" ".replicas[] | select(.ordinal == \$n) | .$2"; }
all_ready() {
  ordinal get web -n "$story_namespace" -o json &&
    [ "$(printed '[.replicas[] | select(.state == "Ready")] | length')" = 3 ]
}
measured() { # kubelet looks at volumes once a minute
  ordinal get web -n "$story_namespace" -o json &&
    [ "$(printed '[.replicas[] | select(.usedBytes != null)] | length')" = 3 ]
}
doctor_finds() { # OBJECT
  # shellcheck disable=SC2016 # jq's variable
  printed -e --arg object "$1" '.findings[] | select(.object == $object and .level == "problem")' >/dev/null
}

begin e2e-kubectl

chapter "kubectl ordinal get: a line for each replica, with where its data are"
set_of web data
kube scale statefulset web --replicas=3 >/dev/null
wait_for 180 "three replicas are Ready" all_ready
check_equal "replica 2 has its claim" data-web-2 "$(replica 2 claim)"
check_equal "and its volume" "$(volume_of data-web-2)" "$(replica 2 volume)"
check_equal "whose data are on the node" "$(kube get pod web-2 -o jsonpath='{.spec.nodeName}')" "$(replica 2 node)"
check_equal "at this path" "$base/$story_namespace/web/data-2" "$(replica 2 path)"
check_equal "of this size" 1048576 "$(replica 2 sizeBytes)"
wait_for 180 "kubelet tells how much is used" measured
check "the table has it, too" ordinal get web -n "$story_namespace"
check "with the claim" said data-web-2
check "and without colours, as it goes to a file" fails said $'\e'
cat "$plugin_dir/out"
check "the set is found in all namespaces" ordinal get web -A
check "a set that there is not is said to be none" exits 1 ordinal get nothing -n "$story_namespace"
check "in words" said "there is no StatefulSet \"nothing\" in namespace $story_namespace"

chapter "Scaled down, the claim that is left is shown"
kube scale statefulset web --replicas=2 >/dev/null
wait_for 90 "replica 2 has no pod" gone pod web-2
check "get works" ordinal get web -n "$story_namespace" -o json
check_equal "its claim is kept" Kept "$(replica 2 state)"

chapter "kubectl ordinal doctor: all is well"
healthy() { ordinal doctor -n "$story_namespace"; }
wait_for 90 "the exit code is 0" healthy
check "and nothing failed" fails said FAIL
cat "$plugin_dir/out"

chapter "A class that can make no volume, and a claim that waits for it"
class e2e-kubectl-broken '{onDelet: archive}' Delete Immediate
claim waits e2e-kubectl-broken
wait_for 120 "the claim's event says so" event_says waits ProvisioningFailed onDelet
check "doctor exits with 1" exits 1 ordinal doctor -n "$story_namespace"
check "and names the parameter" said 'unknown parameter "onDelet"'
cat "$plugin_dir/out"
check "the same as JSON" exits 1 ordinal doctor -n "$story_namespace" -o json
check_equal "it is not healthy" false "$(printed -r .healthy)"
check "it names the class" doctor_finds StorageClass/e2e-kubectl-broken
check "and the claim" doctor_finds "PersistentVolumeClaim/$story_namespace/waits"

kube delete pvc waits --wait=false >/dev/null
kube delete storageclass e2e-kubectl-broken >/dev/null
wait_for 90 "without them all is well again" healthy
kube delete statefulset web >/dev/null
kube delete pod --all --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc --all --wait=false >/dev/null
wait_for 120 "the set's volumes go" no_volumes_here
summary
