/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests' API server stores: the objects, the history of their changes from which watches
 * are served, and the snapshots from which lists are paged. It outlives the server, which may be
 * stopped and started. Any thread may call; all is guarded by one lock.
 */
#ifndef ORDINAL_TESTS_API_OBJECTS_H
#define ORDINAL_TESTS_API_OBJECTS_H

#include <pthread.h>
#include <stdint.h>

#include "api_resources.h"
#include "cleanup.h"

struct api_item {
	char *key; /* NAME or NAMESPACE/NAME */
	struct json_object *json;
	struct api_text *text; /* of the same */
};

enum api_change_type { API_ADDED, API_MODIFIED, API_DELETED };

struct api_change {
	enum api_change_type type;
	const struct api_resource *resource;
	char *key;
	struct api_text *text; /* the object afterwards; of a deleted one, its last state */
};

struct api_snapshot;

struct api_objects_options {
	uint32_t seed;       /* of the UIDs: one seed, the same UIDs in the same order */
	bool no_snapshots;   /* the group snapshot.storage.k8s.io is not installed */
	bool no_protection;  /* admission puts no finalizers on volumes and claims */
	size_t history;      /* how many changes are kept; 0: 100,000 */
	size_t snapshot_max; /* how many paged lists can go on at a time; 0: 32 */
};

struct api_objects {
	struct api_objects_options options; /* constant */
	pthread_mutex_t lock;               /* guards all below */
	pthread_cond_t changed;             /* CLOCK_MONOTONIC */
	struct {
		struct api_item *items; /* sorted by key */
		size_t count, room;
	} collections[API_RESOURCES];
	uint64_t version; /* of the last change */
	struct api_change *changes;
	size_t change_count, change_room; /* change i made version - change_count + 1 + i */
	struct api_snapshot *snapshots;   /* newest first */
	uint64_t uids, snapshot_ids, wakes;
};

/* With the namespaces default and kube-system in it. OPTIONS may be NULL. Caller frees, when no
 * other thread uses it any more. */
struct api_objects *api_objects_new(const struct api_objects_options *options);
void api_objects_free(struct api_objects *objects);
DEFINE_CLEANUP(struct api_objects *, api_objects_free);

/* The following are called with the lock held. */

/* The object of that key, or NULL. Borrowed until the next change of the collection. */
struct api_item *api_objects_find(
	struct api_objects *objects, const struct api_resource *resource, const char *key);

/* Store JSON, which is taken, as ADDED (there is no such key), MODIFIED or DELETED (there is); it
 * gets its resourceVersion here. Its text, borrowed from the history. */
struct api_text *api_objects_commit(struct api_objects *objects, enum api_change_type type,
	const struct api_resource *resource, const char *key, struct json_object *json);

void api_objects_make_uid(struct api_objects *objects, char out[static 40]);

/* The following take the lock. */

/* What of a collection a list or a watch is about. */
struct api_selector {
	const struct api_resource *resource; /* NULL: all changes, of every resource */
	char namespace[64];                  /* "": all */
	char name[254];                      /* "": all */
};

/* LIMIT 0: all of it. CONTINUE_TOKEN may be "". */
struct api_answer api_objects_list(struct api_objects *objects, const struct api_selector *selector,
	size_t limit, const char *continue_token);

/* Somebody who follows the changes. */
struct api_follower {
	struct api_selector selector;
	uint64_t version; /* all changes up to this one were seen */
	uint64_t wakes;
};

enum api_follow { API_FOLLOW_CHANGE, API_FOLLOW_NOTHING, API_FOLLOW_EXPIRED };

/* The next change. Waits up to TIMEOUT_MS; NOTHING also when something else happened: changes that
 * are not followed, api_objects_wake(). *RET_CHANGE's key and text are the caller's. */
enum api_follow api_objects_follow(struct api_objects *objects, struct api_follower *follower,
	int timeout_ms, struct api_change *ret_change);
void api_change_done(struct api_change *change);

/* Make all followers return. */
void api_objects_wake(struct api_objects *objects);

uint64_t api_objects_version(struct api_objects *objects);

/* Forget the history and all paged lists: older versions and continue tokens are expired. */
void api_objects_expire(struct api_objects *objects);

#endif
