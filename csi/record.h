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

enum record_state { RECORD_CREATING, RECORD_READY };

struct record {
	enum record_state state;
	int64_t capacity;       /* bytes; 0: the caller named none */
	int64_t mode, uid, gid; /* of the directory; -1: not set */
	char *name;             /* CSI's name of the volume */
	char *place;            /* the path that was wanted, below the base */
	char *path;             /* the path that it has */

	/* For administrators and for finding a predecessor; NULL where the caller did not say. */
	char *namespace, *claim, *pv;
	char *statefulset, *statefulset_uid, *template, *ordinal;
};

void record_free(struct record *record);
DEFINE_CLEANUP(struct record *, record_free);

/* RECORD as JSON text. Caller frees. */
char *record_encode(const struct record *record);

/* Read LENGTH bytes of JSON. ERROR_INTERNAL for anything that record_encode() does not write: a
 * later version's record must not be half understood. Caller frees. */
int record_decode(const char *text, size_t length, struct record **ret_record, struct error *err);

#endif
