/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "beneath.h"
#include "reclaim.h"
#include "text.h"

static int not_found(struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND,
		"there is no such snapshot: it was deleted, its archiveTTL is over, or a volume "
		"has taken up its data");
}

static int find(struct base *base, const struct volume_hash *snapshot, struct record **ret_record,
	struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_hash hash;
	bool there;

	if (!inventory_find_snapshot(&base->inventory, snapshot, &hash))
		return not_found(err);
	if (catalog_read(base->catalog, &hash, &record, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? not_found(err) : -1;
	if (record->state != RECORD_ARCHIVED)
		return not_found(err);
	if (beneath_look(catalog_archive(base->catalog), record->archive, &there, err) < 0)
		return -1;
	if (!there)
		return not_found(err);
	*ret_record = take_ptr(record);
	return 0;
}

int snapshot_read(struct base *base, const struct volume_hash *snapshot, struct record **ret_record,
	struct error *err)
{
	int result;

	/* What is being taken up is a volume or an archive, and neither in between. */
	pthread_mutex_lock(&base->takeover);
	result = find(base, snapshot, ret_record, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

/* Under the takeover mutex: whoever removes an archive, or takes it up, looks for pins there. */
static int open_and_pin(struct base *base, const struct volume_hash *snapshot,
	struct clone_source *source, struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	if (find(base, snapshot, &record, err) < 0 ||
		beneath_open_dir(catalog_archive(base->catalog), record->archive, O_RDONLY,
			&source->fd, err) < 0)
		return -1;
	inventory_pin(&base->inventory, snapshot);
	source->pinned_in = &base->inventory;
	source->pinned = *snapshot;
	*ret_record = take_ptr(record);
	return 0;
}

int snapshot_open(struct base *base, const struct volume_hash *snapshot,
	struct clone_source *source, struct record **ret_record, struct error *err)
{
	int result;

	pthread_mutex_lock(&base->takeover);
	result = open_and_pin(base, snapshot, source, ret_record, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

int snapshot_delete(struct base *base, const struct volume_hash *snapshot, struct error *err)
{
	struct volume_hash hash;
	int result = 0;

	pthread_mutex_lock(&base->takeover);
	if (inventory_find_snapshot(&base->inventory, snapshot, &hash))
		result = reclaim_drop(base, &hash, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

void snapshot_hash(const char *name, struct volume_hash *ret_hash)
{
	_cleanup_free_ char *text = NULL;

	/* No volume's name holds a newline. */
	if (asprintf(&text, "\nsnapshot\n%s", name) < 0)
		abort();
	volume_id_hash(text, ret_hash);
}

struct record *snapshot_record(const char *name, const char *id, const struct record *volume)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		abort();
	*record = (struct record){
		.state = RECORD_ARCHIVED,
		.snapshot = 1,
		.capacity = volume->capacity,
		.mode = volume->mode,
		.uid = volume->uid,
		.gid = volume->gid,
		.name = text_copy(name),
		.place = text_copy(volume->place),
		.path = text_copy(volume->path),
		.source = text_copy(id),
		.namespace = text_copy(volume->namespace),
		.namespace_uid = text_copy(volume->namespace_uid),
		.claim = text_copy(volume->claim),
		.pv = text_copy(volume->pv),
		.statefulset = text_copy(volume->statefulset),
		.statefulset_uid = text_copy(volume->statefulset_uid),
		.template = text_copy(volume->template),
		.ordinal = text_copy(volume->ordinal),
		.cluster_uid = text_copy(volume->cluster_uid),
		.id_options = text_copy(volume->id_options),
	};
	return record;
}

/* Of the intent a later process knows what to remove. */
static int make(struct clones *clones, struct base *base, const struct volume_hash *hash,
	const struct record *record, const struct clone_source *source, struct error *err)
{
	if (catalog_intend(base->catalog, hash, record, NULL, err) < 0 ||
		clone_copy(clones, base, hash, source, record, err) < 0 ||
		beneath_move(catalog_unfinished(base->catalog), hash->text,
			catalog_archive(base->catalog), record->archive, err) < 0 ||
		catalog_complete(base->catalog, hash, err) < 0)
		return -1;
	return catalog_sync(base->catalog, err);
}

int snapshot_make(struct clones *clones, struct base *base, const struct volume_hash *hash,
	struct record *record, const struct clone_source *source, struct error *err)
{
	struct inventory *inventory = &base->inventory;
	struct error later;

	record->retired = inventory_now(inventory);
	record->archive = inventory_archive_path(
		inventory, record->path, record->retired, record->name, hash);
	inventory_add_archive(inventory, record->archive, hash);
	if (make(clones, base, hash, record, source, err) == 0) {
		inventory_add_retired(inventory, hash, record);
		return 0;
	}
	pthread_mutex_lock(&base->takeover);
	if (reclaim_drop(base, hash, &later) < 0)
		inventory_add_unfinished(inventory, hash);
	pthread_mutex_unlock(&base->takeover);
	inventory_remove_archive(inventory, record->archive);
	return -1;
}
