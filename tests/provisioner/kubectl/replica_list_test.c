/* SPDX-License-Identifier: Apache-2.0 */
#include "replica_list.h"

#include <inttypes.h>
#include <string.h>

#include "testing.h"

#define SET(name, replicas, templates)                                                             \
	"{'metadata': {'namespace': 'shop', 'name': '" name "', 'uid': 'u-" name                   \
	"'}, 'spec': {'replicas': " replicas ", 'selector': {'matchLabels': {'app': '" name        \
	"'}}, 'volumeClaimTemplates': [" templates "]}}"
#define TEMPLATE(name) "{'metadata': {'name': '" name "'}}"
#define CLAIM(name, more, volume, phase)                                                           \
	"{'metadata': {'namespace': 'shop', 'name': '" name "', 'uid': 'c-" name                   \
	"', 'labels': {'app': 'web'}" more "}, 'spec': {'volumeName': '" volume                    \
	"'}, 'status': {'phase': '" phase "'}}"
#define VOLUME(name, claim, made)                                                                  \
	"{'metadata': {'name': '" name "', 'creationTimestamp': '" made                            \
	"'}, 'spec': {'claimRef': {'namespace': 'shop', 'name': '" claim "'}}}"
#define PLACED(name, set, template, ordinal)                                                                                     \
	"{'metadata': {'name': '" name "', 'annotations': {'ordinal.dev/statefulset': '" set                                     \
	"', 'ordinal.dev/template': '" template "', 'ordinal.dev/ordinal': '" ordinal                                            \
						"'}}, 'spec': {'claimRef': {'namespace': 'shop', 'name': '" template "-" set     \
														     "-" ordinal \
														     "'}}}"
#define POD(name, ready)                                                                           \
	"{'metadata': {'namespace': 'shop', 'name': '" name "'}, 'status': {'conditions': "        \
	"[{'type': 'Ready', 'status': '" ready "'}]}}"

/* What there is, and the lines of it: "set ordinal pod claim volume state". */
static const struct {
	const char *name, *sets, *pods, *claims, *volumes, *lines;
} cases[] = {
	{"nothing", "", "", "", "", ""},
	{"a replica that is ready", SET("web", "1", TEMPLATE("data")), POD("web-0", "True"),
		CLAIM("data-web-0", "", "v0", "Bound"), VOLUME("v0", "data-web-0", "1"),
		"web 0 web-0 data-web-0 v0 Ready\n"},
	{"two templates, one without a claim", SET("web", "1", TEMPLATE("b") "," TEMPLATE("a")),
		POD("web-0", "False"), CLAIM("a-web-0", "", "v0", "Bound"),
		VOLUME("v0", "a-web-0", "1"),
		"web 0 web-0 a-web-0 v0 NotReady\nweb 0 web-0 b-web-0 - Missing\n"},
	{"ten is behind nine", SET("web", "11", TEMPLATE("d")), "", "", "",
		"web 0 - d-web-0 - Missing\nweb 1 - d-web-1 - Missing\nweb 2 - d-web-2 - Missing\n"
		"web 3 - d-web-3 - Missing\nweb 4 - d-web-4 - Missing\nweb 5 - d-web-5 - Missing\n"
		"web 6 - d-web-6 - Missing\nweb 7 - d-web-7 - Missing\nweb 8 - d-web-8 - Missing\n"
		"web 9 - d-web-9 - Missing\nweb 10 - d-web-10 - Missing\n"},
	{"pending, lost, terminating, no pod", SET("web", "5", TEMPLATE("d")), "",
		CLAIM("d-web-0", "", "", "Pending") "," CLAIM("d-web-1", "", "gone",
			"Bound") "," CLAIM("d-web-2", "", "x", "Lost") "," CLAIM("d-web-3",
			", 'deletionTimestamp': '2026-11-21T09:32:07Z'", "v3",
			"Bound") "," CLAIM("d-web-4", "", "v4", "Bound"),
		VOLUME("v3", "d-web-3", "1") "," VOLUME("v4", "d-web-4", "1"),
		"web 0 - d-web-0 - Pending\nweb 1 - d-web-1 - Lost\nweb 2 - d-web-2 - Lost\n"
		"web 3 - d-web-3 v3 Terminating\nweb 4 - d-web-4 v4 NoPod\n"},
	{"scaled down", SET("web", "0", TEMPLATE("d")), "", CLAIM("d-web-7", "", "v7", "Bound"),
		VOLUME("v7", "d-web-7", "1"), "web 7 - d-web-7 v7 Kept\n"},
	{"a claim of nobody", SET("web", "0", TEMPLATE("d")), "",
		CLAIM("e-web-7", "", "v7", "Bound"), VOLUME("v7", "e-web-7", "1"), ""},
	{"released, the newest", SET("web", "1", TEMPLATE("d")), "", "",
		VOLUME("v1", "d-web-0", "2026-01-01T00:00:00Z") "," VOLUME("v2", "d-web-0",
			"2026-01-02T00:00:00Z") "," VOLUME("v3", "d-web-0", "2025"),
		"web 0 - d-web-0 v2 Released\n"},
	{"the set is gone, its claim is not", "", "", CLAIM("d-web-0", "", "v0", "Bound"),
		PLACED("v0", "web", "d", "0"), "web 0 - d-web-0 v0 Kept\n"},
	{"set and claim are gone", "", "", "", PLACED("v0", "web", "d", "0"),
		"web 0 - d-web-0 v0 Released\n"},
	{"starts at 2",
		"{'metadata': {'namespace': 'shop', 'name': 'web', 'uid': 'u'}, 'spec': "
		"{'replicas': 1, 'ordinals': {'start': 2}, 'volumeClaimTemplates': [" TEMPLATE(
			"d") "]}}",
		"", "", "", "web 2 - d-web-2 - Missing\n"},
	{"wrong types",
		"7, {'metadata': 5}, {'metadata': {'name': 'x', 'namespace': 'shop'}, 'spec': "
		"{'replicas': 'two', 'volumeClaimTemplates': [null, {'metadata': {'name': 1}}, " TEMPLATE(
			"d") "]}}, {'metadata': {'name': 'y'}, 'spec': {'replicas': -3, "
			     "'volumeClaimTemplates': [" TEMPLATE("d") "]}}",
		"null", "[], {'metadata': {'name': ['a']}}", "{'spec': 'x'}",
		"x 0 - d-x-0 - Missing\n"},
};

static struct json_object *array_of(const char *items)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "[%s]", items) < 0)
		abort();
	return json_of(text);
}

/* The API server's list of sets, which ordinals_resolve() asks for. */
static int answer(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	(void)err;
	assert_non_null(strstr(request->path, "/namespaces/shop/statefulsets"));
	*ret_body = json_object_new_object();
	json_object_object_add(*ret_body, "items", json_object_get(self));
	return 0;
}

static char *lines_of(const struct replica_list *list)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < list->count; i++) {
		const struct replica *replica = &list->items[i];
		struct json_object *metadata =
			json_member(replica->volume, "metadata", json_type_object);
		const char *volume = json_string(metadata, "name");

		fprintf(out, "%s %" PRId64 " %s %s %s %s\n", replica->set, replica->ordinal,
			replica->pod_name ? replica->pod_name : "-", replica->claim_name,
			volume ? volume : "-", replica_list_state(replica->state));
	}
	fclose(out);
	return text;
}

static void check(size_t row)
{
	struct replica_sources sources = {array_of(cases[row].sets), array_of(cases[row].pods),
		array_of(cases[row].claims), array_of(cases[row].volumes)};
	const struct kube_api api = {answer, sources.sets};
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	_cleanup_(ordinals_freep) struct ordinals *ordinals = ordinals_new(sets, &api);
	_cleanup_free_ char *lines = NULL;
	struct replica_list list = {.count = 0};

	assert_case(cases[row].name, replica_list_fill(&list, &sources, ordinals, NULL) == 0);
	lines = lines_of(&list);
	assert_case_text(cases[row].name, lines, cases[row].lines);
	replica_list_done(&list);
	json_object_put(sources.sets);
	json_object_put(sources.pods);
	json_object_put(sources.claims);
	json_object_put(sources.volumes);
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(i);
}

/* "a-x-b-0" is of set b by its template a-x, or of x-b by a: its labels tell. */
static void test_ambiguous(void **state)
{
	struct replica_sources sources = {
		array_of(SET("b", "0", TEMPLATE("a-x")) "," SET("x-b", "0", TEMPLATE("a"))), NULL,
		json_of("[{'metadata': {'namespace': 'shop', 'name': 'a-x-b-0', 'uid': 'u', "
			"'labels': {'app': 'x-b'}}, 'spec': {'volumeName': 'v'}, 'status': "
			"{'phase': 'Bound'}}]"),
		array_of(VOLUME("v", "a-x-b-0", "1"))};
	const struct kube_api api = {answer, sources.sets};
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	_cleanup_(ordinals_freep) struct ordinals *ordinals = ordinals_new(sets, &api);
	_cleanup_free_ char *lines = NULL;
	struct replica_list list = {.count = 0};

	(void)state;
	assert_int_equal(replica_list_fill(&list, &sources, ordinals, NULL), 0);
	lines = lines_of(&list);
	assert_string_equal(lines, "x-b 0 - a-x-b-0 v Kept\n");
	assert_string_equal(list.items[0].template, "a");
	replica_list_done(&list);
	json_object_put(sources.sets);
	json_object_put(sources.claims);
	json_object_put(sources.volumes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_ambiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
