/* SPDX-License-Identifier: Apache-2.0 */
#include "status_json.h"

#include <pthread.h>
#include <string.h>

#include "testing.h"
#include "utf8.h"
#include "world.h"

#define DRIVER "d.example.com"
#define NOW    1800000000

/* Caches as a test fills them, and what is made of them. */
struct scene {
	struct world world;
	struct status_notes *notes;
	struct status_facts facts;
	char *text;
	struct json_object *json;
};

static void begin(struct scene *scene)
{
	*scene = (struct scene){.notes = status_notes_new(8)};
	world_init(&scene->world, NULL, 0, NULL, 0);
	scene->facts = (struct status_facts){.controller = &scene->world.controller,
		.notes = scene->notes,
		.instance = "host_1",
		.synced = true,
		.now = NOW,
		.size_max = 1 << 20};
	world_set(scene->world.controller.classes, &storage_class_type,
		"{'metadata': {'name': 'fast', 'uid': 'k'}, 'provisioner': '" DRIVER "'}");
	world_set(scene->world.controller.classes, &storage_class_type,
		"{'metadata': {'name': 'later', 'uid': 'k2'}, 'provisioner': '" DRIVER
		"', 'volumeBindingMode': 'WaitForFirstConsumer'}");
	world_set(scene->world.controller.classes, &storage_class_type,
		"{'metadata': {'name': 'other', 'uid': 'k3'}, 'provisioner': 'x'}");
}

static void end(struct scene *scene)
{
	json_object_put(scene->json);
	free(scene->text);
	status_notes_free(scene->notes);
	world_done(&scene->world);
}

/* Look at it, as JSON that must be some. */
static void look(struct scene *scene)
{
	struct status_sets sets;
	FILE *out;
	size_t size;

	json_object_put(take_ptr(scene->json));
	free(take_ptr(scene->text));
	out = open_memstream(&scene->text, &size);
	assert_non_null(out);
	status_sets_collect(&sets, &scene->world.controller, scene->notes);
	status_json_write(&sets, &scene->facts, out);
	status_sets_done(&sets);
	fclose(out);
	assert_int_equal(strlen(scene->text), size);
	assert_true(utf8_is_valid((const uint8_t *)scene->text, size));
	scene->json = json_tokener_parse(scene->text);
	assert_non_null(scene->json);
}

static void add_set(struct scene *scene, const char *name, const char *spec)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text,
		    "{'metadata': {'name': '%s', 'namespace': 'shop', 'uid': 's-%s'}, 'spec': "
		    "{%s, 'volumeClaimTemplates': [{'metadata': {'name': 'data'}}, "
		    "{'metadata': {'name': 'log'}}]}}",
		    name, name, spec) < 0)
		abort();
	world_set(scene->world.controller.sets, &stateful_set_type, text);
}

/* A claim NAME of the class CLASS, whose UID is its name, too. VOLUME may be NULL; MORE are members
 * of its metadata. */
static void add_claim(struct scene *scene, const char *name, const char *class, const char *volume,
	const char *phase, const char *more)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text,
		    "{'metadata': {'name': '%s', 'namespace': 'shop', 'uid': '%s', "
		    "'creationTimestamp': '2026-11-24T00:00:00Z'%s}, 'spec': {'storageClassName': "
		    "'%s', 'volumeName': '%s', 'resources': {'requests': {'storage': '1Gi'}}}, "
		    "'status': {'phase': '%s'}}",
		    name, name, more, class, volume ? volume : "", phase) < 0)
		abort();
	world_set(scene->world.controller.claims, &claim_type, text);
}

static void add_pending(struct scene *scene, const char *name, const char *class)
{
	add_claim(scene, name, class, NULL, "Pending", "");
}

static void add_bound(struct scene *scene, const char *name)
{
	_cleanup_free_ char *volume = NULL;

	if (asprintf(&volume, "pv-%s", name) < 0)
		abort();
	add_claim(scene, name, "fast", volume, "Bound", "");
}

/* The volume pv-CLAIM, of 1Gi; MORE are members of its metadata. */
static void add_volume(struct scene *scene, const char *claim, const char *driver,
	const char *phase, const char *policy, const char *more)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text,
		    "{'metadata': {'name': 'pv-%s', 'uid': 'u-pv-%s', "
		    "'creationTimestamp': '2026-11-23T00:00:00Z'%s}, 'spec': {"
		    "'persistentVolumeReclaimPolicy': '%s', 'capacity': {'storage': '1Gi'}, "
		    "'claimRef': {'namespace': 'shop', 'name': '%s', 'uid': '%s'}, 'csi': "
		    "{'driver': '%s', 'volumeHandle': 'h', 'volumeAttributes': "
		    "{'ordinal.dev/path': '/disk/%s'}}, 'nodeAffinity': {'required': "
		    "{'nodeSelectorTerms': [{'matchExpressions': [{'key': 'n', 'operator': 'In', "
		    "'values': ['node-7']}]}]}}}, 'status': {'phase': '%s'}}",
		    claim, claim, more, policy, claim, claim, driver, claim, phase) < 0)
		abort();
	world_set(scene->world.controller.volumes, &volume_with_path_type, text);
}

static void add_pair(struct scene *scene, const char *claim)
{
	add_volume(scene, claim, DRIVER, "Bound", "Delete", "");
	add_bound(scene, claim);
}

static void note(struct scene *scene, const char *uid, enum event_type type, const char *reason,
	const char *message)
{
	status_notes_observe(
		scene->notes, &(struct event_reference){.uid = uid}, type, reason, message);
}

static struct json_object *set_named(const struct scene *scene, const char *name)
{
	struct json_object *sets = json_member(scene->json, "sets", json_type_array);

	for (size_t i = 0; i < json_object_array_length(sets); i++) {
		struct json_object *set = json_object_array_get_idx(sets, i);

		if (!strcmp(json_string(set, "name"), name))
			return set;
	}
	return NULL;
}

/* Each cell as "TEMPLATE ORDINAL STATE NAME; ", of the set NAME or, where it is NULL, of none; then
 * what is missing as "TEMPLATE FROM-TO missing; ". Caller frees. */
static char *cells_of(const struct scene *scene, const char *name)
{
	struct json_object *set = name ? set_named(scene, name) : scene->json;
	struct json_object *cells = json_member(set, name ? "cells" : "others", json_type_array);
	struct json_object *missing = json_member(set, "missing", json_type_array);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(cells);
	for (size_t i = 0; i < json_object_array_length(cells); i++) {
		struct json_object *cell = json_object_array_get_idx(cells, i);
		const char *claim = json_string(cell, "claim");

		if (name)
			fprintf(out, "%s %d ", json_string(cell, "template"),
				json_object_get_int(json_member(cell, "ordinal", json_type_int)));
		fprintf(out, "%s %s; ", json_string(cell, "state"),
			claim ? claim : json_string(cell, "volume"));
	}
	for (size_t i = 0; missing && i < json_object_array_length(missing); i++) {
		struct json_object *run = json_object_array_get_idx(missing, i);

		fprintf(out, "%s %d-%d missing; ", json_string(run, "template"),
			json_object_get_int(json_member(run, "from", json_type_int)),
			json_object_get_int(json_member(run, "to", json_type_int)));
	}
	fclose(out);
	return text;
}

static void assert_cells(const struct scene *scene, const char *set, const char *wanted)
{
	_cleanup_free_ char *got = cells_of(scene, set);

	assert_case_text(set ? set : "others", got, wanted);
}

static int count_of(const struct scene *scene, const char *state)
{
	struct json_object *states = json_member(scene->json, "states", json_type_object);

	return json_object_get_int(json_member(states, state, json_type_int));
}

/* The one cell of the set NAME. */
static struct json_object *first_cell(const struct scene *scene, const char *name)
{
	struct json_object *set = name ? set_named(scene, name) : scene->json;

	return json_object_array_get_idx(
		json_member(set, name ? "cells" : "others", json_type_array), 0);
}

static void test_nothing(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	look(&scene);
	assert_string_equal(scene.text,
		"{\"driver\":\"" DRIVER "\",\"version\":\"0.1.0\",\"instance\":\"host_1\","
		"\"time\":1800000000,\"synced\":true,\"working\":false,\"sets\":[],\"others\":[],"
		"\"states\":{\"bound\":0,\"kept\":0,\"pending\":0,\"failed\":0,\"lost\":0,"
		"\"released\":0,\"deleting\":0,\"missing\":0},\"truncated\":false}\n");
	end(&scene);
}

static void test_bound(void **state)
{
	struct scene scene;
	struct json_object *cell;

	(void)state;
	begin(&scene);
	add_set(&scene, "web", "'replicas': 1");
	add_pair(&scene, "data-web-0");
	look(&scene);
	assert_cells(&scene, "web", "data 0 bound data-web-0; ");
	cell = first_cell(&scene, "web");
	assert_string_equal(json_string(cell, "volume"), "pv-data-web-0");
	assert_string_equal(json_string(cell, "path"), "/disk/data-web-0");
	assert_string_equal(json_string(cell, "node"), "node-7");
	assert_string_equal(json_string(cell, "class"), "fast");
	assert_int_equal(json_object_get_int64(json_member(cell, "bytes", json_type_int)), 1 << 30);
	assert_null(json_member(cell, "asked", json_type_int));
	assert_null(json_string(cell, "reason"));
	/* The volume's age, not the claim's. */
	assert_int_equal(
		json_object_get_int64(json_member(cell, "created", json_type_int)), 1795392000);
	assert_int_equal(count_of(&scene, "bound"), 1);
	end(&scene);
}

/* All states of one set, in order. */
static void test_states(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	add_set(&scene, "web", "'replicas': 8");
	add_pair(&scene, "data-web-0");
	add_pending(&scene, "data-web-1", "fast");
	add_pending(&scene, "data-web-2", "fast");
	note(&scene, "data-web-2", EVENT_WARNING, "ProvisioningFailed", "no room");
	add_claim(&scene, "data-web-3", "fast", "pv-gone", "Lost", "");
	add_bound(&scene, "data-web-4"); /* its volume is not there */
	add_volume(&scene, "data-web-5", DRIVER, "Released", "Retain",
		", 'annotations': {'ordinal.dev/statefulset': 'web', 'ordinal.dev/template': "
		"'data', 'ordinal.dev/ordinal': '5'}");
	add_claim(&scene, "data-web-6", "fast", "pv-data-web-6", "Bound",
		", 'deletionTimestamp': '2026-11-24T00:00:00Z'");
	add_pair(&scene, "data-web-9");
	look(&scene);
	assert_cells(&scene, "web",
		"data 0 bound data-web-0; data 1 pending data-web-1; data 2 failed data-web-2; "
		"data 3 lost data-web-3; data 4 lost data-web-4; data 5 released pv-data-web-5; "
		"data 6 deleting data-web-6; data 9 kept data-web-9; data 7-7 missing; ");
	assert_int_equal(count_of(&scene, "lost"), 2);
	assert_int_equal(count_of(&scene, "missing"), 1);
	end(&scene);
}

/* What the place of a volume says that was released, by policy and phase. */
static void test_volumes_without_claims(void **state)
{
	static const struct {
		const char *phase, *policy, *more, *wanted;
	} rows[] = {
		{"Released", "Retain", "", "released pv-c; "},
		{"Released", "Delete", "", "deleting pv-c; "},
		{"Released", "Retain", ", 'deletionTimestamp': '2026-11-24T00:00:00Z'",
			"deleting pv-c; "},
		{"Failed", "Delete", "", "failed pv-c; "},
		{"Available", "Retain", "", "released pv-c; "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;

		begin(&scene);
		add_volume(&scene, "c", DRIVER, rows[i].phase, rows[i].policy, rows[i].more);
		look(&scene);
		assert_cells(&scene, NULL, rows[i].wanted);
		note(&scene, "u-pv-c", EVENT_WARNING, "VolumeFailedDelete", "busy");
		look(&scene);
		assert_cells(&scene, NULL, "failed pv-c; ");
		assert_string_equal(json_string(first_cell(&scene, NULL), "reason"), "busy");
		end(&scene);
	}
}

/* A set that is gone: its claims are found by what their volumes say. */
static void test_set_is_gone(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	add_volume(&scene, "data-old-1", DRIVER, "Bound", "Delete",
		", 'annotations': {'ordinal.dev/statefulset': 'old', 'ordinal.dev/template': "
		"'data', 'ordinal.dev/ordinal': '1'}");
	add_bound(&scene, "data-old-1");
	add_pair(&scene, "data-unknown-1");
	look(&scene);
	assert_cells(&scene, "old", "data 1 kept data-old-1; ");
	assert_false(json_object_get_boolean(
		json_member(set_named(&scene, "old"), "exists", json_type_boolean)));
	assert_cells(&scene, NULL, "bound data-unknown-1; ");
	end(&scene);
}

/* Sets, templates and ordinals come in their order; replicas may begin elsewhere than at 0. */
static void test_order(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	add_set(&scene, "web", "'replicas': 2, 'ordinals': {'start': 9}");
	add_set(&scene, "db", "'replicas': 3");
	add_set(&scene, "empty", "'replicas': 3");
	add_pair(&scene, "log-web-10");
	add_pair(&scene, "log-web-9");
	add_pair(&scene, "data-web-10");
	add_pair(&scene, "data-db-1");
	look(&scene);
	assert_cells(&scene, "web",
		"data 10 bound data-web-10; log 9 bound log-web-9; log 10 bound log-web-10; "
		"data 9-9 missing; ");
	assert_cells(&scene, "db", "data 1 bound data-db-1; data 0-0 missing; data 2-2 missing; ");
	assert_null(set_named(&scene, "empty"));
	assert_true(strstr(scene.text, "\"db\"") < strstr(scene.text, "\"web\""));
	end(&scene);
}

static void test_not_ours(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	add_set(&scene, "web", "'replicas': 1");
	add_pending(&scene, "data-web-0", "other");
	add_pending(&scene, "lonely", "nowhere");
	add_volume(&scene, "theirs", "x", "Bound", "Delete", "");
	add_bound(&scene, "theirs"); /* of our class, and yet of another driver's volume */
	add_volume(&scene, "left", "x", "Released", "Retain", "");
	look(&scene);
	assert_null(set_named(&scene, "web"));
	assert_cells(&scene, NULL, "");
	end(&scene);
}

static void test_reasons(void **state)
{
	static const struct {
		const char *class;
		enum event_type type;
		const char *event, *message, *state, *reason;
	} rows[] = {
		{"later", EVENT_NORMAL, NULL, NULL, "pending",
			"it waits until a pod that uses it is scheduled"},
		{"fast", EVENT_NORMAL, NULL, NULL, "pending", NULL},
		{"fast", EVENT_WARNING, "ProvisioningFailed", "no \xff room", "failed",
			"no ? room"},
		{"fast", EVENT_NORMAL, "WaitForEarlierVolume", "soon", "pending", "soon"},
		{"fast", EVENT_NORMAL, "ProvisioningSucceeded", "done", "pending", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;
		struct json_object *cell;

		begin(&scene);
		add_pending(&scene, "c", rows[i].class);
		if (rows[i].event)
			note(&scene, "c", rows[i].type, rows[i].event, rows[i].message);
		note(&scene, "c", EVENT_NORMAL, "Provisioning", "again");
		look(&scene);
		cell = first_cell(&scene, NULL);
		assert_case_text(rows[i].class, json_string(cell, "state"), rows[i].state);
		assert_case_text(rows[i].class, json_string(cell, "reason"), rows[i].reason);
		assert_int_equal(
			json_object_get_int64(json_member(cell, "asked", json_type_int)), 1 << 30);
		end(&scene);
	}
}

/* A failure is over when it went well, or when too many others came after it. */
static void test_notes(void **state)
{
	_cleanup_(status_notes_freep) struct status_notes *notes = status_notes_new(2);
	struct event_reference on = {.uid = "a"};
	struct status_note got;
	char long_text[1000], long_uid[100];

	(void)state;
	assert_false(status_notes_get(NULL, "a", &got));
	status_notes_observe(notes, &on, EVENT_WARNING, "R", "one");
	status_notes_observe(notes, &on, EVENT_WARNING, "R", "two");
	assert_true(status_notes_get(notes, "a", &got));
	assert_string_equal(got.text, "two");
	assert_true(got.failed && got.at > 0);
	status_notes_observe(notes, &on, EVENT_NORMAL, "ProvisioningSucceeded", "done");
	assert_false(status_notes_get(notes, "a", &got));
	for (int i = 0; i < 9; i++) {
		char uid[4] = {(char)('b' + i), '\0'};

		on.uid = uid;
		status_notes_observe(notes, &on, EVENT_WARNING, "R", "more");
	}
	assert_false(status_notes_get(notes, "h", &got));
	assert_true(status_notes_get(notes, "i", &got) && status_notes_get(notes, "j", &got));
	memset(long_uid, 'u', sizeof(long_uid) - 1);
	long_uid[sizeof(long_uid) - 1] = '\0';
	on.uid = long_uid;
	status_notes_observe(notes, &on, EVENT_WARNING, "R", "more");
	assert_false(status_notes_get(notes, long_uid, &got));
	for (size_t i = 0; i + 1 < sizeof(long_text); i++)
		long_text[i] = "\xc3\xa4"[i % 2];
	long_text[sizeof(long_text) - 1] = '\0';
	on.uid = "k";
	status_notes_observe(notes, &on, EVENT_WARNING, "R", long_text);
	assert_true(status_notes_get(notes, "k", &got));
	assert_true(strlen(got.text) > 300 && utf8_is_valid((uint8_t *)got.text, strlen(got.text)));
}

/* Names that no API server lets through, and a path and a reason as anybody may have them. */
static void test_hostile(void **state)
{
	struct scene scene;
	struct json_object *cell;

	(void)state;
	begin(&scene);
	add_volume(&scene, "</script><img src=x onerror=alert(1)>\\n\\u0001\\u2028\\\\", DRIVER,
		"Released", "Retain", "");
	note(&scene, "u-pv-</script><img src=x onerror=alert(1)>\n\001\xe2\x80\xa8\\",
		EVENT_WARNING, "R", "\"<b>&amp;\xc0\xaf\x7f");
	look(&scene);
	cell = first_cell(&scene, NULL);
	assert_string_equal(json_string(cell, "volume"),
		"pv-</script><img src=x onerror=alert(1)>\n\001\xe2\x80\xa8\\");
	assert_string_equal(json_string(cell, "reason"), "\"<b>&amp;??\x7f");
	assert_null(strchr(scene.text, '<'));
	assert_null(strchr(scene.text, '&'));
	end(&scene);
}

/* A set may ask for more replicas than there can be, or for fewer than none. */
static void test_many_replicas(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	add_set(&scene, "huge", "'replicas': 9223372036854775807, 'ordinals': {'start': 5}");
	add_set(&scene, "less", "'replicas': -3, 'ordinals': {'start': -9}");
	add_set(&scene, "odd", "'replicas': 'many'");
	add_pair(&scene, "data-huge-7");
	add_pair(&scene, "data-less-0");
	add_pair(&scene, "data-odd-0");
	look(&scene);
	assert_cells(&scene, "less", "data 0 kept data-less-0; ");
	assert_cells(&scene, "odd", "data 0 bound data-odd-0; ");
	assert_non_null(
		strstr(scene.text, "\"missing\":[{\"template\":\"data\",\"from\":5,\"to\":6},"
				   "{\"template\":\"data\",\"from\":8,\"to\":2147483651}]"));
	assert_true(strlen(scene.text) < 3000);
	end(&scene);
}

/* What is too much is left out, and it stays JSON. */
static void test_truncated(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	for (int i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof(name), "data-s%d-0", i % 20);
		add_pair(&scene, name);
		snprintf(name, sizeof(name), "s%d", i % 20);
		add_set(&scene, name, "'replicas': 1");
		snprintf(name, sizeof(name), "plain%d", i);
		add_pair(&scene, name);
	}
	for (scene.facts.size_max = 0; scene.facts.size_max < 60000; scene.facts.size_max += 997) {
		look(&scene);
		assert_true(strlen(scene.text) < scene.facts.size_max + 2000);
		assert_int_equal(count_of(&scene, "bound"), 220);
		assert_int_equal(json_object_get_boolean(
					 json_member(scene.json, "truncated", json_type_boolean)),
			json_object_array_length(
				json_member(scene.json, "others", json_type_array)) < 200);
	}
	end(&scene);
}

static void *change_caches(void *context)
{
	struct scene *scene = context;

	for (int i = 0; i < 300; i++) {
		char name[32];

		snprintf(name, sizeof(name), "data-web-%d", i % 10);
		add_pair(scene, name);
		store_delete(scene->world.controller.claims, name);
		note(scene, name, i % 2 ? EVENT_WARNING : EVENT_NORMAL, "R", "text");
	}
	return NULL;
}

/* Caches change while they are looked at. */
static void test_threads(void **state)
{
	struct scene scene;
	pthread_t threads[2];

	(void)state;
	begin(&scene);
	add_set(&scene, "web", "'replicas': 10");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, change_caches, &scene), 0);
	for (int i = 0; i < 100; i++)
		look(&scene);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	look(&scene);
	assert_int_equal(count_of(&scene, "bound"), 0);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_volumes_without_claims),
		cmocka_unit_test(test_set_is_gone),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_many_replicas),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
