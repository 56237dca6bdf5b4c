/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the reflector share: one of a scripted server, and what it tells of the
 * volumes. */
#ifndef ORDINAL_TESTS_REFLECTOR_FIXTURE_H
#define ORDINAL_TESTS_REFLECTOR_FIXTURE_H

#include <pthread.h>
#include <string.h>

#include "http_server.h"
#include "reflector.h"
#include "testing.h"

#define LIST  "GET /api/v1/persistentvolumes?limit=500 "
#define NEXT  "GET /api/v1/persistentvolumes?limit=500&continue="
#define WATCH "GET /api/v1/persistentvolumes?watch=true&allowWatchBookmarks=true&resourceVersion="

#define OBJECT(name, version)                                                                      \
	"{'metadata': {'name': '" name "', 'uid': 'u', 'resourceVersion': '" version "'}}"
#define PAGE(version, more, items)                                                                 \
	"{'metadata': {'resourceVersion': '" version "'" more "}, 'items': [" items "]}"
#define EVENT(type, name, version) "{'type': '" type "', 'object': " OBJECT(name, version) "}\n"
#define BOOKMARK(version)                                                                          \
	"{'type': 'BOOKMARK', 'object': {'metadata': {'resourceVersion': '" version "'}}}\n"

/* A reflector of a scripted server, and what it told of the volumes: "+a1 ~a1>2 -a2 ". */
struct fixture {
	struct http_server *server;
	struct kube_config config;
	struct rest_client *client;
	struct store *store;
	struct reflector *reflector;
	pthread_mutex_t lock; /* guards the text */
	char text[1024];
	const char *wanted;
};

static void tell(void *context, const struct object *old, const struct object *new)
{
	struct fixture *fixture = context;
	size_t length;
	char *at;

	pthread_mutex_lock(&fixture->lock);
	length = strlen(fixture->text);
	at = fixture->text + length;
	if (old && new)
		snprintf(at, sizeof(fixture->text) - length, "~%s%s>%s ", old->key,
			old->resource_version, new->resource_version);
	else
		snprintf(at, sizeof(fixture->text) - length, "%c%s%s ", new ? '+' : '-',
			(new ? new : old)->key, (new ? new : old)->resource_version);
	pthread_mutex_unlock(&fixture->lock);
}

static const struct reflector_limits quick = {.back_off_ms = 20};

/* A reflector with these LIMITS of TYPE, which the server may lack if it is OPTIONAL. */
static void begin_with(struct fixture *fixture, const struct http_step *steps, size_t count,
	const struct reflector_limits *limits, const struct object_type *type, bool optional)
{
	*fixture = (struct fixture){.server = http_server_start(steps, count)};
	pthread_mutex_init(&fixture->lock, NULL);
	fixture->config.server = (char *)http_server_url(fixture->server);
	fixture->client = rest_client_new(&fixture->config);
	fixture->store = store_new(tell, fixture);
	fixture->reflector = reflector_new(fixture->client);
	if (optional)
		reflector_add_optional(fixture->reflector, type, fixture->store);
	else
		reflector_add(fixture->reflector, type, fixture->store);
	reflector_limit(fixture->reflector, limits);
	reflector_start(fixture->reflector);
}

static void begin(struct fixture *fixture, const struct http_step *steps, size_t count)
{
	begin_with(fixture, steps, count, &quick, &volume_type, false);
}

static void end(struct fixture *fixture)
{
	reflector_stop(fixture->reflector);
	reflector_free(fixture->reflector);
	store_free(fixture->store);
	rest_client_free(fixture->client);
	http_server_stop(fixture->server);
	pthread_mutex_destroy(&fixture->lock);
}

static bool has_told(void *context)
{
	struct fixture *fixture = context;
	bool told;

	pthread_mutex_lock(&fixture->lock);
	told = !strcmp(fixture->text, fixture->wanted);
	pthread_mutex_unlock(&fixture->lock);
	return told;
}

/* Wait until exactly TEXT was told, and until COUNT requests came. */
static void expect(struct fixture *fixture, const char *text, size_t count)
{
	fixture->wanted = text;
	if (!wait_until(has_told, fixture))
		assert_string_equal(fixture->text, text);
	assert_true(http_server_wait(fixture->server, count));
}

#endif
