/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PersistentVolume that tells of a volume: bound to its claim from the start, with all that
 * kubelet, the scheduler and whoever deletes it need to know.
 */
#ifndef ORDINAL_VOLUME_OBJECT_H
#define ORDINAL_VOLUME_OBJECT_H

#include "provisioning.h"

/* The PersistentVolume for VOLUME, which the driver made of PROVISIONING's request. Caller puts. */
struct json_object *volume_object_make(const struct provisioning *provisioning,
	const struct controller *controller, const struct csi_volume *volume);

/* A claimRef that names CLAIM, and no later one of its name. Caller puts. */
struct json_object *volume_object_claim_reference(const struct claim *claim);

#endif
