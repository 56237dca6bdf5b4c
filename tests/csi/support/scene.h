/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of one StatefulSet, asked for and filled in few words. All fail the running test but
 * those that return an int.
 */
#ifndef ORDINAL_TEST_SCENE_H
#define ORDINAL_TEST_SCENE_H

#include "fixture.h"
#include "volumes.h"

/* What is zero or NULL is as most tests want it. */
struct wish {
	const char *name; /* and the PV's */
	enum on_delete on_delete;
	bool reuse, any_namespace;
	int64_t size;              /* 4096 */
	int64_t ttl;               /* archiveTTL in seconds */
	const char *ordinal;       /* "0" */
	const char *namespace_uid; /* "uid-1" */
	const char *pattern;       /* the default: shop/web/data-<ordinal> */
	const char *cluster_uid;   /* none */
	const char *base;          /* the parameter path: the root */
};

/* A process' volumes; what needs no caller has been tried once on return. */
void scene_start(struct fixture *fixture, struct volumes *volumes);

/* CreateVolume; RET_PATH, of 8192 bytes, may be NULL. */
int scene_try(struct volumes *volumes, const struct wish *wish, char *ret_path, struct error *err);

/* The same, which succeeds; the path is in a static buffer. */
const char *scene_create(struct volumes *volumes, const struct wish *wish);

/* The same, and a file with the text TEXT is written into the volume. */
const char *scene_fill(struct volumes *volumes, const struct wish *wish, const char *text);

/* The id of the volume of WISH, in a static buffer. */
const char *scene_id(const struct volumes *volumes, const struct wish *wish);

/* Whether callers repeat what ended with ERR: others work on the same data, or wait for the same
 * server. */
bool scene_is_busy(const struct error *err);

/* DeleteVolume, and what it left to do is done; and the same, which succeeds. */
int scene_try_delete(struct volumes *volumes, const struct wish *wish, struct error *err);
void scene_delete(struct volumes *volumes, const struct wish *wish);

#endif
