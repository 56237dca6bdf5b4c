/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Provisioners as the program starts them, in this process, for a schedule's cluster: one; several
 * of which one leads; or one for each node. Intervals are short. Who lost its lease is replaced, as
 * a kubelet would. One thread at a time.
 */
#ifndef ORDINAL_TESTS_INSTANCES_H
#define ORDINAL_TESTS_INSTANCES_H

#include "schedule.h"

#define INSTANCES_MAX SCHEDULE_NODES

struct instances_options {
	size_t count;
	bool leases; /* one of them leads; else, if there are several, each has a node */
	bool eager;
	int workers;
};

struct instances;

/* SCHEDULE must outlive them. Caller frees, which stops all in order. */
struct instances *instances_new(struct schedule *schedule, const struct instances_options *options);
void instances_free(struct instances *instances);
DEFINE_CLEANUP(struct instances *, instances_free);

/* Stop one as SIGTERM does, and start another in its place. */
void instances_restart(struct instances *instances, size_t index);

/* If it leads: the API server no longer answers the renewals of its lease, so that it loses that,
 * with all its work under way. */
void instances_cut(struct instances *instances, size_t index);

/* Whether some lease was lost, and its holder replaced, so far. */
bool instances_lost(const struct instances *instances);

/* Whether those that work have nothing to do. Replaces those that lost their lease. */
bool instances_are_idle(void *instances);

#endif
