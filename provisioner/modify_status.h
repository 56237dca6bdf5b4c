/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the change of a volume to another VolumeAttributesClass is written down: in the status of its
 * claim, and as the class of its PersistentVolume.
 */
#ifndef ORDINAL_MODIFY_STATUS_H
#define ORDINAL_MODIFY_STATUS_H

#include "objects.h"
#include "rest_client.h"

#define MODIFY_STATE_KEEP (-1)

/* What becomes of a claim's status. Conditions that are not named stay. */
struct modify_change {
	uint8_t condition;   /* set this one, of those in objects.h; 0: none */
	const char *message; /* of it, or NULL */
	uint8_t drop;        /* remove these */
	int state; /* enum modify_state, of which MODIFY_NONE removes it with its target; or
		    * MODIFY_STATE_KEEP */
	const char *target;  /* the class that any other state is about */
	const char *current; /* the class that the volume has; NULL: as it is */
};

/* Change CLAIM, and get what the API server made of it: caller unrefs *RET_CLAIM. ERROR_CONFLICT
 * where CLAIM is not the newest of its versions. */
int modify_status_patch_claim(const struct kube_api *api, const struct claim *claim,
	const struct modify_change *change, struct claim **ret_claim, struct error *err);

/* Note that VOLUME is of CLASS now. */
int modify_status_patch_volume(const struct kube_api *api, const struct volume *volume,
	const char *class, struct error *err);

#endif
