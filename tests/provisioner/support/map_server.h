/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server with room for one ConfigMap, and with faults: what the journal is tested with.
 */
#ifndef ORDINAL_TESTS_MAP_SERVER_H
#define ORDINAL_TESTS_MAP_SERVER_H

#include <pthread.h>

#include "rest_client.h"

struct map_server {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t released;
	struct json_object *map; /* or NULL */
	int version, uid;
	int writes;             /* that were applied */
	enum error_kind before; /* the next write fails so, unapplied, ... */
	enum error_kind after;  /* ... or so, applied */
	bool holding;
	int waiting;
};

void map_server_init(struct map_server *server);
void map_server_done(struct map_server *server);

struct kube_api map_server_api(struct map_server *server);

/* Make all requests wait, or let them go on. */
void map_server_hold(struct map_server *server, bool hold);

/* Whether some request waits. Has the form of wait_until()'s condition. */
bool map_server_waits(void *server);

/* The value of KEY in the ConfigMap, or NULL. Borrowed. Not while requests are made. */
const char *map_server_value(struct map_server *server, const char *key);

/* Put KEY there, as somebody else would. */
void map_server_put(struct map_server *server, const char *key, const char *value);

#endif
