/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a volume comes to be in a base: an intent, a path, a directory or the data of a predecessor,
 * and the record of what is ready. Every step can be repeated after a crash at any instruction. For
 * the writer of the base's catalog; any thread may call, and calls about one volume follow each
 * other.
 */
#ifndef ORDINAL_CREATION_H
#define ORDINAL_CREATION_H

#include "bases.h"
#include "clone.h"
#include "parameters.h"
#include "record.h"

/* One call of CreateVolume. All is borrowed. */
struct creation {
	struct base *base;
	const char *name;
	struct volume_hash hash;                /* of the name */
	int64_t required, limit;                /* bytes; 0: not said */
	const char *place;                      /* the path that the class wants */
	char id_options[MOUNT_OPTIONS_MAX + 1]; /* mount options in its id */
	const struct parameters *parameters;
	const struct clone_source *source; /* NULL: it starts empty */
	struct clones *clones;
};

/* Make the volume, or find it as an earlier call made it, whole or half. Errors as those of
 * volumes_create(). Caller frees *RET_RECORD. */
int creation_run(const struct creation *creation, struct record **ret_record, struct error *err);

/* What a base holds already for a volume that is to be made. */
struct creation_trace {
	bool named; /* a volume of its name, ready or not, or one that is still being removed */
	int64_t retired; /* when that was deleted whose data it would take up; 0: nobody's */
};

/* Look for it; for data to take up only with REUSE. ERROR_ABORTED while it is not known yet what a
 * deletion will leave. */
int creation_look(
	const struct creation *creation, bool reuse, struct creation_trace *ret, struct error *err);

/* Forget a volume that never became ready: nobody has been told of it. */
int creation_forget(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err);

/* What PARAMETERS and the place that follows from them would make otherwise than RECORD is; NULL
 * for nothing. Static memory. */
const char *creation_difference(
	const struct record *record, const char *place, const struct parameters *parameters);

#endif
