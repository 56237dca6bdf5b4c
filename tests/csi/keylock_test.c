/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "keylock.h"

struct waiter {
	struct keylock *lock;
	atomic_bool cancelled;
	pthread_t thread;
	enum error_kind kind;
};

static void *acquire_and_release(void *argument)
{
	struct waiter *waiter = argument;
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	struct error err = {0};

	keylock_acquire(waiter->lock, "volume", &waiter->cancelled, &held, &err);
	waiter->kind = err.kind;
	return NULL;
}

static void await_waiting(struct keylock *lock, int count)
{
	int waiting;

	do {
		sched_yield();
		pthread_mutex_lock(&lock->mutex);
		waiting = lock->waiting;
		pthread_mutex_unlock(&lock->mutex);
	} while (waiting != count);
}

static void start_waiters(struct keylock *lock, struct waiter *waiters)
{
	for (int i = 0; i < KEYLOCK_MAX_WAITING; i++) {
		waiters[i].lock = lock;
		pthread_create(&waiters[i].thread, NULL, acquire_and_release, &waiters[i]);
	}
	await_waiting(lock, KEYLOCK_MAX_WAITING);
}

static void join(struct waiter *waiter, enum error_kind kind)
{
	pthread_join(waiter->thread, NULL);
	assert_int_equal(waiter->kind, kind);
}

static void test_keys(void **state)
{
	struct keylock_holder nothing = {0}, first = {0}, second = {0};
	struct error err = {0};
	struct keylock lock;

	(void)state;
	keylock_init(&lock);
	keylock_release(&nothing);
	assert_int_equal(keylock_acquire(&lock, "a", NULL, &first, &err), 0);
	assert_int_equal(keylock_acquire(&lock, "b", NULL, &second, &err), 0);
	keylock_release(&first);
	assert_int_equal(keylock_acquire(&lock, "a", NULL, &first, &err), 0);
	keylock_release(&first);
	keylock_release(&first);
	keylock_release(&second);
	keylock_done(&lock);
}

/* However many calls hang behind one, the next is told, and other keys are free. */
static void test_too_many(void **state)
{
	struct waiter waiters[KEYLOCK_MAX_WAITING] = {0};
	struct keylock_holder held = {0}, more = {0};
	struct error err = {0};
	struct keylock lock;

	(void)state;
	keylock_init(&lock);
	assert_int_equal(keylock_acquire(&lock, "volume", NULL, &held, &err), 0);
	start_waiters(&lock, waiters);
	assert_int_equal(keylock_acquire(&lock, "volume", NULL, &more, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	assert_non_null(strstr(err.text, "is under way"));
	keylock_release(&more);
	assert_int_equal(keylock_acquire(&lock, "other", NULL, &more, &err), 0);
	keylock_release(&more);
	keylock_release(&held);
	for (int i = 0; i < KEYLOCK_MAX_WAITING; i++)
		join(&waiters[i], ERROR_NONE);
	assert_int_equal(lock.waiting, 0);
	keylock_done(&lock);
}

static void test_cancelled(void **state)
{
	struct waiter waiters[KEYLOCK_MAX_WAITING] = {0};
	struct keylock_holder held = {0}, never = {0};
	struct error err = {0};
	struct keylock lock;

	(void)state;
	keylock_init(&lock);
	assert_int_equal(keylock_acquire(&lock, "volume", NULL, &held, &err), 0);
	start_waiters(&lock, waiters);
	atomic_store(&waiters[3].cancelled, true);
	keylock_interrupt(&lock);
	join(&waiters[3], ERROR_CANCELLED);
	/* The others looked, and wait again. */
	await_waiting(&lock, KEYLOCK_MAX_WAITING - 1);
	keylock_release(&held);
	for (int i = 0; i < KEYLOCK_MAX_WAITING; i++)
		if (i != 3)
			join(&waiters[i], ERROR_NONE);
	assert_int_equal(keylock_acquire(&lock, "volume", &waiters[3].cancelled, &never, &err), -1);
	assert_int_equal(err.kind, ERROR_CANCELLED);
	keylock_done(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
