/* SPDX-License-Identifier: Apache-2.0 */
#include "list_decoder.h"

#include <string.h>

#include "testing.h"

#define MAX 200

/* A list, with ' for ", and what is made of it: its items, and behind a | the rest. NULL: it is
 * refused. "-": the rest is not whole. */
static const struct {
	const char *name, *text, *made;
} cases[] = {
	{"two", "{'metadata':{'a':1},'items':[{'b':[1]},{'c':{}}]}",
		"{'b':[1]} {'c':{}} |{'metadata':{'a':1},'items':[]}"},
	{"items first", "{'items':[{'b':1}],'metadata':{}}", "{'b':1} |{'items':[],'metadata':{}}"},
	{"none", "{'items':[]}", "|{'items':[]}"},
	{"null", "{'items':null}", "|{'items':null}"},
	{"no items", "{'metadata':{}}", "|{'metadata':{}}"},
	{"an object", "{'items':{'a':[1]}}", "|{'items':{'a':[1]}}"},
	{"spaces", " { 'items' : [ {'a': 1} , {'b': 2} ] , 'x' : 1 } \n",
		"{'a':1} {'b':2} |{'items':[],'x':1}"},
	{"all kinds", "{'items':[7,null,true,'a,]',[1,[2]],-1.5]}",
		"7 null true 'a,]' [1,[2]] -1.5 |{'items':[]}"},
	{"brackets in strings", "{'items':[{'a':'}]\\'{['}],'b':'],\\\\'}",
		"{'a':'}]\\'{['} |{'items':[],'b':'],\\\\'}"},
	{"other items", "{'a':{'items':[1]},'b':['items',[2]],'items':[3]}",
		"3 |{'a':{'items':[1]},'b':['items',[2]],'items':[]}"},
	{"other names", "{'item':[1],'itemss':[2],'\\'items':[3],'x':'items'}",
		"|{'item':[1],'itemss':[2],'\\'items':[3],'x':'items'}"},
	{"items in an item", "{'items':[{'items':[1]}]}", "{'items':[1]} |{'items':[]}"},
	{"umlauts", "{'\303\274':'\303\274','items':[{'a':'\342\202\254'}]}",
		"{'a':'\342\202\254'} |{'\303\274':'\303\274','items':[]}"},
	{"no list", "[1,2]", "|[1,2]"},
	{"half", "{'items':[{'a':1},{'b'", "{'a':1} -"},
	{"not to its end", "{'items':[{'a':1}]", "{'a':1} -"},
	{"nothing", "", "-"},
	{"not JSON", "<html>", NULL},
	{"an item that is not JSON", "{'items':[{'a':1},x]}", NULL},
	{"an item that is not UTF-8", "{'items':['\377']}", NULL},
	{"a wrong end", "{'items':[{'a':1}}]", NULL},
	{"an item closed wrongly", "{'items':[{'a':[1}]]}", NULL},
};

static char *quoted(const char *text)
{
	char *made = strdup(text);

	for (char *at = made; *at; at++)
		if (*at == '\'')
			*at = '"';
	return made;
}

static void add_json(char *text, struct json_object *json)
{
	strcat(text, json_object_to_json_string_ext(
			     json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void add_item(void *context, struct json_object *item)
{
	add_json(context, item);
	strcat(context, " ");
}

static int feed_in_pieces(
	struct list_decoder *decoder, const char *text, size_t size, struct error *err)
{
	for (size_t left = strlen(text); left; text += size, left -= size) {
		if (size > left)
			size = left;
		if (list_decoder_feed(decoder, text, size, err) < 0)
			return -1;
	}
	return 0;
}

/* Whatever the pieces are; and one decoder, after whatever it had before. */
static void test_pieces(void **state)
{
	char made[1024];
	_cleanup_(list_decoder_freep) struct list_decoder *decoder =
		list_decoder_new(MAX, add_item, made);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = quoted(cases[i].text);
		_cleanup_free_ char *wanted = cases[i].made ? quoted(cases[i].made) : NULL;

		for (size_t size = 1; size <= strlen(text) + 1; size++) {
			struct error err = {0};
			int result;

			*made = '\0';
			list_decoder_reset(decoder);
			result = feed_in_pieces(decoder, text, size, &err);
			assert_case(cases[i].name, result == (wanted ? 0 : -1));
			assert_case(cases[i].name, wanted || err.kind == ERROR_INVALID);
			strcat(made, list_decoder_rest(decoder) ? "|" : "-");
			if (list_decoder_rest(decoder))
				add_json(made, list_decoder_rest(decoder));
			if (wanted)
				assert_case_text(cases[i].name, made, wanted);
		}
	}
}

/* Neither an item nor the rest may be longer than is allowed; the list may. */
static void test_too_long(void **state)
{
	char made[2048], text[2048];
	_cleanup_(list_decoder_freep) struct list_decoder *decoder =
		list_decoder_new(MAX, add_item, made);
	struct error err = {0};

	(void)state;
	*made = '\0';
	strcpy(text, "{\"items\":[");
	for (int i = 0; i < 300; i++)
		strcat(text, "1234,");
	strcat(text, "1]}");
	assert_int_equal(list_decoder_feed(decoder, text, strlen(text), &err), 0);
	assert_non_null(list_decoder_rest(decoder));
	list_decoder_reset(decoder);
	snprintf(text, sizeof(text), "{\"items\":[\"%0*d", MAX, 0);
	assert_int_equal(feed_in_pieces(decoder, text, 50, &err), -1);
	assert_string_equal(err.text, "an item of the list is longer than 200 bytes");
	list_decoder_reset(decoder);
	snprintf(text, sizeof(text), "{\"a\":\"%0*d", MAX, 0);
	assert_int_equal(feed_in_pieces(decoder, text, 50, &err), -1);
	assert_string_equal(err.text, "the list has more than 200 bytes beside its items");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
