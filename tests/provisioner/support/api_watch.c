/* SPDX-License-Identifier: Apache-2.0 */
#include "api_watch.h"

#include <string.h>
#include <time.h>

#include "testing.h"

#define BOOKMARK_MS 100
#define TIMEOUT_S   1800

static const char *const type_names[] = {
	[API_ADDED] = "ADDED",
	[API_MODIFIED] = "MODIFIED",
	[API_DELETED] = "DELETED",
};

enum going { GOING_ON, GOING_ENDED, GOING_BROKEN };

struct watch {
	const struct api_watch_host *host;
	struct api_http *http;
	struct api_request *request;
	struct api_follower follower;
	uint64_t told; /* the version that the client has seen */
	bool bookmarks;
	int64_t end_ms, bookmark_due_ms;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t bookmark_ms(const struct watch *watch)
{
	int ms = watch->host->options->bookmark_ms;

	return ms ? ms : BOOKMARK_MS;
}

static char *print_line(const char *type, const struct api_text *object, size_t *ret_length)
{
	char *line;
	int length = asprintf(&line, "{\"type\":\"%s\",\"object\":%s}\n", type, object->text);

	if (length < 0)
		abort();
	*ret_length = (size_t)length;
	return line;
}

static enum going send_line(struct watch *watch, const char *type, const struct api_text *object)
{
	size_t length;
	_cleanup_free_ char *line = print_line(type, object, &length);

	return api_http_chunk(watch->http, line, length) ? GOING_ON : GOING_BROKEN;
}

static struct api_answer expired(uint64_t version, uint64_t current)
{
	return api_answer_failure(410, "Expired", NULL, NULL,
		"too old resource version: %llu (%llu)", (unsigned long long)version,
		(unsigned long long)current);
}

static enum going send_expired(struct watch *watch)
{
	struct api_answer answer =
		expired(watch->follower.version, api_objects_version(watch->host->objects));
	enum going going = send_line(watch, "ERROR", answer.text);

	api_text_unref(answer.text);
	return going == GOING_ON ? GOING_ENDED : going;
}

static enum going send_half(struct watch *watch, const struct api_change *change)
{
	size_t length;
	_cleanup_free_ char *line = print_line(type_names[change->type], change->text, &length);

	api_http_half(watch->http, line, length);
	return GOING_BROKEN;
}

/* Two lines in one piece: a client that has the first has the second. */
static enum going send_pair(
	struct watch *watch, const struct api_change *first, const struct api_change *second)
{
	size_t length;
	_cleanup_free_ char *one = print_line(type_names[first->type], first->text, &length);
	_cleanup_free_ char *two = print_line(type_names[second->type], second->text, &length);
	_cleanup_free_ char *both = NULL;
	int size = asprintf(&both, "%s%s", one, two);

	if (size < 0)
		abort();
	return api_http_chunk(watch->http, both, (size_t)size) ? GOING_ON : GOING_BROKEN;
}

static enum going send_change(struct watch *watch, const struct api_change *change)
{
	return send_line(watch, type_names[change->type], change->text);
}

static enum going send_swapped(struct watch *watch, const struct api_change *change)
{
	struct api_change next;
	enum going going;

	/* A wake makes it return at once; what is there already comes anyway. */
	if (api_objects_follow(watch->host->objects, &watch->follower, 1, &next) !=
		API_FOLLOW_CHANGE)
		return send_change(watch, change);
	going = strcmp(next.key, change->key) != 0 ? send_pair(watch, &next, change)
						   : send_pair(watch, change, &next);
	api_change_done(&next);
	return going;
}

/* The client holds the connection, and hears nothing any more. */
static enum going keep_silent(struct watch *watch)
{
	while (!watch->host->is_stopping(watch->host->server) && api_http_is_open(watch->http))
		watch->host->stall(watch->host->server, 50);
	return GOING_BROKEN;
}

static struct api_fault decide(struct watch *watch, const struct api_change *change)
{
	const struct api_server_options *options = watch->host->options;

	watch->request->event++;
	watch->request->change = type_names[change->type];
	return options->decide ? options->decide(options->context, watch->request, true)
			       : (struct api_fault){0};
}

static enum going send_garbage(struct watch *watch)
{
	static const char garbage[] = "\x01\xff{]garbage\n";

	return api_http_chunk(watch->http, garbage, strlen(garbage)) ? GOING_ENDED : GOING_BROKEN;
}

static enum going tell(struct watch *watch, const struct api_change *change)
{
	struct api_fault fault = decide(watch, change);

	switch (fault.kind) {
	case API_FAULT_STALL:
		watch->host->stall(watch->host->server, fault.value);
		return send_change(watch, change);
	case API_FAULT_DUPLICATE:
		return send_pair(watch, change, change);
	case API_FAULT_SWAP:
		return send_swapped(watch, change);
	case API_FAULT_END:
		return GOING_ENDED;
	case API_FAULT_EXPIRED:
		return send_expired(watch);
	case API_FAULT_GARBAGE:
		return send_garbage(watch);
	case API_FAULT_CUT_INSIDE:
	case API_FAULT_TRUNCATED:
		return send_half(watch, change);
	case API_FAULT_SILENT:
		return keep_silent(watch);
	case API_FAULT_CUT:
		return GOING_BROKEN;
	default:
		return send_change(watch, change);
	}
}

static enum going send_bookmark(struct watch *watch)
{
	const struct api_resource *resource = watch->follower.selector.resource;
	char text[256];
	int length = snprintf(text, sizeof(text),
		"{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",\"metadata\":{\"resourceVersion\":"
		"\"%llu\",\"creationTimestamp\":null}}",
		resource->kind, resource->group, *resource->group ? "/" : "", resource->version,
		(unsigned long long)watch->follower.version);
	struct api_text *object = api_text_new(text, (size_t)length);
	enum going going = send_line(watch, "BOOKMARK", object);

	api_text_unref(object);
	watch->told = watch->follower.version;
	return going;
}

/* Nothing happened: is the client there, and is there news for it after all? */
static enum going idle(struct watch *watch)
{
	if (!api_http_is_open(watch->http))
		return GOING_BROKEN;
	if (!watch->bookmarks || watch->follower.version == watch->told ||
		now_ms() < watch->bookmark_due_ms)
		return GOING_ON;
	watch->bookmark_due_ms = now_ms() + bookmark_ms(watch);
	return send_bookmark(watch);
}

static enum going step(struct watch *watch)
{
	struct api_change change;
	enum going going;

	switch (api_objects_follow(
		watch->host->objects, &watch->follower, (int)bookmark_ms(watch), &change)) {
	case API_FOLLOW_CHANGE:
		going = tell(watch, &change);
		api_change_done(&change);
		watch->told = watch->follower.version;
		return going;
	case API_FOLLOW_EXPIRED:
		return send_expired(watch);
	default:
		return idle(watch);
	}
}

static bool finish(struct watch *watch, enum going going)
{
	if (going == GOING_BROKEN)
		return false;
	if (going == GOING_ON && watch->bookmarks && watch->follower.version != watch->told &&
		send_bookmark(watch) != GOING_ON)
		return false;
	return api_http_end(watch->http);
}

static bool stream(struct watch *watch)
{
	const struct api_watch_host *host = watch->host;
	enum going going = GOING_ON;

	while (going == GOING_ON && now_ms() < watch->end_ms) {
		host->progress(host->connection, watch->follower.selector.resource,
			watch->follower.version);
		if (host->is_stopping(host->server))
			going = GOING_BROKEN;
		else
			going = step(watch);
	}
	host->progress(host->connection, NULL, 0);
	return finish(watch, going);
}

/* Lists leave out what the items are; events do not. */
static struct api_text *text_of_item(const struct api_resource *resource, struct json_object *item)
{
	char version[96];

	snprintf(version, sizeof(version), "%s%s%s", resource->group, *resource->group ? "/" : "",
		resource->version);
	json_object_object_add(item, "kind", json_object_new_string(resource->kind));
	json_object_object_add(item, "apiVersion", json_object_new_string(version));
	return api_text_of(item);
}

/* A watch from no version begins with all that there is. */
static bool stream_state(struct watch *watch)
{
	struct api_answer answer =
		api_objects_list(watch->host->objects, &watch->follower.selector, 0, "");
	struct json_object *list = json_tokener_parse(answer.text->text);
	struct json_object *items = json_member(list, "items", json_type_array);
	bool sent = true;

	watch->follower.version = strtoull(
		json_string(json_member(list, "metadata", json_type_object), "resourceVersion"),
		NULL, 10);
	for (size_t i = 0; sent && i < json_object_array_length(items); i++) {
		struct api_text *text = text_of_item(
			watch->follower.selector.resource, json_object_array_get_idx(items, i));

		sent = send_line(watch, "ADDED", text) == GOING_ON;
		api_text_unref(text);
	}
	json_object_put(list);
	api_text_unref(answer.text);
	return sent;
}

static bool is_expired(struct watch *watch)
{
	struct api_follower follower = watch->follower;
	struct api_change change;
	enum api_follow result = api_objects_follow(watch->host->objects, &follower, 0, &change);

	if (result == API_FOLLOW_CHANGE)
		api_change_done(&change);
	return result == API_FOLLOW_EXPIRED;
}

static bool refuse(struct watch *watch, int *ret_code)
{
	struct api_answer answer =
		expired(watch->follower.version, api_objects_version(watch->host->objects));
	bool kept = api_http_answer(watch->http, &answer, API_FAULT_NONE);

	*ret_code = answer.code;
	api_text_unref(answer.text);
	return kept;
}

bool api_watch_serve(const struct api_watch_host *host, struct api_http *http,
	const struct api_selector *selector, struct api_request *request, int *ret_code)
{
	_cleanup_free_ char *version = api_http_parameter(http, "resourceVersion");
	_cleanup_free_ char *timeout = api_http_parameter(http, "timeoutSeconds");
	_cleanup_free_ char *bookmarks = api_http_parameter(http, "allowWatchBookmarks");
	struct watch watch = {
		.host = host,
		.http = http,
		.request = request,
		.follower = {.selector = *selector, .version = strtoull(version, NULL, 10)},
		.bookmarks = !strcmp(bookmarks, "true") || !strcmp(bookmarks, "1"),
		.end_ms = now_ms() + 1000 * (*timeout ? strtoll(timeout, NULL, 10) : TIMEOUT_S),
	};

	watch.bookmark_due_ms = now_ms() + bookmark_ms(&watch);
	if (*version && strcmp(version, "0") != 0 && !host->options->expired_as_event &&
		is_expired(&watch))
		return refuse(&watch, ret_code);
	*ret_code = 200;
	watch.told = watch.follower.version;
	if (!api_http_begin(http))
		return false;
	if (*version && strcmp(version, "0") != 0)
		return stream(&watch);
	return stream_state(&watch) && stream(&watch);
}
