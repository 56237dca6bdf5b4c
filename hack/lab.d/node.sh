# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A node: containerd, kubelet and kube-proxy in namespaces of their own within the lab's. Its root is
# an overlay of the host's with a tmpfs as the upper layer, so that it writes nothing to the host.

# --- on the host -------------------------------------------------------------------------------

# node_add KIND NAME...: KIND is node or uml; an empty name is made up
node_add() {
  local kind=$1 name names=()
  shift
  for name in "$@"; do
    name=$(inside node_reserve "$kind" "$name")
    names+=("$name")
  done
  for name in "${names[@]}"; do
    step "$name: started" inside "${kind}_start" "$name"
  done
  for name in "${names[@]}"; do
    step "$name: Ready" node_wait_ready "$name"
  done
}

node_wait_ready() {
  wait_for 300 node_ready "$1" && return
  inside tail_logs "$1" >&2
  die "$1 did not become Ready"
}

node_ready() {
  [ "$(lab_kubectl get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}{.spec.taints}')" = True ]
}

# --- in the lab's namespaces -------------------------------------------------------------------

node_names() { ls "$lab_scratch/nodes"; }

# node_reserve KIND NAME: takes the next free number, which gives the node its addresses, makes its
# files, and prints the name.
node_reserve() {
  local number name node
  for ((number = 1; ; number++)); do
    mkdir "$lab_scratch/numbers/$number" 2>/dev/null && break
  done
  name=${2:-node-$number}
  node=$lab_scratch/nodes/$name
  mkdir "$node" 2>/dev/null || {
    rmdir "$lab_scratch/numbers/$number"
    die "there is a node $name already"
  }
  echo "$number" >"$node/number"
  echo "$1" >"$node/kind"
  mkdir -p "$node/kubernetes" "$lab_logs/$name"
  cp "$pki/ca.crt" "$node/kubernetes/"
  kubernetes_minor >"$node/kubernetes/minor" # asking is slow in a guest
  pki_kubeconfig "kubelet-$name" "/O=system:nodes/CN=system:node:$name" "$node/kubernetes/kubelet.kubeconfig"
  pki_kubeconfig "kube-proxy-$name" /CN=system:kube-proxy "$node/kubernetes/kube-proxy.kubeconfig"
  echo "$name"
}

node_start() {
  local name=$1 node=$lab_scratch/nodes/$1 number
  number=$(<"$node/number")
  mkdir -p "$node"/{upper,work,root}
  (
    cgroup_join "$name" # becomes the root of the node's cgroup namespace
    exec setsid unshare --pid --fork --kill-child --mount --propagation private --net --uts --ipc --cgroup \
      "$lab_program" __run node "$name" "$number" </dev/null >>"$lab_logs/$name/node.log" 2>&1
  ) &
  local guard=$!
  # Nobody stays in the root of a delegated cgroup.
  wait_for 10 test -s "$node/pid" && cgroup_join "$name/init" $guard
  wait_for 60 node_started_or_dead "$node" $guard || true
  [ -e "$node/kubernetes/started" ] || {
    tail_logs "$name" >&2
    die "$name did not start"
  }
}

node_started_or_dead() { [ -e "$1/kubernetes/started" ] || process_ended "$2"; }

# node_kind NAME: how the node is made; fails when there is none of that name.
node_kind() { cat "$lab_scratch/nodes/$1/kind" 2>/dev/null || die "there is no node $1"; }

# node_enter NAME COMMAND...
node_enter() {
  local kind pid name=$1
  kind=$(node_kind "$1") || return
  pid=$(<"$lab_scratch/nodes/$1/pid")
  process_ended "$pid" 2>/dev/null && die "$1 is not running any more"
  shift
  "${kind}_exec" "$name" "$pid" "$@"
}

node_exec() (
  name=$1 pid=$2
  shift 2
  cgroup_join "$name/init"
  exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup \
    env HOME=/root TMPDIR=/tmp PATH="$node_path" "$@"
)

# --- in the node's namespaces ------------------------------------------------------------------

node_path=/run/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Process 1 of the node.
node() {
  local name=$1 number=$2 address=$LAB_SUBNET.$((10 + $2)) node=$lab_scratch/nodes/$1
  read -r pid _ </proc/self/stat # as the lab counts
  echo "$pid" >"$node/pid"
  cgroup_join "$name/init"
  hostname "$name"
  node_network "$number" "$address"
  node_root "$node"
  export HOME=/root TMPDIR=/tmp PATH=$node_path
  lab_logs=/run/lab/logs
  node_files "$name" "$address"
  # Pods reach the host, which does not know their addresses, in the node's name.
  iptables -t nat -A POSTROUTING -s "10.244.$number.0/24" ! -d "$lab_pod_range" -j MASQUERADE
  node_sysctls
  node_containerd "$number" runc
  node_kubelet "$name" "$address" 2s
  kube_proxy "$name" /run/lab/kubernetes/kube-proxy.kubeconfig /run/lab/kube-proxy.yaml false
  touch /run/lab/kubernetes/started
  while :; do
    sleep infinity &
    wait $! || true
  done
}

# Runs while /proc is still that of the lab, whose process 1 is the supervisor.
node_network() {
  local number=$1 address=$2 in_lab=(nsenter --net=/proc/1/ns/net)
  ip link set lo up
  ip link add eth0 type veth peer name "node$number"
  ip link set "node$number" netns /proc/1/ns/net
  "${in_lab[@]}" ip link set "node$number" master lab up
  "${in_lab[@]}" ip route replace "10.244.$number.0/24" via "$address" onlink dev lab
  ip address add "$address/24" dev eth0
  ip link set eth0 up
  # The lab knows the way to the pods of every node. There is no default route: it makes kubelet's
  # search for a cloud provider fail at once. kube-proxy gives the services' addresses their meaning.
  ip route add "$lab_pod_range" via "$lab_address"
  ip route add "$lab_service_range" dev eth0
  sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
}

# shellcheck disable=SC2164 # set -e
node_root() {
  local node=$1 root=$1/root path
  bare_mount -t overlay -o "lowerdir=/,upperdir=$node/upper,workdir=$node/work" overlay "$root"
  for path in run tmp var/lib/{containerd,kubelet,cni,nfs} var/log etc/cni/net.d; do
    mkdir -p "$root/$path"
    bare_mount -t tmpfs -o mode=755 tmpfs "$root/$path"
  done
  chmod 1777 "$root/tmp"
  node_disk "${node##*/}" "$root/var/lib/ordinal"
  mkdir -p "$root"/run/{lock,lab/{bin,kubernetes,images,logs}}
  bare_mount --bind "$lab_run/bin/" "$root/run/lab/bin"
  bare_mount --bind "$node/kubernetes" "$root/run/lab/kubernetes"
  bare_mount --bind "$lab_scratch/images" "$root/run/lab/images"
  bare_mount --bind "$lab_logs/${node##*/}" "$root/run/lab/logs"
  node_devices "$root/dev"
  bare_mount -t sysfs sysfs "$root/sys"
  node_cgroups "${node##*/}" "$root"
  bare_mount -t proc proc "$root/proc"
  cd "$root"
  pivot_root . .
  umount -n -l . # the old root
  cd /
  bare_mount --make-rshared /
}

# What outlives the lab, where `up --disks` said so.
node_disk() {
  [ -e "$lab_run/disks" ] || return 0
  mkdir -p "$lab_run/disks/$1" "$2"
  bare_mount --bind "$lab_run/disks/$1" "$2"
}

node_devices() {
  bare_mount -t tmpfs -o mode=755 tmpfs "$1"
  cp -a /dev/{null,zero,full,random,urandom,tty,kmsg} "$1"
  [ ! -e /dev/fuse ] || cp -a /dev/fuse "$1"
  mkdir "$1"/{pts,shm,mqueue}
  bare_mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts "$1/pts"
  bare_mount -t tmpfs tmpfs "$1/shm"
  bare_mount -t mqueue mqueue "$1/mqueue"
  ln -s pts/ptmx "$1/ptmx"
  ln -s /proc/self/fd "$1/fd"
  ln -s fd/0 "$1/stdin"
  ln -s fd/1 "$1/stdout"
  ln -s fd/2 "$1/stderr"
}

# The node sees its own part of every hierarchy where the whole would be.
node_cgroups() {
  local mount
  mountpoint -q /sys/fs/cgroup && [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ] &&
    bare_mount -t tmpfs -o mode=755 tmpfs "$2/sys/fs/cgroup"
  for mount in $(cgroup_mounts); do
    mkdir -p "$2$mount"
    bare_mount --bind "$mount/$lab_cgroup/$1" "$2$mount"
  done
}

node_files() {
  rm -f /etc/resolv.conf /etc/hostname /etc/hosts # may be links
  echo "$1" >/etc/hostname
  printf '127.0.0.1 localhost\n%s %s\n' "$2" "$1" >/etc/hosts
  printf 'nameserver %s\nsearch svc.cluster.local cluster.local\n' "$lab_address" >/etc/resolv.conf
}

# kubelet insists on some kernel settings that belong to the whole machine: it finds what it wants in
# files of the node's own, and nobody writes to the machine's.
node_sysctls() {
  local setting file
  bare_mount --bind /proc/sys /proc/sys
  bare_mount --bind /proc/sys/net /proc/sys/net
  mkdir /run/lab/sysctl
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/lab/sysctl/${setting//[\/=]/_}
    echo "${setting#*=}" >"$file"
    bare_mount --bind "$file" "/proc/sys/${setting%=*}"
  done
  bare_mount -o remount,bind,ro /proc/sys
}

# node_containerd NUMBER RUNTIME
node_containerd() {
  cat >/etc/cni/net.d/10-lab.conflist <<END
{"cniVersion": "0.4.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.$1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
  cat >/run/lab/containerd.toml <<END
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "ordinal.dev/pause:lab"
  restrict_oom_score_adj = true # this machine's root may lack CAP_SYS_RESOURCE
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "$2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
END
  daemon containerd containerd --config /run/lab/containerd.toml
  wait_for 30 ctr version
  local image
  for image in /run/lab/images/*.tar; do
    ctr --namespace k8s.io images import "$image"
  done
}

# node_kubelet NAME ADDRESS INTERVAL: reports so often
node_kubelet() {
  local minor kubelet_flags=() kubelet_config=''
  minor=$(</run/lab/kubernetes/minor)
  [ "$minor" -ge 27 ] || kubelet_flags+=(--container-runtime=remote)
  # Old kubelets let a deleted pod go only with its dead containers, which they keep for up to a
  # minute. The price: a container that crashed takes its log along.
  [ "$minor" -ge 22 ] || kubelet_flags+=(--maximum-dead-containers-per-container=0)
  [ "$minor" -lt 31 ] || kubelet_config='failCgroupV1: false'
  cat >/run/lab/kubelet.yaml <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: /run/lab/kubernetes/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
$kubelet_config
resolvConf: ""
clusterDNS: [$lab_address]
clusterDomain: cluster.local
# sooner than by default, since somebody is waiting
nodeStatusUpdateFrequency: $3
syncFrequency: 10s
serializeImagePulls: false
eventRecordQPS: 0
kubeAPIQPS: 200
kubeAPIBurst: 400
# the machine's disk is not the node's to judge
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: 50Mi}
imageGCHighThresholdPercent: 100
END
  daemon kubelet kubelet --config=/run/lab/kubelet.yaml --kubeconfig=/run/lab/kubernetes/kubelet.kubeconfig \
    --container-runtime-endpoint=unix:///run/containerd/containerd.sock "${kubelet_flags[@]}" \
    --hostname-override="$1" --node-ip="$2" --v=2
}

# kube_proxy NAME KUBECONFIG CONFIGURATION MASQUERADE: writes its configuration; MASQUERADE where answers
# would find another way back.
kube_proxy() {
  cat >"$3" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $2}
hostnameOverride: $1
mode: iptables
clusterCIDR: $lab_pod_range
iptables: {masqueradeAll: $4}
oomScoreAdj: 0
# the connection table is the whole machine's
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
  daemon kube-proxy kube-proxy --config="$3"
}
