/* SPDX-License-Identifier: Apache-2.0 */
#include "ordinals.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "fake_api.h"
#include "testing.h"

#define LIST_SHOP "GET /apis/apps/v1/namespaces/shop/statefulsets?limit=100"

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
#define MEGA                                                                                       \
	SET("a-b", T("x"), "one") SET("b", T("x-a") "," T("x"), "two") SET("a", T("x"), "three")
/* A set with all that its spec can say: templates, the selector's inside, more of the spec. */
#define FULL(name, templates, selector, more)                                                      \
	"{'metadata': {'name': '" name "', 'namespace': 'shop', 'uid': 'uid-" name "'},"           \
	"'spec': {'selector': {" selector "}, 'volumeClaimTemplates': [" templates "]" more "}}"
#define TL(name, labels) "{'metadata': {'name': '" name "', 'labels': {" labels "}}}"
#define START(start)     ", 'ordinals': {'start': " start "}"
#define EXPRESS(key, verb, values)                                                                 \
	"'matchExpressions': [{'key': '" key "', 'operator': '" verb "', 'values': [" values "]}]"
#define APP_WEB   "'matchLabels': {'app': 'web'}"
#define FROM_FIVE FULL("web", T("data"), APP_WEB, START("5"))
#define DELETING                                                                                   \
	"{'metadata': {'name': 'web', 'namespace': 'shop', 'uid': 'uid-web',"                      \
	"'deletionTimestamp': '2026-01-01T00:00:00Z'},"                                            \
	"'spec': {'selector': {" APP_WEB "}, 'volumeClaimTemplates': [" T("data") "]}}"
/* Pairs that both make data-web-front-0, and differ in what their selectors or templates say. */
#define PAIR(front, web_front)                                                                     \
	FULL("front", T("data-web"), front, "") FULL("web-front", T("data"), web_front, "")
#define X10           "xxxxxxxxxx"
#define X60           X10 X10 X10 X10 X10 X10
#define LONG_TEMPLATE X60 X60 X60 X10
#define LONG_SET      "s" X10 X10 X10 X10 X10

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
	/* With a label more it could be another set's, of whose labels these are a part. */
	{"data-web-0", "'app': 'web', 'more': 'x'", "", WEB, WEB, "web data 0", 1},
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
		SET("web-front", T("data"), "both") SET("front", T("data-web"), "both"),
		SET("web-front", T("data"), "both") SET("front", T("data-web"), "both"), "", 1},
	{"data-web-front-0", "'app': 'both'", "",
		SET("web-front", T("data"), "both") SET("front", T("data-web"), "both"),
		SET("front", T("data-web"), "both"), "front data-web 0", 1},
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
	{"dataxweb-0", "'app': 'web'", "", WEB, WEB, "", 0},
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
	/* Looks like one, and belongs to nobody: a lone dash separates nothing. */
	{"backup-2024", "", "", WEB, WEB, "", 0},
	{"web-0", "'app': 'web'", "", WEB, WEB, "", 0},
	{"my-disk-7", "", "", WEB, WEB, "", 1},
	{"-web-0", "'app': 'web'", "", SET("web", T(""), "web"), "", "", 0},
	{"data--0", "'app': 'web'", "", WEB, "", "", 0},
	/* spec.ordinals.start: what is below it is not the set's; what is beyond its replicas was.
	 */
	{"data-web-5", "'app': 'web'", "", FROM_FIVE, "", "web data 5", 0},
	{"data-web-4", "'app': 'web'", "", FROM_FIVE, FROM_FIVE, "", 1},
	{"data-web-0", "'app': 'web'", "'uid-web'", FROM_FIVE, FROM_FIVE, "", 1},
	{"data-web-5000", "'app': 'web'", "", FROM_FIVE, "", "web data 5000", 0},
	{"data-web-4", "'app': 'web'", "", FROM_FIVE, WEB, "web data 4", 1},
	{"data-web-0", "'app': 'web'", "", FULL("web", T("data"), APP_WEB, START("'x'")), "",
		"web data 0", 0},
	{"data-web-0", "'app': 'web'", "", FULL("web", T("data"), APP_WEB, START("-7")), "",
		"web data 0", 0},
	{"data-web-0", "'app': 'web'", "",
		FULL("web", T("data"), APP_WEB, START("99999999999999999999")),
		FULL("web", T("data"), APP_WEB, START("99999999999999999999")), "", 1},
	{"data-web-front-3", "", "",
		FULL("front", T("data-web"), "", START("4")) FULL("web-front", T("data"), "", ""),
		FULL("front", T("data-web"), "", START("4")) FULL("web-front", T("data"), "", ""),
		"web-front data 3", 1},
	/* Scaled down: the replicas do not matter. */
	{"data-web-7", "'app': 'web'", "", FULL("web", T("data"), APP_WEB, ", 'replicas': 0"), "",
		"web data 7", 0},
	/* Being deleted, and deleted. */
	{"data-web-0", "'app': 'web'", "", DELETING, "", "web data 0", 0},
	{"data-web-0", "'app': 'web'", "'uid-web'", "", "", "", 1},
	{"data-web-0", "'app': 'other'", "", WEB, "", "", 1},
	/* Labels that a template gives its claims, the selector's winning over them. */
	{"data-web-0", "'tier': 'a'", "", FULL("web", TL("data", "'tier': 'a'"), "", ""), "",
		"web data 0", 0},
	{"data-web-0", "'app': 'web', 'tier': 'a'", "",
		FULL("web", TL("data", "'tier': 'a'"), APP_WEB, ""), "", "web data 0", 0},
	{"data-web-0", "'app': 'web'", "", FULL("web", TL("data", "'app': 'x'"), APP_WEB, ""), "",
		"web data 0", 0},
	{"data-web-0", "'app': 'web'", "", FULL("web", TL("data", "'tier': 'a'"), APP_WEB, ""),
		FULL("web", TL("data", "'tier': 'a'"), APP_WEB, ""), "web data 0", 1},
	{"data-web-front-0", "'app': 'web', 'tier': 'b'", "",
		FULL("front", TL("data-web", "'tier': 'a'"), APP_WEB, "")
			FULL("web-front", TL("data", "'tier': 'b'"), APP_WEB, ""),
		"", "web-front data 0", 0},
	/* One set's labels are a part of the other's. */
	{"data-web-front-0", "'app': 'web', 'role': 'r'", "",
		PAIR(APP_WEB, "'matchLabels': {'app': 'web', 'role': 'r'}"), "", "web-front data 0",
		0},
	{"data-web-front-0", "'app': 'web'", "",
		PAIR(APP_WEB, "'matchLabels': {'app': 'web', 'role': 'r'}"), "", "front data-web 0",
		0},
	{"data-web-front-0", "'app': 'web', 'role': 'r'", "",
		FULL("front", T("data-web"), APP_WEB, ""),
		PAIR(APP_WEB, "'matchLabels': {'app': 'web', 'role': 'r'}"), "web-front data 0", 1},
	/* Expressions, which say something of a label that the claim has. */
	{"data-web-front-0", "'tier': 'a'", "",
		PAIR(EXPRESS("tier", "In", "'a', 'c'"), EXPRESS("tier", "In", "'b'")),
		PAIR(EXPRESS("tier", "In", "'a', 'c'"), EXPRESS("tier", "In", "'b'")),
		"front data-web 0", 1},
	{"data-web-front-0", "'tier': 'a'", "",
		PAIR(EXPRESS("tier", "NotIn", "'a'"), EXPRESS("tier", "Exists", "")),
		PAIR(EXPRESS("tier", "NotIn", "'a'"), EXPRESS("tier", "Exists", "")),
		"web-front data 0", 1},
	{"data-web-front-0", "'tier': 'a'", "",
		PAIR(EXPRESS("tier", "Exists", ""), EXPRESS("tier", "DoesNotExist", "")),
		PAIR(EXPRESS("tier", "Exists", ""), EXPRESS("tier", "DoesNotExist", "")),
		"front data-web 0", 1},
	{"data-web-front-0", "'tier': 'a'", "",
		PAIR(EXPRESS("tier", "In", "'a'"), EXPRESS("tier", "Exists", "")),
		PAIR(EXPRESS("tier", "In", "'a'"), EXPRESS("tier", "Exists", "")), "", 1},
	{"data-web-front-0", "", "",
		PAIR(EXPRESS("tier", "In", "'a'"), EXPRESS("tier", "DoesNotExist", "")),
		PAIR(EXPRESS("tier", "In", "'a'"), EXPRESS("tier", "DoesNotExist", "")), "", 1},
	{"data-web-front-0", "'app': 'web', 'tier': 'b'", "",
		PAIR(APP_WEB "," EXPRESS("tier", "In", "'a'"),
			APP_WEB "," EXPRESS("tier", "In", "'b'")),
		PAIR(APP_WEB "," EXPRESS("tier", "In", "'a'"),
			APP_WEB "," EXPRESS("tier", "In", "'b'")),
		"web-front data 0", 1},
	{"data-web-front-0", "'app': 'web', 'tier': 'b'", "",
		PAIR(APP_WEB "," EXPRESS("tier", "NotIn", "'b'"),
			APP_WEB "," EXPRESS("tier", "NotIn", "'a'")),
		PAIR(APP_WEB "," EXPRESS("tier", "NotIn", "'b'"),
			APP_WEB "," EXPRESS("tier", "NotIn", "'a'")),
		"web-front data 0", 1},
	{"data-web-0", "'app': 'web'", "",
		FULL("web", T("data"), APP_WEB "," EXPRESS("tier", "In", "'a'"), ""), "",
		"web data 0", 0},
	{"data-web-0", "'app': 'web'", "",
		FULL("web", T("data"), APP_WEB "," EXPRESS("app", "Like", "'a'"), ""), "",
		"web data 0", 0},
	{"data-web-0", "'app': 'web'", "",
		FULL("web", T("data"), APP_WEB ",'matchExpressions': [7, {}, null]", ""), "",
		"web data 0", 0},
	/* Three sets and four ways to split. */
	{"x-a-b-0", "'app': 'one'", "", MEGA, "", "a-b x 0", 0},
	{"x-a-b-0", "'app': 'two'", "", MEGA, "", "b x-a 0", 0},
	{"x-b-0", "'app': 'two'", "", MEGA, "", "b x 0", 0},
	{"x-a-0", "'app': 'three'", "", MEGA, "", "a x 0", 0},
	{"x-a-b-0", "", "", MEGA, MEGA, "", 1},
	{"x-a-b-0", "", "'uid-a-b', 'uid-b'", MEGA, MEGA, "", 1},
	/* Names that end in digits, as those of sets and templates may. */
	{"data-0-web-1-2", "'app': 'n'", "", SET("web-1", T("data-0"), "n"), "", "web-1 data-0 2",
		0},
	{"1-2-3", "'app': 'n'", "", SET("2", T("1"), "n"), "", "2 1 3", 0},
	/* The longest that fit, and what cannot be a name. */
	{LONG_TEMPLATE "-" LONG_SET "-0", "'app': 'long'", "",
		SET(LONG_SET, T(LONG_TEMPLATE), "long"), "", LONG_SET " " LONG_TEMPLATE " 0", 0},
	{LONG_TEMPLATE "-" LONG_SET "-2147483647", "'app': 'long'", "",
		SET(LONG_SET, T(LONG_TEMPLATE), "long"), "",
		LONG_SET " " LONG_TEMPLATE " 2147483647", 0},
	{LONG_TEMPLATE X10 "-" LONG_SET "-0", "'app': 'long'", "",
		SET(LONG_SET, T(LONG_TEMPLATE X10), "long"), "", "", 0},
	{"data-" X60 "-0", "", "", SET("uid-is-long", T("data"), "x"), "", "", 1},
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
	struct ordinals *ordinals;
	struct fake_api fake;
	struct kube_api api;
	char name[400], got[600] = "", uid[300] = "";
	bool found = false;

	snprintf(name, sizeof(name), "case %zu, %s", index, cases[index].claim);
	fill(sets, cases[index].cached);
	fake_api_init(&fake, &step, 1);
	api = fake_api_table(&fake);
	ordinals = ordinals_new(sets, &api);
	assert_case(name, ordinals_resolve(ordinals, claim, &place, &found, NULL) == 0);
	ordinals_free(ordinals);
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
	assert_true(ARRAY_SIZE(cases) >= 60);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i);
}

/* A server of lists: how it answers is up to the test. */
struct server {
	pthread_mutex_t lock; /* guards the counts */
	int calls, running, most_running;
	struct json_object *(*answer)(struct server *server, const char *path, struct error *err);
	const char *text;
	struct timespec takes;
};

static int serve(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct server *server = self;

	pthread_mutex_lock(&server->lock);
	server->calls++;
	if (++server->running > server->most_running)
		server->most_running = server->running;
	pthread_mutex_unlock(&server->lock);
	nanosleep(&server->takes, NULL);
	*ret_body = server->answer(server, request->path, err);
	pthread_mutex_lock(&server->lock);
	server->running--;
	pthread_mutex_unlock(&server->lock);
	return *ret_body ? 0 : -1;
}

static struct json_object *answer_text(struct server *server, const char *path, struct error *err)
{
	(void)path;
	(void)err;
	return json_of(server->text);
}

/* Resolves, and says what came out: "set template ordinal", "none", or the error's kind. */
static char *resolve(struct ordinals *ordinals, const struct claim *claim)
{
	struct place place;
	struct error err = {0};
	bool found;
	char *text;

	if (ordinals_resolve(ordinals, claim, &place, &found, &err) < 0)
		return strdup(error_kind_name(err.kind));
	if (!found)
		return strdup("none");
	if (asprintf(&text, "%s %s %s", place.statefulset, place.template, place.ordinal) < 0)
		abort();
	return text;
}

static void check_resolve(const char *name,
	struct json_object *(*answer)(struct server *server, const char *path, struct error *err),
	const char *text, const char *wanted, int calls)
{
	_cleanup_object_ struct claim *claim = make_claim(0);
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	struct server server = {PTHREAD_MUTEX_INITIALIZER, .answer = answer, .text = text};
	struct kube_api api = {serve, &server};
	struct ordinals *ordinals = ordinals_new(sets, &api);
	_cleanup_free_ char *got = resolve(ordinals, claim);

	assert_case_text(name, got, wanted);
	assert_case(name, server.calls == calls);
	ordinals_free(ordinals);
}

/* Without the list it is not known whether this is an ordinary claim: it must not become one. */
static void test_list_fails(void **state)
{
	static const struct api_step steps[] = {{LIST_SHOP, ERROR_FORBIDDEN, "not allowed", false},
		{LIST_SHOP, ERROR_NONE, "{'items': [" WEB "]}", false}};
	_cleanup_object_ struct claim *claim = make_claim(0);
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	_cleanup_free_ char *again = NULL;
	struct ordinals *ordinals;
	struct fake_api fake;
	struct kube_api api;
	struct place place;
	struct error err = {0};
	bool found = true;

	(void)state;
	fake_api_init(&fake, steps, 2);
	api = fake_api_table(&fake);
	ordinals = ordinals_new(sets, &api);
	assert_int_equal(ordinals_resolve(ordinals, claim, &place, &found, &err), -1);
	assert_int_equal(err.kind, ERROR_FORBIDDEN);
	assert_string_equal(err.text, "list statefulsets of namespace shop: not allowed");
	assert_false(found);
	again = resolve(ordinals, claim);
	assert_string_equal(again, "web data 0");
	ordinals_free(ordinals);
	fake_api_done(&fake);
}

static void test_strange_lists(void **state)
{
	static const char *const lists[] = {"{}", "{'items': null}", "{'items': {}}",
		"{'items': [[], null, 7, '']}", "[]", "7",
		"{'metadata': {'continue': 7}, 'items': []}",
		"{'metadata': {'continue': ''}, 'items': []}", "{'metadata': [], 'items': []}",
		"{'items': [{'metadata': {'name': 'web', 'namespace': 'shop', 'uid': 'u" X60
		"xxx'}, 'spec': {'volumeClaimTemplates': [" T("data") "]}}]}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		check_resolve(lists[i], answer_text, lists[i], "none", 1);
}

/* The set is on the second page. The token is one that has to be escaped. */
static struct json_object *answer_pages(struct server *server, const char *path, struct error *err)
{
	(void)server;
	(void)err;
	if (!strchr(path, '&'))
		return json_of("{'metadata': {'continue': 'a+/b&c='}, 'items': [" FRONT "]}");
	if (strcmp(strchr(path, '&'), "&continue=a%2B%2Fb%26c%3D"))
		return json_of("{}");
	return json_of("{'items': [" WEB "]}");
}

/* The second page has expired, for the first time. */
static struct json_object *answer_expired(
	struct server *server, const char *path, struct error *err)
{
	if (server->calls == 2) {
		error_set(err, ERROR_EXPIRED, "too old");
		return NULL;
	}
	return answer_pages(server, path, err);
}

static struct json_object *answer_always_expired(
	struct server *server, const char *path, struct error *err)
{
	if (strchr(path, '&')) {
		error_set(err, ERROR_EXPIRED, "too old");
		return NULL;
	}
	return answer_pages(server, path, err);
}

static void test_pages(void **state)
{
	(void)state;
	check_resolve("two pages", answer_pages, NULL, "web data 0", 2);
	check_resolve("expired once", answer_expired, NULL, "web data 0", 4);
	check_resolve("always expired", answer_always_expired, NULL, "EXPIRED", 6);
	check_resolve("no end", answer_text, "{'metadata': {'continue': 'x'}, 'items': []}",
		"INTERNAL", 2000);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define STORM   10000
#define THREADS 16

struct storm {
	struct ordinals *ordinals;
	struct claim **claims; /* NULL: each is seen as it is resolved */
	size_t count;
	size_t next;  /* atomic */
	size_t found; /* atomic */
};

static struct claim *storm_claim(size_t i)
{
	char text[256];

	snprintf(text, sizeof(text),
		"{'metadata': {'name': 'my-claim-%zu', 'namespace': 'shop', 'uid': 'u%zu'}}", i, i);
	return object_of(&claim_type, text);
}

static void *storm_work(void *context)
{
	struct storm *storm = context;
	size_t i;

	while ((i = __atomic_fetch_add(&storm->next, 1, __ATOMIC_RELAXED)) < storm->count) {
		struct claim *claim = storm->claims ? storm->claims[i] : storm_claim(i);
		struct place place;
		bool found;

		if (ordinals_resolve(storm->ordinals, claim, &place, &found, NULL) == 0 && !found)
			__atomic_add_fetch(&storm->found, 1, __ATOMIC_RELAXED);
		if (!storm->claims)
			object_unref(claim);
	}
	return NULL;
}

/* Run STORM on many threads; how many lists that cost per time is checked. */
static void run_storm(struct storm *storm, int extra_lists, int64_t list_every_ms)
{
	struct server server = {PTHREAD_MUTEX_INITIALIZER, .answer = answer_text,
		.text = "{'items': [" FRONT "]}", .takes = {0, 2000000}};
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	struct kube_api api = {serve, &server};
	pthread_t threads[THREADS];
	int64_t began = now_ms();

	storm->ordinals = ordinals_new(sets, &api);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_work, storm), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(storm->found, storm->count);
	assert_int_equal(server.most_running, 1);
	assert_true(server.calls <= extra_lists + (now_ms() - began) / list_every_ms);
	ordinals_free(storm->ordinals);
}

/* Ten thousand claims that all were there before cost one list (and one more for each ten seconds
 * that this takes). */
static void test_storm(void **state)
{
	_cleanup_free_ struct claim **claims = calloc(STORM, sizeof(*claims));
	struct storm storm = {.claims = claims, .count = STORM};

	(void)state;
	for (size_t i = 0; i < STORM; i++)
		claims[i] = storm_claim(i);
	run_storm(&storm, 1, 10000);
	for (size_t i = 0; i < STORM; i++)
		object_unref(claims[i]);
}

/* Claims that come one after the other: no list is good for one that was seen after it began. */
static void test_stream(void **state)
{
	struct storm storm = {.count = 300};

	(void)state;
	run_storm(&storm, 1, 50);
}

/* A list that began before a claim was seen does not count for it. */
static void test_seen_later(void **state)
{
	static const struct api_step steps[] = {{LIST_SHOP, ERROR_NONE, "{}", false},
		{LIST_SHOP, ERROR_NONE, "{'items': [" WEB "]}", false}};
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	_cleanup_object_ struct claim *earlier = make_claim(0), *later = NULL;
	_cleanup_free_ char *first = NULL, *again = NULL, *second = NULL;
	struct ordinals *ordinals;
	struct fake_api fake;
	struct kube_api api;

	(void)state;
	fake_api_init(&fake, steps, 2);
	api = fake_api_table(&fake);
	ordinals = ordinals_new(sets, &api);
	first = resolve(ordinals, earlier);
	again = resolve(ordinals, earlier);
	later = make_claim(0);
	second = resolve(ordinals, later);
	assert_string_equal(first, "none");
	assert_string_equal(again, "none");
	assert_string_equal(second, "web data 0");
	assert_int_equal(fake_api_count(&fake), 2);
	ordinals_free(ordinals);
	fake_api_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_list_fails),
		cmocka_unit_test(test_strange_lists),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_seen_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
