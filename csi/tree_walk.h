/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going through a directory tree, every entry of it. A pod may change the tree meanwhile in any
 * way: the walk never leaves it, follows no symbolic link, stops at mount points, and needs no more
 * than some dozens of descriptors and a few megabytes however wide or deep the tree is. Any thread
 * may call.
 */
#ifndef ORDINAL_TREE_WALK_H
#define ORDINAL_TREE_WALK_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "error.h"

/* Directories in each other; more are ERROR_FAILED_PRECONDITION. */
#define TREE_WALK_MAX_DEPTH 65536

/* The type, the links and the blocks of STATUS are there. */
struct tree_entry {
	int dir;          /* the directory that it is in, */
	const char *name; /* and its name there */
	int fd;           /* a directory, opened O_RDONLY; -1 for all else */
	const struct statx *status;
};

/* Called for each entry, for a directory before what is in it. -1 ends the walk. */
typedef int tree_visit_fn(void *context, const struct tree_entry *entry, struct error *err);

/* Visit what is below the directory DIR, which is not visited itself. It is the whole tree or an
 * error: that of VISIT; ERROR_CANCELLED when *CANCELLED, where that is not NULL, becomes true;
 * ERROR_ABORTED when directories are moved about so that the way back is lost. Entries that vanish
 * meanwhile are none. */
int tree_walk(int dir, const atomic_bool *cancelled, tree_visit_fn *visit, void *context,
	struct error *err);

#endif
