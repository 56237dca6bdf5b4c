# shellcheck shell=bash disable=SC2034,SC2154 # read and set by hack/image
# SPDX-License-Identifier: Apache-2.0
# Debian's PostgreSQL 15, server and psql, with a shell of busybox's, which initdb needs, and what its
# manifest runs, flock of util-linux among it. No locale but C.

image_name=ordinal.dev/postgres:$version
image_config='{"User": "999:999", "Env": ["PATH=/usr/lib/postgresql/15/bin:/usr/bin", "PGDATA=/data/pgdata", "PGHOST=/tmp", "PGUSER=postgres", "LC_ALL=C"]}'

image_fill() {
  local file
  debian_root "$1"
  mkdir -m 1777 "$1/tmp"
  mkdir -p "$1/data"
  echo 'postgres:x:999:999:postgres:/:/bin/sh' >>"$1/etc/passwd"
  echo 'postgres:x:999:' >>"$1/etc/group"
  programs_add "$1" /usr/lib/postgresql/15/bin/{postgres,initdb,pg_ctl,pg_isready,psql,pg_controldata} \
    /usr/lib/postgresql/15/lib/{dict_snowball,plpgsql,libpqwalreceiver}.so /usr/bin/flock
  while read -r file; do
    [ ! -f "$file" ] || cp --parents "$file" "$1" # of postgresql-15, whose record is there
  done < <(dpkg -L postgresql-15 | grep '^/usr/share/postgresql/15/' | grep -v '/man/\|/contrib/\|/extension/[^p]')
  file_add "$1" /usr/share/zoneinfo/Etc/UTC
  cp "$(dpkg -L busybox-static | grep -x '\(/usr\)\?/bin/busybox')" "$1/usr/bin/busybox"
  package_record "$1" busybox-static
  for file in sh cat rm sleep; do
    ln -s busybox "$1/usr/bin/$file"
  done
}
