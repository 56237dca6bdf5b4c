/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records below <base>/.ordinal/: which volumes a base holds, and where. A record is written
 * before the data that it speaks of, replaced by rename, and on disk when a call returns.
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
#include "volume_id.h"

struct catalog;

/* Open the catalog below the directory BASE, which is borrowed for as long. Where there is none, it
 * is made with CREATE, and ERROR_NOT_FOUND without. Caller frees. */
int catalog_open(int base, bool create, struct catalog **ret_catalog, struct error *err);

/* Gives the lock up, if it is held. */
void catalog_free(struct catalog *catalog);
DEFINE_CLEANUP(struct catalog *, catalog_free);

/* Take the lock, and with it read all records and finish deletions that a crash interrupted.
 * Nothing happens when it is held already. ERROR_UNAVAILABLE says which process has it. */
int catalog_become_writer(struct catalog *catalog, struct error *err);

/* Read a volume's record. ERROR_NOT_FOUND where there is none. Caller frees. */
int catalog_read(const struct catalog *catalog, const struct volume_hash *hash,
	struct record **ret_record, struct error *err);

/* Whether the volume has a record, and whether its data lie in the trash: with a record, that is a
 * deletion under way; without, one whose data are still being removed. */
bool catalog_has_record(const struct catalog *catalog, const struct volume_hash *hash);
bool catalog_in_trash(const struct catalog *catalog, const struct volume_hash *hash);

/* The rest is for the writer only. */

/* Write or replace a volume's record. */
int catalog_write(struct catalog *catalog, const struct volume_hash *hash,
	const struct record *record, struct error *err);

/* Remove a volume's record; one that is missing is success. */
int catalog_remove(struct catalog *catalog, const struct volume_hash *hash, struct error *err);

/* Take PATH for the volume. ERROR_ALREADY_EXISTS when another volume has it, ERROR_ABORTED when
 * that one is being deleted, ERROR_FAILED_PRECONDITION when PATH is above or below another's. */
int catalog_reserve(struct catalog *catalog, const char *path, const struct volume_hash *hash,
	struct error *err);

/* Give PATH back. */
void catalog_release(struct catalog *catalog, const char *path);

/* The trash directory, or -1 while another process is the writer. Borrowed. */
int catalog_trash(struct catalog *catalog);

#endif
