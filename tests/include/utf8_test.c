/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "cleanup.h"
#include "utf8.h"

static void test_utf8(void **state)
{
	static const struct {
		const char *bytes;
		bool valid;
	} cases[] = {
		{"", true},
		{"plain", true},
		{"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", true},
		{"\x80", false},
		{"\xc3", false},
		{"\xc0\x80", false},         /* overlong */
		{"\xe0\x80\xaf", false},     /* overlong */
		{"\xed\xa0\x80", false},     /* surrogate */
		{"\xf4\x90\x80\x80", false}, /* beyond Unicode */
		{"\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			utf8_is_valid((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes)),
			cases[i].valid);
}

static void test_copy(void **state)
{
	static const struct {
		size_t size;
		const char *text, *copy;
	} cases[] = {
		{1, "a", ""},
		{3, "abc", "ab"},
		{4, "abc", "abc"},
		{4, "a\xe2\x82\xac", "a"}, /* no half of it */
		{5, "a\xe2\x82\xac", "a\xe2\x82\xac"},
		{8, "\xff\xc3", "??"},
	};
	char copy[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		utf8_copy(copy, cases[i].size, cases[i].text);
		assert_string_equal(copy, cases[i].copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
