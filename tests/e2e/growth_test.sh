#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Claims that grow: by our driver, in use and not, by one that needs the node, and by one that
# cannot.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/host.sh
. "$(dirname "$0")/host.sh"

grow() { kube patch pvc "$1" --type=merge -p "{\"spec\": {\"resources\": {\"requests\": {\"storage\": \"$2\"}}}}" >/dev/null; }
capacity_is() { [ "$(kube get pvc "$1" -o jsonpath='{.status.capacity.storage}')" = "$2" ]; } # CLAIM SIZE
volume_is() { [ "$(kube get pv "$(volume_of "$1")" -o jsonpath='{.spec.capacity.storage}')" = "$2" ]; }
conditions() { kube get pvc "$1" -o jsonpath='{.status.conditions[?(@.status=="True")].type}'; }
condition_is() { [ "$(conditions "$1")" = "$2" ]; }
refuses_to_grow() { # CLAIM SIZE WORDS
  local said
  ! said=$(grow "$1" "$2" 2>&1) && contains "$said" "$3"
}
check_grown() { # CLAIM SIZE
  wait_for 60 "$1: the PersistentVolume has $2" volume_is "$1" "$2"
  wait_for 60 "$1: the claim has $2" capacity_is "$1" "$2"
  wait_for 30 "$1: no condition is left" condition_is "$1" ""
  wait_for 30 "$1: an event says that it began" event_says "$1" Resizing "External resizer is resizing volume $(volume_of "$1")"
  wait_for 30 "$1: and one that it succeeded" event_says "$1" VolumeResizeSuccessful "Resize volume succeeded"
}

begin e2e-growth

chapter "The class that is installed grows"
check_equal "it says so" true "$(kube get storageclass ordinal-hostpath -o jsonpath='{.allowVolumeExpansion}')"
claim used
pod used used
wait_for 90 "a pod uses a claim" pod_ready used
check_equal "of 1 MiB" 1Mi "$(kube get pvc used -o jsonpath='{.status.capacity.storage}')"
grow used 5Mi
check_grown used 5Mi
wait_for 30 "and that nothing enforces it, on a disk without quotas" event_says used SizeNotEnforced "the volume has no quota"
check "the pod can write" kube exec used -- touch /data/still
check_equal "and was not restarted" 0 "$(kube get pod used -o jsonpath='{.status.containerStatuses[0].restartCount}')"
check "the driver's record has the new size" \
  node_files sh -c "grep -q 5242880 \$(grep -l '$(volume_of used)' /var/lib/ordinal/.ordinal/volumes/*.json)"

chapter "Without a pod, and several at once"
CLASS_GROWS=true class e2e-grows '{}' Delete Immediate
claims idle 1 5 e2e-grows
wait_for 60 "claims are Bound" claims_bound 6
for i in 1 2 3 4 5; do grow "idle-$i" "${i}500Ki"; done
for i in 1 2 3 4 5; do wait_for 60 "idle-$i has grown" capacity_is "idle-$i" "${i}500Ki"; done
grow idle-1 10Mi
check_grown idle-1 10Mi

chapter "What is not allowed"
class e2e-grows-not '{}' Delete Immediate
claim fixed e2e-grows-not
wait_for 60 "a claim of another class is Bound" claim_is fixed Bound
check "the API server refuses its growth" refuses_to_grow fixed 2Mi "only dynamically provisioned pvc can be resized"
grow idle-2 7000Pi
wait_for 60 "more than the disk has: an event says so" event_says idle-2 VolumeResizeFailed "ask for less"
check "the claim keeps what it has" capacity_is idle-2 2500Ki

chapter "A driver whose volumes the node has to grow, too"
CLASS_DRIVER=$driver_name CLASS_GROWS=true class e2e-scripted '{}' Delete Immediate
driver --node-expansion
provisioner provisioner --retry-interval-start=200ms --retry-interval-max=5s
claim formatted e2e-scripted
wait_for 60 "a claim is Bound" claim_is formatted Bound
grow formatted 3Mi
wait_for 60 "the PersistentVolume has grown" volume_is formatted 3Mi
wait_for 30 "the claim waits for the node" condition_is formatted FileSystemResizePending
wait_for 30 "an event says so" event_says formatted FileSystemResizeRequired "Require file system resize of volume on node"
check "and has not got it yet" capacity_is formatted 1Mi

chapter "A driver that fails for a while"
host_end driver KILL
driver --fail=ControllerExpandVolume:13:2
claim failing e2e-scripted
wait_for 60 "a claim is Bound" claim_is failing Bound
grow failing 3Mi
wait_for 60 "an event has the driver's words" event_says failing VolumeResizeFailed \
  "resize volume \"$(volume_of failing)\" by resizer \"$driver_name\" failed: the script says so"
check_grown failing 3Mi

chapter "A driver that refuses"
host_end driver KILL
driver --fail=ControllerExpandVolume:11:0
claim refused e2e-scripted
wait_for 60 "a claim is Bound" claim_is refused Bound
grow refused 3Mi
wait_for 60 "an event has the driver's words" event_says refused VolumeResizeFailed "the script says so"
check "the claim keeps what it has" capacity_is refused 1Mi
check "the PersistentVolume, too" volume_is refused 1Mi

chapter "A driver that cannot"
host_end provisioner
host_end driver
driver --caps=controller,create-delete
provisioner provisioner
claim unable e2e-scripted
wait_for 60 "a claim is Bound" claim_is unable Bound
grow unable 3Mi
wait_for 60 "an event says so" event_says unable VolumeResizeFailed \
  "the driver can expand volumes neither itself nor on nodes"

chapter "How far it has come, as newer clusters write it down"
if contains "$(kube explain pvc.status --recursive 2>/dev/null)" allocatedResourceStatuses; then
  check_equal "the refused growth is infeasible" ControllerResizeInfeasible \
    "$(kube get pvc refused -o jsonpath='{.status.allocatedResourceStatuses.storage}')"
  check_equal "the node's is pending" NodeResizePending \
    "$(kube get pvc formatted -o jsonpath='{.status.allocatedResourceStatuses.storage}')"
  check_equal "for the size that was begun" 3Mi \
    "$(kube get pvc formatted -o jsonpath='{.status.allocatedResources.storage}')"
else
  echo "not run: this API server has no allocatedResourceStatuses (1.32 and later have them)"
fi

chapter "What else can be changed while it lives"
if contains "$(cluster_kubectl api-resources --api-group=storage.k8s.io -o name 2>/dev/null)" volumeattributesclasses; then
  for name in delete archive; do
    cluster_kubectl apply -f - >/dev/null <<END
apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: {name: e2e-$name}
driverName: hostpath.ordinal.dev
parameters: {onDelete: $name}
END
  done
  attributes_are() { # CLAIM CLASS: the claim's and the volume's
    [ "$(kube get pvc "$1" -o jsonpath='{.status.currentVolumeAttributesClassName}')" = "$2" ] &&
      [ "$(kube get pv "$(volume_of "$1")" -o jsonpath='{.spec.volumeAttributesClassName}')" = "$2" ]
  }
  name_class() { kube patch pvc "$1" --type=merge -p "{\"spec\": {\"volumeAttributesClassName\": \"$2\"}}" >/dev/null; }
  name_class idle-1 e2e-delete
  wait_for 60 "a claim gets a class of attributes" attributes_are idle-1 e2e-delete
  name_class idle-1 e2e-archive
  wait_for 60 "and another one" attributes_are idle-1 e2e-archive
  wait_for 30 "an event says so" event_says idle-1 VolumeModifySuccessful "with vac e2e-archive successfully"
  name_class idle-2 e2e-none
  wait_for 60 "of one that is not there an event says so" event_says idle-2 VolumeModifyFailed "e2e-none does not exist"
  cluster_kubectl delete volumeattributesclass e2e-delete e2e-archive >/dev/null
else
  echo "not run: this API server has no VolumeAttributesClasses (1.34 and later have them)"
fi

kube delete pod used --grace-period=0 --force >/dev/null 2>&1
kube delete pvc --all --wait=false >/dev/null
wait_for 60 "deleted, nothing is left" no_volumes_here
wait_for 30 "nor at the driver" driver_has 0
summary
