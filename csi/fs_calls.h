/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system calls that change something, or that old kernels lack: one table, so that tests
 * can make each of them fail at any point. Everybody else calls through `fs_calls`.
 */
#ifndef ORDINAL_FS_CALLS_H
#define ORDINAL_FS_CALLS_H

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/types.h>
#include <time.h>

/* Each as the system call of its name: -1 and errno on failure. */
struct fs_calls {
	int (*openat2)(int dir, const char *path, const struct open_how *how);
	int (*open_tree)(int dir, const char *path, unsigned flags);
	int (*create)(int dir, const char *name); /* openat, for writing, emptied, 0600 */
	ssize_t (*write)(int fd, const void *bytes, size_t length);
	int (*fsync)(int fd);
	int (*mkdirat)(int dir, const char *name, mode_t mode);
	int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
	int (*unlinkat)(int dir, const char *name, int flags);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*set_flags)(int fd, int flags); /* ioctl FS_IOC_SETFLAGS */

	/* Quotas only. */
	int (*set_attributes)(
		int fd, const struct fsxattr *attributes); /* ioctl FS_IOC_FSSETXATTR */
	int (*quotactl_fd)(int fd, unsigned command, unsigned id, void *data);
	int (*quotactl)(unsigned command, const char *device, unsigned id, void *data);

	/* Copies only. */
	int (*create_new)(int dir, const char *name); /* openat, for writing, O_EXCL, 0600 */
	int (*symlinkat)(const char *target, int dir, const char *name);
	int (*linkat)(int from_dir, const char *from, int to_dir, const char *to, int flags);
	int (*mknodat)(int dir, const char *name, mode_t mode, dev_t device);
	int (*fchownat)(int dir, const char *name, uid_t uid, gid_t gid, int flags);
	int (*utimensat)(int dir, const char *name, const struct timespec times[2], int flags);
	int (*futimens)(int fd, const struct timespec times[2]);
	int (*fsetxattr)(int fd, const char *name, const void *value, size_t size, int flags);
	int (*ftruncate)(int fd, off_t size);
	ssize_t (*pwrite)(int fd, const void *bytes, size_t length, off_t offset);
	int (*clone_file)(int from, int to); /* ioctl FICLONE */
	ssize_t (*copy_file_range)(int from, off_t *from_offset, int to, off_t *to_offset,
		size_t length, unsigned flags);
};

/* The kernel's, unless a test has put its own here before it started threads. */
extern const struct fs_calls *fs_calls;

#endif
