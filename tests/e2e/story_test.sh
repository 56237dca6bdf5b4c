#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo's story, on the lab that is up.
exec "$(dirname "$0")/../../hack/demo"
