#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The program itself: wrong command lines, one process a socket, registration, how it ends.
# shellcheck disable=SC2317  # functions are called through check and trap
set -u
program=${BUILD:-build}/ordinal-csi
dir=$(mktemp -d)
pids=()
passed=0 failed=0

cleanup() {
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null
  done
  wait 2>/dev/null
  rm -rf "$dir"
}
trap cleanup EXIT

check() { # WHAT, then a command that must succeed
  local what=$1
  shift
  if "$@"; then
    echo "ok   $what"
    passed=$((passed + 1))
  else
    echo "FAIL $what"
    failed=$((failed + 1))
  fi
}

refused() { # TEXT FLAG...: exit 2 and TEXT on standard error
  local text=$1 output status
  shift
  output=$("$program" "$@" 2>&1 >/dev/null)
  status=$?
  [ "$status" -eq 2 ] && [[ $output == *"$text"* ]]
}

start() { # LOG FLAG...: start it and wait until it serves, or ends
  local log=$1
  shift
  : >"$log"
  "$program" --endpoint="unix://$dir/csi.sock" --nodeid=node-1 --hostpath-root="$dir/root" "$@" \
    2>>"$log" &
  pids+=($!)
  while ! grep -q "serves" "$log" && kill -0 $! 2>/dev/null; do
    sleep 0.05
  done
}

probe() {
  "$program" --probe --endpoint="unix://$dir/csi.sock"
}

probe_fails() { # TEXT: exit 1 and one line with TEXT on standard error
  local output status
  output=$(probe 2>&1 >/dev/null)
  status=$?
  [ "$status" -eq 1 ] && [ "$(wc -l <<<"$output")" -eq 1 ] && [[ $output == *"$1"* ]]
}

mkdir "$dir/registration"
check "no node id" refused "--nodeid: is required"
check "unknown flag" refused "unknown flag --nodid" --nodid=x
check "endpoint that is no socket" refused "--endpoint: is not unix" --endpoint=tcp://1.2.3.4:5
check "endpoint without a path" refused "--endpoint: is not unix" --endpoint=
check "driver name" refused "--drivername: is not a domain name" --nodeid=n --drivername=a/b
check "root that is relative" refused "--hostpath-root: " --nodeid=n --hostpath-root=data
check "root that climbs" refused "--hostpath-root: " --nodeid=n --hostpath-root=/data/../etc
check "the whole disk as root" refused "--hostpath-root: " --nodeid=n --hostpath-root=/
check "registration path" refused "is not an absolute path" --nodeid=n \
  --kubelet-registration-path=csi.sock
check "back end" refused "is not one of" --nodeid=n --backend=tape
check "version" test "$("$program" --version)" = "ordinal-csi 0.1.0"
check "probe of no socket" refused "--endpoint: is not unix" --probe --endpoint=tcp://1.2.3.4:5
check "probe of a driver that never was" probe_fails "nobody serves $dir/csi.sock"
check "help names the flags" grep -q -- --hostpath-root <("$program" --help)

start "$dir/first.log" --kubelet-registration-path=/host/csi.sock \
  --kubelet-registration-dir="$dir/registration" --log-format=json \
  --socket-gid=12345
first=${pids[0]}
check "serves CSI" test -S "$dir/csi.sock"
check "serves registration" test -S "$dir/registration/hostpath.ordinal.dev-reg.sock"
check "the CSI socket is its group's" test "$(stat -c '%a %u %g' "$dir/csi.sock")" = "660 0 12345"
check "the registration socket is root's" \
  test "$(stat -c %a "$dir/registration/hostpath.ordinal.dev-reg.sock")" = 700
check "logs JSON" grep -q '^{"time":".*"level":"info","msg":"ordinal-csi' "$dir/first.log"

check "probe of a driver that is ready" probe

start "$dir/second.log"
wait "${pids[-1]}"
check "a second process ends with 1" test $? -eq 1
check "and says why" grep -q "another process serves $dir/csi.sock" "$dir/second.log"
check "the first is still there" kill -0 "$first"

kill -STOP "$first"
check "probe of a driver that hangs" probe_fails "no answer to Probe within 3 s"
start "$dir/beside.log"
wait "${pids[-1]}"
check "the socket of a process that hangs is not stolen" test $? -eq 1
check "and this is why" grep -q "another process serves $dir/csi.sock" "$dir/beside.log"
kill -CONT "$first"
check "it goes on where it was" probe

kill -TERM "$first"
wait "$first"
check "SIGTERM ends it with 0" test $? -eq 0
check "no socket stays" test ! -e "$dir/csi.sock"
check "probe of a driver that has ended" probe_fails "nobody serves"
check "no registration stays" test -z "$(ls "$dir/registration")"

start "$dir/third.log"
{ kill -KILL "${pids[-1]}" && wait "${pids[-1]}"; } 2>/dev/null
check "a killed process leaves its socket" test -S "$dir/csi.sock"
check "probe of a driver that was killed" probe_fails "nobody serves"
start "$dir/fourth.log"
check "which the next one replaces" grep -q serves "$dir/fourth.log"
kill -INT "${pids[-1]}"
wait "${pids[-1]}"
check "SIGINT ends it with 0" test $? -eq 0

start "$dir/fifth.log" --kubelet-registration-path=/host/csi.sock \
  --kubelet-registration-dir="$dir/missing"
wait "${pids[-1]}"
check "without a registration directory it ends with 1" test $? -eq 1
check "and says so" grep -q "cannot register with kubelet" "$dir/fifth.log"

printf '%d passed, %d failed\n' $passed $failed
exit $((failed > 0))
