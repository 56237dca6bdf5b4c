/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "failure.h"

#define TEMPLATE "/ordinal-bench.XXXXXX"

/* The type of the mount that the absolute PATH lies on: the last of those with the longest path. */
static void find_type(const char *path, char *type, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;
	size_t longest = 0;

	snprintf(type, size, "unknown");
	while (mounts && (entry = getmntent(mounts))) {
		size_t length = strlen(entry->mnt_dir);
		bool top = !strcmp(entry->mnt_dir, "/");

		if (length < longest || strncmp(entry->mnt_dir, path, length) ||
			(!top && path[length] != '/'))
			continue;
		longest = length;
		snprintf(type, size, "%s", entry->mnt_type);
	}
	if (mounts)
		endmntent(mounts);
}

/* Let ext4 put each directory made in PATH into a part of the disk of its own, as it does with
 * those in its root; other file systems have no such flag. */
static void spread(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int flags;

	if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_TOPDIR_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

void scratch_make(struct scratch *scratch, const char *dir)
{
	if (!realpath(dir, scratch->disk) ||
		strlen(scratch->disk) + sizeof(TEMPLATE) > sizeof(scratch->disk))
		failure_exit("the directory %s", dir);
	strcat(scratch->disk, TEMPLATE);
	strcpy(scratch->other, "/tmp" TEMPLATE);
	if (!mkdtemp(scratch->disk))
		failure_exit("make a directory in %s", dir);
	if (!mkdtemp(scratch->other)) {
		rmdir(scratch->disk);
		failure_exit("make a directory in /tmp");
	}
	spread(scratch->disk);
	find_type(scratch->disk, scratch->type, sizeof(scratch->type));
}

bool scratch_in_memory(const struct scratch *scratch)
{
	return !strcmp(scratch->type, "tmpfs") || !strcmp(scratch->type, "ramfs");
}

static int remove_entry(const char *path, const struct stat *status, int what, struct FTW *walk)
{
	(void)status;
	(void)what;
	(void)walk;
	return remove(path);
}

void scratch_remove_tree(const char *path)
{
	if (nftw(path, remove_entry, 64, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		fprintf(stderr, "%s: remove %s: %s\n", program_invocation_short_name, path,
			strerror(errno));
}

void scratch_remove(const struct scratch *scratch)
{
	scratch_remove_tree(scratch->disk);
	scratch_remove_tree(scratch->other);
}

char *scratch_directory(const struct scratch *scratch, const char *name)
{
	const char *unique = strrchr(scratch->disk, '.') + 1;
	char *path;

	/* ext4 chooses the part of the disk by the name: never again that of an earlier run, where
	 * many inodes were freed just now. */
	if (asprintf(&path, "%s/%s-%s", scratch->disk, name, unique) < 0)
		abort();
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		failure_exit("make %s", path);
	return path;
}

void scratch_settle(const struct scratch *scratch)
{
	_cleanup_close_ int fd = open(scratch->disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		failure_exit("sync %s", scratch->disk);
}
