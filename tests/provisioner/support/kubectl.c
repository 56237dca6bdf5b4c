/* SPDX-License-Identifier: Apache-2.0 */
#include "kubectl.h"

#include <string.h>
#include <time.h>

#include "testing.h"

#define WAIT_S 20

static struct json_object *format_json(const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return json_of(text);
}

static struct api_path path_of(const char *plural, const char *name)
{
	struct api_path path = {.resource = api_resources_find(plural)};
	const char *slash = strchr(name, '/');

	snprintf(path.name, sizeof(path.name), "%s", slash ? slash + 1 : name);
	if (slash)
		snprintf(path.namespace, sizeof(path.namespace), "%.*s", (int)(slash - name), name);
	return path;
}

/* The path of what BODY says it is. Where it says no namespace that is "default". */
static struct api_path path_in(const char *plural, struct json_object *body)
{
	struct json_object *metadata = json_member(body, "metadata", json_type_object);
	struct api_path path = {.resource = api_resources_find(plural)};
	const char *name = json_string(metadata, "name");
	const char *namespace = json_string(metadata, "namespace");

	snprintf(path.name, sizeof(path.name), "%s", name ? name : "");
	if (!path.resource->cluster)
		snprintf(path.namespace, sizeof(path.namespace), "%s",
			namespace ? namespace : "default");
	return path;
}

static int run(struct api_objects *objects, const struct api_call *call)
{
	struct api_answer answer = api_verbs_call(objects, call);

	api_text_unref(answer.text);
	return answer.code;
}

static int write_object(struct api_objects *objects, enum api_verb verb, const char *plural,
	const char *format, va_list args)
{
	struct json_object *body = format_json(format, args);
	struct api_call call = {
		.verb = verb, .path = path_in(plural, body), .body = body, .raw = true};
	int code = run(objects, &call);

	json_object_put(body);
	return code;
}

int kubectl_create(struct api_objects *objects, const char *plural, const char *format, ...)
{
	va_list args;
	int code;

	va_start(args, format);
	code = write_object(objects, API_CREATE, plural, format, args);
	va_end(args);
	return code;
}

int kubectl_update(struct api_objects *objects, const char *plural, const char *format, ...)
{
	va_list args;
	int code;

	va_start(args, format);
	code = write_object(objects, API_UPDATE, plural, format, args);
	va_end(args);
	return code;
}

int kubectl_delete(struct api_objects *objects, const char *plural, const char *name)
{
	const struct api_call call = {.verb = API_DELETE, .path = path_of(plural, name)};

	return run(objects, &call);
}

int kubectl_patch(
	struct api_objects *objects, const char *plural, const char *name, const char *format, ...)
{
	struct api_call call = {
		.verb = API_PATCH_MERGE, .path = path_of(plural, name), .raw = true};
	va_list args;
	int code;

	va_start(args, format);
	call.body = format_json(format, args);
	va_end(args);
	code = run(objects, &call);
	json_object_put(call.body);
	return code;
}

struct json_object *kubectl_get(struct api_objects *objects, const char *plural, const char *name)
{
	const struct api_call call = {.verb = API_GET, .path = path_of(plural, name)};
	struct api_answer answer = api_verbs_call(objects, &call);
	struct json_object *json = NULL;

	if (answer.code == 200)
		json = json_tokener_parse(answer.text->text);
	api_text_unref(answer.text);
	return json;
}

struct json_object *kubectl_list(struct api_objects *objects, const char *plural)
{
	const struct api_selector selector = {.resource = api_resources_find(plural)};
	struct api_answer answer = api_objects_list(objects, &selector, 0, "");
	struct json_object *list = json_tokener_parse(answer.text->text);
	struct json_object *items = json_object_get(json_member(list, "items", json_type_array));

	json_object_put(list);
	api_text_unref(answer.text);
	return items;
}

size_t kubectl_count(struct api_objects *objects, const char *plural)
{
	size_t collection = (size_t)(api_resources_find(plural) - api_resources), count;

	pthread_mutex_lock(&objects->lock);
	count = objects->collections[collection].count;
	pthread_mutex_unlock(&objects->lock);
	return count;
}

char *kubectl_text(
	struct api_objects *objects, const char *plural, const char *name, const char *path)
{
	struct json_object *object = kubectl_get(objects, plural, name), *at = object;
	_cleanup_free_ char *copy = strdup(path);
	char *saved, *text;

	for (char *key = strtok_r(copy, ".", &saved); key && at; key = strtok_r(NULL, ".", &saved))
		if (!json_object_is_type(at, json_type_object) ||
			!json_object_object_get_ex(at, key, &at))
			at = NULL;
	text = strdup(at ? json_object_get_string(at) : "");
	json_object_put(object);
	return text;
}

bool kubectl_wait(struct api_objects *objects,
	bool (*condition)(struct api_objects *objects, void *context), void *context)
{
	struct api_follower follower = {.version = api_objects_version(objects)};
	struct timespec now, end;
	struct api_change change;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_S;
	do {
		enum api_follow result;

		if (condition(objects, context))
			return true;
		/* Not only changes matter to conditions: a driver's volumes are none. */
		result = api_objects_follow(objects, &follower, 10, &change);
		if (result == API_FOLLOW_CHANGE)
			api_change_done(&change);
		else if (result == API_FOLLOW_EXPIRED)
			follower.version = api_objects_version(objects);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec <= end.tv_sec);
	return false;
}
