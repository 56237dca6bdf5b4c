/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks by name: calls about the same volume or the same target path follow each other, calls about
 * different ones do not wait. Any thread may call.
 */
#ifndef ORDINAL_KEYLOCK_H
#define ORDINAL_KEYLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "cleanup.h"
#include "error.h"

/* Threads that wait at a time on one struct keylock: half the workers of ordinal-csi, so that calls
 * stuck behind one volume leave workers for the others. */
#define KEYLOCK_MAX_WAITING 8

struct keylock {
	pthread_mutex_t mutex;  /* guards held and waiting */
	pthread_cond_t changed; /* a key was released, or keylock_interrupt() */
	SLIST_HEAD(keylock_list, keylock_holder) held;
	int waiting;
};

/* On the stack of the thread that holds the lock, zeroed before: a holder of nothing. */
struct keylock_holder {
	struct keylock *lock;
	const char *key;
	bool shared;
	SLIST_ENTRY(keylock_holder) link;
};

void keylock_init(struct keylock *lock);
void keylock_done(struct keylock *lock);

/* Wait until nobody holds KEY, and hold it. ERROR_CANCELLED when *CANCELLED is true, also while
 * waiting if keylock_interrupt() follows; ERROR_ABORTED at once instead of waiting when
 * KEYLOCK_MAX_WAITING threads wait already. CANCELLED may be NULL. KEY is borrowed until the
 * release. */
int keylock_acquire(struct keylock *lock, const char *key, const atomic_bool *cancelled,
	struct keylock_holder *holder, struct error *err);

/* Hold KEY together with others who share it, without waiting: ERROR_ABORTED when somebody holds it
 * alone. For a second lock of a call, so that no two calls wait for each other. */
int keylock_share(
	struct keylock *lock, const char *key, struct keylock_holder *holder, struct error *err);

/* Nothing happens for a holder of nothing. For _cleanup_(). */
void keylock_release(struct keylock_holder *holder);

/* Let all who wait look whether they are cancelled. */
void keylock_interrupt(struct keylock *lock);

#endif
