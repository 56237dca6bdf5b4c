/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bind mounts of directories that are open already, so that no path is resolved twice. A target is
 * a NAME in an open directory PARENT. Any thread may call; calls about one target are the caller's
 * to keep apart.
 */
#ifndef ORDINAL_MOUNTER_H
#define ORDINAL_MOUNTER_H

#include <stdbool.h>

#include "error.h"

/* Add the MS_ flag that OPTION means to *FLAGS. ERROR_INVALID, with a list, for options that a bind
 * cannot have. */
int mounter_add_option(const char *option, unsigned long *flags, struct error *err);

/* Bind the directory SOURCE to the directory NAME in PARENT, with FLAGS. Where the kernel can (5.12
 * on), the mount appears with its flags at once, also in the namespaces that it propagates to;
 * else it is remounted, and those keep it without the flags. */
int mounter_bind(int source, int parent, const char *name, unsigned long flags, struct error *err);

/* Whether something is mounted on NAME in PARENT. ERROR_NOT_FOUND when NAME does not exist. */
int mounter_is_mounted(int parent, const char *name, bool *ret_mounted, struct error *err);

/* Open what is mounted on NAME in PARENT. ERROR_NOT_FOUND when nothing is, or NAME does not exist,
 * ERROR_FAILED_PRECONDITION when NAME is no directory. Caller closes *RET_FD, opened O_PATH. */
int mounter_open(int parent, const char *name, int *ret_fd, struct error *err);

/* Find a mount of the directory SOURCE besides the one that SOURCE was opened through, in what the
 * kernel has mounted: it takes time in proportion to that. ERROR_NOT_FOUND when there is none.
 * Caller frees *RET_PATH. */
int mounter_find_mount(int source, char **ret_path, struct error *err);

/* The directory that the mount of FD shows, as a path in its file system; "//deleted" is added when
 * somebody deleted it. Caller frees *RET_ROOT. */
int mounter_root(int fd, char **ret_root, struct error *err);

/* The device that is mounted where FD lies, as whoever mounted it named it. Caller frees
 * *RET_DEVICE. */
int mounter_device(int fd, char **ret_device, struct error *err);

/* What is mounted on a target. */
struct mounter_target {
	bool same;             /* it is the directory SOURCE */
	bool writable;         /* through this mount */
	unsigned long lacking; /* MS_NOSUID, MS_NODEV and MS_NOEXEC that it has not */
	bool made_readonly;    /* by this mount: SOURCE is writable */
};

/* Look at what NAME in PARENT shows, beside the directory SOURCE. */
int mounter_compare(
	int source, int parent, const char *name, struct mounter_target *ret, struct error *err);

/* Unmount everything from NAME in PARENT, lazily and without following a symbolic link. */
int mounter_unmount(int parent, const char *name, struct error *err);

#endif
