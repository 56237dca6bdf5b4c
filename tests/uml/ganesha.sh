# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# An NFSv4 server in user space beside the guests, which sees it as host:/export: one that can hang,
# and come back as another one. To be sourced after guests.sh, and used in the sandbox.
# shellcheck disable=SC2154 # uml_net and uml_work are of guests.sh

ganesha_pid=

ganesha_conf() {
  cat <<END
NFS_CORE_PARAM {
  Protocols = 4; NFS_Port = 2049; Bind_addr = $uml_net.1;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = none;
}
NFSV4 {
  Minor_Versions = 0, 1, 2; Lease_Lifetime = 20; Graceless = true;
  RecoveryBackend = fs; RecoveryRoot = $uml_work/ganesha;
}
NFS_KRB5 { Active_krb5 = false; }
EXPORT {
  Export_Id = 1; Path = $uml_work/ganesha/export; Pseudo = /export;
  Access_Type = RW; Squash = ${1:-no_root_squash}; SecType = sys; Protocols = 4; Transports = TCP;
  FSAL { Name = VFS; }
}
END
}

# ganesha_start [SQUASH]: returns when it serves.
ganesha_start() {
  mkdir -p "$uml_work/ganesha/export"
  ganesha_conf "$@" >"$uml_work/ganesha/conf"
  : >"$uml_work/ganesha/log"
  ganesha.nfsd -F -f "$uml_work/ganesha/conf" -L "$uml_work/ganesha/log" -p "$uml_work/ganesha/pid" \
    </dev/null >"$uml_work/ganesha/output" 2>&1 &
  ganesha_pid=$!
  wait_for 60 grep -q 'NFS SERVER INITIALIZED' "$uml_work/ganesha/log" && return
  cat "$uml_work/ganesha/log" >&2
  die "ganesha does not start"
}

ganesha_hang() { kill -STOP "$ganesha_pid"; }
ganesha_resume() { kill -CONT "$ganesha_pid"; }

# At once, as when its machine loses power: clients are told nothing.
ganesha_stop() {
  kill -KILL "$ganesha_pid"
  wait "$ganesha_pid" 2>/dev/null || true
}

# Every handle that clients have is stale: the export is another directory under the same name.
ganesha_replace() {
  ganesha_stop
  rm -rf "$uml_work/ganesha/export"
  ganesha_start "$@"
}
