/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that start as the copy of another one. The copy is made beside all volumes and renamed to
 * its path when it is whole and on disk, so that no crash leaves half of one there. For the writer
 * of the base's catalog; any thread may call, and calls about one volume follow each other.
 */
#ifndef ORDINAL_CLONE_H
#define ORDINAL_CLONE_H

#include <stdatomic.h>

#include "bases.h"
#include "keylock.h"

/* Copies at a time: a few keep a disk busy, and the other workers are for others. */
#define CLONES_MAX 4

/* Zeroed memory is none. */
struct clones {
	atomic_int running; /* on disks of this node */
	atomic_bool stop;   /* end those under way, and begin no more */
};

/* What is to be copied: kept from being deleted while it is. */
struct clone_source {
	const char *id;
	int fd;          /* its directory, O_RDONLY */
	bool allow_live; /* a pod may use it meanwhile */
	struct keylock_holder held;
	struct inventory *pinned_in; /* where it is the archive of the snapshot PINNED */
	struct volume_hash pinned;
	struct export_pass pass; /* where it lies in another export than its copy */
};

void clone_source_done(struct clone_source *source);

/* Copy SOURCE to RECORD->path, or go on where an earlier call stopped. *RET_OCCUPIED, and the copy
 * kept, when somebody else's data lie there. ERROR_FAILED_PRECONDITION when a pod of this node has
 * it mounted, ERROR_ABORTED when too many copies are under way, ERROR_UNAVAILABLE when they are to
 * end. */
int clone_make(struct clones *clones, struct base *base, const struct volume_hash *hash,
	struct record *record, const struct clone_source *source, bool *ret_occupied,
	struct error *err);

/* Copy SOURCE, whole and on disk, to the directory that HASH names among the unfinished ones of
 * BASE, for RECORD: the first half of clone_make(). */
int clone_copy(struct clones *clones, struct base *base, const struct volume_hash *hash,
	const struct clone_source *source, const struct record *record, struct error *err);

/* Throw away what there is at the path of a copy that will not be a volume. Its record goes next,
 * and clone_sweep() takes what else there is. */
int clone_forget(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err);

/* Throw away the copies below BASE that no record knows. */
void clone_sweep(struct base *base);

#endif
