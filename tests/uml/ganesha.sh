# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# An NFSv4 server in user space: $ganesha_address:/export, with its files in $ganesha_dir, which whoever
# sources this says; or several exports, each with a folder of its name there. It speaks the minor
# versions $ganesha_minors. It can hang, and come back as another one.
# shellcheck disable=SC2154

ganesha_pid='' ganesha_minors="0, 1, 2"
ganesha_exports=(export)

ganesha_conf() { # [SQUASH]
  local i
  cat <<END
NFS_CORE_PARAM {
  Protocols = 4; NFS_Port = 2049; Bind_addr = $ganesha_address;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
}
NFSV4 {
  Minor_Versions = $ganesha_minors; Lease_Lifetime = 20; Graceless = true;
  RecoveryBackend = fs; RecoveryRoot = $ganesha_dir;
}
NFS_KRB5 { Active_krb5 = false; }
END
  for i in "${!ganesha_exports[@]}"; do
    cat <<END
EXPORT {
  Export_Id = $((i + 1)); Path = $ganesha_dir/${ganesha_exports[i]}; Pseudo = /${ganesha_exports[i]};
  Access_Type = RW; Squash = ${1:-no_root_squash}; SecType = sys; Protocols = 4; Transports = TCP;
  FSAL { Name = VFS; }
}
END
  done
}

# ganesha_start [SQUASH]: returns when it serves.
ganesha_start() {
  mkdir -p "${ganesha_exports[@]/#/$ganesha_dir/}"
  ganesha_conf "$@" >"$ganesha_dir/conf"
  : >"$ganesha_dir/log"
  ganesha.nfsd -F -f "$ganesha_dir/conf" -L "$ganesha_dir/log" -p "$ganesha_dir/pid" \
    </dev/null >"$ganesha_dir/output" 2>&1 &
  ganesha_pid=$!
  local end=$((SECONDS + 60))
  until grep -q 'NFS SERVER INITIALIZED' "$ganesha_dir/log"; do
    [ $SECONDS -le $end ] || {
      cat "$ganesha_dir/log" >&2
      die "ganesha does not start"
    }
    sleep 0.05
  done
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
  rm -rf "$ganesha_dir/export"
  ganesha_start "$@"
}

# The same, though all is there: the export was restored from a backup.
ganesha_restore() {
  ganesha_stop
  cp -a "$uml_work/ganesha/export" "$uml_work/ganesha/restored"
  rm -rf "$uml_work/ganesha/export"
  mv "$uml_work/ganesha/restored" "$uml_work/ganesha/export"
  ganesha_start "$@"
}
