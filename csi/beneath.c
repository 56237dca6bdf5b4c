/* SPDX-License-Identifier: Apache-2.0 */
#include "beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs_calls.h"
#include "project.h"

#define ENTRY_FLAGS (O_NOFOLLOW | O_CLOEXEC)
#define DIR_FLAGS   (O_DIRECTORY | ENTRY_FLAGS)

#define KEEPING_FLAGS (FS_IMMUTABLE_FL | FS_APPEND_FL)

/* How often parents that vanish are made again. Each time another volume's deletion was faster;
 * that many in a row is not a race any more. */
#define MAKE_ATTEMPTS 64

static bool is_component(const char *name, size_t length)
{
	bool dots = (length == 1 || length == 2) && !memcmp(name, "..", length);

	return length > 0 && length <= NAME_MAX && !dots;
}

/* Whether PATH is of the form that beneath_check_path asks for, but that it may be our own. */
static bool is_plain(const char *path)
{
	if (strlen(path) >= PATH_MAX)
		return false;
	for (;; path++) {
		size_t length = strcspn(path, "/");

		if (!is_component(path, length))
			return false;
		path += length;
		if (!*path)
			return true;
	}
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

/* The mount that FD was opened on, or -1 where /proc does not say. */
static long mount_id(int fd)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[40], line[128];
	long id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && id < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "mnt_id: %ld", &id);
	return id;
}

static bool same_mount(int one, int other)
{
	struct stat one_status, other_status;

	return fstat(one, &one_status) == 0 && fstat(other, &other_status) == 0 &&
	       one_status.st_dev == other_status.st_dev && mount_id(one) == mount_id(other);
}

/* What openat2 does, for kernels that lack it or containers that forbid it. */
static int open_by_component(int base, const char *path, int flags, bool cross_mounts)
{
	_cleanup_close_ int dir = openat(base, ".", O_PATH | DIR_FLAGS);

	while (dir >= 0 && *path) {
		char name[NAME_MAX + 1];
		size_t length = strcspn(path, "/");
		bool last = !path[length];
		int next;

		memcpy(name, path, length);
		name[length] = '\0';
		path += length + !last;
		next = openat(dir, name, last ? flags | ENTRY_FLAGS : O_PATH | DIR_FLAGS);
		if (next >= 0 && !cross_mounts && !same_mount(dir, next)) {
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
		.flags = (unsigned)(flags | ENTRY_FLAGS),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   (cross_mounts ? 0 : RESOLVE_NO_XDEV),
	};
	int fd;

	if (!is_plain(path)) {
		errno = EINVAL;
		return -1;
	}
	fd = fs_calls->openat2(base, path, &how);
	/* EPERM: a seccomp filter that does not know the call. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_by_component(base, path, flags, cross_mounts);
	return fd;
}

int beneath_open_entry(int dir, const char *name, int flags)
{
	return open_confined(dir, name, flags, false);
}

int beneath_reopen(int fd, int flags)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

int beneath_clear_flags_of(int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & KEEPING_FLAGS)) {
		errno = EPERM;
		return -1;
	}
	return fs_calls->set_flags(fd, flags & ~KEEPING_FLAGS);
}

/* Open the entry NAME of DIR, which is a file or a directory: opening anything else may have an
 * effect, or wait for ever. Fails with EPERM for those. */
static int open_attributes(int dir, const char *name)
{
	_cleanup_close_ int entry = beneath_open_entry(dir, name, O_PATH);
	struct stat status;

	if (entry < 0 || fstat(entry, &status) < 0)
		return -1;
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
		errno = EPERM;
		return -1;
	}
	return beneath_reopen(entry, O_RDONLY | O_NONBLOCK);
}

int beneath_clear_flags(int dir, const char *name)
{
	_cleanup_close_ int fd = open_attributes(dir, name);

	return fd < 0 ? -1 : beneath_clear_flags_of(fd);
}

int beneath_join_project(int dir, const char *name, int to_dir)
{
	_cleanup_close_ int fd = open_attributes(dir, name);

	if (fd >= 0 && project_join(fd, to_dir) == 0)
		return 0;
	errno = EXDEV;
	return -1;
}

/* Compare what this machine remembers of the directories above PATH, which on NFS may be a minute
 * old, with what the server says. */
static void look_again(int base, const char *path)
{
	_cleanup_close_ int dir = openat(base, ".", O_PATH | DIR_FLAGS);
	struct statx status;

	while (dir >= 0 &&
		statx(dir, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_CTIME, &status) == 0) {
		char name[NAME_MAX + 1];
		size_t length = strcspn(path, "/");
		int next;

		if (!path[length])
			return;
		memcpy(name, path, length);
		name[length] = '\0';
		path += length + 1;
		next = openat(dir, name, O_PATH | DIR_FLAGS);
		close(dir);
		dir = next;
	}
}

int beneath_open_dir(int base, const char *path, int flags, int *ret_fd, struct error *err)
{
	int fd = open_confined(base, path, flags | O_DIRECTORY, true);

	/* What depends on that there is nothing may be for ever. */
	if (fd < 0 && errno == ENOENT) {
		look_again(base, path);
		fd = open_confined(base, path, flags | O_DIRECTORY, true);
	}
	if (fd < 0)
		return error_set_errno(err, errno, "open %s", path);
	*ret_fd = fd;
	return 0;
}

bool beneath_is_absent(const struct error *err)
{
	return err->errnum == ENOENT || err->errnum == ENOTDIR || err->errnum == ELOOP;
}

int beneath_look(int base, const char *path, bool *ret_there, struct error *err)
{
	_cleanup_close_ int fd = -1;

	*ret_there = beneath_open_dir(base, path, O_PATH, &fd, err) == 0;
	return *ret_there || beneath_is_absent(err) ? 0 : -1;
}

/* The last component of PATH, and an open descriptor of the directory above it. */
static int open_parent(int base, const char *path, int *ret_fd, const char **ret_name)
{
	_cleanup_free_ char *parent = NULL;
	const char *slash = strrchr(path, '/');

	if (!is_plain(path)) {
		errno = EINVAL;
		return -1;
	}
	*ret_name = slash ? slash + 1 : path;
	if (!slash) {
		*ret_fd = openat(base, ".", O_RDONLY | DIR_FLAGS);
		return *ret_fd;
	}
	parent = strndup(path, (size_t)(slash - path));
	if (!parent)
		abort();
	*ret_fd = open_confined(base, parent, O_RDONLY | O_DIRECTORY, true);
	return *ret_fd;
}

/* Make NAME in DIR unless it is there, and open it; on disk, but for the LAST. */
static int make_component(int dir, const char *name, bool last, bool *ret_created)
{
	_cleanup_close_ int fd = -1;
	bool created = fs_calls->mkdirat(dir, name, 0755) == 0;

	if (!created && errno != EEXIST)
		return -1;
	fd = open_confined(dir, name, O_RDONLY | O_DIRECTORY, true);
	if (fd < 0)
		return -1;
	/* The umask may have taken something away; and the name must outlive a power cut. */
	if (created && (fs_calls->fchmod(fd, 0755) < 0 || (!last && fs_calls->fsync(dir) < 0)))
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
		at += length;
		next = make_component(dir, name, !*at, ret_created);
		close(dir);
		dir = next;
		if (!*at)
			break;
	}
	return take_fd(&dir);
}

/* Whether a directory may have been pruned after it was opened: NFS calls that ESTALE. It says the
 * same of a base that the server has lost, but then of every attempt. */
static bool may_be_pruned(int errnum)
{
	return errnum == ENOENT || errnum == ESTALE;
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
		if (!may_be_pruned(errno))
			break;
	}
	return error_set_errno(err, errno, "make directory %s", path);
}

int beneath_sync_parent(int base, const char *path, struct error *err)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	if (open_parent(base, path, &dir, &name) < 0 || fs_calls->fsync(dir) < 0)
		return error_set_errno(err, errno, "sync the directory above %s", path);
	return 0;
}

static int rename_entry(int dir, const char *name, int to_dir, const char *to)
{
	if (fs_calls->renameat(dir, name, to_dir, to) == 0)
		return 0;
	if (errno == EPERM && beneath_clear_flags(dir, name) == 0 &&
		fs_calls->renameat(dir, name, to_dir, to) == 0)
		return 0;
	if (errno != EXDEV || beneath_join_project(dir, name, to_dir) < 0)
		return -1;
	return fs_calls->renameat(dir, name, to_dir, to);
}

int beneath_rename(int base, const char *from, int to_dir, const char *to, struct error *err)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	if (open_parent(base, from, &dir, &name) < 0)
		return error_set_errno(err, errno, "open the directory of %s", from);
	if (!is_component(to, strcspn(to, "/")) || strchr(to, '/'))
		return error_set_errno(err, EINVAL, "rename %s", from);
	if (rename_entry(dir, name, to_dir, to) < 0)
		return error_set_errno(err, errno, "rename %s", from);
	if (fs_calls->fsync(to_dir) < 0 || fs_calls->fsync(dir) < 0)
		return error_set_errno(err, errno, "sync the rename of %s", from);
	return 0;
}

/* One try: another thread may prune the directories above TO meanwhile. */
static int try_to_move(
	int from_dir, const char *from, int to_dir, const char *to, struct error *err)
{
	_cleanup_free_ char *parent = strdup(to);
	_cleanup_close_ int fd = -1;
	char *slash;
	bool created;

	if (!parent)
		abort();
	slash = strrchr(parent, '/');
	if (!slash)
		return beneath_rename(from_dir, from, to_dir, to, err); // cppcheck-suppress memleak
	*slash = '\0';
	if (beneath_make_dir(to_dir, parent, &fd, &created, err) < 0 ||
		(created && beneath_sync_parent(to_dir, parent, err) < 0))
		return -1;
	return beneath_rename(from_dir, from, fd, slash + 1, err);
}

int beneath_move(int from_dir, const char *from, int to_dir, const char *to, struct error *err)
{
	for (int attempts = 0; try_to_move(from_dir, from, to_dir, to, err) < 0; attempts++) {
		struct error why = *err;
		bool there;

		if (!may_be_pruned(err->errnum) || beneath_look(from_dir, from, &there, err) < 0)
			return -1;
		if (!there) {
			*err = why;
			return -1;
		}
		if (attempts == MAKE_ATTEMPTS)
			return error_set(err, ERROR_ABORTED,
				"the directories above %s keep vanishing: try again", to);
	}
	return 0;
}

static int try_to_remove(int base, const char *path)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	if (open_parent(base, path, &dir, &name) < 0)
		return -1;
	return fs_calls->unlinkat(dir, name, AT_REMOVEDIR);
}

/* The directory above it may be pruned by another thread: ENOENT says so, if at the second look. */
static int remove_empty(int base, const char *path)
{
	int result, attempts = 0;

	do
		result = try_to_remove(base, path);
	while (result < 0 && errno == ESTALE && ++attempts < MAKE_ATTEMPTS);
	return result;
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

const char *beneath_printable(const char *text, char *ret, size_t size)
{
	static const char cut[] = "...";
	size_t length = strlen(text);
	bool fits = length < size;

	if (!fits)
		text += length - (size - sizeof(cut));
	snprintf(ret, size, "%s%s", fits ? "" : cut, text);
	for (char *at = ret; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	return ret;
}
