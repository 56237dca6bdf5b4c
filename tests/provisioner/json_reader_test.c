/* SPDX-License-Identifier: Apache-2.0 */
#include "json_reader.h"

#include <string.h>

#include "testing.h"

/* A text, with ' for ", and what is read; NULL: it is refused, or is not whole. */
static const struct {
	const char *name, *text, *read;
} cases[] = {
	{"plain", "{'a':[1,'b',null]}", "{'a':[1,'b',null]}"},
	{"object", "{'managedFields':{'a':{'b':[1,2]}},'c':1}", "{'managedFields':null,'c':1}"},
	{"list", "{'managedFields':[{'a':[{}]},[]],'c':1}", "{'managedFields':null,'c':1}"},
	{"at the end", "{'c':1,'managedFields':[1]}", "{'c':1,'managedFields':null}"},
	{"deep", "{'a':[{'managedFields':[1]},{'managedFields':{}}]}",
		"{'a':[{'managedFields':null},{'managedFields':null}]}"},
	{"spaces", "{ 'managedFields' : [ 1 ] , 'c' : 1 }", "{'managedFields':null,'c':1}"},
	{"number", "{'managedFields':12,'c':1}", "{'managedFields':null,'c':1}"},
	{"word", "{'managedFields':true}", "{'managedFields':null}"},
	{"string", "{'managedFields':'a,}]','c':1}", "{'managedFields':null,'c':1}"},
	{"brackets in strings", "{'managedFields':['}]',{'{[':'['}],'c':1}",
		"{'managedFields':null,'c':1}"},
	{"quotes in strings", "{'managedFields':['\\'}]\\\\'],'c':'\\'\\\\'}",
		"{'managedFields':null,'c':'\\'\\\\'}"},
	{"umlauts", "{'a':'\303\274','managedFields':'\303\274','\303\274':1}",
		"{'a':'\303\274','managedFields':null,'\303\274':1}"},
	{"not a key", "{'a':'managedFields','b':['managedFields',1]}",
		"{'a':'managedFields','b':['managedFields',1]}"},
	{"longer names", "{'managedFields2':[1],'xmanagedFields':[2],'managed':[3]}",
		"{'managedFields2':[1],'xmanagedFields':[2],'managed':[3]}"},
	{"a quote before the name", "{'\\'managedFields':[1]}", "{'\\'managedFields':[1]}"},
	{"deeper than is read",
		"{'managedFields':[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		"[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
		"{'managedFields':null}"},
	{"without an end", "{'managedFields':[1", NULL},
	{"without its object's end", "{'managedFields':[1]", NULL},
	{"without a value", "{'managedFields':}", "{'managedFields':null}"},
	{"garbage behind it", "{'managedFields':[1]x}", NULL},
	{"text behind the text", "{'managedFields':[1]} x", NULL},
	{"not UTF-8", "{'a':'\377'}", NULL},
	{"no JSON", "<html>", NULL},
};

static char *quoted(const char *text)
{
	char *made = strdup(text);

	for (char *at = made; *at; at++)
		if (*at == '\'')
			*at = '"';
	return made;
}

/* Read TEXT in pieces of SIZE bytes. Caller frees; NULL where it is refused or not whole. */
static char *read_in_pieces(const char *text, size_t size)
{
	enum json_tokener_error state = json_tokener_continue;
	struct json_object *json = NULL;
	struct json_reader reader;
	char *made = NULL;

	json_reader_init(&reader);
	for (size_t at = 0, left = strlen(text); left; at += size, left -= size) {
		if (size > left)
			size = left;
		if (state == json_tokener_success)
			state = json_tokener_error_parse_unexpected; /* more behind the text */
		if (state == json_tokener_continue)
			state = json_reader_feed(&reader, text + at, size, &json);
	}
	if (state == json_tokener_success)
		made = strdup(json_object_to_json_string_ext(
			json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
	json_reader_done(&reader);
	return made;
}

static void test_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = quoted(cases[i].text);
		_cleanup_free_ char *wanted = cases[i].read ? quoted(cases[i].read) : NULL;

		for (size_t size = 1; size <= strlen(text); size++) {
			_cleanup_free_ char *got = read_in_pieces(text, size);

			assert_case_text(cases[i].name, got, wanted);
		}
	}
}

/* A text that ended within what is skipped is forgotten. */
static void test_reset(void **state)
{
	struct json_object *json = NULL;
	struct json_reader reader;

	(void)state;
	json_reader_init(&reader);
	assert_int_equal(json_reader_feed(&reader, "{\"managedFields\":[\"a", 19, &json),
		json_tokener_continue);
	json_reader_reset(&reader);
	assert_int_equal(json_reader_feed(&reader, "{\"a\":[1]}", 9, &json), json_tokener_success);
	assert_string_equal(json_object_to_json_string_ext(json, 0), "{\"a\":[1]}");
	json_object_put(json);
	json_reader_done(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
