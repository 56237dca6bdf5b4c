/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archives of one base as CSI's snapshots: those of deleted volumes, and such as CreateSnapshot
 * makes, which are archives that never were volumes. For the writer of the base's catalog; any
 * thread may call. SNAPSHOT is the hash that a snapshot's id holds.
 */
#ifndef ORDINAL_SNAPSHOT_H
#define ORDINAL_SNAPSHOT_H

#include "bases.h"
#include "clone.h"

/* The record of a snapshot whose data are there. ERROR_NOT_FOUND without. Caller frees. */
int snapshot_read(struct base *base, const struct volume_hash *snapshot, struct record **ret_record,
	struct error *err);

/* The same, and have it as a source to copy, which neither goes nor becomes a volume until
 * clone_source_done(SOURCE). */
int snapshot_open(struct base *base, const struct volume_hash *snapshot,
	struct clone_source *source, struct record **ret_record, struct error *err);

/* Move the snapshot to the trash; one that does not exist is success. ERROR_ABORTED while it is
 * copied. */
int snapshot_delete(struct base *base, const struct volume_hash *snapshot, struct error *err);

/* The hash, of record and id, of the snapshot that CreateSnapshot makes by NAME. */
void snapshot_hash(const char *name, struct volume_hash *ret_hash);

/* A record for the snapshot NAME of the volume of RECORD, whose id is ID. Caller frees. */
struct record *snapshot_record(const char *name, const char *id, const struct record *volume);

/* Copy SOURCE into the archive as RECORD says, which gets its time and place. Every error leaves
 * nothing, or what reclaim_finish() removes. Calls about one snapshot follow each other. */
int snapshot_make(struct clones *clones, struct base *base, const struct volume_hash *hash,
	struct record *record, const struct clone_source *source, struct error *err);

#endif
