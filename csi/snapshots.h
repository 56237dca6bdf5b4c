/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshots in all bases, by their ids: archives, and copies that CreateSnapshot makes. Knows
 * nothing of gRPC. Any thread may call.
 */
#ifndef ORDINAL_SNAPSHOTS_H
#define ORDINAL_SNAPSHOTS_H

#include "volumes.h"

struct snapshot {
	char id[VOLUME_ID_MAX + 1];
	char volume_id[VOLUME_ID_MAX + 1]; /* of the volume whose data it holds */
	struct location location;
	struct record *record; /* .retired is when it was taken */
};

struct snapshot_page {
	struct snapshot *snapshots;
	size_t count;
	char next[VOLUME_ID_MAX + 1]; /* the token of the page after it; empty: none */
};

struct snapshot_request {
	const char *name;
	const char *source; /* the volume's id */
	bool allow_live;    /* though a pod uses it */
	const atomic_bool *cancelled;
};

/* What a list is to hold: empty texts ask for nothing. */
struct snapshot_filter {
	const char *snapshot, *volume;
};

void snapshot_done(struct snapshot *snapshot);
void snapshot_page_done(struct snapshot_page *page);

/* Copy the volume's data to the archive, or find the copy that an earlier call made.
 * ERROR_ALREADY_EXISTS when it is one of another volume, ERROR_FAILED_PRECONDITION when a pod of
 * this node has the volume mounted; else as volumes_create(). Caller calls snapshot_done(RET). */
int snapshots_create(struct volumes *volumes, const struct snapshot_request *request,
	struct snapshot *ret, struct error *err);

/* Move the snapshot to the trash; one that does not exist is success. ERROR_ABORTED while it is
 * copied; ERROR_FAILED_PRECONDITION when its base is away. */
int snapshots_delete(struct volumes *volumes, const char *id, struct error *err);

/* The snapshots that FILTER lets through, ordered by id, from the one after the id AFTER (empty:
 * from the first), at most MAX, which is not 0. ERROR_ABORTED when AFTER is no id. Caller calls
 * snapshot_page_done(RET). */
int snapshots_list(struct volumes *volumes, const struct snapshot_filter *filter, const char *after,
	size_t max, struct snapshot_page *ret, struct error *err);

/* Open the snapshot SOURCE->id for a volume of PARAMETERS in the base TARGET, which the caller is
 * inside: it stays until clone_source_done(SOURCE). ERROR_FAILED_PRECONDITION when it is of another
 * namespace, and the class does not allow that. *RET_CAPACITY is in bytes. */
int snapshots_open(struct volumes *volumes, const struct base *target,
	const struct parameters *parameters, struct clone_source *source, int64_t *ret_capacity,
	struct error *err);

#endif
