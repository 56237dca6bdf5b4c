/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinal-provisioner: flags, wiring, signals, exit codes.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "claim_controller.h"
#include "log.h"
#include "names.h"
#include "options.h"
#include "ordinals.h"
#include "ownership.h"
#include "reflector.h"
#include "volume_controller.h"
#include "workqueue.h"

#define WAIT_LOG_EVERY_S 30 /* between two lines about a driver that is not there */

#define STOP_LIMIT_S 10 /* for calls that are under way when we are told to stop */

/* Keys of the one queue: what they name is told by their first letter. */
#define CLAIM_KEY  'c'
#define VOLUME_KEY 'v'

struct program {
	struct options options;
	struct controller controller;
	struct claim_controller *claims;
	struct workqueue *queue;
	struct reflector *reflector;
	sigset_t signals;
};

static void enqueue(struct program *program, char kind, const char *key)
{
	_cleanup_free_ char *tagged = NULL;

	if (asprintf(&tagged, "%c%s", kind, key) < 0)
		abort();
	workqueue_add(program->queue, tagged);
}

static void on_claim(void *context, const struct object *old, const struct object *new)
{
	/* A claim that is gone matters while its provisioning is not settled. */
	enqueue(context, CLAIM_KEY, new ? new->key : old->key);
}

static void on_volume(void *context, const struct object *old, const struct object *new)
{
	(void)old;
	if (new)
		enqueue(context, VOLUME_KEY, new->key);
}

/* Which claims wait for a class or a node is not recorded: those without a volume are looked at. */
static void enqueue_pending(void *context, const struct object *object)
{
	if (!*((const struct claim *)object)->volume_name)
		enqueue(context, CLAIM_KEY, object->key);
}

static void on_class(void *context, const struct object *old, const struct object *new)
{
	struct program *program = context;

	(void)old;
	if (new)
		store_each(program->controller.claims, enqueue_pending, program);
}

static void enqueue_volume(void *context, const struct object *object)
{
	enqueue(context, VOLUME_KEY, object->key);
}

/* Nodes are written every few seconds; only these changes can make a claim possible, or show that
 * a volume is on our node. */
static void on_node(void *context, const struct object *old, const struct object *new)
{
	struct program *program = context;
	const struct node *was = (const struct node *)old, *is = (const struct node *)new;

	if (!was || !is || was->schedulable != is->schedulable ||
		!string_map_equal(&was->labels, &is->labels)) {
		store_each(program->controller.claims, enqueue_pending, program);
		store_each(program->controller.volumes, enqueue_volume, program);
	}
}

static void on_csi_node(void *context, const struct object *old, const struct object *new)
{
	struct program *program = context;

	(void)old;
	(void)new;
	store_each(program->controller.claims, enqueue_pending, program);
}

static int sync_key(
	struct program *program, const char *key, int64_t *ret_wait_ms, struct error *err)
{
	*ret_wait_ms = 0;
	if (*key == CLAIM_KEY)
		return claim_controller_sync(program->claims, key + 1, ret_wait_ms, err);
	return volume_controller_sync(&program->controller, key + 1, err);
}

static void *work(void *context)
{
	struct program *program = context;
	const char *key;

	/* With half a cache a claim whose volume exists would look like one without. */
	if (!reflector_wait_synced(program->reflector))
		return NULL;
	while ((key = workqueue_take(program->queue))) {
		struct error err = {0};
		int64_t wait_ms;
		int result = sync_key(program, key, &wait_ms, &err);

		if (result < 0)
			log_warn("%s", err.text);
		/* What has to wait comes again after its back-off. */
		workqueue_done(program->queue, key, result == 0 && !wait_ms);
	}
	return NULL;
}

/* Whether we are told to stop within a second. */
static bool stop_comes(const struct program *program)
{
	const struct timespec second = {.tv_sec = 1};

	return sigtimedwait(&program->signals, NULL, &second) > 0;
}

static time_t monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Wait for the driver, which may start after us, with a line now and then. */
static int find_driver(struct program *program, struct csi_client *client, struct error *err)
{
	time_t said = 0;

	do {
		if (csi_client_identify(client, &program->controller.driver, err) == 0) {
			log_info("driver %s %s at %s", program->controller.driver.info.name,
				program->controller.driver.info.version,
				program->options.csi_address);
			return 0;
		}
		if (err->kind == ERROR_INVALID || err->kind == ERROR_UNIMPLEMENTED)
			return -1;
		if (!said || monotonic_seconds() - said >= WAIT_LOG_EVERY_S) {
			said = monotonic_seconds();
			log_warn("waiting for the driver at %s, which does not answer: %s",
				program->options.csi_address, err->text);
		}
	} while (!stop_comes(program));
	return error_set(err, ERROR_CANCELLED, "stopped while waiting for the driver");
}

/* Whether all workers ended in time. Their calls have deadlines, but those may be long. */
static bool join_workers(const pthread_t *threads, int count)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += STOP_LIMIT_S;
	for (int i = 0; i < count; i++)
		if (pthread_clockjoin_np(threads[i], NULL, CLOCK_MONOTONIC, &end))
			return false;
	return true;
}

static void run_until_signal(struct program *program)
{
	_cleanup_free_ pthread_t *threads =
		calloc((size_t)program->options.workers, sizeof(*threads));
	int signal;

	if (!threads)
		abort();
	reflector_start(program->reflector);
	for (int i = 0; i < program->options.workers; i++)
		if (pthread_create(&threads[i], NULL, work, program))
			abort();
	sigwait(&program->signals, &signal);
	log_info("%s: finishing the calls under way", strsignal(signal));
	workqueue_stop(program->queue);
	reflector_stop(program->reflector);
	if (!join_workers(threads, program->options.workers)) {
		log_warn("calls are still under way after %d s: the next start repeats them",
			STOP_LIMIT_S);
		_exit(0); /* workers still use everything */
	}
}

/* Name of the events' source: the driver, and which of its provisioners. */
static char *component_name(const struct program *program)
{
	struct utsname host;
	char *name;

	if (uname(&host) < 0 ||
		asprintf(&name, "%s_%s", program->controller.driver.info.name, host.nodename) < 0)
		abort();
	return name;
}

static void run_controllers(struct program *program, struct rest_client *client)
{
	struct controller *controller = &program->controller;
	_cleanup_(event_recorder_freep) struct event_recorder *events = NULL;
	_cleanup_(claim_controller_freep) struct claim_controller *claims = NULL;
	_cleanup_(workqueue_freep) struct workqueue *queue = NULL;
	_cleanup_(store_freep) struct store *claim_store = store_new(on_claim, program);
	_cleanup_(store_freep) struct store *volumes = store_new(on_volume, program);
	_cleanup_(store_freep) struct store *classes = store_new(on_class, program);
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	_cleanup_(store_freep) struct store *nodes = store_new(on_node, program);
	_cleanup_(store_freep) struct store *csi_nodes = store_new(on_csi_node, program);
	_cleanup_(ordinals_freep) struct ordinals *ordinals = NULL;
	_cleanup_(reflector_freep) struct reflector *reflector = reflector_new(client);
	_cleanup_free_ char *component = component_name(program);

	controller->api = rest_client_api(client);
	controller->claims = claim_store;
	controller->volumes = volumes;
	controller->classes = classes;
	controller->sets = sets;
	controller->nodes = nodes;
	controller->csi_nodes = csi_nodes;
	controller->ordinals = ordinals = ordinals_new(sets, &controller->api);
	controller->events = events = event_recorder_new(&controller->api, component);
	program->claims = claims = claim_controller_new(controller);
	program->queue = queue = workqueue_new(&(struct workqueue_options){
		.retry_min_ms = program->options.retry_interval_start_ms,
		.retry_max_ms = program->options.retry_interval_max_ms,
	});
	program->reflector = reflector;
	reflector_add(reflector, &claim_type, claim_store);
	reflector_add(reflector, &volume_type, volumes);
	reflector_add(reflector, &storage_class_type, classes);
	reflector_add(reflector, &stateful_set_type, sets);
	/* Only a driver that is not reachable from everywhere makes the nodes matter. */
	if (controller->driver.info.topology) {
		reflector_add(reflector, &node_type, nodes);
		reflector_add(reflector, &csi_node_type, csi_nodes);
	}
	run_until_signal(program);
}

static int run(struct program *program, struct error *err)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	_cleanup_(rest_client_freep) struct rest_client *client = NULL;
	_cleanup_(csi_client_freep) struct csi_client *csi = NULL;
	const struct options *options = &program->options;

	if (kube_config_load(options->kubeconfig, &config, err) < 0 ||
		csi_client_new(options->csi_address, options->timeout_ms, &csi, err) < 0 ||
		find_driver(program, csi, err) < 0)
		return -1;
	if (!program->controller.driver.info.create_delete)
		return error_set(err, ERROR_INVALID,
			"driver %s has no CREATE_DELETE_VOLUME capability: it cannot make volumes",
			program->controller.driver.info.name);
	if (options->node_deployment && !program->controller.driver.info.topology)
		return error_set(err, ERROR_INVALID,
			"driver %s has volumes that any node reaches: run one provisioner for it, "
			"without --node-deployment",
			program->controller.driver.info.name);
	client = rest_client_new(config);
	run_controllers(program, client);
	return 0;
}

int main(int argc, char **argv)
{
	struct program program = {.claims = NULL};
	struct error err = {0};
	int result;

	options_parse(&program.options, argc, argv);
	log_init((enum log_level)program.options.log_level,
		(enum log_format)program.options.log_format);
	program.controller.volume_name_prefix = program.options.volume_name_prefix;
	program.controller.extra_create_metadata = program.options.extra_create_metadata;
	program.controller.node = program.options.node;
	program.controller.strict_topology = program.options.strict_topology;
	program.controller.immediate_topology = program.options.immediate_topology;
	if (program.options.node_deployment)
		program.controller.ownership = ownership_new(&(struct ownership_options){
			program.options.node_deployment_immediate_binding,
			program.options.node_deployment_base_delay_ms,
			program.options.node_deployment_max_delay_ms});
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&program.signals);
	sigaddset(&program.signals, SIGTERM);
	sigaddset(&program.signals, SIGINT);
	/* Blocked here and so in every thread: main alone takes them, one by one. */
	pthread_sigmask(SIG_BLOCK, &program.signals, NULL);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	log_info("ordinal-provisioner " ORDINAL_VERSION);
	result = run(&program, &err);
	curl_global_cleanup();
	if (program.controller.ownership)
		ownership_free(program.controller.ownership);
	if (result < 0 && err.kind != ERROR_CANCELLED) {
		log_error("%s", err.text);
		return 1;
	}
	return 0;
}
