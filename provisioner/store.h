/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keyed cache of the snapshots of one kind of object. The reflector writes it; any thread reads.
 */
#ifndef ORDINAL_STORE_H
#define ORDINAL_STORE_H

#include "objects.h"

struct store;

/* Told of every change, on the thread that made it, without the store's lock: OLD is NULL for a
 * new object, NEW for one that is gone; one with the key of another but its own UID is told of as
 * both, one after the other. Both are borrowed for the call. */
typedef void store_handler(void *context, const struct object *old, const struct object *new);

/* HANDLER may be NULL. Caller frees. */
struct store *store_new(store_handler *handler, void *context);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free);

/* Keep OBJECT (one more reference is taken) in place of what has its key. */
void store_set(struct store *store, struct object *object);

/* Forget what has KEY, if anything. */
void store_delete(struct store *store, const char *key);

/* A full list is set between these two: afterwards what it did not name is forgotten. Only one
 * list may be under way. */
void store_begin_replace(struct store *store);
void store_end_replace(struct store *store);

/* What has KEY, or NULL. Caller unrefs. */
void *store_get(struct store *store, const char *key);

size_t store_count(struct store *store);

/* Call FN for each snapshot, under the store's lock: FN must not call the store. */
void store_each(
	struct store *store, void (*fn)(void *context, const struct object *object), void *context);

#endif
