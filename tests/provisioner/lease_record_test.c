/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_record.h"

#include "lease_pair.h"
#include "testing.h"

/* Records that others left, and after how long they are ours; wall clocks are as they like. */
static const struct {
	const char *name, *spec;
	int64_t wait_ms;
} records[] = {
	{"nothing", "{}", 0},
	{"no spec", "7", 0},
	{"a list", "[{'holderIdentity': 'x'}]", 0},
	{"nobody", "{'holderIdentity': ''}", 0},
	{"null", "{'holderIdentity': null, 'leaseDurationSeconds': null}", 0},
	{"ours", "{'holderIdentity': 'a'}", 0},
	{"no duration", "{'holderIdentity': 'x'}", DURATION},
	{"ordinary", "{'holderIdentity': 'x', 'leaseDurationSeconds': 15}", DURATION},
	{"short", "{'holderIdentity': 'x', 'leaseDurationSeconds': 1}", DURATION},
	{"long", "{'holderIdentity': 'x', 'leaseDurationSeconds': 137}", 137000},
	{"zero", "{'holderIdentity': 'x', 'leaseDurationSeconds': 0}", DURATION},
	{"negative", "{'holderIdentity': 'x', 'leaseDurationSeconds': -5}", DURATION},
	{"beyond the API", "{'holderIdentity': 'x', 'leaseDurationSeconds': 2147483647}", DURATION},
	{"huge", "{'holderIdentity': 'x', 'leaseDurationSeconds': 9223372036854775807}", DURATION},
	{"text", "{'holderIdentity': 'x', 'leaseDurationSeconds': '137'}", DURATION},
	{"fraction", "{'holderIdentity': 'x', 'leaseDurationSeconds': 137.5}", DURATION},
	{"holder of another type", "{'holderIdentity': 7, 'leaseDurationSeconds': 137}", 137000},
	{"holder with a NUL", "{'holderIdentity': 'a\\u0000b'}", DURATION},
	{"renewed in the future",
		"{'holderIdentity': 'x', 'leaseDurationSeconds': 15,"
		" 'renewTime': '2999-01-01T00:00:00.000000Z'}",
		DURATION},
	{"renewed long ago",
		"{'holderIdentity': 'x', 'leaseDurationSeconds': 15,"
		" 'renewTime': '1999-01-01T00:00:00.000000Z'}",
		DURATION},
	{"times of other types",
		"{'holderIdentity': 'x', 'leaseDurationSeconds': 15, 'renewTime': {},"
		" 'acquireTime': 5, 'leaseTransitions': 'many'}",
		DURATION},
	{"ours, broken",
		"{'holderIdentity': 'a', 'leaseDurationSeconds': 'x', 'renewTime': {},"
		" 'acquireTime': 5, 'leaseTransitions': -7}",
		0},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		const char *name = records[i].name;
		struct lease_pair pair;

		lease_pair_init(&pair);
		fake_lease_edit(&pair.server, NULL, records[i].spec);
		if (records[i].wait_ms) {
			assert_case(name, !lease_pair_step(&pair.a));
			lease_pair_ms += records[i].wait_ms - 1;
			assert_case(name, !lease_pair_step(&pair.a));
			lease_pair_ms++;
		}
		assert_case(name, lease_pair_step(&pair.a)); /* what we write is valid */
		lease_pair_check_holder(&pair, "a");
		lease_pair_done(&pair);
	}
}

/* Answers with success that say nothing are no renewals. */
static void test_strange_answers(void **state)
{
	static const char *const answers[] = {"{}", "7", "[]", "{'metadata': 7}",
		"{'metadata': {}}", "{'metadata': {'resourceVersion': 5}}",
		"{'metadata': {'resourceVersion': ''}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct lease_pair pair;

		lease_pair_init(&pair);
		pair.a.answer = answers[i];
		assert_case(answers[i], !lease_pair_step(&pair.a));
		assert_case(answers[i], !lease_pair_step(&pair.a));
		pair.a.answer = NULL;
		assert_case(answers[i], lease_pair_step(&pair.a));
		pair.a.answer = answers[i];
		lease_pair_ms += DEADLINE - 1;
		assert_case(answers[i], lease_pair_step(&pair.a));
		lease_pair_ms++;
		assert_case(answers[i], !lease_is_held(pair.a.lease));
		pair.a.answer = NULL;
		lease_pair_done(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_strange_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
