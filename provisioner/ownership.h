/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a claim is, where every node has an instance of its own beside its driver: that of its
 * selected node. In node deployment a claim without a node (Immediate binding) is made some
 * instance's by selecting that one's node, after external-provisioner's becomeOwner.
 */
#ifndef ORDINAL_OWNERSHIP_H
#define ORDINAL_OWNERSHIP_H

#include "controller.h"

struct ownership_options {
	bool immediate_binding; /* claims without a node are taken at all */
	int base_delay_ms;      /* before the first instance that was not preferred takes one, */
	int max_delay_ms;       /* and before the last does */
};

/* Caller frees. */
struct ownership *ownership_new(const struct ownership_options *options);
void ownership_free(struct ownership *ownership);
DEFINE_CLEANUP(struct ownership *, ownership_free);

/* Whether CLAIM, which should be provisioned by all other rules, is this instance's. In node
 * deployment a claim of CLASS without a node is taken now, or when it is looked at again in
 * *RET_WAIT_MS (0: no need to): one instance is preferred, the others follow one after the other,
 * should it not act. Taking is a patch of the claim, of which one can succeed: the watch tells who
 * it was, *RET_OURS is false until then. A claim whose selected node is gone is taken in the same
 * way, or, where the scheduler selects, given back to it. Fails only if the API server does. */
int ownership_of_claim(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, bool *ret_ours, int64_t *ret_wait_ms, struct error *err);

/* Whether it is this instance's to say something about CLAIM that all would say. */
bool ownership_speaks(const struct controller *controller, const struct claim *claim);

/* Select NODE for CLAIM; with NULL, have the scheduler select one again. ERROR_CONFLICT where the
 * claim is no longer as CLAIM says. */
int ownership_select_node(const struct controller *controller, const struct claim *claim,
	const char *node, struct error *err);

#endif
