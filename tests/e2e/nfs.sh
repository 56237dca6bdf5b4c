# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests with NFS share: a lab of two nodes whose kernels have it, a server on this machine,
# and nfs-dynamic installed with it. To be sourced after common.sh.
# shellcheck disable=SC2034,SC2154 # for common.sh and cluster.sh, and theirs

lab_nodes=(--uml 2)
ordinal_folder=deploy/nfs-dynamic/overlays/external-server
ordinal_namespace=nfs-dynamic
ordinal_workloads=(deployment/nfs-provisioner daemonset/nfs-node)
ordinal_driver=nfs.ordinal.dev
NFS_SERVER=$LAB_SUBNET.254

ganesha_address=$NFS_SERVER
ganesha_dir=/run/ordinal-lab/$LAB_NAME.nfs
# shellcheck source=tests/uml/ganesha.sh
. "$e2e_project/tests/uml/ganesha.sh"

before_install=(ganesha_start)
at_end=(nfs_end)

# Mounts are given up while the server is there.
nfs_end() {
  local until=$((SECONDS + 90))
  ganesha_resume 2>/dev/null
  kube delete statefulset,deployment --all --wait=false >/dev/null 2>&1
  kube delete pod --all --grace-period=0 --force --wait=false >/dev/null 2>&1
  kube delete pvc --all --wait=false >/dev/null 2>&1
  until no_volumes_here || [ $SECONDS -gt $until ]; do sleep 0.5; done
  ganesha_stop
  rm -rf "$ganesha_dir"
}

# What the server's administrator sees below the export.
server_has() { [ -e "$ganesha_dir/export/$1" ]; }
server_lacks() { ! server_has "$1"; }
server_holds() { [ "$(cat "$ganesha_dir/export/$1" 2>/dev/null)" = "$2" ]; } # PATH TEXT
server_lines() { [ "$(wc -l 2>/dev/null <"$ganesha_dir/export/$1")" = "$2" ]; } # PATH COUNT

node_of() { kube get pod "$1" -o jsonpath='{.spec.nodeName}'; }
uid_of() { kube get pod "$1" -o jsonpath='{.metadata.uid}'; }
# Ready, and kubelet knows its container: for a moment it may look for that of the pod before, of the same name.
pod_answers() { pod_ready "$1" && kube exec "$1" -- sh -c :; }
is_another_pod() { # NAME UID: the set has made it again, and it is ready
  [ "$(uid_of "$1" 2>/dev/null)" != "$2" ] && pod_answers "$1"
}
file_in_pod() { [ "$(kube exec "$1" -- cat "$2" 2>/dev/null)" = "$3" ]; } # POD FILE TEXT
claim_has() { [ "$(kube get pvc "$1" -o jsonpath='{.status.capacity.storage}')" = "$2" ]; } # NAME SIZE

# all_on_other SET NODE: both replicas are ready, and not on that node
all_on_other() { set_ready "$1" && ! contains "$(kube get pod -l set="$1" -o jsonpath='{.items[*].spec.nodeName}')" "$2"; }

# no_volume_mounted NODE: kubelet has given back every volume of ours
no_volume_mounted() { ! "$lab" node exec "$1" -- grep -q 'kubernetes.io~csi.* nfs' /proc/mounts; }

# volumes_of PREFIX, claims_bound_of PREFIX COUNT: of the claims PREFIX-...
volumes_of() {
  kube get pvc -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.volumeName}{" "}{.status.phase}{"\n"}{end}' |
    awk -v prefix="$1-" 'index($1, prefix) == 1 && $3 == "Bound" {print $2}'
}
claims_bound_of() { [ "$(volumes_of "$1" | wc -l)" = "$2" ]; }

# nfs_pod NAME NODE CLAIM SECURITY-CONTEXT MOUNT COMMAND: both YAML maps; the mount without its name.
# Of the image NFS_POD_IMAGE.
nfs_pod() {
  kube apply -f - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  nodeName: $2
  terminationGracePeriodSeconds: 0
  securityContext: $4
  containers:
    - name: main
      image: ${NFS_POD_IMAGE:-ordinal.dev/busybox:lab}
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "$6"]
      volumeMounts: [{name: data, ${5#\{}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: $3}}]
END
}

node_is() { [ "$(kube get node "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = "$2" ]; }
