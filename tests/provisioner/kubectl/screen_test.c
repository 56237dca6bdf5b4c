/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <string.h>

#include "figures.h"
#include "table.h"
#include "testing.h"

static const struct {
	const char *name, *text, *clean;
	size_t width;
} texts[] = {
	{"plain", "data-web-0", "data-web-0", 10},
	{"empty", "", "", 0},
	{"escape sequence", "\x1b[31mred", "\\x1b[31mred", 11},
	{"bell and backspace", "a\a\b", "a\\x07\\x08", 9},
	{"line ends", "a\r\nb\tc", "a\\x0d\\x0ab\\x09c", 15},
	{"delete", "\x7f", "\\x7f", 4},
	{"one-byte CSI",
		"\xc2\x9b"
		"31m",
		"\\u009b31m", 9},
	{"writing direction",
		"a\xe2\x80\xae"
		"b",
		"a\\u202eb", 8},
	{"isolate", "\xe2\x81\xa6", "\\u2066", 6},
	{"zero width", "\xe2\x80\x8b", "\\u200b", 6},
	{"byte order mark", "\xef\xbb\xbf", "\\ufeff", 6},
	{"tag", "\xf3\xa0\x81\xa1", "\\udb40\\udc61", 12},
	{"letters of others", "z\xc3\xbcrich \xe6\xb0\xb4", "z\xc3\xbcrich \xe6\xb0\xb4", 8},
	{"no UTF-8", "a\xff\xc3(", "a\\xff\\xc3(", 10},
	{"overlong", "\xc0\x9b", "\\xc0\\x9b", 8},
	{"cut short", "a\xe2\x80", "a\\xe2\\x80", 9},
};

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *clean = screen_clean(texts[i].text);

		assert_case_text(texts[i].name, clean, texts[i].clean);
		assert_case(texts[i].name, screen_width(clean) == texts[i].width);
	}
}

/* What FN writes to a screen. Caller frees. */
static char *written(bool colours, void (*fn)(const struct screen *screen))
{
	char *text = NULL;
	size_t size;
	struct screen screen = {.out = open_memstream(&text, &size), .colours = colours};

	fn(&screen);
	fclose(screen.out);
	return text;
}

static void write_words(const struct screen *screen)
{
	screen_write(screen, SCREEN_RED, "a\x1b");
	screen_write(screen, SCREEN_PLAIN, "b");
}

static void test_colours(void **state)
{
	_cleanup_free_ char *plain = written(false, write_words);
	_cleanup_free_ char *coloured = written(true, write_words);

	(void)state;
	assert_string_equal(plain, "a\\x1bb");
	assert_string_equal(coloured, "\x1b[31ma\\x1b\x1b[0mb");
}

/* A file is no terminal. */
static void test_no_terminal(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_false(screen_on(file).colours);
	fclose(file);
}

static void write_json(const struct screen *screen)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "a", json_object_new_string("\x1b\x7f\xc2\x9b\xe2\x80\xae/"));
	json_object_object_add(json, "b", json_object_new_string("\xff\xf3\xa0\x81\xa1"));
	screen_write_json(screen, json);
	json_object_put(json);
}

static void test_json(void **state)
{
	_cleanup_free_ char *text = written(true, write_json);
	struct json_object *json = json_tokener_parse(text);
	struct json_object *a = json_object_object_get(json, "a");

	(void)state;
	for (const char *at = text; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
	assert_string_equal(json_object_get_string(a), "\x1b\x7f\xc2\x9b\xe2\x80\xae/");
	assert_non_null(strstr(text, "\\u001b\\u007f\\u009b\\u202e/"));
	assert_non_null(strstr(text, "\\ufffd\\udb40\\udc61"));
	json_object_put(json);
}

static const char *const headings[] = {"NAME", "X", "STATE", NULL};

static void print_table(const struct screen *screen)
{
	_cleanup_(table_freep) struct table *table = table_new(headings);

	table_add(table, "z\xc3\xbcrich");
	table_add(table, "longer");
	table_add_coloured(table, "Ready", SCREEN_GREEN);
	table_add(table, NULL);
	table_add(table, "");
	table_add(table, "a\nb");
	table_print(table, screen);
}

static void print_empty(const struct screen *screen)
{
	_cleanup_(table_freep) struct table *table = table_new(headings);

	table_print(table, screen);
}

static void test_table(void **state)
{
	_cleanup_free_ char *plain = written(false, print_table);
	_cleanup_free_ char *coloured = written(true, print_table);
	_cleanup_free_ char *empty = written(false, print_empty);

	(void)state;
	assert_string_equal(plain, "NAME     X        STATE\n"
				   "z\xc3\xbcrich   longer   Ready\n"
				   "-        -        a\\x0ab\n");
	assert_non_null(strstr(coloured, "\x1b[1mNAME\x1b[0m     \x1b[1mX\x1b[0m"));
	assert_non_null(strstr(coloured, "longer   \x1b[32mReady\x1b[0m\n"));
	assert_string_equal(empty, "NAME   X   STATE\n");
}

static const struct {
	int64_t bytes;
	const char *text;
} sizes[] = {
	{-1, ""},
	{0, "0"},
	{1, "1"},
	{1023, "1023"},
	{1024, "1Ki"},
	{1536, "1.5Ki"},
	{10 * 1024 + 900, "11Ki"},
	{(INT64_C(1) << 20) - 1, "1Mi"},
	{INT64_C(1) << 30, "1Gi"},
	{INT64_C(5) << 39, "2.5Ti"},
	{INT64_MAX, "8Ei"},
};

static void test_bytes(void **state)
{
	char text[FIGURES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		figures_bytes(sizes[i].bytes, text);
		assert_case_text(sizes[i].text, text, sizes[i].text);
	}
}

static const struct {
	int64_t seconds;
	const char *text;
} ages[] = {
	{-1, ""},
	{0, "0s"},
	{119, "119s"},
	{120, "2m"},
	{7199, "119m"},
	{7200, "2h"},
	{2 * 86400, "2d"},
	{729 * 86400, "729d"},
	{730 * 86400, "2y"},
};

static void test_ages(void **state)
{
	char text[FIGURES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		figures_age(ages[i].seconds, text);
		assert_case_text(ages[i].text, text, ages[i].text);
	}
}

static const struct {
	const char *text;
	time_t seconds;
} times[] = {
	{"1970-01-01T00:01:00Z", 60},
	{"2026-11-21T09:32:07Z", 1795253527},
	{"2026-11-21T09:32:07.123456Z", 1795253527},
	{"2026-11-21T09:32:07+01:00", -1},
	{"2026-11-21", -1},
	{"", -1},
	{"yesterday", -1},
};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_case(times[i].text, figures_time(times[i].text) == times[i].seconds);
	assert_int_equal(figures_time(NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_no_terminal),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
