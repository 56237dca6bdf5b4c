/* SPDX-License-Identifier: Apache-2.0 */
#include "keylock.h"

#include <stdbool.h>
#include <string.h>

void keylock_init(struct keylock *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
	pthread_cond_init(&lock->released, NULL);
	SLIST_INIT(&lock->held);
}

void keylock_done(struct keylock *lock)
{
	pthread_cond_destroy(&lock->released);
	pthread_mutex_destroy(&lock->mutex);
}

static bool is_held(const struct keylock *lock, const char *key)
{
	const struct keylock_holder *holder;

	SLIST_FOREACH (holder, &lock->held, link)
		if (!strcmp(holder->key, key))
			return true;
	return false;
}

void keylock_acquire(struct keylock *lock, const char *key, struct keylock_holder *holder)
{
	holder->lock = lock;
	holder->key = key;
	pthread_mutex_lock(&lock->mutex);
	while (is_held(lock, key))
		pthread_cond_wait(&lock->released, &lock->mutex);
	SLIST_INSERT_HEAD(&lock->held, holder, link);
	pthread_mutex_unlock(&lock->mutex);
}

void keylock_release(struct keylock_holder *holder)
{
	struct keylock *lock = holder->lock;

	pthread_mutex_lock(&lock->mutex);
	SLIST_REMOVE(&lock->held, holder, keylock_holder, link);
	pthread_cond_broadcast(&lock->released);
	pthread_mutex_unlock(&lock->mutex);
}
