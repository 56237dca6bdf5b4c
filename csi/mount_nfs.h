/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounting an export by mount.nfs, the helper of nfs-common that administrators know: it finds the
 * version, and looks whether statd is there for NFSv3. For a process that may hang, and has no
 * other threads.
 */
#ifndef ORDINAL_MOUNT_NFS_H
#define ORDINAL_MOUNT_NFS_H

#include "error.h"

/* Mount NAME, "server:/share", on the directory PATH with OPTIONS, which may be empty. The error
 * says what is wrong and what to do. */
int mount_nfs_run(const char *name, const char *options, const char *path, struct error *err);

#endif
