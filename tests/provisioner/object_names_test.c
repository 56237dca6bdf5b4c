/* SPDX-License-Identifier: Apache-2.0 */
#include "object_names.h"

#include <string.h>

#include "testing.h"

static const struct {
	const char *driver, *node, *lease, *journal;
} names[] = {
	{"d.example.com", NULL, "d-example-com", "ordinal-journal-d-example-com"},
	{"d.example.com", "node-1", "d-example-com-node-1", "ordinal-journal-d-example-com-node-1"},
	{"D.Example", "n.1", "D-Example-n-1", "ordinal-journal-d-example-n-1"},
	{"d.", NULL, "d-X", "ordinal-journal-d-x"},
	{"d/e", NULL, "d-e", "ordinal-journal-d-e"},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *lease = object_names_lease(names[i].driver, names[i].node);
		_cleanup_free_ char *journal = object_names_journal(names[i].driver, names[i].node);

		assert_case_text(names[i].driver, lease, names[i].lease);
		assert_case_text(names[i].driver, journal, names[i].journal);
	}
}

/* Nodes whose names differ only in their ends have objects of their own all the same. */
static void test_long_names(void **state)
{
	char driver[64] = "", node[254] = "";
	_cleanup_free_ char *first = NULL, *second = NULL;

	(void)state;
	memset(driver, 'd', 63);
	memset(node, 'n', 253);
	first = object_names_journal(driver, node);
	node[252] = 'm';
	second = object_names_journal(driver, node);
	assert_int_equal(strlen(first), 253);
	assert_int_equal(strlen(second), 253);
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
