#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nfs-dynamic in trouble: shares and servers that are not there or refuse, each told where the user
# looks and mended by itself; a server that hangs while another serves on; one that comes back with
# nothing but stale handles; a node whose power is cut.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/nfs.sh
. "$(dirname "$0")/nfs.sh"

ns=e2e-trouble
second_address=$LAB_SUBNET.253
second_dir=$ganesha_dir-second
second_pid=''
ganesha_minors="0, 1" # others are tested with 4.2

# Another server of this machine's, by another address.
second_start() {
  local ganesha_address=$second_address ganesha_dir=$second_dir ganesha_pid
  ip address add "$second_address/24" dev "lab-$LAB_NAME" 2>/dev/null || :
  ganesha_start "$@"
  second_pid=$ganesha_pid
}

second_stop() {
  local ganesha_pid=$second_pid
  [ -z "$second_pid" ] || ganesha_stop
  second_pid=''
}

trouble_end() {
  nfs_end
  second_stop
  rm -rf "$second_dir"
}
at_end=(trouble_end)

# nfs_class NAME SERVER SHARE [MOUNT OPTION]
nfs_class() {
  kube apply -f - >/dev/null <<END
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: $1, labels: {e2e: "yes"}}
provisioner: nfs.ordinal.dev
parameters: {server: "$2", share: "$3"}
mountOptions: [${4:-nfsvers=4}]
END
}

grows() { [ "$(wc -l <"$1" 2>/dev/null || echo 0)" -gt "$2" ]; } # FILE LINES
has_ticks() { [ -n "$(find "$1" -name ticks 2>/dev/null)" ]; } # FOLDER

begin $ns

chapter "What is wrong with a share is said on the claim, and mended by itself"
nfs_class e2e-missing "$ganesha_address" /nowhere
claim missing e2e-missing
nfs_class e2e-unnamed no-such-host.invalid /export
claim unnamed e2e-unnamed
nfs_class e2e-version "$ganesha_address" /export nfsvers=4.2
claim version e2e-version
nfs_class e2e-statd "$ganesha_address" /export nfsvers=3
claim statd e2e-statd
nfs_class e2e-second "$second_address" /export
claim second e2e-second
wait_for 120 "a share that is not there" event_says missing ProvisioningFailed "$ganesha_address:/nowhere"
check "with what to do" event_says missing ProvisioningFailed "look at its exports"
wait_for 120 "a server whose name means nothing" event_says unnamed ProvisioningFailed "no-such-host.invalid has no address"
wait_for 120 "a version of NFS that the server has not" event_says version ProvisioningFailed "change nfsvers"
wait_for 120 "a version for which this machine lacks a service" event_says statd ProvisioningFailed "NFSv3 needs the host's rpc.statd"
wait_for 120 "a server that does not answer" event_says second ProvisioningFailed "$second_address:/export"
second_start root_squash
wait_for 180 "that server is up now, but refuses root" event_says second ProvisioningFailed "export it with no_root_squash"
second_stop
second_start
wait_for 180 "exported as it should be, the claim is Bound without anybody's help" claim_is second Bound
kube delete pvc missing unnamed version statd --wait=false >/dev/null
wait_for 60 "the others are deleted" gone pvc missing unnamed version statd

chapter "A server hangs: its pods wait, and go on; other servers' volumes do not notice"
claim first nfs-dynamic
nfs_pod on-first node-1 first '{}' '{mountPath: /data}' 'while sleep 1; do date +%s >> /data/ticks; done'
nfs_pod on-second node-1 second '{}' '{mountPath: /data}' 'while sleep 1; do date +%s >> /data/ticks; done'
wait_for 120 "a pod writes to the first server" has_ticks "$ganesha_dir/export/$ns/first"
wait_for 120 "and one to the second" has_ticks "$second_dir/export/$ns/second"
first_file=$(find "$ganesha_dir/export/$ns/first" -name ticks)
second_file=$(find "$second_dir/export/$ns/second" -name ticks)
ganesha_hang
hung=$SECONDS
lines=$(wc -l <"$second_file")
wait_for 60 "the first hangs: the pod of the second writes on" grows "$second_file" "$lines"
claim second-more e2e-second
wait_for 120 "and a claim there is Bound" claim_is second-more Bound
nfs_pod on-more node-1 second-more '{}' '{mountPath: /data}' 'sleep 1000000000'
wait_for 120 "and mounted by a new pod on the same node" pod_ready on-more
claim first-more nfs-dynamic
wait_for 180 "a claim on the first server says that it does not answer" event_says first-more ProvisioningFailed "$ganesha_address:/export"
while [ $((SECONDS - hung)) -lt 60 ]; do sleep 1; done # it is away for a minute at least
lines=$(wc -l <"$first_file")
ganesha_resume
wait_for 120 "it answers again: its pod goes on" grows "$first_file" "$((lines + 3))"
wait_for 180 "and the claim is Bound" claim_is first-more Bound

chapter "A server comes back, and every handle is stale: the next publish mends it"
ganesha_stop
cp -a "$ganesha_dir/export" "$ganesha_dir/copy"
rm -rf "$ganesha_dir/export"
mv "$ganesha_dir/copy" "$ganesha_dir/export"
ganesha_start
nfs_pod on-copy node-1 first-more '{}' '{mountPath: /data}' 'echo new > /data/file; sleep 1000000000'
wait_for 180 "a new pod on the same node is ready" pod_ready on-copy
kube delete pod on-first --grace-period=0 --force >/dev/null 2>&1
wait_for 120 "the old one goes" gone pod on-first
nfs_pod on-first node-1 first '{}' '{mountPath: /data}' 'wc -l < /data/ticks > /tmp/before; sleep 1000000000'
wait_for 180 "made again, it is ready" pod_answers on-first
check "and has its data" test "$(kube exec on-first -- cat /tmp/before)" -ge 3

chapter "A node's power is cut: its replica lives on elsewhere, and the node comes back"
SET_CLASS=nfs-dynamic set_of web data
wait_for 240 "two replicas are ready" set_ready web
victim=$(kube get pod -l set=web -o jsonpath='{.items[?(@.spec.nodeName=="node-2")].metadata.name}')
victim=${victim%% *}
check "one of them is on node-2" test -n "$victim"
uid=$(uid_of "$victim")
"$lab" node kill node-2
wait_for 180 "the node is not ready" node_is node-2 Unknown
kube delete pod "$victim" --grace-period=0 --force >/dev/null 2>&1
wait_for 240 "$victim runs on the other node" is_another_pod "$victim" "$uid"
check_equal "which is node-1" node-1 "$(node_of "$victim")"
check "with what it had written" server_lines "$ns/web/data-${victim##*-}/name" 2
"$lab" node boot node-2
wait_for 240 "the node comes back, and its driver" driver_registered
nfs_pod again node-2 first '{}' '{mountPath: /data}' 'sleep 1000000000'
wait_for 180 "a pod mounts a volume there" pod_ready again
summary
