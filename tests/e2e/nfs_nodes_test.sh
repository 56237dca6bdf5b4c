#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The overlay host-path of nfs-dynamic on the nodes of the NFS tests: data of a replica are on its node's
# disk, and it comes back to them.
exec "$(dirname "$0")/nodes_test.sh" uml
