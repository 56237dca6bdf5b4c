/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "error.h"

static void test_text(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(error_set(&err, ERROR_INVALID, "bad %s", "thing"), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_int_equal(err.errnum, 0);
	assert_string_equal(err.text, "bad thing");
	assert_int_equal(error_prefix(&err, "layer %d", 2), -1);
	assert_string_equal(err.text, "layer 2: bad thing");
	assert_int_equal(err.kind, ERROR_INVALID);

	assert_int_equal(error_set_errno(&err, EACCES, "open %s", "x"), -1);
	assert_int_equal(err.kind, ERROR_FORBIDDEN);
	assert_int_equal(err.errnum, EACCES);
	assert_string_equal(err.text, "open x: Permission denied");
}

static void test_without_error(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERROR_INVALID, "x"), -1);
	assert_int_equal(error_set_errno(NULL, EIO, "x"), -1);
	assert_int_equal(error_prefix(NULL, "x"), -1);
}

static void test_unknown_errno(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(error_set_errno(&err, 99999, "x"), -1);
	assert_int_equal(err.kind, ERROR_IO);
	assert_non_null(strstr(err.text, "99999"));
}

static void test_long_texts_are_cut(void **state)
{
	struct error err;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_IO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_prefix(&err, "front");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "front: x", 8);
	error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_set_errno(&err, EIO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_grpc_codes(void **state)
{
	static const struct {
		enum error_kind kind;
		int code;
		enum error_kind back;
	} cases[] = {
		{ERROR_NONE, 0, ERROR_NONE},
		{ERROR_CANCELLED, 1, ERROR_CANCELLED},
		{ERROR_INVALID, 3, ERROR_INVALID},
		{ERROR_TIMEOUT, 4, ERROR_TIMEOUT},
		{ERROR_NOT_FOUND, 5, ERROR_NOT_FOUND},
		{ERROR_ALREADY_EXISTS, 6, ERROR_ALREADY_EXISTS},
		{ERROR_FORBIDDEN, 7, ERROR_FORBIDDEN},
		{ERROR_EXHAUSTED, 8, ERROR_EXHAUSTED},
		{ERROR_TOO_MANY_REQUESTS, 8, ERROR_EXHAUSTED},
		{ERROR_FAILED_PRECONDITION, 9, ERROR_FAILED_PRECONDITION},
		{ERROR_ABORTED, 10, ERROR_ABORTED},
		{ERROR_CONFLICT, 10, ERROR_ABORTED},
		{ERROR_EXPIRED, 10, ERROR_ABORTED},
		{ERROR_OUT_OF_RANGE, 11, ERROR_OUT_OF_RANGE},
		{ERROR_UNIMPLEMENTED, 12, ERROR_UNIMPLEMENTED},
		{ERROR_IO, 13, ERROR_INTERNAL},
		{ERROR_INTERNAL, 13, ERROR_INTERNAL},
		{ERROR_UNAVAILABLE, 14, ERROR_UNAVAILABLE},
		{ERROR_UNAUTHORIZED, 16, ERROR_UNAUTHORIZED},
	};
	static const int hostile[] = {-1, 17, 1000000, INT32_MIN, INT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(error_kind_to_grpc(cases[i].kind), cases[i].code);
		assert_int_equal(error_kind_from_grpc(cases[i].code), cases[i].back);
		assert_string_not_equal(error_kind_name(cases[i].kind), "UNKNOWN");
	}
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		assert_int_equal(error_kind_from_grpc(hostile[i]), ERROR_INTERNAL);
	assert_string_equal(error_kind_name((enum error_kind)1000), "UNKNOWN");
	assert_int_equal(error_kind_to_grpc((enum error_kind)1000), 13);
}

static void test_http_statuses(void **state)
{
	static const struct {
		long status;
		enum error_kind kind;
	} cases[] = {
		{400, ERROR_INVALID},
		{401, ERROR_UNAUTHORIZED},
		{403, ERROR_FORBIDDEN},
		{404, ERROR_NOT_FOUND},
		{409, ERROR_CONFLICT},
		{410, ERROR_EXPIRED},
		{422, ERROR_INVALID},
		{429, ERROR_TOO_MANY_REQUESTS},
		{500, ERROR_UNAVAILABLE},
		{503, ERROR_UNAVAILABLE},
		{504, ERROR_TIMEOUT},
		{302, ERROR_INTERNAL},
		{0, ERROR_INTERNAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(error_kind_from_http(cases[i].status), cases[i].kind);
}

static void test_characters_are_not_cut(void **state)
{
	struct error err;

	(void)state;
	for (size_t front = 0; front < 4; front++) {
		char text[2000] = "xxx";

		for (size_t at = front; at + 4 < sizeof(text); at += 4)
			memcpy(text + at, "\xf0\x9d\x84\x9e", 5);
		error_set(&err, ERROR_INVALID, "%s", text);
		assert_int_equal((strlen(err.text) - front) % 4, 0);
		assert_true(strlen(err.text) >= sizeof(err.text) - 4);
		error_set_errno(&err, EIO, "%s", text);
		assert_int_equal((strlen(err.text) - front) % 4, 0);
		error_set(&err, ERROR_INVALID, "%s", text);
		error_prefix(&err, "x");
		assert_int_equal((strlen(err.text) - strlen("x: ") - front) % 4, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_without_error),
		cmocka_unit_test(test_unknown_errno),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_characters_are_not_cut),
		cmocka_unit_test(test_grpc_codes),
		cmocka_unit_test(test_http_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
