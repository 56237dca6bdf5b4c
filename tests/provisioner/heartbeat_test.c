/* SPDX-License-Identifier: Apache-2.0 */
#include "heartbeat.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "testing.h"

static int64_t now;

static int64_t clock_ms(void)
{
	return __atomic_load_n(&now, __ATOMIC_SEQ_CST);
}

#define _cleanup_group_ _cleanup_(heartbeat_group_freep)

static struct heartbeats *make_group(void)
{
	now = 1000;
	return heartbeat_group_new(clock_ms);
}

static void assert_stuck(struct heartbeats *group, const char *wanted)
{
	struct error err = {0};

	assert_int_equal(heartbeat_check(group, &err), wanted ? -1 : 0);
	if (wanted)
		assert_string_equal(err.text, wanted);
}

static void test_beats(void **state)
{
	_cleanup_group_ struct heartbeats *group = make_group();
	struct heartbeat *loop;

	(void)state;
	assert_stuck(group, NULL);
	loop = heartbeat_add(group, "worker 3", 60000);
	now += 100000;
	assert_stuck(group, NULL); /* it never began anything */
	heartbeat_begin(loop, "cuid-1");
	now += 59999;
	assert_stuck(group, NULL);
	now += 1;
	assert_stuck(group, "worker 3 has worked on cuid-1 for 60 s");
	heartbeat_end(loop);
	assert_stuck(group, NULL);
	heartbeat_begin(loop, NULL);
	now += 61000;
	assert_stuck(group, "worker 3 has worked on one thing for 61 s");
	heartbeat_begin(loop, "next");
	assert_stuck(group, NULL);
}

/* Of several that are stuck the longest is named; each has its own limit. */
static void test_several(void **state)
{
	_cleanup_group_ struct heartbeats *group = make_group();
	struct heartbeat *slow, *quick, *lease;

	(void)state;
	slow = heartbeat_add(group, "slow", 60000);
	quick = heartbeat_add(group, "quick", 1000);
	lease = heartbeat_add(group, "lease", 1000);
	heartbeat_begin(slow, "s");
	now += 5000;
	heartbeat_begin(quick, "q");
	heartbeat_begin(lease, "l");
	now += 1000;
	heartbeat_end(lease);
	assert_stuck(group, "quick has worked on q for 1 s");
	now += 60000;
	assert_stuck(group, "slow has worked on s for 66 s");
}

static void test_long_key(void **state)
{
	_cleanup_group_ struct heartbeats *group = make_group();
	struct heartbeat *loop = heartbeat_add(group, "w", 1);
	struct error err = {0};
	char key[1000];

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	heartbeat_begin(loop, key);
	now += 1;
	assert_int_equal(heartbeat_check(group, &err), -1);
	assert_int_equal(strspn(strstr(err.text, " on ") + 4, "k"), 95);
}

static void test_none(void **state)
{
	(void)state;
	heartbeat_begin(NULL, "key");
	heartbeat_end(NULL);
}

static bool is_stuck(void *context)
{
	return heartbeat_check(context, NULL) < 0;
}

static void test_system_clock(void **state)
{
	_cleanup_group_ struct heartbeats *group = heartbeat_group_new(NULL);

	(void)state;
	heartbeat_begin(heartbeat_add(group, "w", 3600000), "k");
	assert_stuck(group, NULL);
	heartbeat_begin(heartbeat_add(group, "v", 1), "k");
	assert_true(wait_until(is_stuck, group));
}

struct beating {
	struct heartbeat *loop;
	bool end;
};

static void *beat(void *context)
{
	struct beating *beating = context;

	while (!__atomic_load_n(&beating->end, __ATOMIC_SEQ_CST)) {
		heartbeat_begin(beating->loop, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		heartbeat_end(beating->loop);
		heartbeat_begin(beating->loop, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
		__atomic_add_fetch(&now, 1, __ATOMIC_SEQ_CST);
		heartbeat_end(beating->loop);
	}
	return NULL;
}

/* A key is never half of one and half of the other. */
static void test_threads(void **state)
{
	_cleanup_group_ struct heartbeats *group = make_group();
	struct beating beating = {heartbeat_add(group, "w", 0), false};
	struct error err;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, beat, &beating), 0);
	for (int i = 0; i < 20000; i++) {
		if (heartbeat_check(group, &err) == 0)
			continue;
		assert_non_null(strstr(err.text, " s"));
		assert_true(strstr(err.text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ") ||
			    strstr(err.text, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "));
	}
	__atomic_store_n(&beating.end, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_system_clock),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
