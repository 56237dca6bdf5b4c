/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps stores equal to what the API server has: one paged list of each resource, then a watch
 * from its resourceVersion on, for ever. All of them run in one thread, a connection each.
 */
#ifndef ORDINAL_REFLECTOR_H
#define ORDINAL_REFLECTOR_H

#include "rest_client.h"
#include "store.h"

struct reflector;

/* CLIENT must outlive it. Caller frees. */
struct reflector *reflector_new(struct rest_client *client);
void reflector_free(struct reflector *reflector);
DEFINE_CLEANUP(struct reflector *, reflector_free);

/* Keep STORE, which must outlive the reflector, equal to the resource. Before reflector_start(). */
void reflector_add(
	struct reflector *reflector, const struct object_type *type, struct store *store);

/* Start the thread, which calls the stores' handlers. */
void reflector_start(struct reflector *reflector);

/* Wait until every resource has been listed once. false when the reflector was stopped before. */
bool reflector_wait_synced(struct reflector *reflector);

/* End the thread and wait for it. May be called from any thread but its own, once. */
void reflector_stop(struct reflector *reflector);

#endif
