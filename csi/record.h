/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the catalog keeps about one volume, and its form as JSON. A record owns its strings.
 */
#ifndef ORDINAL_RECORD_H
#define ORDINAL_RECORD_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "error.h"

enum record_state {
	RECORD_CREATING, /* the data may be missing, or half made */
	RECORD_READY,
	RECORD_RETAINED, /* the volume is deleted, its data stay where they are */
	RECORD_ARCHIVED, /* the volume is deleted, its data are in the archive or on their way */
	RECORD_BASE,     /* no volume: a base of its own begins at this path */
};

/* As a project: nothing enforces the size. */
#define RECORD_NO_QUOTA (-1)

enum on_delete { ON_DELETE_DELETE, ON_DELETE_ARCHIVE, ON_DELETE_RETAIN };

struct record {
	enum record_state state;
	enum on_delete on_delete;
	int64_t capacity;       /* bytes; 0: the caller named none */
	int64_t mode, uid, gid; /* of the directory; -1: not set */
	int64_t reuse;          /* 1: it takes up the data of its predecessor, where there is one */
	int64_t archive_ttl;    /* seconds that an archive of it is kept; 0: for ever */
	int64_t copied;         /* 1: the copy of its source is whole */
	int64_t retired;        /* when it was deleted, in microseconds since 1970; 0: it lives */
	int64_t predecessor_retired; /* when that one was: its name may have come back since */
	int64_t modified;            /* 1: onDelete is not what it was made with any more */
	int64_t project;             /* that its quota is of; 0: made before there were any */
	int64_t snapshot;            /* 1: an archive that was never a volume: a copy of one */
	char *name;                  /* CSI's name of the volume */
	char *place;                 /* the path that was wanted, below the base */
	char *path;                  /* the path that it has, or had before it was archived */
	char *archive;               /* once archived: the path below the archive directory */
	char *predecessor;           /* hash of the retired volume whose data it took up */
	char *predecessor_pv;        /* what people call that */
	char *source;                /* id of the volume or snapshot that it began as a copy of */

	/* For administrators, for finding a predecessor and for telling clusters apart; NULL where
	 * the caller did not say. */
	char *namespace, *namespace_uid, *claim, *pv;
	char *statefulset, *statefulset_uid, *template, *ordinal;
	char *cluster_uid;
	char *mount_options; /* how its class wants the export mounted */
	char *id_options;    /* those of them that the volume's id has; NULL: none */
};

void record_free(struct record *record);
DEFINE_CLEANUP(struct record *, record_free);

/* RECORD as JSON text. One that is being created is written as it will be when it is ready: what
 * tells them apart is the name of the file. Caller frees. */
char *record_encode(const struct record *record);

/* Read LENGTH bytes of JSON. ERROR_INTERNAL for anything that record_encode() does not write: a
 * later version's record must not be half understood. Caller frees. */
int record_decode(const char *text, size_t length, struct record **ret_record, struct error *err);

#endif
