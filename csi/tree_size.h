/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a directory tree takes on the disk, by looking at every entry of it. A pod may change the
 * tree meanwhile in any way: the walk never leaves it, follows no symbolic link, stops at mount
 * points, and needs no more than some dozens of descriptors and a few megabytes however wide or
 * deep the tree is. Any thread may call.
 */
#ifndef ORDINAL_TREE_SIZE_H
#define ORDINAL_TREE_SIZE_H

#include <stdatomic.h>
#include <stdint.h>

#include "error.h"

/* Directories in each other; more are ERROR_FAILED_PRECONDITION. */
#define TREE_SIZE_MAX_DEPTH 65536

struct tree_size {
	int64_t bytes; /* allocated on the disk; files with several links count in proportion */
	int64_t inodes;
};

/* Measure the tree below the directory DIR, itself included. It is the whole tree or an error:
 * ERROR_CANCELLED when *CANCELLED becomes true, ERROR_ABORTED when directories are moved about so
 * that the way back is lost. Entries that vanish meanwhile do not count. */
int tree_size_measure(
	int dir, const atomic_bool *cancelled, struct tree_size *ret_size, struct error *err);

#endif
