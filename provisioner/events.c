/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "event_writer.h"
#include "log.h"

#define QUEUE_MAX       4096
#define QUEUE_BYTES_MAX ((size_t)2 << 20)
#define PATCH_EVERY_MS  5000
#define RETRY_MIN_MS    1000
#define REQUEST_MS      5000
#define DRAIN_MS        3000

struct event_recorder {
	struct event_recorder_options options;
	struct event_writer *writer; /* touched by the thread alone */
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct event_queue *queue;
	size_t dropped; /* since the thread said so */
	bool stopping;
	int64_t deadline_ms; /* of the draining */
};

static const struct {
	const struct object_type *type;
	const char *api_version, *kind;
} kinds[] = {
	{&claim_type, "v1", "PersistentVolumeClaim"},
	{&volume_type, "v1", "PersistentVolume"},
	{&volume_with_path_type, "v1", "PersistentVolume"},
	{&node_type, "v1", "Node"},
	{&storage_class_type, "storage.k8s.io/v1", "StorageClass"},
	{&stateful_set_type, "apps/v1", "StatefulSet"},
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void record(struct event_recorder *recorder, const struct event_reference *on,
	enum event_type type, const char *reason, const char *format, va_list args)
{
	_cleanup_free_ char *message = NULL;
	struct event *event;

	if (vasprintf(&message, format, args) < 0)
		abort();
	if (recorder->options.observe)
		recorder->options.observe(recorder->options.observer, on, type, reason, message);
	event = event_queue_make(on, type, reason, message);
	pthread_mutex_lock(&recorder->lock);
	recorder->dropped += event_queue_put(recorder->queue, event);
	pthread_cond_signal(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
}

void event_record(struct event_recorder *recorder, const struct object *object,
	enum event_type type, const char *reason, const char *format, ...)
{
	struct event_reference on = {
		"v1", "", object->namespace, object->name, object->uid, object->resource_version};
	va_list args;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type != object->type)
			continue;
		on.api_version = kinds[i].api_version;
		on.kind = kinds[i].kind;
	}
	va_start(args, format);
	record(recorder, &on, type, reason, format, args);
	va_end(args);
}

void event_record_on(struct event_recorder *recorder, const struct event_reference *on,
	enum event_type type, const char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	record(recorder, on, type, reason, format, args);
	va_end(args);
}

/* Wait for a change, or until END. */
static void wait_for_change(struct event_recorder *recorder, int64_t end)
{
	const struct timespec until = {
		.tv_sec = (time_t)(end / 1000), .tv_nsec = end % 1000 * 1000000};

	if (end == INT64_MAX)
		pthread_cond_wait(&recorder->changed, &recorder->lock);
	else
		pthread_cond_timedwait(&recorder->changed, &recorder->lock, &until);
}

/* Wait for something to do: an event, which becomes *RET_EVENT, or what is due at the writer's,
 * for which that is NULL. False at the end. */
static bool wait_for_work(struct event_recorder *recorder, struct event **ret_event)
{
	*ret_event = NULL;
	for (;;) {
		int64_t now = now_ms(), due;

		if (recorder->stopping) {
			/* What waits may still be merged with what was sent. */
			event_writer_hurry(recorder->writer, event_queue_is_empty(recorder->queue));
			if (now >= recorder->deadline_ms)
				return false;
		}
		due = event_writer_due(recorder->writer);
		if (due <= now)
			return true;
		if (event_writer_accepts(recorder->writer, now))
			*ret_event = event_queue_take(recorder->queue);
		if (*ret_event)
			return true;
		if (recorder->stopping)
			return false;
		wait_for_change(recorder, due);
	}
}

/* Time for a request that begins now. */
static int request_ms(const struct event_recorder *recorder)
{
	int64_t left = recorder->deadline_ms - now_ms();

	if (!recorder->stopping || left > REQUEST_MS)
		return REQUEST_MS;
	return left > 1 ? (int)left : 1;
}

static void step(struct event_recorder *recorder, int timeout_ms)
{
	struct error err = {0};

	heartbeat_begin(recorder->options.heartbeat, "an event");
	/* In a namespace that is being deleted nothing can be told to anybody. */
	if (event_writer_step(recorder->writer, now_ms(), timeout_ms, &err) < 0)
		log_write(err.kind == ERROR_NOT_FOUND || strstr(err.text, "being terminated")
				  ? LOG_LEVEL_DEBUG
				  : LOG_LEVEL_WARN,
			"%s", err.text);
	heartbeat_end(recorder->options.heartbeat);
}

static void say_dropped(struct event_recorder *recorder, size_t dropped)
{
	if (dropped == 0)
		return;
	metrics_add(recorder->options.metrics, METRIC_EVENTS_DROPPED, (double)dropped);
	log_event(LOG_LEVEL_WARN, "events dropped: the API server takes them too slowly",
		LOG_INT("events", (long long)dropped));
}

static void *run(void *context)
{
	struct event_recorder *recorder = context;
	struct event *event;

	pthread_mutex_lock(&recorder->lock);
	while (wait_for_work(recorder, &event)) {
		size_t dropped = recorder->dropped;
		int timeout_ms = request_ms(recorder);

		recorder->dropped = 0;
		pthread_mutex_unlock(&recorder->lock);
		say_dropped(recorder, dropped);
		if (event)
			event_writer_add(recorder->writer, event, now_ms());
		else
			step(recorder, timeout_ms);
		pthread_mutex_lock(&recorder->lock);
	}
	pthread_mutex_unlock(&recorder->lock);
	return NULL;
}

struct event_recorder *event_recorder_new_with(
	const struct kube_api *api, const struct event_recorder_options *options)
{
	struct event_recorder *recorder = calloc(1, sizeof(*recorder));
	pthread_condattr_t attributes;

	if (!recorder)
		abort();
	recorder->options = *options;
	recorder->writer = event_writer_new(
		api, &(struct event_writer_options){
			     .component = options->component,
			     .patch_every_ms = options->patch_every_ms ? options->patch_every_ms
								       : PATCH_EVERY_MS,
			     .retry_min_ms =
				     options->retry_min_ms ? options->retry_min_ms : RETRY_MIN_MS,
			     .metrics = options->metrics,
		     });
	recorder->options.component = NULL; /* not ours */
	recorder->queue = event_queue_new(QUEUE_MAX, QUEUE_BYTES_MAX);
	pthread_mutex_init(&recorder->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&recorder->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&recorder->thread, NULL, run, recorder))
		abort();
	return recorder;
}

struct event_recorder *event_recorder_new(const struct kube_api *api, const char *component)
{
	return event_recorder_new_with(
		api, &(struct event_recorder_options){.component = component});
}

/* What could not be sent in time is lost, and counted. */
static void count_rest(struct event_recorder *recorder)
{
	struct event *event;

	while ((event = event_queue_take(recorder->queue))) {
		recorder->dropped += (size_t)event->count;
		free(event);
	}
	say_dropped(recorder, recorder->dropped);
}

void event_recorder_free(struct event_recorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	recorder->stopping = true;
	recorder->deadline_ms = now_ms() + DRAIN_MS;
	pthread_cond_signal(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
	pthread_join(recorder->thread, NULL);
	count_rest(recorder);
	event_queue_free(recorder->queue);
	event_writer_free(recorder->writer);
	pthread_cond_destroy(&recorder->changed);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder);
}
