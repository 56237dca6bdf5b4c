/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks by name: calls about the same volume or the same target path follow each other, calls about
 * different ones do not wait. Any thread may call.
 */
#ifndef ORDINAL_KEYLOCK_H
#define ORDINAL_KEYLOCK_H

#include <pthread.h>
#include <sys/queue.h>

#include "cleanup.h"

struct keylock {
	pthread_mutex_t mutex; /* guards held */
	pthread_cond_t released;
	SLIST_HEAD(keylock_list, keylock_holder) held;
};

/* On the stack of the thread that holds the lock. */
struct keylock_holder {
	struct keylock *lock;
	const char *key;
	SLIST_ENTRY(keylock_holder) link;
};

void keylock_init(struct keylock *lock);
void keylock_done(struct keylock *lock);

/* Wait until nobody holds KEY, and hold it. KEY is borrowed until the release. */
void keylock_acquire(struct keylock *lock, const char *key, struct keylock_holder *holder);
void keylock_release(struct keylock_holder *holder);

/* Hold KEY of LOCK until the end of the scope. */
#define KEYLOCK_SCOPE(keylock, name)                                                               \
	_cleanup_(keylock_release) struct keylock_holder held_here;                                \
	keylock_acquire(keylock, name, &held_here)

#endif
