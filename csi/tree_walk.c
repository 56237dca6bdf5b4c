/* SPDX-License-Identifier: Apache-2.0 */
#include "tree_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "fs_calls.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* The innermost levels are open. Others are closed and found again on the way back. */
#define OPEN_LEVELS 64

/* A directory that the walk is inside of. */
struct level {
	DIR *dir;      /* NULL while it is closed */
	long position; /* up to where it is read, then */
	dev_t device;
	ino_t inode;
};

struct walk {
	const atomic_bool *cancelled;
	tree_visit_fn *visit;
	void *context;
	struct level *levels;
	size_t depth, allocated;
};

static void walk_done(struct walk *walk)
{
	while (walk->depth)
		if (walk->levels[--walk->depth].dir)
			closedir(walk->levels[walk->depth].dir);
	free(walk->levels);
}

/* Open NAME in DIR, a directory of the same mount. */
static int open_dir(int dir, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct open_how how = {
		.flags = DIR_FLAGS, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
	struct stat here, there;

	fd = fs_calls->openat2(dir, name, &how);
	/* EPERM: a seccomp filter that does not know the call. */
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return take_fd(&fd);
	fd = openat(dir, name, DIR_FLAGS);
	if (fd < 0 || fstat(dir, &here) < 0 || fstat(fd, &there) < 0)
		return -1;
	if (here.st_dev != there.st_dev) {
		errno = EXDEV;
		return -1;
	}
	return take_fd(&fd);
}

static DIR *open_stream(int *fd)
{
	DIR *dir = fdopendir(*fd);

	if (!dir)
		abort();
	(void)take_fd(fd);
	return dir;
}

static void add_level(struct walk *walk, const struct level *level)
{
	if (walk->depth == walk->allocated) {
		walk->allocated = walk->allocated ? walk->allocated * 2 : OPEN_LEVELS;
		walk->levels = reallocarray(walk->levels, walk->allocated, sizeof(*walk->levels));
		if (!walk->levels)
			abort();
	}
	walk->levels[walk->depth++] = *level;
}

static void close_level(struct level *level)
{
	if (!level->dir)
		return;
	level->position = telldir(level->dir);
	closedir(level->dir);
	level->dir = NULL;
}

/* Go into the directory *FD, which is taken. */
static int enter(struct walk *walk, int *fd, struct error *err)
{
	struct level level = {0};
	struct stat status;

	if (walk->depth == TREE_WALK_MAX_DEPTH)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"more than %d directories in each other", TREE_WALK_MAX_DEPTH);
	if (fstat(*fd, &status) < 0)
		return error_set_errno(err, errno, "look at a directory");
	level.device = status.st_dev;
	level.inode = status.st_ino;
	level.dir = open_stream(fd);
	add_level(walk, &level);
	if (walk->depth > OPEN_LEVELS)
		close_level(&walk->levels[walk->depth - 1 - OPEN_LEVELS]);
	return 0;
}

/* Open LEVEL again from INNER, which was found inside it. Only the very directory that the walk
 * came from will do: INNER may have been moved meanwhile. */
static int reopen(struct level *level, DIR *inner, struct error *err)
{
	_cleanup_close_ int fd = open_dir(dirfd(inner), "..");
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, errno, "go back to a directory");
	if (status.st_dev != level->device || status.st_ino != level->inode)
		return error_set(err, ERROR_ABORTED, "directories were moved meanwhile: try again");
	level->dir = open_stream(&fd);
	seekdir(level->dir, level->position);
	return 0;
}

/* Leave the innermost directory. */
static int leave(struct walk *walk, struct error *err)
{
	DIR *inner = walk->levels[--walk->depth].dir;
	int result = 0;

	if (walk->depth && !walk->levels[walk->depth - 1].dir)
		result = reopen(&walk->levels[walk->depth - 1], inner, err);
	closedir(inner);
	return result;
}

/* Visit NAME of the innermost directory, and go into it where it is one. */
static int look_at(struct walk *walk, const char *name, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int dir = dirfd(walk->levels[walk->depth - 1].dir);
	struct statx status;
	struct tree_entry entry = {dir, name, -1, &status};

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		    STATX_TYPE | STATX_NLINK | STATX_BLOCKS, &status) < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "look at %s", name);
	if (status.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return 0;
	if (!S_ISDIR(status.stx_mode))
		return walk->visit(walk->context, &entry, err);
	fd = open_dir(dir, name);
	if (fd >= 0) {
		entry.fd = fd;
		return walk->visit(walk->context, &entry, err) < 0 ? -1 : enter(walk, &fd, err);
	}
	/* Vanished, replaced by something else, or mounted upon. */
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV)
		return 0;
	return error_set_errno(err, errno, "open %s", name);
}

/* One entry of the innermost directory, or the end of it. */
static int step(struct walk *walk, struct error *err)
{
	struct dirent *entry;

	if (walk->cancelled && atomic_load(walk->cancelled))
		return error_set(err, ERROR_CANCELLED, "the caller gave up");
	errno = 0;
	entry = readdir(walk->levels[walk->depth - 1].dir);
	if (!entry)
		return errno ? error_set_errno(err, errno, "read a directory") : leave(walk, err);
	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return 0;
	return look_at(walk, entry->d_name, err);
}

int tree_walk(int dir, const atomic_bool *cancelled, tree_visit_fn *visit, void *context,
	struct error *err)
{
	_cleanup_(walk_done) struct walk walk = {
		.cancelled = cancelled, .visit = visit, .context = context};
	_cleanup_close_ int fd = openat(dir, ".", DIR_FLAGS);

	if (fd < 0)
		return error_set_errno(err, errno, "open the tree");
	if (enter(&walk, &fd, err) < 0)
		return -1;
	while (walk.depth)
		if (step(&walk, err) < 0)
			return -1;
	return 0;
}
