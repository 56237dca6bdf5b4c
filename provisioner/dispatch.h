/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to be looked at when an object changes, and who looks at it: changes of the caches
 * become keys of one queue, and keys become calls of the controllers.
 */
#ifndef ORDINAL_DISPATCH_H
#define ORDINAL_DISPATCH_H

#include "claim_controller.h"
#include "controller.h"
#include "sweep.h"
#include "turns.h"
#include "workqueue.h"

struct dispatch {
	struct controller controller; /* its caches are made here; the rest is the owner's to set */
	struct claim_controller *claims;
	struct workqueue *queue;
	struct turns *turns; /* of claims, each with its volume */
	struct sweep *sweep; /* or NULL */
	int sweep_interval_ms;
	int flush_after_ms; /* what is settled is written to the journal at the latest then */
	size_t unclaimed;   /* volumes that nobody has claimed; atomic */
	bool working;       /* atomic; before, changes are not noted */
};

/* Make the caches, empty. DISPATCH stays where it is. */
void dispatch_init(struct dispatch *dispatch);

/* Free the caches: nobody uses them any more. */
void dispatch_done(struct dispatch *dispatch);

/* Queue everything there is, and from now on what changes. Once, when all caches are filled. */
void dispatch_begin(struct dispatch *dispatch);

/* Do what KEY of the queue asks for. -1 where it has to be tried again; on success, where
 * *RET_AGAIN_MS is not 0, it has to be looked at again then. Any thread, but one at a time for a
 * key. */
int dispatch_sync(
	struct dispatch *dispatch, const char *key, int64_t *ret_again_ms, struct error *err);

#endif
