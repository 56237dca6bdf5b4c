/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What volumes go through: a record in the catalog and a directory, made and removed in an order
 * that survives a crash at every step. Knows nothing of gRPC. Any thread may call; calls about the
 * same volume follow each other. Where a call takes CANCELLED, it ends with ERROR_CANCELLED when
 * that becomes true while it waits for another one; NULL: never.
 */
#ifndef ORDINAL_VOLUMES_H
#define ORDINAL_VOLUMES_H

#include <stdatomic.h>
#include <stdint.h>

#include "bases.h"
#include "clone.h"
#include "keylock.h"
#include "parameters.h"
#include "record.h"
#include "trash.h"

struct volumes {
	const struct backend *backend;
	struct bases bases;
	struct keylock busy; /* by hash of the name */
	struct clones clones;
	struct trash trash;
};

/* Bytes; 0: not said. */
struct volume_size {
	int64_t required, limit;
};

struct volume_request {
	const char *name;
	struct volume_size size;
	const struct parameters *parameters;
	const atomic_bool *cancelled;
	const char *source; /* id of the volume or snapshot to copy, or NULL */
};

struct volume {
	char id[VOLUME_ID_MAX + 1];
	struct location location;
	struct record *record;
};

struct volume_page {
	struct volume *volumes;
	size_t count;
	char next[VOLUME_ID_MAX + 1]; /* the token of the page after it; empty: none */
};

/* Begin. The back end's first bases are opened in the background, where they are there, so that
 * interrupted deletions go on. TRASH_RATE is how many files a second are removed; 0: as many as
 * possible. */
void volumes_start(struct volumes *volumes, const struct backend *backend, long trash_rate);
void volumes_stop(struct volumes *volumes);

/* End what may take long, before volumes_stop(): its callers get ERROR_UNAVAILABLE. */
void volumes_interrupt(struct volumes *volumes);

void volume_done(struct volume *volume);
void volume_page_done(struct volume_page *page);

/* Make the volume, or find it as an earlier call made it, whole or half. Errors: ALREADY_EXISTS
 * when it is there and different, ABORTED while one of its name is being removed, OUT_OF_RANGE when
 * it is larger than the file system or smaller than its source, NOT_FOUND without the source,
 * UNAVAILABLE when another process has the catalog or one of several places that the class names
 * cannot be asked, INVALID for parameters. A copy goes on though
 * its caller gives up, and the repeated call finds it. Caller calls volume_done(RET). */
int volumes_create(struct volumes *volumes, const struct volume_request *request,
	struct volume *ret, struct error *err);

/* Open the base at LOCATION, or make it, and be inside as the writer of its catalog. Borrowed until
 * volumes_stop(); caller calls export_leave(PASS). */
int volumes_enter_location(struct volumes *volumes, const struct location *location,
	struct export_pass *pass, struct base **ret_base, struct error *err);

/* What PARAMETERS would make otherwise than VOLUME is; NULL for nothing. Static memory. */
const char *volumes_difference(const struct volumes *volumes, const struct volume *volume,
	const struct parameters *parameters);

/* Delete the volume: what becomes of its data its class has said. One that does not exist is
 * success; ERROR_FAILED_PRECONDITION when that cannot be known. */
int volumes_delete(
	struct volumes *volumes, const char *id, const atomic_bool *cancelled, struct error *err);

/* Let the volume be of another size, of which nothing is reserved: *RET_CAPACITY is in bytes.
 * ERROR_OUT_OF_RANGE when it would shrink or be larger than the file system. */
int volumes_expand(struct volumes *volumes, const char *id, const struct volume_size *size,
	const atomic_bool *cancelled, int64_t *ret_capacity, struct error *err);

/* Let deleting the volume do something else to its data than its class said; on disk on return. */
int volumes_modify(struct volumes *volumes, const char *id, enum on_delete on_delete,
	const atomic_bool *cancelled, struct error *err);

/* For snapshots.h. Be inside BASE, or the base of ID, as the writer of its catalog. Caller calls
 * export_leave(PASS). */
int volumes_enter(
	struct volumes *volumes, struct base *base, struct export_pass *pass, struct error *err);
int volumes_enter_at(struct volumes *volumes, const struct volume_id *id, struct export_pass *pass,
	struct base **ret_base, struct error *err);

/* For those who make copies: the record of a volume that is ready, and its base, which is entered
 * unless it is INSIDE, where the caller is already. ERROR_NOT_FOUND without. Caller frees the
 * record, and calls export_leave(PASS). */
int volumes_read(struct volumes *volumes, const char *id, const struct base *inside,
	struct export_pass *pass, struct base **ret_base, struct record **ret_record,
	struct error *err);

/* Find a volume that is ready, or ERROR_NOT_FOUND. Caller calls volume_done(RET). */
int volumes_find(struct volumes *volumes, const char *id, struct volume *ret, struct error *err);

/* A volume whose directory a node has open, so that it stays reachable. */
struct reached {
	struct export *export; /* on NFS */
	struct export_pass pass;
	struct volume volume;
	int fd;            /* its directory, O_PATH, or -1 */
	struct error lost; /* why not, then */
};

/* Find a volume that is ready, or ERROR_NOT_FOUND, and open its directory, by a mount of its export
 * with OPTIONS, in mount.nfs' words, or by any for NULL. That the directory is gone is told in
 * RET->lost. Caller calls reached_done(RET), whose fd is -1 before. */
int volumes_reach(struct volumes *volumes, const char *id, const char *options, struct reached *ret,
	struct error *err);
void reached_done(struct reached *reached);

/* Whether the data of VOLUME are there; the error says what is wrong, and what to do. */
int volumes_check(struct volumes *volumes, const struct volume *volume, struct error *err);

/* The volumes that are ready, ordered by id, from the one after the id AFTER (empty: from the
 * first), at most MAX, which is not 0. ERROR_ABORTED when AFTER is no id. Caller calls
 * volume_page_done(RET). */
int volumes_list(struct volumes *volumes, const char *after, size_t max, struct volume_page *ret,
	struct error *err);

/* The bytes that are free where PARAMETERS would put a volume; the fewest of several places. */
int volumes_capacity(struct volumes *volumes, const struct parameters *parameters,
	int64_t *ret_bytes, struct error *err);

#endif
