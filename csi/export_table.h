/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which exports the kernel has mounted below a directory, whether anything else is mounted from
 * them, and whether locks reach the server. Reads /proc/self/mountinfo alone: no server is asked.
 * Any thread may call.
 */
#ifndef ORDINAL_EXPORT_TABLE_H
#define ORDINAL_EXPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct export_mount {
	char *path;
	int port;    /* of the server */
	bool bound;  /* something is bound from it */
	bool shared; /* its superblock has other mounts, whose requests force would end, too */
};

/* The COUNT mounts of NFS directly below DIR; of NAME, "server:/share", alone where that is not
 * NULL. Caller calls export_table_free(). */
int export_table_read(const char *dir, const char *name, struct export_mount **ret_mounts,
	size_t *ret_count, struct error *err);

/* How many mounts lie on PATH, if one of them is the last of an NFS file system; else 0. Those
 * below DIR are no last ones: they keep it. */
int export_table_count_last(
	const char *dir, const char *path, size_t *ret_count, struct error *err);

void export_table_free(struct export_mount *mounts, size_t count);

/* Whether the locks of the file FD are not those of its server, because it is mounted so. */
int export_table_locks_locally(int fd, bool *ret, struct error *err);

#endif
