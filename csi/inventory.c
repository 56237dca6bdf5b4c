/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "beneath.h"

/* Reading all records, in two passes: what lives first, then what was deleted, because the living
 * may have taken up what deleted ones have left. */
struct loading {
	struct inventory *inventory;
	struct catalog *catalog;
	struct volume_hash *hashes; /* of all records; after the first pass of retired ones */
	size_t count, retired_count;
	struct claim {
		struct volume_hash predecessor;
		int64_t retired; /* tells it from later volumes of its name */
		bool ready;
	} * claims;
	size_t claim_count;
};

void inventory_init(struct inventory *inventory, const struct catalog *catalog)
{
	*inventory = (struct inventory){.catalog = catalog};
	pthread_mutex_init(&inventory->mutex, NULL);
}

static void clear(struct inventory *inventory)
{
	place_index_done(&inventory->places);
	place_index_done(&inventory->archives);
	retired_done(&inventory->retired);
	retired_done(&inventory->inherited);
	free(take_ptr(inventory->unfinished));
	free(take_ptr(inventory->bases));
	inventory->unfinished_count = inventory->bases_count = 0;
}

void inventory_done(struct inventory *inventory)
{
	clear(inventory);
	pthread_mutex_destroy(&inventory->mutex);
}

static void add_hash(struct volume_hash **list, size_t *count, const struct volume_hash *hash)
{
	*list = reallocarray(*list, *count + 1, sizeof(**list));
	if (!*list)
		abort();
	(*list)[(*count)++] = *hash;
}

/* Whether the volume is one whose deletion has begun. */
static bool is_going(const struct inventory *inventory, const struct volume_hash *hash)
{
	for (size_t i = 0; i < inventory->unfinished_count; i++)
		if (volume_hash_equal(&inventory->unfinished[i], hash))
			return true;
	return catalog_in_trash(inventory->catalog, hash);
}

/* Under the mutex, as all that follow with such names. */
static int reserve(struct inventory *inventory, const char *path, const struct volume_hash *hash,
	struct error *err)
{
	const struct place *other = place_index_find(&inventory->places, path);

	if (!other) {
		place_index_add(&inventory->places, path, hash);
		return 0;
	}
	if (strcmp(other->path, path))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the path %s is above or below %s, which is another volume's: change the "
			"pathPattern of one of their classes",
			path, other->path);
	if (volume_hash_equal(&other->hash, hash))
		return 0;
	if (is_going(inventory, &other->hash))
		return error_set(err, ERROR_ABORTED,
			"the path %s is that of a volume that is being deleted: try again", path);
	return error_set(err, ERROR_ALREADY_EXISTS, "the path %s is another volume's", path);
}

int inventory_reserve(struct inventory *inventory, const char *path, const struct volume_hash *hash,
	struct error *err)
{
	int result;

	pthread_mutex_lock(&inventory->mutex);
	result = reserve(inventory, path, hash, err);
	pthread_mutex_unlock(&inventory->mutex);
	return result;
}

static bool owner(const struct inventory *inventory, const char *path, struct volume_hash *ret_hash)
{
	const struct place *place = place_index_find(&inventory->places, path);

	if (!place || strcmp(place->path, path))
		return false;
	*ret_hash = place->hash;
	return true;
}

bool inventory_owner(struct inventory *inventory, const char *path, struct volume_hash *ret_hash)
{
	bool found;

	pthread_mutex_lock(&inventory->mutex);
	found = owner(inventory, path, ret_hash);
	pthread_mutex_unlock(&inventory->mutex);
	return found;
}

bool inventory_owns(struct inventory *inventory, const char *path, const struct volume_hash *hash)
{
	struct volume_hash holder;

	return inventory_owner(inventory, path, &holder) && volume_hash_equal(&holder, hash);
}

bool inventory_is_leaving(struct inventory *inventory, const char *path)
{
	struct volume_hash holder;
	bool leaving;

	pthread_mutex_lock(&inventory->mutex);
	leaving = owner(inventory, path, &holder) && is_going(inventory, &holder);
	pthread_mutex_unlock(&inventory->mutex);
	return leaving;
}

void inventory_release(
	struct inventory *inventory, const char *path, const struct volume_hash *hash)
{
	struct volume_hash holder;

	pthread_mutex_lock(&inventory->mutex);
	if (owner(inventory, path, &holder) && volume_hash_equal(&holder, hash))
		place_index_remove(&inventory->places, path);
	pthread_mutex_unlock(&inventory->mutex);
}

void inventory_hand_over(
	struct inventory *inventory, const char *path, const struct volume_hash *to)
{
	pthread_mutex_lock(&inventory->mutex);
	place_index_remove(&inventory->places, path);
	place_index_add(&inventory->places, path, to);
	pthread_mutex_unlock(&inventory->mutex);
}

int64_t inventory_now(struct inventory *inventory)
{
	struct timespec time;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &time);
	now = (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
	pthread_mutex_lock(&inventory->mutex);
	if (now <= inventory->now)
		now = inventory->now + 1;
	inventory->now = now;
	pthread_mutex_unlock(&inventory->mutex);
	return now;
}

/* "<path>/20261121T093000.000123Z-<label>", the label cut off where the name would be too long. */
static char *archive_path(const char *path, int64_t now, const char *label)
{
	time_t seconds = (time_t)(now / 1000000);
	char stamp[32];
	struct tm utc;
	char *text;

	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", gmtime_r(&seconds, &utc));
	if (asprintf(&text, "%s/%s.%06dZ-%.128s", path, stamp, (int)(now % 1000000), label) < 0)
		abort();
	return text;
}

char *inventory_archive_path(struct inventory *inventory, const char *path, int64_t now,
	const char *label, const struct volume_hash *hash)
{
	char *chosen;

	if (!label || strchr(label, '/'))
		label = hash->text;
	chosen = archive_path(path, now, label);
	pthread_mutex_lock(&inventory->mutex);
	if (place_index_find(&inventory->archives, chosen)) {
		/* Somebody's path looks like the archive of another. */
		free(chosen);
		chosen = archive_path(hash->text, now, label);
	}
	pthread_mutex_unlock(&inventory->mutex);
	return chosen;
}

void inventory_add_archive(
	struct inventory *inventory, const char *path, const struct volume_hash *hash)
{
	pthread_mutex_lock(&inventory->mutex);
	place_index_remove(&inventory->archives, path);
	place_index_add(&inventory->archives, path, hash);
	pthread_mutex_unlock(&inventory->mutex);
}

void inventory_remove_archive(struct inventory *inventory, const char *path)
{
	pthread_mutex_lock(&inventory->mutex);
	place_index_remove(&inventory->archives, path);
	pthread_mutex_unlock(&inventory->mutex);
}

void inventory_add_retired(
	struct inventory *inventory, const struct volume_hash *hash, const struct record *record)
{
	pthread_mutex_lock(&inventory->mutex);
	retired_add(&inventory->retired, hash, record);
	pthread_mutex_unlock(&inventory->mutex);
}

void inventory_remove_retired(struct inventory *inventory, const struct volume_hash *hash)
{
	pthread_mutex_lock(&inventory->mutex);
	retired_remove(&inventory->retired, hash);
	pthread_mutex_unlock(&inventory->mutex);
}

bool inventory_is_retired(struct inventory *inventory, const struct volume_hash *hash)
{
	bool found;

	pthread_mutex_lock(&inventory->mutex);
	found = retired_has(&inventory->retired, hash);
	pthread_mutex_unlock(&inventory->mutex);
	return found;
}

bool inventory_newest(struct inventory *inventory, const struct record *record, bool any_namespace,
	struct volume_hash *ret_hash)
{
	const struct retired_entry *entry;

	pthread_mutex_lock(&inventory->mutex);
	entry = retired_newest(&inventory->retired, record, any_namespace);
	if (entry)
		*ret_hash = entry->hash;
	pthread_mutex_unlock(&inventory->mutex);
	return entry != NULL;
}

bool inventory_inherited(
	struct inventory *inventory, const struct record *record, struct volume_hash *ret_hash)
{
	const struct retired_entry *entry;

	pthread_mutex_lock(&inventory->mutex);
	entry = retired_newest(&inventory->inherited, record, true);
	if (entry)
		*ret_hash = entry->hash;
	pthread_mutex_unlock(&inventory->mutex);
	return entry != NULL;
}

void inventory_remove_inherited(struct inventory *inventory, const struct volume_hash *hash)
{
	pthread_mutex_lock(&inventory->mutex);
	retired_remove(&inventory->inherited, hash);
	pthread_mutex_unlock(&inventory->mutex);
}

bool inventory_first_to_expire(
	struct inventory *inventory, struct volume_hash *ret_hash, int64_t *ret_expires)
{
	const struct retired_entry *entry;

	pthread_mutex_lock(&inventory->mutex);
	entry = retired_first_to_expire(&inventory->retired);
	if (entry) {
		*ret_hash = entry->hash;
		*ret_expires = entry->expires;
	}
	pthread_mutex_unlock(&inventory->mutex);
	return entry != NULL;
}

bool inventory_find_snapshot(struct inventory *inventory, const struct volume_hash *snapshot,
	struct volume_hash *ret_hash)
{
	const struct retired_entry *entry;

	pthread_mutex_lock(&inventory->mutex);
	entry = retired_find_snapshot(&inventory->retired, snapshot);
	if (entry)
		*ret_hash = entry->hash;
	pthread_mutex_unlock(&inventory->mutex);
	return entry != NULL;
}

void inventory_snapshots(
	struct inventory *inventory, struct volume_hash **ret_snapshots, size_t *ret_count)
{
	const struct retired *retired = &inventory->retired;
	struct volume_hash *snapshots;
	size_t count = 0;

	pthread_mutex_lock(&inventory->mutex);
	snapshots = calloc(retired->count + 1, sizeof(*snapshots));
	if (!snapshots)
		abort();
	for (size_t i = 0; i < retired->count; i++)
		if (*retired->entries[i].snapshot.text)
			snapshots[count++] = retired->entries[i].snapshot;
	pthread_mutex_unlock(&inventory->mutex);
	*ret_snapshots = snapshots;
	*ret_count = count;
}

static void add_pins(struct inventory *inventory, const struct volume_hash *snapshot, int pins)
{
	struct retired_entry *entry;

	pthread_mutex_lock(&inventory->mutex);
	entry = retired_find_snapshot(&inventory->retired, snapshot);
	if (entry)
		entry->pins += pins;
	pthread_mutex_unlock(&inventory->mutex);
}

void inventory_pin(struct inventory *inventory, const struct volume_hash *snapshot)
{
	add_pins(inventory, snapshot, 1);
}

void inventory_unpin(struct inventory *inventory, const struct volume_hash *snapshot)
{
	add_pins(inventory, snapshot, -1);
}

bool inventory_is_pinned(struct inventory *inventory, const struct volume_hash *hash)
{
	bool pinned;

	pthread_mutex_lock(&inventory->mutex);
	pinned = retired_is_pinned(&inventory->retired, hash);
	pthread_mutex_unlock(&inventory->mutex);
	return pinned;
}

void inventory_add_unfinished(struct inventory *inventory, const struct volume_hash *hash)
{
	pthread_mutex_lock(&inventory->mutex);
	add_hash(&inventory->unfinished, &inventory->unfinished_count, hash);
	pthread_mutex_unlock(&inventory->mutex);
}

/* Under the mutex. */
static void remove_unfinished(struct inventory *inventory, const struct volume_hash *hash)
{
	size_t kept = 0;

	for (size_t i = 0; i < inventory->unfinished_count; i++)
		if (!volume_hash_equal(&inventory->unfinished[i], hash))
			inventory->unfinished[kept++] = inventory->unfinished[i];
	inventory->unfinished_count = kept;
}

void inventory_finished(struct inventory *inventory, const struct volume_hash *hash)
{
	pthread_mutex_lock(&inventory->mutex);
	remove_unfinished(inventory, hash);
	pthread_mutex_unlock(&inventory->mutex);
}

void inventory_forget(struct inventory *inventory, const struct volume_hash *hash)
{
	pthread_mutex_lock(&inventory->mutex);
	place_index_remove_all(&inventory->places, hash);
	place_index_remove_all(&inventory->archives, hash);
	retired_remove(&inventory->retired, hash);
	remove_unfinished(inventory, hash);
	pthread_mutex_unlock(&inventory->mutex);
}

bool inventory_unfinished(struct inventory *inventory, size_t index, struct volume_hash *ret_hash)
{
	bool found;

	pthread_mutex_lock(&inventory->mutex);
	found = index < inventory->unfinished_count;
	if (found)
		*ret_hash = inventory->unfinished[index];
	pthread_mutex_unlock(&inventory->mutex);
	return found;
}

void inventory_postpone(struct inventory *inventory, const struct volume_hash *hash, int64_t when)
{
	pthread_mutex_lock(&inventory->mutex);
	retired_postpone(&inventory->retired, hash, when);
	pthread_mutex_unlock(&inventory->mutex);
}

bool inventory_nested_base(struct inventory *inventory, size_t index, struct volume_hash *ret_hash)
{
	bool found;

	pthread_mutex_lock(&inventory->mutex);
	found = index < inventory->bases_count;
	if (found)
		*ret_hash = inventory->bases[index];
	pthread_mutex_unlock(&inventory->mutex);
	return found;
}

static void add_claim(struct loading *loading, const struct record *record)
{
	struct claim claim = {
		.retired = record->predecessor_retired,
		.ready = record->state == RECORD_READY,
	};

	snprintf(claim.predecessor.text, sizeof(claim.predecessor.text), "%s", record->predecessor);
	loading->claims =
		reallocarray(loading->claims, loading->claim_count + 1, sizeof(*loading->claims));
	if (!loading->claims)
		abort();
	loading->claims[loading->claim_count++] = claim;
}

static const struct claim *find_claim(
	const struct loading *loading, const struct volume_hash *predecessor, int64_t retired)
{
	for (size_t i = 0; i < loading->claim_count; i++)
		if (volume_hash_equal(&loading->claims[i].predecessor, predecessor) &&
			loading->claims[i].retired == retired)
			return &loading->claims[i];
	return NULL;
}

/* Read a record, or leave *RET_RECORD NULL where there is none any more: its data lie in the trash,
 * or it was never written to its end. */
static int read_or_remove(struct loading *loading, const struct volume_hash *hash,
	struct record **ret_record, struct error *err)
{
	if (!catalog_in_trash(loading->catalog, hash)) {
		if (catalog_read(loading->catalog, hash, ret_record, err) == 0)
			return 0;
		if (err->kind != ERROR_NOT_FOUND)
			return -1;
	}
	return catalog_remove(loading->catalog, hash, err);
}

/* The first pass. */
static int load_living(struct loading *loading, const struct volume_hash *hash, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct inventory *inventory = loading->inventory;

	if (read_or_remove(loading, hash, &record, err) < 0)
		return -1;
	if (!record)
		return 0;
	if (record->state == RECORD_RETAINED || record->state == RECORD_ARCHIVED) {
		loading->hashes[loading->retired_count++] = *hash;
		return 0;
	}
	if (record->snapshot) {
		add_hash(&inventory->unfinished, &inventory->unfinished_count, hash);
		return 0;
	}
	if (reserve(inventory, record->path, hash, err) < 0)
		return -1;
	if (record->state == RECORD_BASE)
		add_hash(&inventory->bases, &inventory->bases_count, hash);
	if (record->state == RECORD_READY && record->cluster_uid && record->statefulset)
		retired_add(&inventory->inherited, hash, record);
	if (record->predecessor)
		add_claim(loading, record);
	return 0;
}

/* Two say that the path is theirs. A living volume has taken up what the other left; of two deleted
 * ones the later has. What remains of the other is a record that nobody removed. */
static int settle(struct loading *loading, const struct volume_hash *hash,
	const struct record *record, const struct volume_hash *holder, struct error *err)
{
	struct inventory *inventory = loading->inventory;
	_cleanup_(record_freep) struct record *other = NULL;

	if (catalog_read(loading->catalog, holder, &other, err) < 0)
		return -1;
	if (other->state != RECORD_RETAINED || other->retired > record->retired)
		return catalog_remove(loading->catalog, hash, err);
	if (catalog_remove(loading->catalog, holder, err) < 0)
		return -1;
	place_index_remove_all(&inventory->places, holder);
	retired_remove(&inventory->retired, holder);
	place_index_add(&inventory->places, record->path, hash);
	retired_add(&inventory->retired, hash, record);
	return 0;
}

static int load_retained(struct loading *loading, const struct volume_hash *hash,
	const struct record *record, const struct claim *claim, struct error *err)
{
	struct inventory *inventory = loading->inventory;
	struct volume_hash holder;

	if (owner(inventory, record->path, &holder)) {
		/* Its place is that of the volume that is about to take it up. */
		if (claim && !claim->ready)
			return 0;
		return settle(loading, hash, record, &holder, err);
	}
	if (reserve(inventory, record->path, hash, err) < 0)
		return -1;
	retired_add(&inventory->retired, hash, record);
	return 0;
}

static int load_archived(struct loading *loading, const struct volume_hash *hash,
	const struct record *record, const struct claim *claim, struct error *err)
{
	struct inventory *inventory = loading->inventory;
	_cleanup_close_ int data = -1;
	bool there = record->archive && beneath_open_dir(catalog_archive(loading->catalog),
						record->archive, O_PATH, &data, err) == 0;

	if (record->archive && !there && !beneath_is_absent(err))
		return -1;
	if (there || (claim && !claim->ready)) {
		place_index_add(&inventory->archives, record->archive, hash);
		if (!claim || claim->ready)
			retired_add(&inventory->retired, hash, record);
		return 0;
	}
	/* Taken up, or removed by hand: then the path is free or another's by now. */
	if (claim || record->snapshot || !record->archive ||
		reserve(inventory, record->path, hash, NULL) < 0)
		return catalog_remove(loading->catalog, hash, err);
	place_index_add(&inventory->archives, record->archive, hash);
	add_hash(&inventory->unfinished, &inventory->unfinished_count, hash);
	return 0;
}

/* The second pass. */
static int load_retired(struct loading *loading, const struct volume_hash *hash, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	const struct claim *claim;

	if (catalog_read(loading->catalog, hash, &record, err) < 0)
		return -1;
	claim = find_claim(loading, hash, record->retired);
	return record->state == RECORD_RETAINED ? load_retained(loading, hash, record, claim, err)
						: load_archived(loading, hash, record, claim, err);
}

static int load_each(struct loading *loading, size_t count,
	int (*load)(struct loading *, const struct volume_hash *, struct error *),
	struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct volume_hash hash = loading->hashes[i];

		if (load(loading, &hash, err) < 0)
			return error_prefix(err,
				"volume record %s (move it out of .ordinal/volumes, if it is of no "
				"use)",
				hash.text);
	}
	return 0;
}

int inventory_load(struct inventory *inventory, struct catalog *catalog, struct error *err)
{
	struct loading loading = {.inventory = inventory, .catalog = catalog};
	int result;

	if (catalog_clean(catalog, err) < 0 ||
		catalog_list(catalog, &loading.hashes, &loading.count, err) < 0)
		return -1;
	pthread_mutex_lock(&inventory->mutex);
	result = load_each(&loading, loading.count, load_living, err);
	if (result == 0)
		result = load_each(&loading, loading.retired_count, load_retired, err);
	/* What was not on disk when a process was killed is answered for from now on. */
	if (result == 0)
		result = catalog_sync(catalog, err);
	if (result < 0)
		clear(inventory);
	pthread_mutex_unlock(&inventory->mutex);
	free(loading.hashes);
	free(loading.claims);
	return result;
}

void inventory_clear(struct inventory *inventory)
{
	pthread_mutex_lock(&inventory->mutex);
	clear(inventory);
	pthread_mutex_unlock(&inventory->mutex);
}
