#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two provisioners for one driver: one leads. It is told to end, killed, and paused for longer than
# its lease: the other goes on, and each claim has one volume, whoever made it.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/host.sh
. "$(dirname "$0")/host.sh"

lease=${driver_name//./-}

candidate() { # NAME
  provisioner "$1" --leader-election --leader-election-lease-duration=6s \
    --leader-election-renew-deadline=4s --leader-election-retry-period=1s
}
holder() { kube get lease "$lease" -o jsonpath='{.spec.holderIdentity}'; }
leads() { # NAME
  local now
  now=$(holder) && [ -n "$now" ] && host_says "$1" "$now became leader"
}
other_than() { if [ "$1" = a ]; then echo b; else echo a; fi; }
# One name twice would be two volumes for one claim.
names_made() { awk '$1 >= 0 {print $3}' "$host_dir/volumes" | sort; }
pv_versions() {
  kube get pv -o jsonpath="{range .items[?(@.spec.claimRef.namespace=='$story_namespace')]}{.metadata.name} {.metadata.resourceVersion}{'\n'}{end}"
}

# check_one_each COUNT: that many claims, volumes and entries at the driver
check_one_each() {
  wait_for 90 "$1 claims are Bound" claims_bound "$1"
  check_equal "to $1 PersistentVolumes" "$1" "$(volumes_here | wc -l)"
  check_equal "of $1 volumes of the driver" "$1" "$(driver_volumes | wc -l)"
  check_equal "none of which was ever made twice" "" "$(names_made | uniq -d)"
}

begin e2e-leader
CLASS_DRIVER=$driver_name class e2e-scripted '{}' Delete Immediate
driver
candidate a
wait_for 30 "a provisioner leads" leads a
candidate b
wait_for 30 "a second one waits" host_says b "driver $driver_name"
claims early 1 5 e2e-scripted
check_one_each 5
check "the second one has done nothing" host_line_count b "provisioned volume" 0

chapter "SIGTERM: the other one leads at once"
began=$(date +%s%3N)
host_end a
check_equal "the leader ends with code 0" 0 "$host_code"
until host_says b "became leader"; do
  [ $(($(date +%s%3N) - began)) -lt 20000 ] || fail "the other one does not lead"
  sleep 0.02
done
ok "the other one leads $(($(date +%s%3N) - began)) ms after the signal"
check "the Lease says so" leads b
claims handed 1 5 e2e-scripted
check_one_each 10

chapter "kill -9: the other one leads when the lease has run out"
candidate a
wait_for 30 "another one waits" host_lines_at_least a "driver $driver_name" 2
host_end b KILL
claims killed 1 5 e2e-scripted
wait_for 60 "it leads" leads a
check_one_each 15

chapter "SIGSTOP in the middle of its work, for longer than the lease"
driver_again --delay-ms=1500
candidate b
wait_for 30 "another one waits" host_lines_at_least b "driver $driver_name" 2
claims paused 1 5 e2e-scripted
wait_for 30 "the leader has asked for volumes" journal_holds 1
host_signal a STOP
wait_for 60 "the other one leads" leads b
check_one_each 20
wait_for 30 "and has settled all that was under way" journal_is_empty
before=$(pv_versions)
journal_before=$(journal '{.metadata.resourceVersion}')
holder_before=$(holder)
host_signal a CONT
host_wait a
check_equal "continued, the old leader ends with code 1" 1 "$host_code"
check "and says why" host_says a "the lease was lost"
check_equal "the Lease is still the other one's" "$holder_before" "$(holder)"
check_equal "the journal was not written" "$journal_before" "$(journal '{.metadata.resourceVersion}')"
check_equal "no PersistentVolume was changed" "$before" "$(pv_versions)"
check_one_each 20

chapter "30 claims while leaders come and go"
driver_again --delay-ms=100
leader=b
for round in 1 2 3; do
  other=$(other_than "$leader")
  candidate "$other"
  claims "round$round" 1 5 e2e-scripted
  if [ $round = 2 ]; then host_end "$leader" TERM; else host_end "$leader" KILL; fi
  claims "round$round" 6 10 e2e-scripted
  wait_for 60 "round $round: the other one leads" leads "$other"
  leader=$other
done
check_one_each 50

chapter "Deleted, nothing is left"
kube delete pvc -l e2e=yes --wait=false >/dev/null
wait_for 90 "the PersistentVolumes are gone" no_volumes_here
wait_for 30 "the driver has no volume" driver_has 0
wait_for 30 "the journal is empty" journal_is_empty
host_end "$leader"
check_equal "the last leader ends with code 0" 0 "$host_code"
check_equal "and gives the Lease back" "" "$(holder)"
summary
