/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "log.h"

#define QUEUE_MAX   1024
#define SENT_MAX    1024 /* events that are remembered for their counts */
#define DRAIN_S     3
#define MESSAGE_MAX 1024 /* the API server refuses longer ones */

struct event {
	struct event *next;
	struct object *object;
	enum event_type type;
	const char *reason;
	struct timespec when;
	char message[MESSAGE_MAX];
};

/* An event that the API server has: the same again patches its count. */
struct sent {
	char *path;
	int count;
	char key[];
};

struct event_recorder {
	struct kube_api api;
	char *component;
	struct lh_table *sent; /* touched by the thread alone; oldest first */
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct event *first, **last;
	size_t waiting, dropped;
	bool stopping;
	struct timespec deadline; /* of the draining */
};

static const struct {
	const struct object_type *type;
	const char *kind;
} kinds[] = {
	{&claim_type, "PersistentVolumeClaim"},
	{&volume_type, "PersistentVolume"},
};

static const char *kind_of(const struct object_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == type)
			return kinds[i].kind;
	return "";
}

static void event_free(struct event *event)
{
	object_unref(event->object);
	free(event);
}

void event_record(struct event_recorder *recorder, const struct object *object,
	enum event_type type, const char *reason, const char *format, ...)
{
	struct event *event = calloc(1, sizeof(*event));
	va_list args;

	if (!event)
		abort();
	event->object = object_ref(object);
	event->type = type;
	event->reason = reason;
	clock_gettime(CLOCK_REALTIME, &event->when);
	va_start(args, format);
	vsnprintf(event->message, sizeof(event->message), format, args);
	va_end(args);
	pthread_mutex_lock(&recorder->lock);
	if (recorder->waiting < QUEUE_MAX) {
		*recorder->last = event;
		recorder->last = &event->next;
		recorder->waiting++;
		pthread_cond_signal(&recorder->changed);
		event = NULL;
	} else {
		recorder->dropped++;
	}
	pthread_mutex_unlock(&recorder->lock);
	if (event)
		event_free(event);
}

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static void format_time(const struct timespec *when, char *out, size_t size)
{
	struct tm utc;

	gmtime_r(&when->tv_sec, &utc);
	strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static struct json_object *involved_object(const struct object *object)
{
	struct json_object *reference = json_object_new_object();

	json_object_object_add(reference, "apiVersion", text("v1"));
	json_object_object_add(reference, "kind", text(kind_of(object->type)));
	json_object_object_add(reference, "name", text(object->name));
	if (*object->namespace)
		json_object_object_add(reference, "namespace", text(object->namespace));
	json_object_object_add(reference, "uid", text(object->uid));
	json_object_object_add(reference, "resourceVersion", text(object->resource_version));
	return reference;
}

/* Events of cluster-scoped objects live in the namespace "default". */
static const char *namespace_of(const struct event *event)
{
	return *event->object->namespace ? event->object->namespace : "default";
}

static struct json_object *make_event(
	const struct event_recorder *recorder, const struct event *event, const char *name)
{
	struct json_object *json = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *source = json_object_new_object();
	char when[32];

	format_time(&event->when, when, sizeof(when));
	json_object_object_add(metadata, "name", text(name));
	json_object_object_add(metadata, "namespace", text(namespace_of(event)));
	json_object_object_add(source, "component", text(recorder->component));
	json_object_object_add(json, "apiVersion", text("v1"));
	json_object_object_add(json, "kind", text("Event"));
	json_object_object_add(json, "metadata", metadata);
	json_object_object_add(json, "involvedObject", involved_object(event->object));
	json_object_object_add(
		json, "type", text(event->type == EVENT_WARNING ? "Warning" : "Normal"));
	json_object_object_add(json, "reason", text(event->reason));
	json_object_object_add(json, "message", text(event->message));
	json_object_object_add(json, "source", source);
	json_object_object_add(json, "firstTimestamp", text(when));
	json_object_object_add(json, "lastTimestamp", text(when));
	json_object_object_add(json, "count", json_object_new_int(1));
	return json;
}

static void forget_oldest(struct event_recorder *recorder)
{
	struct lh_entry *slot = recorder->sent->head;
	struct sent *sent = (struct sent *)lh_entry_v(slot);

	lh_table_delete_entry(recorder->sent, slot);
	free(sent->path);
	free(sent);
}

static void remember(struct event_recorder *recorder, const char *key, char *path)
{
	size_t length = strlen(key) + 1;
	struct sent *sent = calloc(1, sizeof(*sent) + length);

	if (!sent)
		abort();
	memcpy(sent->key, key, length);
	sent->path = path;
	sent->count = 1;
	if (lh_table_insert(recorder->sent, sent->key, sent) < 0)
		abort();
	while (lh_table_length(recorder->sent) > SENT_MAX)
		forget_oldest(recorder);
}

static int send_new(struct event_recorder *recorder, const struct event *event, const char *key,
	struct error *err)
{
	struct rest_request request = {.method = "POST"};
	_cleanup_free_ char *collection = NULL, *name = NULL, *path = NULL;
	int result;

	/* As client-go names them: the object's name and the time in hexadecimal. */
	if (asprintf(&name, "%.200s.%llx", event->object->name,
		    (unsigned long long)event->when.tv_sec * 1000000000ULL +
			    (unsigned long long)event->when.tv_nsec) < 0 ||
		asprintf(&collection, "/api/v1/namespaces/%s/events", namespace_of(event)) < 0 ||
		asprintf(&path, "%s/%s", collection, name) < 0)
		abort();
	request.path = collection;
	request.body = make_event(recorder, event, name);
	result = recorder->api.call(recorder->api.self, &request, NULL, err);
	json_object_put(request.body);
	if (result == 0)
		remember(recorder, key, take_ptr(path));
	return result;
}

static int send_count(struct event_recorder *recorder, const struct event *event,
	const struct sent *sent, struct error *err)
{
	struct rest_request request = {.method = "PATCH",
		.path = sent->path,
		.content_type = "application/merge-patch+json",
		.body = json_object_new_object()};
	char when[32];
	int result;

	format_time(&event->when, when, sizeof(when));
	json_object_object_add(request.body, "count", json_object_new_int(sent->count + 1));
	json_object_object_add(request.body, "lastTimestamp", text(when));
	result = recorder->api.call(recorder->api.self, &request, NULL, err);
	json_object_put(request.body);
	return result;
}

static void send_event(struct event_recorder *recorder, const struct event *event)
{
	_cleanup_free_ char *key = NULL;
	struct lh_entry *slot;
	struct sent *sent;
	struct error err;

	if (asprintf(&key, "%s %s %s", event->object->uid, event->reason, event->message) < 0)
		abort();
	slot = lh_table_lookup_entry(recorder->sent, key);
	if (slot) {
		sent = lh_entry_v(slot);
		if (send_count(recorder, event, sent, &err) == 0) {
			sent->count++;
			return;
		}
		/* It may have expired: the API server keeps events for an hour. */
		lh_table_delete_entry(recorder->sent, slot);
		free(sent->path);
		free(sent);
	}
	if (send_new(recorder, event, key, &err) < 0)
		log_warn("event %s on %s: %s", event->reason, event->object->name, err.text);
}

static bool may_continue(const struct event_recorder *recorder)
{
	struct timespec now;

	if (!recorder->stopping)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return recorder->first && now.tv_sec <= recorder->deadline.tv_sec;
}

/* Wait for an event; NULL when the recorder ends. */
static struct event *take_event(struct event_recorder *recorder, size_t *ret_dropped)
{
	struct event *event;

	pthread_mutex_lock(&recorder->lock);
	while (!recorder->first && !recorder->stopping)
		pthread_cond_wait(&recorder->changed, &recorder->lock);
	event = may_continue(recorder) ? recorder->first : NULL;
	if (event) {
		recorder->first = event->next;
		if (!recorder->first)
			recorder->last = &recorder->first;
		recorder->waiting--;
	}
	*ret_dropped = recorder->dropped;
	recorder->dropped = 0;
	pthread_mutex_unlock(&recorder->lock);
	return event;
}

static void *run(void *context)
{
	struct event_recorder *recorder = context;
	struct event *event;
	size_t dropped;

	while ((event = take_event(recorder, &dropped))) {
		if (dropped)
			log_warn("dropped %zu events: the API server takes them too slowly",
				dropped);
		send_event(recorder, event);
		event_free(event);
	}
	return NULL;
}

struct event_recorder *event_recorder_new(const struct kube_api *api, const char *component)
{
	struct event_recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		abort();
	recorder->api = *api;
	recorder->component = strdup(component);
	recorder->sent = lh_kchar_table_new(64, NULL);
	recorder->last = &recorder->first;
	pthread_mutex_init(&recorder->lock, NULL);
	pthread_cond_init(&recorder->changed, NULL);
	if (!recorder->component || !recorder->sent ||
		pthread_create(&recorder->thread, NULL, run, recorder))
		abort();
	return recorder;
}

void event_recorder_free(struct event_recorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	recorder->stopping = true;
	clock_gettime(CLOCK_MONOTONIC, &recorder->deadline);
	recorder->deadline.tv_sec += DRAIN_S;
	pthread_cond_signal(&recorder->changed);
	pthread_mutex_unlock(&recorder->lock);
	pthread_join(recorder->thread, NULL);
	while (recorder->first) {
		struct event *event = recorder->first;

		recorder->first = event->next;
		event_free(event);
	}
	while (recorder->sent->head)
		forget_oldest(recorder);
	lh_table_free(recorder->sent);
	pthread_cond_destroy(&recorder->changed);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder->component);
	free(recorder);
}
