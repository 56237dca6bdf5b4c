#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests of the driver's core once more, over the NFS back end: their base is an --export.
# tests/uml/guests_test.sh runs those that are named over an export that the driver mounts.
set -u
build=${BUILD:-build}
failed=0
for test in $(tests/csi/core_tests); do
  echo "== $test, on NFS"
  ORDINAL_BACKEND=nfs "$build/tests/csi/$test" || failed=1
done
exit $failed
