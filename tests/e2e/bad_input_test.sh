#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What cannot be provisioned: the claim's events say what is wrong and what to do, no directory is
# made, and a claim beside it is served all the same.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

# refused CLAIM WORDS: a pod wants it, and its event, looked for by check_refused, says why not
claims_refused=() words_refused=()
refused() {
  pod "wants-$1" "$1"
  claims_refused+=("$1") words_refused+=("$2")
}
check_refused() {
  local i
  for i in "${!claims_refused[@]}"; do is_refused "${claims_refused[i]}" "${words_refused[i]}"; done
  claims_refused=() words_refused=()
}
is_refused() {
  wait_for 180 "$1: an event says: $2" event_says "$1" ProvisioningFailed "$2"
  check "$1: is still Pending" claim_is "$1" Pending
  check "$1: has no directory" node_lacks "/var/lib/ordinal/$story_namespace/$1"
}

begin e2e-bad-input

chapter "Claims that ask for what there is not"
claim block ordinal-hostpath 1Mi "volumeMode: Block"
refused block "ask for volumeMode Filesystem"
claim selects ordinal-hostpath 1Mi "selector: {matchLabels: {a: b}}"
refused selects "remove spec.selector"
claim huge ordinal-hostpath 8Ei
refused huge "ask for less"
claim larger-than-disk ordinal-hostpath 7000Pi
refused larger-than-disk "ask for less"
claim clone ordinal-hostpath 1Mi "dataSource: {kind: PersistentVolumeClaim, name: block}"
refused clone "data source PersistentVolumeClaim block: it is not bound to a volume yet"

chapter "Classes that say what nobody understands"
class e2e-unknown '{onDelet: retain}'
claim unknown e2e-unknown
refused unknown 'unknown parameter "onDelet" in the StorageClass; known are path, pathPattern, server, share, servers, onDelete, archiveOnDelete, archiveTTL, reuse, reuseAcrossNamespaces, mode, mountPermissions, uid, gid'
class e2e-escape '{pathPattern: "../../etc"}'
claim escape e2e-escape
refused escape "pathPattern"
# shellcheck disable=SC2016 # the variables are the driver's
class e2e-variable '{pathPattern: "${namespace}/${nonsense}"}'
claim variable e2e-variable
refused variable "nonsense"
class e2e-outside '{path: /etc}'
claim outside e2e-outside
refused outside "/etc"
class e2e-secret '{csi.storage.k8s.io/provisioner-secret-name: x}'
claim secret e2e-secret
refused secret "csi.storage.k8s.io/provisioner-secret-name"
class e2e-forged '{ordinal.dev/statefulset: web}'
claim forged e2e-forged
refused forged "ordinal.dev/statefulset"
check_refused

chapter "A good claim beside them"
claim good
pod uses-good good
wait_for 60 "it is Bound" claim_is good Bound
wait_for 90 "its pod is ready" pod_ready uses-good
check "the unmended ones are still Pending" claim_is unknown Pending

chapter "A class that is mended serves the claim that waited"
class e2e-mended
claim mended e2e-mended
kube delete storageclass e2e-mended >/dev/null
class e2e-mended '{onDelet: retain}'
refused mended "onDelet"
check_refused
kube delete storageclass e2e-mended >/dev/null
class e2e-mended
wait_for 90 "it is Bound" claim_is mended Bound
kube delete pod wants-mended --grace-period=0 --force >/dev/null 2>&1
kube delete pvc mended --wait=false >/dev/null
wait_for 60 "and is gone when deleted" gone pvc mended
summary
