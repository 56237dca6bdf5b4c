/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a claim's volume has to be reachable, for drivers whose volumes are not reachable from
 * everywhere (VOLUME_ACCESSIBILITY_CONSTRAINTS).
 */
#ifndef ORDINAL_TOPOLOGY_H
#define ORDINAL_TOPOLOGY_H

#include "controller.h"
#include "ordinals.h"

/* The volume must be reachable from one of REQUISITE, and PREFERRED has the same in the order in
 * which the driver should try. Both are empty where the driver may choose. */
struct topology_requirement {
	struct csi_topologies requisite, preferred;
};

void topology_requirement_done(struct topology_requirement *requirement);

/* What to ask of the driver for CLAIM, as external-provisioner does: for a claim with a selected
 * node that node's topology, and with --strict-topology no other; else what CLASS allows, or all
 * that the cluster has, in an order that spreads the ordinals of a set. PLACE is the claim's, NULL
 * where it has none. Our own driver's volumes are on one node's disk: they are strict, and without
 * a selected node they are on this instance's, or on the only one that there is.
 * topology_requirement_done() is due on success. ERROR_NOT_FOUND where the node is gone;
 * ERROR_FAILED_PRECONDITION where the driver is not registered on it, CLASS does not allow it, or
 * several nodes could be meant; ERROR_UNAVAILABLE for what kubelet has still to write. */
int topology_of_claim(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, const struct place *place,
	struct topology_requirement *ret_requirement, struct error *err);

/* Names, sorted, of the nodes that a volume of CLASS could be made on now: pods can run there, the
 * driver is registered, and the class allows it. Caller frees by strings_done(). */
struct strings topology_candidates(
	const struct controller *controller, const struct storage_class *class);

/* A number by which claims are spread: the replicas of a set follow each other. */
uint32_t topology_offset(const struct claim *claim, const struct place *place);

/* Whether VOLUME is on this instance's node, so that its driver can reach it. */
bool topology_has_volume(const struct controller *controller, const struct volume *volume);

/* -1 with ERROR_FAILED_PRECONDITION for a volume of our own driver whose node is gone: its data are
 * on that node's disk, if anywhere, and no other can delete them. */
int topology_check_volume(
	const struct controller *controller, const struct volume *volume, struct error *err);

#endif
