/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of deleted volumes that a base still holds, archived or retained: whose they were, and
 * when they expire. Not locked: the owner does.
 */
#ifndef ORDINAL_RETIRED_H
#define ORDINAL_RETIRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "volume_id.h"

struct retired_entry {
	struct volume_hash hash; /* of its record */
	char *owner;             /* namespace, set, template and ordinal; NULL outside of sets */
	char *namespace_uid;
	int64_t since;   /* when the volume was deleted, in microseconds since 1970 */
	int64_t expires; /* when its archive may go; INT64_MAX: never */

	/* What the id of an archive's snapshot holds; empty for retained data. */
	struct volume_hash snapshot;
	int pins; /* copies of it that are being made */
};

/* Zeroed memory is an empty list. */
struct retired {
	struct retired_entry *entries;
	size_t count, room;
};

void retired_done(struct retired *retired);

/* Add what RECORD says, whose hash HASH has no entry yet. */
void retired_add(
	struct retired *retired, const struct volume_hash *hash, const struct record *record);

bool retired_has(const struct retired *retired, const struct volume_hash *hash);

/* The hash that no later volume of RECORD's name has: it gets that when one comes. */
void retired_hash(const struct record *record, struct volume_hash *ret_hash);

/* The archive whose snapshot's id holds SNAPSHOT; NULL if there is none. Borrowed until the next
 * change. */
struct retired_entry *retired_find_snapshot(
	const struct retired *retired, const struct volume_hash *snapshot);

/* Whether the data of HASH are being copied. */
bool retired_is_pinned(const struct retired *retired, const struct volume_hash *hash);

/* Remove the entry of HASH if it is there. */
void retired_remove(struct retired *retired, const struct volume_hash *hash);

/* Let the entry of HASH expire at the time WHEN. */
void retired_postpone(struct retired *retired, const struct volume_hash *hash, int64_t when);

/* The newest data of the place in a StatefulSet that RECORD is for, of the same namespace UID, or
 * with ANY_NAMESPACE of any. NULL if there are none, or RECORD is not for one. Borrowed until the
 * next change. */
const struct retired_entry *retired_newest(
	const struct retired *retired, const struct record *record, bool any_namespace);

/* The entry that expires first; NULL if none ever does. Borrowed until the next change. */
const struct retired_entry *retired_first_to_expire(const struct retired *retired);

#endif
