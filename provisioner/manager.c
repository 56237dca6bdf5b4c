/* SPDX-License-Identifier: Apache-2.0 */
#include "manager.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "dispatch.h"
#include "gauges.h"
#include "heartbeat.h"
#include "journal.h"
#include "lease_guard.h"
#include "log.h"
#include "ordinals.h"
#include "ownership.h"
#include "recent.h"
#include "status_notes.h"

#define RESOURCES_MAX   16
#define SERVED_S        10  /* a cache is behind by less, ... */
#define DELETED_S       30  /* ... and by less than this for sure */
#define LOST_WATCH_S    120 /* without a sign of life */
#define BEGIN_RETRY_MS  2000
#define FLUSH_AFTER_MS  1000
#define LOG_EVERY_TRIES 15
#define SETTLED_MS      2000             /* after the start: everything was looked at once */
#define SYNC_LIMIT_MS   (10 * 60 * 1000) /* a sync that takes longer is stuck */

struct manager {
	struct manager_options options;
	struct dispatch dispatch;
	struct lease_guard guard;
	struct reflector *reflector;
	struct heartbeats *heartbeats;
	struct gauges *gauges;
	char *cluster_uid;
	pthread_t starter; /* waits until work may begin, and starts the workers */
	pthread_t *workers;
	int worker_count;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	int running; /* of starter and workers, those that have not ended */
	bool stopped;
};

/* The last that one of the threads does. */
static void leave(struct manager *manager)
{
	pthread_mutex_lock(&manager->lock);
	manager->running--;
	pthread_cond_broadcast(&manager->changed);
	pthread_mutex_unlock(&manager->lock);
}

static void *work(void *context)
{
	struct manager *manager = context;
	struct workqueue *queue = manager->dispatch.queue;
	struct heartbeat *heartbeat = heartbeat_add(manager->heartbeats, "worker", SYNC_LIMIT_MS);
	const char *key;

	while ((key = workqueue_take(queue))) {
		struct error err = {0};
		int64_t again_ms;
		int result;

		heartbeat_begin(heartbeat, key);
		result = dispatch_sync(&manager->dispatch, key, &again_ms, &err);
		heartbeat_end(heartbeat);
		if (result < 0)
			log_event(LOG_LEVEL_WARN, "trying again", LOG_STR("key", key),
				LOG_STR("kind", error_kind_name(err.kind)),
				LOG_STR("error", err.text));
		if (result == 0 && again_ms)
			workqueue_done_after(queue, key, again_ms);
		else
			workqueue_done(queue, key, result == 0);
	}
	leave(manager);
	return NULL;
}

/* Whether the manager is stopped within that time. */
static bool is_stopped_within(struct manager *manager, int ms)
{
	struct timespec until;
	int result = 0;
	bool stopped;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&manager->lock);
	while (!manager->stopped && result == 0)
		result = pthread_cond_timedwait(&manager->changed, &manager->lock, &until);
	stopped = manager->stopped;
	pthread_mutex_unlock(&manager->lock);
	return stopped;
}

/* The cluster's identity is that of its namespace kube-system, which lives as long as it. */
static int find_cluster_uid(struct manager *manager, struct error *err)
{
	struct rest_request request = {.method = "GET", .path = "/api/v1/namespaces/kube-system"};
	const struct kube_api *api = &manager->dispatch.controller.api;
	struct json_object *answer;
	const char *uid;

	if (api->call(api->self, &request, &answer, err) < 0)
		return error_prefix(err, "the cluster's UID");
	uid = json_string(json_member(answer, "metadata", json_type_object), "uid");
	manager->cluster_uid = strdup(uid ? uid : "");
	json_object_put(answer);
	if (!manager->cluster_uid)
		abort();
	return 0;
}

static int prepare(struct manager *manager, struct error *err)
{
	const struct controller *controller = &manager->dispatch.controller;

	if (controller->driver.info.ours && !manager->cluster_uid &&
		find_cluster_uid(manager, err) < 0)
		return -1;
	return journal_open(controller->journal, err);
}

/* Without the journal no volume can be made; whatever is missing may come. */
static bool prepare_until_stopped(struct manager *manager)
{
	int retry_ms = manager->options.timing.begin_retry_ms;
	struct error err;

	for (int tries = 0; prepare(manager, &err) < 0; tries++) {
		if (tries % LOG_EVERY_TRIES == 0)
			log_event(LOG_LEVEL_ERROR, "waiting to begin", LOG_STR("error", err.text));
		if (is_stopped_within(manager, retry_ms ? retry_ms : BEGIN_RETRY_MS))
			return false;
	}
	return true;
}

static bool is_journaled(void *context, const char *volume_name)
{
	return journal_has_volume(context, volume_name);
}

static int64_t boottime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void make_sweep(struct manager *manager)
{
	struct controller *controller = &manager->dispatch.controller;
	const struct options *options = manager->options.options;

	controller->cluster_uid = manager->cluster_uid;
	if (options->sweep == SWEEP_OFF || !options->sweep_interval_ms ||
		!controller->driver.info.ours)
		return;
	manager->dispatch.sweep_interval_ms = options->sweep_interval_ms;
	manager->dispatch.sweep =
		sweep_new(controller, &(struct sweep_options){
					      .mode = (enum sweep_mode)options->sweep,
					      .cluster_uid = manager->cluster_uid,
					      .volume_name_prefix = options->volume_name_prefix,
					      .grace_ms = options->sweep_grace_ms,
					      .journaled = is_journaled,
					      .context = controller->journal,
					      .now_ms = boottime_ms,
				      });
}

static void start_workers(struct manager *manager)
{
	pthread_mutex_lock(&manager->lock);
	while (!manager->stopped && manager->worker_count < manager->options.options->workers) {
		manager->running++;
		if (pthread_create(&manager->workers[manager->worker_count++], NULL, work, manager))
			abort();
	}
	pthread_mutex_unlock(&manager->lock);
}

static void begin_work(struct manager *manager)
{
	/* With half a cache a claim whose volume exists would look like one without. */
	if (!reflector_wait_synced(manager->reflector))
		return;
	if (manager->options.lease && !lease_wait(manager->options.lease))
		return;
	if (!prepare_until_stopped(manager))
		return;
	make_sweep(manager);
	malloc_trim(0); /* what the lists took is not needed again soon, */
	dispatch_begin(&manager->dispatch);
	start_workers(manager);
	log_info("working");
	if (!is_stopped_within(manager, SETTLED_MS))
		malloc_trim(0); /* nor is what the first look at everything took */
}

static void *start_work(void *context)
{
	begin_work(context);
	leave(context);
	return NULL;
}

static void add_reflectors(struct manager *manager, struct rest_client *client)
{
	const struct controller *controller = &manager->dispatch.controller;
	struct reflector *reflector = manager->reflector = reflector_new(client);

	reflector_limit(reflector, &manager->options.timing.reflector);
	reflector_add(reflector, &claim_type, controller->claims);
	/* Where the data are, only the status page tells. */
	reflector_add(reflector,
		manager->options.options->status_page ? &volume_with_path_type : &volume_type,
		controller->volumes);
	reflector_add(reflector, &storage_class_type, controller->classes);
	reflector_add(reflector, &stateful_set_type, controller->sets);
	/* Only a driver that is not reachable from everywhere makes the nodes matter. */
	if (controller->driver.info.topology) {
		reflector_add(reflector, &node_type, controller->nodes);
		reflector_add(reflector, &csi_node_type, controller->csi_nodes);
	}
}

/* Writes go through the lease where there is one; events do not need it. */
static void set_tables(
	struct manager *manager, struct rest_client *client, const struct csi_driver *driver)
{
	struct controller *controller = &manager->dispatch.controller;
	const struct kube_api api = rest_client_api(client);

	controller->api = api;
	controller->driver = *driver;
	if (manager->options.lease) {
		manager->guard = (struct lease_guard){manager->options.lease, api, *driver};
		controller->api = lease_guard_api(&manager->guard);
		controller->driver = lease_guard_driver(&manager->guard);
	}
	controller->events = event_recorder_new_with(
		&api, &(struct event_recorder_options){
			      .component = manager->options.component,
			      .metrics = manager->options.metrics,
			      .observe = manager->options.notes ? status_notes_observe : NULL,
			      .observer = manager->options.notes,
		      });
}

static void set_controller(struct manager *manager)
{
	struct controller *controller = &manager->dispatch.controller;
	const struct options *options = manager->options.options;

	controller->metrics = manager->options.metrics;
	controller->volume_name_prefix = options->volume_name_prefix;
	controller->extra_create_metadata = options->extra_create_metadata;
	controller->eager = options->eager;
	controller->node = options->node;
	controller->strict_topology = options->strict_topology;
	controller->immediate_topology = options->immediate_topology;
	controller->retry_max_ms = options->retry_interval_max_ms;
	controller->ordinals = ordinals_new(controller->sets, &controller->api);
	controller->journal =
		journal_new(&controller->api, &(struct journal_options){
						      .namespace = manager->options.namespace,
						      .name = manager->options.journal,
						      .holder = manager->options.holder,
					      });
	controller->served = recent_new(SERVED_S);
	controller->deleted = recent_new(DELETED_S);
	if (options->node_deployment)
		controller->ownership = ownership_new(&(struct ownership_options){
			.immediate_binding = options->node_deployment_immediate_binding,
			.base_delay_ms = options->node_deployment_base_delay_ms,
			.max_delay_ms = options->node_deployment_max_delay_ms,
		});
}

struct manager *manager_new(struct rest_client *client, const struct csi_driver *driver,
	const struct manager_options *options)
{
	struct manager *manager = calloc(1, sizeof(*manager));

	if (!manager)
		abort();
	manager->options = *options;
	manager->workers = calloc((size_t)options->options->workers, sizeof(*manager->workers));
	if (!manager->workers)
		abort();
	pthread_mutex_init(&manager->lock, NULL);
	pthread_cond_init(&manager->changed, NULL);
	manager->heartbeats = heartbeat_group_new(NULL);
	dispatch_init(&manager->dispatch);
	manager->dispatch.flush_after_ms =
		options->timing.flush_after_ms ? options->timing.flush_after_ms : FLUSH_AFTER_MS;
	set_tables(manager, client, driver);
	set_controller(manager);
	manager->dispatch.claims = claim_controller_new(&manager->dispatch.controller);
	manager->dispatch.queue = workqueue_new(&(struct workqueue_options){
		.retry_min_ms = options->options->retry_interval_start_ms,
		.retry_max_ms = options->options->retry_interval_max_ms,
		.metrics = options->metrics,
		.name = "ordinal",
	});
	manager->dispatch.turns = turns_new(manager->dispatch.queue);
	add_reflectors(manager, client);
	if (options->metrics)
		manager->gauges = gauges_new(options->metrics, &manager->dispatch.controller,
			manager->reflector, options->lease, options->lease_name);
	return manager;
}

void manager_free(struct manager *manager)
{
	struct controller *controller = &manager->dispatch.controller;

	if (manager->gauges)
		gauges_free(manager->gauges);
	if (manager->dispatch.sweep)
		sweep_free(manager->dispatch.sweep);
	claim_controller_free(manager->dispatch.claims);
	reflector_free(manager->reflector);
	turns_free(manager->dispatch.turns);
	workqueue_free(manager->dispatch.queue);
	event_recorder_free(controller->events);
	journal_free(controller->journal);
	recent_free(controller->deleted);
	recent_free(controller->served);
	ordinals_free(controller->ordinals);
	if (controller->ownership)
		ownership_free(controller->ownership);
	dispatch_done(&manager->dispatch);
	heartbeat_group_free(manager->heartbeats);
	pthread_cond_destroy(&manager->changed);
	pthread_mutex_destroy(&manager->lock);
	free(manager->cluster_uid);
	free(manager->workers);
	free(manager);
}

void manager_start(struct manager *manager)
{
	reflector_start(manager->reflector);
	if (manager->options.lease)
		lease_start(manager->options.lease);
	manager->running = 1;
	if (pthread_create(&manager->starter, NULL, start_work, manager))
		abort();
}

/* Whether all threads ended in time. Their calls have deadlines, but those may be long. */
static bool join_all(struct manager *manager, int limit_ms)
{
	struct timespec end;
	int result = 0;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += limit_ms / 1000;
	end.tv_nsec += limit_ms % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	pthread_mutex_lock(&manager->lock);
	while (manager->running && result == 0)
		result = pthread_cond_clockwait(
			&manager->changed, &manager->lock, CLOCK_MONOTONIC, &end);
	ended = !manager->running;
	pthread_mutex_unlock(&manager->lock);
	if (!ended)
		return false;
	pthread_join(manager->starter, NULL);
	for (int i = 0; i < manager->worker_count; i++)
		pthread_join(manager->workers[i], NULL);
	return true;
}

bool manager_stop(struct manager *manager, int limit_ms)
{
	bool ended;

	pthread_mutex_lock(&manager->lock);
	manager->stopped = true;
	pthread_cond_broadcast(&manager->changed);
	pthread_mutex_unlock(&manager->lock);
	workqueue_stop(manager->dispatch.queue);
	reflector_stop(manager->reflector);
	if (manager->options.lease)
		lease_stop(manager->options.lease);
	ended = join_all(manager, limit_ms);
	if (ended && manager->worker_count)
		journal_flush(manager->dispatch.controller.journal, NULL);
	if (manager->options.lease)
		lease_release(manager->options.lease);
	return ended;
}

void manager_tell_leader(struct manager *manager, const struct object *lease)
{
	const struct event_reference on = {
		.api_version = "coordination.k8s.io/v1",
		.kind = "Lease",
		.namespace = lease->namespace,
		.name = lease->name,
		.uid = lease->uid,
		.resource_version = lease->resource_version,
	};

	event_record_on(manager->dispatch.controller.events, &on, EVENT_NORMAL, "LeaderElection",
		"%s became leader", manager->options.holder);
}

bool manager_is_working(const struct manager *manager)
{
	return __atomic_load_n(&manager->dispatch.working, __ATOMIC_ACQUIRE);
}

bool manager_is_idle(struct manager *manager)
{
	return manager_is_working(manager) && workqueue_count(manager->dispatch.queue) == 0;
}

const struct controller *manager_controller(const struct manager *manager)
{
	return &manager->dispatch.controller;
}

int manager_check_synced(void *context, struct error *err)
{
	struct manager *manager = context;
	struct reflector_state states[RESOURCES_MAX];
	size_t count = reflector_states(manager->reflector, states, RESOURCES_MAX);

	for (size_t i = 0; i < count && i < RESOURCES_MAX; i++)
		if (!states[i].synced)
			return error_set(err, ERROR_UNAVAILABLE, "%s were not listed yet%s%s",
				states[i].plural, *states[i].error ? ": " : "", states[i].error);
	return 0;
}

int manager_check_watches(void *context, struct error *err)
{
	struct manager *manager = context;
	struct reflector_state states[RESOURCES_MAX];
	size_t count = reflector_states(manager->reflector, states, RESOURCES_MAX);

	for (size_t i = 0; i < count && i < RESOURCES_MAX; i++)
		if (!states[i].connected && !states[i].absent && states[i].quiet_s > LOST_WATCH_S)
			return error_set(err, ERROR_UNAVAILABLE,
				"the watch of %s is lost for %.0f s: %s", states[i].plural,
				states[i].quiet_s, states[i].error);
	return 0;
}

int manager_check_loops(void *context, struct error *err)
{
	return heartbeat_check(((struct manager *)context)->heartbeats, err);
}

int manager_check_lease(void *context, struct error *err)
{
	const struct manager *manager = context;

	if (!manager->options.lease || lease_is_held(manager->options.lease) ||
		!manager_is_working(manager))
		return 0;
	return error_set(err, ERROR_ABORTED, "the lease was lost");
}
