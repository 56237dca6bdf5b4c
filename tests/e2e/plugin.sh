# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# kubectl ordinal, for the tests of what it says and does. Needs common.sh; who sources this calls
# plugin_clean at the end.

plugin_dir=$(mktemp -d)
plugin_clean() { rm -rf "$plugin_dir"; }

# ordinal WORD...: the plugin, as kubectl runs it, against the lab as its admin. Its output goes to
# files, too: a check asks for its exit code, the next one for its words.
ordinal() {
  local kubeconfig=${KUBECONFIG:-}
  [ "${CLUSTER:-lab}" = current ] || kubeconfig=$("$lab" kubeconfig)
  KUBECONFIG=$kubeconfig PATH="$e2e_project/build:$PATH" kubectl-ordinal "$@" \
    </dev/null >"$plugin_dir/out" 2>"$plugin_dir/err"
}
fails() { ! "$@"; }
said() { contains "$(cat "$plugin_dir/out" "$plugin_dir/err")" "$1"; }
exits() { # CODE COMMAND...
  local wanted=$1 code=0
  shift
  "$@" || code=$?
  [ $code = "$wanted" ]
}
printed() { jq "$@" "$plugin_dir/out"; } # what jq makes of the JSON that was printed last
