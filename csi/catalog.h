/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records below <base>/.ordinal/: which volumes a base holds and where, and what deleted ones
 * have left. A record is written before the data that it speaks of are touched, under the name of
 * an intent, and renamed when the volume is ready.
 *
 * One process at a time changes a catalog: it holds a lock on .ordinal/lock from its first change
 * until it ends. Reading needs no lock. Any thread may call; two calls about the same volume are
 * the caller's to keep apart.
 */
#ifndef ORDINAL_CATALOG_H
#define ORDINAL_CATALOG_H

#include <stdbool.h>

#include "cleanup.h"
#include "error.h"
#include "record.h"
#include "syncer.h"
#include "volume_id.h"

struct catalog;

/* Open the catalog below the directory BASE. Where there is none, it is made with CREATE, and
 * ERROR_NOT_FOUND without. SYNCER is borrowed; it may be NULL. Caller frees. */
int catalog_open(int base, bool create, struct syncer *syncer, struct catalog **ret_catalog,
	struct error *err);

/* Gives the lock up, if it is held. */
void catalog_free(struct catalog *catalog);
DEFINE_CLEANUP(struct catalog *, catalog_free);

/* Read a volume's record. ERROR_NOT_FOUND where there is none. On NFS, who does not hold the lock
 * may get one that another machine has replaced in the last minute. Caller frees. */
int catalog_read(const struct catalog *catalog, const struct volume_hash *hash,
	struct record **ret_record, struct error *err);

/* Whether the volume has a record, and whether its data lie in the trash: with a record, that is a
 * deletion under way; without, one whose data are still being removed. */
bool catalog_has_record(const struct catalog *catalog, const struct volume_hash *hash);
bool catalog_in_trash(const struct catalog *catalog, const struct volume_hash *hash);

/* The hashes of all records, in no order; one that is renamed meanwhile may be missing or there
 * twice. Caller frees. */
int catalog_list(const struct catalog *catalog, struct volume_hash **ret_hashes, size_t *ret_count,
	struct error *err);

/* Take the lock: the rest is for its holder only. Errors are base_lock_take()'s: ERROR_UNAVAILABLE
 * says which process has it. */
int catalog_lock(struct catalog *catalog, struct error *err);
void catalog_unlock(struct catalog *catalog);

/* Whether another process has asked for the lock since this was called last. */
bool catalog_lock_wanted(struct catalog *catalog);

/* Whether the lock is held still; ERROR_UNAVAILABLE when the server has given it away. Before each
 * change, and while one takes long. */
int catalog_check_lock(struct catalog *catalog, struct error *err);

/* Remove what a crash has left of records that were being replaced. */
int catalog_clean(struct catalog *catalog, struct error *err);

/* The directories of the trash, of the archive and of copies that are being made. Borrowed. */
int catalog_trash(const struct catalog *catalog);
int catalog_archive(const struct catalog *catalog);
int catalog_unfinished(const struct catalog *catalog);

/* Write down what is about to be made. Replaces an intent of before. It is on disk on return; or,
 * with RET_FD, once *RET_FD is, where that is not -1. Caller closes it. */
int catalog_intend(struct catalog *catalog, const struct volume_hash *hash,
	const struct record *record, int *ret_fd, struct error *err);

/* The volume is as intended. Certain only after catalog_sync(), so that the caller can sync its
 * directories first: the record must not outlive them. */
int catalog_complete(struct catalog *catalog, const struct volume_hash *hash, struct error *err);
int catalog_sync(struct catalog *catalog, struct error *err);

/* Write or replace a complete record; on disk on return. */
int catalog_write(struct catalog *catalog, const struct volume_hash *hash,
	const struct record *record, struct error *err);

/* Remove a volume's record; one that is missing is success. */
int catalog_remove(struct catalog *catalog, const struct volume_hash *hash, struct error *err);

/* Give a complete record another hash. */
int catalog_rename(struct catalog *catalog, const struct volume_hash *from,
	const struct volume_hash *to, struct error *err);

#endif
