/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One claim's way to a volume: what the driver is asked for, and what the PersistentVolume says of
 * its answer. Both follow from the claim and its class alone, so that a repeated call asks for the
 * same again.
 */
#ifndef ORDINAL_PROVISIONING_H
#define ORDINAL_PROVISIONING_H

#include "controller.h"
#include "ordinals.h"
#include "topology.h"

#define VOLUME_NAME_MAX 254 /* a DNS name and its NUL */

struct provisioning {
	const struct claim *claim;
	const struct storage_class *class;
	char volume_name[VOLUME_NAME_MAX];
	int64_t required_bytes;
	const char *fs_type; /* borrowed from the class; "" where it does not say */
	struct string_map parameters;
	struct topology_requirement topology;
	bool has_topology;
	struct place place;
	bool has_place;
};

/* The name of CLAIM's volume, for the driver and as a PersistentVolume. */
void provisioning_volume_name(const struct controller *controller, const struct claim *claim,
	char out[static VOLUME_NAME_MAX]);

/* Work out what to ask for. CLAIM and CLASS are borrowed until provisioning_done(), which is due
 * also after a failure. PLACE is that of an earlier attempt, without a name where there was none;
 * NULL: find out. ERROR_INVALID, ERROR_OUT_OF_RANGE and ERROR_FAILED_PRECONDITION say what
 * the user has to mend; ERROR_NOT_FOUND that the selected node is gone; others pass. */
int provisioning_init(struct provisioning *provisioning, const struct controller *controller,
	const struct claim *claim, const struct storage_class *class, const struct place *place,
	struct error *err);
void provisioning_done(struct provisioning *provisioning);

/* Ask the driver. On success csi_volume_done() is due for *RET_VOLUME. */
int provisioning_create(const struct provisioning *provisioning,
	const struct controller *controller, struct csi_volume *ret_volume, struct error *err);

/* The PersistentVolume for VOLUME. Caller puts. */
struct json_object *provisioning_volume_object(const struct provisioning *provisioning,
	const struct controller *controller, const struct csi_volume *volume);

#endif
