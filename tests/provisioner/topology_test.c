/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include <string.h>

#include "testing.h"
#include "world.h"

/* Nodes: name, host, zone, more of the spec. */
#define NODE(name, host, zone, spec)                                                               \
	"{'metadata': {'name': '" name "', 'uid': 'n', 'labels': {'host': '" host "',"             \
	" 'zone': '" zone "', 'rack': 'r'}}, 'spec': {" spec "}}"
#define CORDONED "'unschedulable': true"
#define CSI_NODE(name, keys)                                                                       \
	"{'metadata': {'name': '" name "', 'uid': 'c'}, 'spec': {'drivers': [{'name': 'other'},"   \
	" 7, {'name': 'd.example.com', 'topologyKeys': [" keys "]}]}}"

static const char node_1[] = NODE("node-1", "h1", "za", "");
static const char node_2[] = NODE("node-2", "h2", "zb", "");
static const char node_3[] = NODE("node-3", "h3", "za", "");
static const char cordoned_2[] = NODE("node-2", "h2", "zb", CORDONED);
static const char unlabelled_1[] = "{'metadata': {'name': 'node-1', 'uid': 'n',"
				   " 'labels': {'host': 'h1'}}}";
static const char csi_1[] = CSI_NODE("node-1", "'zone', 'host'");
static const char csi_2[] = CSI_NODE("node-2", "'zone', 'host'");
static const char csi_3[] = CSI_NODE("node-3", "'zone', 'host'");
static const char zone_1[] = CSI_NODE("node-1", "'zone'");
static const char zone_2[] = CSI_NODE("node-2", "'zone'");
static const char zone_3[] = CSI_NODE("node-3", "'zone'");

#define ZONES(values)                                                                              \
	"'allowedTopologies': [{'matchLabelExpressions': [{'key': 'zone', 'values': [" values      \
	"]}]}]"

enum { OURS = 1, STRICT = 2, LAZY = 4, NODE_MODE = 8 };

static const struct {
	const char *name;
	int flags;
	const char *nodes[3], *csi_nodes[3];
	const char *selected, *class;
	const char *requirement; /* on success: "requisite | preferred" */
	enum error_kind kind;    /* else */
	const char *says;
} cases[] = {
	/* Our own driver: one node. */
	{"selected", OURS, {node_1, node_2}, {csi_1, csi_2}, "node-1", "",
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
	{"selected, cordoned since", OURS, {node_1, cordoned_2}, {csi_1, csi_2}, "node-2", "",
		"host=h2,zone=zb | host=h2,zone=zb", 0, NULL},
	{"the only node", OURS, {node_1}, {csi_1}, "", "", "host=h1,zone=za | host=h1,zone=za", 0,
		NULL},
	{"the only schedulable node", OURS, {node_1, cordoned_2}, {csi_1, csi_2}, "", "",
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
	{"the only node with the driver", OURS, {node_1, node_2}, {csi_1}, "", "",
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
	{"the only node that the class allows", OURS, {node_1, node_2}, {csi_1, csi_2}, "",
		ZONES("'zb', 'zc'"), "host=h2,zone=zb | host=h2,zone=zb", 0, NULL},
	{"several nodes", OURS, {node_1, node_2}, {csi_1, csi_2}, "", "", NULL,
		ERROR_FAILED_PRECONDITION,
		"of 2 nodes (node-1, node-2, ...) none is selected: use a storage class with "
		"volumeBindingMode WaitForFirstConsumer, or run the provisioner beside the driver "
		"on each node with --node-deployment"},
	{"no node", OURS, {NULL}, {NULL}, "", "", NULL, ERROR_UNAVAILABLE, "no schedulable node"},
	{"no driver yet", OURS, {node_1}, {NULL}, "", "", NULL, ERROR_UNAVAILABLE,
		"no schedulable node with driver d.example.com yet"},
	{"node mode, taken", OURS | NODE_MODE, {node_1, node_2}, {csi_1, csi_2}, "node-1", "",
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
	{"node mode, nobody selected", OURS | NODE_MODE, {node_1, node_2}, {csi_1, csi_2}, "", "",
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
	{"node mode, another driver", NODE_MODE, {node_1, node_2}, {csi_1, csi_2}, "node-1", "",
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
	/* What can be wrong with the selected node. */
	{"selected node gone", OURS, {NULL}, {csi_1}, "node-1", "", NULL, ERROR_NOT_FOUND,
		"node node-1 is gone"},
	{"CSINode gone", OURS, {node_1}, {NULL}, "node-1", "", NULL, ERROR_NOT_FOUND,
		"node node-1 has no CSINode"},
	{"driver not registered", OURS, {node_1},
		{"{'metadata': {'name': 'node-1', 'uid': 'c'}, 'spec': {'drivers': []}}"}, "node-1",
		"", NULL, ERROR_FAILED_PRECONDITION,
		"driver d.example.com is not registered on node node-1"},
	{"drivers of a wrong type", OURS, {node_1},
		{"{'metadata': {'name': 'node-1', 'uid': 'c'}, 'spec': {'drivers': {}}}"}, "node-1",
		"", NULL, ERROR_FAILED_PRECONDITION, "is not registered"},
	{"no keys", OURS, {node_1}, {CSI_NODE("node-1", "null")}, "node-1", "", NULL,
		ERROR_FAILED_PRECONDITION, "no topology for node node-1"},
	{"a label lacks", OURS, {unlabelled_1}, {csi_1}, "node-1", "", NULL, ERROR_UNAVAILABLE,
		"node node-1 does not carry the topology label zone yet"},
	{"not allowed", OURS, {node_1}, {csi_1}, "node-1", ZONES("'zb'"), NULL,
		ERROR_FAILED_PRECONDITION, "node node-1 is not in the allowedTopologies"},
	{"another driver, not allowed", 0, {node_1}, {csi_1}, "node-1", ZONES("'zb'"), NULL,
		ERROR_FAILED_PRECONDITION, "node node-1 is not in the allowedTopologies"},
	/* Other drivers: a selected node comes first, and all others after it. */
	{"selected of three", 0, {node_1, node_2, node_3}, {csi_1, csi_2, csi_3}, "node-3", "",
		"host=h1,zone=za;host=h2,zone=zb;host=h3,zone=za | "
		"host=h3,zone=za;host=h1,zone=za;host=h2,zone=zb",
		0, NULL},
	{"selected, zones", 0, {node_3, node_2, node_1}, {zone_3, zone_2, zone_1}, "node-3", "",
		"zone=za;zone=zb | zone=za;zone=zb", 0, NULL},
	{"selected, other keys are not compared", 0, {node_1, node_2, node_3},
		{zone_1, zone_2, csi_3}, "node-2", "", "zone=za;zone=zb | zone=zb;zone=za", 0,
		NULL},
	{"selected, strict", STRICT, {node_1, node_2}, {csi_1, csi_2}, "node-2", "",
		"host=h2,zone=zb | host=h2,zone=zb", 0, NULL},
	{"selected, strict, allowed", STRICT, {node_1, node_2}, {csi_1, csi_2}, "node-2",
		ZONES("'zb'"), "host=h2,zone=zb | host=h2,zone=zb", 0, NULL},
	{"selected, allowed", 0, {node_1, node_2}, {csi_1, csi_2}, "node-2",
		ZONES("'zc', 'zb', 'za'"), "zone=za;zone=zb;zone=zc | zone=zb;zone=zc;zone=za", 0,
		NULL},
	{"selected, and the rest of the cluster has no driver", 0, {node_1, node_2, node_3},
		{csi_1}, "node-1", "", "host=h1,zone=za | host=h1,zone=za", 0, NULL},
	/* Nobody selected: by the ordinal. */
	{"the cluster", 0, {node_1, node_2, node_3}, {csi_1, csi_2, csi_3}, "", "",
		"host=h1,zone=za;host=h2,zone=zb;host=h3,zone=za | ROTATED", 0, NULL},
	{"the cluster, cordoned nodes too", 0, {node_1, cordoned_2}, {csi_1, csi_2}, "", "",
		"host=h1,zone=za;host=h2,zone=zb | ROTATED", 0, NULL},
	{"not to be told", LAZY, {node_1, node_2}, {csi_1, csi_2}, "", "", " | ", 0, NULL},
	{"not to be told, but allowed", LAZY, {node_1, node_2}, {csi_1, csi_2}, "",
		ZONES("'zb', 'zb'"), "zone=zb | zone=zb", 0, NULL},
	{"no driver anywhere", 0, {node_1}, {NULL}, "", "", " | ", 0, NULL},
	{"allowed, in each combination", 0, {NULL}, {NULL}, "",
		"'allowedTopologies': [{'matchLabelExpressions': [{'key': 'zone', 'values':"
		" ['b', 'a']}, {'key': 'rack', 'values': ['1', '2']}]}, {'matchLabelExpressions':"
		" [{'key': 'zone', 'values': ['c']}]}, {}]",
		"rack=1,zone=a;rack=1,zone=b;rack=2,zone=a;rack=2,zone=b;zone=c | ROTATED", 0,
		NULL},
	{"allowed, without a value", 0, {node_1}, {csi_1}, "", ZONES(""),
		"host=h1,zone=za | host=h1,zone=za", 0, NULL},
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

static struct storage_class *make_class(const char *more)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text,
		    "{'metadata': {'name': 'fast', 'uid': 'c'}, 'provisioner': 'd.example.com'%s%s}",
		    *more ? ", " : "", more) < 0)
		abort();
	return object_of(&storage_class_type, text);
}

static void fill(struct world *world, const char *const *nodes, const char *const *csi_nodes)
{
	for (size_t i = 0; i < 3; i++) {
		if (nodes[i])
			world_set(world->controller.nodes, &node_type, nodes[i]);
		if (csi_nodes[i])
			world_set(world->controller.csi_nodes, &csi_node_type, csi_nodes[i]);
	}
}

static char *print(const struct csi_topologies *list, size_t first)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < list->count; i++) {
		const struct string_map *term = &list->items[(first + i) % list->count];

		for (size_t j = 0; j < term->count; j++)
			fprintf(out, "%s%s=%s",
				j   ? ","
				: i ? ";"
				    : "",
				term->items[j].key, term->items[j].value);
	}
	fclose(out);
	return text;
}

static char *print_requirement(
	const struct topology_requirement *requirement, const char *wanted, size_t first)
{
	_cleanup_free_ char *requisite = print(&requirement->requisite, 0),
			    *preferred = print(&requirement->preferred, 0),
			    *rotated = print(&requirement->requisite, first);
	char *text;

	if (strstr(wanted, "ROTATED") && !strcmp(rotated, preferred)) {
		free(preferred);
		preferred = strdup("ROTATED");
	}
	if (asprintf(&text, "%s | %s", requisite, preferred) < 0)
		abort();
	return text;
}

static void run_case(size_t i)
{
	static const struct place place = {.statefulset = "web", .ordinal = "4"};
	_cleanup_object_ struct claim *claim = make_claim(cases[i].selected);
	_cleanup_object_ struct storage_class *class = make_class(cases[i].class);
	struct topology_requirement requirement = {.requisite.count = 0};
	struct error err = {0};
	struct world world;
	int result;

	world_init(&world, NULL, 0, NULL, 0);
	world.controller.driver.info.ours = cases[i].flags & OURS;
	world.controller.strict_topology = cases[i].flags & STRICT;
	world.controller.immediate_topology = !(cases[i].flags & LAZY);
	world.controller.node = cases[i].flags & NODE_MODE ? "node-1" : NULL;
	fill(&world, cases[i].nodes, cases[i].csi_nodes);
	result = topology_of_claim(&world.controller, claim, class, &place, &requirement, &err);
	if (cases[i].requirement) {
		uint32_t offset = topology_offset(claim, &place);
		size_t count = requirement.requisite.count;
		_cleanup_free_ char *got = print_requirement(
			&requirement, cases[i].requirement, count ? offset % count : 0);

		assert_case(cases[i].name, result == 0);
		assert_case_text(cases[i].name, got, cases[i].requirement);
		topology_requirement_done(&requirement);
	} else {
		assert_case(cases[i].name, result == -1 && err.kind == cases[i].kind);
		assert_case(cases[i].name, strstr(err.text, cases[i].says));
	}
	assert_case(cases[i].name, fake_api_count(&world.api) == 0);
	world_done(&world);
}

static void test_of_claim(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i);
}

/* Replicas of a set follow each other; other claims are spread by their UIDs. */
static void test_offset(void **state)
{
	struct place place = {.statefulset = "web", .ordinal = "0"};
	_cleanup_object_ struct claim *claim = make_claim("");
	uint32_t first = topology_offset(claim, &place);

	(void)state;
	/* FNV-1a of "web" and "u1". */
	assert_int_equal(first, 265927825);
	assert_int_equal(topology_offset(claim, NULL), 71477235);
	strcpy(place.ordinal, "7");
	assert_int_equal(topology_offset(claim, &place), first + 7);
	strcpy(place.template, "log");
	assert_int_equal(topology_offset(claim, &place), first + 7);
	strcpy(place.ordinal, "2147483647");
	assert_true(topology_offset(claim, &place) == first + 2147483647u);
}

static void test_candidates(void **state)
{
	const char *const nodes[] = {node_3, cordoned_2, node_1}, *const csi_nodes[] = {
									  csi_1, csi_2, csi_3};
	_cleanup_object_ struct storage_class *any = make_class(""),
					      *some = make_class(ZONES("'za', 'zb'")),
					      *none = make_class(ZONES("'zc'"));
	struct strings names;
	struct world world;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	fill(&world, nodes, csi_nodes);
	names = topology_candidates(&world.controller, any);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "node-1");
	assert_string_equal(names.items[1], "node-3");
	strings_done(&names);
	names = topology_candidates(&world.controller, some);
	assert_int_equal(names.count, 2);
	strings_done(&names);
	names = topology_candidates(&world.controller, none);
	assert_int_equal(names.count, 0);
	strings_done(&names);
	store_delete(world.controller.csi_nodes, "node-1");
	store_delete(world.controller.nodes, "node-3");
	names = topology_candidates(&world.controller, any);
	assert_int_equal(names.count, 0);
	strings_done(&names);
	world_done(&world);
}

/* A class cannot make us multiply without end. */
static void test_too_many(void **state)
{
	_cleanup_object_ struct storage_class *class = NULL;
	_cleanup_object_ struct claim *claim = make_claim("");
	struct topology_requirement requirement;
	struct error err = {0};
	struct world world;
	struct strings names;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fputs("'allowedTopologies': [{'matchLabelExpressions': [", out);
	for (int i = 0; i < 30; i++)
		fprintf(out, "%s{'key': 'k%d', 'values': ['1', '2', '3', '4']}", i ? "," : "", i);
	fputs("]}]", out);
	fclose(out);
	class = make_class(text);
	free(text);
	world_init(&world, NULL, 0, NULL, 0);
	assert_int_equal(
		topology_of_claim(&world.controller, claim, class, NULL, &requirement, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.text, "class fast: allowedTopologies has more than 1000"));
	names = topology_candidates(&world.controller, class);
	assert_int_equal(names.count, 0);
	strings_done(&names);
	world_done(&world);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_claim),
		cmocka_unit_test(test_offset),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_has_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
