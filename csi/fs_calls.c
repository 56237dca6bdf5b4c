/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call_openat2(int dir, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dir, path, how, sizeof(*how));
}

static int call_create(int dir, const char *name)
{
	return openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
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
};

const struct fs_calls *fs_calls = &kernel_calls;
