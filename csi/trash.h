/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that do what needs no caller: they empty the trash of every open base, move archives
 * there whose time has come, and finish what a crash interrupted. What fails is tried again later,
 * for ever. There is one for the disks of this node, and one for each export: its server may hang.
 */
#ifndef ORDINAL_TRASH_H
#define ORDINAL_TRASH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bases.h"
#include "keylock.h"

struct trash_worker;

struct trash {
	struct bases *bases;
	void (*begin)(void *context); /* what the first thread does first, with BEGIN_CONTEXT */
	void *begin_context;
	struct keylock *busy; /* by hash: volumes that a call is working on */
	long rate;            /* files a second, of each thread; 0: as many as possible */
	atomic_bool stop;

	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	SLIST_HEAD(trash_worker_list, trash_worker) workers;
};

/* Start a thread; it calls BEGIN, and then all bases are looked at. BASES and BUSY outlive it. */
void trash_start(struct trash *trash, struct bases *bases, struct keylock *busy, long rate,
	void (*begin)(void *context), void *context);

/* End the threads, in the middle of a tree if need be: the next process goes on there. */
void trash_stop(struct trash *trash);

/* There is something to do. */
void trash_wake(struct trash *trash);

/* Wait until all that was to do has been tried once. */
void trash_wait(struct trash *trash);

#endif
