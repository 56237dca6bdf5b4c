/* SPDX-License-Identifier: Apache-2.0 */
#include "copy_file.h"

#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "fs_calls.h"

#define BUFFER_SIZE (128 * 1024)

/* What looking for one more extent counts as, in bytes. */
#define EXTENT_COST 4096

struct contents {
	int from, to;
	off_t size;
	bool by_hand; /* the kernel cannot copy between the two */
	off_t unseen; /* bytes since the last look at the watch */
	const struct beneath_watch *watch;
};

static int look(struct contents *contents, off_t done)
{
	contents->unseen += done;
	if (contents->unseen < COPY_FILE_STEP)
		return 0;
	contents->unseen = 0;
	if (contents->watch->step(contents->watch->context))
		return 0;
	errno = ECANCELED;
	return -1;
}

static ssize_t read_and_write(const struct contents *contents, off_t at, size_t length)
{
	_cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
	ssize_t count, written;

	if (!buffer)
		abort();
	count = pread(contents->from, buffer, length < BUFFER_SIZE ? length : BUFFER_SIZE, at);
	for (ssize_t done = 0; done < count; done += written) {
		written = fs_calls->pwrite(
			contents->to, buffer + done, (size_t)(count - done), at + done);
		if (written < 0)
			return -1;
	}
	return count;
}

static bool kernel_cannot(void)
{
	return errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
	       errno == EPERM || errno == ETXTBSY;
}

/* Returns how many bytes of LENGTH at offset AT were copied, 0 at the end of the file. */
static ssize_t copy_some(struct contents *contents, off_t at, size_t length)
{
	off_t from_at = at, to_at = at;
	ssize_t count;

	if (!contents->by_hand) {
		count = fs_calls->copy_file_range(
			contents->from, &from_at, contents->to, &to_at, length, 0);
		if (count > 0 || (count < 0 && !kernel_cannot()))
			return count;
		/* File systems without it have said 0, too. */
		contents->by_hand = true;
	}
	return read_and_write(contents, at, length);
}

/* Returns where copying ended: END, or before it where the file ended. */
static off_t copy_extent(struct contents *contents, off_t at, off_t end)
{
	while (at < end) {
		off_t length = end - at < COPY_FILE_STEP ? end - at : COPY_FILE_STEP;
		ssize_t count = copy_some(contents, at, (size_t)length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 || look(contents, count) < 0)
			return -1;
		if (count == 0)
			break;
		at += count;
	}
	return at;
}

/* The next data at or after AT: 1, or 0 if there are none. */
static int find_extent(const struct contents *contents, off_t at, off_t *ret_start, off_t *ret_end)
{
	off_t start = lseek(contents->from, at, SEEK_DATA), end;

	if (start < 0 && errno == ENXIO)
		return 0;
	if (start < 0) /* a file system that knows no holes */
		start = at;
	end = lseek(contents->from, start, SEEK_HOLE);
	if (end < 0 || end > contents->size)
		end = contents->size;
	if (end <= start) /* punched meanwhile: go on in any case */
		end = start + EXTENT_COST;
	*ret_start = start;
	*ret_end = end < contents->size ? end : contents->size;
	return start < contents->size;
}

static int copy_extents(struct contents *contents)
{
	off_t start, end, at = 0;

	while (at >= 0 && at < contents->size && find_extent(contents, at, &start, &end)) {
		at = copy_extent(contents, start, end);
		if (at >= 0 && at < end)
			break;
		if (at >= 0 && look(contents, EXTENT_COST) < 0)
			return -1;
	}
	return at < 0 ? -1 : 0;
}

int copy_file_contents(int from, int to, off_t size, const struct beneath_watch *watch)
{
	struct contents contents = {.from = from, .to = to, .size = size, .watch = watch};

	/* A clone that fails for another reason than that there are none, as a full disk, fails
	 * again below, where it says so. */
	if (size == 0 || fs_calls->clone_file(from, to) == 0)
		return 0;
	if (copy_extents(&contents) < 0)
		return -1;
	return fs_calls->ftruncate(to, size);
}

/* Labels and what only root uses are the destination's, not the source's. */
static bool is_copied(const char *name)
{
	static const char *const prefixes[] = {
		"user.", "system.posix_acl_", "system.nfs4_acl", "security.capability"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static int copy_xattr(int from, int to, const char *name, char *value)
{
	ssize_t size = fgetxattr(from, name, value, XATTR_SIZE_MAX);

	if (size < 0) /* ENODATA: taken away meanwhile */
		return errno == ENODATA ? 0 : -1;
	return fs_calls->fsetxattr(to, name, value, (size_t)size, 0);
}

static int copy_xattrs(int from, int to)
{
	_cleanup_free_ char *names = NULL, *value = NULL;
	ssize_t size = flistxattr(from, NULL, 0);

	if (size <= 0)
		return size == 0 || errno == ENOTSUP ? 0 : -1;
	names = malloc(XATTR_LIST_MAX);
	value = malloc(XATTR_SIZE_MAX);
	if (!names || !value)
		abort();
	size = flistxattr(from, names, XATTR_LIST_MAX);
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1)
		if (is_copied(names + at) && copy_xattr(from, to, names + at, value) < 0)
			return -1;
	return size < 0 ? -1 : 0;
}

int copy_file_attributes(int from, int to, const struct stat *status)
{
	const struct timespec times[] = {status->st_atim, status->st_mtim};

	/* A change of owner clears the set-id bits and the capabilities. */
	if (fs_calls->fchown(to, status->st_uid, status->st_gid) < 0 ||
		fs_calls->fchmod(to, status->st_mode & 07777) < 0 || copy_xattrs(from, to) < 0)
		return -1;
	return fs_calls->futimens(to, times);
}
