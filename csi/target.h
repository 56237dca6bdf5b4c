/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path at which a volume is or will be mounted, split where kubelet's part ends and ours begins.
 * Kubelet made the directory above it, and its root may have symbolic links of the administrator's;
 * the last component is ours and may not be one. Any thread may call.
 */
#ifndef ORDINAL_TARGET_H
#define ORDINAL_TARGET_H

#include "error.h"
#include "flags.h"

struct target {
	int parent; /* the directory above it, O_PATH; -1 when it does not exist */
	char *name;
	char *key; /* the same for every spelling of the path */
};

/* ERROR_INVALID unless PATH, which came as FIELD, is absolute and without `..`. */
int target_check_path(const char *field, const char *path, struct error *err);

/* Split PATH, which came as FIELD. That nothing is there is success. Caller calls
 * target_done(RET). */
int target_open(const char *field, const char *path, struct target *ret, struct error *err);

/* For a target whose parent is -1 until it is opened. */
void target_done(struct target *target);

/* TARGET's path as the kernel spells it. Caller frees; NULL where it cannot be told. */
char *target_spell(const struct target *target);

/* Open what PATH shows, which must be a directory with something mounted on it: ERROR_NOT_FOUND
 * otherwise. Caller closes *RET_FD, opened O_PATH. */
int target_open_mount(const char *field, const char *path, int *ret_fd, struct error *err);

/* ERROR_INVALID when TARGET is at, above or below one of ROOTS: a mount there would cover volumes,
 * and unpublishing would remove directories that are theirs. */
int target_check_outside(const char *field, const struct target *target,
	const struct flag_strings *roots, struct error *err);

#endif
