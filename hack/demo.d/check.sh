# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Steps, checks and waits: what a story is told with. A check that fails ends the story with the
# events and logs that explain it. Needs kube (a kubectl) and more from cluster.sh.

passed=0
story_namespace=${STORY_NAMESPACE:-default} # where the story takes place

if [ -t 1 ]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' green='' red='' plain=''
fi

chapter() { printf '\n%s== %s%s   (%d s)\n' "$bold" "$*" "$plain" $SECONDS; }

# contains TEXT WORDS
contains() { [[ $1 == *"$2"* ]]; }

# show COMMAND...: print the command as a user would type it, and run it
show() {
  printf '%s$ %s%s\n' "$bold" "${*/#kube/kubectl}" "$plain"
  "$@"
}

ok() {
  passed=$((passed + 1))
  printf '%sok%s   %s\n' "$green" "$plain" "$*"
}

fail() {
  printf '%sFAIL%s %s\n' "$red" "$plain" "$*" >&2
  explain >&2 || : # a command of it that fails must not end this
  printf '\n%d passed, 1 failed\n' "$passed"
  exit 1
}

# What a person would look at first.
explain() {
  printf '\n-- objects and events of namespace %s\n' "$story_namespace"
  kube get statefulset,pod,pvc,pv -o wide
  kube get events --sort-by=.lastTimestamp | tail -n 25
  printf '\n-- the driver and its provisioner\n'
  kube -n "$ordinal_namespace" get pods -o wide
  kube -n "$ordinal_namespace" logs -l app.kubernetes.io/name --all-containers --prefix --tail=30
  [ "${CLUSTER:-lab}" != lab ] || explain_nodes
}

# What waits for a disk or a server on the lab's nodes, and what their kubelets complain of.
explain_nodes() {
  local node
  for node in $(kube get node -o jsonpath='{.items[*].metadata.name}'); do
    printf '\n-- node %s\n' "$node"
    "$lab" node exec "$node" -- ps -eo pid,stat,wchan:30,args | awk '$2 ~ /^D/ && !/\[.*\]$/'
    "$lab" logs "$node/kubelet" | grep '^[EW]' | tail -n 15 | cut -c1-300
  done
}

# check TEXT COMMAND...: the command must succeed
check() {
  local text=$1
  shift
  if "$@"; then ok "$text"; else fail "$text"; fi
}

# check_equal TEXT EXPECTED ACTUAL
check_equal() {
  if [ "$2" = "$3" ]; then ok "$1"; else fail "$1: expected '$2', found '$3'"; fi
}

patience=1 # how many times as long as a person would wait

# wait_for SECONDS TEXT COMMAND...: the command must succeed within the time
wait_for() {
  local until=$((SECONDS + $1 * patience)) text=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || fail "$text (waited as long as it may take)"
    sleep 0.5
  done
  ok "$text"
}

summary() { printf '\n%d passed, 0 failed\n' "$passed"; }
