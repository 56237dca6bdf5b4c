# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests with NFS share: a lab of two nodes whose kernels have it, a server on this machine,
# and nfs-dynamic installed with it. To be sourced after common.sh.
# shellcheck disable=SC2034 # for common.sh and cluster.sh

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
