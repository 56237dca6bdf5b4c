/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

struct store_entry {
	struct object *object;
	unsigned generation; /* of the list that named it last */
};

struct store {
	pthread_mutex_t lock;     /* guards all below */
	struct lh_table *entries; /* key, borrowed from the object -> struct store_entry */
	unsigned generation;
	store_handler *handler; /* not guarded: never changes */
	void *context;
};

struct store *store_new(store_handler *handler, void *context)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		abort();
	store->entries = lh_kchar_table_new(64, NULL);
	if (!store->entries)
		abort();
	pthread_mutex_init(&store->lock, NULL);
	store->handler = handler;
	store->context = context;
	return store;
}

static void drop(struct store *store, struct lh_entry *slot, struct object **ret_object)
{
	struct store_entry *entry = (struct store_entry *)lh_entry_v(slot);

	*ret_object = entry->object;
	lh_table_delete_entry(store->entries, slot);
	free(entry);
}

void store_free(struct store *store)
{
	while (store->entries->head) {
		struct object *object;

		drop(store, store->entries->head, &object);
		object_unref(object);
	}
	lh_table_free(store->entries);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* One that has only the name of another is not a change of it. */
static void notify(struct store *store, const struct object *old, const struct object *new)
{
	bool other = old && new &&strcmp(old->uid, new->uid);

	if (!store->handler)
		return;
	if (other)
		store->handler(store->context, old, NULL);
	if (old || new)
		store->handler(store->context, other ? NULL : old, new);
}

void store_set(struct store *store, struct object *object)
{
	_cleanup_object_ struct object *old = NULL;
	struct store_entry *entry = malloc(sizeof(*entry));
	struct lh_entry *slot;

	if (!entry)
		abort();
	pthread_mutex_lock(&store->lock);
	slot = lh_table_lookup_entry(store->entries, object->key);
	if (slot)
		drop(store, slot, &old);
	*entry = (struct store_entry){object_ref(object), store->generation};
	if (lh_table_insert(store->entries, object->key, entry) < 0)
		abort();
	pthread_mutex_unlock(&store->lock);
	notify(store, old, object);
}

void store_delete(struct store *store, const char *key)
{
	_cleanup_object_ struct object *old = NULL;
	struct lh_entry *slot;

	pthread_mutex_lock(&store->lock);
	slot = lh_table_lookup_entry(store->entries, key);
	if (slot)
		drop(store, slot, &old);
	pthread_mutex_unlock(&store->lock);
	notify(store, old, NULL);
}

void store_begin_replace(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->generation++;
	pthread_mutex_unlock(&store->lock);
}

/* Take one snapshot that the last list did not name. Setting moves an entry to the tail, so the
 * stale ones are all at the head. */
static struct object *take_stale(struct store *store)
{
	struct object *object = NULL;
	struct lh_entry *slot;

	pthread_mutex_lock(&store->lock);
	slot = store->entries->head;
	if (slot && ((const struct store_entry *)lh_entry_v(slot))->generation != store->generation)
		drop(store, slot, &object);
	pthread_mutex_unlock(&store->lock);
	return object;
}

void store_end_replace(struct store *store)
{
	struct object *object;

	while ((object = take_stale(store))) {
		notify(store, object, NULL);
		object_unref(object);
	}
}

void *store_get(struct store *store, const char *key)
{
	struct lh_entry *slot;
	struct object *object = NULL;

	pthread_mutex_lock(&store->lock);
	slot = lh_table_lookup_entry(store->entries, key);
	if (slot)
		object = object_ref(((const struct store_entry *)lh_entry_v(slot))->object);
	pthread_mutex_unlock(&store->lock);
	return object;
}

size_t store_count(struct store *store)
{
	size_t count;

	pthread_mutex_lock(&store->lock);
	count = (size_t)lh_table_length(store->entries);
	pthread_mutex_unlock(&store->lock);
	return count;
}

void store_each(
	struct store *store, void (*fn)(void *context, const struct object *object), void *context)
{
	struct lh_entry *slot;

	pthread_mutex_lock(&store->lock);
	for (slot = store->entries->head; slot; slot = slot->next)
		fn(context, ((const struct store_entry *)lh_entry_v(slot))->object);
	pthread_mutex_unlock(&store->lock);
}
