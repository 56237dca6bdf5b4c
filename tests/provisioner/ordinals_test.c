/* SPDX-License-Identifier: Apache-2.0 */
#include "ordinals.h"

#include <string.h>

#include "fake_api.h"
#include "testing.h"

#define LIST_SHOP "GET /apis/apps/v1/namespaces/shop/statefulsets"

/* Sets for the tables below: name, templates, label "app", UID "uid-<name>". */
#define SET_IN(ns, name, templates, app)                                                           \
	"{'metadata': {'name': '" name "', 'namespace': '" ns "', 'uid': 'uid-" name "'},"         \
	"'spec': {'selector': {'matchLabels': {'app': '" app "'}},"                                \
	"'volumeClaimTemplates': [" templates "]}}"
#define SET(name, templates, app) SET_IN("shop", name, templates, app)
#define T(name)                   "{'metadata': {'name': '" name "'}}"

#define WEB       SET("web", T("data") "," T("log"), "web")
#define WEB_FRONT SET("web-front", T("data"), "front")
#define FRONT     SET("front", T("data-web"), "other")
#define BARE      SET("bare", "", "bare")
#define ELSEWHERE SET_IN("bank", "web", T("data"), "web")
#define NO_SELECTOR                                                                                \
	"{'metadata': {'name': 'x', 'namespace': 'shop', 'uid': 'uid-x'},"                         \
	"'spec': {'volumeClaimTemplates': [" T("data") "]}}"
#define DOTTED SET("web.v1", T("data.1"), "dotted")

static const struct {
	const char *claim; /* its name */
	const char *labels, *owners;
	const char *cached, *listed; /* sets, one JSON after the other */
	const char *place;           /* "set template ordinal", or "" */
	int lists;
} cases[] = {
	/* The plain cases. */
	{"data-web-0", "'app': 'web'", "", WEB, "", "web data 0", 0},
	{"data-web-1", "'app': 'web'", "", WEB, "", "web data 1", 0},
	{"log-web-12", "'app': 'web'", "", WEB, "", "web log 12", 0},
	{"data-web-0", "'app': 'web', 'more': 'x'", "", WEB, "", "web data 0", 0},
	{"data.1-web.v1-3", "'app': 'dotted'", "", DOTTED, "", "web.v1 data.1 3", 0},
	/* The names fit and the labels do not: the list says whether another set is meant. */
	{"data-web-0", "", "", WEB, WEB, "web data 0", 1},
	{"data-web-0", "'app': 'other'", "", WEB, WEB, "web data 0", 1},
	{"data-web-0", "", "", WEB, "", "", 1},
	{"data-x-0", "'app': 'web'", "", NO_SELECTOR, NO_SELECTOR, "x data 0", 1},
	/* Not cached yet. */
	{"data-web-0", "'app': 'web'", "", "", WEB, "web data 0", 1},
	{"data-web-0", "'app': 'web'", "", "", WEB WEB_FRONT FRONT, "web data 0", 1},
	{"data-web-0", "'app': 'web'", "", FRONT, WEB FRONT, "web data 0", 1},
	{"data-web-0", "", "", "", "7 {} {'metadata': 5}" WEB, "web data 0", 1},
	{"data-web-0", "", "", "", "", "", 1},
	/* Dashes in both names: data-web of front, or data of web-front. */
	{"data-web-front-0", "'app': 'front'", "", WEB_FRONT FRONT, "", "web-front data 0", 0},
	{"data-web-front-0", "'app': 'other'", "", WEB_FRONT FRONT, "", "front data-web 0", 0},
	{"data-web-front-0", "'app': 'front'", "", FRONT WEB_FRONT, "", "web-front data 0", 0},
	{"data-web-front-0", "", "'uid-front'", WEB_FRONT FRONT, "", "front data-web 0", 0},
	{"data-web-front-0", "'app': 'front'", "'uid-front'", WEB_FRONT FRONT, "",
		"front data-web 0", 0},
	{"data-web-front-0", "'app': 'front'", "'a', 'uid-front', 'b'", FRONT WEB_FRONT, "",
		"front data-web 0", 0},
	{"data-web-front-0", "'app': 'front'", "'uid-stranger'", WEB_FRONT FRONT, "",
		"web-front data 0", 0},
	/* The wrong one of them is cached, and the right one is not yet. */
	{"data-web-front-0", "'app': 'front'", "", FRONT, WEB_FRONT FRONT, "web-front data 0", 1},
	{"data-web-front-0", "'app': 'other'", "", WEB_FRONT, WEB_FRONT FRONT, "front data-web 0",
		1},
	/* Both fit equally well: never guess. */
	{"data-web-front-0", "", "", WEB_FRONT FRONT, WEB_FRONT FRONT, "", 1},
	{"data-web-front-0", "'app': 'x'", "", "", WEB_FRONT FRONT, "", 1},
	{"data-web-front-0", "'app': 'both'", "",
		SET("web-front", T("data"), "both") SET("front", T("data-web"), "both"), "", "", 0},
	/* Other namespaces do not count, not even where the API server answers with them. */
	{"data-web-0", "'app': 'web'", "", ELSEWHERE, "", "", 1},
	{"data-web-0", "'app': 'web'", "", "", ELSEWHERE, "", 1},
	{"data-web-0", "'app': 'web'", "", ELSEWHERE WEB, "", "web data 0", 0},
	/* The set exists, and has no such template. */
	{"cache-web-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"data-bare-0", "'app': 'bare'", "", BARE, BARE, "", 1},
	{"dat-web-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"datax-web-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"data-we-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"data-webx-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"data--web-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"dataxweb-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"web-data-0", "'app': 'web'", "", WEB, WEB, "", 1},
	{"Data-web-0", "'app': 'web'", "", WEB, WEB, "", 1},
	/* No ordinal: an ordinary claim, and nothing is asked. */
	{"data-web-", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-x", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-0x", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-1.5", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-+1", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web- 1", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-00", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-01", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-2147483648", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-4294967296", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-9999999999", "'app': 'web'", "", WEB, "", "", 0},
	{"data-web-18446744073709551616", "'app': 'web'", "", WEB, "", "", 0},
	{"-0", "", "", WEB, "", "", 0},
	{"0", "", "", WEB, "", "", 0},
	{"-", "", "", WEB, "", "", 0},
	{"plain", "", "", WEB, "", "", 0},
	/* The largest that Kubernetes makes. */
	{"data-web-2147483647", "'app': 'web'", "", WEB, "", "web data 2147483647", 0},
	/* Looks like one, and belongs to nobody. */
	{"backup-2024", "", "", WEB, WEB, "", 1},
	{"my-disk-7", "", "", WEB, WEB, "", 1},
};

/* Keep each of the objects of TEXT in STORE. */
static void fill(struct store *store, const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	_cleanup_free_ char *quoted = strdup(text);
	size_t length = strlen(quoted);

	for (char *at = quoted; *at; at++)
		if (*at == '\'')
			*at = '"';
	for (size_t at = 0; at < length; at += json_tokener_get_parse_end(tokener)) {
		struct json_object *json =
			json_tokener_parse_ex(tokener, quoted + at, (int)(length - at));
		struct object *set = object_parse(&stateful_set_type, json, NULL);

		assert_non_null(set);
		store_set(store, set);
		object_unref(set);
		json_object_put(json);
	}
	json_tokener_free(tokener);
}

/* The list's answer: the objects of TEXT with commas between them. */
static char *list_of(const char *text)
{
	char *list = calloc(1, 2 * strlen(text) + 64), *out;
	int depth = 0;

	out = stpcpy(list, "{'items': [");
	for (; *text; text++) {
		if (!depth && out[-1] != '[' && *text != ' ')
			*out++ = ',';
		depth += (*text == '{') - (*text == '}');
		if (*text != ' ' || depth)
			*out++ = *text;
	}
	strcpy(out, "]}");
	return list;
}

static struct claim *make_claim(size_t index)
{
	_cleanup_free_ char *text = NULL, *owners = strdup("");

	if (*cases[index].owners) {
		/* 'a', 'b' -> {'uid': 'a'}, {'uid': 'b'} */
		const char *at = cases[index].owners;

		owners = realloc(owners, 512);
		*owners = '\0';
		for (; *at; at += strspn(at, ", ")) {
			size_t length = strcspn(at, ",");

			sprintf(owners + strlen(owners), "%s{'uid': %.*s}", *owners ? "," : "",
				(int)length, at);
			at += length;
		}
	}
	if (asprintf(&text,
		    "{'metadata': {'name': '%s', 'namespace': 'shop', 'uid': 'u1',"
		    "'labels': {%s}, 'ownerReferences': [%s]}}",
		    cases[index].claim, cases[index].labels, owners) < 0)
		abort();
	return object_of(&claim_type, text);
}

static void run_case(size_t index)
{
	_cleanup_free_ char *list = list_of(cases[index].listed);
	_cleanup_object_ struct claim *claim = make_claim(index);
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	struct api_step step = {.match = LIST_SHOP, .text = list, .repeat = true};
	struct place place = {.ordinal = ""};
	struct fake_api fake;
	struct kube_api api;
	char name[300], got[600] = "", uid[300] = "";
	bool found = false;

	snprintf(name, sizeof(name), "case %zu, %s", index, cases[index].claim);
	fill(sets, cases[index].cached);
	fake_api_init(&fake, &step, 1);
	api = fake_api_table(&fake);
	assert_case(name, ordinals_resolve(claim, sets, &api, &place, &found, NULL) == 0);
	if (found) {
		snprintf(got, sizeof(got), "%s %s %s", place.statefulset, place.template,
			place.ordinal);
		snprintf(uid, sizeof(uid), "uid-%s", place.statefulset);
		assert_case_text(name, place.statefulset_uid, uid);
	}
	assert_case_text(name, got, cases[index].place);
	assert_case(name, fake_api_count(&fake) == (size_t)cases[index].lists);
	fake_api_done(&fake);
}

static void test_cases(void **state)
{
	(void)state;
	assert_true(ARRAY_SIZE(cases) >= 40);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i);
}

/* Without the list it is not known whether this is an ordinary claim: it must not become one. */
static void test_list_fails(void **state)
{
	static const struct api_step step = {LIST_SHOP, ERROR_FORBIDDEN, "not allowed", false};
	_cleanup_object_ struct claim *claim = make_claim(0);
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	struct fake_api fake;
	struct kube_api api;
	struct place place;
	struct error err = {0};
	bool found = true;

	(void)state;
	fake_api_init(&fake, &step, 1);
	api = fake_api_table(&fake);
	assert_int_equal(ordinals_resolve(claim, sets, &api, &place, &found, &err), -1);
	assert_int_equal(err.kind, ERROR_FORBIDDEN);
	assert_false(found);
	fake_api_done(&fake);
}

static void test_strange_lists(void **state)
{
	static const char *const lists[] = {"{}", "{'items': null}", "{'items': {}}",
		"{'items': [[], null, 7, '']}", "[]", "7"};
	_cleanup_object_ struct claim *claim = make_claim(0);
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct api_step step = {.match = LIST_SHOP, .text = lists[i]};
		struct fake_api fake;
		struct kube_api api;
		struct place place;
		bool found = true;

		fake_api_init(&fake, &step, 1);
		api = fake_api_table(&fake);
		assert_int_equal(ordinals_resolve(claim, sets, &api, &place, &found, NULL), 0);
		assert_false(found);
		fake_api_done(&fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_list_fails),
		cmocka_unit_test(test_strange_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
