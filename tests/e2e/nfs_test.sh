#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# nfs-dynamic with a server of one's own, on two nodes whose kernels mount NFS: each replica's
# directory on the server, data that go with a pod from node to node, volumes that pods of both
# nodes share, and all that a pod may ask of a mount.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/nfs.sh
. "$(dirname "$0")/nfs.sh"

ns=e2e-nfs
begin $ns

chapter "A StatefulSet: a directory for each replica"
SET_CLASS=nfs-dynamic set_of web data
wait_for 240 "two replicas are ready" set_ready web
for i in 0 1; do
  check "the server has what web-$i wrote" server_holds "$ns/web/data-$i/name" "web-$i"
done
summary
