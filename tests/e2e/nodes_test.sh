#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A second schedulable node is refused with a clear message until it is cordoned; what there was
# before is deleted by the node that has it. The last test on a lab: the node stays.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

begin e2e-nodes
chapter "One node, a volume on it"
claim first
pod uses-first first
wait_for 90 "it is used" pod_ready uses-first
volume=$(volume_of first)

chapter "A second node"
"$lab" node add
wait_for 90 "the driver runs there" \
  kube -n ordinal-system rollout status daemonset/ordinal-hostpath --timeout=1s
claim second
pod uses-second second
wait_for 60 "a new claim is refused, and told what to do" \
  event_says second ProvisioningFailed "leave one schedulable by cordoning or tainting the others"
check "it is Pending" claim_is second Pending

chapter "The second node cordoned"
kube cordon node-2 >/dev/null
kube delete pod uses-second --grace-period=0 --force >/dev/null 2>&1
pod uses-second second
wait_for 120 "the claim that waited is Bound" claim_is second Bound
wait_for 90 "its pod is ready" pod_ready uses-second
check_equal "on the first node" node-1 "$(kube get pod uses-second -o jsonpath='{.spec.nodeName}')"

chapter "Deleted while two drivers run"
kube delete pod uses-first uses-second --grace-period=0 --force >/dev/null 2>&1
kube delete pvc first second --wait=false >/dev/null
wait_for 60 "the PV is gone" gone pv "$volume"
check "the data are gone from the node that had them" node_lacks "/var/lib/ordinal/$story_namespace/first"
summary
