/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the figures are compared with: the least that the file system has to do for the same job,
 * without a driver. The benchmark ends when one of these fails. Any thread may call.
 */
#ifndef ORDINAL_BENCH_BARE_H
#define ORDINAL_BENCH_BARE_H

#include "scratch.h"

/* Directories and records below one directory. */
struct bare {
	char *path;
	int data, records, trash;
};

/* In the scratch directory NAME. */
void bare_init(struct bare *bare, const struct scratch *scratch, const char *name);

/* Remove everything. */
void bare_done(struct bare *bare);

/* Make a directory, and a file of a record's size: write, fsync, rename. CONTEXT is the struct
 * bare, as a step of measure_run() has it. */
void bare_create(void *context, unsigned long number);

/* Rename that directory into the trash, unlink that file, fsync the directory it was in. */
void bare_delete(void *context, unsigned long number);

/* Make the directory TARGET and bind SOURCE to it; unmount and remove it. */
void bare_bind(const char *source, const char *target);
void bare_unbind(const char *target);

#endif
