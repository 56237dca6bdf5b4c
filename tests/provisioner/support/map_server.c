/* SPDX-License-Identifier: Apache-2.0 */
#include "map_server.h"

#include <string.h>

#include "objects.h"

static struct json_object *metadata_of(struct json_object *object)
{
	return json_member(object, "metadata", json_type_object);
}

static void set_member(struct json_object *object, const char *key, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	json_object_object_add(object, key, json_object_new_string(text));
}

static void stamp(struct map_server *server)
{
	set_member(metadata_of(server->map), "resourceVersion", ++server->version);
	set_member(metadata_of(server->map), "uid", server->uid);
	server->writes++;
}

static int create(struct map_server *server, struct json_object *body, struct error *err)
{
	if (server->map)
		return error_set(err, ERROR_ALREADY_EXISTS, "it exists");
	json_object_deep_copy(body, &server->map, NULL);
	server->uid++;
	stamp(server);
	return 0;
}

static void merge(struct json_object *into, struct json_object *from)
{
	json_object_object_foreach(from, key, value)
	{
		if (value)
			json_object_object_add(into, key, json_object_get(value));
		else
			json_object_object_del(into, key);
	}
}

static struct json_object *member_or_new(struct json_object *object, const char *key)
{
	struct json_object *member = json_member(object, key, json_type_object);

	if (!member) {
		member = json_object_new_object();
		json_object_object_add(object, key, member);
	}
	return member;
}

static bool same(struct json_object *a, struct json_object *b, const char *key)
{
	return !strcmp(json_string(a, key), json_string(b, key));
}

static int patch(struct map_server *server, struct json_object *body, struct error *err)
{
	struct json_object *asked = metadata_of(body), *is;
	struct json_object *data = json_member(body, "data", json_type_object);

	if (!server->map)
		return error_set(err, ERROR_NOT_FOUND, "it is gone");
	is = metadata_of(server->map);
	if (!same(asked, is, "uid") || !same(asked, is, "resourceVersion"))
		return error_set(err, ERROR_CONFLICT, "it changed");
	merge(member_or_new(is, "annotations"),
		json_member(asked, "annotations", json_type_object));
	if (data)
		merge(member_or_new(server->map, "data"), data);
	stamp(server);
	return 0;
}

static int write_map(
	struct map_server *server, const struct rest_request *request, struct error *err)
{
	enum error_kind before = server->before, after = server->after;
	int result;

	server->before = server->after = ERROR_NONE;
	if (before)
		return error_set(err, before, "failed before");
	result = !strcmp(request->method, "POST") ? create(server, request->body, err)
						  : patch(server, request->body, err);
	return after ? error_set(err, after, "failed after") : result;
}

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct map_server *server = self;
	int result = 0;

	pthread_mutex_lock(&server->lock);
	server->waiting++;
	while (server->holding)
		pthread_cond_wait(&server->released, &server->lock);
	server->waiting--;
	if (strcmp(request->method, "GET"))
		result = write_map(server, request, err);
	else if (!server->map)
		result = error_set(err, ERROR_NOT_FOUND, "there is none");
	if (result == 0) {
		*ret_body = NULL;
		json_object_deep_copy(server->map, ret_body, NULL);
	}
	pthread_mutex_unlock(&server->lock);
	return result;
}

void map_server_init(struct map_server *server)
{
	*server = (struct map_server){.version = 1};
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->released, NULL);
}

void map_server_done(struct map_server *server)
{
	json_object_put(server->map);
	pthread_cond_destroy(&server->released);
	pthread_mutex_destroy(&server->lock);
}

void map_server_hold(struct map_server *server, bool holding)
{
	pthread_mutex_lock(&server->lock);
	server->holding = holding;
	pthread_cond_broadcast(&server->released);
	pthread_mutex_unlock(&server->lock);
}

bool map_server_waits(void *context)
{
	struct map_server *server = context;
	bool waits;

	pthread_mutex_lock(&server->lock);
	waits = server->waiting > 0;
	pthread_mutex_unlock(&server->lock);
	return waits;
}

const char *map_server_value(struct map_server *server, const char *key)
{
	return json_string(json_member(server->map, "data", json_type_object), key);
}

void map_server_put(struct map_server *server, const char *key, const char *value)
{
	json_object_object_add(
		member_or_new(server->map, "data"), key, json_object_new_string(value));
}

struct kube_api map_server_api(struct map_server *server)
{
	return (struct kube_api){call, server};
}
