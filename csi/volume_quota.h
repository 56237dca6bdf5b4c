/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the size of a volume is enforced: by a quota, where its class wants one and the file system
 * has any. The record says which project the volume is. For the writer of the base's catalog; any
 * thread may call, and calls about one volume follow each other.
 */
#ifndef ORDINAL_VOLUME_QUOTA_H
#define ORDINAL_VOLUME_QUOTA_H

#include <stdatomic.h>

#include "bases.h"
#include "parameters.h"
#include "record.h"

/* Before the intent of a volume that begins empty, or as a copy that has yet to be made: choose its
 * project, in RECORD. ERROR_FAILED_PRECONDITION when its class requires a quota, and there can be
 * none. */
int volume_quota_plan(const struct base *base, const struct parameters *parameters,
	struct record *record, struct error *err);

/* Let the new, empty directory FD be of RECORD's project, if it has one. */
int volume_quota_begin(const struct record *record, int fd, struct error *err);

/* The data of the volume are in the directory FD: limit them. Such as were a predecessor's keep its
 * project where that is theirs, and are given another one else; *RET_CHANGED says that RECORD is
 * not what was written any more. */
int volume_quota_apply(const struct base *base, const struct parameters *parameters,
	struct record *record, int fd, const atomic_bool *stop, bool *ret_changed,
	struct error *err);

/* The volume that is there is to have CAPACITY bytes, before its record says so. RECORD gets
 * another project where its data have lost theirs. */
int volume_quota_grow(const struct base *base, struct record *record, int64_t capacity,
	const atomic_bool *stop, struct error *err);

/* What lies at PATH below DIR, of RECORD, is to go: its project is free when the last file is. What
 * fails is logged: it costs an id. */
void volume_quota_lift(
	const struct base *base, int dir, const char *path, const struct record *record);

/* Whether PARAMETERS want the size of RECORD's volume, which is ready, enforced otherwise than it
 * is. */
bool volume_quota_differs(const struct record *record, const struct parameters *parameters);

#endif
