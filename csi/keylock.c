/* SPDX-License-Identifier: Apache-2.0 */
#include "keylock.h"

#include <stdbool.h>
#include <string.h>

void keylock_init(struct keylock *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
	pthread_cond_init(&lock->changed, NULL);
	SLIST_INIT(&lock->held);
	lock->waiting = 0;
}

void keylock_done(struct keylock *lock)
{
	pthread_cond_destroy(&lock->changed);
	pthread_mutex_destroy(&lock->mutex);
}

/* Whether somebody holds KEY in a way that keeps others away, who would share it or not. */
static bool is_held(const struct keylock *lock, const char *key, bool share)
{
	const struct keylock_holder *holder;

	SLIST_FOREACH (holder, &lock->held, link)
		if (!strcmp(holder->key, key) && !(share && holder->shared))
			return true;
	return false;
}

/* With the mutex held, which the waiting gives up meanwhile. */
static int wait_for(
	struct keylock *lock, const char *key, const atomic_bool *cancelled, struct error *err)
{
	while (!cancelled || !atomic_load(cancelled)) {
		if (!is_held(lock, key, false))
			return 0;
		if (lock->waiting == KEYLOCK_MAX_WAITING)
			return error_set(err, ERROR_ABORTED,
				"another call about the same volume or path is under way, and many "
				"wait: try again");
		lock->waiting++;
		pthread_cond_wait(&lock->changed, &lock->mutex);
		lock->waiting--;
	}
	return error_set(err, ERROR_CANCELLED, "the caller gave up");
}

/* With the mutex held. */
static void hold(struct keylock *lock, const char *key, bool shared, struct keylock_holder *holder)
{
	holder->lock = lock;
	holder->key = key;
	holder->shared = shared;
	SLIST_INSERT_HEAD(&lock->held, holder, link);
}

int keylock_acquire(struct keylock *lock, const char *key, const atomic_bool *cancelled,
	struct keylock_holder *holder, struct error *err)
{
	int result;

	pthread_mutex_lock(&lock->mutex);
	result = wait_for(lock, key, cancelled, err);
	if (result == 0)
		hold(lock, key, false, holder);
	pthread_mutex_unlock(&lock->mutex);
	return result;
}

int keylock_share(
	struct keylock *lock, const char *key, struct keylock_holder *holder, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&lock->mutex);
	if (is_held(lock, key, true))
		result = error_set(err, ERROR_ABORTED,
			"another call about the same volume is under way: try again");
	else
		hold(lock, key, true, holder);
	pthread_mutex_unlock(&lock->mutex);
	return result;
}

void keylock_release(struct keylock_holder *holder)
{
	struct keylock *lock = holder->lock;

	if (!lock)
		return;
	pthread_mutex_lock(&lock->mutex);
	SLIST_REMOVE(&lock->held, holder, keylock_holder, link);
	pthread_cond_broadcast(&lock->changed);
	pthread_mutex_unlock(&lock->mutex);
	holder->lock = NULL;
}

void keylock_interrupt(struct keylock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	pthread_cond_broadcast(&lock->changed);
	pthread_mutex_unlock(&lock->mutex);
}
