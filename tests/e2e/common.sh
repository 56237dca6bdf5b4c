# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests on the lab share: the demo's checks and cluster, a namespace of each test's own,
# and small objects to make.

e2e_project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
# shellcheck source=hack/demo.d/check.sh
. "$e2e_project/hack/demo.d/check.sh"
# shellcheck source=hack/demo.d/cluster.sh
. "$e2e_project/hack/demo.d/cluster.sh"

# A busy machine is not a failure: only what never comes is.
# shellcheck disable=SC2034 # for check.sh
patience=3

# begin NAMESPACE: the cluster with Ordinal on it, and a fresh namespace
begin() {
  story_namespace=$1
  cluster_up
  trap 'end' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  "${before_install[@]}"
  install_ordinal
  kube create namespace "$1" >/dev/null
}

before_install=(:) # COMMAND...: what the installation needs beside the cluster
at_end=(:) # COMMAND...: what else is to be done at the end; it is told the test's exit code
at_last=(:) # COMMAND...: and when the cluster, if the test made it, is down

end() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  set +e
  "${at_end[@]}" $code
  kube delete pod --all --grace-period=0 --force --wait=false >/dev/null 2>&1
  kube delete namespace "$story_namespace" --wait=false >/dev/null
  kube delete storageclass -l e2e=yes >/dev/null 2>&1
  cluster_down
  "${at_last[@]}"
  exit $code
}

# claim NAME [CLASS] [SIZE] [EXTRA YAML OF THE SPEC]: with the annotations CLAIM_NOTES, a YAML map
claim() {
  kube apply -f - >/dev/null <<END
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1, labels: {e2e: "yes"}, annotations: ${CLAIM_NOTES:-"{}"}}
spec:
  accessModes: [${CLAIM_ACCESS:-ReadWriteOnce}]
  storageClassName: ${2:-ordinal-hostpath}
  resources: {requests: {storage: "${3:-1Mi}"}}
  ${4:-}
END
}

# class NAME [PARAMETERS as a YAML map] [RECLAIM POLICY] [BINDING MODE]: of the driver CLASS_DRIVER;
# its volumes grow with CLASS_GROWS=true. It goes when the test ends.
class() {
  kube apply -f - >/dev/null <<END
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: $1, labels: {e2e: "yes"}}
provisioner: ${CLASS_DRIVER:-hostpath.ordinal.dev}
allowVolumeExpansion: ${CLASS_GROWS:-false}
reclaimPolicy: ${3:-Delete}
volumeBindingMode: ${4:-WaitForFirstConsumer}
parameters: ${2:-"{}"}
END
}

# pod NAME CLAIM [COMMAND]: a pod that uses the claim at /data
pod() {
  kube apply -f - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: ordinal.dev/busybox:lab
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "${3:-sleep 1000000000}"]
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: $2}}]
END
}

# set_of NAME TEMPLATE...: two replicas with a claim of each template, all mounted, of the class
# SET_CLASS; each adds its name to the file "name" in all its volumes
set_of() {
  local name=$1 template mounts='' templates=''
  shift
  for template in "$@"; do
    mounts+="{name: $template, mountPath: /$template},"
    templates+="{metadata: {name: $template}, spec: {accessModes: [ReadWriteOnce], storageClassName: ${SET_CLASS:-ordinal-hostpath}, resources: {requests: {storage: 1Mi}}}},"
  done
  kube apply -f - >/dev/null <<END
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: $name}
spec:
  serviceName: none
  podManagementPolicy: Parallel
  replicas: 2
  selector: {matchLabels: {set: $name}}
  template:
    metadata: {labels: {set: $name}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: ordinal.dev/busybox:lab
          imagePullPolicy: IfNotPresent
          command: [sh, -c, "for d in $*; do hostname >> /\$d/name; done; sleep 1000000000"]
          volumeMounts: [$mounts]
  volumeClaimTemplates: [$templates]
END
}
# kib_written POD DIR MAX: how many KiB of so many the pod can write to the volume at DIR, and bring to the disk
kib_written() {
  # shellcheck disable=SC2016
  kube exec "$1" -- sh -c 'i=0
    while [ $i -lt "$2" ] && dd if=/dev/zero of="$1/fill" bs=64k seek=$((i / 64)) count=1 conv=notrunc,fsync 2>/tmp/said; do
      i=$((i + 64))
    done
    echo $i; rm -f "$1/fill"' sh "$2" "$3"
}
# check_quota POD DIR LEAST MOST: its volume takes so many KiB, and then no more
check_quota() {
  local got
  got=$(kib_written "$1" "$2" $(($4 + 1024)))
  check "$1 can write no more than that ($got KiB of $4)" test "$got" -ge "$3" -a "$got" -le "$4"
}

set_ready() { [ "$(kube get statefulset "$1" -o jsonpath='{.status.readyReplicas}')" = 2 ]; }

# claims PREFIX FROM TO [CLASS]: claims PREFIX-FROM to PREFIX-TO, in one call
claims() {
  local i
  for ((i = $2; i <= $3; i++)); do
    cat <<END
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1-$i, labels: {e2e: "yes"}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ${4:-ordinal-hostpath}
  resources: {requests: {storage: 1Mi}}
---
END
  done | kube create -f - >/dev/null
}

claim_is() { [ "$(kube get pvc "$1" -o jsonpath='{.status.phase}')" = "$2" ]; }
volume_of() { kube get pvc "$1" -o jsonpath='{.spec.volumeName}'; }
pod_ready() { [ "$(kube get pod "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
gone() { [ -z "$(kube get "$@" --ignore-not-found -o name)" ]; }

# event_says OBJECT REASON WORDS: an event of that reason on the object holds the words
event_says() {
  contains "$(kube get events --field-selector "involvedObject.name=$1,reason=$2" -o jsonpath='{.items[*].message}')" "$3"
}

# events_saying OBJECT REASON WORDS: how many events that is, and then how often it was told in all
events_saying() {
  kube get events --field-selector "involvedObject.name=$1,reason=$2" \
    -o jsonpath='{range .items[*]}{.count} {.message}{"\n"}{end}' |
    awk -v words="$3" 'index($0, words) {events++; times += $1} END {print events + 0, times + 0}'
}

# The names of the volumes of this namespace's claims, a line each.
volumes_here() {
  kube get pv -o jsonpath="{range .items[?(@.spec.claimRef.namespace=='$story_namespace')]}{.metadata.name}{'\n'}{end}"
}

no_volumes_here() {
  local names
  names=$(volumes_here) && [ -z "$names" ]
}

# claims_bound N: N of the claims that were made by claim() are bound
claims_bound() {
  [ "$(kube get pvc -l e2e=yes -o jsonpath='{range .items[?(@.status.phase=="Bound")]}{.metadata.name}{"\n"}{end}' | wc -l)" = "$1" ]
}

# with_flag FLAG, without_flag FLAG: the provisioner that is deployed for host paths runs with it, or
# without it again, as it has to also after a test that failed: the lab is used by the ones after it.
provisioner_patch() {
  kube -n ordinal-system patch daemonset ordinal-hostpath --type=json -p \
    "[$(jq -n --arg op "$1" --arg at "/spec/template/spec/containers/1/args/$2" --arg flag "$3" \
      '{op: $op, path: $at, value: $flag}')]" >/dev/null
}
with_flag() {
  provisioner_patch add - "$1"
  wait_for 180 "the provisioner runs with $1" ordinal_runs
}
without_flag() {
  local at
  at=$(kube -n ordinal-system get daemonset ordinal-hostpath -o json |
    jq --arg flag "$1" '.spec.template.spec.containers[1].args | index($flag)')
  [ "$at" = null ] || provisioner_patch remove "$at" "$1"
  kube -n ordinal-system rollout status daemonset/ordinal-hostpath --timeout=180s >/dev/null
}

# The node's own files, from outside any pod.
node_files() { "$lab" node exec node-1 -- "$@"; }
node_has() { node_files test -e "$1"; }
node_lacks() { ! node_files test -e "$1"; }
holds() { [ "$(node_files cat "$1")" = "$2" ]; } # FILE TEXT
