/* SPDX-License-Identifier: Apache-2.0 */
/* Claims that are served early, late, by somebody else, or not at all. */
#include "claim_fixture.h"

#include <string.h>

#include "ownership.h"
#include "testing.h"

/* In node deployment a claim without a node is taken first, and provisioned when that is seen; a
 * populator's is not taken, and who is not preferred comes later. */
static void test_taken(void **state)
{
	static const struct api_step api[] = {
		{PATCH_PVC, ERROR_NONE, "{}", false}, {POST_PV, ERROR_NONE, "{}", false}};
	static const char populated[] =
		CLAIM(OURS, "", SIZE ", 'dataSourceRef': {'kind': 'Backup', 'name': 'b'}");
	struct ownership_options options = {true, 3600000, 3600000};
	struct fixture fixture;
	struct controller *controller = &fixture.world.controller;
	int64_t wait_ms;

	(void)state;
	begin(&fixture, populated, CLASS(""), &made, 1, api, 2);
	controller->driver.info.topology = true;
	controller->node = "node-1";
	controller->ownership = ownership_new(&options);
	world_set(controller->nodes, &node_type, NODE_1);
	world_set(controller->csi_nodes, &csi_node_type, CSINODE);
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fake_api_count(&fixture.world.api), 0);
	world_set(controller->claims, &claim_type, PLAIN);
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fake_api_count(&fixture.world.api), 1);
	assert_int_equal(fixture.world.call_count, 0);
	/* It comes back without a node: others first. */
	assert_int_equal(claim_controller_sync(fixture.claims, "u1", &wait_ms, &fixture.err), 0);
	assert_true(wait_ms > 0 && wait_ms <= 3600001);
	assert_int_equal(fake_api_count(&fixture.world.api), 1);
	world_set(controller->claims, &claim_type, CLAIM(OURS ", " NODE, "", SIZE));
	assert_int_equal(claim_controller_sync(fixture.claims, "u1", &wait_ms, &fixture.err), 0);
	assert_int_equal(wait_ms, 0);
	assert_int_equal(fake_api_count(&fixture.world.api), 2);
	assert_int_equal(fixture.world.call_count, 1);
	ownership_free(controller->ownership);
	end(&fixture);
}

#define WAITS ", 'volumeBindingMode': 'WaitForFirstConsumer'"
#define FREE_PV(class, spec, phase)                                                                \
	"{'metadata': {'name': 'free', 'uid': 'v9'}, 'spec': {'storageClassName': '" class         \
		"'" spec "}, 'status': {'phase': '" phase "'}}"

/* When a claim is served that the controller-manager has not annotated. */
static const struct {
	const char *name, *claim, *class, *volume;
	bool others, lazy, counted, served;
} eager[] = {
	{"nothing that could serve it", CLAIM("", "", SIZE), CLASS(""), NULL, .served = true},
	{"another's driver", CLAIM("", "", SIZE), CLASS(""), NULL, .others = true},
	{"told not to", CLAIM("", "", SIZE), CLASS(""), NULL, .lazy = true},
	{"waits for a consumer", CLAIM("", "", SIZE), CLASS(WAITS), NULL, .served = false},
	{"waits, and has a node", CLAIM(NODE, "", SIZE), CLASS(WAITS), NULL, .served = false},
	{"selector", CLAIM("", "", SIZE ", 'selector': {}"), CLASS(""), NULL, .served = false},
	{"another's annotation", CLAIM("'volume.kubernetes.io/storage-provisioner': 'x'", "", SIZE),
		CLASS(""), NULL, .served = false},
	{"no class", CLAIM("", "", SIZE), NULL, NULL, .served = false},
	{"a volume of its class", CLAIM("", "", SIZE), CLASS(""), FREE_PV("fast", "", "Available"),
		.counted = true},
	{"a volume that is not Available yet", CLAIM("", "", SIZE), CLASS(""),
		FREE_PV("fast", "", "Pending"), .counted = true},
	{"a volume of another class", CLAIM("", "", SIZE), CLASS(""),
		FREE_PV("slow", "", "Available"), .counted = true, .served = true},
	{"a released volume", CLAIM("", "", SIZE), CLASS(""),
		FREE_PV("fast", ", 'claimRef': {'namespace': 'a', 'name': 'b', 'uid': 'u9'}",
			"Released"),
		.counted = true, .served = true},
};

static void check_eager(size_t i)
{
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};
	size_t unclaimed = eager[i].counted;
	struct fixture fixture;
	struct controller *controller = &fixture.world.controller;

	begin(&fixture, eager[i].claim, eager[i].class, &made, 1, api, 1);
	controller->driver.info.ours = !eager[i].others;
	controller->eager = !eager[i].lazy;
	controller->unclaimed = &unclaimed;
	if (eager[i].volume)
		world_set(controller->volumes, &volume_type, eager[i].volume);
	assert_case(eager[i].name, sync_claim(&fixture) == 0);
	assert_case(eager[i].name, fixture.world.call_count == eager[i].served);
	end(&fixture);
}

static void test_eager(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(eager); i++)
		check_eager(i);
}

/* What cannot be served is told once, and asked again only when its time has come or its class is
 * another one. */
static void test_infeasible(void **state)
{
	static const char other_class[] =
		"{'metadata': {'name': 'fast', 'uid': 'c2'}, 'provisioner': 'd.example.com'}";
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};
	const struct driver_step steps[] = {{ERROR_INVALID, "no", 0, {NULL}, {NULL}}, made};
	_cleanup_free_ char *events = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), steps, 2, api, 1);
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fixture.again_ms, 300000);
	assert_int_equal(sync_claim(&fixture), 0);
	assert_in_range(fixture.again_ms, 1, 300000);
	assert_int_equal(fixture.world.call_count, 1);
	world_set(fixture.world.controller.classes, &storage_class_type, other_class);
	assert_int_equal(sync_claim(&fixture), 0);
	assert_int_equal(fixture.again_ms, 0);
	assert_int_equal(fixture.world.call_count, 2);
	events = world_events(&fixture.world);
	assert_string_equal(events, PROVISIONING "count 2\n" HOPELESS_IS("no") SUCCEEDED);
	end(&fixture);
}

/* Claims and classes that the driver need not be asked about. */
static void test_infeasible_by_itself(void **state)
{
	static const struct {
		const char *name, *claim, *class, *says;
	} cases[] = {
		{"selector", CLAIM(OURS, "", SIZE ", 'selector': {}"), CLASS(""),
			"claim Selector is not supported"},
		{"no size", CLAIM(OURS, "", "'storageClassName': 'fast'"), CLASS(""),
			"is not a size"},
		{"unknown key", PLAIN, CLASS(", 'parameters': {'csi.storage.k8s.io/x': 'y'}"),
			"csi.storage.k8s.io/x is not known"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *events = NULL;
		struct fixture fixture;

		begin(&fixture, cases[i].claim, cases[i].class, NULL, 0, NULL, 0);
		assert_case(cases[i].name, sync_claim(&fixture) == 0);
		assert_case(cases[i].name, fixture.again_ms == 300000);
		assert_case(cases[i].name, fixture.world.call_count == 0);
		events = world_events(&fixture.world);
		assert_case(cases[i].name, strstr(events, "Retries will be delayed. "));
		assert_case(cases[i].name, strstr(events, cases[i].says));
		end(&fixture);
	}
}

/* Without a word in the journal the driver is not called; what the API server says of the journal
 * is no word about the claim. */
static void test_journal_refuses(void **state)
{
	static const enum error_kind kinds[] = {
		ERROR_INVALID, ERROR_EXHAUSTED, ERROR_FORBIDDEN, ERROR_UNAVAILABLE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *name = error_kind_name(kinds[i]);
		static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};
		struct fixture fixture;

		begin(&fixture, PLAIN, CLASS(""), &made, 1, api, 1);
		fixture.world.map.before = kinds[i];
		assert_case(name, sync_claim(&fixture) == -1);
		assert_case(name, fixture.err.kind == ERROR_UNAVAILABLE);
		assert_case(name, fixture.world.call_count == 0);
		assert_case(name, sync_claim(&fixture) == 0);
		assert_case(name, fixture.world.call_count == 1);
		end(&fixture);
	}
}

/* A full journal holds back what is new, until something is settled. */
static void test_journal_full(void **state)
{
	static const struct api_step api[] = {{POST_PV, ERROR_NONE, "{}", false}};
	struct fixture fixture;
	struct journal **journal = &fixture.world.controller.journal;
	struct kube_api map;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), &made, 1, api, 1);
	map = map_server_api(&fixture.world.map);
	journal_free(*journal);
	*journal = journal_new(&map, &(struct journal_options){"ns", "journal", "tester", 10});
	assert_int_equal(journal_open(*journal, &fixture.err), 0);
	assert_int_equal(sync_claim(&fixture), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(fixture.world.call_count, 0);
	assert_int_equal(journal_count(*journal), 0);
	end(&fixture);
}

/* A secret that is not there says nothing of a volume: what was asked for before stays noted. */
static void test_secret_is_missing(void **state)
{
	static const char class[] =
		CLASS(", 'parameters': {'csi.storage.k8s.io/provisioner-secret-name': 's',"
		      " 'csi.storage.k8s.io/provisioner-secret-namespace': 'n'}");
	static const struct api_step api[] = {{"GET /api/v1/namespaces/n/secrets/s", ERROR_NONE,
						      "{'data': {'k': 'dg=='}}", false},
		{"GET /api/v1/namespaces/n/secrets/s", ERROR_NOT_FOUND, "gone", true}};
	const struct driver_step steps[] = {LOST};
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, class, steps, 1, api, 2);
	assert_int_equal(sync_claim(&fixture), -1);
	assert_int_equal(fixture.world.call_count, 1);
	assert_non_null(strstr(fixture.world.calls[0], " secrets{k=v}"));
	assert_int_equal(sync_claim(&fixture), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(fixture.world.call_count, 1);
	assert_true(journal_has(fixture.world.controller.journal, "u1"));
	assert_null(strstr(map_server_value(&fixture.world.map, "u1"), "dg=="));
	end(&fixture);
}

/* In node deployment the name may be another node's volume: the claim does not count as served. */
static void test_other_nodes_volume(void **state)
{
#define PV_ON(host)                                                                                \
	"{'metadata': {'name': 'pvc-u1', 'uid': 'v1'}, 'spec': {'csi': {'driver': "                \
	"'d.example.com', 'volumeHandle': 'h1'}, 'nodeAffinity': {'required':"                     \
	" {'nodeSelectorTerms': [{'matchExpressions': [{'key': 'host', 'operator': 'In',"          \
	" 'values': ['" host "']}]}]}}}}"
	static const struct {
		const char *volume;
		int result;
	} cases[] = {{PV_ON("h1"), 0}, {PV_ON("h2"), -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct api_step api[] = {{POST_PV, ERROR_ALREADY_EXISTS, "exists", false},
			{GET_PV, ERROR_NONE, cases[i].volume, false}};
		struct fixture fixture;
		struct controller *controller = &fixture.world.controller;

		begin(&fixture, CLAIM(OURS ", " NODE, "", SIZE), CLASS(""), &made, 1, api, 2);
		controller->driver.info.topology = true;
		controller->node = "node-1";
		world_set(controller->nodes, &node_type, NODE_1);
		world_set(controller->csi_nodes, &csi_node_type, CSINODE);
		assert_int_equal(sync_claim(&fixture), cases[i].result);
		assert_int_equal(journal_has(controller->journal, "u1"), cases[i].result < 0);
		end(&fixture);
	}
#undef PV_ON
}

/* The class was replaced by another of its name while the driver was at work: it has a volume by
 * the first request, and that is what has to be undone when the claim goes. */
static void test_class_replaced(void **state)
{
	static const struct driver_step steps[] = {
		LOST, {ERROR_ALREADY_EXISTS, "made otherwise", 0, {NULL}, {NULL}}, MADE, DELETED};
	static const struct api_step api[] = {GONE};
	static const char other[] = "{'metadata': {'name': 'fast', 'uid': 'c2'}, 'provisioner': "
				    "'d.example.com', 'parameters': {'share': '/other'}}";
	struct fixture fixture;

	(void)state;
	begin(&fixture, PLAIN, CLASS(""), steps, 4, api, 1);
	assert_int_equal(sync_claim(&fixture), -1);
	world_set(fixture.world.controller.classes, &storage_class_type, other);
	assert_int_equal(sync_claim(&fixture), -1);
	assert_non_null(strstr(fixture.world.calls[1], "share=/other"));
	assert_true(journal_has(fixture.world.controller.journal, "u1"));
	store_delete(fixture.world.controller.claims, "u1");
	assert_int_equal(sync_claim(&fixture), 0);
	assert_string_equal(fixture.world.calls[2], fixture.world.calls[0]);
	assert_string_equal(fixture.world.calls[3], "delete h1");
	assert_false(journal_has(fixture.world.controller.journal, "u1"));
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_eager),
		cmocka_unit_test(test_infeasible),
		cmocka_unit_test(test_infeasible_by_itself),
		cmocka_unit_test(test_journal_refuses),
		cmocka_unit_test(test_journal_full),
		cmocka_unit_test(test_secret_is_missing),
		cmocka_unit_test(test_other_nodes_volume),
		cmocka_unit_test(test_class_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
