/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps stores equal to what the API server has: one paged list of each resource, then a watch
 * from its resourceVersion on, for ever. All of them run in one thread, a connection each.
 *
 * Relied on is what Kubernetes promises: a list is a state of the collection, and a watch from its
 * resourceVersion tells all that changed since then, in order, once. resourceVersions mean nothing
 * to us but to be equal or not. Where both are decimal numbers and a watch goes back to a smaller
 * one nevertheless, its order is in doubt: what it says is not taken, and the list is asked for
 * anew. What a duplicate says is known already.
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

/* The same for a resource that the cluster may lack, or not let us see: a first list that is
 * answered with 404 or 403 counts as one of nothing, and is tried again every few minutes. */
void reflector_add_optional(
	struct reflector *reflector, const struct object_type *type, struct store *store);

/* What tests make shorter; 0: as it is. Before reflector_start(). */
struct reflector_limits {
	int list_s;        /* for a page of a list: 120 */
	int stall_s;       /* a list of which nothing comes for so long is given up: 60 */
	int watch_s;       /* a watch is to end after this to twice this: 300 */
	int watch_grace_s; /* one that does not is given up this much later: 30 */
	int back_off_ms;   /* after the first failure, then doubling to 30 s: 800 */
	int absent_ms;     /* between attempts at what the cluster lacks: 300000 */
};
void reflector_limit(struct reflector *reflector, const struct reflector_limits *limits);

/* How one resource is. */
struct reflector_state {
	const char *plural; /* static memory */
	bool synced;        /* was listed once */
	bool absent;        /* optional, and the server lacks it or does not let us see it */
	bool connected;     /* the last watch was accepted, and did not fail since */
	double quiet_s;     /* since the last sign of life: bytes, or a transfer that ended well */
	unsigned failures;  /* in a row */
	char error[256];    /* the last of these, "" where there is none */
	uint64_t lists, watches, events; /* pages taken, watches accepted, events seen */
};

/* The states of at most MAX resources; how many there are. Any thread may ask. */
size_t reflector_states(struct reflector *reflector, struct reflector_state *out, size_t max);

/* Start the thread, which calls the stores' handlers. */
void reflector_start(struct reflector *reflector);

/* Wait until every resource has been listed once. false when the reflector was stopped before. */
bool reflector_wait_synced(struct reflector *reflector);

/* End the thread and wait for it. May be called from any thread but its own, once. */
void reflector_stop(struct reflector *reflector);

#endif
