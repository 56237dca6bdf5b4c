/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories that a benchmark works in: one on the file system under test, and one for what is
 * not measured (socket, log).
 */
#ifndef ORDINAL_BENCH_SCRATCH_H
#define ORDINAL_BENCH_SCRATCH_H

#include <limits.h>
#include <stdbool.h>

struct scratch {
	char disk[PATH_MAX]; /* what is measured lies here; absolute, without symbolic links */
	char other[64];      /* below /tmp: short enough for a socket's path */
	char type[32];       /* of the file system that holds .disk: "ext4" */
};

/* Make both, .disk below the directory DIR. */
void scratch_make(struct scratch *scratch, const char *dir);

/* Whether .disk is in memory, so that nothing about disks can be measured there. */
bool scratch_in_memory(const struct scratch *scratch);

/* Remove both with all they hold. Mounts there have to be gone. */
void scratch_remove(const struct scratch *scratch);

/* Remove the directory PATH with all it holds. */
void scratch_remove_tree(const char *path);

/* A directory below .disk, the same for the same NAME, made where it is missing. Caller frees. */
char *scratch_directory(const struct scratch *scratch, const char *name);

/* Wait until what was written is on disk, so that the next figure does not pay for it. */
void scratch_settle(const struct scratch *scratch);

#endif
