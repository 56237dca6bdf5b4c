/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static int saved_stderr, log_pipe[2];

static void capture(void)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(pipe(log_pipe), 0);
	dup2(log_pipe[1], STDERR_FILENO);
	close(log_pipe[1]);
}

/* End the capture; what was logged is in TEXT. */
static void release(char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	while ((got = read(log_pipe[0], text + length, size - length - 1)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(log_pipe[0]);
}

static void test_levels(void **state)
{
	char text[4096];

	(void)state;
	log_init(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	capture();
	log_debug("1");
	log_info("2");
	log_warn("3 %d", 3);
	log_error("4");
	release(text, sizeof(text));
	assert_null(strstr(text, "info"));
	assert_non_null(strstr(text, "Z warn  3 3\n"));
	assert_non_null(strstr(text, "Z error 4\n"));
}

static void test_lines_stay_lines(void **state)
{
	char text[4096];

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture();
	log_info("a\nb\033[31m\"quoted\\\"");
	release(text, sizeof(text));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_non_null(strstr(text, "a\\u000ab\\u001b[31m\"quoted"));
}

/* Bytes from the network that are not UTF-8 must not make the line unreadable for a JSON parser. */
static void test_json_of_bytes(void **state)
{
	static const char *const bytes[] = {"\xff", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\x80 ü € 😀"};
	struct json_tokener *strict = json_tokener_new();

	(void)state;
	json_tokener_set_flags(strict, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		json_object *line;
		char text[4096];

		capture();
		log_info("%s", bytes[i]);
		release(text, sizeof(text));
		json_tokener_reset(strict);
		line = json_tokener_parse_ex(strict, text, (int)strlen(text));
		assert_non_null(line);
		json_object_put(line);
	}
	json_tokener_free(strict);
}

static void test_json(void **state)
{
	const char *message = "tab\t \"quoted\" back\\slash \x01\x7f ü";
	json_object *object, *value;
	char text[4096];

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	capture();
	log_info("%s", message);
	release(text, sizeof(text));
	object = json_tokener_parse(text);
	assert_non_null(object);
	assert_true(json_object_object_get_ex(object, "msg", &value));
	assert_string_equal(json_object_get_string(value), message);
	assert_true(json_object_object_get_ex(object, "level", &value));
	assert_string_equal(json_object_get_string(value), "info");
	assert_true(json_object_object_get_ex(object, "time", &value));
	assert_int_equal(json_object_get_string_len(value), strlen("2026-01-01T00:00:00.000Z"));
	json_object_put(object);
}

/* Whatever comes in is one line of JSON, cut where it must be. */
static void test_json_of_anything(void **state)
{
	static char message[8192];
	static const char fills[] = {'x', '\n', '"', '\\', '\xff', '\xc3'};

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (size_t i = 0; i < sizeof(fills); i++) {
		json_object *object;
		char text[8192];

		memset(message, fills[i], sizeof(message) - 1);
		capture();
		log_info("%s", message);
		release(text, sizeof(text));
		object = json_tokener_parse(text);
		if (!object)
			fail_msg("not JSON: %s", text);
		json_object_put(object);
	}
}

static void test_fields(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{"shop/c", "shop/c"},
		{"", "\"\""},
		{NULL, "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"no\" \\", "\"say \\\"no\\\" \\\\\""},
		{"a\nb", "\"a\\u000ab\""},
		{"\177", "\"\\u007f\""},
		{"\377", "\"\\u00ff\""},
		{"\303\274", "\303\274"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[4096], wanted[256];

		log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
		capture();
		log_event(LOG_LEVEL_INFO, "claim done", LOG_INT("n", LLONG_MIN),
			LOG_STR("claim", rows[i].value), LOG_INT("bytes", 1));
		log_event(LOG_LEVEL_DEBUG, "not seen", LOG_INT("n", 1));
		release(text, sizeof(text));
		snprintf(wanted, sizeof(wanted),
			"info  claim done n=-9223372036854775808 claim=%s bytes=1\n", rows[i].text);
		assert_string_equal(text + strlen("2026-01-01T00:00:00.000Z "), wanted);
	}
}

static void test_json_fields(void **state)
{
	json_object *object, *value;
	char text[4096];

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	capture();
	log_event(LOG_LEVEL_WARN, "a \"b\"", LOG_STR("claim", "x \"\n"), LOG_INT("bytes", 7));
	release(text, sizeof(text));
	object = json_tokener_parse(text);
	assert_non_null(object);
	assert_true(json_object_object_get_ex(object, "msg", &value));
	assert_string_equal(json_object_get_string(value), "a \"b\"");
	assert_true(json_object_object_get_ex(object, "claim", &value));
	assert_string_equal(json_object_get_string(value), "x \"\n");
	assert_true(json_object_object_get_ex(object, "bytes", &value));
	assert_true(json_object_is_type(value, json_type_int));
	assert_int_equal(json_object_get_int64(value), 7);
	json_object_put(object);
}

/* However long the fields are, and wherever the line is full: one line of JSON. */
static void test_long_fields(void **state)
{
	static char filler[6000];

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	for (size_t length = 3900; length < 4200; length++) {
		json_object *object;
		char text[8192];

		memset(filler, length % 2 ? '\n' : 'x', sizeof(filler));
		filler[length % 2 ? length / 6 : length] = '\0';
		capture();
		log_event(LOG_LEVEL_INFO, "m", LOG_STR("a", filler), LOG_STR("b", filler),
			LOG_INT("c", 1), LOG_STR("d", "\""));
		release(text, sizeof(text));
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_true(strlen(text) <= 4096);
		object = json_tokener_parse(text);
		if (!object)
			fail_msg("not JSON: %s", text);
		json_object_put(object);
	}
}

static void test_cycle_level(void **state)
{
	static const struct {
		enum log_level chosen;
		const char *first, *second;
	} rows[] = {
		{LOG_LEVEL_INFO, "debug", "info"},
		{LOG_LEVEL_ERROR, "debug", "error"},
		{LOG_LEVEL_DEBUG, "info", "debug"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[4096], first[64], second[64];
		const char *at;

		log_init(rows[i].chosen, LOG_FORMAT_TEXT);
		capture();
		log_cycle_level();
		log_debug("between");
		log_cycle_level();
		log_debug("after");
		release(text, sizeof(text));
		snprintf(first, sizeof(first), "info  log level changed log_level=%s\n",
			rows[i].first);
		snprintf(second, sizeof(second), "info  log level changed log_level=%s\n",
			rows[i].second);
		at = strstr(text, first);
		assert_non_null(at);
		assert_non_null(strstr(at, second));
		assert_int_equal(
			strstr(text, "between") != NULL, rows[i].chosen != LOG_LEVEL_DEBUG);
		assert_int_equal(strstr(text, "after") != NULL, rows[i].chosen == LOG_LEVEL_DEBUG);
	}
}

static void *log_lines(void *argument)
{
	for (int i = 0; i < 50; i++)
		log_info("%s", (const char *)argument);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	char text[65536];
	int lines = 0;

	(void)state;
	log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	capture();
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_lines, (void *)"a line of some length");
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	release(text, sizeof(text));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++)
		assert_string_equal(
			line + strlen("2026-01-01T00:00:00.000Z info  "), "a line of some length");
	assert_int_equal(lines, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_lines_stay_lines),
		cmocka_unit_test(test_json_of_bytes),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_anything),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_json_fields),
		cmocka_unit_test(test_long_fields),
		cmocka_unit_test(test_cycle_level),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
