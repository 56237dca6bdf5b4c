/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path operations that never leave a base directory, whatever lies below it: pods write to their
 * volumes, and can plant symbolic links and rename directories there at any moment. Every path is
 * relative to an open base, and no component of it may be a symbolic link.
 *
 * Errors carry the errno. Nothing here keeps state; any thread may call.
 */
#ifndef ORDINAL_BENEATH_H
#define ORDINAL_BENEATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

/* ERROR_INVALID unless PATH is relative and none of its components is empty, `.`, `..`, `.ordinal`
 * or longer than 255 bytes. */
int beneath_check_path(const char *path, struct error *err);

/* Open the directory PATH below BASE; FLAGS are O_PATH or O_RDONLY. Caller closes *RET_FD. */
int beneath_open_dir(int base, const char *path, int flags, int *ret_fd, struct error *err);

/* Make the directory PATH and those above it, durably, as root's with mode 0755. One that is there
 * is taken as it is; *RET_CREATED says whether the last was made. Parents that another thread
 * prunes meanwhile are made again. Caller closes *RET_FD, opened O_RDONLY. */
int beneath_make_dir(int base, const char *path, int *ret_fd, bool *ret_created, struct error *err);

/* Rename the directory FROM below BASE to the name TO in the directory TO_DIR, durably. */
int beneath_rename(int base, const char *from, int to_dir, const char *to, struct error *err);

/* Remove the directory PATH if it is empty: ENOTEMPTY otherwise. One that is missing is success. */
int beneath_remove_empty(int base, const char *path, struct error *err);

/* Remove the directories above PATH, innermost first, as long as they are empty. */
void beneath_prune_parents(int base, const char *path);

/* Remove NAME in the directory DIR with all it holds, however deep, with a handful of descriptors
 * and no recursion. Stops at mount points (EXDEV, EBUSY), when *STOP becomes true (ECANCELED), and
 * when somebody keeps adding to it (ENOTEMPTY). NAME that is missing is success. */
int beneath_remove_tree(int dir, const char *name, const atomic_bool *stop, struct error *err);

/* Whether the directory FD, opened O_RDONLY, is empty. */
int beneath_is_empty(int fd, bool *ret_empty, struct error *err);

#endif
