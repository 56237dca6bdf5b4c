/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Project quotas: a directory tree belongs to a project of its own (project.h), and the file system
 * refuses what goes beyond the limit of that one, by quotactl(2). ext4 and XFS have them where they
 * are mounted with prjquota. A project's id is free when no file belongs to it and it has no limit.
 * FD is any open file of the file system that is meant. Any thread may call.
 *
 * ext4 does not bind who has CAP_SYS_RESOURCE; and on a disk of its own node a pod may give a file
 * that it owns to another project.
 */
#ifndef ORDINAL_QUOTA_H
#define ORDINAL_QUOTA_H

#include <stdatomic.h>
#include <stdint.h>

#include "error.h"

/* Ids that the kernel takes and everybody's tools can read. */
#define QUOTA_ID_MAX 0x7fffffff

/* Ours begin far from those that people and kubelet (1048577 and up) give, unless --project-id-base
 * says otherwise. */
#define QUOTA_ID_FIRST 1000000000

/* Where ids begin that quota_choose() gives: before there are threads. */
void quota_begin_at(uint32_t first);

/* Whether sizes can be enforced. ERROR_UNIMPLEMENTED where the file system has no project quotas or
 * does not enforce them, ERROR_FORBIDDEN where this process may not set them; the text has what to
 * do. */
int quota_check(int fd, struct error *err);

/* An id that is free, and was not given before by this process unless all were. ERROR_EXHAUSTED
 * when there is none. */
int quota_choose(int fd, int64_t *ret_project, struct error *err);

/* Give the directory FD, which is new and empty, to the project. ERROR_ABORTED when something else
 * belongs to it, too: of another driver that chose it at the same moment. */
int quota_take(int fd, int64_t project, struct error *err);

/* Give the whole tree FD to the project; the directory itself last, so that project_is() tells
 * whether that was done. Errors as tree_walk(). */
int quota_take_tree(int fd, int64_t project, const atomic_bool *cancelled, struct error *err);

/* Let the project have so many bytes, rounded up to a KiB; 0: as many as there are. On disk with
 * the next change of FD's file system that is. */
int quota_limit(int fd, int64_t project, int64_t bytes, struct error *err);

/* How many files and directories belong to the project. */
int quota_inodes(int fd, int64_t project, uint64_t *ret_inodes, struct error *err);

#endif
