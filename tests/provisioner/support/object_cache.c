/* SPDX-License-Identifier: Apache-2.0 */
#include "object_cache.h"

#include <string.h>

#include "kubectl.h"
#include "testing.h"

const char *const object_cache_plurals[OBJECTS_KINDS] = {
	[OBJECTS_CLAIMS] = "persistentvolumeclaims",
	[OBJECTS_VOLUMES] = "persistentvolumes",
	[OBJECTS_CLASSES] = "storageclasses",
	[OBJECTS_NODES] = "nodes",
};

static void free_entry(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
	json_object_put((struct json_object *)lh_entry_v(entry));
}

struct json_object *object_cache_get(
	const struct object_cache *cache, enum cached_objects kind, const char *key)
{
	struct lh_entry *entry = lh_table_lookup_entry(cache->tables[kind], key);

	return entry ? (struct json_object *)lh_entry_v(entry) : NULL;
}

/* Keep JSON, which is taken, or with NULL forget what is there. */
static void set_cached(struct object_cache *cache, enum cached_objects kind, const char *key,
	struct json_object *json)
{
	struct lh_entry *entry = lh_table_lookup_entry(cache->tables[kind], key);

	if (entry)
		lh_table_delete_entry(cache->tables[kind], entry);
	if (json && lh_table_insert(cache->tables[kind], strdup(key), json) < 0)
		abort();
}

char *object_cache_key(struct json_object *json)
{
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	const char *namespace = json_string(metadata, "namespace");
	char *key;

	if (asprintf(&key, "%s%s%s", namespace ? namespace : "", namespace ? "/" : "",
		    json_string(metadata, "name")) < 0)
		abort();
	return key;
}

static void list_all(struct object_cache *cache)
{
	cache->follower.version = api_objects_version(cache->objects);
	for (enum cached_objects kind = 0; kind < OBJECTS_KINDS; kind++) {
		struct json_object *list = kubectl_list(cache->objects, object_cache_plurals[kind]);

		lh_table_free(cache->tables[kind]);
		cache->tables[kind] = lh_kchar_table_new(64, free_entry);
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *json = json_object_array_get_idx(list, i);
			_cleanup_free_ char *key = object_cache_key(json);

			set_cached(cache, kind, key, json_object_get(json));
		}
		json_object_put(list);
	}
}

static void take_in(struct object_cache *cache, const struct api_change *change)
{
	for (enum cached_objects kind = 0; kind < OBJECTS_KINDS; kind++)
		if (!strcmp(object_cache_plurals[kind], change->resource->plural))
			set_cached(cache, kind, change->key,
				change->type == API_DELETED
					? NULL
					: json_tokener_parse(change->text->text));
}

void object_cache_update(struct object_cache *cache, int timeout_ms)
{
	struct api_change change;
	enum api_follow result;

	while ((result = api_objects_follow(cache->objects, &cache->follower, timeout_ms,
			&change)) == API_FOLLOW_CHANGE) {
		take_in(cache, &change);
		api_change_done(&change);
		timeout_ms = 0;
	}
	if (result == API_FOLLOW_EXPIRED)
		list_all(cache);
}

void object_cache_init(struct object_cache *cache, struct api_objects *objects)
{
	*cache = (struct object_cache){.objects = objects};
	for (enum cached_objects kind = 0; kind < OBJECTS_KINDS; kind++)
		cache->tables[kind] = lh_kchar_table_new(64, free_entry);
	list_all(cache);
}

void object_cache_done(struct object_cache *cache)
{
	for (enum cached_objects kind = 0; kind < OBJECTS_KINDS; kind++)
		lh_table_free(cache->tables[kind]);
}
