/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a claim's volume has to be reachable, for drivers whose volumes are not reachable from
 * everywhere (VOLUME_ACCESSIBILITY_CONSTRAINTS).
 */
#ifndef ORDINAL_TOPOLOGY_H
#define ORDINAL_TOPOLOGY_H

#include "controller.h"

/* The segments of the node that CLAIM was scheduled to, or, where its class does not wait for a
 * consumer, of the only schedulable node; to be freed by string_map_done(). ERROR_NOT_FOUND where
 * the selected node is gone; ERROR_FAILED_PRECONDITION on a cluster of several schedulable nodes,
 * which one provisioner with a local driver cannot serve, or where the driver is not registered on
 * the node. */
int topology_of_claim(const struct controller *controller, const struct claim *claim,
	struct string_map *ret_segments, struct error *err);

#endif
