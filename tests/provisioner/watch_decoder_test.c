/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_decoder.h"

#include <string.h>

#include "testing.h"

#define MAX_LINE 400

/* What the handler was told: "TYPE name;TYPE name;". */
struct heard {
	char text[2048];
	int stop_at; /* fail at this event, counting from 1; 0: never */
	int count;
};

static int hear(void *context, const char *type, struct json_object *object, struct error *err)
{
	struct heard *heard = context;
	size_t length = strlen(heard->text);
	const char *name = json_string(json_member(object, "metadata", json_type_object), "name");

	snprintf(heard->text + length, sizeof(heard->text) - length, "%s %s;", type,
		name ? name : "-");
	if (++heard->count == heard->stop_at)
		return error_set(err, ERROR_EXPIRED, "too old");
	return 0;
}

static int feed(struct heard *heard, const char *bytes, size_t length, struct error *err)
{
	_cleanup_(watch_decoder_freep) struct watch_decoder *decoder =
		watch_decoder_new(MAX_LINE, hear, heard);

	return watch_decoder_feed(decoder, bytes, length, err);
}

#define EVENT(type, name)                                                                          \
	"{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\"}}}\n"

/* Characters of two, three and four bytes, an escape, a blank line, numbers at the ends. */
static const char stream[] = EVENT("ADDED", "a") EVENT("MODIFIED", "gr\303\274n") "\n" EVENT(
	"DELETED", "\342\202\254") EVENT("BOOKMARK",
	"\360\237\230\200\\u00e4") "{\"object\":{\"n\":[1,2.5e3,true,null]},\"type\":\"NEW\"}\n";
static const char stream_heard[] = "ADDED a;MODIFIED gr\303\274n;DELETED \342\202\254;"
				   "BOOKMARK \360\237\230\200\303\244;NEW -;";

static void feed_in_two(size_t at)
{
	_cleanup_(watch_decoder_freep) struct watch_decoder *decoder = NULL;
	struct heard heard = {.count = 0};
	struct error err = {0};
	char name[64];

	decoder = watch_decoder_new(MAX_LINE, hear, &heard);
	snprintf(name, sizeof(name), "cut at %zu", at);
	assert_case(name, watch_decoder_feed(decoder, stream, at, &err) == 0);
	assert_case(
		name, watch_decoder_feed(decoder, stream + at, sizeof(stream) - 1 - at, &err) == 0);
	assert_case_text(name, heard.text, stream_heard);
}

static void test_every_cut(void **state)
{
	(void)state;
	for (size_t at = 0; at < sizeof(stream); at++)
		feed_in_two(at);
}

static void test_pieces_of_every_size(void **state)
{
	(void)state;
	for (size_t size = 1; size < 40; size++) {
		_cleanup_(watch_decoder_freep) struct watch_decoder *decoder = NULL;
		struct heard heard = {.count = 0};

		decoder = watch_decoder_new(MAX_LINE, hear, &heard);
		for (size_t at = 0; at < sizeof(stream) - 1; at += size) {
			size_t left = sizeof(stream) - 1 - at;

			assert_int_equal(watch_decoder_feed(decoder, stream + at,
						 left < size ? left : size, NULL),
				0);
		}
		assert_string_equal(heard.text, stream_heard);
	}
}

static const struct {
	const char *name, *bytes, *heard;
} refused[] = {
	{"not JSON", "garbage\n", ""},
	{"a proxy's page", "<html>502</html>\n", ""},
	{"after a good one", EVENT("ADDED", "a") "x\n", "ADDED a;"},
	{"two on a line", "{\"type\":\"A\",\"object\":{}}{\"type\":\"B\",\"object\":{}}\n", ""},
	{"text behind it", "{\"type\":\"A\",\"object\":{}} x\n", ""},
	{"line ends too early", "{\"type\":\"ADDED\",\n", ""},
	{"raw line end in a string", "{\"type\":\"AD\nDED\",\"object\":{}}\n", ""},
	{"no object", "{\"type\":\"ADDED\"}\n", ""},
	{"no type", "{\"object\":{}}\n", ""},
	{"type is a number", "{\"type\":1,\"object\":{}}\n", ""},
	{"type holds a NUL", "{\"type\":\"A\\u0000\",\"object\":{}}\n", ""},
	{"object is an array", "{\"type\":\"ADDED\",\"object\":[]}\n", ""},
	{"object is null", "{\"type\":\"ADDED\",\"object\":null}\n", ""},
	{"null", "null\n", ""},
	{"a number", "7\n", ""},
	{"a string", "\"ADDED\"\n", ""},
	{"an array", "[{\"type\":\"ADDED\",\"object\":{}}]\n", ""},
	{"invalid UTF-8", "{\"type\":\"ADDED\",\"object\":{\"a\":\"\xff\"}}\n", ""},
	{"half a character", "{\"type\":\"ADDED\",\"object\":{\"a\":\"\xc3\"}}\n", ""},
	{"half a character ends the line", "{\"type\":\"\xe2\n", ""},
	{"single quotes", "{'type':'ADDED','object':{}}\n", ""},
	{"comma at the end", "{\"type\":\"ADDED\",\"object\":{},}\n", ""},
};

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct heard heard = {.count = 0};
		struct error err = {0};

		assert_case(refused[i].name,
			feed(&heard, refused[i].bytes, strlen(refused[i].bytes), &err) == -1);
		assert_case(refused[i].name, err.kind == ERROR_INVALID && *err.text);
		assert_case_text(refused[i].name, heard.text, refused[i].heard);
	}
}

static void test_nul_byte(void **state)
{
	static const char bytes[] = "{\"type\":\"A\0\",\"object\":{}}\n";
	struct heard heard = {.count = 0};

	(void)state;
	assert_int_equal(feed(&heard, bytes, sizeof(bytes) - 1, NULL), -1);
	assert_string_equal(heard.text, "");
}

static void test_deep_nesting(void **state)
{
	_cleanup_(watch_decoder_freep) struct watch_decoder *decoder = NULL;
	struct heard heard = {.count = 0};
	char nest[1001];

	(void)state;
	memset(nest, '[', sizeof(nest));
	decoder = watch_decoder_new(100000, hear, &heard);
	assert_int_equal(
		watch_decoder_feed(decoder, "{\"type\":\"A\",\"object\":{\"a\":", 26, NULL), 0);
	assert_int_equal(watch_decoder_feed(decoder, nest, sizeof(nest), NULL), -1);
}

/* The limit is the line's, whether it comes at once or byte by byte, finished or not. */
static void test_long_line(void **state)
{
	char line[MAX_LINE + 100];

	(void)state;
	memset(line, ' ', sizeof(line));
	for (size_t size = 1; size <= sizeof(line); size += 83) {
		_cleanup_(watch_decoder_freep) struct watch_decoder *decoder = NULL;
		struct heard heard = {.count = 0};
		struct error err = {0};
		size_t fed = 0;

		decoder = watch_decoder_new(MAX_LINE, hear, &heard);
		while (watch_decoder_feed(decoder, line, size, &err) == 0)
			fed += size;
		assert_true(fed <= MAX_LINE && fed + size > MAX_LINE);
		assert_int_equal(err.kind, ERROR_INVALID);
	}
}

static void test_limit_is_per_line(void **state)
{
	_cleanup_(watch_decoder_freep) struct watch_decoder *decoder = NULL;
	struct heard heard = {.count = 0};

	(void)state;
	decoder = watch_decoder_new(strlen(EVENT("ADDED", "a")), hear, &heard);
	for (int i = 0; i < 20; i++)
		assert_int_equal(watch_decoder_feed(decoder, EVENT("ADDED", "a"),
					 strlen(EVENT("ADDED", "a")), NULL),
			0);
	assert_int_equal(heard.count, 20);
	assert_int_equal(watch_decoder_feed(
				 decoder, EVENT("ADDED", "ab"), strlen(EVENT("ADDED", "ab")), NULL),
		-1);
}

static void test_handler_ends_it(void **state)
{
	struct heard heard = {.stop_at = 2};
	struct error err = {0};
	const char *bytes = EVENT("ADDED", "a") EVENT("ERROR", "b") EVENT("ADDED", "c");

	(void)state;
	assert_int_equal(feed(&heard, bytes, strlen(bytes), &err), -1);
	assert_int_equal(err.kind, ERROR_EXPIRED);
	assert_string_equal(heard.text, "ADDED a;ERROR b;");
}

/* A new watch must not see the tail of the last one, nor half a character of it. */
static void test_reset(void **state)
{
	static const char *const tails[] = {"{\"type\":\"ADD", "gar", "\"\303", "\342\202", "\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		_cleanup_(watch_decoder_freep) struct watch_decoder *decoder = NULL;
		struct heard heard = {.count = 0};

		decoder = watch_decoder_new(MAX_LINE, hear, &heard);
		watch_decoder_feed(decoder, tails[i], strlen(tails[i]), NULL);
		watch_decoder_reset(decoder);
		assert_int_equal(watch_decoder_feed(decoder, stream, sizeof(stream) - 1, NULL), 0);
		assert_string_equal(heard.text, stream_heard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_pieces_of_every_size),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_limit_is_per_line),
		cmocka_unit_test(test_handler_ends_it),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
