/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where base directories are: what differs between the node's own disk and NFS. A back end is one
 * file with one const table.
 */
#ifndef ORDINAL_BACKEND_H
#define ORDINAL_BACKEND_H

#include <stdbool.h>
#include <sys/statvfs.h>

#include "error.h"
#include "flags.h"
#include "parameters.h"
#include "volume_id.h"

/* A base directory, as volume ids name it. */
struct location {
	char server[VOLUME_ID_MAX + 1]; /* empty for a host path */
	char share[VOLUME_ID_MAX + 1];  /* absolute, without a slash at its end */
};

struct backend {
	const struct backend_ops *ops;
	const struct flag_strings *roots; /* --hostpath-root; borrowed */
};

struct backend_ops {
	const char *name; /* as --backend has it */

	/* Volumes are reachable only from the node where they were made. */
	bool node_local;

	/* Which base the parameters mean; ERROR_INVALID where they may not mean it. */
	int (*locate)(const struct backend *backend, const struct parameters *parameters,
		struct location *ret_location, struct error *err);

	/* Whether LOCATION lies below a base that always is one: it keeps the list of those below
	 * it. */
	bool (*enclosing)(const struct backend *backend, const struct location *location,
		struct location *ret_outer);

	/* The file system under a base, or under the directory that it will be made in. */
	int (*status)(const struct backend *backend, const struct location *location,
		struct statvfs *ret_status, struct error *err);

	/* Open a base; with CREATE it is made where it is missing. ERROR_FAILED_PRECONDITION where
	 * it is missing, or not this driver's to touch. Caller closes *RET_FD. */
	int (*open)(const struct backend *backend, const struct location *location, bool create,
		int *ret_fd, struct error *err);
};

extern const struct backend_ops backend_hostpath;

/* ERROR_INVALID unless every root can be one: an absolute path without `..`. */
int backend_hostpath_check_roots(const struct flag_strings *roots, struct error *err);

#endif
