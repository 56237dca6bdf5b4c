# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Guests of User-Mode Linux: a kernel with NFS client, NFS server and quotas that runs as an ordinary
# process, on this machine's files. To be sourced by a script that then calls
#
#   sandbox "$@"                  go on in namespaces of its own, where everything else happens
#   network_up; guest_start N     boot guest N (1, 2 ...); returns at once
#   guest_wait N                  until it takes commands
#   guest_run N SECONDS COMMAND   run a shell command there: its output, its exit code
#   guest_stop N, guest_kill N    power it off; or end it as a power cut does
#
# Nothing remains, however the script ends: process 1 of the sandbox is the script, and processes,
# mounts, interfaces and files (on a tmpfs over /mnt) go with it.
#
# While a command runs in a guest, that guest may ask for something (see support/host.h): the
# function `answer ASKED` of the script then runs here, and what it prints is the answer.

uml_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
uml_root=$(cd "$uml_dir/../.." && pwd)
uml_work=/mnt
uml_net=192.0.2 # RFC 5737: for documentation, so never anybody's
declare -A guest_pid=()

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# wait_for SECONDS COMMAND...: until it succeeds; false after that long.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -le $end ] || return 1
    sleep 0.05
  done
}

sandbox() {
  if [ "${UML_SANDBOX:-}" != $$ ]; then
    sandbox_run "$@"
    exit
  fi
  unset UML_SANDBOX
  trap 'exit 143' TERM
  trap 'exit 130' INT
  mount -t tmpfs -o mode=0755 tmpfs $uml_work
}

# The script is process 1 in there: when it or this one dies, the kernel ends all the others.
sandbox_run() {
  [ "$(id -u)" -eq 0 ] || die "guests need namespaces, which need root"
  UML_SANDBOX=1 unshare --pid --fork --kill-child=KILL --mount-proc --mount --propagation private \
    --net --uts --ipc "$0" "$@" </dev/null &
  local child=$!
  # shellcheck disable=SC2064
  trap "kill -KILL $child 2>/dev/null; exit 143" TERM
  # shellcheck disable=SC2064
  trap "kill -KILL $child 2>/dev/null; exit 130" INT
  wait $child
}

# This machine is $uml_net.1, guest N is $uml_net.N0; nothing leads further.
network_up() {
  ip link set lo up
  ip link add bridge type bridge
  ip address add $uml_net.1/24 dev bridge
  ip link set bridge up
}

# guest_start N [ARGUMENT...]: further words of the kernel's command line, such as ubd0=FILE.
guest_start() {
  local n=$1 share=$uml_work/guest$1
  shift
  rm -rf "$share"
  mkdir -p "$share" "$share-nfs"
  [ -e "/sys/class/net/tap$n" ] || ip tuntap add "tap$n" mode tap
  ip link set "tap$n" master bridge up
  HOME=$uml_work TMPDIR=$uml_work setsid linux.uml mem="${UML_MEMORY:-384M}" uml_dir=$uml_work umid="uml$n" \
    root=/dev/root rootfstype=hostfs rootflags=/ ro init="$uml_dir/init" \
    GUEST="$n" SHARE="$share" ROOT="$uml_root" NET=$uml_net \
    "vec0:transport=tap,ifname=tap$n,depth=64,gro=1" con=null con0=null,fd:1 "$@" \
    </dev/null > >(exec cat >"$uml_work/guest$n.console") 2>&1 &
  guest_pid[$n]=$!
}

guest_alive() { kill -0 "${guest_pid[$1]}" 2>/dev/null; }
guest_dead() { ! guest_alive "$1"; }
guest_is_up() { [ -e "$uml_work/guest$1/up" ] || guest_dead "$1"; }

guest_show() { cat "$uml_work/guest$1.console" >&2; }

guest_wait() {
  wait_for 300 guest_is_up "$1" && guest_alive "$1" && return
  guest_show "$1"
  die "guest $1 did not boot"
}

guest_run() {
  local n=$1 share=$uml_work/guest$1 end=$((SECONDS + $2 + 5)) code
  printf '%s\n' "$3" >"$share/command.new"
  echo "$2" >"$share/limit"
  mv "$share/command.new" "$share/command"
  until [ -e "$share/code" ]; do
    [ ! -e "$share/asked" ] || guest_answer "$share"
    if [ $SECONDS -gt $end ] || guest_dead "$n"; then
      cat "$share/output" 2>/dev/null
      guest_show "$n"
      echo "guest $n does not answer any more" >&2
      return 1
    fi
    sleep 0.02
  done
  cat "$share/output"
  read -r code <"$share/code"
  rm -f "$share/code"
  return "$code"
}

guest_answer() {
  local asked code=0
  read -r asked <"$1/asked"
  rm -f "$1/asked"
  answer "$asked" >"$1/answer.new" 2>&1 || code=$?
  printf '\n%s\n' "$code" >>"$1/answer.new"
  mv "$1/answer.new" "$1/answer"
}

guest_stop() {
  touch "$uml_work/guest$1/stop"
  wait_for 20 guest_dead "$1" || guest_kill "$1"
  wait "${guest_pid[$1]}" 2>/dev/null || true
}

# Processes of the guest are traced by its kernel, and end with it; what helps the kernel is of its group.
guest_kill() {
  kill -KILL -- "-${guest_pid[$1]}" 2>/dev/null
  wait "${guest_pid[$1]}" 2>/dev/null || true
}
