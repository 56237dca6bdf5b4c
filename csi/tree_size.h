/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a directory tree takes on the disk, by looking at every entry of it (tree_walk.h). Any
 * thread may call.
 */
#ifndef ORDINAL_TREE_SIZE_H
#define ORDINAL_TREE_SIZE_H

#include <stdatomic.h>
#include <stdint.h>

#include "error.h"

struct tree_size {
	int64_t bytes; /* allocated on the disk; files with several links count in proportion */
	int64_t inodes;
};

/* Measure the tree below the directory DIR, itself included. It is the whole tree or an error, as
 * tree_walk() has them. */
int tree_size_measure(
	int dir, const atomic_bool *cancelled, struct tree_size *ret_size, struct error *err);

#endif
