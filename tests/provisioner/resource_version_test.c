/* SPDX-License-Identifier: Apache-2.0 */
#include "resource_version.h"

#include "testing.h"

static const struct {
	const char *version, *than;
	bool older;
} cases[] = {
	{"1", "2", true},
	{"2", "1", false},
	{"2", "2", false},
	{"9", "10", true},
	{"10", "9", false},
	{"99999999999999999999999998", "99999999999999999999999999", true},
	{"", "1", false},
	{"1", "", false},
	{"a", "b", false},
	{"1a", "2", false},
	{"1", "2a", false},
	{"-1", "2", false},
	{"0", "1", false}, /* no version of an object */
	{"01", "2", false},
	{"1.0", "2", false},
};

static void test_is_older(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_case(cases[i].version, resource_version_is_older(cases[i].version,
						      cases[i].than) == cases[i].older);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_is_older)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
