# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the user calls.

lab_help() {
  cat <<END
usage: hack/lab COMMAND

  up [--nodes N] [--uml M] [--disks FOLDER]
                            build or find Kubernetes, start it with N nodes (default 1; 0 with --uml) and M that have a
                            kernel of their own, with NFS; wait until Ready. With --disks, FOLDER/NODE of this machine
                            is /var/lib/ordinal of each node without such a kernel, and outlives the lab
  down                      end it and everything in it
  status                    tell how it is; succeeds if it is up and healthy
  node add [--uml] [NAME]   add a node (node-1, node-2, ...); with --uml one that has a kernel of its own, with NFS
  node kill NAME            cut the power of a node with a kernel of its own
  node boot NAME            boot it again; what it held is lost
  node exec NAME [--] CMD   run a command on a node
  load-image FILE.tar...    load docker archives into every node, also into nodes added later
  kubectl ...               the kubectl of this Kubernetes, as admin
  kubeconfig                print the path of the admin's kubeconfig
  logs [COMPONENT] [-f]     print a component's log; without one, the end of every log
  servers                   only build or find the Kubernetes programs, print their folder
  help                      this

environment
  LAB_K8S_BIN   folder of Kubernetes programs to use (1.20 or later) instead of building Debian's
  LAB_CACHE     where built programs are kept      $LAB_CACHE
  LAB_NAME      name of the lab                    $LAB_NAME
  LAB_SUBNET    first three numbers of its network $LAB_SUBNET
END
}

require_root() { [ "$(id -u)" -eq 0 ] || die "needs root, for namespaces and cgroups"; }

lab_up() {
  local nodes='' guests=0 disks=''
  while [ $# -gt 0 ]; do
    [ "$1" = --disks ] || [[ ${2:-} =~ ^(0|[1-9][0-9]?)$ ]] || usage_error "$1 needs a number from 0 to 99"
    case $1 in
      --nodes) nodes=$2 ;;
      --uml) guests=$2 ;;
      --disks)
        [ -d "${2:-}" ] || usage_error "--disks needs a folder that exists"
        disks=$(realpath "$2")
        ;;
      *) usage_error "up does not understand '$1'" ;;
    esac
    shift 2
  done
  [ -n "$nodes" ] || nodes=$((guests == 0))
  require_root
  "$lab_dir/../install-packages" lab image
  [ "$guests" = 0 ] || "$lab_dir/../install-packages" lab-uml
  lab_lock
  if lab_alive; then
    say "The lab $LAB_NAME is already up"
    return
  fi
  lab_tidy
  [ -z "$(ip -4 -o address show to "$LAB_SUBNET.0/24")" ] ||
    die "the network $LAB_SUBNET.0/24 is in use; choose another by LAB_SUBNET"
  servers_find
  local from=$SECONDS
  say "Starting the lab $LAB_NAME with Kubernetes from $servers; this takes about half a minute"
  trap lab_abandon EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  step "namespaces and network" keeper_start "$disks"
  step "images" images_make
  step "control plane" inside control_plane
  nodes_add node "$nodes"
  nodes_add uml "$guests"
  echo up >&"$lifeline"
  trap - EXIT INT TERM HUP
  say "The lab is up after $((SECONDS - from)) s: API server https://$lab_address:6443, kubeconfig $lab_kubeconfig"
}

# nodes_add KIND COUNT
nodes_add() {
  local unnamed=() i
  for ((i = 0; i < $2; i++)); do
    unnamed+=("")
  done
  node_add "$1" "${unnamed[@]}"
}

# One up at a time for each name.
lab_lock() {
  mkdir -p "$LAB_CACHE"
  exec {lab_lock}>"$LAB_CACHE/$LAB_NAME.lock"
  flock -n "$lab_lock" && return
  say "Another hack/lab up is at work: waiting for it"
  flock "$lab_lock"
}

lab_abandon() {
  local code=$?
  trap '' INT TERM HUP
  warn "the lab did not come up: taking it down"
  [ -z "${lifeline:-}" ] || exec {lifeline}>&-
  lab_down
  exit $code
}

lab_down() {
  local from=${EPOCHREALTIME/./}
  require_root
  if [ ! -e "$lab_run" ]; then
    say "The lab $LAB_NAME is not up"
    return 0
  fi
  supervisor_stop
  lab_tidy
  wait_for 5 lab_gone || die "something of the lab $LAB_NAME is left; see $lab_run, interface $lab_link, cgroups $lab_cgroup"
  say "The lab $LAB_NAME is down: processes, mounts, network, cgroups and files are gone ($(((${EPOCHREALTIME/./} - from) / 1000)) ms)"
}

lab_status() {
  local name healthy=0
  if ! lab_alive; then
    lab_tidy
    say "The lab $LAB_NAME is not up"
    return 1
  fi
  if lab_kubectl get --raw /readyz >/dev/null 2>&1; then
    say "API server: ready"
  else
    say "API server: not ready"
    healthy=1
  fi
  for name in $(inside node_names); do
    if node_ready "$name" 2>/dev/null; then
      say "$name: Ready"
    else
      say "$name: not Ready"
      healthy=1
    fi
  done
  [ $healthy -eq 0 ] || lab_tidy # it may have ended meanwhile
  return $healthy
}

lab_node() {
  case ${1:-} in
    add)
      local kind=node
      if [ "${2:-}" = --uml ]; then
        kind=uml
        shift
        "$lab_dir/../install-packages" lab-uml
      fi
      [ $# -le 2 ] || usage_error "node add takes one NAME"
      [[ ${2:-node} =~ ^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$ ]] || usage_error "'$2' cannot be a node's name"
      require_alive
      node_add "$kind" "${2:-}"
      ;;
    kill | boot)
      [ $# -eq 2 ] || usage_error "node $1 needs a NAME"
      require_alive
      inside "node_$1" "$2"
      [ "$1" = kill ] || step "$2: Ready" node_wait_ready "$2"
      ;;
    exec)
      local name=${2:-}
      shift 2 || usage_error "node exec needs a NAME and a command"
      [ "${1:-}" != -- ] || shift
      [ $# -gt 0 ] || usage_error "node exec needs a command"
      require_alive
      inside node_enter "$name" "$@"
      ;;
    *) usage_error "node takes add, exec, kill or boot" ;;
  esac
}

lab_kubectl() { (lab_exec_kubectl "$@"); }

# Its cache goes to the run folder, and vanishes with the lab.
lab_exec_kubectl() {
  export HOME=$lab_run NO_PROXY=$lab_address KUBECONFIG=$lab_kubeconfig
  exec "$lab_run/bin/kubectl" "$@"
}

lab_print_kubeconfig() {
  require_alive
  say "$lab_kubeconfig"
}

lab_servers() {
  [ $# -eq 0 ] || usage_error "servers takes no argument"
  servers_find >&2
  say "$servers"
}
