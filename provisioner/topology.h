/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a claim's volume has to be reachable, for drivers whose volumes are not reachable from
 * everywhere (VOLUME_ACCESSIBILITY_CONSTRAINTS).
 */
#ifndef ORDINAL_TOPOLOGY_H
#define ORDINAL_TOPOLOGY_H

#include "controller.h"

/* Whether CLAIM's volume is this instance's to make, see struct controller's node. */
bool topology_is_ours(const struct controller *controller, const struct claim *claim);

/* Whether VOLUME is on this instance's node, so that its driver can reach it. */
bool topology_has_volume(const struct controller *controller, const struct volume *volume);

/* The segments of the node that CLAIM was scheduled to, or, for our own driver and a class that
 * does not wait for a consumer, of the only schedulable node; none where another driver may choose.
 * To be freed by string_map_done(). ERROR_NOT_FOUND where the selected node is gone or cordoned;
 * ERROR_FAILED_PRECONDITION on a cluster of several schedulable nodes, which our driver cannot
 * serve yet, or where the driver is not registered on the node. */
int topology_of_claim(const struct controller *controller, const struct claim *claim,
	struct string_map *ret_segments, struct error *err);

#endif
