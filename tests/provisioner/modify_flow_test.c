/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <string.h>

#include "api_server.h"
#include "kubectl.h"
#include "manager.h"
#include "options.h"
#include "sweep.h"
#include "testing.h"

#define CLAIMS        "persistentvolumeclaims"
#define VOLUMES       "persistentvolumes"
#define CLASSES       "volumeattributesclasses"
#define CURRENT       "status.currentVolumeAttributesClassName"
#define STATE         "status.modifyVolumeStatus.status"
#define TARGET        "status.modifyVolumeStatus.targetVolumeAttributesClassName"
#define OF_VOLUME     "spec.volumeAttributesClassName"
#define STOP_LIMIT_MS 20000

/* A bound claim, its volume, and the provisioner but main.c, with a driver that modifies. */
static struct flow {
	struct api_objects *objects;
	struct api_server *server;
	struct kube_config config;
	struct rest_client *client;
	struct csi_driver driver;
	struct options options;
	struct manager *manager;
	pthread_mutex_t lock; /* guards all below */
	enum error_kind failure;
	char called[64]; /* the last call: its volume and what the class says */
	size_t calls;
} flow = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int modify_volume(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	enum error_kind failure;

	(void)self;
	(void)secrets;
	pthread_mutex_lock(&flow.lock);
	failure = flow.failure;
	flow.calls++;
	snprintf(flow.called, sizeof(flow.called), "%s %s", handle,
		string_map_get(parameters, "class"));
	pthread_mutex_unlock(&flow.lock);
	return failure ? error_set(err, failure, "scripted") : 0;
}

static void let_driver(enum error_kind failure)
{
	pthread_mutex_lock(&flow.lock);
	flow.failure = failure;
	pthread_mutex_unlock(&flow.lock);
}

static void check_driver(size_t calls, const char *called)
{
	pthread_mutex_lock(&flow.lock);
	assert_int_equal(flow.calls, calls);
	assert_string_equal(flow.called, called);
	pthread_mutex_unlock(&flow.lock);
}

static void make_class(const char *name)
{
	kubectl_create(flow.objects, CLASSES,
		"{'metadata': {'name': '%s'}, 'driverName': 'd.example.com', 'parameters': "
		"{'class': '%s'}}",
		name, name);
}

static void make_objects(void)
{
	_cleanup_free_ char *uid = NULL;

	kubectl_create(flow.objects, CLAIMS,
		"{'metadata': {'name': 'c'}, 'spec': {'volumeName': 'v', 'resources': {'requests': "
		"{'storage': '1Gi'}}}, 'status': {'phase': 'Bound', 'capacity': {'storage': "
		"'1Gi'}}}");
	uid = kubectl_text(flow.objects, CLAIMS, "default/c", "metadata.uid");
	kubectl_create(flow.objects, VOLUMES,
		"{'metadata': {'name': 'v'}, 'spec': {'capacity': {'storage': '1Gi'}, 'claimRef': "
		"{'namespace': 'default', 'name': 'c', 'uid': '%s'}, 'csi': {'driver': "
		"'d.example.com', 'volumeHandle': 'h'}}, 'status': {'phase': 'Bound'}}",
		uid);
	make_class("gold");
}

static int set_up(void **state)
{
	(void)state;
	flow.objects = api_objects_new(NULL);
	make_objects();
	flow.server = api_server_start(flow.objects, NULL);
	flow.config.server = (char *)api_server_url(flow.server);
	flow.client = rest_client_new(&flow.config);
	flow.driver = (struct csi_driver){.modify_volume = modify_volume,
		.info = {.name = "d.example.com", .create_delete = true, .modify_volume = true}};
	flow.options = (struct options){.volume_name_prefix = "pvc",
		.workers = 4,
		.retry_interval_start_ms = 5,
		.retry_interval_max_ms = 50,
		.sweep = SWEEP_OFF};
	flow.manager = manager_new(flow.client, &flow.driver,
		&(struct manager_options){.options = &flow.options,
			.component = "tester",
			.holder = "tester",
			.namespace = "default",
			.journal = "journal"});
	manager_start(flow.manager);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!manager_stop(flow.manager, STOP_LIMIT_MS))
		return -1;
	manager_free(flow.manager);
	rest_client_free(flow.client);
	api_server_stop(flow.server);
	api_objects_free(flow.objects);
	return 0;
}

struct wanted {
	const char *plural, *name, *path, *text;
};

static bool says(struct api_objects *objects, void *context)
{
	const struct wanted *wanted = context;
	_cleanup_free_ char *text =
		kubectl_text(objects, wanted->plural, wanted->name, wanted->path);

	return !strcmp(text, wanted->text);
}

static void wait_for(const char *path, const char *text)
{
	struct wanted wanted = {CLAIMS, "default/c", path, text};

	assert_case(path, kubectl_wait(flow.objects, says, &wanted));
}

static bool is_idle(void *context)
{
	return manager_is_idle(context);
}

/* The change that was wanted has come to its end: both objects say it, and no status is left. */
static void check_end(const char *class)
{
	struct wanted of_volume = {VOLUMES, "v", OF_VOLUME, class};

	wait_for(CURRENT, class);
	wait_for(STATE, "");
	assert_true(says(flow.objects, &of_volume));
	assert_true(wait_until(is_idle, flow.manager));
}

static void name_class(const char *class)
{
	kubectl_patch(flow.objects, CLAIMS, "default/c",
		"{'spec': {'volumeAttributesClassName': '%s'}}", class);
}

static void test_flow(void **state)
{
	struct json_object *claim;

	(void)state;
	name_class("gold");
	check_end("gold");
	/* What is written is no reason to look at the claim again. */
	check_driver(1, "h gold");
	assert_int_equal(api_server_count(flow.server, "PATCH", CLAIMS), 2);
	assert_int_equal(api_server_count(flow.server, "PATCH", VOLUMES), 1);

	name_class("tin");
	wait_for(STATE, "Pending");
	wait_for(TARGET, "tin");
	check_driver(1, "h gold");
	make_class("tin");
	check_end("tin");

	let_driver(ERROR_INVALID);
	name_class("gold");
	wait_for(STATE, "Infeasible");
	wait_for(TARGET, "gold");
	wait_for(CURRENT, "tin");
	name_class("tin");
	wait_for(STATE, "");
	let_driver(ERROR_TIMEOUT);
	name_class("gold");
	wait_for(STATE, "InProgress");
	let_driver(ERROR_NONE);
	check_end("gold");
	claim = kubectl_get(flow.objects, CLAIMS, "default/c");
	assert_int_equal(
		json_object_array_length(json_member(json_member(claim, "status", json_type_object),
			"conditions", json_type_array)),
		0);
	json_object_put(claim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
