/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include <string.h>

#include "testing.h"
#include "world.h"

#define CSINODE "GET /apis/storage.k8s.io/v1/csinodes/node-1"
#define REGISTERED                                                                                 \
	"{'spec': {'drivers': [{'name': 'other'}, 7, {'name': 'd.example.com',"                    \
	" 'topologyKeys': ['host', 'zone']}]}}"

static const char node_1[] = "{'metadata': {'name': 'node-1', 'uid': 'n1',"
			     " 'labels': {'host': 'h1', 'zone': 'z1', 'rack': 'r1'}}}";
static const char node_2[] = "{'metadata': {'name': 'node-2', 'uid': 'n2'}}";
static const char cordoned_1[] = "{'metadata': {'name': 'node-1', 'uid': 'n1',"
				 " 'labels': {'host': 'h1', 'zone': 'z1'}},"
				 "'spec': {'unschedulable': true}}";
static const char cordoned_2[] = "{'metadata': {'name': 'node-2', 'uid': 'n2'},"
				 "'spec': {'unschedulable': true}}";
static const char unlabelled[] = "{'metadata': {'name': 'node-1', 'uid': 'n1',"
				 " 'labels': {'host': 'h1'}}}";

static const struct {
	const char *name;
	const char *nodes[2];
	const char *selected;
	struct api_step step; /* what the CSINode is, or how asking for it fails */
	const char *segments; /* on success */
	enum error_kind kind; /* else */
	const char *says;
} cases[] = {
	{"the selected node", {node_1}, "node-1", {CSINODE, 0, REGISTERED, false},
		"host=h1 zone=z1 ", 0, NULL},
	{"the only node", {node_1}, "", {CSINODE, 0, REGISTERED, false}, "host=h1 zone=z1 ", 0,
		NULL},
	{"the only schedulable node", {node_1, cordoned_2}, "", {CSINODE, 0, REGISTERED, false},
		"host=h1 zone=z1 ", 0, NULL},
	{"selected, and all are cordoned since", {cordoned_1}, "node-1",
		{CSINODE, 0, REGISTERED, false}, "host=h1 zone=z1 ", 0, NULL},
	{"several nodes", {node_1, node_2}, "node-1", {"", 0, NULL, false}, NULL,
		ERROR_FAILED_PRECONDITION, "this one has 2 (node-1, node-2)"},
	{"no node", {NULL}, "", {"", 0, NULL, false}, NULL, ERROR_UNAVAILABLE,
		"no schedulable node"},
	{"selected node cordoned", {cordoned_1, node_2}, "node-1", {"", 0, NULL, false}, NULL,
		ERROR_NOT_FOUND, "node-1"},
	{"selected node gone", {NULL}, "node-1", {"", 0, NULL, false}, NULL, ERROR_NOT_FOUND,
		"node-1 is gone"},
	{"a name that is a path", {NULL}, "../../nodes", {"", 0, NULL, false}, NULL,
		ERROR_NOT_FOUND, "is gone"},
	{"CSINode gone", {node_1}, "node-1", {CSINODE, ERROR_NOT_FOUND, "not found", false}, NULL,
		ERROR_NOT_FOUND, "not found"},
	{"API server away", {node_1}, "node-1", {CSINODE, ERROR_UNAVAILABLE, "away", false}, NULL,
		ERROR_UNAVAILABLE, "away"},
	{"driver not registered", {node_1}, "node-1", {CSINODE, 0, "{}", false}, NULL,
		ERROR_FAILED_PRECONDITION, "is not registered on node node-1"},
	{"drivers of a wrong type", {node_1}, "node-1",
		{CSINODE, 0, "{'spec': {'drivers': {}}}", false}, NULL, ERROR_FAILED_PRECONDITION,
		"is not registered"},
	{"no keys", {node_1}, "node-1",
		{CSINODE, 0, "{'spec': {'drivers': [{'name': 'd.example.com'}]}}", false}, NULL,
		ERROR_FAILED_PRECONDITION, "no topology for node node-1"},
	{"keys of wrong types", {node_1}, "node-1",
		{CSINODE, 0,
			"{'spec': {'drivers': [{'name': 'd.example.com',"
			" 'topologyKeys': [null]}]}}",
			false},
		NULL, ERROR_UNAVAILABLE, "topology label"},
	{"a label lacks", {unlabelled}, "node-1", {CSINODE, 0, REGISTERED, false}, NULL,
		ERROR_UNAVAILABLE, "topology label zone"},
};

static struct claim *make_claim(const char *selected)
{
	char text[256];

	snprintf(text, sizeof(text),
		"{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1',"
		" 'annotations': {'volume.kubernetes.io/selected-node': '%s'}}}",
		selected);
	return object_of(&claim_type, text);
}

static void set_nodes(struct world *world, const char *const *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (nodes[i])
			world_set(world->controller.nodes, &node_type, nodes[i]);
}

static void format(const struct string_map *map, char *out)
{
	*out = '\0';
	for (size_t i = 0; i < map->count; i++)
		out += sprintf(out, "%s=%s ", map->items[i].key, map->items[i].value);
}

static void run_case(size_t i)
{
	_cleanup_object_ struct claim *claim = make_claim(cases[i].selected);
	struct string_map segments = {.count = 0};
	struct error err = {0};
	struct world world;
	char got[256];
	int result;

	world_init(&world, NULL, 0, &cases[i].step, 1);
	world.controller.driver.info.ours = true;
	set_nodes(&world, cases[i].nodes, 2);
	result = topology_of_claim(&world.controller, claim, &segments, &err);
	if (cases[i].segments) {
		assert_case(cases[i].name, result == 0);
		format(&segments, got);
		assert_case_text(cases[i].name, got, cases[i].segments);
	} else {
		assert_case(cases[i].name, result == -1 && err.kind == cases[i].kind);
		assert_case(cases[i].name, strstr(err.text, cases[i].says));
	}
	string_map_done(&segments);
	world_done(&world);
}

static void test_of_claim(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i);
}

/* Other drivers serve any number of nodes, and choose where the scheduler has not. */
static void test_of_other_driver(void **state)
{
	const char *const nodes[] = {node_1, node_2};
	const struct api_step step = {CSINODE, 0, REGISTERED, false};
	_cleanup_object_ struct claim *scheduled = make_claim("node-1"),
				      *immediate = make_claim("");
	struct string_map segments = {.count = 0};
	struct error err = {0};
	struct world world;
	char got[256];

	(void)state;
	world_init(&world, NULL, 0, &step, 1);
	set_nodes(&world, nodes, 2);
	assert_int_equal(topology_of_claim(&world.controller, scheduled, &segments, &err), 0);
	format(&segments, got);
	assert_string_equal(got, "host=h1 zone=z1 ");
	string_map_done(&segments);
	assert_int_equal(topology_of_claim(&world.controller, immediate, &segments, &err), 0);
	assert_int_equal(segments.count, 0);
	world_done(&world);
}

/* Whose claim it is, where instances stand beside a driver on each node. */
static void test_is_ours(void **state)
{
	static const struct {
		const char *name, *node, *selected;
		const char *nodes[2];
		bool topology, ours;
	} owners[] = {
		{"without --node", NULL, "node-2", {node_1, node_2}, true, true},
		{"without topology", "node-1", "node-2", {node_1, node_2}, false, true},
		{"our node", "node-1", "node-1", {node_1, node_2}, true, true},
		{"another node", "node-1", "node-2", {node_1, node_2}, true, false},
		{"the only node is ours", "node-1", "", {node_1}, true, true},
		{"the only node is not ours", "node-2", "", {node_1}, true, false},
		{"the first of several", "node-1", "", {node_1, node_2}, true, true},
		{"another of several", "node-2", "", {node_1, node_2}, true, false},
		{"no node yet", "node-1", "", {NULL}, true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		_cleanup_object_ struct claim *claim = make_claim(owners[i].selected);
		struct world world;

		world_init(&world, NULL, 0, NULL, 0);
		set_nodes(&world, owners[i].nodes, 2);
		world.controller.node = owners[i].node;
		world.controller.driver.info.topology = owners[i].topology;
		assert_case(owners[i].name,
			topology_is_ours(&world.controller, claim) == owners[i].ours);
		world_done(&world);
	}
}

static void test_has_volume(void **state)
{
	static const struct {
		const char *name, *node, *host;
		bool topology, has;
	} volumes[] = {
		{"without --node", NULL, "h9", true, true},
		{"without topology", "node-1", "h9", false, true},
		{"ours", "node-1", "h1", true, true},
		{"another's", "node-1", "h9", true, false},
		{"our node is not known", "node-9", "h1", true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++) {
		_cleanup_object_ struct volume *volume = NULL;
		struct world world;
		char text[512];

		snprintf(text, sizeof(text),
			"{'metadata': {'name': 'v', 'uid': 'u'}, 'spec': {'nodeAffinity':"
			" {'required': {'nodeSelectorTerms': [{'matchExpressions':"
			" [{'key': 'host', 'operator': 'In', 'values': ['%s']}]}]}}}}",
			volumes[i].host);
		volume = object_of(&volume_type, text);
		world_init(&world, NULL, 0, NULL, 0);
		world_set(world.controller.nodes, &node_type, node_1);
		world.controller.node = volumes[i].node;
		world.controller.driver.info.topology = volumes[i].topology;
		assert_case(volumes[i].name,
			topology_has_volume(&world.controller, volume) == volumes[i].has);
		world_done(&world);
	}
}

/* The message stays within its bounds, however many nodes there are. */
static void test_many_nodes(void **state)
{
	_cleanup_object_ struct claim *claim = make_claim("");
	struct string_map segments;
	struct error err = {0};
	struct world world;
	char text[128];

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	world.controller.driver.info.ours = true;
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "{'metadata': {'name': 'node-%d', 'uid': 'u'}}", i);
		world_set(world.controller.nodes, &node_type, text);
	}
	assert_int_equal(topology_of_claim(&world.controller, claim, &segments, &err), -1);
	assert_non_null(strstr(err.text, "has 500 (node-"));
	assert_non_null(strstr(err.text, "cordoning"));
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_claim),
		cmocka_unit_test(test_of_other_driver),
		cmocka_unit_test(test_is_ours),
		cmocka_unit_test(test_has_volume),
		cmocka_unit_test(test_many_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
