/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of the data of a deleted volume, and how a later volume takes them up: trash,
 * archive, retain, and back. Each step can be repeated after a crash at any instruction. For the
 * writer of BASE's catalog; any thread may call, and calls about one volume follow each other.
 */
#ifndef ORDINAL_RECLAIM_H
#define ORDINAL_RECLAIM_H

#include "bases.h"

/* Delete the volume of RECORD, which is complete, as its onDelete says; or go on where an earlier
 * call failed. The data of one that is deleted lie in the trash on return, however many they are.
 */
int reclaim_volume(struct base *base, const struct volume_hash *hash, struct record *record,
	struct error *err);

/* Go on with the archiving of a volume that a crash or an error interrupted, if it still waits; or
 * remove a snapshot that was begun. */
int reclaim_finish(struct base *base, const struct volume_hash *hash, struct error *err);

/* Move the archives whose time has come to the trash: all of them, though one fails. *RET_WAIT is
 * how long it is until the next one's comes, in microseconds, INT64_MAX for never. */
int reclaim_expire(struct base *base, int64_t *ret_wait, struct error *err);

/* Move the archive of HASH, whole or begun, to the trash; one without a record is success.
 * ERROR_ABORTED while it is copied. Under the takeover mutex of BASE. */
int reclaim_drop(struct base *base, const struct volume_hash *hash, struct error *err);

/* Find the newest data that were left at RECORD's place in its set, and claim them for its volume:
 * RECORD->predecessor is set, and RECORD->path where the data stay where they are. Without any,
 * RECORD is unchanged. ERROR_FAILED_PRECONDITION when they are larger than the volume. */
int reclaim_claim(struct base *base, const struct volume_hash *hash, struct record *record,
	bool any_namespace, struct error *err);

/* When the volume was deleted, in microseconds since 1970, whose data reclaim_claim() would claim
 * now; 0: there are none. */
int reclaim_look(struct base *base, const struct record *record, bool any_namespace,
	int64_t *ret_retired, struct error *err);

/* Move the claimed data to RECORD->path. *RET_OCCUPIED, and nothing done, when somebody else's lie
 * there. */
int reclaim_take_up(
	struct base *base, const struct record *record, bool *ret_occupied, struct error *err);

/* The volume is ready: forget its predecessor. */
void reclaim_taken_up(struct base *base, const struct record *record);

/* The volume will not be made: undo reclaim_claim() and reclaim_take_up(). */
int reclaim_put_back(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err);

/* Free the hash of a deleted volume, whose data stay, for a new volume of the same name.
 * ERROR_ABORTED while its data are on their way. */
int reclaim_set_aside(struct base *base, const struct volume_hash *hash,
	const struct record *record, struct error *err);

/* Whether PATH is kept only for retained data that an administrator has removed; gives it back. */
bool reclaim_free_removed(struct base *base, const char *path);

#endif
