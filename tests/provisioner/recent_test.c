/* SPDX-License-Identifier: Apache-2.0 */
#include "recent.h"

#include <stdio.h>
#include <unistd.h>

#include "testing.h"

static void test_remembers(void **state)
{
	_cleanup_(recent_freep) struct recent *recent = recent_new(1000);

	(void)state;
	assert_false(recent_has(recent, "a"));
	recent_add(recent, "a");
	recent_add(recent, "b");
	assert_true(recent_has(recent, "a"));
	assert_true(recent_has(recent, "b"));
	assert_false(recent_has(recent, "c"));
	assert_false(recent_has(recent, "")); /* what no entry holds yet is nobody */
	recent_add(NULL, "a");
	assert_false(recent_has(NULL, "a"));
}

static void test_remove(void **state)
{
	_cleanup_(recent_freep) struct recent *recent = recent_new(1000);

	(void)state;
	recent_add(recent, "a");
	recent_add(recent, "b");
	recent_add(recent, "a");
	recent_remove(recent, "a");
	recent_remove(recent, "c");
	recent_remove(recent, "");
	recent_remove(NULL, "a");
	assert_false(recent_has(recent, "a"));
	assert_true(recent_has(recent, "b"));
	recent_add(recent, "a");
	assert_true(recent_has(recent, "a"));
}

static void test_forgets_the_oldest(void **state)
{
	_cleanup_(recent_freep) struct recent *recent = recent_new(1000);
	char uid[16];

	(void)state;
	recent_add(recent, "first");
	for (int i = 0; i < 1000; i++) {
		snprintf(uid, sizeof(uid), "uid-%d", i);
		recent_add(recent, uid);
		assert_true(recent_has(recent, uid));
	}
	assert_false(recent_has(recent, "first"));
	assert_true(recent_has(recent, "uid-900"));
}

/* One that may be no second old is forgotten with the second. */
static void test_forgets_in_time(void **state)
{
	_cleanup_(recent_freep) struct recent *recent = recent_new(0);

	(void)state;
	recent_add(recent, "a");
	for (int i = 0; recent_has(recent, "a") && i < 300; i++)
		usleep(100000);
	assert_false(recent_has(recent, "a"));
}

/* No UID of Kubernetes' is so long; one that is costs a question more. */
static void test_too_long(void **state)
{
	static const char uid[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	_cleanup_(recent_freep) struct recent *recent = recent_new(1000);

	(void)state;
	recent_add(recent, uid);
	assert_false(recent_has(recent, uid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remembers),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_forgets_the_oldest),
		cmocka_unit_test(test_forgets_in_time),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
