/* SPDX-License-Identifier: Apache-2.0 */
#include "event_writer.h"

#include <json-c/linkhash.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/utsname.h>

#define SERIES_MAX    1024 /* events that are remembered for their counts; and groups */
#define RETRIES_MAX   4
#define RETRY_MAX_MS  30000
#define SIMILAR_MAX   10     /* messages of one group, after which they are combined ... */
#define SIMILAR_MS    600000 /* ... until there was none for this long */
#define COMBINED_TEXT "(combined from similar events): "
#define NEVER         INT64_MAX

/* An event as the API server has it, or shall have it. */
struct series {
	char *path;            /* of the event; NULL: not written yet */
	int count;             /* that the API server has */
	struct event *pending; /* what it does not have; or NULL */
	int64_t next_ms;       /* not written before */
	int failures;          /* of the pending, in a row */
	TAILQ_ENTRY(series) link;
	char key[];
};

/* The messages that came lately for one reason on one object. */
struct group {
	int64_t last_ms;
	size_t count;
	uint32_t hashes[SIMILAR_MAX];
	char key[];
};

struct event_writer {
	struct kube_api api;
	struct event_writer_options options;
	char *component;
	struct utsname host;
	struct lh_table *series, *groups;          /* oldest first */
	TAILQ_HEAD(series_list, series) unwritten; /* those with something pending, oldest first */
	int64_t due_ms;                            /* of the first pending; may be too early */
	int64_t resume_ms; /* nothing is written before: it would not answer */
	int64_t back_off_ms;
	bool hurry, flush;
};

struct event_writer *event_writer_new(
	const struct kube_api *api, const struct event_writer_options *options)
{
	struct event_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		abort();
	writer->api = *api;
	writer->options = *options;
	writer->component = strdup(options->component);
	writer->series = lh_kchar_table_new(64, NULL);
	writer->groups = lh_kchar_table_new(64, NULL);
	if (!writer->component || !writer->series || !writer->groups || uname(&writer->host) < 0)
		abort();
	TAILQ_INIT(&writer->unwritten);
	writer->due_ms = NEVER;
	metrics_add(options->metrics, METRIC_EVENTS_SENT, 0);
	metrics_add(options->metrics, METRIC_EVENTS_DROPPED, 0);
	return writer;
}

static void set_pending(struct event_writer *writer, struct series *series, struct event *event)
{
	if (!series->pending && event)
		TAILQ_INSERT_TAIL(&writer->unwritten, series, link);
	else if (series->pending && !event)
		TAILQ_REMOVE(&writer->unwritten, series, link);
	free(series->pending);
	series->pending = event;
}

static void forget_series(struct event_writer *writer, struct series *series)
{
	if (series->pending)
		metrics_add(writer->options.metrics, METRIC_EVENTS_DROPPED, series->pending->count);
	set_pending(writer, series, NULL);
	lh_table_delete(writer->series, series->key);
	free(series->path);
	free(series);
}

void event_writer_free(struct event_writer *writer)
{
	while (writer->series->head)
		forget_series(writer, lh_entry_v(writer->series->head));
	while (writer->groups->head) {
		struct group *group = lh_entry_v(writer->groups->head);

		lh_table_delete(writer->groups, group->key);
		free(group);
	}
	lh_table_free(writer->series);
	lh_table_free(writer->groups);
	free(writer->component);
	free(writer);
}

static struct group *get_group(struct event_writer *writer, const char *key)
{
	struct lh_entry *slot = lh_table_lookup_entry(writer->groups, key);
	size_t length = strlen(key) + 1;
	struct group *group;

	if (slot)
		return lh_entry_v(slot);
	if (lh_table_length(writer->groups) >= SERIES_MAX) {
		group = lh_entry_v(writer->groups->head);
		lh_table_delete(writer->groups, group->key);
		free(group);
	}
	group = calloc(1, sizeof(*group) + length);
	if (!group)
		abort();
	memcpy(group->key, key, length);
	if (lh_table_insert(writer->groups, group->key, group) < 0)
		abort();
	return group;
}

/* Whether EVENT is one message too many of its group. One that is known is not. */
static bool is_similar(struct event_writer *writer, const struct event *event, int64_t now)
{
	struct group *group = get_group(writer, event->group);
	uint32_t hash = (uint32_t)lh_get_hash(writer->series, event->key);

	if (now - group->last_ms > SIMILAR_MS)
		group->count = 0;
	group->last_ms = now;
	for (size_t i = 0; i < group->count; i++)
		if (group->hashes[i] == hash)
			return false;
	if (group->count == SIMILAR_MAX)
		return true;
	group->hashes[group->count++] = hash;
	return false;
}

static struct event *combine(struct event *event)
{
	_cleanup_free_ char *message = NULL;
	struct event *combined;

	if (asprintf(&message, COMBINED_TEXT "%s", event->message) < 0)
		abort();
	combined = event_queue_make(&event->on, event->type, event->reason, message);
	combined->combined = true;
	combined->count = event->count;
	combined->first = event->first;
	combined->last = event->last;
	free(event);
	return combined;
}

/* The oldest that has nothing pending, else the oldest: room for another. */
static void make_room(struct event_writer *writer)
{
	struct lh_entry *slot = writer->series->head;

	while (slot && ((const struct series *)lh_entry_v(slot))->pending)
		slot = slot->next;
	forget_series(writer, lh_entry_v(slot ? slot : writer->series->head));
}

static struct series *get_series(struct event_writer *writer, const char *key)
{
	struct lh_entry *slot = lh_table_lookup_entry(writer->series, key);
	size_t length = strlen(key) + 1;
	struct series *series;

	if (slot)
		return lh_entry_v(slot);
	if (lh_table_length(writer->series) >= SERIES_MAX)
		make_room(writer);
	series = calloc(1, sizeof(*series) + length);
	if (!series)
		abort();
	memcpy(series->key, key, length);
	if (lh_table_insert(writer->series, series->key, series) < 0)
		abort();
	return series;
}

void event_writer_add(struct event_writer *writer, struct event *event, int64_t now)
{
	struct series *series;

	if (is_similar(writer, event, now))
		event = combine(event);
	series = get_series(writer, event->combined ? event->group : event->key);
	if (series->pending) {
		/* The last message of those that are combined is the one that shows. */
		event->count += series->pending->count;
		event->first = series->pending->first;
	}
	set_pending(writer, series, event);
	if (series->next_ms < writer->due_ms)
		writer->due_ms = series->next_ms;
}

int64_t event_writer_due(const struct event_writer *writer)
{
	if (writer->due_ms == NEVER)
		return NEVER;
	if (writer->hurry)
		return writer->flush ? 0 : writer->due_ms;
	return writer->due_ms > writer->resume_ms ? writer->due_ms : writer->resume_ms;
}

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static struct json_object *time_text(const struct timespec *when)
{
	char out[32];
	struct tm utc;

	gmtime_r(&when->tv_sec, &utc);
	strftime(out, sizeof(out), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text(out);
}

static struct json_object *involved_object(const struct event_reference *on)
{
	struct json_object *reference = json_object_new_object();

	json_object_object_add(reference, "apiVersion", text(on->api_version));
	json_object_object_add(reference, "kind", text(on->kind));
	json_object_object_add(reference, "name", text(on->name));
	if (*on->namespace)
		json_object_object_add(reference, "namespace", text(on->namespace));
	json_object_object_add(reference, "uid", text(on->uid));
	if (*on->resource_version)
		json_object_object_add(reference, "resourceVersion", text(on->resource_version));
	return reference;
}

/* Events of cluster-scoped objects live in the namespace "default". */
static const char *namespace_of(const struct event *event)
{
	return *event->on.namespace ? event->on.namespace : "default";
}

static struct json_object *make_json(
	const struct event_writer *writer, const struct event *event, const char *name)
{
	struct json_object *json = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *source = json_object_new_object();

	json_object_object_add(metadata, "name", text(name));
	json_object_object_add(metadata, "namespace", text(namespace_of(event)));
	json_object_object_add(source, "component", text(writer->component));
	json_object_object_add(json, "apiVersion", text("v1"));
	json_object_object_add(json, "kind", text("Event"));
	json_object_object_add(json, "metadata", metadata);
	json_object_object_add(json, "involvedObject", involved_object(&event->on));
	json_object_object_add(
		json, "type", text(event->type == EVENT_WARNING ? "Warning" : "Normal"));
	json_object_object_add(json, "reason", text(event->reason));
	json_object_object_add(json, "message", text(event->message));
	json_object_object_add(json, "source", source);
	json_object_object_add(json, "firstTimestamp", time_text(&event->first));
	json_object_object_add(json, "lastTimestamp", time_text(&event->last));
	json_object_object_add(json, "count", json_object_new_int(event->count));
	json_object_object_add(json, "reportingComponent", text(writer->component));
	json_object_object_add(json, "reportingInstance", text(writer->host.nodename));
	return json;
}

/* Make the request, whose body it consumes. */
static int call(struct event_writer *writer, struct rest_request *request, int timeout_ms,
	struct error *err)
{
	int result;

	request->low_priority = true;
	request->timeout_ms = timeout_ms;
	result = writer->api.call(writer->api.self, request, NULL, err);
	json_object_put(request->body);
	return result;
}

/* Sets the path where the event is there afterwards. */
static int send_new(
	struct event_writer *writer, struct series *series, int timeout_ms, struct error *err)
{
	const struct event *event = series->pending;
	struct rest_request request = {.method = "POST"};
	_cleanup_free_ char *collection = NULL, *name = NULL, *path = NULL;
	int result;

	/* As client-go names them: the object's name and the time in hexadecimal. The same at each
	 * attempt, so that one which had succeeded after all shows. */
	if (asprintf(&name, "%.200s.%llx", event->on.name,
		    (unsigned long long)event->first.tv_sec * 1000000000ULL +
			    (unsigned long long)event->first.tv_nsec) < 0 ||
		asprintf(&collection, "/api/v1/namespaces/%s/events", namespace_of(event)) < 0 ||
		asprintf(&path, "%s/%s", collection, name) < 0)
		abort();
	request.path = collection;
	request.body = make_json(writer, event, name);
	result = call(writer, &request, timeout_ms, err);
	if (result == 0 || err->kind == ERROR_ALREADY_EXISTS)
		series->path = take_ptr(path);
	return result;
}

static int send_count(
	struct event_writer *writer, const struct series *series, int timeout_ms, struct error *err)
{
	const struct event *event = series->pending;
	struct rest_request request = {.method = "PATCH",
		.path = series->path,
		.content_type = "application/merge-patch+json",
		.body = json_object_new_object()};

	json_object_object_add(
		request.body, "count", json_object_new_int(series->count + event->count));
	json_object_object_add(request.body, "lastTimestamp", time_text(&event->last));
	if (event->combined)
		json_object_object_add(request.body, "message", text(event->message));
	return call(writer, &request, timeout_ms, err);
}

static int send_pending(
	struct event_writer *writer, struct series *series, int timeout_ms, struct error *err)
{
	if (series->path) {
		if (send_count(writer, series, timeout_ms, err) == 0)
			return 0;
		if (err->kind != ERROR_NOT_FOUND)
			return -1;
		/* It has expired: the API server keeps events for an hour. */
		free(take_ptr(series->path));
		series->count = 0;
	}
	if (send_new(writer, series, timeout_ms, err) == 0)
		return 0;
	/* An attempt of ours whose answer was lost. Its count may be an older one. */
	return series->path ? send_count(writer, series, timeout_ms, err) : -1;
}

/* Whether a failure of KIND may pass. An API server that is there and busy is waited for as long as
 * it takes: it said that it wants to be asked again. */
static bool may_pass(enum error_kind kind, int *failures)
{
	if (kind == ERROR_TOO_MANY_REQUESTS)
		return true;
	return (kind == ERROR_UNAVAILABLE || kind == ERROR_TIMEOUT || kind == ERROR_CONFLICT) &&
	       (*failures)++ < RETRIES_MAX;
}

/* The pending of SERIES could not be written: later, or never. */
static int handle_failure(
	struct event_writer *writer, struct series *series, int64_t now, struct error *err)
{
	if (!writer->hurry && may_pass(err->kind, &series->failures)) {
		writer->back_off_ms = writer->back_off_ms ? 2 * writer->back_off_ms
							  : writer->options.retry_min_ms;
		if (writer->back_off_ms > RETRY_MAX_MS)
			writer->back_off_ms = RETRY_MAX_MS;
		writer->resume_ms = now + writer->back_off_ms;
		return 0;
	}
	error_prefix(err, "event %s on %s", series->pending->reason, series->pending->on.name);
	forget_series(writer, series);
	return -1;
}

/* One whose time has come, or NULL; and when the next one's may come. */
static struct series *find_due(struct event_writer *writer, int64_t now)
{
	struct series *series = TAILQ_FIRST(&writer->unwritten);

	writer->due_ms = NEVER;
	for (; series; series = TAILQ_NEXT(series, link)) {
		if (series->next_ms < writer->due_ms)
			writer->due_ms = series->next_ms;
		if (series->next_ms <= now)
			break;
	}
	return series;
}

bool event_writer_accepts(const struct event_writer *writer, int64_t now)
{
	return writer->hurry || now >= writer->resume_ms;
}

int event_writer_step(struct event_writer *writer, int64_t now, int timeout_ms, struct error *err)
{
	struct series *series = find_due(writer, writer->flush ? NEVER : now);

	if (!series)
		return 0;
	if (send_pending(writer, series, timeout_ms, err) < 0) {
		/* Unless it is given up, it is the next again. */
		writer->due_ms = now;
		return handle_failure(writer, series, now, err);
	}
	metrics_add(writer->options.metrics, METRIC_EVENTS_SENT, 1);
	series->count += series->pending->count;
	set_pending(writer, series, NULL);
	series->failures = 0;
	series->next_ms = now + writer->options.patch_every_ms;
	writer->back_off_ms = writer->resume_ms = 0;
	return 0;
}

void event_writer_hurry(struct event_writer *writer, bool flush)
{
	if (flush && !writer->flush)
		writer->due_ms = 0;
	writer->hurry = true;
	writer->flush = flush;
}
