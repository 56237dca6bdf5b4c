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

struct ordinals;

/* SETS is the cache, API is asked for what it cannot tell; both must outlive it. Caller frees. */
struct ordinals *ordinals_new(struct store *sets, const struct kube_api *api);

/* No thread may be inside any other function. */
void ordinals_free(struct ordinals *ordinals);
DEFINE_CLEANUP(struct ordinals *, ordinals_free);

/* The place of CLAIM; 0 also when it has none (*RET_FOUND is false). A name that could be a set's
 * claim, and that no cached set claims by just its labels or as its owner, is looked up in a
 * consistent list of the namespace, because claims are often seen before their set. Claims that
 * wait at the same time share a list, and one that began after a claim was seen is good for it:
 * a storm of claims costs a list every 50 ms at most. Fails only if the list fails. Any thread may
 * call; it may wait for the API server. */
int ordinals_resolve(struct ordinals *ordinals, const struct claim *claim, struct place *ret_place,
	bool *ret_found, struct error *err);

/* What the cache alone tells: whether CLAIM has a place, so far. Waits for nobody. */
bool ordinals_find_cached(
	const struct ordinals *ordinals, const struct claim *claim, struct place *ret_place);

#endif
