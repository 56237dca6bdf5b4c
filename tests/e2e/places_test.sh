#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where volumes lie, for other StatefulSets than the demo's and for plain claims, and what becomes of
# them under each reclaim policy and order of deletion.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

base=/var/lib/ordinal

policy_of() { kube get pv "$1" -o jsonpath='{.spec.persistentVolumeReclaimPolicy}'; }
phase_of() { [ "$(kube get pv "$1" -o jsonpath='{.status.phase}')" = "$2" ]; }
label_of() { kube get pv "$1" -o jsonpath="{.metadata.labels.ordinal\.dev/$2}"; }

begin e2e-places

chapter "StatefulSets whose names and templates hold dashes, and several templates"
set_of web-app data-disk logs
set_of app disk
wait_for 180 "web-app is ready" set_ready web-app
wait_for 180 "app is ready" set_ready app
for i in 0 1; do
  check "web-app $i has its data-disk" holds "$base/$story_namespace/web-app/data-disk-$i/name" "web-app-$i"
  check "web-app $i has its logs" holds "$base/$story_namespace/web-app/logs-$i/name" "web-app-$i"
  check "app $i has its disk" holds "$base/$story_namespace/app/disk-$i/name" "app-$i"
done
volume=$(volume_of data-disk-web-app-1)
check_equal "the PV names the set" web-app "$(label_of "$volume" statefulset)"
check_equal "the PV names the template" data-disk "$(label_of "$volume" template)"
check_equal "the PV names the ordinal" 1 "$(label_of "$volume" ordinal)"
kube delete statefulset web-app app >/dev/null
kube delete pvc --all --wait=false >/dev/null
wait_for 120 "deleted with their claims, their directories go" \
  node_lacks "$base/$story_namespace/web-app"

chapter "A place that holds somebody's data"
node_files mkdir -p "$base/$story_namespace/taken/disk-0"
node_files sh -c "echo precious > $base/$story_namespace/taken/disk-0/file"
set_of taken disk
wait_for 180 "the set is ready all the same" set_ready taken
wait_for 20 "an event says where its volume is" \
  event_says disk-taken-0 PlaceOccupied "this claim's volume is at $base/$story_namespace/taken/disk-0@$(volume_of disk-taken-0)"
check "the data are left alone" holds "$base/$story_namespace/taken/disk-0/file" precious
check "replica 0 writes elsewhere" holds "$base/$story_namespace/taken/disk-0@$(volume_of disk-taken-0)/name" taken-0
kube delete statefulset taken >/dev/null
kube delete pvc --all --wait=false >/dev/null
wait_for 120 "deleted, its volumes go" node_lacks "$base/$story_namespace/taken/disk-1"
check "and the data are left alone still" holds "$base/$story_namespace/taken/disk-0/file" precious

chapter "A claim of no StatefulSet"
claim single-0
pod one single-0 'echo precious > /data/file; sleep 1000000000'
wait_for 90 "its pod is ready" pod_ready one
volume=$(volume_of single-0)
wait_for 10 "it lies at <namespace>/<claim>/<pv>" \
  holds "$base/$story_namespace/single-0/$volume/file" precious

chapter "A PV deleted before its claim goes when the claim goes, with its data"
kube delete pv "$volume" --wait=false >/dev/null
check "the PV waits for its claim" kube get pv "$volume" -o name
check "the data are there" node_has "$base/$story_namespace/single-0/$volume/file"
kube delete pod one --grace-period=0 --force >/dev/null 2>&1
kube delete pvc single-0 --wait=false >/dev/null
wait_for 60 "the PV is gone" gone pv "$volume"
check "the data are gone" node_lacks "$base/$story_namespace/single-0"

chapter "Reclaim policy Retain keeps PV and data, as does a change to Retain on the live PV"
class e2e-retain '{}' Retain
claim kept e2e-retain
claim changed
pod two kept 'echo a > /data/file; sleep 1000000000'
pod three changed 'echo b > /data/file; sleep 1000000000'
wait_for 90 "their pods are ready" pod_ready two
wait_for 90 "their pods are ready" pod_ready three
kept=$(volume_of kept) changed=$(volume_of changed)
kube patch pv "$changed" -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}' >/dev/null
check_equal "the class's policy is the PV's" Retain "$(policy_of "$kept")"
kube delete pod two three --grace-period=0 --force >/dev/null 2>&1
kube delete pvc kept changed --wait=false >/dev/null
wait_for 60 "the PV of class Retain is Released" phase_of "$kept" Released
wait_for 60 "the PV that was changed is Released" phase_of "$changed" Released
check "its data stay" holds "$base/$story_namespace/kept/$kept/file" a
check "and those of the other" holds "$base/$story_namespace/changed/$changed/file" b
kube patch pv "$kept" "$changed" -p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}' >/dev/null
wait_for 60 "changed to Delete, they go" gone pv "$kept" "$changed"
check "and their data" node_lacks "$base/$story_namespace/kept"
kube delete storageclass e2e-retain >/dev/null

chapter "Fifty claims at once"
class e2e-immediate '{}' Delete Immediate
for i in $(seq 50); do claim "many-$i" e2e-immediate; done
wait_for 60 "all are Bound" claims_bound 50
check_equal "to fifty volumes" 50 "$(kube get pvc -l e2e=yes -o jsonpath='{range .items[*]}{.spec.volumeName}{"\n"}{end}' | sort -u | wc -l)"
check_equal "and there are no others" 50 "$(volumes_here | wc -l)"
kube delete pvc -l e2e=yes --wait=false >/dev/null
wait_for 60 "deleted, their volumes go" no_volumes_here
check_equal "and their directories" "" "$(node_files sh -c "ls -d $base/$story_namespace/many-* 2>/dev/null || :")"
summary
