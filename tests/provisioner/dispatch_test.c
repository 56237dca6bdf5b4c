/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include <string.h>

#include "journal.h"
#include "map_server.h"
#include "recent.h"
#include "testing.h"
#include "world.h"

#define CLAIM(uid, more) "{'metadata': {'name': '" uid "', 'namespace': 'n', 'uid': '" uid "'" more
#define PENDING(uid)     CLAIM(uid, "}, 'spec': {'storageClassName': 'fast'}}")
#define BOUND(uid)       CLAIM(uid, "}, 'spec': {'volumeName': 'v', 'storageClassName': 'fast'}}")
#define NAMING(class)                                                                              \
	CLAIM("u1", "}, 'spec': {'volumeName': 'v', 'volumeAttributesClassName': '" class          \
		"'},"                                                                              \
		" 'status': {'phase': 'Bound'}}")
#define PROTECTED(uid)                                                                             \
	CLAIM(uid, ", 'finalizers': ['provisioner.storage.kubernetes.io/cloning-protection']},"    \
		   " 'spec': {'volumeName': 'v', 'storageClassName': 'fast'}}")
#define VOLUME(name, spec, phase)                                                                  \
	"{'metadata': {'name': '" name "', 'uid': '" name "'}, 'spec': {" spec "},"                \
	" 'status': {'phase': '" phase "'}}"
#define CLAIMED VOLUME("v", "'claimRef': {'namespace': 'n', 'name': 'c', 'uid': 'u1'}", "Bound")
#define FREE    VOLUME("f", "", "Available")
#define OURS(name, phase)                                                                          \
	VOLUME(name,                                                                               \
		"'csi': {'driver': 'd', 'volumeHandle': 'h'},"                                     \
		" 'persistentVolumeReclaimPolicy': 'Delete'",                                      \
		phase)
#define OF_CLASS(uid, class)                                                                       \
	VOLUME("v",                                                                                \
		"'claimRef': {'namespace': 'n', 'name': 'c', 'uid': '" uid "'},"                   \
		" 'volumeAttributesClassName': '" class "'",                                       \
		"Bound")
#define CLASS     "{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd'}"
#define NODE(who) "{'metadata': {'name': 'node', 'uid': 'n1', 'labels': {'host': '" who "'}}}"

struct fixture {
	struct dispatch dispatch;
	struct map_server map;
};

static void begin(struct fixture *fixture)
{
	const struct journal_options options = {"ns", "journal", "tester", 0};
	struct kube_api api;
	struct error err;

	*fixture = (struct fixture){.dispatch = {.queue = NULL}};
	map_server_init(&fixture->map);
	api = map_server_api(&fixture->map);
	dispatch_init(&fixture->dispatch);
	strcpy(fixture->dispatch.controller.driver.info.name, "d");
	fixture->dispatch.controller.journal = journal_new(&api, &options);
	assert_int_equal(journal_open(fixture->dispatch.controller.journal, &err), 0);
	fixture->dispatch.queue =
		workqueue_new(&(struct workqueue_options){.retry_min_ms = 1, .retry_max_ms = 1});
}

static void end(struct fixture *fixture)
{
	workqueue_free(fixture->dispatch.queue);
	journal_free(fixture->dispatch.controller.journal);
	dispatch_done(&fixture->dispatch);
	map_server_done(&fixture->map);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Take all keys that wait: sorted, with a space behind each. Caller frees. */
static char *take_all(struct fixture *fixture)
{
	struct workqueue *queue = fixture->dispatch.queue;
	char *keys[16], *text = NULL;
	size_t count = 0, size;
	FILE *out = open_memstream(&text, &size);

	while (workqueue_count(queue)) {
		const char *key = workqueue_take(queue);

		assert_true(count < ARRAY_SIZE(keys));
		keys[count++] = strdup(key);
		workqueue_done(queue, key, true);
	}
	qsort(keys, count, sizeof(*keys), compare);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "%s ", keys[i]);
		free(keys[i]);
	}
	fclose(out);
	return text;
}

enum store_of { CLAIMS, VOLUMES, CLASSES, NODES, CSI_NODES, SETS };

static void change(struct fixture *fixture, enum store_of of, const char *text, const char *gone)
{
	const struct controller *controller = &fixture->dispatch.controller;
	const struct {
		struct store *store;
		const struct object_type *type;
	} stores[] = {
		[CLAIMS] = {controller->claims, &claim_type},
		[VOLUMES] = {controller->volumes, &volume_type},
		[CLASSES] = {controller->classes, &storage_class_type},
		[NODES] = {controller->nodes, &node_type},
		[CSI_NODES] = {controller->csi_nodes, &csi_node_type},
		[SETS] = {controller->sets, &stateful_set_type},
	};

	if (gone)
		store_delete(stores[of].store, gone);
	else
		world_set(stores[of].store, stores[of].type, text);
}

/* What a change leads to, with a pending claim p, a free volume f and a released one, r, in the
 * caches. */
static const struct {
	const char *name;
	enum store_of store;
	const char *before, *after; /* the object; NULL: there is none */
	const char *gone;           /* its key, where it goes */
	const char *keys;
} changes[] = {
	{"a claim comes", CLAIMS, NULL, PENDING("u1"), NULL, "cu1 "},
	{"a bound claim comes", CLAIMS, NULL, BOUND("u1"), NULL, "cu1 "},
	{"a claim is bound", CLAIMS, PENDING("u1"), BOUND("u1"), NULL, "cu1 "},
	{"a bound claim changes", CLAIMS, BOUND("u1"), BOUND("u1"), NULL, ""},
	{"a protected claim changes", CLAIMS, PROTECTED("u1"), PROTECTED("u1"), NULL, "cu1 "},
	{"a claim that names a VolumeAttributesClass is bound", CLAIMS, PENDING("u1"),
		NAMING("gold"), NULL, "cu1 gu1 mu1 "},
	{"a bound claim names another one", CLAIMS, NAMING("tin"), NAMING("gold"), NULL, "mu1 "},
	{"a claim goes", CLAIMS, PENDING("u1"), NULL, "u1", "cu1 "},
	{"a bound claim goes", CLAIMS, BOUND("u1"), NULL, "u1", "cu1 "},
	{"another driver's volume comes", VOLUMES, NULL, CLAIMED, NULL, ""},
	{"a volume comes that is not bound yet", VOLUMES, NULL, OURS("v", "Pending"), NULL, ""},
	{"a volume is bound, without our finalizer", VOLUMES, NULL, OURS("v", "Bound"), NULL,
		"vv "},
	{"a volume is released", VOLUMES, OURS("v", "Pending"), OURS("v", "Released"), NULL, "vv "},
	{"a volume gets a VolumeAttributesClass that its claim does not name", VOLUMES,
		OF_CLASS("p", ""), OF_CLASS("p", "gold"), NULL, "mp "},
	{"a volume gets what its claim names", VOLUMES, OF_CLASS("p", "gold"), OF_CLASS("p", ""),
		NULL, ""},
	{"a volume comes with one", VOLUMES, NULL, OF_CLASS("p", "gold"), NULL, ""},
	{"a volume goes, and its claim may want another", VOLUMES, CLAIMED, NULL, "v", "cu1 "},
	{"a volume without a claim goes", VOLUMES, NULL, NULL, "f", ""},
	{"a class comes", CLASSES, NULL, CLASS, NULL, "cp "},
	{"a class changes", CLASSES, CLASS, CLASS, NULL, "cp "},
	{"a class goes", CLASSES, CLASS, NULL, "fast", ""},
	{"a node comes", NODES, NULL, NODE("a"), NULL, "cp vr "},
	{"a node beats its heart", NODES, NODE("a"), NODE("a"), NULL, ""},
	{"a node gets another label", NODES, NODE("a"), NODE("b"), NULL, "cp vr "},
	{"a node goes", NODES, NODE("a"), NULL, "node", "cp vr "},
	{"a driver comes to a node", CSI_NODES, NULL, NODE("a"), NULL, "cp "},
};

static void check_change(size_t i)
{
	_cleanup_free_ char *keys = NULL, *before = NULL;
	struct fixture fixture;

	begin(&fixture);
	change(&fixture, CLAIMS, PENDING("p"), NULL);
	change(&fixture, VOLUMES, FREE, NULL);
	change(&fixture, VOLUMES, OURS("r", "Released"), NULL);
	if (changes[i].before)
		change(&fixture, changes[i].store, changes[i].before, NULL);
	dispatch_begin(&fixture.dispatch);
	before = take_all(&fixture);
	change(&fixture, changes[i].store, changes[i].after, changes[i].gone);
	keys = take_all(&fixture);
	assert_case_text(changes[i].name, keys, changes[i].keys);
	end(&fixture);
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		check_change(i);
}

/* A claim whose volume is gone has none, whatever was made for it a moment ago. */
static void test_gone_is_not_served(void **state)
{
	_cleanup_(recent_freep) struct recent *served = recent_new(1000);
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	fixture.dispatch.controller.served = served;
	recent_add(served, "u1");
	recent_add(served, "u2");
	change(&fixture, VOLUMES, CLAIMED, NULL);
	assert_true(recent_has(served, "u1"));
	change(&fixture, VOLUMES, NULL, "v");
	assert_false(recent_has(served, "u1"));
	assert_true(recent_has(served, "u2"));
	end(&fixture);
}

/* Before work begins nothing is queued; then all there is, and what the journal has. */
static void test_begin(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type, PENDING("gone"));
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		volume_request_new(claim, "pvc-gone");
	_cleanup_free_ char *keys = NULL;
	struct fixture fixture;
	struct error err;

	(void)state;
	begin(&fixture);
	change(&fixture, CLAIMS, PENDING("p"), NULL);
	change(&fixture, CLAIMS, NAMING("gold"), NULL);
	change(&fixture, VOLUMES, CLAIMED, NULL);
	change(&fixture, VOLUMES, OURS("r", "Released"), NULL);
	assert_int_equal(journal_begin(fixture.dispatch.controller.journal, request, &err), 0);
	assert_int_equal(workqueue_count(fixture.dispatch.queue), 0);
	dispatch_begin(&fixture.dispatch);
	keys = take_all(&fixture);
	assert_string_equal(keys, "cgone cp gu1 mu1 vr ");
	end(&fixture);
}

/* A claim that is modified has its turn, as all that is about it: here it lacks its volume. */
static void test_modify(void **state)
{
	_cleanup_free_ char *keys = NULL;
	struct error err = {0};
	struct fixture fixture;
	struct turns *turns;
	int64_t again;

	(void)state;
	begin(&fixture);
	turns = fixture.dispatch.turns = turns_new(fixture.dispatch.queue);
	change(&fixture, CLAIMS, NAMING("gold"), NULL);
	assert_true(turns_begin(turns, "u1", "cu1"));
	assert_int_equal(dispatch_sync(&fixture.dispatch, "mu1", &again, &err), 0);
	turns_end(turns, "u1");
	keys = take_all(&fixture);
	assert_string_equal(keys, "mu1 ");
	assert_int_equal(dispatch_sync(&fixture.dispatch, "gu1", &again, &err), 0);
	assert_int_equal(dispatch_sync(&fixture.dispatch, "mu1", &again, &err), -1);
	assert_string_equal(err.text, "claim n/u1: persistentvolume v is not there");
	turns_free(turns);
	end(&fixture);
}

/* How many volumes could serve a claim that nobody made them for. */
static void test_unclaimed(void **state)
{
	struct fixture fixture;
	const size_t *unclaimed;

	(void)state;
	begin(&fixture);
	unclaimed = fixture.dispatch.controller.unclaimed;
	change(&fixture, VOLUMES, FREE, NULL);
	change(&fixture, VOLUMES, FREE, NULL);
	assert_int_equal(*unclaimed, 1);
	change(&fixture, VOLUMES, CLAIMED, NULL);
	assert_int_equal(*unclaimed, 1);
	change(&fixture, VOLUMES, VOLUME("f", "", "Failed"), NULL);
	assert_int_equal(*unclaimed, 0);
	change(&fixture, VOLUMES, FREE, NULL);
	change(&fixture, VOLUMES, NULL, "f");
	assert_int_equal(*unclaimed, 0);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_gone_is_not_served),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_modify),
		cmocka_unit_test(test_unclaimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
