/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the caches say of our driver's claims and volumes, sorted by StatefulSet, template and
 * ordinal: what the status page shows. Made anew for each look. Memory is a pointer or two for each
 * claim and volume; the caches' locks are held only while these are taken.
 */
#ifndef ORDINAL_STATUS_SETS_H
#define ORDINAL_STATUS_SETS_H

#include <json-c/linkhash.h>

#include "controller.h"
#include "status_notes.h"

enum status_state {
	STATUS_BOUND,
	STATUS_KEPT,     /* bound, and the set has no such replica now, or is gone */
	STATUS_PENDING,  /* has no volume yet */
	STATUS_FAILED,   /* the last try to make, or to delete, its volume failed */
	STATUS_LOST,     /* its volume's object is gone */
	STATUS_RELEASED, /* a volume without its claim */
	STATUS_DELETING,
	STATUS_STATES
};

/* A claim with its volume, or one of them. */
struct status_cell {
	struct claim *claim;
	struct volume *volume;
	const char *template; /* borrowed from the set; "" in no set */
	int64_t ordinal;      /* -1 in no set */
	enum status_state state;
};

struct status_set {
	char *namespace, *name;    /* NULL for what is in no set */
	struct stateful_set *set;  /* NULL where it is gone */
	struct strings templates;  /* of those, the ones with claims of ours */
	struct status_cell *cells; /* by template, ordinal, and what has a claim first */
	size_t count, room;
};

struct status_sets {
	struct status_set **items; /* by namespace and name */
	size_t count, room;
	struct status_set others; /* in no set */
	size_t states[STATUS_STATES];
	struct lh_table *index; /* namespace/name -> struct status_set */
};

/* NOTES may be NULL. Any thread. */
void status_sets_collect(struct status_sets *ret_sets, const struct controller *controller,
	struct status_notes *notes);
void status_sets_done(struct status_sets *sets);

/* "bound", "kept" and so on. Static memory. */
const char *status_sets_state_name(enum status_state state);

/* The ordinals that SET should have replicas of: from *RET_FIRST to before *RET_END. */
void status_sets_range(const struct status_set *set, int64_t *ret_first, int64_t *ret_end);

#endif
