/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <string.h>

#include "claim_controller.h"
#include "kubectl.h"
#include "log.h"
#include "reflector.h"
#include "testing.h"
#include "volume_controller.h"
#include "workqueue.h"

#define WORKERS   4
#define SCHEDULES 12

/* The controllers, as the program wires them. */
struct provisioner {
	struct controller controller;
	struct kube_config config;
	struct rest_client *client;
	struct claim_controller *claims;
	struct workqueue *queue;
	struct reflector *reflector;
	pthread_t threads[WORKERS];
};

static void enqueue(struct provisioner *provisioner, char kind, const char *key)
{
	char tagged[400];

	snprintf(tagged, sizeof(tagged), "%c%s", kind, key);
	workqueue_add(provisioner->queue, tagged);
}

static void on_claim(void *context, const struct object *old, const struct object *new)
{
	enqueue(context, 'c', new ? new->key : old->key);
}

static void on_volume(void *context, const struct object *old, const struct object *new)
{
	(void)old;
	if (new)
		enqueue(context, 'v', new->key);
}

static void enqueue_claim(void *context, const struct object *object)
{
	enqueue(context, 'c', object->key);
}

static void on_class(void *context, const struct object *old, const struct object *new)
{
	struct provisioner *provisioner = context;

	(void)old;
	(void)new;
	store_each(provisioner->controller.claims, enqueue_claim, provisioner);
}

static void *work(void *context)
{
	struct provisioner *provisioner = context;
	const char *key;

	if (!reflector_wait_synced(provisioner->reflector))
		return NULL;
	while ((key = workqueue_take(provisioner->queue))) {
		struct error err;
		int result = *key == 'c' ? claim_controller_sync(provisioner->claims, key + 1, &err)
					 : volume_controller_sync(
						   &provisioner->controller, key + 1, &err);

		workqueue_done(provisioner->queue, key, result == 0);
	}
	return NULL;
}

static void start(struct provisioner *provisioner, struct schedule *schedule)
{
	struct controller *controller = &provisioner->controller;

	provisioner->config.server = (char *)api_server_url(schedule_server(schedule));
	provisioner->client = rest_client_new(&provisioner->config);
	provisioner->queue =
		workqueue_new(&(struct workqueue_options){.retry_min_ms = 1, .retry_max_ms = 50});
	*controller = (struct controller){
		.api = rest_client_api(provisioner->client),
		.driver = fake_driver_table(schedule_driver(schedule)),
		.claims = store_new(on_claim, provisioner),
		.volumes = store_new(on_volume, provisioner),
		.classes = store_new(on_class, provisioner),
		.sets = store_new(NULL, NULL),
		.nodes = store_new(on_class, provisioner),
		.volume_name_prefix = "pvc",
		.extra_create_metadata = true,
	};
	controller->events = event_recorder_new(&controller->api, "tester");
	provisioner->claims = claim_controller_new(controller);
	provisioner->reflector = reflector_new(provisioner->client);
	reflector_add(provisioner->reflector, &claim_type, controller->claims);
	reflector_add(provisioner->reflector, &volume_type, controller->volumes);
	reflector_add(provisioner->reflector, &storage_class_type, controller->classes);
	reflector_add(provisioner->reflector, &stateful_set_type, controller->sets);
	reflector_add(provisioner->reflector, &node_type, controller->nodes);
	reflector_start(provisioner->reflector);
	for (size_t i = 0; i < WORKERS; i++)
		if (pthread_create(&provisioner->threads[i], NULL, work, provisioner))
			abort();
}

static void stop(struct provisioner *provisioner)
{
	struct controller *controller = &provisioner->controller;

	workqueue_stop(provisioner->queue);
	reflector_stop(provisioner->reflector);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(provisioner->threads[i], NULL);
	event_recorder_free(controller->events);
	claim_controller_free(provisioner->claims);
	reflector_free(provisioner->reflector);
	workqueue_free(provisioner->queue);
	store_free(controller->claims);
	store_free(controller->volumes);
	store_free(controller->classes);
	store_free(controller->sets);
	store_free(controller->nodes);
	rest_client_free(provisioner->client);
}

static bool is_idle(void *context)
{
	struct provisioner *provisioner = context;

	return workqueue_count(provisioner->queue) == 0;
}

/* What became of the schedule of SEED: "" if it was right. Caller frees. */
static char *try_seed(uint64_t seed)
{
	/* Faults of the API server make the reflector back off, which takes it seconds: few. */
	const struct schedule_options options = {.seed = seed,
		.actions = 30 + (unsigned int)seed % 30,
		.driver_faults = 200,
		.api_faults = seed % 4 == 3 ? 20 : 0,
		.topology = seed & 1};
	_cleanup_(schedule_freep) struct schedule *schedule = schedule_new(&options);
	struct provisioner provisioner = {0};
	_cleanup_free_ char *waited = NULL, *wrong = NULL;
	char *text;

	start(&provisioner, schedule);
	schedule_run(schedule);
	waited = schedule_wait(schedule, is_idle, &provisioner);
	stop(&provisioner);
	wrong = schedule_check(schedule);
	if (!*waited && !*wrong)
		return strdup("");
	if (asprintf(&text, "seed %llu:\n%s%s%s", (unsigned long long)seed,
		    schedule_story(schedule), waited, wrong) < 0)
		abort();
	return text;
}

/* Whatever happens, in the end each claim has its volume, and there is no other. */
static void test_schedules(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
		_cleanup_free_ char *wrong = try_seed(seed);

		/* cmocka's own messages are cut. */
		fputs(wrong, stderr);
		assert_true(*wrong == '\0');
	}
}

/* The check finds what it is there for. */
static void test_check(void **state)
{
	const struct schedule_options options = {.seed = 1, .actions = 1};
	_cleanup_(schedule_freep) struct schedule *schedule = schedule_new(&options);
	const struct csi_driver table = fake_driver_table(schedule_driver(schedule));
	const struct csi_create_request request = {.name = "pv"};
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct csi_volume volume;
	struct error err;

	(void)state;
	before = schedule_check(schedule);
	assert_string_equal(before, "");
	assert_int_equal(kubectl_create(schedule_objects(schedule), "persistentvolumes",
				 "{'metadata': {'name': 'lost'}, 'spec': {'csi': {'volumeHandle': "
				 "'h'}}}"),
		201);
	assert_int_equal(kubectl_create(schedule_objects(schedule), "persistentvolumeclaims",
				 "{'metadata': {'name': 'c'}, 'spec': {'storageClassName': 'x'}}"),
		201);
	assert_int_equal(table.create_volume(table.self, &request, &volume, &err), 0);
	csi_volume_done(&volume);
	assert_int_equal(table.create_volume(table.self, &(struct csi_create_request){.name = "p2"},
				 &volume, &err),
		0);
	csi_volume_done(&volume);
	after = schedule_check(schedule);
	assert_string_equal(after, "claim c has no volume, or several\n"
				   "volume lost is nobody's\n"
				   "volume lost is \"\" at the driver, and has handle h\n"
				   "there are 1 volumes, and the driver has 2:\npv\np2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_check),
	};

	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
