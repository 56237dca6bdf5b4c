/* SPDX-License-Identifier: Apache-2.0 */
#include "config_map.h"

#include <string.h>

#include "names.h"
#include "objects.h"

#define HOLDER_KEY ORDINAL_KEY_PREFIX "holder"
#define TRIES_MAX  4 /* against others who write labels, or late writes of ours */

struct config_map {
	struct kube_api api;
	char *holder;
	char *collection, *path;
	char *label;
	char *version, *uid; /* as last seen; what the next write follows */
};

static char *copy(const char *text)
{
	char *made = strdup(text ? text : "");

	if (!made)
		abort();
	return made;
}

struct config_map *config_map_new(
	const struct kube_api *api, const char *namespace, const char *name, const char *holder)
{
	struct config_map *map = calloc(1, sizeof(*map));

	if (!map)
		abort();
	map->api = *api;
	map->holder = copy(holder);
	if (asprintf(&map->collection, "/api/v1/namespaces/%s/configmaps", namespace) < 0 ||
		asprintf(&map->path, "%s/%s", map->collection, name) < 0 ||
		asprintf(&map->label, "%s/%s", namespace, name) < 0)
		abort();
	return map;
}

void config_map_free(struct config_map *map)
{
	free(map->holder);
	free(map->collection);
	free(map->path);
	free(map->label);
	free(map->version);
	free(map->uid);
	free(map);
}

const char *config_map_label(const struct config_map *map)
{
	return map->label;
}

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static void note_version(struct config_map *map, struct json_object *object)
{
	struct json_object *metadata = json_member(object, "metadata", json_type_object);

	free(map->version);
	free(map->uid);
	map->version = copy(json_string(metadata, "resourceVersion"));
	map->uid = copy(json_string(metadata, "uid"));
}

static struct json_object *holder_annotation(const struct config_map *map)
{
	struct json_object *annotations = json_object_new_object();

	json_object_object_add(annotations, HOLDER_KEY, text(map->holder));
	return annotations;
}

static int get(struct config_map *map, struct json_object **ret_object, struct error *err)
{
	struct rest_request request = {.method = "GET", .path = map->path};

	return map->api.call(map->api.self, &request, ret_object, err);
}

/* Make it with DATA, which is borrowed; NULL: none. */
static int post(struct config_map *map, struct json_object *data, struct json_object **ret_object,
	struct error *err)
{
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct rest_request request = {.method = "POST", .path = map->collection, .body = body};
	int result;

	json_object_object_add(metadata, "name", text(strrchr(map->path, '/') + 1));
	json_object_object_add(metadata, "annotations", holder_annotation(map));
	json_object_object_add(body, "apiVersion", text("v1"));
	json_object_object_add(body, "kind", text("ConfigMap"));
	json_object_object_add(body, "metadata", metadata);
	if (data)
		json_object_object_add(body, "data", json_object_get(data));
	result = map->api.call(map->api.self, &request, ret_object, err);
	json_object_put(body);
	/* Somebody was quicker. */
	if (result < 0 && err->kind == ERROR_ALREADY_EXISTS)
		err->kind = ERROR_CONFLICT;
	return result;
}

/* Change what DATA, which is borrowed, names, if the ConfigMap is still as we know it. With DATA
 * the answer need not be whole: we know them. */
static int patch(struct config_map *map, struct json_object *data, struct json_object **ret_object,
	struct error *err)
{
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct rest_request request = {.method = "PATCH",
		.path = map->path,
		.content_type = "application/merge-patch+json",
		.body = body,
		.metadata_only = data != NULL};
	int result;

	json_object_object_add(metadata, "resourceVersion", text(map->version));
	json_object_object_add(metadata, "uid", text(map->uid));
	json_object_object_add(metadata, "annotations", holder_annotation(map));
	json_object_object_add(body, "metadata", metadata);
	if (data)
		json_object_object_add(body, "data", json_object_get(data));
	result = map->api.call(map->api.self, &request, ret_object, err);
	json_object_put(body);
	return result;
}

static int take_over(struct config_map *map, struct json_object **ret_object, struct error *err)
{
	struct json_object *object;

	if (get(map, &object, err) == 0) {
		note_version(map, object);
		json_object_put(object);
		return patch(map, NULL, ret_object, err);
	}
	return err->kind == ERROR_NOT_FOUND ? post(map, NULL, ret_object, err) : -1;
}

int config_map_take_over(struct config_map *map, struct json_object **ret_object, struct error *err)
{
	int result;

	for (int i = 0;; i++) {
		result = take_over(map, ret_object, err);
		/* A conflict is the last write of whoever had it before. */
		if (result == 0 || err->kind != ERROR_CONFLICT || i == TRIES_MAX)
			break;
	}
	if (result < 0)
		return error_prefix(err, "ConfigMap %s", map->label);
	note_version(map, *ret_object);
	return 0;
}

/* Somebody wrote it: we, in a write whose answer was lost; somebody who only adds a label; or who
 * took it over. */
static int catch_up(struct config_map *map, struct error *err)
{
	struct json_object *object, *metadata;
	const char *holder;
	int result = 0;

	if (get(map, &object, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1;
	metadata = json_member(object, "metadata", json_type_object);
	holder = json_string(json_member(metadata, "annotations", json_type_object), HOLDER_KEY);
	if (holder && !strcmp(holder, map->holder))
		note_version(map, object);
	else
		result = error_set(err, ERROR_ABORTED, "another process, %s, writes it now",
			holder ? holder : "which is not named");
	json_object_put(object);
	return result;
}

static int restore(struct config_map *map, struct json_object *(*make_all)(void *context),
	void *context, struct json_object **ret_object, struct error *err)
{
	struct json_object *all = make_all(context);
	int result = post(map, all, ret_object, err);

	json_object_put(all);
	return result;
}

int config_map_write(struct config_map *map, struct json_object *data,
	struct json_object *(*make_all)(void *context), void *context, struct error *err)
{
	struct json_object *object = NULL;
	int result;

	for (int i = 0;; i++) {
		result = patch(map, data, &object, err);
		if (result < 0 && err->kind == ERROR_NOT_FOUND)
			result = restore(map, make_all, context, &object, err);
		if (result == 0 || err->kind != ERROR_CONFLICT || i == TRIES_MAX ||
			catch_up(map, err) < 0)
			break;
	}
	if (result < 0)
		return error_prefix(err, "ConfigMap %s", map->label);
	note_version(map, object);
	json_object_put(object);
	return 0;
}
