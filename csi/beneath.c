/* SPDX-License-Identifier: Apache-2.0 */
#include "beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs_calls.h"

#define DIR_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* How often parents that vanish are made again. Each time another volume's deletion was faster;
 * that many in a row is not a race any more. */
#define MAKE_ATTEMPTS 64

/* How often a tree is read again from its top although somebody refills it. */
#define REMOVE_ATTEMPTS 64

static void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_component(const char *name, size_t length)
{
	bool dots = (length == 1 || length == 2) && !memcmp(name, "..", length);

	return length > 0 && length <= NAME_MAX && !dots;
}

int beneath_check_path(const char *path, struct error *err)
{
	static const char own[] = ".ordinal";

	for (const char *at = path;; at++) {
		size_t length = strcspn(at, "/");

		if (!is_component(at, length) ||
			(length == strlen(own) && !memcmp(at, own, length)))
			return error_set(err, ERROR_INVALID,
				"the path \"%s\" has a component that is empty, longer than %d bytes, "
				"or one of \".\", \"..\", \".ordinal\"",
				path, NAME_MAX);
		at += length;
		if (!*at)
			break;
	}
	if (strlen(path) >= PATH_MAX / 2)
		return error_set(
			err, ERROR_INVALID, "the path is longer than %d bytes", PATH_MAX / 2 - 1);
	return 0;
}

/* What openat2 does, for kernels that lack it or containers that forbid it. */
static int open_by_component(int base, const char *path, int flags, bool cross_mounts)
{
	_cleanup_close_ int dir = openat(base, ".", O_PATH | DIR_FLAGS);
	struct stat top, here;

	while (dir >= 0 && *path) {
		char name[NAME_MAX + 1];
		size_t length = strcspn(path, "/");
		bool last = !path[length];
		int next;

		if (!is_component(path, length)) {
			errno = EINVAL;
			return -1;
		}
		memcpy(name, path, length);
		name[length] = '\0';
		path += length + !last;
		next = openat(dir, name, (last ? flags : O_PATH) | DIR_FLAGS);
		if (next >= 0 && !cross_mounts &&
			(fstat(dir, &top) < 0 || fstat(next, &here) < 0 ||
				top.st_dev != here.st_dev)) {
			close(next);
			errno = EXDEV;
			return -1;
		}
		close(dir);
		dir = next;
	}
	return take_fd(&dir);
}

static int open_confined(int base, const char *path, int flags, bool cross_mounts)
{
	struct open_how how = {
		.flags = (unsigned)(flags | DIR_FLAGS),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   (cross_mounts ? 0 : RESOLVE_NO_XDEV),
	};
	int fd = fs_calls->openat2(base, path, &how);

	/* EPERM: a seccomp filter that does not know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_by_component(base, path, flags, cross_mounts);
	return fd;
}

int beneath_open_dir(int base, const char *path, int flags, int *ret_fd, struct error *err)
{
	int fd = open_confined(base, path, flags, true);

	if (fd < 0)
		return error_set_errno(err, errno, "open %s", path);
	*ret_fd = fd;
	return 0;
}

/* The last component of PATH, and an open descriptor of the directory above it. */
static int open_parent(int base, const char *path, int *ret_fd, const char **ret_name)
{
	_cleanup_free_ char *parent = NULL;
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	if (!slash) {
		*ret_fd = openat(base, ".", O_RDONLY | DIR_FLAGS);
		return *ret_fd;
	}
	parent = strndup(path, (size_t)(slash - path));
	if (!parent)
		abort();
	*ret_fd = open_confined(base, parent, O_RDONLY, true);
	return *ret_fd;
}

/* Make NAME in DIR unless it is there, and open it. */
static int make_component(int dir, const char *name, bool *ret_created)
{
	_cleanup_close_ int fd = -1;
	bool created = fs_calls->mkdirat(dir, name, 0755) == 0;

	if (!created && errno != EEXIST)
		return -1;
	fd = open_confined(dir, name, O_RDONLY, true);
	if (fd < 0)
		return -1;
	/* The umask may have taken something away; and the name must outlive a power cut. */
	if (created && (fs_calls->fchmod(fd, 0755) < 0 || fs_calls->fsync(dir) < 0))
		return -1;
	*ret_created = created;
	return take_fd(&fd);
}

static int make_path(int base, const char *path, bool *ret_created)
{
	_cleanup_close_ int dir = openat(base, ".", O_RDONLY | DIR_FLAGS);

	for (const char *at = path; dir >= 0; at++) {
		char name[NAME_MAX + 1];
		size_t length = strcspn(at, "/");
		int next;

		memcpy(name, at, length);
		name[length] = '\0';
		next = make_component(dir, name, ret_created);
		close(dir);
		dir = next;
		at += length;
		if (!*at)
			break;
	}
	return take_fd(&dir);
}

int beneath_make_dir(int base, const char *path, int *ret_fd, bool *ret_created, struct error *err)
{
	if (beneath_check_path(path, err) < 0)
		return -1;
	for (int attempt = 0; attempt < MAKE_ATTEMPTS; attempt++) {
		bool created = false;
		int fd = make_path(base, path, &created);

		if (fd >= 0) {
			*ret_fd = fd;
			*ret_created = created;
			return 0;
		}
		if (errno != ENOENT) /* ENOENT: a parent was pruned under us */
			break;
	}
	return error_set_errno(err, errno, "make directory %s", path);
}

int beneath_rename(int base, const char *from, int to_dir, const char *to, struct error *err)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	if (open_parent(base, from, &dir, &name) < 0)
		return error_set_errno(err, errno, "open the directory of %s", from);
	if (fs_calls->renameat(dir, name, to_dir, to) < 0)
		return error_set_errno(err, errno, "rename %s", from);
	if (fs_calls->fsync(to_dir) < 0 || fs_calls->fsync(dir) < 0)
		return error_set_errno(err, errno, "sync the rename of %s", from);
	return 0;
}

static int remove_empty(int base, const char *path)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	if (open_parent(base, path, &dir, &name) < 0)
		return -1;
	return fs_calls->unlinkat(dir, name, AT_REMOVEDIR);
}

int beneath_remove_empty(int base, const char *path, struct error *err)
{
	if (remove_empty(base, path) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "remove directory %s", path);
	return 0;
}

void beneath_prune_parents(int base, const char *path)
{
	_cleanup_free_ char *parent = strdup(path);
	char *slash;

	if (!parent)
		abort();
	while ((slash = strrchr(parent, '/'))) {
		*slash = '\0';
		if (remove_empty(base, parent) < 0 && errno != ENOENT)
			return;
	}
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

int beneath_is_empty(int fd, bool *ret_empty, struct error *err)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | DIR_FLAGS);

	if (copy < 0)
		return error_set_errno(err, errno, "read directory");
	dir = fdopendir(copy);
	if (!dir)
		abort();
	errno = 0;
	while ((entry = readdir(dir)) && is_dot(entry->d_name))
		;
	if (!entry && errno)
		return error_set_errno(err, errno, "read directory");
	*ret_empty = !entry;
	return 0;
}

/* A tree that is being removed. Directories that are not empty are moved up to its top, one level
 * a time, so that never more than three descriptors are open however deep it is. */
struct removal {
	int top;
	unsigned long moved; /* names given to directories that were moved up */
	const atomic_bool *stop;
};

static int unlink_entry(int dir, const char *name)
{
	if (fs_calls->unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (fs_calls->unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	/* An immutable file is EPERM first and no directory then: the first is the reason. */
	if (errno == ENOTDIR)
		errno = EPERM;
	return -1;
}

static int move_up(struct removal *removal, int dir, const char *name)
{
	char to[32];

	/* A name that is taken, by a hostile hand perhaps, never replaces anything that is not
	 * empty: the next number is tried. */
	do {
		snprintf(to, sizeof(to), "%lu", removal->moved++);
		if (fs_calls->renameat(dir, name, removal->top, to) == 0)
			return 0;
	} while (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR);
	return errno == ENOENT ? 0 : -1;
}

typedef int visit_fn(struct removal *removal, int dir, const char *name);

/* Call VISIT for every entry of DIR. */
static int visit_entries(struct removal *removal, int dir_fd, visit_fn *visit)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(dir_fd, ".", O_RDONLY | DIR_FLAGS);

	if (copy < 0)
		return -1;
	dir = fdopendir(copy);
	if (!dir)
		abort();
	while (errno = 0, (entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		if (atomic_load(removal->stop)) {
			errno = ECANCELED;
			return -1;
		}
		if (visit(removal, dirfd(dir), entry->d_name) < 0)
			return -1;
	}
	return errno ? -1 : 0;
}

static int remove_or_move_up(struct removal *removal, int dir, const char *name)
{
	if (unlink_entry(dir, name) == 0)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST ? move_up(removal, dir, name) : -1;
}

static int remove_from_top(struct removal *removal, int top, const char *name)
{
	_cleanup_close_ int dir = -1;

	if (unlink_entry(top, name) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	dir = open_confined(top, name, O_RDONLY, false);
	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (visit_entries(removal, dir, remove_or_move_up) < 0)
		return -1;
	/* Not empty: somebody added to it; the top is read again. */
	if (unlink_entry(top, name) < 0 && errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	return 0;
}

static int remove_tree(int dir, const char *name, const atomic_bool *stop)
{
	_cleanup_close_ int top = -1;
	struct removal removal = {.stop = stop};
	unsigned long moved;
	int attempts = 0;

	if (unlink_entry(dir, name) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	top = removal.top = open_confined(dir, name, O_RDONLY, false);
	if (top < 0)
		return errno == ENOENT ? 0 : -1;
	do {
		moved = removal.moved;
		if (visit_entries(&removal, top, remove_from_top) < 0)
			return -1;
		if (unlink_entry(dir, name) == 0)
			return 0;
		/* Levels that came up are progress; a refilled directory is not, for ever. */
		attempts = removal.moved == moved ? attempts + 1 : 0;
	} while ((errno == ENOTEMPTY || errno == EEXIST) && attempts < REMOVE_ATTEMPTS);
	return -1;
}

int beneath_remove_tree(int dir, const char *name, const atomic_bool *stop, struct error *err)
{
	if (remove_tree(dir, name, stop) < 0)
		return error_set_errno(err, errno, "remove %s", name);
	return 0;
}
