/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path operations that never leave a base directory, whatever lies below it: pods write to their
 * volumes, and can plant symbolic links and rename directories there at any moment. Every path is
 * relative to an open base, and no component of it may be a symbolic link.
 *
 * Errors carry the errno: EINVAL for a path that is not of the form that beneath_check_path() asks
 * for, though only that one refuses `.ordinal`; ENOTDIR or ELOOP where there is a link. Nothing
 * here keeps state; any thread may call.
 */
#ifndef ORDINAL_BENEATH_H
#define ORDINAL_BENEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/* ERROR_INVALID unless PATH is relative and none of its components is empty, `.`, `..`, `.ordinal`
 * or longer than 255 bytes. */
int beneath_check_path(const char *path, struct error *err);

/* Open the directory PATH below BASE; FLAGS are O_PATH or O_RDONLY. Caller closes *RET_FD. */
int beneath_open_dir(int base, const char *path, int flags, int *ret_fd, struct error *err);

/* Whether ERR, of beneath_open_dir(), says that there is no such directory: not that it cannot be
 * opened now. */
bool beneath_is_absent(const struct error *err);

/* Whether there is a directory PATH. A disk that does not answer is an error: what is thought to be
 * gone is forgotten. */
int beneath_look(int base, const char *path, bool *ret_there, struct error *err);

/* Make the directory PATH and those above it, as root's with mode 0755. One that is there is taken
 * as it is; *RET_CREATED says whether the last was made, and that one is on disk only after
 * beneath_sync_parent(). Parents that another thread prunes meanwhile are made again. Caller closes
 * *RET_FD, opened O_RDONLY. */
int beneath_make_dir(int base, const char *path, int *ret_fd, bool *ret_created, struct error *err);

/* Make the name of PATH in the directory above it durable. */
int beneath_sync_parent(int base, const char *path, struct error *err);

/* Rename the directory FROM below BASE to the name TO in the directory TO_DIR, durably. Flags that
 * make it immutable or append-only, which a pod may have set, are taken off it, and it gets the
 * project of TO_DIR where that one takes no others. */
int beneath_rename(int base, const char *from, int to_dir, const char *to, struct error *err);

/* Rename the directory FROM below FROM_DIR to the path TO below TO_DIR, durably; the directories
 * above it are made. ENOENT means that there is no FROM. */
int beneath_move(int from_dir, const char *from, int to_dir, const char *to, struct error *err);

/* Remove the directory PATH if it is empty: ENOTEMPTY otherwise. One that is missing is success. */
int beneath_remove_empty(int base, const char *path, struct error *err);

/* Remove the directories above PATH, innermost first, as long as they are empty. */
void beneath_prune_parents(int base, const char *path);

/* Whether the directory FD, opened O_RDONLY, is empty. */
int beneath_is_empty(int fd, bool *ret_empty, struct error *err);

/* How a caller counts, paces and ends work on a tree: STEP is called after each entry, and returns
 * whether to go on. It runs in the thread that works. */
struct beneath_watch {
	bool (*step)(void *context);
	void *context;
};

/* The rest is for work on trees. It behaves as system calls do: -1 and errno. */

/* Open the entry NAME of DIR: FLAGS are O_PATH, which takes a link as itself, or O_RDONLY with
 * O_DIRECTORY. EXDEV where something is mounted on it. */
int beneath_open_entry(int dir, const char *name, int flags);

/* Open what the O_PATH descriptor FD stands for. FLAGS as open's. */
int beneath_reopen(int fd, int flags);

/* Take the flags off the entry NAME of DIR, or off FD, a file or directory open for reading. Fails
 * with EPERM unless there were any. */
int beneath_clear_flags(int dir, const char *name);
int beneath_clear_flags_of(int fd);

/* Give the entry NAME of DIR the project that the directory TO_DIR hands on, so that it can be
 * renamed to there (project.h). Fails with EXDEV unless that was another one. */
int beneath_join_project(int dir, const char *name, int to_dir);

/* Copy the end of TEXT, or all, to RET[SIZE], with "?" for every byte that is not printable ASCII:
 * names that pods chose must not reach logs and events as they are. */
const char *beneath_printable(const char *text, char *ret, size_t size);

#endif
