# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Programs that a test runs on this machine against the lab, beside what is deployed there: drivers
# that no node knows, and provisioners for them. Each has a name and a log; all are ended at the
# end, also of a test that fails. Needs common.sh.

host_dir=$(mktemp -d)
declare -A host_pids
at_end=(host_clean)

# What a failed test shows of them.
host_explain() {
  local log
  for log in "$host_dir"/*.log; do
    [ -e "$log" ] || continue # nothing was started yet
    printf '\n-- %s\n' "${log##*/}"
    tail -n 25 "$log"
  done >&2
}

host_clean() { # EXIT CODE
  local pid
  [ "$1" = 0 ] || host_explain
  for pid in "${host_pids[@]}"; do
    kill -CONT "$pid" 2>/dev/null
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  rm -rf "$host_dir"
}

# host_start NAME COMMAND...
host_start() {
  local name=$1
  shift
  "$@" >>"$host_dir/$name.log" 2>&1 &
  host_pids[$name]=$!
}

host_signal() { kill "-$2" "${host_pids[$1]}"; } # NAME SIGNAL
host_runs() { kill -0 "${host_pids[$1]}" 2>/dev/null; }

# host_end NAME [SIGNAL]: its exit code is in host_code
host_end() {
  host_signal "$1" "${2:-TERM}"
  host_wait "$1"
}
host_wait() {
  host_code=0
  wait "${host_pids[$1]}" 2>/dev/null || host_code=$?
  unset "host_pids[$1]"
}

host_says() { grep -q -- "$2" "$host_dir/$1.log"; }                # NAME PATTERN
host_lines() { grep -c -- "$2" "$host_dir/$1.log" || :; }          # NAME PATTERN
host_line_count() { [ "$(host_lines "$1" "$2")" = "$3" ]; }        # NAME PATTERN COUNT
host_lines_at_least() { [ "$(host_lines "$1" "$2")" -ge "$3" ]; } # NAME PATTERN COUNT

driver_name=scripted.example.com

# driver FLAGS...: the scripted driver; its volumes outlive it
driver() {
  host_start driver "$e2e_project/build/tests/provisioner/scripted_driver" --name=$driver_name \
    --endpoint="unix://$host_dir/csi.sock" --state="$host_dir/volumes" "$@"
}
driver_again() { # FLAGS...: end it, and start it by other flags
  host_end driver KILL
  driver "$@"
}

# The names of the volumes that it has, a line each.
driver_volumes() {
  awk '$1 < 0 {delete there[$2]} $1 >= 0 {there[$2] = $3} END {for (handle in there) print there[handle]}' \
    "$host_dir/volumes"
}
driver_has() { [ "$(driver_volumes | wc -l)" = "$1" ]; } # COUNT

# provisioner NAME FLAGS...: ordinal-provisioner as the lab's admin; what it keeps is in the
# namespace of the test
provisioner() {
  local name=$1
  shift
  host_start "$name" env KUBECONFIG="$("$lab" kubeconfig)" "$e2e_project/build/ordinal-provisioner" \
    --csi-address="unix://$host_dir/csi.sock" --leader-election-namespace="$story_namespace" "$@"
}

journal() { kube get configmap "ordinal-journal-${driver_name//./-}" -o jsonpath="$1"; } # JSONPATH
journal_is_empty() {
  local data
  data=$(journal '{.metadata.name}{.data}') && [ "${data%'{}'}" = "ordinal-journal-${driver_name//./-}" ]
}
journal_holds() { [ "$(journal '{.data}' | grep -o '"[0-9a-f-]\{36\}":' | wc -l)" -ge "$1" ]; } # COUNT
