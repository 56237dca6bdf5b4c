/* SPDX-License-Identifier: Apache-2.0 */
#include "api_objects.h"

#include <string.h>
#include <time.h>

#include "testing.h"

#define HISTORY_MAX   100000
#define SNAPSHOT_MAX  32
#define FIRST_VERSION 1000

/* What is left of a list that is read in pages. */
struct api_snapshot {
	struct api_snapshot *next;
	uint64_t id, version;
	size_t count;
	struct api_text *texts[];
};

static void add_namespace(struct api_objects *objects, const char *name)
{
	const struct api_resource *resource = api_resources_find("namespaces");
	char uid[40], text[512];

	api_objects_make_uid(objects, uid);
	snprintf(text, sizeof(text),
		"{'kind': 'Namespace', 'apiVersion': 'v1', 'metadata': {'name': '%s', 'uid': '%s', "
		"'creationTimestamp': '2026-01-01T00:00:00Z'}, 'spec': {'finalizers': "
		"['kubernetes']}, 'status': {'phase': 'Active'}}",
		name, uid);
	pthread_mutex_lock(&objects->lock);
	api_objects_commit(objects, API_ADDED, resource, name, json_of(text));
	pthread_mutex_unlock(&objects->lock);
}

struct api_objects *api_objects_new(const struct api_objects_options *options)
{
	struct api_objects *objects = calloc(1, sizeof(*objects));
	pthread_condattr_t attributes;

	if (!objects)
		abort();
	if (options)
		objects->options = *options;
	if (!objects->options.history)
		objects->options.history = HISTORY_MAX;
	if (!objects->options.snapshot_max)
		objects->options.snapshot_max = SNAPSHOT_MAX;
	objects->version = FIRST_VERSION;
	pthread_mutex_init(&objects->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&objects->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	add_namespace(objects, "default");
	add_namespace(objects, "kube-system");
	return objects;
}

static void item_done(struct api_item *item)
{
	free(item->key);
	json_object_put(item->json);
	api_text_unref(item->text);
}

void api_change_done(struct api_change *change)
{
	free(change->key);
	api_text_unref(change->text);
}

static void drop_changes(struct api_objects *objects, size_t count)
{
	for (size_t i = 0; i < count; i++)
		api_change_done(&objects->changes[i]);
	objects->change_count -= count;
	memmove(objects->changes, objects->changes + count,
		objects->change_count * sizeof(*objects->changes));
}

static void drop_snapshots(struct api_snapshot **list)
{
	while (*list) {
		struct api_snapshot *snapshot = *list;

		*list = snapshot->next;
		for (size_t i = 0; i < snapshot->count; i++)
			api_text_unref(snapshot->texts[i]);
		free(snapshot);
	}
}

void api_objects_free(struct api_objects *objects)
{
	if (objects->change_count)
		drop_changes(objects, objects->change_count);
	free(objects->changes);
	drop_snapshots(&objects->snapshots);
	for (size_t i = 0; i < API_RESOURCES; i++) {
		for (size_t j = 0; j < objects->collections[i].count; j++)
			item_done(&objects->collections[i].items[j]);
		free(objects->collections[i].items);
	}
	pthread_cond_destroy(&objects->changed);
	pthread_mutex_destroy(&objects->lock);
	free(objects);
}

void api_objects_make_uid(struct api_objects *objects, char out[static 40])
{
	snprintf(out, 40, "%08x-0000-4000-8000-%012llx", objects->options.seed,
		(unsigned long long)++objects->uids);
}

/* Where KEY stands in its collection, or would. */
static size_t position_of(
	struct api_objects *objects, size_t collection, const char *key, bool *ret_found)
{
	struct api_item *items = objects->collections[collection].items;
	size_t low = 0, high = objects->collections[collection].count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(items[middle].key, key);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct api_item *api_objects_find(
	struct api_objects *objects, const struct api_resource *resource, const char *key)
{
	size_t collection = (size_t)(resource - api_resources);
	bool found;
	size_t at = position_of(objects, collection, key, &found);

	return found ? &objects->collections[collection].items[at] : NULL;
}

static struct api_item *insert(
	struct api_objects *objects, const struct api_resource *resource, const char *key)
{
	size_t collection = (size_t)(resource - api_resources);
	__auto_type all = &objects->collections[collection];
	bool found;
	size_t at = position_of(objects, collection, key, &found);

	if (all->count == all->room) {
		all->room = all->room ? all->room * 2 : 16;
		all->items = reallocarray(all->items, all->room, sizeof(*all->items));
		if (!all->items)
			abort();
	}
	memmove(&all->items[at + 1], &all->items[at], (all->count - at) * sizeof(*all->items));
	all->count++;
	all->items[at] = (struct api_item){.key = strdup(key)};
	return &all->items[at];
}

static void remove_item(
	struct api_objects *objects, const struct api_resource *resource, struct api_item *item)
{
	__auto_type all = &objects->collections[resource - api_resources];
	size_t at = (size_t)(item - all->items);

	item_done(item);
	all->count--;
	memmove(item, item + 1, (all->count - at) * sizeof(*item));
}

static void note_change(struct api_objects *objects, const struct api_change *change)
{
	if (objects->change_count >= objects->options.history)
		drop_changes(objects, (objects->change_count + 1) / 2);
	if (objects->change_count == objects->change_room) {
		objects->change_room = objects->change_room ? objects->change_room * 2 : 64;
		objects->changes = reallocarray(
			objects->changes, objects->change_room, sizeof(*objects->changes));
		if (!objects->changes)
			abort();
	}
	objects->changes[objects->change_count++] = *change;
	pthread_cond_broadcast(&objects->changed);
}

struct api_text *api_objects_commit(struct api_objects *objects, enum api_change_type type,
	const struct api_resource *resource, const char *key, struct json_object *json)
{
	struct api_change change = {type, resource, strdup(key), NULL};
	struct api_item *item;
	char version[24];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)++objects->version);
	json_object_object_add(json_member(json, "metadata", json_type_object), "resourceVersion",
		json_object_new_string(version));
	change.text = api_text_of(json);
	item = type == API_ADDED ? insert(objects, resource, key)
				 : api_objects_find(objects, resource, key);
	json_object_put(item->json);
	api_text_unref(item->text);
	item->json = json;
	item->text = api_text_ref(change.text);
	if (type == API_DELETED)
		remove_item(objects, resource, item);
	note_change(objects, &change);
	return change.text;
}

static bool selects(
	const struct api_selector *selector, const struct api_resource *resource, const char *key)
{
	const char *slash = resource->cluster ? NULL : strchr(key, '/');
	size_t length = slash ? (size_t)(slash - key) : 0;

	if (selector->resource && selector->resource != resource)
		return false;
	if (*selector->namespace && (strlen(selector->namespace) != length ||
					    strncmp(selector->namespace, key, length) != 0))
		return false;
	return !*selector->name || !strcmp(selector->name, slash ? slash + 1 : key);
}

/* All that SELECTOR says, as it is now. Caller frees. */
static struct api_snapshot *take_snapshot(
	struct api_objects *objects, const struct api_selector *selector)
{
	__auto_type all = &objects->collections[selector->resource - api_resources];
	struct api_snapshot *snapshot =
		calloc(1, sizeof(*snapshot) + all->count * sizeof(snapshot->texts[0]));

	if (!snapshot)
		abort();
	for (size_t i = 0; i < all->count; i++)
		if (selects(selector, selector->resource, all->items[i].key))
			snapshot->texts[snapshot->count++] = api_text_ref(all->items[i].text);
	snapshot->version = objects->version;
	return snapshot;
}

static struct api_snapshot *find_snapshot(struct api_objects *objects, uint64_t id)
{
	struct api_snapshot *snapshot = objects->snapshots;

	while (snapshot && snapshot->id != id)
		snapshot = snapshot->next;
	return snapshot;
}

/* Keep it for the pages that follow; the oldest one goes. */
static void keep_snapshot(struct api_objects *objects, struct api_snapshot *snapshot)
{
	struct api_snapshot **last = &objects->snapshots;

	snapshot->id = ++objects->snapshot_ids;
	snapshot->next = objects->snapshots;
	objects->snapshots = snapshot;
	for (size_t i = 0; *last && i < objects->options.snapshot_max; i++)
		last = &(*last)->next;
	drop_snapshots(last);
}

/* Items of built-in kinds do not say what they are, as the real server's do not. */
static void print_item(FILE *out, const struct api_resource *resource, const struct api_text *item)
{
	char start[128];
	size_t length = (size_t)snprintf(start, sizeof(start),
		"{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",", resource->kind, resource->group,
		*resource->group ? "/" : "", resource->version);

	if (!resource->custom && !strncmp(item->text, start, length)) {
		fputc('{', out);
		fwrite(item->text + length, 1, item->length - length, out);
	} else {
		fwrite(item->text, 1, item->length, out);
	}
}

static struct api_text *print_page(const struct api_resource *resource,
	const struct api_snapshot *snapshot, size_t from, size_t to)
{
	struct api_text *made;
	_cleanup_free_ char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	fprintf(out,
		"{\"kind\":\"%sList\",\"apiVersion\":\"%s%s%s\",\"metadata\":{"
		"\"resourceVersion\":\"%llu\"",
		resource->kind, resource->group, *resource->group ? "/" : "", resource->version,
		(unsigned long long)snapshot->version);
	if (to < snapshot->count)
		fprintf(out, ",\"continue\":\"%llu/%zu=\",\"remainingItemCount\":%zu",
			(unsigned long long)snapshot->id, to, snapshot->count - to);
	fputs("},\"items\":[", out);
	for (size_t i = from; i < to; i++) {
		if (i > from)
			fputc(',', out);
		print_item(out, resource, snapshot->texts[i]);
	}
	fputs("]}\n", out);
	fclose(out);
	made = api_text_new(text, length);
	return made;
}

static struct api_answer expired_token(void)
{
	return api_answer_failure(410, "Expired", NULL, NULL,
		"The provided continue parameter is too old to display a consistent list result. "
		"You can start a new list without the continue parameter.");
}

static struct api_answer list_locked(struct api_objects *objects,
	const struct api_selector *selector, size_t limit, const char *token)
{
	struct api_snapshot *snapshot = NULL, *unused = NULL;
	unsigned long long id;
	size_t from = 0, to;
	struct api_answer answer = {.code = 200};

	if (*token && sscanf(token, "%llu/%zu=", &id, &from) != 2)
		return api_answer_failure(400, "BadRequest", NULL, NULL,
			"continue key is not valid: illegal base64 data");
	if (*token)
		snapshot = find_snapshot(objects, id);
	else
		snapshot = unused = take_snapshot(objects, selector);
	if (!snapshot)
		return expired_token();
	if (from > snapshot->count)
		from = snapshot->count;
	to = limit && limit < snapshot->count - from ? from + limit : snapshot->count;
	if (unused && to < snapshot->count)
		keep_snapshot(objects, take_ptr(unused));
	answer.text = print_page(selector->resource, snapshot, from, to);
	drop_snapshots(&unused);
	return answer;
}

struct api_answer api_objects_list(struct api_objects *objects, const struct api_selector *selector,
	size_t limit, const char *continue_token)
{
	struct api_answer answer;

	pthread_mutex_lock(&objects->lock);
	answer = list_locked(objects, selector, limit, continue_token);
	pthread_mutex_unlock(&objects->lock);
	return answer;
}

/* The next change that is there already. */
static enum api_follow next_change(
	struct api_objects *objects, struct api_follower *follower, struct api_change *ret_change)
{
	uint64_t before = objects->version - objects->change_count; /* the oldest kept one */

	if (follower->version < before)
		return API_FOLLOW_EXPIRED;
	while (follower->version < objects->version) {
		const struct api_change *change = &objects->changes[follower->version++ - before];

		if (!selects(&follower->selector, change->resource, change->key))
			continue;
		*ret_change = *change;
		ret_change->key = strdup(change->key);
		ret_change->text = api_text_ref(change->text);
		return API_FOLLOW_CHANGE;
	}
	return API_FOLLOW_NOTHING;
}

static struct timespec deadline_in(int ms)
{
	struct timespec when;

	clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_nsec += (long)(ms % 1000) * 1000000;
	when.tv_sec += ms / 1000 + when.tv_nsec / 1000000000;
	when.tv_nsec %= 1000000000;
	return when;
}

enum api_follow api_objects_follow(struct api_objects *objects, struct api_follower *follower,
	int timeout_ms, struct api_change *ret_change)
{
	struct timespec deadline = deadline_in(timeout_ms);
	uint64_t seen = follower->version;
	enum api_follow result;

	pthread_mutex_lock(&objects->lock);
	result = next_change(objects, follower, ret_change);
	/* Changes of others count as something that happened: bookmarks tell of them. */
	if (result == API_FOLLOW_NOTHING && follower->version == seen &&
		follower->wakes == objects->wakes) {
		pthread_cond_timedwait(&objects->changed, &objects->lock, &deadline);
		result = next_change(objects, follower, ret_change);
	}
	follower->wakes = objects->wakes;
	pthread_mutex_unlock(&objects->lock);
	return result;
}

void api_objects_wake(struct api_objects *objects)
{
	pthread_mutex_lock(&objects->lock);
	objects->wakes++;
	pthread_cond_broadcast(&objects->changed);
	pthread_mutex_unlock(&objects->lock);
}

uint64_t api_objects_version(struct api_objects *objects)
{
	uint64_t version;

	pthread_mutex_lock(&objects->lock);
	version = objects->version;
	pthread_mutex_unlock(&objects->lock);
	return version;
}

void api_objects_expire(struct api_objects *objects)
{
	pthread_mutex_lock(&objects->lock);
	drop_snapshots(&objects->snapshots);
	if (objects->change_count)
		drop_changes(objects, objects->change_count);
	pthread_mutex_unlock(&objects->lock);
}
