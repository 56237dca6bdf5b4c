/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patches of a claim's status and of its PersistentVolume, by which a controller notes how far it
 * has come. Each names the version of the object that it was made for.
 */
#ifndef ORDINAL_STATUS_PATCH_H
#define ORDINAL_STATUS_PATCH_H

#include "objects.h"
#include "rest_client.h"

/* For status.conditions, which the API server merges by type: those whose bits are in SET are True
 * from now on, with MESSAGE or NULL, and those in DROP are dropped. NAME_OF has a name for each
 * bit, and NULL after the last. Caller puts. */
struct json_object *status_patch_conditions(
	const char *(*name_of)(size_t bit), unsigned set, unsigned drop, const char *message);

/* Change the status of CLAIM by STATUS, which is taken, and get what the API server made of it:
 * caller unrefs *RET_CLAIM. ERROR_CONFLICT where CLAIM is not the newest of its versions. */
int status_patch_claim(const struct kube_api *api, const struct claim *claim,
	struct json_object *status, struct claim **ret_claim, struct error *err);

/* Change VOLUME by SPEC and ANNOTATIONS (NULL: none), which are taken. ERROR_CONFLICT as above. */
int status_patch_volume(const struct kube_api *api, const struct volume *volume,
	struct json_object *spec, struct json_object *annotations, struct error *err);

#endif
