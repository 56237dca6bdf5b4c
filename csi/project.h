/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The project that a file or directory belongs to, of ext4, XFS and their like: whose quota counts
 * it (quota.h). What is made in a directory that hands its project on belongs to the same one, and
 * nothing of another project can be renamed or linked to there. Descriptors are open for reading.
 * Behaves as system calls do: -1 and errno. Any thread may call.
 */
#ifndef ORDINAL_PROJECT_H
#define ORDINAL_PROJECT_H

#include <stdbool.h>
#include <stdint.h>

/* Let FD belong to a project; a directory hands it on. */
int project_set(int fd, uint32_t id);

/* Whether the directory FD belongs to the project, and hands it on. */
bool project_is(int fd, uint32_t id);

/* Let FD belong to the project that the directory DIR hands on. Fails unless that was another
 * one. */
int project_join(int fd, int dir);

#endif
