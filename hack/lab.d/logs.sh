# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The logs: COMPONENT.log for the control plane, NODE/COMPONENT.log for a node.

lab_print_logs() {
  local component='' follow=''
  while [ $# -gt 0 ]; do
    case $1 in
      -f) follow=-f ;;
      -*) usage_error "logs does not understand '$1'" ;;
      *) component=$1 ;;
    esac
    shift
  done
  require_alive
  if [ -z "$component" ]; then
    inside tail_logs . $follow
  else
    inside print_log "$component" $follow
  fi
}

# tail_logs FOLDER [-f]: the end of each log below a folder of the logs.
tail_logs() { (cd "$lab_logs" && find "$1" -name '*.log' -printf '%P\n' | sort | (cd "$1" && xargs tail ${2:+"$2"} -n 10)); }

print_log() {
  [ -f "$lab_logs/$1.log" ] || {
    warn "there is no log $1, but: $(cd "$lab_logs" && find . -name '*.log' -printf '%P ' | sed 's/\.log//g')"
    return 1
  }
  tail ${2:+"$2"} -n +1 "$lab_logs/$1.log"
}
