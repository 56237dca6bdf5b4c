/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the growth of a volume is written down: in the status of its claim, and as the size of its
 * PersistentVolume. Every patch names the version of the object that it was made for.
 */
#ifndef ORDINAL_RESIZE_STATUS_H
#define ORDINAL_RESIZE_STATUS_H

#include "objects.h"
#include "rest_client.h"

#define RESIZE_STATE_KEEP (-1)

/* What becomes of a claim's status. Conditions that are not named stay. */
struct resize_change {
	uint8_t condition;   /* set this one, of those in objects.h; 0: none */
	const char *message; /* of it, or NULL */
	uint8_t drop;        /* remove these */
	int state; /* enum resize_state, of which RESIZE_NONE removes; or RESIZE_STATE_KEEP */
	int64_t allocated; /* bytes; 0: as it is */
	int64_t capacity;  /* bytes; 0: as it is */
};

/* Change CLAIM, and get what the API server made of it: caller unrefs *RET_CLAIM. ERROR_CONFLICT
 * where CLAIM is not the newest of its versions. */
int resize_status_patch_claim(const struct kube_api *api, const struct claim *claim,
	const struct resize_change *change, struct claim **ret_claim, struct error *err);

/* Note that VOLUME has BYTES now. PRE_RESIZE: what its claim had before, which is noted where the
 * node has to act; -1: it has not. */
int resize_status_patch_volume(const struct kube_api *api, const struct volume *volume,
	int64_t bytes, int64_t pre_resize, struct error *err);

#endif
