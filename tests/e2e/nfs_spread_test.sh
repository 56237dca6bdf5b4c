#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# servers: a set's replicas on two exports, mounted by pods on nodes whose kernels have NFS. They move
# from node to node and find their data, and so they do when set and class are made again.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/nfs.sh
. "$(dirname "$0")/nfs.sh"

ns=e2e-nfs-spread
# shellcheck disable=SC2034 # ganesha.sh uses it
ganesha_exports=(export second)
homes=(export second export second) # of ordinals 0 to 3

# spread_class SHARE...: of the server; its data stay, and are taken up again
spread_class() {
  local share list=''
  for share; do list+="$NFS_SERVER:/$share,"; done
  CLASS_DRIVER=nfs.ordinal.dev class $ns "{servers: '${list%,}', onDelete: retain, reuse: ordinal}" Delete Immediate
}
ready_are() { [ "$(kube get statefulset web -o jsonpath='{.status.readyReplicas}')" = "$1" ]; } # COUNT
path_of() { kube get pv "$(volume_of "data-web-$1")" -o jsonpath='{.spec.csi.volumeAttributes.ordinal\.dev/path}'; }
holds_name() { server_holds "../${homes[$1]}/$ns/web/data-$1/name" "$2"; } # ORDINAL TEXT
# starts_of ORDINAL N: what that replica has written when it was started N times
starts_of() { yes "web-$1" | head -n "$2"; }
mounts() { "$lab" node exec "$1" -- grep -c ":/$2 .* nfs" /proc/mounts; } # NODE SHARE

# check_homes FROM TO STARTS: each replica is on its share, with all that it has written
check_homes() {
  local i
  for ((i = $1; i <= $2; i++)); do
    check_equal "web-$i is on /${homes[i]}" "$NFS_SERVER:/${homes[i]}/$ns/web/data-$i" "$(path_of "$i")"
    wait_for 30 "the server has what it wrote" holds_name "$i" "$(starts_of "$i" "$3")"
    check "and the pod reads it" file_in_pod "web-$i" /data/name "$(starts_of "$i" "$3")"
  done
}

begin $ns
spread_class export second

chapter "Two replicas, an export for each"
SET_CLASS=$ns set_of web data
wait_for 240 "they are ready" set_ready web
check_homes 0 1 1
node=$(node_of web-1)
check "the node of web-1 has the second export mounted" test "$(mounts "$node" second)" -gt 0

chapter "Four replicas: two on each"
kube scale statefulset web --replicas=4 >/dev/null
wait_for 240 "they are ready" ready_are 4
check_homes 2 3 1

chapter "A replica moves to the other node, and finds its data on its export"
from=$(node_of web-3) uid=$(uid_of web-3)
kube cordon "$from" >/dev/null
kube delete pod web-3 --grace-period=0 --force >/dev/null 2>&1
wait_for 180 "web-3 is made again" is_another_pod web-3 "$uid"
check "on the other node" test "$(node_of web-3)" != "$from"
check_homes 3 3 2
kube uncordon "$from" >/dev/null

chapter "Deleted with its claims, and made again by a class that names the exports the other way round"
kube delete statefulset web >/dev/null
kube delete pod -l set=web --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc -l set=web --wait=false >/dev/null
wait_for 180 "its volumes are gone" no_volumes_here
check "web-1's data are not" holds_name 1 "$(starts_of 1 1)"
kube delete storageclass $ns >/dev/null
spread_class second export
SET_CLASS=$ns set_of web data
wait_for 240 "the set is ready" set_ready web
check_homes 0 1 2
kube scale statefulset web --replicas=4 >/dev/null
wait_for 240 "all four are" ready_are 4
check_homes 2 2 2
check_homes 3 3 3
summary
