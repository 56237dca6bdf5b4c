# shellcheck shell=bash disable=SC2154 # the kernel's command line
# SPDX-License-Identifier: Apache-2.0
# Makes a booted guest (tests/uml/init) a node of the lab: $NODE, the $NUMBER-th. Then does what
# `hack/lab node exec` leaves in the share.
set -euo pipefail

lab_dir=$ROOT/hack/lab.d
export LAB_NAME LAB_SUBNET LAB_CACHE
for part in common control_plane node; do
  # shellcheck source=/dev/null
  . "$lab_dir/$part.sh"
done

uml_files() {
  local dir
  for dir in tmp var/lib/{containerd,kubelet,cni} etc/cni/net.d dev/mqueue; do
    mkdir -p "/$dir"
    mount -t tmpfs -o mode=0755 tmpfs "/$dir"
  done
  chmod 1777 /tmp
  mkdir -p /run/lock /run/lab/{bin,images,kubernetes,logs,tools}
  mount -t hostfs -o "$BIN" none /run/lab/bin
  mount -t hostfs -o "$IMAGES" none /run/lab/images
  mount -t hostfs -o "$LOGS" none /run/lab/logs
  mount -t hostfs -o "$KUBERNETES" none /run/lab/kubernetes
  mount --make-rshared /
  # This kernel has the older tables.
  for dir in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -s "/usr/sbin/${dir/tables/tables-legacy}" "/run/lab/tools/$dir"
  done
  export PATH=/run/lab/tools:$node_path TMPDIR=/tmp
  # cadvisor, in kubelet, wants to know a clock's speed.
  { grep . /proc/cpuinfo; printf 'cpu MHz\t\t: 2000.000\n\n'; } >/run/lab/cpuinfo
  mount --bind /run/lab/cpuinfo /proc/cpuinfo
  # The logs are read from outside.
  sysctl -qw vm.dirty_writeback_centisecs=50 vm.dirty_expire_centisecs=50
}

uml_network() {
  hostname "$NODE"
  ip link set lo up
  ip address add "$1/24" dev vec0
  ip link set vec0 up
  ip route add "$lab_pod_range" via "$lab_address"
  ip route add "$lab_service_range" via "$lab_address"
  modprobe -a br_netfilter iptable_nat iptable_filter
  sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
}

# As the machine's own services would: kubelet starts with what NFSv3 needs already there.
uml_nfs() {
  modprobe -a nfsv4 nfsv3
}

uml_commands() {
  local tick file
  mkfifo /run/tick
  exec {tick}<>/run/tick # nobody writes to it: a sleep that starts no process
  shopt -s nullglob
  while :; do
    for file in /share/*.command; do
      mv "$file" "${file%.command}.running"
      uml_command "${file%.command}" &
    done
    read -rt 0.2 -u "$tick" || true
  done
}

uml_command() {
  local code=0
  bash "$1.running" </dev/null >"$1.output" 2>"$1.error" || code=$?
  echo $code >"$1.code.new"
  mv "$1.code.new" "$1.code"
}

touch /share/up
address=$LAB_SUBNET.$((10 + NUMBER))
# Signals and collections cost much here; a goroutine is preempted where it calls a function.
export GODEBUG=asyncpreemptoff=1 GOGC=400
uml_files
uml_network "$address"
lab_logs=/run/lab/logs
node_files "$NODE" "$address"
iptables -t nat -A POSTROUTING -s "10.244.$NUMBER.0/24" ! -d "$lab_pod_range" -j MASQUERADE
uml_nfs
node_containerd "$NUMBER" crun
node_kubelet "$NODE" "$address" 5s
uml_commands
