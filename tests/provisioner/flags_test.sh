#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Command lines of ordinal-provisioner: one that is not understood never runs, exits 2 and says which
# flag is meant.
#
# usage: BUILD=build tests/provisioner/flags_test.sh
set -u
program=${BUILD:-build}/ordinal-provisioner
passed=0
failed=0

report() { # NAME OK
  if [ "$2" = yes ]; then
    passed=$((passed + 1))
    echo "ok: $1"
  else
    failed=$((failed + 1))
    echo "FAILED: $1"
    printf '  exit %s, %s\n' "$status" "$output"
  fi
}

# check NAME STATUS TEXT FLAG...: run with FLAGs; it exits with STATUS and says TEXT.
check() {
  local name=$1 wanted=$2 text=$3
  shift 3
  output=$(timeout 20 "$program" "$@" 2>&1 </dev/null)
  status=$?
  if [ "$status" -eq "$wanted" ] && [[ $output == *"$text"* ]]; then
    report "$name" yes
  else
    report "$name" no
  fi
}

unset KUBECONFIG KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT NODE_NAME

check "help" 0 "--csi-address=VALUE" --help
check "version" 0 "ordinal-provisioner 0." --version
check "unknown flag" 2 "unknown flag --frobnicate" --frobnicate
check "unknown flag with a value" 2 "unknown flag --frob=1" --frob=1
check "short flag" 2 "unknown flag -x" -x
check "several short flags" 2 "unknown flag -xyz" -xyz
check "short flag behind a good one" 2 "unknown flag -xy" --workers=3 -xy
check "argument" 2 "takes no arguments, only flags: stray" stray
check "argument behind flags" 2 "only flags: stray" --workers=3 stray
check "a boolean's value as an argument" 2 "only flags: false" --extra-create-metadata false
check "help with a value" 2 "unknown flag --help=x" --help=x
check "missing value" 2 "--workers: needs a value" --workers

check "workers: no number" 2 '--workers: "many" is not a number' --workers=many
check "workers: number with a tail" 2 '--workers: "3x" is not a number' --workers=3x
check "workers: none" 2 "--workers: must be from 1 to 256" --workers=0
check "workers: too many" 2 "--workers: must be from 1 to 256" --workers=257
check "workers: beyond int" 2 '--workers: "99999999999" is not a number' --workers=99999999999
check "workers: empty" 2 '--workers: "" is not a number' --workers=
check "workers: its help is shown" 2 "Claims and volumes that are worked on at once" --workers=0

check "timeout: no unit" 2 '--timeout: "10" lacks a unit' --timeout=10
check "timeout: no duration" 2 '--timeout: "soon" is not a duration' --timeout=soon
check "timeout: negative" 2 '--timeout: "-1s" is not a duration' --timeout=-1s
check "timeout: too short" 2 "--timeout: must be from 100" --timeout=1ms
check "timeout: too long" 2 '--timeout: "9999h" is too long' --timeout=9999h
check "retry: longest below shortest" 2 "--retry-interval-max: is shorter than" \
  --retry-interval-start=10s --retry-interval-max=5s

check "metadata: neither true nor false" 2 '--extra-create-metadata: "yes" is neither true nor false' \
  --extra-create-metadata=yes
check "log format: unknown" 2 '--log-format: "xml" is not one of text|json' --log-format=xml
check "log format: both" 2 '--log-format: "text|json" is not one of' '--log-format=text|json'
check "log format: half a name" 2 '--log-format: "js" is not one of' --log-format=js
check "log level: empty" 2 '--log-level: "" is not one of debug|info|warn|error' --log-level=

check "prefix: empty" 2 "--volume-name-prefix: must be lower-case" --volume-name-prefix=
check "prefix: capitals" 2 "--volume-name-prefix: must be lower-case" --volume-name-prefix=PVC
check "prefix: a path" 2 "--volume-name-prefix: must be lower-case" --volume-name-prefix=../x
check "prefix: a dash first" 2 "--volume-name-prefix: must be lower-case" --volume-name-prefix=-x
check "prefix: too long" 2 "--volume-name-prefix: must be lower-case" \
  --volume-name-prefix="$(printf 'x%.0s' {1..201})"

check "address: tcp" 2 '--csi-address: endpoint "tcp://127.0.0.1:1" is not a unix socket' \
  --csi-address=tcp://127.0.0.1:1
check "address: relative" 2 '--csi-address: endpoint "csi.sock" is not a unix socket' \
  --csi-address=csi.sock
check "address: empty" 2 "--csi-address: endpoint" --csi-address=
check "address: its help is shown" 2 "The CSI driver's socket." --csi-address=tcp://127.0.0.1:1
check "address: too long" 2 "is longer than 107 bytes" "--csi-address=/$(printf 'x%.0s' {1..120})"

check "node deployment: no node" 2 "--node-deployment: needs the node's name: give --node=NAME" --node-deployment
check "node deployment: neither" 2 '"maybe" is neither true nor false' --node-deployment=maybe
check "node: empty" 2 "--node: must be the name of a node" --node=
check "node deployment: empty node" 2 "--node: must be the name of a node" --node-deployment --node=
check "node deployment: delays" 2 "--node-deployment-max-delay: is shorter than" \
  --node-deployment-base-delay=90s
check "node deployment: no delay" 2 '--node-deployment-base-delay: "0" lacks a unit' \
  --node-deployment-base-delay=0
check "archives: nowhere to serve them" 2 "--archives: needs --http-endpoint" --archives
check "archives: neither" 2 '--archives: "on" is neither true nor false' --archives=on
check "sweep: unknown" 2 '--sweep: "delete" is not one of report|archive|off' --sweep=delete
check "sweep: no unit" 2 '--sweep-grace: "600" lacks a unit' --sweep-grace=600
check "sweep: its help is shown" 2 "before it counts as one" --sweep-grace=90000h

check "eager: neither" 2 '--eager: "soon" is neither true nor false' --eager=soon
check "leader election: neither" 2 '--leader-election: "1s" is neither' --leader-election=1s
check "lease: too short" 2 "--leader-election-lease-duration: must be from 1000" \
  --leader-election-lease-duration=999ms
check "lease: no unit" 2 '--leader-election-lease-duration: "15" lacks a unit' \
  --leader-election-lease-duration=15
check "lease: renewed too late" 2 \
  "--leader-election-renew-deadline: must be shorter than --leader-election-lease-duration" \
  --leader-election-renew-deadline=15s
check "lease: retried too rarely" 2 \
  "--leader-election-retry-period: must be shorter than half of --leader-election-renew-deadline" \
  --leader-election-retry-period=5s
check "lease: retried too often" 2 "--leader-election-retry-period: must be from 100" \
  --leader-election-retry-period=99ms
check "metrics path: relative" 2 "--metrics-path: must begin with a slash" --metrics-path=metrics
check "metrics path: empty" 2 "--metrics-path: must begin with a slash" --metrics-path=
check "status page: nowhere to serve it" 2 "--status-page: needs --http-endpoint" --status-page
check "status page: neither" 2 '--status-page: "on" is neither true nor false' --status-page=on
check "sweep: unknown" 2 '--sweep: "delete" is not one of report|archive|off' --sweep=delete
check "sweep interval: too long" 2 "--sweep-interval: must be from 0" --sweep-interval=25h
check "sweep interval: no unit" 2 '--sweep-interval: "0" lacks a unit' --sweep-interval=0

# Understood, and yet it cannot run: 1.
check "no cluster" 1 "use --kubeconfig=FILE" --workers=3
check "node" 1 "use --kubeconfig=FILE" --node=n
check "node deployment" 1 "use --kubeconfig=FILE" --node-deployment --node=n
check "all that is new" 1 "use --kubeconfig=FILE" --eager=false --leader-election \
  --leader-election-namespace=ns --leader-election-lease-duration=15s \
  --leader-election-renew-deadline=10s --leader-election-retry-period=2s --http-endpoint=:0 \
  --metrics-path=/m --status-page --archives --sweep=archive --sweep-interval=0s
check "topology" 1 "use --kubeconfig=FILE" --strict-topology --immediate-topology=false \
  --node-deployment-immediate-binding=false --node-deployment-base-delay=0s
export NODE_NAME=n
check "node deployment: from the environment" 1 "use --kubeconfig=FILE" --node-deployment
export NODE_NAME=
check "node deployment: empty environment" 2 "--node: must be the name of a node" --node-deployment
unset NODE_NAME
check "no kubeconfig" 1 "kubeconfig /nowhere: No such file" --kubeconfig=/nowhere
check "as JSON" 1 '"level":"error","msg":"kubeconfig /nowhere' --kubeconfig=/nowhere --log-format=json

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
