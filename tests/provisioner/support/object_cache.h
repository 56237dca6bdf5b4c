/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulated controller-manager knows of the objects: their JSON as of the last update. One
 * thread at a time.
 */
#ifndef ORDINAL_TESTS_OBJECT_CACHE_H
#define ORDINAL_TESTS_OBJECT_CACHE_H

#include <json-c/linkhash.h>

#include "api_objects.h"

enum cached_objects {
	OBJECTS_CLAIMS,
	OBJECTS_VOLUMES,
	OBJECTS_CLASSES,
	OBJECTS_NODES,
	OBJECTS_KINDS,
};

extern const char *const object_cache_plurals[OBJECTS_KINDS];

struct object_cache {
	struct api_objects *objects;
	struct api_follower follower;
	struct lh_table *tables[OBJECTS_KINDS]; /* key -> JSON */
};

/* OBJECTS must outlive it. */
void object_cache_init(struct object_cache *cache, struct api_objects *objects);
void object_cache_done(struct object_cache *cache);

/* Take in what changed; waits up to TIMEOUT_MS for the first change. */
void object_cache_update(struct object_cache *cache, int timeout_ms);

/* The object of that key, or NULL. Borrowed until the next update. */
struct json_object *object_cache_get(
	const struct object_cache *cache, enum cached_objects kind, const char *key);

/* The key of an object, NAME or NAMESPACE/NAME. Caller frees. */
char *object_cache_key(struct json_object *json);

#endif
