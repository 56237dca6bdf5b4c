# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A node with a kernel of its own, which has NFS and can be cut off: containerd and kubelet in a guest
# of User-Mode Linux, an ordinary process in the lab's namespaces. Its files are this machine's, below an
# overlay in its memory. Every process costs a lot in there: one kube-proxy outside serves all guests.

uml_memory=2G # a page of it is used only once it is touched

# --- in the lab's namespaces -------------------------------------------------------------------

# Returns when the kernel runs; the rest takes a while, also for several at once. The guest's processes
# are traced by this one, and die with it.
uml_start() {
  local name=$1 node=$lab_scratch/nodes/$1 number tap
  mkdir -p "$node"/{share,memory}
  rm -f "$node/share/up"
  number=$(<"$node/number")
  tap=node$number
  uml_services
  ip link show "$tap" >/dev/null 2>&1 || ip tuntap add "$tap" mode tap
  ip link set "$tap" master lab up
  ip route replace "10.244.$number.0/24" via "$LAB_SUBNET.$((10 + number))" onlink dev lab
  (
    cgroup_join "$name/init"
    HOME=$node/memory TMPDIR=$node/memory exec setsid linux.uml "mem=$uml_memory" "uml_dir=$node/memory" umid=uml \
      root=/dev/root rootfstype=hostfs rootflags=/ ro "init=$(realpath "$lab_dir/../../tests/uml/init")" \
      "ROOT=$(realpath "$lab_dir/../..")" "SHARE=$node/share" "KUBERNETES=$node/kubernetes" "BOOT=$lab_dir/uml_boot.sh" \
      "NODE=$name" "NUMBER=$number" "BIN=$(realpath "$lab_run/bin")" "LOGS=$lab_logs/$name" "IMAGES=$lab_scratch/images" \
      "LAB_NAME=$LAB_NAME" "LAB_SUBNET=$LAB_SUBNET" "LAB_CACHE=$LAB_CACHE" \
      "vec0:transport=tap,ifname=$tap,depth=64,gro=1" con=null con0=null,fd:1 </dev/null >"$lab_logs/$name/console.log" 2>&1
  ) &
  echo $! >"$node/pid"
  wait_for 60 uml_up_or_dead "$node" || true
  [ -e "$node/share/up" ] || {
    tail_logs "$name" >&2
    die "$name did not boot"
  }
}

# What guests send to a service's address comes by here.
uml_services() {
  [ ! -e "$lab_logs/kube-proxy.pid" ] || return 0
  # Or what a guest sends to itself so is bridged, and not sent back to where it came from.
  sysctl -qw net.bridge.bridge-nf-call-iptables=0
  pki_kubeconfig kube-proxy-guests /CN=system:kube-proxy "$pki/kube-proxy.kubeconfig"
  kube_proxy "$LAB_NAME" "$pki/kube-proxy.kubeconfig" "$lab_scratch/kube-proxy.yaml" true
}

uml_up_or_dead() { [ -e "$1/share/up" ] || process_ended "$(<"$1/pid")"; }

# As a power cut: what the guest had in memory, which is all, is lost.
uml_kill() {
  local pid
  pid=$(<"$lab_scratch/nodes/$1/pid")
  kill -KILL -- "-$pid" 2>/dev/null || true
  wait_for 10 process_ended "$pid" || die "$1 does not end"
}

# uml_exec NAME PID COMMAND...: leaves the command on the share, where the guest finds it.
uml_exec() {
  local share=$lab_scratch/nodes/$1/share name=$1 pid=$2 id code
  shift 2
  id=$(mktemp -u XXXXXXXXXX)
  printf '%q ' "$@" >"$share/$id.new"
  mv "$share/$id.new" "$share/$id.command"
  until [ -e "$share/$id.code" ]; do
    process_ended "$pid" && die "$name is not running any more"
    sleep 0.03
  done
  cat "$share/$id.output"
  cat "$share/$id.error" >&2
  read -r code <"$share/$id.code"
  rm -f "$share/$id".*
  return "$code"
}

node_kill() {
  uml_require "$1"
  uml_kill "$1"
}

node_boot() {
  uml_require "$1"
  ! kill -0 "$(<"$lab_scratch/nodes/$1/pid")" 2>/dev/null || die "$1 is running: hack/lab node kill $1"
  uml_start "$1"
}

# Only such a node has power of its own.
uml_require() {
  local kind
  kind=$(node_kind "$1") || exit
  [ "$kind" = uml ] || die "$1 shares this machine's kernel, so that it cannot be cut off: add nodes by --uml"
}
