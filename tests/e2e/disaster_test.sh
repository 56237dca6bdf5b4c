#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Disaster recovery: the cluster is lost with all that it knew, and a fresh one has the old disks.
# Each replica has its own data again where the class allows that, and nobody touches them where it
# does not. On a lab of its own, since that is what is lost.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

ns=e2e-disaster
disks=$(mktemp -d)
data=$disks/node-1/$ns # what lies there is seen on this machine, also when there is no cluster
# shellcheck disable=SC2034 # cluster.sh uses it
lab_nodes=(--disks "$disks")
# shellcheck disable=SC2034 # common.sh uses it
at_last=(forget)
forget() { [ -n "${KEEP:-}" ] || rm -rf "$disks"; }

uid_of() { kube get namespace "$1" -o jsonpath='{.metadata.uid}'; }
has() { [ "$(cat "$data/$1" 2>/dev/null)" = "$2" ]; }                   # FILE TEXT
archive_has() { [ "$(cat "$disks/node-1/.ordinal/archive/$ns/$1/"*/name)" = "$2" ]; } # PLACE TEXT
path_of() { # CLAIM: as its volume tells
  kube get pv "$(volume_of "$1")" -o jsonpath='{.spec.csi.volumeAttributes.ordinal\.dev/path}'
}
in_pod() { [ "$(kube exec "$1" -- cat /disk/name)" = "$2" ]; } # POD TEXT
remove_set() { # NAME: with pods and claims
  kube delete statefulset "$1" >/dev/null
  kube delete pod -l set="$1" --grace-period=0 --force >/dev/null 2>&1 || :
  kube delete pvc -l set="$1" --wait=false >/dev/null
  wait_for 120 "the set $1 goes, with its volumes" no_volumes_of "$1"
}
no_volumes_of() { gone pv -l "ordinal.dev/statefulset=$1"; }

! "$lab" status >/dev/null || die "the lab $LAB_NAME is up: this test makes one, and throws it away"
begin $ns

chapter "A cluster: web has its volumes, and of db, which was deleted, there are archives"
class $ns '{reuse: ordinal}'
class $ns-archived '{reuse: ordinal, onDelete: archive}'
SET_CLASS=$ns-archived set_of db disk
SET_CLASS=$ns set_of web disk
wait_for 180 "db is ready" set_ready db
wait_for 180 "web is ready" set_ready web
remove_set db
for i in 0 1; do
  wait_for 60 "the disk has what web-$i wrote" has "web/disk-$i/name" "web-$i"
  wait_for 60 "and the archive of db-$i" archive_has "db/disk-$i" "db-$i"
done
old_cluster=$(uid_of kube-system) old_namespace=$(uid_of $ns)

chapter "It is lost: API server, etcd and node"
"$lab" down
check "the disk is left, with what web-1 wrote" has web/disk-1/name web-1

chapter "A fresh one, with the old disk"
cluster_up
install_ordinal
kube create namespace $ns >/dev/null
check "is another cluster" test "$(uid_of kube-system)" != "$old_cluster"
check "the namespace has only its name from the old one" test "$(uid_of $ns)" != "$old_namespace"
check "no volume is known" test -z "$(kube get pv -o name)"

chapter "reuse: ordinal alone: the data are somebody else's"
class $ns '{reuse: ordinal}'
SET_CLASS=$ns set_of web disk
SET_CLASS=$ns set_of db disk
wait_for 180 "web is ready" set_ready web
wait_for 180 "so is db" set_ready db
for i in 0 1; do
  check "web-$i has a volume beside them" test "$(path_of "disk-web-$i")" = "/var/lib/ordinal/$ns/web/disk-$i@$(volume_of "disk-web-$i")"
  wait_for 20 "and starts afresh" in_pod "web-$i" "web-$i"
  check "an event says why" event_says "disk-web-$i" PlaceOccupied "holds data of another volume"
  check "the old data are as they were" has "web/disk-$i/name" "web-$i"
  wait_for 20 "db-$i starts afresh, too" in_pod "db-$i" "db-$i"
  check "the archive is as it was" archive_has "db/disk-$i" "db-$i"
done
remove_set web
remove_set db
check "nor does deleting these touch the old data" has web/disk-1/name web-1
check "or the archives" archive_has db/disk-1 db-1

chapter "With reuseAcrossNamespaces each replica goes on with its own data"
class $ns-recovered '{reuse: ordinal, reuseAcrossNamespaces: "true"}'
SET_CLASS=$ns-recovered set_of web disk
SET_CLASS=$ns-recovered set_of db disk
wait_for 180 "web is ready" set_ready web
wait_for 180 "so is db" set_ready db
for i in 0 1; do
  check_equal "web-$i has its volume where its data are" "/var/lib/ordinal/$ns/web/disk-$i" "$(path_of "disk-web-$i")"
  wait_for 20 "the pod reads them" in_pod "web-$i" "web-$i"$'\n'"web-$i"
  wait_for 20 "an event says so" event_says "disk-web-$i" DataTakenUp "the data of the same replica's earlier one"
  wait_for 20 "db-$i has those of its archive" in_pod "db-$i" "db-$i"$'\n'"db-$i"
done
check "the archive was taken up" test ! -e "$disks/node-1/.ordinal/archive/$ns/db"

chapter "From here on they are volumes like any other"
uid=$(kube get pod web-1 -o jsonpath='{.metadata.uid}')
is_another() { [ "$(kube get pod web-1 -o jsonpath='{.metadata.uid}')" != "$uid" ] && pod_ready web-1; }
kube delete pod web-1 --grace-period=0 --force >/dev/null 2>&1
wait_for 120 "a pod is made again" is_another
wait_for 20 "and has its data" in_pod web-1 $'web-1\nweb-1\nweb-1'
remove_set web
remove_set db
wait_for 60 "deleted, they are gone from the disk" test ! -e "$data"
summary
