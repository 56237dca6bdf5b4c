/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to the data of deleted volumes: a thread of its own empties the trash of every open
 * base. What cannot be removed is tried again later, for ever.
 */
#ifndef ORDINAL_RECLAIM_H
#define ORDINAL_RECLAIM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bases.h"

struct reclaim {
	struct bases *bases;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	bool work; /* somebody put something into a trash since it was last looked at */
	bool busy;
};

/* Start the thread; it looks at all trashes at once. BASES outlives it. */
void reclaim_start(struct reclaim *reclaim, struct bases *bases);

/* End the thread, in the middle of a tree if need be: the next process goes on there. */
void reclaim_stop(struct reclaim *reclaim);

/* There is something in a trash. */
void reclaim_wake(struct reclaim *reclaim);

/* Wait until all that was in a trash has been tried once. */
void reclaim_wait(struct reclaim *reclaim);

#endif
