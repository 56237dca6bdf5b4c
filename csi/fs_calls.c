/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_calls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static int call_openat2(int dir, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dir, path, how, sizeof(*how));
}

static int call_create(int dir, const char *name)
{
	return openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int call_set_flags(int fd, int flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int call_set_attributes(int fd, const struct fsxattr *attributes)
{
	return ioctl(fd, FS_IOC_FSSETXATTR, attributes);
}

static int call_quotactl_fd(int fd, unsigned command, unsigned id, void *data)
{
	return (int)syscall(SYS_quotactl_fd, fd, command, id, data);
}

static int call_quotactl(unsigned command, const char *device, unsigned id, void *data)
{
	return (int)syscall(SYS_quotactl, command, device, id, data);
}

static int call_create_new(int dir, const char *name)
{
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int call_clone_file(int from, int to)
{
	return ioctl(to, FICLONE, from);
}

static const struct fs_calls kernel_calls = {
	.openat2 = call_openat2,
	.open_tree = open_tree,
	.create = call_create,
	.write = write,
	.fsync = fsync,
	.mkdirat = mkdirat,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.fchmod = fchmod,
	.fchown = fchown,
	.set_flags = call_set_flags,
	.set_attributes = call_set_attributes,
	.quotactl_fd = call_quotactl_fd,
	.quotactl = call_quotactl,
	.create_new = call_create_new,
	.symlinkat = symlinkat,
	.linkat = linkat,
	.mknodat = mknodat,
	.fchownat = fchownat,
	.utimensat = utimensat,
	.futimens = futimens,
	.fsetxattr = fsetxattr,
	.ftruncate = ftruncate,
	.pwrite = pwrite,
	.clone_file = call_clone_file,
	.copy_file_range = copy_file_range,
};

const struct fs_calls *fs_calls = &kernel_calls;
