/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <string.h>

#include "names.h"
#include "testing.h"
#include "world.h"

#define GRACE 600000
#define PV    "GET /api/v1/persistentvolumes/"

/* What the driver lists; NULL for what a volume lacks. */
struct listed {
	const char *handle, *cluster, *pv;
};

struct stage {
	struct world world;
	const struct listed *volumes;
	size_t count;
	enum error_kind list_error, modify_error, delete_error;
	const char *journaled; /* name of the volume that is in the journal, or NULL */
	/* What happens while the driver modifies. */
	void (*meanwhile)(struct stage *stage);
	char calls[512]; /* "modify HANDLE KEY=VALUE after N; delete HANDLE after N; ": N requests
			    to the API server were made before */
	struct sweep *sweep;
};

static int64_t clock_ms;

static int64_t now_ms(void)
{
	return clock_ms;
}

static bool is_journaled(void *context, const char *name)
{
	const struct stage *stage = context;

	return stage->journaled && !strcmp(stage->journaled, name);
}

static void add_pair(struct string_map *map, const char *key, const char *value)
{
	if (value)
		string_map_add(map, key, value);
}

static int list_volumes(void *self,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	struct stage *stage = self;
	int result = 0;

	for (size_t i = 0; i < stage->count && result == 0; i++) {
		struct csi_volume volume = {.handle = (char *)stage->volumes[i].handle};

		add_pair(&volume.context, ORDINAL_KEY_PATH, "/base/x");
		add_pair(&volume.context, ORDINAL_KEY_CLUSTER_UID, stage->volumes[i].cluster);
		add_pair(&volume.context, CSI_KEY_PV_NAME, stage->volumes[i].pv);
		result = each(context, &volume, err);
		string_map_done(&volume.context);
	}
	if (result == 0 && stage->list_error)
		return error_set(err, stage->list_error, "cannot list");
	return result;
}

static void note(struct stage *stage, const char *what, const char *handle)
{
	size_t length = strlen(stage->calls);

	snprintf(stage->calls + length, sizeof(stage->calls) - length, "%s %s after %zu; ", what,
		handle, fake_api_count(&stage->world.api));
}

static int modify_volume(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	struct stage *stage = self;

	assert_null(secrets);
	assert_int_equal(parameters->count, 1);
	assert_string_equal(parameters->items[0].key, "onDelete");
	assert_string_equal(parameters->items[0].value, "archive");
	note(stage, "modify", handle);
	if (stage->meanwhile)
		stage->meanwhile(stage);
	return stage->modify_error ? error_set(err, stage->modify_error, "cannot modify") : 0;
}

static int delete_volume(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	struct stage *stage = self;

	assert_null(secrets);
	note(stage, "delete", handle);
	return stage->delete_error ? error_set(err, stage->delete_error, "cannot delete") : 0;
}

static const struct api_step missing[] = {{PV "*", ERROR_NOT_FOUND, "not found", true}};

/* A stage on which all that the driver lists are orphans, and are archived. STEPS, of which there
 * may be none, come before that answer. */
static void stage_init(struct stage *stage, const struct listed *volumes, size_t count,
	enum sweep_mode mode, const struct api_step *steps, size_t step_count)
{
	const struct sweep_options options = {
		.mode = mode,
		.cluster_uid = "cu",
		.volume_name_prefix = "pvc",
		.grace_ms = GRACE,
		.journaled = is_journaled,
		.context = stage,
		.now_ms = now_ms,
	};
	struct csi_driver *driver = &stage->world.controller.driver;

	*stage = (struct stage){.volumes = volumes, .count = count};
	clock_ms = 5;
	world_init(&stage->world, NULL, 0, step_count ? steps : missing,
		step_count ? step_count : ARRAY_SIZE(missing));
	driver->self = stage;
	driver->list_volumes = list_volumes;
	driver->modify_volume = modify_volume;
	driver->delete_volume = delete_volume;
	driver->info.ours = driver->info.list_volumes = driver->info.modify_volume = true;
	stage->sweep = sweep_new(&stage->world.controller, &options);
}

static void stage_done(struct stage *stage)
{
	sweep_free(stage->sweep);
	world_done(&stage->world);
}

/* A pass, and then the time goes by that a volume needs to be one that counts. */
static void pass(struct stage *stage, int result, size_t orphans)
{
	struct error err = {0};

	if (sweep_run(stage->sweep, &err) != result)
		fail_msg("%s", result ? "the pass ended well" : err.text);
	if (result < 0)
		assert_int_equal(strncmp(err.text, "sweep: ", 7), 0);
	assert_int_equal(sweep_orphans(stage->sweep), orphans);
	clock_ms += GRACE;
}

static const struct listed orphan = {"h1", "cu", "pvc-u1"};

static void test_archived(void **state)
{
	struct stage stage;

	(void)state;
	stage_init(&stage, &orphan, 1, SWEEP_ARCHIVE, NULL, 0);
	pass(&stage, 0, 0);
	assert_string_equal(stage.calls, "");
	pass(&stage, 0, 0);
	/* Asked for in the first pass, before the first step, and before the second. */
	assert_string_equal(stage.calls, "modify h1 after 2; delete h1 after 3; ");
	assert_string_equal(fake_api_seen(&stage.world.api, 2), PV "pvc-u1");
	stage.count = 0;
	pass(&stage, 0, 0);
	stage_done(&stage);
}

static void test_reported(void **state)
{
	static const struct listed two[] = {{"h1", "cu", "pvc-u1"}, {"h2", "cu", "pvc-u2"}};
	struct stage stage;

	(void)state;
	stage_init(&stage, two, 2, SWEEP_REPORT, NULL, 0);
	pass(&stage, 0, 0);
	pass(&stage, 0, 2);
	pass(&stage, 0, 2);
	stage.count = 1;
	pass(&stage, 0, 1);
	assert_string_equal(stage.calls, "");
	stage_done(&stage);
}

#define VOLUME(name, handle)                                                                       \
	"{'metadata': {'name': '" name "', 'uid': 'v'}, 'spec': {'csi': {'driver': 'x',"           \
	" 'volumeHandle': '" handle "'}}, 'status': {'phase': 'Released'}}"
#define CLAIM(volume)                                                                              \
	"{'metadata': {'name': 'c', 'namespace': 'n', 'uid': 'u1'},"                               \
	" 'spec': {'volumeName': '" volume "'}}"

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* One thing is otherwise than with an orphan, and it is left alone, in all passes. */
static const struct rule {
	const char *name;
	struct listed listed;
	const char *volume, *claim, *journaled; /* NULL: none */
	struct api_step get;                    /* .match NULL: not found */
	int result;
	bool touched; /* the rule does not keep it after all */
} rules[] = {
	{.name = "nothing", .listed = {"h1", "cu", "pvc-u1"}, .touched = true},
	{.name = "no handle", .listed = {"", "cu", "pvc-u1"}},
	{.name = "no cluster", .listed = {"h1", NULL, "pvc-u1"}},
	{.name = "empty cluster", .listed = {"h1", "", "pvc-u1"}},
	{.name = "another cluster", .listed = {"h1", "cu2", "pvc-u1"}},
	{.name = "cluster is the beginning of ours", .listed = {"h1", "c", "pvc-u1"}},
	{.name = "no name", .listed = {"h1", "cu", NULL}},
	{.name = "empty name", .listed = {"h1", "cu", ""}},
	{.name = "another prefix", .listed = {"h1", "cu", "vol-u1"}},
	{.name = "longer prefix", .listed = {"h1", "cu", "pvcs-u1"}},
	{.name = "prefix alone", .listed = {"h1", "cu", "pvc-"}},
	{.name = "no dash", .listed = {"h1", "cu", "pvc"}},
	{.name = "name leads elsewhere", .listed = {"h1", "cu", "pvc-u1/../x"}},
	{.name = "name has a query", .listed = {"h1", "cu", "pvc-u1?x"}},
	{.name = "name in capitals", .listed = {"h1", "cu", "pvc-U1"}},
	{.name = "name too long", .listed = {"h1", "cu", "pvc-" LONG LONG LONG LONG}},
	{.name = "volume in the cache",
		.listed = {"h1", "cu", "pvc-u1"},
		.volume = VOLUME("pvc-u1", "h2")},
	{.name = "handle in the cache",
		.listed = {"h1", "cu", "pvc-u1"},
		.volume = VOLUME("mine", "h1")},
	{.name = "others in the cache",
		.listed = {"h1", "cu", "pvc-u1"},
		.volume = VOLUME("pvc-u2", "h2"),
		.touched = true},
	{.name = "in the journal", .listed = {"h1", "cu", "pvc-u1"}, .journaled = "pvc-u1"},
	{.name = "another in the journal",
		.listed = {"h1", "cu", "pvc-u1"},
		.journaled = "pvc-u2",
		.touched = true},
	{.name = "its claim waits", .listed = {"h1", "cu", "pvc-u1"}, .claim = CLAIM("")},
	{.name = "its claim lost it", .listed = {"h1", "cu", "pvc-u1"}, .claim = CLAIM("pvc-u1")},
	{.name = "its claim has another",
		.listed = {"h1", "cu", "pvc-u1"},
		.claim = CLAIM("mine"),
		.touched = true},
	{.name = "volume at the API server",
		.listed = {"h1", "cu", "pvc-u1"},
		.get = {PV "pvc-u1", ERROR_NONE, VOLUME("pvc-u1", "h1"), true}},
	{.name = "an answer that makes no sense",
		.listed = {"h1", "cu", "pvc-u1"},
		.get = {PV "pvc-u1", ERROR_NONE, "[]", true}},
	{.name = "API server away",
		.listed = {"h1", "cu", "pvc-u1"},
		.get = {PV "pvc-u1", ERROR_UNAVAILABLE, "away", true},
		.result = -1},
	{.name = "API server forbids",
		.listed = {"h1", "cu", "pvc-u1"},
		.get = {PV "pvc-u1", ERROR_FORBIDDEN, "no", true},
		.result = -1},
	{.name = "API server in haste",
		.listed = {"h1", "cu", "pvc-u1"},
		.get = {PV "pvc-u1", ERROR_TOO_MANY_REQUESTS, "later", true},
		.result = -1},
	{.name = "object expired",
		.listed = {"h1", "cu", "pvc-u1"},
		.get = {PV "pvc-u1", ERROR_EXPIRED, "gone", true},
		.result = -1},
};

static void check_rule(const struct rule *rule)
{
	struct stage stage;

	stage_init(&stage, &rule->listed, 1, SWEEP_ARCHIVE, &rule->get, rule->get.match ? 1 : 0);
	stage.journaled = rule->journaled;
	if (rule->volume)
		world_set(stage.world.controller.volumes, &volume_type, rule->volume);
	if (rule->claim)
		world_set(stage.world.controller.claims, &claim_type, rule->claim);
	for (int i = 0; i < 3; i++)
		assert_case(rule->name, sweep_run(stage.sweep, NULL) == rule->result);
	assert_case_text(rule->name, stage.calls, "");
	for (int i = 0; i < 2; i++) {
		clock_ms += GRACE;
		assert_case(rule->name, sweep_run(stage.sweep, NULL) == rule->result);
		assert_case(rule->name, sweep_orphans(stage.sweep) == 0);
		assert_case(rule->name, !*stage.calls == !rule->touched);
	}
	stage_done(&stage);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		check_rule(&rules[i]);
}

/* Who does not sweep at all. */
static const struct {
	const char *name;
	enum sweep_mode mode;
	bool ours, lists;
	const char *cluster;
} idlers[] = {
	{"off", SWEEP_OFF, true, true, "cu"},
	{"another driver", SWEEP_ARCHIVE, false, true, "cu"},
	{"a driver that does not list", SWEEP_ARCHIVE, true, false, "cu"},
	{"cluster unknown", SWEEP_ARCHIVE, true, true, NULL},
	{"cluster empty", SWEEP_ARCHIVE, true, true, ""},
};

static void test_idlers(void **state)
{
	/* Without a cluster, those that have none must not fit. */
	static const struct listed two[] = {{"h1", "cu", "pvc-u1"}, {"h2", "", "pvc-u2"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(idlers); i++) {
		struct stage stage;
		struct sweep *sweep;

		stage_init(&stage, two, 2, SWEEP_ARCHIVE, NULL, 0);
		stage.world.controller.driver.info.ours = idlers[i].ours;
		stage.world.controller.driver.info.list_volumes = idlers[i].lists;
		sweep = sweep_new(
			&stage.world.controller, &(struct sweep_options){.mode = idlers[i].mode,
							 .cluster_uid = idlers[i].cluster,
							 .volume_name_prefix = "pvc",
							 .journaled = is_journaled,
							 .context = &stage,
							 .now_ms = now_ms});
		for (int j = 0; j < 3; j++)
			assert_case(idlers[i].name, sweep_run(sweep, NULL) == 0);
		assert_case(idlers[i].name, fake_api_count(&stage.world.api) == 0);
		assert_case_text(idlers[i].name, stage.calls, "");
		sweep_free(sweep);
		stage_done(&stage);
	}
}

/* A volume that is being made when a pass comes by. */
static void test_grace(void **state)
{
	struct stage stage;

	(void)state;
	stage_init(&stage, &orphan, 1, SWEEP_ARCHIVE, NULL, 0);
	pass(&stage, 0, 0);
	clock_ms--;
	pass(&stage, 0, 0);
	assert_string_equal(stage.calls, "");
	/* Somebody knew it in between: it begins anew. */
	stage.journaled = "pvc-u1";
	pass(&stage, 0, 0);
	stage.journaled = NULL;
	pass(&stage, 0, 0);
	assert_string_equal(stage.calls, "");
	/* It was not there: the one that is has only its handle. */
	stage.count = 0;
	pass(&stage, 0, 0);
	stage.count = 1;
	pass(&stage, 0, 0);
	assert_string_equal(stage.calls, "");
	/* A pass that learns nothing changes nothing. */
	stage.list_error = ERROR_UNAVAILABLE;
	pass(&stage, -1, 0);
	assert_string_equal(stage.calls, "");
	stage.list_error = ERROR_NONE;
	pass(&stage, 0, 0);
	assert_non_null(strstr(stage.calls, "delete h1"));
	stage_done(&stage);
}

static void test_handle_of_another_volume(void **state)
{
	static const struct listed other = {"h1", "cu", "pvc-u2"};
	struct stage stage;

	(void)state;
	stage_init(&stage, &orphan, 1, SWEEP_ARCHIVE, NULL, 0);
	pass(&stage, 0, 0);
	stage.volumes = &other;
	pass(&stage, 0, 0);
	assert_string_equal(stage.calls, "");
	stage_done(&stage);
}

/* What the last whole pass left is what counts while the driver or the API server is away. */
static void test_count_stays(void **state)
{
	struct stage stage;

	(void)state;
	stage_init(&stage, &orphan, 1, SWEEP_REPORT, NULL, 0);
	pass(&stage, 0, 0);
	pass(&stage, 0, 1);
	stage.list_error = ERROR_UNAVAILABLE;
	pass(&stage, -1, 1);
	stage_done(&stage);
}

static void somebody_makes_a_volume(struct stage *stage)
{
	world_set(stage->world.controller.volumes, &volume_type, VOLUME("mine", "h1"));
}

static void journal_knows(struct stage *stage)
{
	stage->journaled = "pvc-u1";
}

/* What comes between, or goes wrong: never fatal, and never deleted unasked. */
static const struct {
	const char *name;
	enum error_kind modify, delete;
	void (*meanwhile)(struct stage *stage);
	struct api_step second[3]; /* the API server's answers, or not found each time */
	bool no_modify;
	const char *calls;
} turns[] = {
	{"cannot modify", ERROR_EXHAUSTED, 0, NULL, {{0}}, false, "modify h1 after 2; "},
	{"gone before", ERROR_NOT_FOUND, 0, NULL, {{0}}, false, "modify h1 after 2; "},
	{"cannot delete", 0, ERROR_UNAVAILABLE, NULL, {{0}}, false,
		"modify h1 after 2; delete h1 after 3; "},
	{"cannot be modified by this driver", 0, 0, NULL, {{0}}, true, ""},
	{"a PersistentVolume in the cache", 0, 0, somebody_makes_a_volume, {{0}}, false,
		"modify h1 after 2; "},
	{"an entry in the journal", 0, 0, journal_knows, {{0}}, false, "modify h1 after 2; "},
	{"a PersistentVolume at the API server", 0, 0, NULL,
		{{PV "*", ERROR_NOT_FOUND, "no", false}, {PV "*", ERROR_NOT_FOUND, "no", false},
			{PV "*", ERROR_NONE, VOLUME("pvc-u1", "h1"), false}},
		false, "modify h1 after 2; "},
	{"API server away", 0, 0, NULL,
		{{PV "*", ERROR_NOT_FOUND, "no", false}, {PV "*", ERROR_NOT_FOUND, "no", false},
			{PV "*", ERROR_TIMEOUT, "away", false}},
		false, "modify h1 after 2; "},
};

static void test_turns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		struct stage stage;

		stage_init(&stage, &orphan, 1, SWEEP_ARCHIVE, turns[i].second,
			turns[i].second[0].match ? 3 : 0);
		stage.modify_error = turns[i].modify;
		stage.delete_error = turns[i].delete;
		stage.meanwhile = turns[i].meanwhile;
		stage.world.controller.driver.info.modify_volume = !turns[i].no_modify;
		assert_case(turns[i].name, sweep_run(stage.sweep, NULL) == 0);
		clock_ms += GRACE;
		assert_case(turns[i].name, sweep_run(stage.sweep, NULL) == 0);
		assert_case_text(turns[i].name, stage.calls, turns[i].calls);
		assert_case(turns[i].name, sweep_orphans(stage.sweep) == 1);
		stage_done(&stage);
	}
}

/* One that cannot be archived keeps no other from it; and each is judged by its own answers. */
static void test_several(void **state)
{
	static const struct listed volumes[] = {{"h1", "cu", "pvc-u1"}, {"h2", "cu", "pvc-u2"},
		{"h3", "cu", "pvc-u3"}, {"h4", "other", "pvc-u4"}};
	static const struct api_step steps[] = {{PV "pvc-u1", ERROR_NONE, "{}", true},
		{PV "*", ERROR_NOT_FOUND, "not found", true}};
	struct stage stage;

	(void)state;
	stage_init(&stage, volumes, ARRAY_SIZE(volumes), SWEEP_ARCHIVE, steps, ARRAY_SIZE(steps));
	stage.delete_error = ERROR_UNAVAILABLE;
	pass(&stage, 0, 0);
	pass(&stage, 0, 2);
	assert_null(strstr(stage.calls, "h1"));
	assert_non_null(strstr(stage.calls, "delete h2"));
	assert_non_null(strstr(stage.calls, "delete h3"));
	assert_null(strstr(stage.calls, "h4"));
	stage_done(&stage);
}

/* A cache that has lost everything must not lead to a great clearance. */
static void test_too_many(void **state)
{
	enum { COUNT = 10001 };
	struct listed *volumes = calloc(COUNT, sizeof(*volumes));
	char(*texts)[2][16] = calloc(COUNT, sizeof(*texts));
	struct error err = {0};
	struct stage stage;

	(void)state;
	assert_true(volumes && texts);
	for (int i = 0; i < COUNT; i++) {
		snprintf(texts[i][0], sizeof(texts[i][0]), "h%d", i);
		snprintf(texts[i][1], sizeof(texts[i][1]), "pvc-u%d", i);
		volumes[i] = (struct listed){texts[i][0], "cu", texts[i][1]};
	}
	stage_init(&stage, volumes, COUNT, SWEEP_ARCHIVE, NULL, 0);
	assert_int_equal(sweep_run(stage.sweep, &err), -1);
	assert_int_equal(err.kind, ERROR_EXHAUSTED);
	assert_int_equal(fake_api_count(&stage.world.api), 0);
	stage_done(&stage);
	free(volumes);
	free(texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_archived),
		cmocka_unit_test(test_reported),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_idlers),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_handle_of_another_volume),
		cmocka_unit_test(test_count_stays),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
