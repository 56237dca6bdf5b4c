#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The status page of the provisioner that is deployed: a set by its ordinals, through the API server's
# proxy.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

selector=app.kubernetes.io/name=ordinal-hostpath

pod_name() { kube -n ordinal-system get pod -l $selector -o jsonpath='{.items[0].metadata.name}'; }
page() { kube get --raw "/api/v1/namespaces/ordinal-system/pods/$(pod_name):9809/proxy$1" 2>&1; } # PATH
page_says() { contains "$(page "$1" || :)" "$2"; }                                              # PATH WORDS

# cells SET: "TEMPLATE-ORDINAL STATE" of this namespace's set, a line each, and what is missing
cells() {
  page /status.json | jq -r --arg set "$1" --arg namespace "$story_namespace" '
    .sets[] | select(.namespace == $namespace and .name == $set) |
    (.cells[] | "\(.template)-\(.ordinal) \(.state)"), (.missing[] | "\(.template)-\(.from) to \(.to) missing")'
}
cells_are() { [ "$(cells "$1")" = "$2" ]; } # SET LINES
# cell SET ORDINAL FILTER: what jq makes of one
cell() {
  page /status.json | jq -r --arg set "$1" --argjson ordinal "$2" --arg namespace "$story_namespace" "
    .sets[] | select(.namespace == \$namespace and .name == \$set) | .cells[] | select(.ordinal == \$ordinal) | $3"
}
reason_says() { # CLAIM WORDS: of a claim of no set
  contains "$(page /status.json | jq -r --arg claim "$1" --arg namespace "$story_namespace" \
    '.others[] | select(.namespace == $namespace and .claim == $claim) | .state + ": " + .reason')" "$2"
}
replicas_ready() { [ "$(kube get statefulset "$1" -o jsonpath='{.status.readyReplicas}')" = "$2" ]; }
lines() { printf '%s\n' "$@"; }

# shellcheck disable=SC2034 # common.sh uses it
at_end=(without_flag --status-page)

begin e2e-status

chapter "Without --status-page there is no such page"
check "/status is not found" page_says /status NotFound
check "nor is /status.json" page_says /status.json NotFound
with_flag --status-page
wait_for 60 "/status is a page" page_says /status '<title>Ordinal</title>'
check "which asks for what is beside it, also behind a proxy" page_says /status "fetch('status.json'"
wait_for 60 "all was listed, and it works" page_says /status.json '"synced":true,"working":true'

chapter "A set of three replicas"
set_of web data
kube scale statefulset web --replicas=3 >/dev/null
wait_for 180 "the set is ready" replicas_ready web 3
wait_for 20 "each replica has its volume" cells_are web "$(lines 'data-0 bound' 'data-1 bound' 'data-2 bound')"
volume=$(volume_of data-web-1)
check_equal "replica 1 has its own" "$volume" "$(cell web 1 .volume)"
check_equal "with its path" "/var/lib/ordinal/$story_namespace/web/data-1" "$(cell web 1 .path)"
check_equal "its size" 1048576 "$(cell web 1 .bytes)"
check_equal "and its node" "$(kube get pod web-1 -o jsonpath='{.spec.nodeName}')" "$(cell web 1 .node)"
check_equal "it is some seconds old" true \
  "$(page /status.json | jq --argjson created "$(cell web 1 .created)" '.time - $created | . >= 0 and . < 600')"

chapter "Scaled down, a volume is kept; a claim that was deleted is missing"
kube scale statefulset web --replicas=2 >/dev/null
wait_for 60 "replica 2 is kept" cells_are web "$(lines 'data-0 bound' 'data-1 bound' 'data-2 kept')"
kube delete statefulset web --cascade=orphan >/dev/null
wait_for 60 "without its set all are" cells_are web "$(lines 'data-0 kept' 'data-1 kept' 'data-2 kept')"
kube delete pod -l set=web --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc data-web-2 --wait=false >/dev/null
wait_for 120 "a claim that was deleted goes with its volume" cells_are web "$(lines 'data-0 kept' 'data-1 kept')"

chapter "What keeps a claim from its volume"
class e2e-status '{onDelet: archive}' Delete Immediate
claim wrong e2e-status
wait_for 90 "is told where it is shown" reason_says wrong 'failed: Volume provisioning failed'
check "in the driver's words" reason_says wrong 'unknown parameter "onDelet"'
claim waiting
wait_for 60 "a claim that waits for its pod says so" reason_says waiting "pending: it waits until a pod"

kube delete pvc --all --wait=false >/dev/null
wait_for 60 "deleted, nothing is left" no_volumes_here
summary
