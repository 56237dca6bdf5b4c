# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every part of the lab shares: its settings, its words to the user, bounded waits, processes.

export LAB_NAME=${LAB_NAME:-ordinal}
export LAB_SUBNET=${LAB_SUBNET:-172.30.77}
export LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ordinal-lab}

lab_program=$(realpath "$lab_dir/../lab")
lab_runs=/run/ordinal-lab
lab_run=$lab_runs/$LAB_NAME    # all that the lab has on the host: who runs it, kubeconfig, bin -> servers, disks
lab_scratch=$lab_run/scratch   # a tmpfs that only the lab's namespaces see: data, keys, logs, nodes
lab_logs=$lab_scratch/logs
lab_link=lab-$LAB_NAME         # the host's end of the way into the lab
lab_address=$LAB_SUBNET.1      # API server and DNS
lab_host_address=$LAB_SUBNET.254
lab_kubeconfig=$lab_run/kubeconfig

say() { printf '%s\n' "$*"; }
warn() { printf 'hack/lab: %s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}
usage_error() {
  warn "$*"
  warn "try: hack/lab help"
  exit 2
}

check_settings() {
  [[ $LAB_NAME =~ ^[a-z0-9][a-z0-9-]{0,10}$ ]] || # an interface is named after it
    usage_error "LAB_NAME must be 1 to 11 of a-z, 0-9 and -, not '$LAB_NAME'"
  [[ $LAB_SUBNET =~ ^[0-9]{1,3}(\.[0-9]{1,3}){2}$ ]] ||
    usage_error "LAB_SUBNET must be the first three numbers of an IPv4 address, not '$LAB_SUBNET'"
}

# step TEXT COMMAND...: run the command, then print how long it took.
step() {
  local text=$1 from=${EPOCHREALTIME/./}
  shift
  "$@"
  local tenths=$(((${EPOCHREALTIME/./} - from) / 100000))
  printf '%-50s %3d.%d s\n' "$text" $((tenths / 10)) $((tenths % 10))
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails when the time is over.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

# mount, without notes in the machine's /run
bare_mount() { mount --no-mtab "$@"; }

# daemon NAME COMMAND...: keep it running in the background, as a service manager would.
# Its log and its process id lie in NAME.log and NAME.pid below the logs.
daemon() {
  local files=$lab_logs/$1
  shift
  while :; do
    "$@" </dev/null >>"$files.log" 2>&1 &
    echo $! >"$files.pid"
    wait $! || true
    echo "hack/lab: ended, starting it again" >>"$files.log"
    sleep 1
  done </dev/null >/dev/null 2>&1 &
}

# A process as the pair of its id and its start time, since ids are used again; fails for a dead one,
# also for one that nobody has waited for yet.
process_identity() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  read -ra stat <<<"${stat##*) }" # from the third field on, which is the state
  [ "${stat[0]}" != Z ] && echo "$1 ${stat[19]}"
}

# process_alive FILE: whether the process whose identity the file holds is alive.
process_alive() {
  local pid started
  { read -r pid started <"$1"; } 2>/dev/null && [ "$(process_identity "$pid")" = "$pid $started" ]
}

# What a long-lived process must not keep open for whoever started it. bash reads its script by 255.
close_inherited_files() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || [ "$fd" -eq 255 ] || eval "exec $fd>&-"
  done
}
