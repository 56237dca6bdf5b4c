/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which StatefulSet, template and ordinal a claim belongs to. The claim's name alone,
 * <template>-<set>-<n>, cannot say, because both names may hold dashes: the sets that exist decide.
 */
#ifndef ORDINAL_ORDINALS_H
#define ORDINAL_ORDINALS_H

#include "objects.h"
#include "rest_client.h"
#include "store.h"

struct place {
	char statefulset[254];
	char statefulset_uid[64];
	char template[254];
	char ordinal[12];
};

/* The place of CLAIM by the sets in SETS; 0 also when it has none (*RET_FOUND is false). A name
 * that could be a set's claim, and that no cached set claims by its labels or as its owner, is
 * looked up by a consistent list of the namespace: claims are often seen before their set. Fails
 * only if that list fails. */
int ordinals_resolve(const struct claim *claim, struct store *sets, const struct kube_api *api,
	struct place *ret_place, bool *ret_found, struct error *err);

#endif
