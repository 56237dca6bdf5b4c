/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removal of a whole tree that others may change meanwhile: as beneath.h, it never follows a link
 * nor crosses a mount point, and needs a handful of descriptors and no recursion however deep the
 * tree is. Immutable and append-only files and directories in it do not keep it.
 */
#ifndef ORDINAL_REMOVE_TREE_H
#define ORDINAL_REMOVE_TREE_H

#include "beneath.h"

/* Remove NAME in the directory DIR with all it holds. Calls WATCH once for each entry that was
 * removed, moved or found gone. What is removed already stays so when it fails: ECANCELED when
 * WATCH says so, EXDEV at a mount point, of which nothing is touched, ENOTEMPTY when somebody keeps
 * adding; EBUSY, when all the rest is gone, for mount points, and for what NFS keeps because a
 * process has it open. NAME that is missing is success. Any thread may call. */
int remove_tree(int dir, const char *name, const struct beneath_watch *watch, struct error *err);

#endif
