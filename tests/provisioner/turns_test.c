/* SPDX-License-Identifier: Apache-2.0 */
#include "turns.h"

#include <string.h>

#include "testing.h"

static struct workqueue *make_queue(void)
{
	return workqueue_new(&(struct workqueue_options){.retry_min_ms = 1, .retry_max_ms = 1});
}

static void take(struct workqueue *queue, const char *wanted)
{
	const char *key = workqueue_take(queue);

	assert_string_equal(key, wanted);
	workqueue_done(queue, key, true);
}

/* Who comes too early is queued when the turn is over, once; other subjects are not concerned. */
static void test_turns(void **state)
{
	_cleanup_(workqueue_freep) struct workqueue *queue = make_queue();
	_cleanup_(turns_freep) struct turns *turns = turns_new(queue);

	(void)state;
	assert_true(turns_begin(turns, "a", "k1"));
	assert_true(turns_begin(turns, "b", "k2"));
	assert_false(turns_begin(turns, "a", "k3"));
	assert_false(turns_begin(turns, "a", "k3"));
	turns_end(turns, "b");
	assert_int_equal(workqueue_count(queue), 0);
	turns_end(turns, "a");
	assert_int_equal(workqueue_count(queue), 1);
	take(queue, "k3");
	assert_true(turns_begin(turns, "a", "k3"));
	turns_end(turns, "a");
	assert_int_equal(workqueue_count(queue), 0);
}

/* What waits when all ends is freed. */
static void test_end(void **state)
{
	_cleanup_(workqueue_freep) struct workqueue *queue = make_queue();
	_cleanup_(turns_freep) struct turns *turns = turns_new(queue);

	(void)state;
	assert_true(turns_begin(turns, "a", "k1"));
	assert_false(turns_begin(turns, "a", "k2"));
	assert_false(turns_begin(turns, "a", "k3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
