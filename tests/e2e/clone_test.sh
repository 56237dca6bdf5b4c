#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Claims of our driver that begin as a copy of another: of one that nobody uses, and, only where that
# is asked for, of one that a pod writes to.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

data_of() { echo "/var/lib/ordinal/$story_namespace/$1/$(volume_of "$1")"; } # CLAIM
copy_of() { claim "$1" e2e-copies "${3:-1Mi}" "dataSource: {kind: PersistentVolumeClaim, name: $2}"; } # NEW OLD [SIZE]

begin e2e-clone
class e2e-copies '{}' Delete Immediate
claim original e2e-copies
pod writer original 'mkdir /data/folder; echo one > /data/folder/file; ln -s folder/file /data/link; sleep 1000000000'
wait_for 90 "a pod has written" pod_ready writer
wait_for 20 "its data are there" holds "$(data_of original)/folder/file" one

chapter "While a pod uses it, a copy would be torn"
copy_of refused original
wait_for 60 "an event says that it is in use" event_says refused ProvisioningFailed "ordinal.dev/allow-live-copy"
check "the claim is Pending" claim_is refused Pending
check "no directory is made" node_lacks "/var/lib/ordinal/$story_namespace/refused"
CLAIM_NOTES='{ordinal.dev/allow-live-copy: "true"}' copy_of live original
wait_for 60 "with the annotation that the event names it is Bound" claim_is live Bound
check "and has the data" holds "$(data_of live)/folder/file" one

chapter "When nobody uses it any more, it is copied"
kube delete pod writer --grace-period=0 --force >/dev/null 2>&1
wait_for 120 "the claim that waited is Bound" claim_is refused Bound
check "it has the data" holds "$(data_of refused)/folder/file" one
check_equal "and the link" folder/file "$(node_files readlink "$(data_of refused)/link")"

chapter "A copy is a volume of its own"
pod reader refused 'echo two > /data/folder/file; sleep 1000000000'
wait_for 90 "a pod writes to it" pod_ready reader
wait_for 20 "it has what the pod wrote" holds "$(data_of refused)/folder/file" two
check "the original has what it had" holds "$(data_of original)/folder/file" one
copy_of small original 512Ki
wait_for 60 "a copy that is smaller is refused" event_says small ProvisioningFailed "ask for at least that much"
kube delete pvc original --wait=false >/dev/null
wait_for 60 "the original goes" gone pvc original
check "the copies stay" holds "$(data_of live)/folder/file" one

kube delete pod reader --grace-period=0 --force >/dev/null 2>&1
kube delete pvc --all --wait=false >/dev/null
wait_for 60 "deleted, nothing is left" no_volumes_here
check "nor on the disk" node_lacks "/var/lib/ordinal/$story_namespace"
summary
