#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an operator sees of the provisioner that is deployed: metrics, health, log levels, and events
# that are counted instead of repeated.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

selector=app.kubernetes.io/name=ordinal-hostpath

pod_name() { kube -n ordinal-system get pod -l $selector -o jsonpath='{.items[0].metadata.name}'; }
page() { kube get --raw "/api/v1/namespaces/ordinal-system/pods/$pod:9809/proxy$1" 2>&1; } # PATH
page_says() { contains "$(page "$1" || :)" "$2"; }                                        # PATH WORDS
refuses_post() { ! echo | kube create --raw "/api/v1/namespaces/ordinal-system/pods/$pod:9809/proxy$1" -f - >/dev/null 2>&1; } # PATH

# metric SERIES: its value
metric() { page /metrics | awk -v series="$1" 'substr($0, 1, length(series) + 1) == series " " {print $2}'; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }
# metric_over SERIES VALUE
metric_over() { awk -v value="$(metric "$1")" -v floor="$2" 'BEGIN {exit !(value != "" && value + 0 > floor)}'; }
driver_metric() { echo "csi_sidecar_operations_seconds_count{driver_name=\"hostpath.ordinal.dev\",method_name=\"/csi.v1.Controller/$1\",grpc_status_code=\"$2\"}"; }

signal_program() { # PROGRAM SIGNAL: to its process on the node
  # shellcheck disable=SC2016 # expanded on the node
  node_files sh -c 'for p in /proc/[0-9]*; do
    [ "$(readlink $p/exe)" = "$1" ] && kill -$2 ${p#/proc/}; done; :' sh "/usr/bin/$1" "$2"
}
log_says() { contains "$(kube -n ordinal-system logs "$pod" -c provisioner --tail=200)" "$1"; }
restarts() { kube -n ordinal-system get pod "$pod" -o jsonpath='{.status.containerStatuses[*].restartCount}'; }
told_often() { # CLAIM REASON WORDS: as one event, at least three times
  local events times
  read -r events times < <(events_saying "$1" "$2" "$3")
  [ "$events" = 1 ] && [ "$times" -ge 3 ]
}

# Also where it fails: the lab is used by the tests after it.
# shellcheck disable=SC2034 # common.sh uses it
at_end=(continue_driver)
continue_driver() { signal_program ordinal-csi CONT; }

begin e2e-observe
pod=$(pod_name)
class e2e-observed '{}' Delete Immediate
claims seen 1 3 e2e-observed
wait_for 60 "three claims are Bound" claims_bound 3

chapter "Metrics"
labels='{class="e2e-observed",source=""}'
wait_for 20 "three claims were provisioned" metric_is "controller_persistentvolumeclaim_provision_total$labels" 3
check "each was timed" metric_is "controller_persistentvolumeclaim_provision_duration_seconds_count$labels" 3
check "which took some time" metric_over "controller_persistentvolumeclaim_provision_duration_seconds_sum$labels" 0
check "calls to the driver are counted" metric_over "$(driver_metric CreateVolume OK)" 2
check "nothing waits" metric_is 'workqueue_depth{name="ordinal"}' 0
check "what came was counted" metric_over 'workqueue_adds_total{name="ordinal"}' 3
check "and timed" metric_over 'workqueue_work_duration_seconds_count{name="ordinal"}' 3
for resource in persistentvolumeclaims persistentvolumes storageclasses statefulsets nodes csinodes; do
  check "$resource were listed" metric_is "ordinal_reflector_synced{resource=\"$resource\"}" 1
  check "and are watched" metric_is "ordinal_reflector_connected{resource=\"$resource\"}" 1
done
check "claims are cached" metric_over 'ordinal_store_objects{resource="persistentvolumeclaims"}' 2
wait_for 20 "the journal is empty" metric_is ordinal_journal_entries 0
wait_for 20 "events were sent" metric_over ordinal_events_sent_total 0
check "requests to the API server are counted" contains "$(page /metrics)" 'rest_client_requests_total{code="201",method="POST"'
check "its memory is told" metric_over process_resident_memory_bytes 1000000
check "it has used the processor" metric_over process_cpu_seconds_total 0
check "it says which version it is" contains "$(page /metrics)" 'ordinal_build_info{version="0.'
kube delete pvc -l e2e=yes --wait=false >/dev/null
wait_for 60 "three deletions are counted" metric_is 'controller_persistentvolume_delete_total{class="e2e-observed"}' 3

chapter "Health"
check_equal "/healthz" ok "$(page /healthz)"
check_equal "/readyz" ok "$(page /readyz)"
for part in loops watches driver leader-election; do
  check "/healthz?verbose tells of $part" page_says '/healthz?verbose' "[+]$part ok"
done
check "an unknown page is not found" page_says /nothing "NotFound"
check "nothing can be posted" refuses_post /healthz

chapter "A driver that hangs"
before=$(restarts)
signal_program ordinal-csi STOP
wait_for 60 "/healthz says so" page_says /healthz "driver: "
page /healthz/driver || :
check "as an error" page_says /healthz/driver "InternalError"
check_equal "the caches are ready all the same" ok "$(page /readyz)"
check_equal "and the loops run" ok "$(page /healthz/loops)"
claim waiting e2e-observed
wait_for 60 "a claim's event says that it does not answer" event_says waiting ProvisioningFailed "no answer to CreateVolume within"
signal_program ordinal-csi CONT
wait_for 60 "once it goes on, /healthz is well" page_says /healthz ok
wait_for 60 "the claim is Bound" claim_is waiting Bound
wait_for 30 "the journal is empty" metric_is ordinal_journal_entries 0
check_equal "and nothing was restarted" "$before" "$(restarts)"

chapter "Log levels"
signal_program ordinal-provisioner USR1
wait_for 20 "SIGUSR1: it logs more" log_says "log level changed log_level=debug"
signal_program ordinal-provisioner USR1
wait_for 20 "once more: as before" log_says "log level changed log_level=info"

chapter "A claim that fails again and again"
claim failing e2e-observed 1Mi "dataSource: {kind: PersistentVolumeClaim, name: nobody}"
wait_for 90 "it is one event with a count" told_often failing ProvisioningFailed '"nobody" not found'
check "failures are counted" metric_over 'controller_persistentvolumeclaim_provision_failed_total{class="e2e-observed",source="PersistentVolumeClaim"}' 2

kube delete pvc --all --wait=false >/dev/null
wait_for 60 "deleted, nothing is left" no_volumes_here
summary
