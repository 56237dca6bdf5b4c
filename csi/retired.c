/* SPDX-License-Identifier: Apache-2.0 */
#include "retired.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_entry(struct retired_entry *entry)
{
	free(entry->owner);
	free(entry->namespace_uid);
}

void retired_done(struct retired *retired)
{
	for (size_t i = 0; i < retired->count; i++)
		free_entry(&retired->entries[i]);
	free(retired->entries);
	*retired = (struct retired){0};
}

/* One text for the place in a set that RECORD is for, or NULL. Caller frees. */
static char *owner_of(const struct record *record)
{
	char *owner;

	/* Snapshots stay what they are, whoever comes to the place. */
	if (record->snapshot || !record->namespace || !record->statefulset || !record->template ||
		!record->ordinal)
		return NULL;
	/* None of them can hold a newline: requests with control characters are refused. */
	if (asprintf(&owner, "%s\n%s\n%s\n%s", record->namespace, record->statefulset,
		    record->template, record->ordinal) < 0)
		abort();
	return owner;
}

/* When the archive of RECORD may go. */
static int64_t expiry_of(const struct record *record)
{
	int64_t kept, expires;

	if (record->state != RECORD_ARCHIVED || record->archive_ttl <= 0 ||
		__builtin_mul_overflow(record->archive_ttl, 1000000, &kept) ||
		__builtin_add_overflow(record->retired, kept, &expires))
		return INT64_MAX;
	return expires;
}

void retired_hash(const struct record *record, struct volume_hash *ret_hash)
{
	_cleanup_free_ char *name = NULL;

	if (asprintf(&name, "%s\n%lld", record->name, (long long)record->retired) < 0)
		abort();
	volume_id_hash(name, ret_hash);
}

void retired_add(
	struct retired *retired, const struct volume_hash *hash, const struct record *record)
{
	struct retired_entry entry = {
		.hash = *hash,
		.owner = owner_of(record),
		.since = record->retired,
		.expires = expiry_of(record),
	};

	if (record->snapshot)
		entry.snapshot = *hash; /* nothing else has such a name, so that it stays */
	else if (record->state == RECORD_ARCHIVED)
		retired_hash(record, &entry.snapshot);
	if (record->namespace_uid && !(entry.namespace_uid = strdup(record->namespace_uid)))
		abort();
	if (retired->count == retired->room) {
		retired->room = retired->room ? retired->room * 2 : 16;
		retired->entries =
			reallocarray(retired->entries, retired->room, sizeof(*retired->entries));
		if (!retired->entries)
			abort();
	}
	retired->entries[retired->count++] = entry;
}

static struct retired_entry *find(const struct retired *retired, const struct volume_hash *hash)
{
	for (size_t i = 0; i < retired->count; i++)
		if (!strcmp(retired->entries[i].hash.text, hash->text))
			return &retired->entries[i];
	return NULL;
}

bool retired_has(const struct retired *retired, const struct volume_hash *hash)
{
	return find(retired, hash) != NULL;
}

struct retired_entry *retired_find_snapshot(
	const struct retired *retired, const struct volume_hash *snapshot)
{
	for (size_t i = 0; i < retired->count; i++)
		if (volume_hash_equal(&retired->entries[i].snapshot, snapshot))
			return &retired->entries[i];
	return NULL;
}

bool retired_is_pinned(const struct retired *retired, const struct volume_hash *hash)
{
	const struct retired_entry *entry = find(retired, hash);

	return entry && entry->pins > 0;
}

void retired_remove(struct retired *retired, const struct volume_hash *hash)
{
	struct retired_entry *entry = find(retired, hash);

	if (!entry)
		return;
	free_entry(entry);
	*entry = retired->entries[--retired->count];
}

void retired_postpone(struct retired *retired, const struct volume_hash *hash, int64_t when)
{
	struct retired_entry *entry = find(retired, hash);

	if (entry)
		entry->expires = when;
}

static bool is_of(const struct retired_entry *entry, const char *owner, const char *namespace_uid,
	bool any_namespace)
{
	if (!entry->owner || strcmp(entry->owner, owner))
		return false;
	return any_namespace || (namespace_uid && entry->namespace_uid &&
					!strcmp(entry->namespace_uid, namespace_uid));
}

const struct retired_entry *retired_newest(
	const struct retired *retired, const struct record *record, bool any_namespace)
{
	_cleanup_free_ char *owner = owner_of(record);
	const struct retired_entry *newest = NULL;

	for (size_t i = 0; owner && i < retired->count; i++) {
		const struct retired_entry *entry = &retired->entries[i];

		if (is_of(entry, owner, record->namespace_uid, any_namespace) &&
			(!newest || entry->since > newest->since))
			newest = entry;
	}
	return newest;
}

const struct retired_entry *retired_first_to_expire(const struct retired *retired)
{
	const struct retired_entry *first = NULL;

	for (size_t i = 0; i < retired->count; i++)
		if (retired->entries[i].expires != INT64_MAX &&
			(!first || retired->entries[i].expires < first->expires))
			first = &retired->entries[i];
	return first;
}
