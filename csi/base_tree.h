/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bases below other bases. The outer one has a record of each that lies below it: so that it keeps
 * its volumes away from there, and that a new process finds them all. Any thread may call.
 */
#ifndef ORDINAL_BASE_TREE_H
#define ORDINAL_BASE_TREE_H

#include "bases.h"

/* Open all bases that were ever made, except first ones that are not there. All of them, though one
 * fails: ERROR_FAILED_PRECONDITION says which is away. Becomes the writer of those that have none.
 */
int base_tree_open(struct bases *bases, struct error *err);

/* The same for BASE, which the caller is inside of (base_enter()), and those below it. */
int base_tree_open_below(struct bases *bases, struct base *base, struct error *err);

/* Find or open the base at LOCATION, or make it, and have it known to those above it. Borrowed
 * until bases_done(). */
int base_tree_make(struct bases *bases, const struct location *location, struct base **ret_base,
	struct error *err);

#endif
