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
#include "exports.h"
#include "flags.h"
#include "locations.h"
#include "parameters.h"

struct backend {
	const struct backend_ops *ops;
	const struct flag_strings
		*roots; /* directories of this node in which bases lie; borrowed */
	const struct flag_strings *exports; /* --export, for NFS; borrowed */
	struct exports *mounts;             /* for NFS; borrowed */
};

struct backend_ops {
	const char *name; /* as --backend has it */

	/* Volumes are reachable only from the node where they were made. */
	bool node_local;

	/* Add what one of a class' mountOptions says; ERROR_INVALID where it is not known. */
	int (*add_option)(const char *option, struct mount_options *options, struct error *err);

	/* The INDEXth base that may be there before anybody asks for it; false after the last. */
	bool (*known)(const struct backend *backend, int index, struct location *ret_location);

	/* Which bases the parameters mean, one of them or more; ERROR_INVALID where they may not
	 * mean them. RET is empty before; caller calls locations_done(), also on failure. */
	int (*locate)(const struct backend *backend, const struct parameters *parameters,
		struct locations *ret, struct error *err);

	/* Whether LOCATION lies below a base that always is one: it keeps the list of those below
	 * it. */
	bool (*enclosing)(const struct backend *backend, const struct location *location,
		struct location *ret_outer);

	/* The file system under a base, or under the directory that it will be made in. */
	int (*status)(const struct backend *backend, const struct location *location,
		struct statvfs *ret_status, struct error *err);

	/* The export that LOCATION is; NULL where there are none. The base is opened through it
	 * then, and open() is NULL. Caller calls export_drop(). */
	struct export *(*use)(const struct backend *backend, const struct location *location);

	/* Open a base; with CREATE it is made where it is missing. ERROR_FAILED_PRECONDITION where
	 * it is missing, or not this driver's to touch. Caller closes *RET_FD. */
	int (*open)(const struct backend *backend, const struct location *location, bool create,
		int *ret_fd, struct error *err);
};

extern const struct backend_ops backend_hostpath;
extern const struct backend_ops backend_nfs;

/* ERROR_INVALID unless every root can be one: an absolute path without `..`. */
int backend_hostpath_check_roots(const struct flag_strings *roots, struct error *err);

/* ERROR_INVALID unless every one is "server:/share=/path". Their paths are appended to ROOTS, where
 * that is not NULL. */
int backend_nfs_check_exports(
	const struct flag_strings *exports, struct flag_strings *roots, struct error *err);

#endif
