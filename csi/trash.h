/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that does what needs no caller: it empties the trash of every open base, moves
 * archives there whose time has come, and finishes what a crash interrupted. What fails is tried
 * again later, for ever.
 */
#ifndef ORDINAL_TRASH_H
#define ORDINAL_TRASH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bases.h"
#include "keylock.h"

struct trash {
	struct bases *bases;
	void (*begin)(void *context); /* what the thread does first, with BEGIN_CONTEXT */
	void *begin_context;
	struct keylock *busy; /* by hash: volumes that a call is working on */
	long rate;            /* files a second; 0: as many as possible */
	pthread_t thread;
	atomic_bool stop;

	/* The thread's own; times are nanoseconds of the monotonic clock. */
	const char *base_name, *entry; /* what is being removed */
	long removed;                  /* files of it */
	int64_t next;                  /* when the next file may go */
	int64_t report;                /* when progress is logged again */

	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	bool work; /* somebody put something into a trash since it was last looked at */
	bool running;
};

/* Start the thread; it calls BEGIN, and then looks at all bases. BASES and BUSY outlive it. */
void trash_start(struct trash *trash, struct bases *bases, struct keylock *busy, long rate,
	void (*begin)(void *context), void *context);

/* End the thread, in the middle of a tree if need be: the next process goes on there. */
void trash_stop(struct trash *trash);

/* There is something to do. */
void trash_wake(struct trash *trash);

/* Wait until all that was to do has been tried once. */
void trash_wait(struct trash *trash);

#endif
