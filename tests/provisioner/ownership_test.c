/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership.h"

#include <pthread.h>
#include <string.h>

#include "testing.h"
#include "topology.h"
#include "world.h"

#define NODES     4
#define PATCH_PVC "PATCH /api/v1/namespaces/shop/persistentvolumeclaims/c"
#define TAKEN(node)                                                                                \
	PATCH_PVC " application/merge-patch+json {\"metadata\":{\"annotations\":"                  \
		  "{\"volume.kubernetes.io/selected-node\":" node "},\"uid\":\"u1\","              \
		  "\"resourceVersion\":\"5\"}}"

static const struct ownership_options no_delay = {true, 0, 0}, delays = {true, 20000, 60000},
				      waiting_only = {false, 0, 0};

static void add_node(struct world *world, int number, const char *spec)
{
	char text[256];

	snprintf(text, sizeof(text),
		"{'metadata': {'name': 'node-%d', 'uid': 'n', 'labels': {'host': 'h%d'}},"
		"'spec': {%s}}",
		number, number, spec);
	world_set(world->controller.nodes, &node_type, text);
	snprintf(text, sizeof(text),
		"{'metadata': {'name': 'node-%d', 'uid': 'n'}, 'spec': {'drivers':"
		" [{'name': 'd.example.com', 'topologyKeys': ['host']}]}}",
		number);
	world_set(world->controller.csi_nodes, &csi_node_type, text);
}

static struct claim *make_claim(const char *selected)
{
	char text[320];

	snprintf(text, sizeof(text),
		"{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1', 'resourceVersion':"
		" '5', 'annotations': {'volume.kubernetes.io/selected-node': '%s'}}}",
		selected);
	return object_of(&claim_type, text);
}

/* How many places after the preferred node NODE-<number> comes, for the claim above. */
static int rank_of(const struct claim *claim, int number, int count)
{
	int first = (int)(topology_offset(claim, NULL) % (uint32_t)count);

	return (number - 1 + count - first) % count;
}

static int preferred(const struct claim *claim, int count)
{
	int number = 1;

	while (rank_of(claim, number, count))
		number++;
	return number;
}

static void begin(struct world *world, int node, const struct ownership_options *options,
	const struct api_step *steps, size_t count)
{
	static char names[NODES + 1][16];

	world_init(world, NULL, 0, steps, count);
	world->controller.driver.info.topology = true;
	snprintf(names[node], sizeof(names[node]), "node-%d", node);
	world->controller.node = names[node];
	world->controller.ownership = options ? ownership_new(options) : NULL;
	for (int i = 1; i <= NODES; i++)
		add_node(world, i, "");
}

static void end(struct world *world)
{
	if (world->controller.ownership)
		ownership_free(world->controller.ownership);
	world_done(world);
}

#define CLASS(more)                                                                                \
	"{'metadata': {'name': 'fast', 'uid': 'c'}, 'provisioner': 'd.example.com'" more "}"
#define IMMEDIATE CLASS("")
#define WAITS     CLASS(", 'volumeBindingMode': 'WaitForFirstConsumer'")

enum { PREFERRED = -1, NEXT = -2 }; /* instead of a node's number */

static const struct {
	const char *name;
	int node;
	const struct ownership_options *options;
	const char *selected, *class;
	struct api_step steps[2];
	bool ours;
	int patches; /* of all requests, the last ones */
	const char *patch;
	int64_t wait_min, wait_max; /* ms */
	enum error_kind kind;       /* of the failure */
} cases[] = {
	{.name = "our node", 1, &delays, "node-1", WAITS, .ours = true},
	{.name = "our node, immediate", 1, &delays, "node-1", IMMEDIATE, .ours = true},
	{.name = "another node", 1, &no_delay, "node-2", WAITS},
	{.name = "another node, immediate", 1, &no_delay, "node-2", IMMEDIATE},
	{.name = "nobody selected, and the scheduler will", 1, &no_delay, "", WAITS},
	{.name = "preferred",
		PREFERRED,
		&delays,
		"",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_NONE, "{}", false}},
		false,
		1,
		"own"},
	{.name = "another was faster",
		PREFERRED,
		&delays,
		"",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_CONFLICT, "changed", false}},
		false,
		1,
		"own"},
	{.name = "the claim went away",
		PREFERRED,
		&delays,
		"",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_NOT_FOUND, "gone", false}},
		false,
		1,
		"own"},
	{.name = "the API server is away",
		PREFERRED,
		&delays,
		"",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_UNAVAILABLE, "away", false}},
		false,
		1,
		"own",
		0,
		0,
		ERROR_UNAVAILABLE},
	{.name = "not preferred: later",
		NEXT,
		&delays,
		"",
		IMMEDIATE,
		.wait_min = 1,
		.wait_max = 20001},
	{.name = "not preferred: it is time",
		NEXT,
		&no_delay,
		"",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_NONE, "{}", false}},
		false,
		1,
		"own"},
	{.name = "not to be taken at all", PREFERRED, &waiting_only, "", IMMEDIATE},
	{.name = "the class does not allow our node",
		PREFERRED,
		&no_delay,
		"",
		CLASS(", 'allowedTopologies': [{'matchLabelExpressions': [{'key': 'host',"
		      "'values': ['h9']}]}]")},
	/* Nobody speaks for a node that is gone. */
	{.name = "adrift",
		1,
		&no_delay,
		"node-9",
		IMMEDIATE,
		{{"GET /api/v1/nodes/node-9", ERROR_NOT_FOUND, "gone", false},
			{PATCH_PVC, ERROR_NONE, "{}", false}},
		false,
		1,
		"own"},
	{.name = "adrift, and the scheduler selects",
		1,
		&no_delay,
		"node-9",
		WAITS,
		{{"GET /api/v1/nodes/node-9", ERROR_NOT_FOUND, "gone", false},
			{PATCH_PVC, ERROR_NONE, "{}", false}},
		false,
		1,
		TAKEN("null")},
	{.name = "adrift, for a while",
		PREFERRED,
		&delays,
		"node-9",
		WAITS,
		.wait_min = 1,
		.wait_max = 20001},
	{.name = "adrift, and only new to us",
		1,
		&no_delay,
		"node-9",
		WAITS,
		{{"GET /api/v1/nodes/node-9", ERROR_NONE, "{}", false}}},
	{.name = "adrift, who knows",
		1,
		&no_delay,
		"node-9",
		WAITS,
		{{"GET /api/v1/nodes/node-9", ERROR_UNAVAILABLE, "away", false}},
		.kind = ERROR_UNAVAILABLE},
	{.name = "adrift, on what is no name",
		1,
		&no_delay,
		"../../x",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_NONE, "{}", false}},
		false,
		1,
		"own"},
	{.name = "adrift, on dots",
		1,
		&no_delay,
		"..",
		IMMEDIATE,
		{{PATCH_PVC, ERROR_NONE, "{}", false}},
		false,
		1,
		"own"},
	{.name = "adrift, and not to be taken", 1, &waiting_only, "node-9", IMMEDIATE},
	/* --node alone: the first takes it, without a word. */
	{.name = "--node: the first", 1, NULL, "", IMMEDIATE, .ours = true},
	{.name = "--node: another", 2, NULL, "", IMMEDIATE},
	{.name = "--node: selected", 2, NULL, "node-2", WAITS, .ours = true},
	{.name = "--node: another selected", 2, NULL, "node-9", WAITS},
};

static void run_case(size_t i)
{
	const char *name = cases[i].name;
	_cleanup_object_ struct claim *claim = make_claim(cases[i].selected);
	_cleanup_object_ struct storage_class *class =
		object_of(&storage_class_type, cases[i].class);
	int node = cases[i].node > 0 ? cases[i].node : preferred(claim, NODES);
	struct error err = {0};
	char own[512];
	int64_t wait_ms;
	struct world world;
	size_t seen;
	bool ours;
	int result;

	if (cases[i].node == NEXT)
		node = node % NODES + 1;
	snprintf(own, sizeof(own), TAKEN("\"node-%d\""), node);
	begin(&world, node, cases[i].options, cases[i].steps,
		!cases[i].steps[0].match  ? 0
		: cases[i].steps[1].match ? 2
					  : 1);
	result = ownership_of_claim(&world.controller, claim, class, &ours, &wait_ms, &err);
	seen = fake_api_count(&world.api);
	if (cases[i].patch)
		assert_case_text(name, fake_api_seen(&world.api, seen - 1),
			strcmp(cases[i].patch, "own") ? cases[i].patch : own);
	assert_case(name,
		strstr(fake_api_seen(&world.api, 0), PATCH_PVC) || !cases[i].patches || seen == 2);
	assert_case(name, seen >= (size_t)cases[i].patches);
	assert_case(name, cases[i].steps[0].match || !seen);
	assert_case(name, result == (cases[i].kind ? -1 : 0) &&
				  (!cases[i].kind || err.kind == cases[i].kind));
	assert_case(name, result < 0 || ours == cases[i].ours);
	assert_case(name, wait_ms >= cases[i].wait_min && wait_ms <= cases[i].wait_max);
	end(&world);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i);
}

/* What one instance's wish to wait is, for a fresh claim. */
static int64_t ask_wait(struct world *world, const struct storage_class *class)
{
	_cleanup_object_ struct claim *claim = make_claim("");
	int64_t wait_ms;
	bool ours;

	assert_int_equal(
		ownership_of_claim(&world->controller, claim, class, &ours, &wait_ms, NULL), 0);
	assert_false(ours);
	return wait_ms;
}

/* The instances come one after the other, and whose turn it was waits for all of them. */
static void test_order(void **state)
{
	static const struct api_step step = {PATCH_PVC, ERROR_NONE, "{}", true};
	_cleanup_object_ struct storage_class *class = object_of(&storage_class_type, IMMEDIATE);
	_cleanup_object_ struct claim *claim = make_claim("");

	(void)state;
	for (int node = 1; node <= NODES; node++) {
		static const int64_t after[NODES] = {0, 20000, 33333, 46666};
		int rank = rank_of(claim, node, NODES);
		struct world world;
		int64_t wait;

		begin(&world, node, &delays, &step, 1);
		wait = ask_wait(&world, class);
		/* Asked at once; but a slow machine may have let some of it pass. */
		assert_true(wait <= after[rank] + 1);
		assert_true(rank == 0 || wait > after[rank - 1]);
		assert_int_equal(fake_api_count(&world.api), rank == 0);
		if (!rank) {
			wait = ask_wait(&world, class);
			assert_true(wait > after[NODES - 1] && wait <= 60001);
			assert_int_equal(fake_api_count(&world.api), 1);
		}
		end(&world);
	}
}

/* A node that takes no pods, or that lost its driver, takes no claims, and is not counted. */
static void test_not_a_candidate(void **state)
{
	static const struct api_step step = {PATCH_PVC, ERROR_NONE, "{}", true};
	_cleanup_object_ struct storage_class *class = object_of(&storage_class_type, IMMEDIATE);
	struct world world;

	(void)state;
	begin(&world, 2, &no_delay, &step, 1);
	add_node(&world, 2, "'unschedulable': true");
	assert_int_equal(ask_wait(&world, class), 0);
	assert_int_equal(fake_api_count(&world.api), 0);
	add_node(&world, 2, "");
	store_delete(world.controller.csi_nodes, "node-2");
	assert_int_equal(ask_wait(&world, class), 0);
	assert_int_equal(fake_api_count(&world.api), 0);
	add_node(&world, 2, "");
	assert_int_equal(ask_wait(&world, class), 0);
	assert_int_equal(fake_api_count(&world.api), 1);
	end(&world);
}

/* The replicas of a set are spread: each node is preferred by one of as many. */
static void test_spread(void **state)
{
	static const struct api_step step = {"PATCH *", ERROR_NONE, "{}", true};
	_cleanup_object_ struct storage_class *class = object_of(&storage_class_type, IMMEDIATE);
	int taken[NODES] = {0};

	(void)state;
	for (int node = 1; node <= NODES; node++) {
		struct world world;

		begin(&world, node, &delays, &step, 1);
		world_set(world.controller.sets, &stateful_set_type,
			"{'metadata': {'name': 'web', 'namespace': 'shop', 'uid': 's'}, 'spec':"
			" {'selector': {'matchLabels': {'app': 'web'}},"
			" 'volumeClaimTemplates': [{'metadata': {'name': 'data'}}]}}");
		for (int i = 0; i < NODES; i++) {
			_cleanup_object_ struct claim *claim = NULL;
			size_t before = fake_api_count(&world.api);
			int64_t wait_ms;
			char text[160];
			bool ours;

			snprintf(text, sizeof(text),
				"{'metadata': {'name': 'data-web-%d', 'namespace': 'shop',"
				" 'uid': 'v%d', 'labels': {'app': 'web'}}}",
				i, i);
			claim = object_of(&claim_type, text);
			ownership_of_claim(&world.controller, claim, class, &ours, &wait_ms, NULL);
			taken[i] += fake_api_count(&world.api) > before;
		}
		assert_int_equal(fake_api_count(&world.api), 1);
		end(&world);
	}
	for (int i = 0; i < NODES; i++)
		assert_int_equal(taken[i], 1);
}

/* An API server with one claim, whose resourceVersion it minds. */
struct server {
	pthread_mutex_t lock;
	int version, taken, refused;
};

static int serve(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct server *server = self;
	struct json_object *metadata = json_member(request->body, "metadata", json_type_object);
	int version = atoi(json_string(metadata, "resourceVersion"));
	bool fits;

	(void)ret_body;
	pthread_mutex_lock(&server->lock);
	fits = version == server->version;
	server->taken += fits;
	server->refused += !fits;
	server->version += fits;
	pthread_mutex_unlock(&server->lock);
	return fits ? 0 : error_set(err, ERROR_CONFLICT, "the object has been modified");
}

struct instance {
	struct world world;
	struct storage_class *class;
	pthread_t thread;
	bool ours;
	int result;
};

static void *run_instance(void *context)
{
	struct instance *instance = context;
	_cleanup_object_ struct claim *claim = make_claim("");
	int64_t wait_ms;

	instance->result = ownership_of_claim(&instance->world.controller, claim, instance->class,
		&instance->ours, &wait_ms, &(struct error){0});
	return NULL;
}

/* All at once, as when their caches differ or delays are over: exactly one wins. */
static void test_race(void **state)
{
	_cleanup_object_ struct storage_class *class = object_of(&storage_class_type, IMMEDIATE);

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct server server = {PTHREAD_MUTEX_INITIALIZER, 5, 0, 0};
		struct instance instances[NODES];

		for (int i = 0; i < NODES; i++) {
			begin(&instances[i].world, i + 1, &no_delay, NULL, 0);
			instances[i].world.controller.api = (struct kube_api){serve, &server};
			instances[i].class = class;
		}
		for (int i = 0; i < NODES; i++)
			assert_int_equal(pthread_create(&instances[i].thread, NULL, run_instance,
						 &instances[i]),
				0);
		for (int i = 0; i < NODES; i++) {
			pthread_join(instances[i].thread, NULL);
			assert_int_equal(instances[i].result, 0);
			assert_false(instances[i].ours);
			end(&instances[i].world);
		}
		assert_int_equal(server.taken, 1);
		assert_int_equal(server.refused, NODES - 1);
	}
}

/* Whose word it is, where all see the same. */
static void test_speaks(void **state)
{
	static const struct {
		const char *name, *node, *selected;
		bool topology, speaks;
	} speakers[] = {
		{"one for all", NULL, "node-2", true, true},
		{"without topology", "node-1", "node-2", false, true},
		{"selected", "node-1", "node-1", true, true},
		{"another selected", "node-1", "node-2", true, false},
		{"nobody selected, the first", "node-1", "", true, true},
		{"nobody selected, another", "node-2", "", true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(speakers); i++) {
		_cleanup_object_ struct claim *claim = make_claim(speakers[i].selected);
		struct world world;

		begin(&world, 1, NULL, NULL, 0);
		world.controller.node = speakers[i].node;
		world.controller.driver.info.topology = speakers[i].topology;
		assert_case(speakers[i].name,
			ownership_speaks(&world.controller, claim) == speakers[i].speaks);
		end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_not_a_candidate),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_speaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
