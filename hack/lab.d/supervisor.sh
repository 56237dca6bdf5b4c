# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The lab's life. A supervisor is process 1 of the lab's own pid, mount, network, host name and IPC
# namespaces: when it dies, the kernel ends every process and drops every mount and interface of the
# lab. A keeper on the host outlives it only to remove what lies outside: run folder and cgroups.
# When the keeper dies first, the supervisor is told by a signal and does that itself; when both are
# killed at once, the next hack/lab command does it.

supervisor_alive() { process_alive "$lab_run/supervisor"; }
supervisor_dead() { ! supervisor_alive; }
keeper_alive() { process_alive "$lab_run/keeper"; }
lab_alive() { supervisor_alive && keeper_alive; }
lab_over() { ! supervisor_alive && ! keeper_alive; }
lab_alive_or_over() { lab_alive || lab_over; }
lab_gone() { lab_over && [ ! -e "$lab_run" ] && [ ! -e "/sys/class/net/$lab_link" ]; }

supervisor_pid() {
  local pid
  read -r pid _ <"$lab_run/supervisor" && echo "$pid"
}

require_alive() {
  lab_alive && return
  lab_tidy
  die "the lab $LAB_NAME is not up; start it by: hack/lab up"
}

# Leaves a lab that is alive, or nothing of it: waits for one that is just starting or ending, and
# removes what one whose supervisor and keeper were both killed has left.
lab_tidy() {
  wait_for 15 lab_alive_or_over || die "the lab $LAB_NAME neither starts nor ends"
  lab_alive || lab_remove_leftovers
}

lab_remove_leftovers() {
  # It goes with the lab's network, which connections that nobody ends may keep for minutes.
  ip link delete "$lab_link" 2>/dev/null || true
  [ -d "$lab_run" ] || return 0
  cgroups_remove || warn "could not remove every cgroup $lab_cgroup"
  rm -rf "$lab_run"
  rmdir --ignore-fail-on-non-empty "$lab_runs" 2>/dev/null || true
}

# Run a function of these scripts in a clean environment that holds nothing of the caller's but
# the lab's settings, and no open files but the standard ones. Signals that the caller ignores, as all
# under nohup do, are not: a shell could not trap them.
run_clean() {
  env -i --default-signal HOME="$lab_scratch/home" TMPDIR="$lab_scratch/tmp" LANG=C.UTF-8 \
    PATH="$lab_run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    LAB_NAME="$LAB_NAME" LAB_SUBNET="$LAB_SUBNET" LAB_CACHE="$LAB_CACHE" "$@"
}

# inside FUNCTION ARGUMENT...: run a function of these scripts in the lab's namespaces and cgroup.
inside() {
  (
    cgroup_join control-plane
    run_clean nsenter --target "$(supervisor_pid)" --mount --uts --ipc --net --pid \
      "$lab_program" __run "$@"
  )
}

# --- on the host -------------------------------------------------------------------------------

# Its standard input is a pipe from `hack/lab up`: if that ends without the word "up", so does the lab.
keeper() {
  local word=
  cd /
  keeper_is $$
  setpriv --pdeathsig KILL unshare --pid --fork --kill-child=HUP --mount --propagation private \
    --net --uts --ipc "$lab_program" __run supervisor </dev/null &
  local guard=$!
  read -r word || true
  if [ "$word" != up ]; then
    wait_for 2 test -e "$lab_run/supervisor" || true # it may be just starting
    supervisor_stop
  fi
  wait $guard || true
  lab_remove_leftovers
}

keeper_is() {
  process_identity "$1" >"$lab_run/keeper.new"
  mv "$lab_run/keeper.new" "$lab_run/keeper"
}

# keeper_start DISKS: starts the keeper; leaves the pipe to it open in $lifeline.
keeper_start() {
  mkdir -p "$lab_scratch"
  keeper_is $$ # until there is one
  ln -s "$servers" "$lab_run/bin"
  [ -z "$1" ] || ln -s "$1" "$lab_run/disks"
  exec {lifeline}> >(run_clean setsid "$lab_program" __run keeper >"$lab_run/keeper.log" 2>&1)
  wait_for 10 lab_alive || {
    cat "$lab_run/keeper.log" >&2
    die "the lab's namespaces did not come up"
  }
  ip link add "$lab_link" type veth peer name uplink netns "$(supervisor_pid)"
  ip address add "$lab_host_address/24" dev "$lab_link"
  ip link set "$lab_link" up
  inside uplink_attach
}

supervisor_stop() {
  local pid
  supervisor_alive || return 0
  pid=$(supervisor_pid)
  kill -TERM "$pid" 2>/dev/null || true
  wait_for 6 supervisor_dead && return 0 # plain return would mean failure in a trap
  cgroups_thaw
  kill -KILL "$pid" 2>/dev/null || true
  wait_for 10 supervisor_dead
}

# --- in the lab's namespaces -------------------------------------------------------------------

# Asked to end by TERM; HUP comes from the kernel when the keeper died.
supervisor() {
  [ $$ -eq 1 ] || die "the supervisor is process 1 of namespaces of its own, or nothing"
  trap supervisor_end TERM
  trap 'orphaned=1; supervisor_end' HUP
  keeper_alive || { # it died before the trap was set
    orphaned=1
    supervisor_end
  }
  # /proc still shows the host's process ids
  read -r pid _ </proc/self/stat
  process_identity "$pid" >"$lab_scratch.identity"
  bare_mount -t proc proc /proc
  bare_mount -t tmpfs -o size=75%,mode=755 tmpfs "$lab_scratch"
  mkdir "$lab_scratch"/{home,tmp,logs,images,nodes,numbers,pki,etcd,dns}
  hostname "$LAB_NAME"
  network_make
  mv "$lab_scratch.identity" "$lab_run/supervisor" # from here on the lab is alive
  while :; do
    sleep infinity &
    wait $! || true
  done
}

supervisor_end() {
  local pid
  # The API server ends before etcd, so that its last words are not errors.
  if read -r pid 2>/dev/null <"$lab_logs/kube-apiserver.pid"; then
    kill -TERM "$pid" 2>/dev/null || true
    wait_for 2 process_ended "$pid" || true
  fi
  if [ -n "${orphaned:-}" ]; then
    # Everybody else in this pid namespace, of which we are process 1. Elsewhere the kernel does it
    # when we end, but here we have to outlive them.
    kill -KILL -1 2>/dev/null || true
    umount -n -l "$lab_scratch" 2>/dev/null || true
    ip link delete uplink 2>/dev/null || true # and the host's end with it
    lab_remove_leftovers
  fi
  exit 0
}

process_ended() { ! kill -0 "$1"; }

network_make() {
  ip link set lo up
  # A fixed address, or the bridge would take that of its newest port.
  ip link add lab address 02:00:00:00:00:01 type bridge
  ip address add "$lab_address/24" dev lab
  ip link set lab up
  sysctl -qw net.ipv4.ip_forward=1 # from node to node
  sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.lab.send_redirects=0
}

uplink_attach() { ip link set uplink master lab up; }
