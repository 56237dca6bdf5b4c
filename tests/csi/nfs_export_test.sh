#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests of the driver's core once more, over the NFS back end: their base is an --export.
set -u
build=${BUILD:-build}
failed=0
for test in hostile modify reclaim reclaim_crash reclaim_failure snapshots snapshot_crash volumes; do
  echo "== $test, on NFS"
  ORDINAL_BACKEND=nfs "$build/tests/csi/${test}_test" || failed=1
done
exit $failed
