/* SPDX-License-Identifier: Apache-2.0 */
#include "remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "cleanup.h"
#include "fs_calls.h"

/* How often a tree is read again from its top although somebody refills it. */
#define REMOVE_ATTEMPTS 64

/* A tree that is being removed. Directories that are not empty are moved up to its top, one level
 * a time, so that never more than three descriptors are open however deep it is. */
struct removal {
	const struct beneath_watch *watch;
	int outside; /* the directory that holds the tree */
	int top;
	unsigned long moved; /* names given to directories that were moved up */
	bool busy;           /* some entries have to wait: the rest goes */
	char failed[48];     /* the entry that could not be removed */
};

typedef int visit_fn(struct removal *removal, int dir, const char *name);

static int step(const struct removal *removal)
{
	if (removal->watch->step(removal->watch->context))
		return 0;
	errno = ECANCELED;
	return -1;
}

static bool is_not_empty(void)
{
	return errno == ENOTEMPTY || errno == EEXIST;
}

static int unlink_once(int dir, const char *name)
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

/* After EPERM: whether flags that kept the entry NAME, or the entries of DIR, were taken off. */
static bool unlock(const struct removal *removal, int dir, const char *name)
{
	bool entry = beneath_clear_flags(dir, name) == 0;
	bool itself = dir != removal->outside && beneath_clear_flags_of(dir) == 0;

	errno = EPERM;
	return entry || itself;
}

static int unlink_entry(struct removal *removal, int dir, const char *name)
{
	if (unlink_once(dir, name) == 0)
		return 0;
	return errno == EPERM && unlock(removal, dir, name) ? unlink_once(dir, name) : -1;
}

static int move_up_as(struct removal *removal, int dir, const char *name, const char *to)
{
	if (fs_calls->renameat(dir, name, removal->top, to) == 0)
		return 0;
	if (errno == EPERM &&
		(unlock(removal, dir, name) || beneath_clear_flags_of(removal->top) == 0) &&
		fs_calls->renameat(dir, name, removal->top, to) == 0)
		return 0;
	if (errno != EXDEV || beneath_join_project(dir, name, removal->top) < 0)
		return -1;
	return fs_calls->renameat(dir, name, removal->top, to);
}

static int move_up(struct removal *removal, int dir, const char *name)
{
	char to[32];

	/* A name that is taken, by a hostile hand perhaps, never replaces anything that is not
	 * empty: the next number is tried. */
	do {
		snprintf(to, sizeof(to), "%lu", removal->moved++);
		if (move_up_as(removal, dir, name, to) == 0)
			return 0;
	} while (is_not_empty() || errno == ENOTDIR);
	return errno == ENOENT ? 0 : -1;
}

/* Call VISIT for every entry of DIR. */
static int visit_entries(struct removal *removal, int dir_fd, visit_fn *visit)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy < 0)
		return -1;
	dir = fdopendir(copy);
	if (!dir)
		abort();
	while (errno = 0, (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (visit(removal, dirfd(dir), entry->d_name) == 0)
			continue;
		if (!*removal->failed)
			beneath_printable(entry->d_name, removal->failed, sizeof(removal->failed));
		if (errno != EBUSY)
			return -1;
		removal->busy = true;
	}
	return errno ? -1 : 0;
}

static int remove_or_move_up(struct removal *removal, int dir, const char *name)
{
	if (unlink_entry(removal, dir, name) < 0 &&
		(!is_not_empty() || move_up(removal, dir, name) < 0))
		return -1;
	return step(removal);
}

static int remove_from_top(struct removal *removal, int top, const char *name)
{
	_cleanup_close_ int dir = -1;

	if (unlink_entry(removal, top, name) == 0)
		return step(removal);
	if (!is_not_empty())
		return -1;
	dir = beneath_open_entry(top, name, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (visit_entries(removal, dir, remove_or_move_up) < 0)
		return -1;
	if (unlink_entry(removal, top, name) == 0)
		return step(removal);
	/* Not empty: somebody added to it; the top is read again. */
	return is_not_empty() ? 0 : -1;
}

static int remove_all(struct removal *removal, int outside, const char *name)
{
	_cleanup_close_ int top = -1;
	unsigned long moved;
	int attempts = 0;

	if (unlink_entry(removal, outside, name) == 0)
		return 0;
	if (!is_not_empty())
		return -1;
	top = removal->top = beneath_open_entry(outside, name, O_RDONLY | O_DIRECTORY);
	if (top < 0)
		return errno == ENOENT ? 0 : -1;
	do {
		moved = removal->moved;
		removal->busy = false;
		if (visit_entries(removal, top, remove_from_top) < 0)
			return -1;
		if (unlink_entry(removal, outside, name) == 0)
			return 0;
		if (removal->busy && removal->moved == moved) {
			errno = EBUSY;
			return -1;
		}
		/* Levels that came up are progress; a refilled directory is not, for ever. */
		attempts = removal->moved == moved ? attempts + 1 : 0;
	} while (is_not_empty() && attempts < REMOVE_ATTEMPTS);
	return -1;
}

int remove_tree(int dir, const char *name, const struct beneath_watch *watch, struct error *err)
{
	struct removal removal = {.watch = watch, .outside = dir, .top = -1};
	const char *hint;

	if (strchr(name, '/') || beneath_check_path(name, err) < 0)
		return error_set_errno(err, EINVAL, "remove \"%.255s\"", name);
	if (remove_all(&removal, dir, name) == 0) {
		step(&removal); /* too late to be stopped */
		return 0;
	}
	hint = errno == EBUSY && !strncmp(removal.failed, ".nfs", 4)
		       ? " (a process of this machine has it open still)"
	       : errno == EBUSY || errno == EXDEV ? " (a file system mounted there?)"
						  : "";
	return error_set_errno(err, errno, "remove %s%s%s%s", name,
		*removal.failed ? ", in it " : "", removal.failed, hint);
}
