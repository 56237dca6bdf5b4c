/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer of a catalog keeps in memory of all its records: which paths are taken, and what
 * deleted volumes have left. Any thread may call.
 */
#ifndef ORDINAL_INVENTORY_H
#define ORDINAL_INVENTORY_H

#include <pthread.h>

#include "catalog.h"
#include "place_index.h"
#include "retired.h"

struct inventory {
	const struct catalog *catalog;
	pthread_mutex_t mutex;       /* guards the rest */
	struct place_index places;   /* below the base: of volumes, made or about to be, of
					retained data, and of bases below this one */
	struct place_index archives; /* below the archive directory */
	struct retired retired;      /* what may be taken up, or expires */
	struct retired inherited;    /* volumes that were there when it was read; some may have
					gone since */
	struct volume_hash *unfinished, *bases;
	size_t unfinished_count, bases_count;
	int64_t now;
};

void inventory_init(struct inventory *inventory, const struct catalog *catalog);
void inventory_done(struct inventory *inventory);

/* Read all records of CATALOG, whose lock the caller holds, and finish deletions and take-overs
 * that a crash interrupted. On failure the inventory is empty. */
int inventory_load(struct inventory *inventory, struct catalog *catalog, struct error *err);

/* Forget all: another process changes the base from now on. */
void inventory_clear(struct inventory *inventory);

/* Take PATH for the volume. ERROR_ALREADY_EXISTS when another volume has it, ERROR_ABORTED when
 * that one is being deleted, ERROR_FAILED_PRECONDITION when PATH is above or below another's. */
int inventory_reserve(struct inventory *inventory, const char *path, const struct volume_hash *hash,
	struct error *err);

/* Who has PATH; false if nobody has. */
bool inventory_owner(struct inventory *inventory, const char *path, struct volume_hash *ret_hash);

/* Whether this volume has PATH. */
bool inventory_owns(struct inventory *inventory, const char *path, const struct volume_hash *hash);

/* Whether PATH is that of a volume that is being deleted. */
bool inventory_is_leaving(struct inventory *inventory, const char *path);

/* Give PATH back, if it is this volume's. */
void inventory_release(
	struct inventory *inventory, const char *path, const struct volume_hash *hash);

/* Let TO have the PATH that another volume had. */
void inventory_hand_over(
	struct inventory *inventory, const char *path, const struct volume_hash *to);

/* There is no record of HASH any more: forget all that it said. */
void inventory_forget(struct inventory *inventory, const struct volume_hash *hash);

/* The time, in microseconds since 1970, later with each call. */
int64_t inventory_now(struct inventory *inventory);

/* Choose the path below the archive directory for data that lie at PATH and were deleted at the
 * time NOW: no archive is at, above or below it. LABEL tells people whose they were. Caller
 * frees. */
char *inventory_archive_path(struct inventory *inventory, const char *path, int64_t now,
	const char *label, const struct volume_hash *hash);

/* Take the path of an archive, if that has not been done, or give it back. */
void inventory_add_archive(
	struct inventory *inventory, const char *path, const struct volume_hash *hash);
void inventory_remove_archive(struct inventory *inventory, const char *path);

/* Remember, or forget, that the retired volume has left data to take up or to sweep. */
void inventory_add_retired(
	struct inventory *inventory, const struct volume_hash *hash, const struct record *record);
void inventory_remove_retired(struct inventory *inventory, const struct volume_hash *hash);
bool inventory_is_retired(struct inventory *inventory, const struct volume_hash *hash);

/* The newest data of RECORD's place in its set, as retired_newest() has it, or false. */
bool inventory_newest(struct inventory *inventory, const struct record *record, bool any_namespace,
	struct volume_hash *ret_hash);

/* One of the volumes that earlier processes made at RECORD's place in its set, in whatever
 * namespace of that name, and for whatever cluster; or false. And have it no more. */
bool inventory_inherited(
	struct inventory *inventory, const struct record *record, struct volume_hash *ret_hash);
void inventory_remove_inherited(struct inventory *inventory, const struct volume_hash *hash);

/* The archive that expires first, and when, or false. */
bool inventory_first_to_expire(
	struct inventory *inventory, struct volume_hash *ret_hash, int64_t *ret_expires);

/* Let the archive expire at the time WHEN instead. */
void inventory_postpone(struct inventory *inventory, const struct volume_hash *hash, int64_t when);

/* The record of the archive whose snapshot's id holds SNAPSHOT, or false; and those of all that are
 * whole, in no order. Caller frees. */
bool inventory_find_snapshot(struct inventory *inventory, const struct volume_hash *snapshot,
	struct volume_hash *ret_hash);
void inventory_snapshots(
	struct inventory *inventory, struct volume_hash **ret_snapshots, size_t *ret_count);

/* Keep an archive where it is while it is copied, and no longer. */
void inventory_pin(struct inventory *inventory, const struct volume_hash *snapshot);
void inventory_unpin(struct inventory *inventory, const struct volume_hash *snapshot);
bool inventory_is_pinned(struct inventory *inventory, const struct volume_hash *hash);

/* Remember, or forget, that an archived volume's data are still where the volume was; a crash
 * leaves such ones too. inventory_unfinished() has the INDEXth, or says false. */
void inventory_add_unfinished(struct inventory *inventory, const struct volume_hash *hash);
void inventory_finished(struct inventory *inventory, const struct volume_hash *hash);
bool inventory_unfinished(struct inventory *inventory, size_t index, struct volume_hash *ret_hash);

/* The record of the INDEXth base below this one, or false. */
bool inventory_nested_base(struct inventory *inventory, size_t index, struct volume_hash *ret_hash);

#endif
