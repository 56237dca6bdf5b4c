/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What volumes go through: a record in the catalog and a directory, made and removed in an order
 * that survives a crash at every step. Knows nothing of gRPC. Any thread may call; calls about the
 * same volume follow each other.
 */
#ifndef ORDINAL_VOLUMES_H
#define ORDINAL_VOLUMES_H

#include <stdint.h>

#include "bases.h"
#include "keylock.h"
#include "parameters.h"
#include "reclaim.h"
#include "record.h"

struct volumes {
	const struct backend *backend;
	struct bases bases;
	struct keylock busy; /* by hash of the name */
	struct reclaim reclaim;
};

struct volume_request {
	const char *name;
	int64_t required, limit; /* bytes; 0: not said */
	const struct parameters *parameters;
};

struct volume {
	char id[VOLUME_ID_MAX + 1];
	struct location location;
	struct record *record;
};

/* Open the back end's first bases where they are there, so that interrupted deletions go on. */
void volumes_start(struct volumes *volumes, const struct backend *backend);
void volumes_stop(struct volumes *volumes);

void volume_done(struct volume *volume);

/* Make the volume, or find it as an earlier call made it, whole or half. Errors: ALREADY_EXISTS
 * when it is there and different, ABORTED while one of its name is being removed, OUT_OF_RANGE when
 * it is larger than the file system, UNAVAILABLE when another process has the catalog, INVALID for
 * parameters. Caller calls volume_done(RET). */
int volumes_create(struct volumes *volumes, const struct volume_request *request,
	struct volume *ret, struct error *err);

/* Delete the volume. One that does not exist is success; ERROR_FAILED_PRECONDITION when that cannot
 * be known. */
int volumes_delete(struct volumes *volumes, const char *id, struct error *err);

/* Find a volume that is ready, or ERROR_NOT_FOUND. Caller calls volume_done(RET). */
int volumes_find(struct volumes *volumes, const char *id, struct volume *ret, struct error *err);

/* The same, and open its directory (O_PATH). Caller closes *RET_FD. */
int volumes_open(struct volumes *volumes, const char *id, int *ret_fd, struct error *err);

#endif
