# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The lab's own cgroup in every hierarchy, version 1 or 2. Processes live only in leaves
# (control-plane, NODE/init), which is what version 2 demands.

lab_cgroup=ordinal-lab-$LAB_NAME

cgroup_mounts() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# cgroup_join PATH [PID]: make the cgroup below the lab's and move a process, by default this one,
# into it. Its ancestors are delegated last, since version 2 allows that only when they are empty.
cgroup_join() {
  local mount part path ancestors
  for mount in $(cgroup_mounts); do
    path=$mount
    ancestors=()
    for part in "$lab_cgroup" ${1//\// }; do
      ancestors+=("$path")
      path+=/$part
      cgroup_make "$path"
    done
    echo "${2:-0}" >"$path/cgroup.procs"
    for path in "${ancestors[@]}"; do
      cgroup_delegate "$path"
    done
  done
}

cgroup_make() {
  local file
  mkdir -p "$1"
  for file in cpuset.cpus cpuset.mems; do # version 1: a new cpuset is empty and takes no process
    if [ -e "$1/cgroup.clone_children" ] && [ -e "$1/$file" ] && [ -z "$(<"$1/$file")" ]; then
      cat "$1/../$file" >"$1/$file"
    fi
  done
}

# Version 2: let the children have the controllers that containers need. What the host's root did
# not grant before is noted, to be taken back at the end.
cgroup_delegate() {
  local controller
  [ -e "$1/cgroup.subtree_control" ] || return 0
  for controller in cpu cpuset io memory pids; do
    if grep -qw $controller "$1/cgroup.controllers" && ! grep -qw $controller "$1/cgroup.subtree_control"; then
      { echo +$controller >"$1/cgroup.subtree_control"; } 2>/dev/null || continue
      [[ $1 == */$lab_cgroup* ]] || echo "$controller" >>"$lab_run/granted"
    fi
  done
}

# Remove the tree; its processes are dead, but the kernel may take a moment to let go of them.
cgroups_remove() { wait_for 5 cgroups_try_remove; }

cgroups_try_remove() {
  local mount controller left=0
  for mount in $(cgroup_mounts); do
    [ -d "$mount/$lab_cgroup" ] || continue
    find "$mount/$lab_cgroup" -depth -type d -exec rmdir {} + || left=1
    if [ -e "$mount/cgroup.subtree_control" ] && [ -e "$lab_run/granted" ]; then
      while read -r controller; do echo "-$controller" >"$mount/cgroup.subtree_control" || true; done <"$lab_run/granted"
    fi
  done
  return $left
}

# A frozen process (version 1) cannot die.
cgroups_thaw() {
  local mount state
  for mount in $(cgroup_mounts); do
    while read -r state; do echo THAWED >"$state"; done < <(find "$mount/$lab_cgroup" -name freezer.state 2>/dev/null)
  done
}
