#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The chart renders the objects that the overlays do, its values change what they say and nothing else, and
# bad ones are refused. By helm where it is installed, else by helm_render, which has helm's libraries.
set -u
cd "$(dirname "$0")/../.." || exit 1
tools=build/tests/deploy
chart=deploy/helm
helm=(helm)
command -v helm >/dev/null || helm=("$tools/helm_render")
version=$(sed -n 's/^appVersion: //p' $chart/Chart.yaml)
passed=0 failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

report() { # NAME RESULT TEXT: the text is what went wrong
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok: $1"
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n%s\n' "$1" "$3"
  fi
}
is() { # NAME TEXT EXPECTED
  [ "$2" == "$3" ]
  report "$1" $? "$(diff <(echo "$3") <(echo "$2"))"
}
says() { # NAME TEXT PATTERN
  # shellcheck disable=SC2053 # a pattern is meant
  [[ $2 == $3 ]]
  report "$1" $? "$2"
}

# A mode's values, as who installs by kustomize has them: the namespace is made, and the claim goes, too.
for mode in external-server in-cluster-server host-path; do
  echo "mode: $mode" >"$folder/$mode"
done
echo 'nfs: {server: nfs.example.com}' >>"$folder/external-server"
printf '%s\n' 'namespace: {create: true}' 'inClusterServer: {keepClaim: false}' >"$folder/as-kustomize"
namespace_of() { [ "$1" = host-path ] && echo ordinal-system || echo nfs-dynamic; }

kustomize() { kubectl kustomize "$1" 2>"$folder/kustomize.log" || cat "$folder/kustomize.log" >&2; }
for overlay in external-server app-armor in-cluster-server kind host-path; do
  kustomize "deploy/nfs-dynamic/overlays/$overlay" >"$folder/$overlay.yaml"
done

# differences MODE KUSTOMIZED [FILE]...: from what kustomize rendered to the chart, with each file's values
differences() {
  local mode=$1 kustomized=$2 file from=(-f "$folder/$1")
  shift 2
  for file in "$@"; do
    from+=(-f "$file")
  done
  "${helm[@]}" template --kube-version "${kube_version:-v1.20.0}" -n "${namespace:-$(namespace_of "$mode")}" "${from[@]}" ordinal $chart \
    >"$folder/chart.yaml" 2>"$folder/log" || cat "$folder/log"
  "$tools/same_objects" "$kustomized" "$folder/chart.yaml" 2>&1
}
changes() { # NAME MODE VALUES LINE...: the values change these lines of what kustomize has
  is "$1" "$(differences "$2" "$folder/$2.yaml" "$folder/as-kustomize" - <<<"$3")" "$(printf '%s\n' "${@:4}")"
}
refuses() { # NAME VALUES PATTERN: no objects, and an error like this
  local said
  said=$("${helm[@]}" template -f "$folder/external-server" -f - ordinal $chart 2>&1 >"$folder/chart.yaml" <<<"$2")
  # shellcheck disable=SC2053 # a pattern is meant
  [[ $said == *Error:$3 && ! -s $folder/chart.yaml ]]
  report "refused: $1" $? "$said"
}

# ---- the same objects
for overlay in external-server in-cluster-server kind host-path; do
  mode=${overlay/#kind/in-cluster-server}
  is "as the overlay $overlay" "$(differences "$mode" "$folder/$overlay.yaml" "$folder/as-kustomize")" ''
done
kube_version=v1.29.15
is "as external-server where the profile of AppArmor is an annotation" \
  "$(differences external-server "$folder/external-server.yaml" "$folder/as-kustomize")" ''
kube_version=v1.30.0
is "as app-armor where it is a field" "$(differences external-server "$folder/app-armor.yaml" "$folder/as-kustomize")" \
  '- apps/v1 Deployment nfs-provisioner in nfs-dynamic spec.template.metadata.annotations: {}' # is none
kube_version=
is "by default the namespace is not the release's" \
  "$(differences external-server "$folder/external-server.yaml")" '- v1 Namespace nfs-dynamic'
is "by default the server's disk outlives the release" \
  "$(differences in-cluster-server "$folder/in-cluster-server.yaml")" "- v1 Namespace nfs-dynamic
+ v1 PersistentVolumeClaim nfs in nfs-dynamic metadata.annotations.helm.sh/resource-policy: \"keep\""

for mode in external-server in-cluster-server; do
  sed -e 's/namespace: nfs-dynamic$/namespace: elsewhere/' -e 's/\.nfs-dynamic\.svc:/.elsewhere.svc:/' \
    "$folder/$mode.yaml" >"$folder/moved.yaml"
  is "$mode in another namespace" \
    "$(namespace=elsewhere differences $mode "$folder/moved.yaml" - <<<'inClusterServer: {keepClaim: false}')" \
    '- v1 Namespace nfs-dynamic'
done

cat "$folder/external-server.yaml" <(echo ---) <(kustomize deploy/nfs-dynamic/pod-disruption-budget) \
  >"$folder/with-budget.yaml"
is "with a PodDisruptionBudget" "$(differences external-server "$folder/with-budget.yaml" "$folder/as-kustomize" - \
  <<<'podDisruptionBudget: {enabled: true}')" ''

# ---- values
class='storage.k8s.io/v1 StorageClass nfs-dynamic'
deployment='apps/v1 Deployment nfs-provisioner in nfs-dynamic spec'
pod="$deployment.template.spec"
node='apps/v1 DaemonSet nfs-node in nfs-dynamic spec.template.spec'
host='apps/v1 DaemonSet ordinal-hostpath in ordinal-system spec.template.spec'

changes "the server and its directory" external-server 'nfs: {server: "192.0.2.7", share: /volume1}' \
  "- $class parameters.server: \"nfs.example.com\"" "+ $class parameters.server: \"192.0.2.7\"" \
  "- $class parameters.share: \"/export\"" "+ $class parameters.share: \"/volume1\""
changes "several servers" external-server \
  'storageClass: {parameters: {servers: "a:/x,b:/x"}}' \
  "- $class parameters.server: \"nfs.example.com\"" "+ $class parameters.servers: \"a:/x,b:/x\"" \
  "- $class parameters.share: \"/export\""
changes "the class" external-server \
  'storageClass: {default: true, reclaimPolicy: Retain, mountOptions: [nfsvers=4.1, noatime],
    parameters: {onDelete: archive, uid: "1000"}}' \
  "+ $class metadata.annotations.storageclass.kubernetes.io/is-default-class: \"true\"" \
  "- $class mountOptions[0]: \"nfsvers=4\"" "+ $class mountOptions[0]: \"nfsvers=4.1\"" \
  "+ $class mountOptions[1]: \"noatime\"" \
  "+ $class parameters.onDelete: \"archive\"" "+ $class parameters.uid: \"1000\"" \
  "- $class reclaimPolicy: \"Delete\"" "+ $class reclaimPolicy: \"Retain\""
changes "the class by another name" external-server 'storageClass: {name: fast}' \
  '+ storage.k8s.io/v1 StorageClass fast' "- $class"
changes "no class, and so no server" external-server '{storageClass: {create: false}, nfs: {server: ""}}' "- $class"
changes "a class without mount options" in-cluster-server 'storageClass: {mountOptions: []}' \
  "- $class mountOptions[0]: \"nfsvers=4\""

changes "replicas" external-server 'provisioner: {replicas: 3}' \
  "- $deployment.replicas: 2" "+ $deployment.replicas: 3"
changes "beside the server one replica" in-cluster-server 'provisioner: {replicas: 3}' ''
changes "more flags" external-server \
  '{provisioner: {statusPage: true, extraArgs: [--workers=4]}, driver: {extraArgs: [--log-format=json]}}' \
  "+ $node.containers[driver].args[5]: \"--log-format=json\"" \
  "+ $pod.containers[driver].args[5]: \"--log-format=json\"" \
  "+ $pod.containers[provisioner].args[5]: \"--status-page\"" \
  "+ $pod.containers[provisioner].args[6]: \"--workers=4\""
changes "the image" external-server '{image: {repository: registry.example/ordinal, tag: v1}, pullPolicy: Always,
  imagePullSecrets: [{name: key}]}' \
  "$(for container in "$node.containers[driver]" "$pod.containers[driver]" "$pod.containers[provisioner]"; do
    printf -- "- $container.%s\n+ $container.%s\n" "image: \"ordinal.dev/ordinal:$version\"" \
      'image: "registry.example/ordinal:v1"' 'imagePullPolicy: "IfNotPresent"' 'imagePullPolicy: "Always"'
    [[ $container == "$pod.containers[driver]" ]] ||
      echo "+ ${container%%.containers*}.imagePullSecrets[key].name: \"key\""
  done)"
changes "priorities" external-server '{provisioner: {priorityClassName: low}, node: {priorityClassName: high}}' \
  "- $node.priorityClassName: \"system-node-critical\"" "+ $node.priorityClassName: \"high\"" \
  "- $pod.priorityClassName: \"system-cluster-critical\"" "+ $pod.priorityClassName: \"low\""
changes "resources" external-server \
  '{provisioner: {resources: {limits: {memory: 128Mi}}}, driver: {resources: {requests: {cpu: 20m}}}}' \
  "- $node.containers[driver].resources.requests.cpu: \"10m\"" \
  "+ $node.containers[driver].resources.requests.cpu: \"20m\"" \
  "- $pod.containers[driver].resources.requests.cpu: \"10m\"" \
  "+ $pod.containers[driver].resources.requests.cpu: \"20m\"" \
  "+ $pod.containers[provisioner].resources.limits.memory: \"128Mi\""

server="$pod.containers[server]"
claim='v1 PersistentVolumeClaim nfs in nfs-dynamic spec'
changes "the server in the cluster" in-cluster-server \
  'inClusterServer: {size: 1Ti, storageClassName: ssd, image: {repository: r/nfs}, resources: {requests: {cpu: "1"}}}' \
  "- $server.image: \"ordinal.dev/nfs-server:$version\"" "+ $server.image: \"r/nfs:$version\"" \
  "- $server.resources.requests.cpu: \"50m\"" "+ $server.resources.requests.cpu: \"1\"" \
  "- $claim.resources.requests.storage: \"10Gi\"" "+ $claim.resources.requests.storage: \"1Ti\"" \
  "+ $claim.storageClassName: \"ssd\""

changes "host paths on tainted nodes" host-path 'hostPath: {tolerations: [{operator: Exists}]}' \
  "+ $host.tolerations[0].operator: \"Exists\""
changes "host paths with a page" host-path 'provisioner: {statusPage: true}' \
  "+ $host.containers[provisioner].args[4]: \"--status-page\""

# Wherever one folder stood, the other stands.
moves() { # NAME MODE VALUES FROM TO
  is "$1: $2" "$(differences "$2" <(sed "s|$4|$5|g" "$folder/$2.yaml") "$folder/as-kustomize" - <<<"$3")" ''
}
for mode in external-server in-cluster-server host-path; do
  moves "kubelet's folder" $mode 'node: {kubeletDir: /k0s}' /var/lib/kubelet /k0s
done
moves "the volumes' folder" host-path 'hostPath: {root: /srv/volumes}' /var/lib/ordinal /srv/volumes

# The rights for archives are those that stand in the manifests' comments.
archives() { # MODE LINE
  mkdir "$folder/deploy"
  cp -r deploy/nfs-dynamic deploy/host-path "$folder/deploy"
  sed -i -E 's/^  # (- apiGroups| +resources| +verbs)/  \1/' "$folder"/deploy/{nfs-dynamic/base,host-path}/rbac.yaml
  kustomize "$folder/deploy/nfs-dynamic/overlays/$1" >"$folder/with-archives.yaml"
  rm -r "$folder/deploy"
  is "archives: $1" "$(differences "$1" "$folder/with-archives.yaml" "$folder/as-kustomize" - \
    <<<'provisioner: {archives: true}')" "$2"
}
archives external-server "+ $pod.containers[provisioner].args[5]: \"--archives\""
archives host-path "+ $host.containers[provisioner].args[4]: \"--archives\""

# ---- what is refused
refuses "no server" 'nfs: {server: ""}' '*nfs.server is not set: --set nfs.server=HOST*mode=in-cluster-server*'
refuses "a budget for one replica" '{podDisruptionBudget: {enabled: true}, provisioner: {replicas: 1}}' \
  '*podDisruptionBudget.enabled*provisioner.replicas of 2 or more*'
refuses "an unknown mode" 'mode: nfs' '*mode*external-server*in-cluster-server*host-path*'
refuses "an unknown value" 'storageclass: {name: x}' '*storageclass*'
refuses "an unknown value of the class" 'storageClass: {onDelete: archive}' '*onDelete*'
refuses "a server with its directory" 'nfs: {server: "nfs.example.com:/export share"}' '*server*pattern*'
refuses "a directory that is none" 'nfs: {share: export}' '*share*pattern*'
refuses "a number for a parameter" 'storageClass: {parameters: {uid: 1000}}' '*uid*string*'
refuses "another reclaim policy" 'storageClass: {reclaimPolicy: Recycle}' '*reclaimPolicy*Delete*Retain*'
refuses "a size that is none" 'inClusterServer: {size: 10 GB}' '*size*pattern*'
refuses "replicas in words" 'provisioner: {replicas: two}' '*replicas*integer*'
refuses "an argument that is no flag" 'provisioner: {extraArgs: [workers=4]}' '*extraArgs*pattern*'
refuses "a part that is missing" 'nfs: null' '*nfs*'

# ---- the chart itself
is "its version is the programs'" "#define ORDINAL_VERSION \"$version\"" "$(grep ORDINAL_VERSION include/names.h)"
for mode in external-server in-cluster-server host-path; do
  said=$("${helm[@]}" lint -f "$folder/$mode" $chart 2>&1)
  report "lint: $mode" $? "$said"
done
notes() { # MODE [VALUES]
  "$tools/helm_render" notes -n here -f "$folder/$1" -f - ordinal $chart 2>&1 <<<"${2:-{\}}"
}
says "notes: an NFS server" "$(notes external-server)" \
  '*-n here rollout status deployment/nfs-provisioner*daemonset/nfs-node*storageClassName: nfs-dynamic*'
says "notes: a server in the cluster" "$(notes in-cluster-server)" '*leaves the claim nfs*'
says "notes: its data go, too" "$(notes in-cluster-server 'inClusterServer: {keepClaim: false}')" '*deletes the claim nfs*'
says "notes: host paths" "$(notes host-path)" '*daemonset/ordinal-hostpath*storageClassName: ordinal-hostpath*'
says "notes: no class" "$(notes host-path 'storageClass: {create: false}')" '*provisioner: hostpath.ordinal.dev*has none*'
says "notes: the page" "$(notes external-server 'provisioner: {statusPage: true}')" '*/namespaces/here/pods/POD:9809/proxy/status*'

# ---- helm_render does not pass what it does not know
broken() { # NAME FILE EDIT PATTERN: the chart with this file edited by sed is an error
  cp -rL $chart "$folder/broken"
  sed -i "$3" "$folder/broken/$2"
  says "helm_render: $1" \
    "$("$tools/helm_render" template -f "$folder/external-server" ordinal "$folder/broken" 2>&1 >"$folder/chart.yaml")" \
    "Error:$4"
  rm -r "$folder/broken"
}
broken "an unknown function" templates/namespace.yaml '1i {{ lookup "v1" "Node" "" "" }}' '*"lookup" not defined*'
broken "a value that is not there" templates/namespace.yaml '1i {{ .Values.nosuch }}' '*nosuch*'
broken "a file that is not there" templates/namespace.yaml '1i {{ .Files.Get "nosuch" }}' '*nosuch*'
broken "an unknown field of the chart" Chart.yaml '1i nosuch: true' '*nosuch*'
broken "a version that is none" Chart.yaml 's/^version:.*/version: one/' '*version: *'
broken "a schema that is none" values.schema.json 's/"boolean"/"yes or no"/' '*values.schema.json*'
broken "default values that the schema refuses" values.yaml 's/reclaimPolicy: Delete/reclaimPolicy: Keep/' '*reclaimPolicy*'

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
