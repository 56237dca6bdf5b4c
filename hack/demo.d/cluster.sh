# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The cluster that a story is told on: the lab, made for it and taken down after it unless it was
# up before; or, with CLUSTER=current, the cluster of the current kubeconfig. Needs check.sh.

project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
lab=$project/hack/lab
export LAB_NAME=${LAB_NAME:-demo} LAB_SUBNET=${LAB_SUBNET:-172.30.78}
lab_started=''

# What is installed.
ordinal_folder=deploy/host-path
ordinal_namespace=ordinal-system
ordinal_workloads=(daemonset/ordinal-hostpath)
ordinal_driver=hostpath.ordinal.dev

lab_nodes=() # how `hack/lab up` is to make them

# The cluster's kubectl, and the same in the namespace of the story.
cluster_kubectl() {
  if [ "${CLUSTER:-lab}" = current ]; then kubectl "$@"; else "$lab" kubectl "$@"; fi
}

kube() { cluster_kubectl -n "$story_namespace" "$@"; }

cluster_up() {
  case ${CLUSTER:-lab} in
    lab) lab_up ;;
    current)
      command -v kubectl >/dev/null || die "CLUSTER=current needs kubectl in PATH"
      kubectl version >/dev/null || die "the current kubeconfig reaches no cluster; try: kubectl get nodes"
      load_into_current
      ;;
    *) die "CLUSTER is '$CLUSTER', but can only be 'lab' (the default) or 'current'" ;;
  esac
}

die() {
  echo "$0: $*" >&2
  exit 1
}

lab_up() {
  "$lab" status >/dev/null 2>&1 || {
    lab_started=yes
    "$lab" up "${lab_nodes[@]}"
  }
  this_build_is_installed || "$lab" load-image "$project/build/ordinal-image.tar"
}

# The lab knows by the bytes of image and manifests which build it has, and what it has is not
# loaded and rolled out again.
build_digest() {
  { cat "$project/build/ordinal-image.tar" && render "$project/$ordinal_folder"; } | sha256sum | cut -d' ' -f1
}
this_build_is_installed() {
  [ "${CLUSTER:-lab}" = lab ] && [ "$(cluster_kubectl -n "$ordinal_namespace" get "${ordinal_workloads[0]}" \
    --ignore-not-found -o jsonpath='{.metadata.annotations.ordinal\.dev/lab-build}')" = "$(build_digest)" ]
}

cluster_down() {
  if [ -z "$lab_started" ]; then
    return
  elif [ -n "${KEEP:-}" ]; then
    printf '\nThe cluster stays up. To use it:\n  export KUBECONFIG=%s\n  %s kubectl get all -A\n' \
      "$("$lab" kubeconfig)" "LAB_NAME=$LAB_NAME hack/lab"
    printf 'To take it down:\n  LAB_NAME=%s LAB_SUBNET=%s hack/lab down\n' "$LAB_NAME" "$LAB_SUBNET"
  else
    "$lab" down
  fi
}

# Images get into a user's cluster through kind, or IMAGE= names where its nodes can pull ours from.
load_into_current() {
  local context file
  [ -z "${IMAGE:-}" ] || return 0
  context=$(kubectl config current-context)
  [[ $context == kind-* ]] ||
    die "the context '$context' is not kind's: push build/ordinal-image.tar to where its nodes pull from, and say IMAGE=name:tag"
  "$project/hack/image" busybox -o "$project/build/busybox-image.tar"
  for file in ordinal busybox; do
    kind load image-archive "$project/build/$file-image.tar" --name "${context#kind-}"
  done
}

# render FOLDER: its manifests, with the images that this cluster can have and the server that it has
render() {
  local change=()
  [ -z "${IMAGE:-}" ] || change+=(-e "s,image: ordinal.dev/ordinal:.*,image: $IMAGE,"
    -e "s,image: ordinal.dev/busybox:lab,image: ${BUSYBOX_IMAGE:-busybox:stable},")
  [ -z "${NFS_SERVER:-}" ] || change+=(-e "s,nfs\.example\.com,$NFS_SERVER,")
  cluster_kubectl kustomize "$1" | sed "${change[@]}" -e ''
}

# apply_folder KUBECTL FOLDER: what the user does by kubectl apply -k
apply_folder() {
  printf '%s$ kubectl apply -k %s%s\n' "$bold" "$2" "$plain"
  render "$project/$2" | "$1" apply -f -
}

install_ordinal() {
  local before
  if ! this_build_is_installed; then
    before=$(cluster_kubectl -n "$ordinal_namespace" get "${ordinal_workloads[@]}" --ignore-not-found -o name)
    apply_folder cluster_kubectl "$ordinal_folder"
    # What was there before may be an older build under the same name.
    [ -z "$before" ] || cluster_kubectl -n "$ordinal_namespace" rollout restart "${ordinal_workloads[@]}"
    [ "${CLUSTER:-lab}" != lab ] || cluster_kubectl -n "$ordinal_namespace" annotate --overwrite \
      "${ordinal_workloads[0]}" "ordinal.dev/lab-build=$(build_digest)" >/dev/null
  fi
  wait_for 240 "driver and provisioner run" ordinal_runs
  wait_for 120 "the driver is registered with every kubelet" driver_registered
}

ordinal_runs() {
  local workload
  for workload in "${ordinal_workloads[@]}"; do
    cluster_kubectl -n "$ordinal_namespace" rollout status "$workload" --timeout=1s || return
  done
}

driver_registered() {
  local nodes
  nodes=$(kube get nodes -o name | wc -l) &&
    [ "$(kube get csinodes -o jsonpath='{.items[*].spec.drivers[*].name}' | grep -ow "${ordinal_driver//./\\.}" | wc -l)" = "$nodes" ]
}

uninstall_ordinal() {
  render "$project/$ordinal_folder" | cluster_kubectl delete --ignore-not-found --wait=false -f - >/dev/null
}

# A pod that looks at the node's volumes from outside the driver, as an administrator would.
start_looking() {
  local image=ordinal.dev/busybox:lab
  [ -z "${IMAGE:-}" ] || image=${BUSYBOX_IMAGE:-busybox:stable}
  kube apply -f - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata: {name: look}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: look
      image: $image
      imagePullPolicy: IfNotPresent
      command: [sleep, "1000000000"]
      volumeMounts: [{name: volumes, mountPath: /var/lib/ordinal, readOnly: true}]
  volumes: [{name: volumes, hostPath: {path: /var/lib/ordinal}}]
END
  wait_for 90 "a pod looks at the node's /var/lib/ordinal" \
    kube wait --for=condition=Ready pod/look --timeout=1s
}

on_node() { kube exec look -- "$@"; }
