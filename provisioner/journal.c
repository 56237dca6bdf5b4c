/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

#include "config_map.h"
#include "log.h"

#define BYTES_MAX   (900 * 1024) /* a ConfigMap holds 1 MiB, names and all */
#define ENTRY_EXTRA 64           /* what a request needs beside its text and its key */

struct slot {
	struct volume_request *wanted; /* NULL: settled */
	char *text;                    /* of wanted */
	bool dirty;                    /* the ConfigMap may say something else */
	char uid[];
};

struct journal {
	size_t max_bytes;
	struct config_map *map; /* used by the one thread that writes */
	pthread_mutex_t lock;   /* guards all below */
	pthread_cond_t written;
	struct lh_table *slots; /* UID of the claim, borrowed from the slot -> struct slot */
	size_t bytes;           /* of all texts */
	bool writing;           /* some thread writes a batch */
	uint64_t gathering;     /* number of the batch that changes now go into */
	uint64_t done, failed;  /* the last batches that did and did not make it */
	struct error error;     /* why that one did not */
	bool lost;              /* another process took the journal over */
};

static char *copy(const char *text)
{
	char *made = strdup(text ? text : "");

	if (!made)
		abort();
	return made;
}

struct journal *journal_new(const struct kube_api *api, const struct journal_options *options)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		abort();
	journal->max_bytes = options->max_bytes ? options->max_bytes : BYTES_MAX;
	journal->map = config_map_new(api, options->namespace, options->name, options->holder);
	journal->gathering = 1;
	journal->slots = lh_kchar_table_new(64, NULL);
	if (!journal->slots)
		abort();
	pthread_mutex_init(&journal->lock, NULL);
	pthread_cond_init(&journal->written, NULL);
	return journal;
}

static size_t weight(const struct slot *slot)
{
	return slot->text ? strlen(slot->text) + strlen(slot->uid) + ENTRY_EXTRA : 0;
}

/* Have SLOT want REQUEST, whose reference it takes, with its TEXT, which it takes too. */
static void set_wanted(
	struct journal *journal, struct slot *slot, struct volume_request *request, char *text)
{
	journal->bytes -= weight(slot);
	volume_request_unref(slot->wanted);
	free(slot->text);
	slot->wanted = request;
	slot->text = text;
	journal->bytes += weight(slot);
}

static struct slot *find_slot(struct journal *journal, const char *uid)
{
	struct lh_entry *entry = lh_table_lookup_entry(journal->slots, uid);

	return entry ? (struct slot *)lh_entry_v(entry) : NULL;
}

static struct slot *make_slot(struct journal *journal, const char *uid)
{
	struct slot *slot = find_slot(journal, uid);
	size_t length = strlen(uid) + 1;

	if (slot)
		return slot;
	slot = calloc(1, sizeof(*slot) + length);
	if (!slot)
		abort();
	memcpy(slot->uid, uid, length);
	if (lh_table_insert(journal->slots, slot->uid, slot) < 0)
		abort();
	return slot;
}

static void drop_slot(struct journal *journal, struct slot *slot)
{
	set_wanted(journal, slot, NULL, NULL);
	lh_table_delete(journal->slots, slot->uid);
	free(slot);
}

void journal_free(struct journal *journal)
{
	while (journal->slots->head)
		drop_slot(journal, (struct slot *)lh_entry_v(journal->slots->head));
	lh_table_free(journal->slots);
	pthread_cond_destroy(&journal->written);
	pthread_mutex_destroy(&journal->lock);
	config_map_free(journal->map);
	free(journal);
}

static void keep_entry(struct journal *journal, const char *uid, struct json_object *value)
{
	const char *text = json_object_get_string(value);
	struct volume_request *request;
	struct error err;

	request = volume_request_decode(text ? text : "", &err);
	if (request && strcmp(request->claim_uid, uid)) {
		volume_request_unref(request);
		error_set(&err, ERROR_INVALID, "it is of another claim");
		request = NULL;
	}
	if (request)
		set_wanted(journal, make_slot(journal, uid), request, copy(text));
	else
		log_event(LOG_LEVEL_WARN, "left in the journal",
			LOG_STR("configmap", config_map_label(journal->map)), LOG_STR("key", uid),
			LOG_STR("error", err.text));
}

static void keep_entries(struct journal *journal, struct json_object *map)
{
	struct json_object *data = json_member(map, "data", json_type_object);

	if (!data)
		return;
	json_object_object_foreach(data, uid, value)
	{
		keep_entry(journal, uid, value);
	}
}

int journal_open(struct journal *journal, struct error *err)
{
	struct json_object *map;

	if (config_map_take_over(journal->map, &map, err) < 0)
		return error_prefix(err, "journal");
	keep_entries(journal, map);
	json_object_put(map);
	return 0;
}

/* All that is wanted, as the data of a ConfigMap. */
static struct json_object *make_all(void *context)
{
	struct json_object *data = json_object_new_object();
	struct journal *journal = context;

	pthread_mutex_lock(&journal->lock);
	for (struct lh_entry *entry = journal->slots->head; entry; entry = entry->next) {
		const struct slot *slot = lh_entry_v(entry);

		if (slot->wanted)
			json_object_object_add(data, slot->uid, json_object_new_string(slot->text));
	}
	pthread_mutex_unlock(&journal->lock);
	return data;
}

/* All that is to be written, as the data of a merge patch. */
static struct json_object *gather(struct journal *journal)
{
	struct json_object *data = json_object_new_object();

	for (struct lh_entry *entry = journal->slots->head; entry; entry = entry->next) {
		struct slot *slot = (struct slot *)lh_entry_v(entry);

		if (!slot->dirty)
			continue;
		slot->dirty = false;
		json_object_object_add(
			data, slot->uid, slot->wanted ? json_object_new_string(slot->text) : NULL);
	}
	return data;
}

/* What becomes of the slots of a batch: settled ones that are written are forgotten, and what could
 * not be written has to be written again. */
static void finish(struct journal *journal, struct json_object *data, bool success)
{
	json_object_object_foreach(data, uid, value)
	{
		struct slot *slot = find_slot(journal, uid);

		(void)value;
		if (!success)
			slot->dirty = true;
		else if (!slot->wanted && !slot->dirty)
			drop_slot(journal, slot);
	}
}

/* Write what has gathered. Called, and returns, with the lock held. */
static void commit(struct journal *journal)
{
	struct json_object *data = gather(journal);
	uint64_t batch = journal->gathering++;
	struct error err = {0};
	int result;

	journal->writing = true;
	pthread_mutex_unlock(&journal->lock);
	result = config_map_write(journal->map, data, make_all, journal, &err);
	pthread_mutex_lock(&journal->lock);
	journal->writing = false;
	finish(journal, data, result == 0);
	json_object_put(data);
	if (result == 0) {
		journal->done = batch;
	} else {
		journal->failed = batch;
		error_prefix(&err, "journal");
		/* Whatever the API server says of the ConfigMap, it says nothing of the claim. */
		if (err.kind != ERROR_ABORTED)
			err.kind = ERROR_UNAVAILABLE;
		journal->error = err;
		journal->lost = journal->lost || err.kind == ERROR_ABORTED;
	}
	pthread_cond_broadcast(&journal->written);
}

/* Wait until what is gathered now is written; whoever finds nobody at it writes for all. Called
 * with the lock held. What a batch could not write is in the next one, so that any later batch that
 * made it will do. */
static int wait_written(struct journal *journal, struct error *err)
{
	uint64_t ticket = journal->gathering;

	while (journal->done < ticket && journal->failed < ticket) {
		if (journal->writing)
			pthread_cond_wait(&journal->written, &journal->lock);
		else
			commit(journal);
	}
	if (journal->done >= ticket)
		return 0;
	if (err)
		*err = journal->error;
	return -1;
}

/* Whether SLOT may want TEXT: it is neither lost nor full. */
static int check_room(
	const struct journal *journal, const struct slot *slot, const char *text, struct error *err)
{
	size_t bytes =
		journal->bytes - weight(slot) + strlen(text) + strlen(slot->uid) + ENTRY_EXTRA;

	if (journal->lost)
		return error_set(err, ERROR_ABORTED, "another provisioner took the journal over");
	if (bytes > journal->max_bytes)
		return error_set(err, ERROR_UNAVAILABLE,
			"the driver has not settled %d requests, more than the journal %s holds: "
			"waiting until it has",
			lh_table_length(journal->slots) - 1, config_map_label(journal->map));
	return 0;
}

/* The request was not written, and the driver will not be called: back to what was wanted before,
 * unless another thread settled it meanwhile. */
static void take_back(struct journal *journal, const char *uid, struct volume_request *request,
	struct volume_request *before, char *before_text)
{
	struct slot *slot = find_slot(journal, uid);

	if (slot && slot->wanted == request) {
		set_wanted(journal, slot, before, before_text);
		slot->dirty = true;
		return;
	}
	volume_request_unref(before);
	free(before_text);
}

int journal_begin(struct journal *journal, struct volume_request *request, struct error *err)
{
	_cleanup_free_ char *text = volume_request_encode(request);
	struct volume_request *before;
	char *before_text;
	struct slot *slot;
	bool is_new;
	int result;

	pthread_mutex_lock(&journal->lock);
	is_new = !find_slot(journal, request->claim_uid);
	slot = make_slot(journal, request->claim_uid);
	if (slot->wanted && !slot->dirty && !strcmp(slot->text, text) && !journal->writing) {
		pthread_mutex_unlock(&journal->lock);
		return 0;
	}
	result = check_room(journal, slot, text, err);
	if (result < 0) {
		if (is_new) /* so that no batch under way has it */
			drop_slot(journal, slot);
		pthread_mutex_unlock(&journal->lock);
		return -1;
	}
	before = volume_request_ref(slot->wanted);
	before_text = slot->text ? copy(slot->text) : NULL;
	set_wanted(journal, slot, volume_request_ref(request), take_ptr(text));
	slot->dirty = true;
	result = wait_written(journal, err);
	if (result < 0) {
		take_back(journal, request->claim_uid, request, before, before_text);
	} else {
		volume_request_unref(before);
		free(before_text);
	}
	pthread_mutex_unlock(&journal->lock);
	return result;
}

struct volume_request *journal_find(struct journal *journal, const char *claim_uid)
{
	struct volume_request *request = NULL;
	struct slot *slot;

	pthread_mutex_lock(&journal->lock);
	slot = find_slot(journal, claim_uid);
	if (slot)
		request = volume_request_ref(slot->wanted);
	pthread_mutex_unlock(&journal->lock);
	return request;
}

bool journal_has(struct journal *journal, const char *claim_uid)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		journal_find(journal, claim_uid);

	return request != NULL;
}

/* Called with the lock held. */
static void settle(struct journal *journal, struct slot *slot)
{
	if (!slot || !slot->wanted)
		return;
	set_wanted(journal, slot, NULL, NULL);
	slot->dirty = true;
}

void journal_settle(struct journal *journal, const char *claim_uid)
{
	pthread_mutex_lock(&journal->lock);
	settle(journal, find_slot(journal, claim_uid));
	pthread_mutex_unlock(&journal->lock);
}

/* Called with the lock held. */
static bool is_clean(const struct journal *journal)
{
	bool dirty = false;

	for (struct lh_entry *entry = journal->slots->head; entry && !dirty; entry = entry->next)
		dirty = ((const struct slot *)lh_entry_v(entry))->dirty;
	return !dirty;
}

bool journal_is_clean(struct journal *journal)
{
	bool clean;

	pthread_mutex_lock(&journal->lock);
	clean = is_clean(journal);
	pthread_mutex_unlock(&journal->lock);
	return clean;
}

int journal_flush(struct journal *journal, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&journal->lock);
	if (!is_clean(journal))
		result = wait_written(journal, err);
	pthread_mutex_unlock(&journal->lock);
	return result;
}

int journal_forget(struct journal *journal, const char *claim_uid, struct error *err)
{
	struct slot *slot;
	int result = 0;

	pthread_mutex_lock(&journal->lock);
	slot = find_slot(journal, claim_uid);
	settle(journal, slot);
	if (slot)
		result = wait_written(journal, err);
	pthread_mutex_unlock(&journal->lock);
	return result;
}

void journal_each(
	struct journal *journal, void (*fn)(void *context, const char *claim_uid), void *context)
{
	pthread_mutex_lock(&journal->lock);
	for (struct lh_entry *entry = journal->slots->head; entry; entry = entry->next) {
		const struct slot *slot = lh_entry_v(entry);

		if (slot->wanted)
			fn(context, slot->uid);
	}
	pthread_mutex_unlock(&journal->lock);
}

bool journal_has_volume(struct journal *journal, const char *name)
{
	bool found = false;

	pthread_mutex_lock(&journal->lock);
	for (struct lh_entry *entry = journal->slots->head; entry && !found; entry = entry->next) {
		const struct slot *slot = lh_entry_v(entry);

		found = slot->wanted && !strcmp(slot->wanted->name, name);
	}
	pthread_mutex_unlock(&journal->lock);
	return found;
}

size_t journal_count(struct journal *journal)
{
	size_t count = 0;

	pthread_mutex_lock(&journal->lock);
	for (struct lh_entry *entry = journal->slots->head; entry; entry = entry->next)
		count += ((const struct slot *)lh_entry_v(entry))->wanted != NULL;
	pthread_mutex_unlock(&journal->lock);
	return count;
}
