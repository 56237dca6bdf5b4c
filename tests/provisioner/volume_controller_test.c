/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_controller.h"

#include <string.h>

#include "recent.h"
#include "testing.h"
#include "world.h"

#define PV     "/api/v1/persistentvolumes/v"
#define GET    "GET " PV
#define DELETE "DELETE " PV
#define PATCH  "PATCH " PV

#define BY        "'pv.kubernetes.io/provisioned-by': 'd.example.com'"
#define OURS      "'external-provisioner.volume.kubernetes.io/finalizer'"
#define GOING     ", 'deletionTimestamp': '2026-01-01T00:00:00Z'"
#define CSI       ", 'csi': {'driver': 'd.example.com', 'volumeHandle': 'h1'}"
#define POLICY(p) "'persistentVolumeReclaimPolicy': '" p "'"
#define VOLUME(uid, annotations, finalizers, more, spec, phase)                                    \
	"{'metadata': {'name': 'v', 'uid': '" uid "', 'annotations': {" annotations "},"           \
	" 'finalizers': [" finalizers "]" more "},"                                                \
	"'spec': {" spec "}, 'status': {'phase': '" phase "'}}"

/* One that is to be deleted, without and with our finalizer. */
#define BARE     VOLUME("v1", BY, "", "", POLICY("Delete") CSI, "Released")
#define RELEASED VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, "Released")
#define RETAINED VOLUME("v1", BY, OURS, "", POLICY("Retain") CSI, "Released")

static const struct driver_step deleted = {ERROR_NONE, NULL, 0, {NULL}, {NULL}};

/* The requests of INDEX..., by their methods: "GET DELETE PATCH". */
static void methods(struct fake_api *api, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < fake_api_count(api); i++) {
		const char *seen = fake_api_seen(api, i);

		out += sprintf(out, "%s%.*s", i ? " " : "", (int)strcspn(seen, " "), seen);
	}
}

/* What one volume leads to, with an API server that has it unchanged and agrees to everything. */
static const struct {
	const char *name, *volume;
	const char *methods;
	bool driver; /* asked to delete */
} rules[] = {
	/* TestShouldDelete, TestShouldDeleteWithFinalizer */
	{"released", BARE, "GET DELETE", true},
	{"released, with finalizer", RELEASED, "GET DELETE PATCH", true},
	{"released and going, with finalizer",
		VOLUME("v1", BY, OURS, GOING, POLICY("Delete") CSI, "Released"), "GET DELETE PATCH",
		true},
	{"going, the finalizer was taken away",
		VOLUME("v1", BY, "", GOING, POLICY("Delete") CSI, "Released"), "", false},
	{"going, only another's finalizer",
		VOLUME("v1", BY, "'kubernetes.io/pv-protection'", GOING, POLICY("Delete") CSI,
			"Released"),
		"", false},
	{"pending", VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, "Pending"), "", false},
	{"available", VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, "Available"), "", false},
	{"bound", VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, "Bound"), "", false},
	{"bound and going", VOLUME("v1", BY, OURS, GOING, POLICY("Delete") CSI, "Bound"), "",
		false},
	{"failed", VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, "Failed"), "", false},
	{"no phase", VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, ""), "", false},
	{"retain", VOLUME("v1", BY, "", "", POLICY("Retain") CSI, "Released"), "", false},
	{"recycle", VOLUME("v1", BY, "", "", POLICY("Recycle") CSI, "Released"), "", false},
	{"no policy", VOLUME("v1", BY, "", "", "'csi': {'driver': 'd.example.com'}", "Released"),
		"", false},
	{"policy in lower case", VOLUME("v1", BY, "", "", POLICY("delete") CSI, "Released"), "",
		false},
	/* The finalizer */
	{"bound, lacks it", VOLUME("v1", BY, "", "", POLICY("Delete") CSI, "Bound"), "PATCH",
		false},
	{"bound, going, lacks it", VOLUME("v1", BY, "", GOING, POLICY("Delete") CSI, "Bound"), "",
		false},
	{"bound, retain, lacks it", VOLUME("v1", BY, "", "", POLICY("Retain") CSI, "Bound"), "",
		false},
	{"bound, retain, has it", VOLUME("v1", BY, OURS, "", POLICY("Retain") CSI, "Bound"),
		"PATCH", false},
	{"released, retain, has it", RETAINED, "PATCH", false},
	{"going, retain, has it", VOLUME("v1", BY, OURS, GOING, POLICY("Retain") CSI, "Released"),
		"PATCH", false},
	{"available, lacks it", VOLUME("v1", BY, "", "", POLICY("Delete") CSI, "Available"), "",
		false},
	/* TestIsProvisionerForVolume */
	{"another's by annotation",
		VOLUME("v1", "'pv.kubernetes.io/provisioned-by': 'other'", OURS, "",
			POLICY("Delete") CSI, "Released"),
		"", false},
	{"made by hand, our driver", VOLUME("v1", "", "", "", POLICY("Delete") CSI, "Released"),
		"GET DELETE", true},
	{"made by hand, another driver",
		VOLUME("v1", "", "", "",
			POLICY("Delete") ", 'csi': {'driver': 'other', 'volumeHandle': 'h'}",
			"Released"),
		"", false},
	{"neither", VOLUME("v1", "", "", "", POLICY("Delete"), "Released"), "", false},
	{"migrated to ours",
		VOLUME("v1",
			"'pv.kubernetes.io/provisioned-by': 'old',"
			" 'pv.kubernetes.io/migrated-to': 'd.example.com'",
			"", "", POLICY("Delete") CSI, "Released"),
		"GET DELETE", true},
	{"migrated to ours, not annotated otherwise",
		VOLUME("v1", "'pv.kubernetes.io/migrated-to': 'd.example.com'", "", "",
			POLICY("Delete") CSI, "Released"),
		"GET DELETE", true},
	{"migrated to another's",
		VOLUME("v1",
			"'pv.kubernetes.io/provisioned-by': 'old',"
			" 'pv.kubernetes.io/migrated-to': 'other'",
			"", "", POLICY("Delete") CSI, "Released"),
		"", false},
	{"another's name begins with ours",
		VOLUME("v1", "'pv.kubernetes.io/provisioned-by': 'd.example.com.evil'", OURS, "",
			POLICY("Delete") CSI, "Released"),
		"", false},
};

static void check_rule(size_t i)
{
	const struct api_step api[] = {{GET, ERROR_NONE, rules[i].volume, true},
		{DELETE, ERROR_NONE, "{}", true}, {PATCH, ERROR_NONE, "{}", true}};
	const char *name = rules[i].name;
	struct world world;
	char seen[256];

	world_init(&world, &deleted, 1, api, ARRAY_SIZE(api));
	world_set(world.controller.volumes, &volume_type, rules[i].volume);
	assert_case(name, volume_controller_sync(&world.controller, "v", NULL) == 0);
	methods(&world.api, seen);
	assert_case_text(name, seen, rules[i].methods);
	assert_case(name, world.call_count == rules[i].driver);
	if (rules[i].driver)
		assert_case_text(name, world.calls[0], "delete h1");
	world_done(&world);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		check_rule(i);
}

/* What is written, to the letter: each with a precondition. */
static void test_requests(void **state)
{
	static const struct api_step api[] = {{GET, ERROR_NONE, RELEASED, false},
		{DELETE, ERROR_NONE, "{}", false}, {PATCH, ERROR_NONE, "{}", true}};
	struct world world;

	(void)state;
	world_init(&world, &deleted, 1, api, ARRAY_SIZE(api));
	world_set(world.controller.volumes, &volume_type, RELEASED);
	assert_int_equal(volume_controller_sync(&world.controller, "v", NULL), 0);
	assert_string_equal(fake_api_seen(&world.api, 1),
		DELETE " {\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
		       "\"preconditions\":{\"uid\":\"v1\"}}");
	assert_string_equal(fake_api_seen(&world.api, 2),
		PATCH " application/strategic-merge-patch+json {\"metadata\":{\"uid\":\"v1\","
		      "\"$deleteFromPrimitiveList/finalizers\":"
		      "[\"external-provisioner.volume.kubernetes.io/finalizer\"]}}");
	world_set(world.controller.volumes, &volume_type,
		VOLUME("v1", BY, "", "", POLICY("Delete") CSI, "Bound"));
	assert_int_equal(volume_controller_sync(&world.controller, "v", NULL), 0);
	assert_string_equal(fake_api_seen(&world.api, 3),
		PATCH " application/strategic-merge-patch+json {\"metadata\":{\"uid\":\"v1\","
		      "\"finalizers\":"
		      "[\"external-provisioner.volume.kubernetes.io/finalizer\"]}}");
	world_done(&world);
}

/* The cache says that RELEASED is to be deleted, and this is what comes in between. */
static const struct {
	const char *name;
	struct api_step api[3];
	struct driver_step driver;
	bool attaches;
	int result;
	const char *methods;
	bool asked;         /* the driver */
	const char *events; /* or NULL: none */
} turns[] = {
	{"retained since", {{GET, 0, RETAINED, false}}, {0}, false, 0, "GET", false, NULL},
	{"bound again since",
		{{GET, 0, VOLUME("v1", BY, OURS, "", POLICY("Delete") CSI, "Bound"), false}}, {0},
		false, 0, "GET", false, NULL},
	{"finalizer taken away since",
		{{GET, 0, VOLUME("v1", BY, "", GOING, POLICY("Delete") CSI, "Released"), false}},
		{0}, false, 0, "GET", false, NULL},
	{"gone since", {{GET, ERROR_NOT_FOUND, "gone", false}}, {0}, false, 0, "GET", false, NULL},
	{"another of that name since",
		{{GET, 0, VOLUME("v2", BY, OURS, "", POLICY("Delete") CSI, "Released"), false}},
		{0}, false, 0, "GET", false, NULL},
	{"API server away", {{GET, ERROR_UNAVAILABLE, "away", false}}, {0}, false, -1, "GET", false,
		NULL},
	{"not to be read", {{GET, ERROR_FORBIDDEN, "no", false}}, {0}, false, -1, "GET", false,
		NULL},
	{"makes no sense", {{GET, 0, "{'metadata': {}}", false}}, {0}, false, -1, "GET", false,
		NULL},
	{"driver error", {{GET, 0, RELEASED, false}}, {ERROR_UNAVAILABLE, "busy", 0, {0}, {0}},
		false, -1, "GET", true, "Warning VolumeFailedDelete: busy\n"},
	{"object gone when it is deleted",
		{{GET, 0, RELEASED, false}, {DELETE, ERROR_NOT_FOUND, "gone", false},
			{PATCH, ERROR_NOT_FOUND, "gone", false}},
		{0}, false, 0, "GET DELETE PATCH", true, NULL},
	{"object cannot be deleted",
		{{GET, 0, RELEASED, false}, {DELETE, ERROR_CONFLICT, "other uid", false}}, {0},
		false, -1, "GET DELETE", true, NULL},
	{"finalizer cannot be removed",
		{{GET, 0, RELEASED, false}, {DELETE, 0, "{}", false},
			{PATCH, ERROR_FORBIDDEN, "no", false}},
		{0}, false, -1, "GET DELETE PATCH", true, NULL},
	{"the fresh one has no finalizer", {{GET, 0, BARE, false}, {DELETE, 0, "{}", false}}, {0},
		false, 0, "GET DELETE", true, NULL},
	{"attached",
		{{GET, 0, RELEASED, false},
			{"GET /apis/storage.k8s.io/v1/volumeattachments", 0,
				"{'items': [7, {'spec': {'source': {'persistentVolumeName': 'v'}}}]}",
				false}},
		{0}, true, -1, "GET GET", false,
		"Warning VolumeFailedDelete: persistentvolume v is still attached to a node\n"},
	{"others are attached",
		{{GET, 0, BARE, false},
			{"GET /apis/storage.k8s.io/v1/volumeattachments", 0,
				"{'items': [{'spec': {'source': {'persistentVolumeName': 'w'}}}]}",
				false},
			{DELETE, 0, "{}", false}},
		{0}, true, 0, "GET GET DELETE", true, NULL},
	{"not known what is attached",
		{{GET, 0, RELEASED, false}, {"GET /apis/storage.k8s.io/v1/volumeattachments",
						    ERROR_FORBIDDEN, "no", false}},
		{0}, true, -1, "GET GET", false, "Warning VolumeFailedDelete: no\n"},
};

static void check_turn(size_t i)
{
	const char *name = turns[i].name;
	_cleanup_free_ char *events = NULL;
	struct error err = {0};
	struct world world;
	char seen[256];

	world_init(&world, &turns[i].driver, 1, turns[i].api,
		turns[i].api[2].match   ? 3
		: turns[i].api[1].match ? 2
					: 1);
	world.controller.driver.info.attaches = turns[i].attaches;
	world_set(world.controller.volumes, &volume_type, RELEASED);
	assert_case(name, volume_controller_sync(&world.controller, "v", &err) == turns[i].result);
	if (turns[i].result < 0)
		assert_case(name, !strncmp(err.text, "volume v: ", 10));
	methods(&world.api, seen);
	assert_case_text(name, seen, turns[i].methods);
	assert_case(name, world.call_count == turns[i].asked);
	events = world_events(&world);
	assert_case_text(name, events, turns[i].events ? turns[i].events : "");
	world_done(&world);
}

static void test_turns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++)
		check_turn(i);
}

/* Ours by annotation, and yet nothing that our driver could delete: it must not be asked. */
static void test_not_of_our_driver(void **state)
{
	static const char *const sources[] = {
		VOLUME("v1", BY, "", "", POLICY("Delete"), "Released"),
		VOLUME("v1", BY, "", "", POLICY("Delete") ", 'csi': {'driver': 'd.example.com'}",
			"Released"),
		VOLUME("v1", BY, "", "",
			POLICY("Delete") ", 'csi': {'driver': 'other', 'volumeHandle': 'h'}",
			"Released"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const struct api_step api = {GET, ERROR_NONE, sources[i], false};
		_cleanup_free_ char *events = NULL;
		struct error err = {0};
		struct world world;

		world_init(&world, &deleted, 1, &api, 1);
		world_set(world.controller.volumes, &volume_type, sources[i]);
		assert_int_equal(volume_controller_sync(&world.controller, "v", &err), -1);
		assert_int_equal(world.call_count, 0);
		events = world_events(&world);
		assert_string_equal(events, "Warning VolumeFailedDelete: persistentvolume v is not "
					    "a CSI volume of driver d.example.com\n");
		world_done(&world);
	}
}

static void test_not_there(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	assert_int_equal(volume_controller_sync(&world.controller, "v", NULL), 0);
	assert_int_equal(fake_api_count(&world.api), 0);
	world_done(&world);
}

/* With --node: the volume of another node is its instance's. */
static void test_other_nodes_volume(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	world.controller.node = "node-1";
	world.controller.driver.info.topology = true;
	world_set(world.controller.volumes, &volume_type, RELEASED);
	assert_int_equal(volume_controller_sync(&world.controller, "v", NULL), 0);
	assert_int_equal(world.call_count + fake_api_count(&world.api), 0);
	world_done(&world);
}

/* The data of our own driver's volume are on its node's disk: without that node nobody deletes
 * them, and whoever waits for it is told. */
static void test_gone_nodes_volume(void **state)
{
#define TERMS(host)                                                                                \
	"'nodeAffinity': {'required': {'nodeSelectorTerms': [{'matchExpressions':"                 \
	" [{'key': 'host', 'operator': 'In', 'values': ['" host "']}]}]}}"
#define ON_NODE(host)                                                                                  \
	"{'metadata': {'name': 'v', 'uid': 'u1'}, 'spec': {" TERMS(                                    \
		host) ","                                                                              \
		      " 'persistentVolumeReclaimPolicy': 'Delete', 'csi': {'driver': 'd.example.com'," \
		      " 'volumeHandle': 'h'}}, 'status': {'phase': 'Released'}}"
	static const struct {
		const char *name, *volume;
		bool ours, deleted;
	} volumes[] = {
		{"its node is there", ON_NODE("h1"), true, true},
		{"its node is gone", ON_NODE("h9"), true, false},
		{"another driver knows better", ON_NODE("h9"), false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++) {
		const struct api_step api[] = {
			{"GET /api/v1/persistentvolumes/v", ERROR_NONE, volumes[i].volume, true},
			{"DELETE /api/v1/persistentvolumes/v", ERROR_NONE, "{}", true}};
		static const struct driver_step step = {ERROR_NONE, "", 0, {NULL}, {NULL}};
		_cleanup_free_ char *events = NULL;
		struct world world;
		struct error err = {0};
		int result;

		world_init(&world, &step, 1, api, 2);
		world.controller.driver.info.ours = volumes[i].ours;
		world.controller.driver.info.topology = true;
		world_set(world.controller.volumes, &volume_type, volumes[i].volume);
		world_set(world.controller.nodes, &node_type,
			"{'metadata': {'name': 'n', 'uid': 'n1', 'labels': {'host': 'h1'}}}");
		result = volume_controller_sync(&world.controller, "v", &err);
		assert_case(volumes[i].name, result == (volumes[i].deleted ? 0 : -1));
		assert_case(volumes[i].name, world.call_count == volumes[i].deleted);
		events = world_events(&world);
		assert_case(volumes[i].name,
			volumes[i].deleted ? !*events
					   : !!strstr(events, "VolumeFailedDelete: node h9, "
							      "which has the data, is gone"));
		world_done(&world);
	}
}

/* The journal forgets the making of a volume before the driver deletes it; where it cannot, nothing
 * is deleted. Whatever else the driver made of that goes, too: a claim that did not know yet that
 * its volume was deleted has it made again. */
static void test_journal_forgets_first(void **state)
{
#define CLAIMED                                                                                    \
	VOLUME("v1", BY, "", "",                                                                   \
		POLICY("Delete") CSI ", 'claimRef': {'namespace': 'n', 'name': 'c', 'uid': 'u1'}", \
		"Released")
#define CREATED "create v 0 parameters{} modes[] options[]"
	static const struct {
		const char *name, *request;
		struct driver_step driver[4];
		enum error_kind journal; /* the first write fails so */
		int result;
		const char *calls;
		bool kept;
	} cases[] = {
		{"the volume", "v", {{.text = "h1"}, {0}}, ERROR_NONE, 0, CREATED "; delete h1",
			false},
		{"it cannot be written", "v", {{.text = "h1"}, {.text = "h1"}, {0}},
			ERROR_UNAVAILABLE, -1, CREATED, true},
		{"made again", "v", {{.text = "h2"}, {0}, {0}}, ERROR_NONE, 0,
			CREATED "; delete h2; delete h1", false},
		{"made again, and not deleted", "v",
			{{.text = "h2"}, {.kind = ERROR_INTERNAL, .text = "no"}}, ERROR_NONE, -1,
			CREATED "; delete h2", true},
		{"the driver does not say", "v", {{.kind = ERROR_UNAVAILABLE, .text = "down"}},
			ERROR_NONE, -1, CREATED, true},
		{"never made", "v", {{.kind = ERROR_INVALID, .text = "no"}, {0}}, ERROR_NONE, 0,
			CREATED "; delete h1", false},
		{"another volume for that claim", "other", {{0}}, ERROR_NONE, 0, "delete h1", true},
	};
	static const struct api_step api[] = {
		{GET, ERROR_NONE, CLAIMED, true}, {DELETE, ERROR_NONE, "{}", true}};
	_cleanup_object_ struct claim *claim = object_of(
		&claim_type, "{'metadata': {'name': 'c', 'namespace': 'n', 'uid': 'u1'}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(volume_request_unrefp) struct volume_request *request =
			volume_request_new(claim, cases[i].request);
		_cleanup_free_ char *calls = NULL;
		struct error err = {0};
		struct world world;

		world_init(&world, cases[i].driver, ARRAY_SIZE(cases[i].driver), api, 2);
		world_set(world.controller.volumes, &volume_type, CLAIMED);
		assert_int_equal(journal_begin(world.controller.journal, request, &err), 0);
		world.map.before = cases[i].journal;
		assert_case(cases[i].name,
			volume_controller_sync(&world.controller, "v", &err) == cases[i].result);
		calls = world_calls(&world);
		assert_case(cases[i].name, !strcmp(calls, cases[i].calls));
		assert_case(cases[i].name,
			(map_server_value(&world.map, "u1") != NULL) == cases[i].kept);
		world_done(&world);
	}
#undef CLAIMED
#undef CREATED
}

/* The cache may tell for a moment yet of a volume that is gone: nobody is asked about it again. */
static void test_gone(void **state)
{
	static const struct api_step api[] = {{GET, ERROR_NONE, RELEASED, true},
		{DELETE, ERROR_NONE, "{}", true}, {PATCH, ERROR_NONE, "{}", true}};
	struct error err = {0};
	struct world world;

	(void)state;
	world_init(&world, &deleted, 1, api, ARRAY_SIZE(api));
	world.controller.deleted = recent_new(1000);
	world_set(world.controller.volumes, &volume_type, RELEASED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(volume_controller_sync(&world.controller, "v", &err), 0);
	assert_int_equal(world.call_count, 1);
	assert_int_equal(fake_api_count(&world.api), ARRAY_SIZE(api));
	recent_free(world.controller.deleted);
	world_done(&world);
}

/* The driver gets the secret that the volume names; one that is gone was not needed. */
static void test_secret(void **state)
{
#define NAMED                                                                                      \
	VOLUME("v1",                                                                               \
		BY ", 'volume.kubernetes.io/provisioner-deletion-secret-name': 's',"               \
		   " 'volume.kubernetes.io/provisioner-deletion-secret-namespace': 'n'",           \
		"", "", POLICY("Delete") CSI, "Released")
#define SECRET "GET /api/v1/namespaces/n/secrets/s"
	static const struct {
		struct api_step secret;
		int result;
		const char *call;
	} cases[] = {
		{{SECRET, ERROR_NONE, "{'data': {'k': 'dg=='}}", true}, 0,
			"delete h1 secrets{k=v}"},
		{{SECRET, ERROR_NOT_FOUND, "gone", true}, 0, "delete h1"},
		{{SECRET, ERROR_FORBIDDEN, "no", true}, -1, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct api_step api[] = {cases[i].secret, {GET, ERROR_NONE, NAMED, true},
			{DELETE, ERROR_NONE, "{}", true}};
		struct error err = {0};
		struct world world;

		world_init(&world, &deleted, 1, api, 3);
		world_set(world.controller.volumes, &volume_type, NAMED);
		assert_int_equal(
			volume_controller_sync(&world.controller, "v", &err), cases[i].result);
		assert_int_equal(world.call_count, cases[i].call != NULL);
		if (cases[i].call)
			assert_string_equal(world.calls[0], cases[i].call);
		world_done(&world);
	}
#undef NAMED
#undef SECRET
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_not_of_our_driver),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_other_nodes_volume),
		cmocka_unit_test(test_gone_nodes_volume),
		cmocka_unit_test(test_journal_forgets_first),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
