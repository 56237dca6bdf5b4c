#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lab itself: it is a working Kubernetes while it is up, and leaves nothing behind however it ends.
# Uses a lab of its own, beside any that is running. Takes about two minutes; needs root.
set -uo pipefail
set -m # children get process groups of their own, and so can be sent SIGINT

name=lab-test
subnet=172.30.99
hack=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../hack")
work=$(mktemp -d)
mkdir "$work/tmp"
passed=0
failed=0

# TMPDIR is the lab's own, so that what it leaves there can be told from other people's files.
lab() { LAB_NAME=$name LAB_SUBNET=$subnet TMPDIR=$work/tmp "$hack/lab" "$@"; }

finish() {
  lab down >/dev/null 2>&1
  rm -rf "$work"
}
trap finish EXIT

# check TEXT COMMAND...: one line for each check, and the command's words if it failed.
check() {
  local text=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $text"
  else
    failed=$((failed + 1))
    echo "FAIL  $text"
    sed 's/^/      /' "$work/output" | tail -n 30
  fi
}

# within SECONDS COMMAND...: until it succeeds
within() {
  local deadline=$((SECONDS + $1 * 3))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.2
  done
}

# --- what is on the machine; other labs are not ours to judge ----------------------------------

ours_or_no_lab() { grep -v -E '(ordinal-lab[-/]|^lab-)' || true; }

# Processes that have the lab's name in their environment, or live in its cgroup.
lab_processes() {
  local process
  for process in /proc/[0-9]*; do
    if grep -qsz "^LAB_NAME=$name\$" "$process/environ" || grep -qs "/ordinal-lab-$name" "$process/cgroup"; then
      echo "${process#/proc/}: $(tr '\0' ' ' 2>/dev/null <"$process/cmdline")"
    fi
  done
}

machine() {
  {
    cut -d' ' -f1-3 /proc/mounts
    ls /sys/class/net
    find /sys/fs/cgroup -type d
    find /run ~/.kube /etc/cni /var/lib/{kubelet,containerd,cni,etcd} -maxdepth 3
    find /tmp -maxdepth 1 -name 'kube*' -o -name 'containerd*' -o -name 'runc*' -o -name 'etcd*'
    sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops net.ipv4.ip_forward
  } 2>/dev/null | ours_or_no_lab | sort -u
}

nothing_stays() {
  within 15 lab_left_nothing || {
    lab_leftovers
    return 1
  }
}
lab_left_nothing() { [ -z "$(lab_leftovers)" ]; }

lab_leftovers() {
  lab_processes
  ls -d /sys/class/net/lab-$name "/run/ordinal-lab/$name" 2>/dev/null
  find /sys/fs/cgroup -type d -name "ordinal-lab-$name"
  find "$work/tmp" -mindepth 1
  grep "/run/ordinal-lab/$name" /proc/mounts
  comm -13 "$work/before" <(machine)
}

# --- the checks --------------------------------------------------------------------------------

read_pid() { cut -d' ' -f1 "/run/ordinal-lab/$name/$1"; }

working() {
  lab kubectl apply -f - >/dev/null <<'END'
apiVersion: v1
kind: Service
metadata: {name: busybox-headless}
spec: {clusterIP: None, selector: {app: busybox}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: busybox}
spec:
  serviceName: busybox-headless
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: busybox}}
  template:
    metadata: {labels: {app: busybox}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: busybox, image: "ordinal.dev/busybox:lab", command: [sh, -c, "echo hello from $HOSTNAME; exec sleep 10000"]}
END
  check "a StatefulSet with the busybox image runs" lab kubectl rollout status statefulset/busybox --timeout=90s
  check "logs" pod_logs
  check "exec, and its exit code" exec_exit_code
  check "the headless name of a replica resolves to it" within 10 replica_resolves
  check "a name is gone with its replica" replica_forgotten
  check "the API server answers at its service's name" pod wget -qO- --no-check-certificate https://kubernetes.default.svc/healthz
  check "the API server answers at its service's address" pod nc -w 5 10.96.0.1 443
  check "the host reaches the API server with the kubeconfig" host_reaches
  check "pods reach the host" pod ping -c 1 -W 5 "$subnet.254"
  check "node exec, and its exit code" node_exec_exit_code
  check "a node writes nothing to the machine" node_writes_apart
  check "a second node" lab node add
  check "pods of different nodes reach each other" across_nodes
  check "an image is loaded into every node" load_image
}

pod() { lab kubectl exec busybox-0 -- "$@" </dev/null; }
pod_logs() { lab kubectl logs busybox-0 | grep -x 'hello from busybox-0'; }
exec_exit_code() {
  pod sh -c 'exit 7'
  [ $? -eq 7 ]
}
replica_resolves() {
  local address
  address=$(lab kubectl get pod busybox-1 -o 'jsonpath={.status.podIP}')
  [ -n "$address" ] && pod nslookup busybox-1.busybox-headless.default.svc.cluster.local | grep -x "Address: $address"
}
replica_forgotten() {
  lab kubectl scale statefulset busybox --replicas=1 && within 30 replica_unknown
}
replica_unknown() { ! pod nslookup busybox-1.busybox-headless.default.svc.cluster.local; }
host_reaches() {
  local kubeconfig
  kubeconfig=$(lab kubeconfig) &&
    "/run/ordinal-lab/$name/bin/kubectl" --cache-dir "$work/cache" --kubeconfig "$kubeconfig" get nodes
}
node_exec_exit_code() {
  lab node exec node-1 -- sh -c 'exit 7'
  [ $? -eq 7 ]
}
node_writes_apart() {
  lab node exec node-1 -- touch /written-by-the-lab && [ ! -e /written-by-the-lab ]
}
across_nodes() {
  local address
  lab kubectl run across --image=ordinal.dev/busybox:lab --restart=Never \
    --overrides='{"spec": {"nodeName": "node-2"}}' -- sleep 10000 &&
    lab kubectl wait --for=condition=Ready pod/across --timeout=60s &&
    address=$(lab kubectl get pod across -o 'jsonpath={.status.podIP}') &&
    pod ping -c 1 -W 5 "$address"
}
load_image() {
  local node
  "$hack/image" busybox -o "$work/busybox.tar" && lab load-image "$work/busybox.tar" &&
    for node in node-1 node-2; do
      lab node exec $node ctr --namespace k8s.io images list -q | grep -x ordinal.dev/busybox:lab || return
    done
}

interrupted() {
  lab up >"$work/up.log" 2>&1 &
  local up=$!
  within 60 test -e "/run/ordinal-lab/$name/scratch" && sleep 3
  kill "-$1" -- -$up
  ! wait $up 2>/dev/null
}

wrong_usage() {
  lab "$@"
  [ $? -eq 2 ]
}

# --- the test ----------------------------------------------------------------------------------

lab servers # may build for minutes, which is not the test's time
machine >"$work/before"

check "unknown command: exit code 2" wrong_usage nonsense
check "unknown option: exit code 2" wrong_usage up --nodes many
check "disks in no folder: exit code 2" wrong_usage up --disks "$work/nowhere"
check "up" lab up
check "up again changes nothing" lab up
check "status" lab status
working
check "down" lab down
check "nothing stays after down" nothing_stays
check "down again" lab down
check "status when down fails" eval '! lab status'

check "up" lab up
kill -9 "$(read_pid supervisor)"
check "nothing stays after kill -9 of the supervisor" nothing_stays

check "up" lab up
kill -9 "$(read_pid keeper)"
check "nothing stays after kill -9 of the keeper" nothing_stays

check "up is interrupted by SIGINT" interrupted INT
check "nothing stays after SIGINT" nothing_stays
check "up is killed by kill -9" interrupted KILL
check "nothing stays after kill -9 of up" nothing_stays

check "up" lab up
kill -9 "$(read_pid supervisor)" "$(read_pid keeper)"
lab status >/dev/null
check "the next command clears up after kill -9 of both" nothing_stays

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
