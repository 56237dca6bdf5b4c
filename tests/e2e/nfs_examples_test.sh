#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The applications of deploy/examples on nfs-dynamic, on two nodes: the first example, a key-value server,
# web servers that are scaled to nothing and back, a set whose members know each other, and databases.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/nfs.sh
. "$(dirname "$0")/nfs.sh"

ns=e2e-examples
before_install=(postgres_image)

postgres_image() {
  local image=$e2e_project/build/postgres-image.tar
  "$e2e_project/hack/install-packages" image-postgres
  "$e2e_project/hack/image" postgres -o "$image" >/dev/null
  "$lab" load-image "$image"
  ganesha_start
}

# The first is for volumes on a node's disk, where nothing else is said.
example() { kube kustomize "$e2e_project/deploy/examples/$1" | sed 's/ordinal-hostpath/nfs-dynamic/' | kube apply -f - >/dev/null; }
set_has() { [ "$(kube get statefulset "$1" -o jsonpath='{.status.readyReplicas}')" = "$2" ]; } # NAME READY REPLICAS
replicas_gone() { [ -z "$(kube get pod -l app="$1" -o name)" ]; }
fetch() { kube exec client -- timeout 5 wget -qO- "http://$1"; }                        # HOST:PORT/PATH
fetches() { [ "$(fetch "$1" 2>/dev/null)" = "$2" ]; }                                # HOST:PORT/PATH TEXT
post() { kube exec client -- timeout 5 wget -qO- --post-data="$2" "http://$1" >/dev/null; } # HOST:PORT/PATH DATA
query() { kube exec "postgres-$1" -- psql -qtAc "$2"; } # REPLICA SQL
answers() { [ "$(query "$1" "$2" 2>/dev/null)" = "$3" ]; } # REPLICA SQL TEXT
web_volumes() { kube get pvc -l app=web -o jsonpath='{range .items[*]}{.metadata.name}={.spec.volumeName} {end}'; }
identity() { kube exec "replicas-$1" -- cat /data/identity; }

begin $ns
kube run client --image=ordinal.dev/busybox:lab --restart=Never --command -- sleep 1000000000 >/dev/null

chapter "busybox: three replicas with a directory each"
example busybox
wait_for 240 "all are ready" set_has busybox 3
for i in 0 1 2; do
  check "the server has the name of busybox-$i" server_holds "$ns/busybox/data-$i/hostname" "busybox-$i"
done
kube delete statefulset busybox >/dev/null

chapter "mehdb: two key-value servers, one on each node"
example mehdb
wait_for 240 "both are ready" set_has mehdb 2
wait_for 120 "and so is a client" pod_ready client
check "on different nodes" test "$(node_of mehdb-0)" != "$(node_of mehdb-1)"
wait_for 60 "the first has no keys" fetches mehdb-0.mehdb:9876/cgi-bin/status '{"replica": "mehdb-0", "keys": 0}'
check "a key is written" post mehdb-0.mehdb:9876/cgi-bin/keys/colour blue
check_equal "and read" blue "$(fetch mehdb-0.mehdb:9876/cgi-bin/keys/colour)"
uid=$(uid_of mehdb-0)
kube delete pod mehdb-0 --grace-period=0 --force >/dev/null 2>&1
wait_for 180 "its pod is made again" is_another_pod mehdb-0 "$uid"
wait_for 60 "the key has survived" fetches mehdb-0.mehdb:9876/cgi-bin/keys/colour blue
check "it is the only one" fetches mehdb-0.mehdb:9876/cgi-bin/status '{"replica": "mehdb-0", "keys": 1}'
kube delete statefulset mehdb >/dev/null

chapter "web: 2 replicas, 3, and none"
example web
wait_for 240 "two are ready" set_has web 2
kube scale statefulset web --replicas=3 >/dev/null
wait_for 180 "three are ready" set_has web 3
volumes=$(web_volumes)
kube scale statefulset web --replicas=0 >/dev/null # takes minutes, one pod after the other
example postgres                                   # and so does this

chapter "replicas: a member that is lost comes back as who it was"
example replicas
wait_for 240 "three members have heard of each other" set_has replicas 3
before=$(identity 1) uid=$(uid_of replicas-1)
kube delete pod replicas-1 --grace-period=0 --force >/dev/null 2>&1
wait_for 180 "a lost member is replaced" is_another_pod replicas-1 "$uid"
check_equal "under its own identity" "$before" "$(identity 1)"
kube delete statefulset replicas >/dev/null

chapter "web: none, and 3 again"
wait_for 180 "none are left" replicas_gone web
check_equal "claims and volumes stay" "$volumes" "$(web_volumes)"
kube scale statefulset web --replicas=3 >/dev/null
wait_for 240 "three are ready again" set_has web 3
for i in 0 1 2; do
  wait_for 60 "web-$i serves its own name" fetches "web-$i.web/" "web-$i"
done
check_equal "from the volumes of before" "$volumes" "$(web_volumes)"
kube delete statefulset web >/dev/null

chapter "postgres: data outlive a pod and an update"
wait_for 420 "two databases are ready" set_has postgres 2
for i in 0 1; do
  query $i "CREATE TABLE t (x text); INSERT INTO t VALUES ('of $i')"
done
other='node-1'
[ "$(node_of postgres-0)" != node-1 ] || other='node-2'
NFS_POD_IMAGE=ordinal.dev/postgres:0.1.0 nfs_pod second $other data-postgres-0 '{runAsUser: 999}' '{mountPath: /data}' \
  'flock -n -E 7 /data/lock sh -c : || echo $? > /tmp/code; exec sleep 1000000000'
wait_for 120 "another pod has its volume on the other node" pod_answers second
wait_for 60 "no second server would begin on the same data" file_in_pod second /tmp/code 7
kube delete pod second --grace-period=0 --force >/dev/null 2>&1
uid=$(uid_of postgres-0)
kube delete pod postgres-0 --grace-period=0 --force >/dev/null 2>&1
wait_for 240 "a lost pod is made again" is_another_pod postgres-0 "$uid"
wait_for 60 "with its data" answers 0 "SELECT x FROM t" "of 0"
uid=$(uid_of postgres-0)
kube patch statefulset postgres -p '{"spec":{"template":{"metadata":{"annotations":{"update":"1"}}}}}' >/dev/null
wait_for 420 "the set is updated, pod by pod" is_another_pod postgres-0 "$uid"
for i in 0 1; do
  wait_for 60 "postgres-$i has its data" answers $i "SELECT x FROM t" "of $i"
done
summary
