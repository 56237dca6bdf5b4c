#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A driver that is not ours, and does not always do what it should: secrets, sources, refusals of
# every kind, and claims that are deleted while it is slow.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/host.sh
. "$(dirname "$0")/host.sh"

capabilities=controller,create-delete,list,expand,clone
finalizer=provisioner.storage.kubernetes.io/cloning-protection

start_provisioner() { provisioner provisioner --retry-interval-start=200ms --retry-interval-max=10s; }
protected() { contains "$(kube get pvc "$1" -o jsonpath='{.metadata.finalizers}')" $finalizer; }
unprotected() { ! protected "$1"; }
pv_field() { kube get pv "$(volume_of "$1")" -o jsonpath="$2"; } # CLAIM JSONPATH
handle_of() { pv_field "$1" '{.spec.csi.volumeHandle}'; }
told_once() { [ "$(events_saying "$1" ProvisioningFailed "$2")" = "1 2" ]; } # CLAIM WORDS
name_of() { echo "pvc-$(kube get pvc "$1" -o jsonpath='{.metadata.uid}')"; } # CLAIM: the volume's

# check_nothing_left: of claims that were deleted
check_nothing_left() {
  wait_for 60 "the claims are gone" gone pvc -l e2e=yes
  wait_for 60 "the driver has no volume" driver_has 0
  wait_for 30 "no PersistentVolume is there" no_volumes_here
  wait_for 30 "the journal is empty" journal_is_empty
}
delete_all() {
  kube delete pvc -l e2e=yes --wait=false >/dev/null
}

begin e2e-anydriver
CLASS_DRIVER=$driver_name class e2e-scripted '{}' Delete Immediate
# shellcheck disable=SC2016 # the variables are the class's
CLASS_DRIVER=$driver_name class e2e-secrets '{
  csi.storage.k8s.io/provisioner-secret-name: "${pvc.name}-key",
  csi.storage.k8s.io/provisioner-secret-namespace: "${pvc.namespace}",
  csi.storage.k8s.io/node-publish-secret-name: "${pv.name}",
  csi.storage.k8s.io/node-publish-secret-namespace: "${pvc.namespace}"}' Delete Immediate
driver --caps=$capabilities
start_provisioner

chapter "Secrets: named by the class, and told when they are missing"
claim guarded e2e-secrets
wait_for 60 "an event says which one is missing" event_says guarded ProvisioningFailed 'secrets "guarded-key" not found'
check "the driver was not asked" host_line_count driver "^CreateVolume" 0
kube create secret generic guarded-key --from-literal=user=me --from-literal=password=sesame >/dev/null
wait_for 60 "once it is there, the claim is Bound" claim_is guarded Bound
check "the driver got what is in it" host_says driver "^CreateVolume secrets \(user,password\|password,user\)"
check_equal "the PersistentVolume names the node's secret" "$(name_of guarded) $story_namespace" \
  "$(pv_field guarded '{.spec.csi.nodePublishSecretRef.name} {.spec.csi.nodePublishSecretRef.namespace}')"
check "no log holds a secret" test -z "$(grep -l sesame "$host_dir"/*.log)"
delete_all
check_nothing_left
check "the driver got the secret for deleting, too" host_says driver "^DeleteVolume secrets \(user,password\|password,user\)"

chapter "A claim as the source of another: kept while it is copied"
claim original e2e-scripted
wait_for 60 "the original is Bound" claim_is original Bound
driver_again --caps=$capabilities --delay-ms=2000
claim copy e2e-scripted 1Mi "dataSource: {kind: PersistentVolumeClaim, name: original}"
wait_for 30 "while it is copied, the original is protected" protected original
wait_for 60 "the copy is Bound" claim_is copy Bound
check "the driver copied the original's volume" host_says driver "^CreateVolume source $(handle_of original)"
wait_for 60 "the protection goes" unprotected original
driver_again --caps=$capabilities
claim small e2e-scripted 512Ki "dataSource: {kind: PersistentVolumeClaim, name: original}"
wait_for 60 "a copy that is smaller is refused" event_says small ProvisioningFailed "more than the claim asks for"
claim orphan e2e-scripted 1Mi "dataSource: {kind: PersistentVolumeClaim, name: nobody}"
wait_for 60 "a copy of nothing waits" event_says orphan ProvisioningFailed '"nobody" not found'
delete_all
check_nothing_left

chapter "A snapshot as the source, where there are no snapshots"
claim plain e2e-scripted 1Mi "dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: monday}"
wait_for 60 "the driver has none: an event says so" \
  event_says plain ProvisioningFailed "driver $driver_name knows no snapshots"
host_end provisioner
driver_again --caps=$capabilities,snapshots
start_provisioner
wait_for 60 "the cluster has none: an event says so" \
  event_says plain ProvisioningFailed "it does not serve that kind of object"
delete_all
check_nothing_left

chapter "A driver that says that it can never be"
driver_again --caps=$capabilities --fail=CreateVolume:3:0
claim never e2e-scripted
wait_for 60 "an event says so" event_says never ProvisioningFailed "infeasible error. Retries will be delayed"
check "in the driver's words" event_says never ProvisioningFailed "the script says so"
sleep 4 # with the usual waits there would be five more tries by now
check_equal "it was not asked again at once" 1 "$(host_lines driver "^CreateVolume - INVALID")"
check_equal "it is told once" "1 1" "$(events_saying never ProvisioningFailed infeasible)"
driver_again --caps=$capabilities
wait_for 60 "once it can, the claim is Bound" claim_is never Bound

chapter "A driver that has no room at first"
driver_again --caps=$capabilities --fail=CreateVolume:8:2
claim full e2e-scripted
wait_for 60 "in the end the claim is Bound" claim_is full Bound
wait_for 30 "an event says why it took so long" event_says full ProvisioningFailed "the script says so"
wait_for 30 "it is one event for both times" told_once full "the script says so"

chapter "A driver that is away for a while"
host_end driver KILL
claim away e2e-scripted
wait_for 60 "an event says so" event_says away ProvisioningFailed "csi.sock"
check "the provisioner still runs" host_runs provisioner
driver --caps=$capabilities
wait_for 60 "once it is back, the claim is Bound" claim_is away Bound
delete_all
check_nothing_left

chapter "A driver that loses its answers"
driver_again --caps=$capabilities --lose=CreateVolume:14:3 --lose=DeleteVolume:14:2
claims lost 1 5 e2e-scripted
wait_for 60 "the claims are Bound" claims_bound 5
check "to one volume each" driver_has 5
delete_all
check_nothing_left

chapter "Claims that are deleted while the driver is slow"
driver_again --caps=$capabilities --delay-ms=3000
made=$(host_lines driver "^CreateVolume pvc-.* OK")
claims slow 1 5 e2e-scripted
wait_for 60 "what it is asked for is in the journal" journal_holds 5
delete_all
wait_for 60 "the claims are gone" gone pvc -l e2e=yes
wait_for 60 "the volumes were made all the same" host_lines_at_least driver "^CreateVolume pvc-.* OK" $((made + 5))
check_nothing_left

chapter "kill -9 of the provisioner meanwhile"
claims killed 1 5 e2e-scripted
wait_for 60 "what the driver is asked for is in the journal" journal_holds 5
host_end provisioner KILL
delete_all
wait_for 60 "the claims are gone" gone pvc -l e2e=yes
check "the journal still knows of them" journal_holds 5
driver_again --caps=$capabilities
start_provisioner
check_nothing_left
wait_for 30 "it asked again, to know what to delete" host_lines_at_least provisioner "deleted volume: the claim needs no volume any more" 5

chapter "kill -9 of both, while volumes are deleted"
claims both 1 10 e2e-scripted
wait_for 60 "the claims are Bound" claims_bound 10
driver_again --caps=$capabilities --crash-after=DeleteVolume:3
delete_all
wait_for 30 "the driver dies" host_says driver "^DeleteVolume .* crash"
host_wait driver
host_end provisioner KILL
driver --caps=$capabilities
start_provisioner
check_nothing_left

host_end provisioner
check_equal "the provisioner ends with code 0" 0 "$host_code"
summary
