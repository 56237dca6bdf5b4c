/* SPDX-License-Identifier: Apache-2.0 */
#include "reclaim.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "beneath.h"
#include "inherit.h"
#include "volume_quota.h"

static struct volume_hash predecessor_of(const struct record *record)
{
	struct volume_hash hash;

	snprintf(hash.text, sizeof(hash.text), "%s", record->predecessor);
	return hash;
}

/* The volume is gone from its path. The directories above go first: once the path is given back,
 * one of them may be another volume's. */
static void leave_path(
	struct base *base, const struct volume_hash *hash, const struct record *record)
{
	beneath_prune_parents(base->fd, record->path);
	inventory_release(&base->inventory, record->path, hash);
}

/* Rename FROM below DIR into the trash; success when there is no FROM. */
static int throw_away(struct base *base, int dir, const char *from, const struct volume_hash *hash,
	struct error *err)
{
	struct error why;
	bool there;

	if (beneath_rename(dir, from, catalog_trash(base->catalog), hash->text, err) == 0)
		return 0;
	/* ENOENT also says that somebody has removed the trash. */
	if (err->errnum != ENOENT || beneath_look(dir, from, &there, &why) < 0 || there)
		return -1;
	return 0;
}

/* The rename into the trash is what decides: it needs no room on a full disk, and a record whose
 * data lie there is finished by whoever reads it next. */
static int discard(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err)
{
	/* Until its path is free, whoever wants that is to try again. */
	inventory_add_unfinished(&base->inventory, hash);
	if (!catalog_in_trash(base->catalog, hash)) {
		volume_quota_lift(base, base->fd, record->path, record);
		if (throw_away(base, base->fd, record->path, hash, err) < 0)
			return -1;
	}
	if (catalog_remove(base->catalog, hash, err) < 0)
		return -1;
	leave_path(base, hash, record);
	inventory_finished(&base->inventory, hash);
	return 0;
}

/* Move the data of an archived volume, unless that has been done. */
static int move_to_archive(struct base *base, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	struct inventory *inventory = &base->inventory;
	int archive = catalog_archive(base->catalog);
	bool there;

	if (!inventory_owns(&base->inventory, record->path, hash))
		return 0;
	inventory_add_archive(inventory, record->archive, hash);
	if (beneath_move(base->fd, record->path, archive, record->archive, err) < 0 &&
		err->errnum != ENOENT)
		return -1;
	if (beneath_look(archive, record->archive, &there, err) < 0)
		return -1;
	if (there) {
		inventory_add_retired(inventory, hash, record);
	} else {
		/* Somebody has removed the directory by hand. */
		if (catalog_remove(base->catalog, hash, err) < 0)
			return -1;
		inventory_remove_archive(inventory, record->archive);
	}
	leave_path(base, hash, record);
	inventory_finished(inventory, hash);
	return 0;
}

static int archive(
	struct base *base, const struct volume_hash *hash, struct record *record, struct error *err)
{
	struct inventory *inventory = &base->inventory;

	record->state = RECORD_ARCHIVED;
	record->retired = inventory_now(inventory);
	record->archive =
		inventory_archive_path(inventory, record->path, record->retired, record->pv, hash);
	inventory_add_unfinished(inventory, hash);
	if (catalog_write(base->catalog, hash, record, err) < 0)
		return -1;
	return move_to_archive(base, hash, record, err);
}

static int retain(
	struct base *base, const struct volume_hash *hash, struct record *record, struct error *err)
{
	bool there;

	if (beneath_look(base->fd, record->path, &there, err) < 0)
		return -1;
	if (!there)
		return discard(base, hash, record, err);
	record->state = RECORD_RETAINED;
	record->retired = inventory_now(&base->inventory);
	if (catalog_write(base->catalog, hash, record, err) < 0)
		return -1;
	inventory_add_retired(&base->inventory, hash, record);
	return 0;
}

/* An earlier call wrote the record, but could not say that it is on disk. */
static int finish_retaining(struct base *base, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&base->takeover);
	if (inventory_owns(&base->inventory, record->path, hash) &&
		!inventory_is_retired(&base->inventory, hash)) {
		result = catalog_sync(base->catalog, err);
		if (result == 0)
			inventory_add_retired(&base->inventory, hash, record);
	}
	pthread_mutex_unlock(&base->takeover);
	return result;
}

int reclaim_volume(
	struct base *base, const struct volume_hash *hash, struct record *record, struct error *err)
{
	if (record->state == RECORD_ARCHIVED)
		return move_to_archive(base, hash, record, err);
	if (record->state == RECORD_RETAINED)
		return finish_retaining(base, hash, record, err);
	if (record->state != RECORD_READY)
		return 0;
	switch (catalog_in_trash(base->catalog, hash) ? ON_DELETE_DELETE : record->on_delete) {
	case ON_DELETE_ARCHIVE:
		return archive(base, hash, record, err);
	case ON_DELETE_RETAIN:
		return retain(base, hash, record, err);
	default:
		return discard(base, hash, record, err);
	}
}

int reclaim_drop(struct base *base, const struct volume_hash *hash, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	int archive_dir = catalog_archive(base->catalog);

	if (inventory_is_pinned(&base->inventory, hash))
		return error_set(err, ERROR_ABORTED, "it is being copied: try again");
	if (catalog_read(base->catalog, hash, &record, err) < 0) {
		if (err->kind != ERROR_NOT_FOUND)
			return -1;
		inventory_forget(&base->inventory, hash);
		return 0;
	}
	volume_quota_lift(base, archive_dir, record->archive, record);
	if (throw_away(base, archive_dir, record->archive, hash, err) < 0)
		return -1;
	if (catalog_remove(base->catalog, hash, err) < 0)
		return -1;
	inventory_remove_retired(&base->inventory, hash);
	inventory_remove_archive(&base->inventory, record->archive);
	beneath_prune_parents(archive_dir, record->archive);
	return 0;
}

static int drop_begun(struct base *base, const struct volume_hash *hash, struct error *err)
{
	int result;

	pthread_mutex_lock(&base->takeover);
	result = reclaim_drop(base, hash, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

int reclaim_finish(struct base *base, const struct volume_hash *hash, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	if (catalog_read(base->catalog, hash, &record, err) < 0) {
		if (err->kind != ERROR_NOT_FOUND)
			return -1;
	} else if (record->snapshot) {
		/* Whoever wanted it begins anew; or has done so. */
		if (!inventory_is_retired(&base->inventory, hash) &&
			drop_begun(base, hash, err) < 0)
			return -1;
	} else if (record->state == RECORD_ARCHIVED) {
		return move_to_archive(base, hash, record, err);
	}
	/* The record was never written: the volume is still there, or is deleted by now. */
	inventory_finished(&base->inventory, hash);
	return 0;
}

/* How long an archive is left alone that could not be moved to the trash. */
#define EXPIRE_AGAIN (60 * 1000000LL)

/* By the clock as it is set: unlike inventory_now(), which must never go back. */
static int64_t clock_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int reclaim_expire(struct base *base, int64_t *ret_wait, struct error *err)
{
	int64_t now = clock_now(), when = INT64_MAX;
	struct volume_hash hash;
	int result = 0;

	*ret_wait = INT64_MAX;
	while (inventory_first_to_expire(&base->inventory, &hash, &when)) {
		if (when > now) {
			*ret_wait = when - now;
			break;
		}
		pthread_mutex_lock(&base->takeover);
		/* Somebody may have taken it up meanwhile. */
		if (inventory_is_retired(&base->inventory, &hash) &&
			reclaim_drop(base, &hash, err) < 0) {
			inventory_postpone(&base->inventory, &hash, now + EXPIRE_AGAIN);
			result = -1;
		}
		pthread_mutex_unlock(&base->takeover);
	}
	return result;
}

/* Whether the data of the retired volume are still where its record says. */
static int look_for_data(
	const struct base *base, const struct record *record, bool *ret_there, struct error *err)
{
	if (record->state == RECORD_ARCHIVED)
		return beneath_look(
			catalog_archive(base->catalog), record->archive, ret_there, err);
	return beneath_look(base->fd, record->path, ret_there, err);
}

/* Data that an administrator has removed leave nothing to keep a record for. */
static int forget_removed(struct base *base, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	volume_quota_lift(base, base->fd, record->path, record);
	if (catalog_remove(base->catalog, hash, err) < 0)
		return -1;
	inventory_remove_retired(&base->inventory, hash);
	if (record->state == RECORD_ARCHIVED)
		inventory_remove_archive(&base->inventory, record->archive);
	else
		inventory_release(&base->inventory, record->path, hash);
	return 0;
}

static int claim(struct base *base, const struct volume_hash *hash, struct record *record,
	const struct volume_hash *from, const struct record *predecessor, struct error *err)
{
	if (record->capacity && predecessor->capacity > record->capacity)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the data that are to be taken up (of %s) are those of a volume of %lld "
			"bytes, and only %lld are asked for: ask for as many",
			predecessor->pv ? predecessor->pv : predecessor->name,
			(long long)predecessor->capacity, (long long)record->capacity);
	if (!record->capacity)
		record->capacity = predecessor->capacity;
	record->project = predecessor->project;
	inventory_remove_retired(&base->inventory, from);
	record->predecessor = strdup(from->text);
	record->predecessor_retired = predecessor->retired;
	record->predecessor_pv = strdup(predecessor->pv ? predecessor->pv : predecessor->name);
	if (predecessor->state == RECORD_RETAINED) {
		free(record->path);
		record->path = strdup(predecessor->path);
		inventory_hand_over(&base->inventory, predecessor->path, hash);
	}
	if (!record->predecessor || !record->predecessor_pv || !record->path)
		abort();
	return 0;
}

/* Whose data RECORD's volume may take up; *RET_PREDECESSOR stays NULL where there are none. Under
 * the takeover mutex. */
static int find_newest(struct base *base, const struct record *record, bool any_namespace,
	struct volume_hash *ret_from, struct record **ret_predecessor, struct error *err)
{
	if (any_namespace && inherit_place(base, record, err) < 0)
		return -1;
	while (inventory_newest(&base->inventory, record, any_namespace, ret_from)) {
		_cleanup_(record_freep) struct record *predecessor = NULL;
		bool there;

		if (catalog_read(base->catalog, ret_from, &predecessor, err) < 0) {
			if (err->kind != ERROR_NOT_FOUND)
				return error_prefix(err, "look for data to take up");
			inventory_forget(&base->inventory, ret_from);
			continue;
		}
		if (look_for_data(base, predecessor, &there, err) < 0)
			return error_prefix(err, "look for data to take up");
		if (there && inventory_is_pinned(&base->inventory, ret_from))
			return error_set(err, ERROR_ABORTED,
				"the data that are to be taken up are being copied: try again");
		if (there) {
			*ret_predecessor = take_ptr(predecessor);
			return 0;
		}
		if (forget_removed(base, ret_from, predecessor, err) < 0)
			return -1;
	}
	return 0;
}

int reclaim_claim(struct base *base, const struct volume_hash *hash, struct record *record,
	bool any_namespace, struct error *err)
{
	_cleanup_(record_freep) struct record *predecessor = NULL;
	struct volume_hash from;
	int result;

	pthread_mutex_lock(&base->takeover);
	result = find_newest(base, record, any_namespace, &from, &predecessor, err);
	if (result == 0 && predecessor)
		result = claim(base, hash, record, &from, predecessor, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

int reclaim_look(struct base *base, const struct record *record, bool any_namespace,
	int64_t *ret_retired, struct error *err)
{
	_cleanup_(record_freep) struct record *predecessor = NULL;
	struct volume_hash from;
	int result;

	pthread_mutex_lock(&base->takeover);
	result = find_newest(base, record, any_namespace, &from, &predecessor, err);
	pthread_mutex_unlock(&base->takeover);
	if (result == 0)
		*ret_retired = predecessor ? predecessor->retired : 0;
	return result;
}

static int read_predecessor(struct base *base, const struct record *record,
	struct volume_hash *ret_hash, struct record **ret_predecessor, struct error *err)
{
	*ret_hash = predecessor_of(record);
	if (catalog_read(base->catalog, ret_hash, ret_predecessor, err) < 0)
		return error_prefix(err, "the volume whose data are taken up");
	return 0;
}

int reclaim_take_up(
	struct base *base, const struct record *record, bool *ret_occupied, struct error *err)
{
	_cleanup_(record_freep) struct record *predecessor = NULL;
	struct volume_hash from;
	bool there;

	*ret_occupied = false;
	if (read_predecessor(base, record, &from, &predecessor, err) < 0)
		return -1;
	if (predecessor->state != RECORD_ARCHIVED ||
		beneath_move(catalog_archive(base->catalog), predecessor->archive, base->fd,
			record->path, err) == 0)
		return 0;
	if (err->errnum == ENOTEMPTY || err->errnum == EEXIST || err->errnum == ENOTDIR) {
		*ret_occupied = true;
		return 0;
	}
	/* An earlier call moved them. */
	if (err->errnum != ENOENT)
		return -1;
	if (beneath_look(base->fd, record->path, &there, err) < 0)
		return -1;
	return there ? 0
		     : error_set(err, ERROR_ABORTED, "the data that are to be taken up are gone");
}

void reclaim_taken_up(struct base *base, const struct record *record)
{
	_cleanup_(record_freep) struct record *predecessor = NULL;
	struct volume_hash from;

	/* What fails here is done when the catalog is read again: the data are gone from there. */
	if (read_predecessor(base, record, &from, &predecessor, NULL) < 0 ||
		catalog_remove(base->catalog, &from, NULL) < 0 ||
		predecessor->state != RECORD_ARCHIVED)
		return;
	inventory_remove_archive(&base->inventory, predecessor->archive);
	beneath_prune_parents(catalog_archive(base->catalog), predecessor->archive);
}

/* Move the data back, unless they never left or are nowhere any more. */
static int return_data(struct base *base, const struct volume_hash *hash,
	const struct record *record, const struct record *predecessor, struct error *err)
{
	int archive_dir = catalog_archive(base->catalog);
	bool there;

	if (predecessor->state == RECORD_RETAINED ||
		!inventory_owns(&base->inventory, record->path, hash))
		return 0;
	if (beneath_look(archive_dir, predecessor->archive, &there, err) < 0)
		return -1;
	if (!there &&
		beneath_move(base->fd, record->path, archive_dir, predecessor->archive, err) < 0 &&
		err->errnum != ENOENT)
		return -1;
	leave_path(base, hash, record);
	return 0;
}

/* The record HASH is gone: what it claimed may be claimed by others. */
static void give_up_claim(struct base *base, const struct volume_hash *hash,
	const struct record *record, const struct volume_hash *from,
	const struct record *predecessor)
{
	bool retained = predecessor && predecessor->state == RECORD_RETAINED;
	bool owned = inventory_owns(&base->inventory, record->path, hash);

	inventory_forget(&base->inventory, hash);
	if (retained && owned)
		inventory_hand_over(&base->inventory, record->path, from);
	if (predecessor && !inventory_is_retired(&base->inventory, from))
		inventory_add_retired(&base->inventory, from, predecessor);
}

int reclaim_put_back(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err)
{
	_cleanup_(record_freep) struct record *predecessor = NULL;
	struct volume_hash from;
	int result;

	if (read_predecessor(base, record, &from, &predecessor, err) < 0 &&
		err->kind != ERROR_NOT_FOUND)
		return -1;
	/* Without a record nothing was moved. */
	if (predecessor && catalog_has_record(base->catalog, hash) &&
		return_data(base, hash, record, predecessor, err) < 0)
		return -1;
	result = catalog_remove(base->catalog, hash, err);
	/* It may be gone, and only not be certain to stay so after a power cut. */
	if (!catalog_has_record(base->catalog, hash))
		give_up_claim(base, hash, record, &from, predecessor);
	return result;
}

/* Under the takeover mutex. */
static int set_aside(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err)
{
	struct inventory *inventory = &base->inventory;
	struct volume_hash other;
	int result;

	if (!inventory_is_retired(inventory, hash) || inventory_is_pinned(inventory, hash))
		return error_set(err, ERROR_ABORTED,
			"the data of an earlier volume of this name are on their way: try again");
	retired_hash(record, &other);
	result = catalog_rename(base->catalog, hash, &other, err);
	/* It may be done, and only not be certain to outlive a power cut. */
	if (result < 0 && catalog_has_record(base->catalog, hash))
		return -1;
	inventory_remove_retired(inventory, hash);
	inventory_add_retired(inventory, &other, record);
	if (record->state == RECORD_RETAINED)
		inventory_hand_over(inventory, record->path, &other);
	else
		inventory_add_archive(inventory, record->archive, &other);
	return result;
}

int reclaim_set_aside(struct base *base, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	int result;

	pthread_mutex_lock(&base->takeover);
	result = set_aside(base, hash, record, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

/* Under the takeover mutex. */
static bool free_removed(struct base *base, const char *path)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_hash owner;
	struct error err;
	bool there;

	return inventory_owner(&base->inventory, path, &owner) &&
	       inventory_is_retired(&base->inventory, &owner) &&
	       catalog_read(base->catalog, &owner, &record, NULL) == 0 &&
	       look_for_data(base, record, &there, &err) == 0 && !there &&
	       forget_removed(base, &owner, record, NULL) == 0;
}

bool reclaim_free_removed(struct base *base, const char *path)
{
	bool freed;

	pthread_mutex_lock(&base->takeover);
	freed = free_removed(base, path);
	pthread_mutex_unlock(&base->takeover);
	return freed;
}
