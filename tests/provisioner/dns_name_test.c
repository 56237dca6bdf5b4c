/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_name.h"

#include <string.h>

#include "testing.h"

static const struct {
	const char *text;
	bool label, subdomain;
} names[] = {
	{"a", true, true},
	{"0", true, true},
	{"a-b--c9", true, true},
	{"a.b", false, true},
	{"a.b-c.9", false, true},
	{"", false, false},
	{".", false, false},
	{"a.", false, false},
	{".a", false, false},
	{"a..b", false, false},
	{"-a", false, false},
	{"a-", false, false},
	{"a-.b", false, false},
	{"a.-b", false, false},
	{"A", false, false},
	{"a_b", false, false},
	{"a b", false, false},
	{"a/b", false, false},
	{"..", false, false},
	{"../secrets/s", false, false},
	{"a?b=c", false, false},
	{"a%2fb", false, false},
	{"a#b", false, false},
	{"a\n", false, false},
	{"\xc3\xbc", false, false},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_case(names[i].text, dns_name_is_label(names[i].text) == names[i].label);
		assert_case(
			names[i].text, dns_name_is_subdomain(names[i].text) == names[i].subdomain);
	}
}

/* A name of LENGTH characters, with a dot at each place that DOTS divides. */
static const char *long_name(char *out, size_t length, size_t dots)
{
	for (size_t i = 0; i < length; i++)
		out[i] = dots && i % dots == dots - 1 ? '.' : 'a';
	out[length] = '\0';
	return out;
}

static void test_lengths(void **state)
{
	char name[300];

	(void)state;
	assert_true(dns_name_is_label(long_name(name, 63, 0)));
	assert_false(dns_name_is_label(long_name(name, 64, 0)));
	/* A part of a subdomain may be longer than a label. */
	assert_true(dns_name_is_subdomain(long_name(name, 64, 0)));
	assert_true(dns_name_is_subdomain(long_name(name, 253, 0)));
	assert_false(dns_name_is_subdomain(long_name(name, 254, 0)));
	assert_true(dns_name_is_subdomain(long_name(name, 253, 10)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
