/* SPDX-License-Identifier: Apache-2.0 */
#include "failure_log.h"

#include "testing.h"

/* Failures one after the other, and which of them are told. */
static const struct {
	int64_t ms;
	const char *text;
	bool told;
} failures[] = {
	{0, "no answer after 7 ms", true},
	{10, "no answer after 1234 ms", false},
	{20, "no answer after ms", true},
	{30, "no answer after 5 ms", true},
	{40, "no answer after 5 msec", true},
	{50, "no answer", true},
	{60049, "no answer", false},
	{60050, "no answer", true},
	{60051, "no answer", false},
	{60052, "", true},
};

static void test_is_new(void **state)
{
	struct failure_log log = {.last_ms = 0};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		error_set(&err, ERROR_IO, "%s", failures[i].text);
		assert_case(failures[i].text,
			failure_log_is_new(&log, &err, failures[i].ms) == failures[i].told);
	}
}

static void test_forget(void **state)
{
	struct failure_log log = {.last_ms = 0};
	struct error err;

	(void)state;
	error_set(&err, ERROR_IO, "x");
	assert_true(failure_log_is_new(&log, &err, 5));
	assert_false(failure_log_is_new(&log, &err, 6));
	failure_log_forget(&log);
	assert_true(failure_log_is_new(&log, &err, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_new),
		cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
