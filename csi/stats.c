/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "beneath.h"
#include "cleanup.h"
#include "mounter.h"

/* COUNT units of SIZE bytes; what a file system makes up stays a number. */
static int64_t multiply(uint64_t count, uint64_t size)
{
	int64_t product;

	return __builtin_mul_overflow(count, size, &product) ? INT64_MAX : product;
}

static struct stats_usage usage(uint64_t total, uint64_t free, uint64_t available, uint64_t size)
{
	struct stats_usage usage = {
		.total = multiply(total, size),
		.available = multiply(available, size),
		.used = multiply(total > free ? total - free : 0, size),
	};

	return usage;
}

static int read_usage(int fd, struct stats *stats)
{
	struct statvfs status;

	if (fstatvfs(fd, &status) < 0)
		return -1;
	stats->bytes = usage(status.f_blocks, status.f_bfree, status.f_bavail, status.f_frsize);
	stats->inodes = usage(status.f_files, status.f_ffree, status.f_favail, 1);
	stats->has_usage = true;
	return 0;
}

/* Whether the mount's directory is, or was before somebody deleted it, the volume's. */
static bool was_at(int mount, const char *path)
{
	static const char deleted[] = "//deleted";
	_cleanup_free_ char *root = NULL;
	size_t length, wanted = strlen(path);

	if (mounter_root(mount, &root, NULL) < 0)
		return false;
	length = strlen(root);
	if (length > strlen(deleted) && !strcmp(root + length - strlen(deleted), deleted))
		length -= strlen(deleted);
	return length > wanted && root[length - wanted - 1] == '/' &&
	       !strncmp(root + length - wanted, path, wanted);
}

/* ERROR_NOT_FOUND unless MOUNT shows the volume. Where the base has lost its directory, what is
 * mounted is taken for it. */
static int check_same(
	int mount, const struct stat *seen, const struct stats_volume *volume, struct error *err)
{
	struct stat wanted;

	if (volume->source < 0)
		return 0;
	if (fstat(volume->source, &wanted) < 0)
		return error_set_errno(err, errno, "look at the volume");
	if ((seen->st_dev == wanted.st_dev && seen->st_ino == wanted.st_ino) ||
		(seen->st_nlink == 0 && was_at(mount, volume->path)))
		return 0;
	return error_set(err, ERROR_NOT_FOUND,
		"volume_path: something other than the volume is mounted there");
}

/* What is wrong with the volume; -1 when something is. */
static int check_condition(int mount, const struct stat *seen, const struct stats_volume *volume,
	struct error *condition)
{
	bool empty;

	if (seen->st_nlink == 0)
		return error_set(condition, ERROR_NOT_FOUND,
			"the directory %s/%s was deleted while it was mounted, and its data with it: "
			"restore it, and start the pod again",
			volume->base, volume->path);
	if (volume->source < 0) {
		*condition = *volume->lost;
		return -1;
	}
	if (beneath_is_empty(mount, &empty, condition) < 0)
		return error_prefix(condition, "the volume cannot be read");
	error_set(condition, ERROR_NONE, "the volume is mounted and can be read");
	return 0;
}

int stats_collect(
	int mount, const struct stats_volume *volume, struct stats *ret_stats, struct error *err)
{
	struct stats stats = {0};
	struct stat seen;
	int result;

	if (fstat(mount, &seen) < 0)
		result = error_set_errno(&stats.condition, errno, "look at the volume");
	else if (check_same(mount, &seen, volume, err) < 0)
		return -1;
	else
		result = check_condition(mount, &seen, volume, &stats.condition);
	if (read_usage(mount, &stats) < 0 && result == 0)
		result = error_set_errno(&stats.condition, errno, "ask for the volume's usage");
	stats.abnormal = result < 0;
	*ret_stats = stats;
	return 0;
}
