/* SPDX-License-Identifier: Apache-2.0 */
#include "quantity.h"

#include "cleanup.h"
#include "testing.h"

#define GI (1LL << 30)

static const struct {
	const char *text;
	int64_t bytes;
} good[] = {
	{"0", 0},
	{"1", 1},
	{"+7", 7},
	{"007", 7},
	{"1.", 1},
	{".5", 1},
	{"1.5", 2},
	{"1Ki", 1024},
	{"1Mi", 1 << 20},
	{"10Gi", 10 * GI},
	{"1.5Gi", GI + GI / 2},
	{"0.1Gi", 107374183},
	{"2Ti", 2048 * GI},
	{"3Pi", 3 * (1LL << 50)},
	{"7Ei", 7 * (1LL << 60)},
	{"7.9Ei", 9108079886394091111},
	{"1n", 1},
	{"1u", 1},
	{"500m", 1},
	{"1500m", 2},
	{"2000m", 2},
	{"0m", 0},
	{"1k", 1000},
	{"1.5G", 1500000000},
	{"1M", 1000000},
	{"1T", 1000000000000},
	{"1P", 1000000000000000},
	{"9E", 9000000000000000000},
	{"1e3", 1000},
	{"1E3", 1000},
	{"1e+3", 1000},
	{"1500e-3", 2},
	{"1e-99", 1},
	{"0e999", 0},
	{"1.5e9", 1500000000},
	{"9223372036854775807", INT64_MAX},
	{"0.000000000000000001Ei", 2},
};

static const struct {
	const char *text;
	enum error_kind kind;
} bad[] = {
	{"", ERROR_INVALID},
	{" 1", ERROR_INVALID},
	{"1 ", ERROR_INVALID},
	{"-1", ERROR_INVALID},
	{"--1", ERROR_INVALID},
	{"+", ERROR_INVALID},
	{".", ERROR_INVALID},
	{"Gi", ERROR_INVALID},
	{"1gi", ERROR_INVALID},
	{"1GB", ERROR_INVALID},
	{"1GiB", ERROR_INVALID},
	{"1K", ERROR_INVALID},
	{"1 Gi", ERROR_INVALID},
	{"1..5", ERROR_INVALID},
	{"1.5.5", ERROR_INVALID},
	{"1e", ERROR_INVALID},
	{"1e+", ERROR_INVALID},
	{"1e 3", ERROR_INVALID},
	{"1e3Gi", ERROR_INVALID},
	{"1e3.5", ERROR_INVALID},
	{"1e1000", ERROR_INVALID},
	{"0x10", ERROR_INVALID},
	{"inf", ERROR_INVALID},
	{"10Gi\n", ERROR_INVALID},
	{"\xd9\xa1", ERROR_INVALID},
	{"8Ei", ERROR_OUT_OF_RANGE},
	{"10E", ERROR_OUT_OF_RANGE},
	{"1e19", ERROR_OUT_OF_RANGE},
	{"1e999", ERROR_OUT_OF_RANGE},
	{"9223372036854775808", ERROR_OUT_OF_RANGE},
	{"9999999999999999999Ei", ERROR_OUT_OF_RANGE},
	{"18446744073709551617", ERROR_OUT_OF_RANGE},
	{"99999999999999999999999999", ERROR_OUT_OF_RANGE},
};

static void test_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct error err = {0};
		int64_t bytes = -1;

		assert_case(good[i].text, quantity_parse(good[i].text, &bytes, &err) == 0);
		assert_case(good[i].text, bytes == good[i].bytes);
	}
}

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {0};
		int64_t bytes = -1;

		assert_case(bad[i].text, quantity_parse(bad[i].text, &bytes, &err) == -1);
		assert_case(bad[i].text, err.kind == bad[i].kind);
		assert_case(bad[i].text, bytes == -1);
	}
}

static void test_formats(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "1"},
		{1000, "1000"},
		{1023, "1023"},
		{1024, "1Ki"},
		{1536, "1536"},
		{3 * 512, "1536"},
		{GI, "1Gi"},
		{10 * GI, "10Gi"},
		{GI + 1024, "1048577Ki"},
		{1LL << 62, "4Ei"},
		{INT64_MAX, "9223372036854775807"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[32];

		quantity_format(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

/* What is written is read back as the same. */
static void test_round_trip(void **state)
{
	(void)state;
	for (int64_t bytes = 1; bytes < INT64_MAX / 7; bytes = bytes * 5 + bytes % 3) {
		char text[32];
		int64_t again = -1;

		quantity_format(bytes, text, sizeof(text));
		assert_case(text, quantity_parse(text, &again, NULL) == 0 && again == bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
