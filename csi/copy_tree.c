/* SPDX-License-Identifier: Apache-2.0 */
#include "copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "copy_file.h"
#include "fs_calls.h"
#include "remove_tree.h"

/* How many levels, the innermost, have their two directories open. The others are found again
 * through "..", and must be the same directories then. */
#define LEVELS_OPEN 32
#define LEVELS_MAX  65536

/* How many entries may be gone when they are looked at: a hostile hand may make and remove names
 * for ever. */
#define VANISHED_MAX 1000000

struct level {
	char *name;
	DIR *from; /* NULL while it is not open; then TO is -1 */
	int to;
	long position; /* of the next entry, while it is not open */
	struct stat from_status, to_status;
};

struct copy {
	const struct beneath_watch *watch;
	struct level *levels; /* from the top to where it is */
	size_t depth, capacity;
	int to_top;
	int links; /* a directory, or -1: see copy_tree.h */
	char links_name[40];
	unsigned long vanished;
};

static int step(const struct copy *copy)
{
	if (copy->watch->step(copy->watch->context))
		return 0;
	errno = ECANCELED;
	return -1;
}

static struct level *innermost(struct copy *copy)
{
	return &copy->levels[copy->depth - 1];
}

static bool is_same(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static void close_level(struct level *level)
{
	int saved = errno;

	if (level->from) {
		closedir(level->from);
		close(level->to);
	}
	level->from = NULL;
	level->to = -1;
	errno = saved;
}

static void drop_level(struct copy *copy)
{
	close_level(innermost(copy));
	free(innermost(copy)->name);
	copy->depth--;
}

/* Returns the new innermost level, empty. */
static struct level *add_level(struct copy *copy)
{
	if (copy->depth == copy->capacity) {
		copy->capacity = copy->capacity ? 2 * copy->capacity : 16;
		copy->levels = reallocarray(copy->levels, copy->capacity, sizeof(*copy->levels));
		if (!copy->levels)
			abort();
	}
	copy->levels[copy->depth] = (struct level){.to = -1};
	return &copy->levels[copy->depth++];
}

/* All but the innermost levels are found again when they are needed. */
static void close_outer(struct copy *copy)
{
	struct level *outer;

	if (copy->depth <= LEVELS_OPEN)
		return;
	outer = &copy->levels[copy->depth - 1 - LEVELS_OPEN];
	outer->position = telldir(outer->from);
	close_level(outer);
}

/* Go on in the directories FROM_FD and TO_FD, which it takes; NAME is NULL for the top. */
static int enter(struct copy *copy, int from_fd, int to_fd, const char *name)
{
	_cleanup_close_ int from = from_fd, to = to_fd;
	struct stat from_status, to_status;
	struct level *level;

	if (fstat(from, &from_status) < 0 || fstat(to, &to_status) < 0)
		return -1;
	/* It would copy the copy, for ever. */
	if (is_same(&from_status, copy->depth ? &copy->levels[0].to_status : &to_status)) {
		errno = EINVAL;
		return -1;
	}
	if (copy->depth == LEVELS_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	level = add_level(copy);
	level->name = strdup(name ? name : "");
	level->from = fdopendir(take_fd(&from));
	if (!level->name || !level->from)
		abort();
	level->to = take_fd(&to);
	level->from_status = from_status;
	level->to_status = to_status;
	close_outer(copy);
	return 0;
}

/* Open the directory above DIR, if it is the one that it was. */
static int open_above(int dir, const struct stat *status)
{
	_cleanup_close_ int above =
		openat(dir, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat now;

	if (above < 0 || fstat(above, &now) < 0)
		return -1;
	if (!is_same(&now, status)) {
		errno = ESTALE;
		return -1;
	}
	return take_fd(&above);
}

static int reopen_outer(struct level *outer, const struct level *inner)
{
	_cleanup_close_ int to = open_above(inner->to, &outer->to_status);
	_cleanup_close_ int from = open_above(dirfd(inner->from), &outer->from_status);

	if (to < 0 || from < 0)
		return -1;
	outer->from = fdopendir(take_fd(&from));
	if (!outer->from)
		abort();
	seekdir(outer->from, outer->position);
	outer->to = take_fd(&to);
	return 0;
}

static int leave(struct copy *copy)
{
	struct level *inner = innermost(copy), *outer = inner - 1;

	if (copy->depth > 1) {
		if (copy_file_attributes(dirfd(inner->from), inner->to, &inner->from_status) < 0 ||
			(!outer->from && reopen_outer(outer, inner) < 0))
			return -1;
	}
	drop_level(copy);
	return 0;
}

static int copy_directory(struct copy *copy, int entry, const char *name)
{
	_cleanup_close_ int from = beneath_reopen(entry, O_RDONLY | O_DIRECTORY), to = -1;

	if (from < 0 || fs_calls->mkdirat(innermost(copy)->to, name, 0700) < 0)
		return -1;
	to = beneath_open_entry(innermost(copy)->to, name, O_RDONLY | O_DIRECTORY);
	return to < 0 ? -1 : enter(copy, take_fd(&from), take_fd(&to), name);
}

static int copy_file(struct copy *copy, int entry, const char *name, const struct stat *status)
{
	_cleanup_close_ int from = beneath_reopen(entry, O_RDONLY | O_NONBLOCK);
	_cleanup_close_ int to = from < 0 ? -1 : fs_calls->create_new(innermost(copy)->to, name);

	if (to < 0 || copy_file_contents(from, to, status->st_size, copy->watch) < 0)
		return -1;
	return copy_file_attributes(from, to, status);
}

static int open_links(struct copy *copy)
{
	unsigned long long number;

	if (copy->links >= 0)
		return 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -1;
	snprintf(copy->links_name, sizeof(copy->links_name), ".ordinal-links-%016llx", number);
	if (fs_calls->mkdirat(copy->to_top, copy->links_name, 0700) < 0)
		return -1;
	copy->links = beneath_open_entry(copy->to_top, copy->links_name, O_RDONLY | O_DIRECTORY);
	return copy->links < 0 ? -1 : 0;
}

static int copy_linked(struct copy *copy, int entry, const char *name, const struct stat *status)
{
	int to = innermost(copy)->to;
	char key[48];

	snprintf(key, sizeof(key), "%llx-%llx", (unsigned long long)status->st_dev,
		(unsigned long long)status->st_ino);
	if (open_links(copy) < 0)
		return -1;
	if (fs_calls->linkat(copy->links, key, to, name, 0) == 0)
		return 0;
	if ((errno != ENOENT && errno != EMLINK) || copy_file(copy, entry, name, status) < 0)
		return -1;
	/* After EMLINK the new copy is what further links are made to. */
	if (fs_calls->unlinkat(copy->links, key, 0) < 0 && errno != ENOENT)
		return -1;
	return fs_calls->linkat(to, name, copy->links, key, 0);
}

static int copy_link(int to, int entry, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(entry, "", target, sizeof(target) - 1);

	if (length < 0)
		return -1;
	target[length] = '\0';
	return fs_calls->symlinkat(target, to, name);
}

/* Opening a node could have an effect, and chmod would follow a link. */
static int set_mode(int to, const char *name, mode_t mode)
{
	_cleanup_close_ int entry = beneath_open_entry(to, name, O_PATH);
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", entry);
	return entry < 0 ? -1 : chmod(path, mode & 07777);
}

/* A link, a FIFO or a device node; sockets are of use only to who has made them. */
static int copy_special(struct copy *copy, int entry, const char *name, const struct stat *status)
{
	const struct timespec times[] = {status->st_atim, status->st_mtim};
	bool is_link = S_ISLNK(status->st_mode);
	int to = innermost(copy)->to, result;

	if (S_ISSOCK(status->st_mode))
		return 0;
	result = is_link ? copy_link(to, entry, name)
			 : fs_calls->mknodat(to, name, status->st_mode, status->st_rdev);
	if (result < 0 || fs_calls->fchownat(to, name, status->st_uid, status->st_gid,
				  AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!is_link && set_mode(to, name, status->st_mode) < 0)
		return -1;
	return fs_calls->utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}

/* An entry that is gone already; but not for ever. */
static int count_vanished(struct copy *copy)
{
	if (++copy->vanished < VANISHED_MAX)
		return 0;
	errno = ESTALE;
	return -1;
}

static int copy_entry(struct copy *copy, const char *name)
{
	_cleanup_close_ int entry = beneath_open_entry(dirfd(innermost(copy)->from), name, O_PATH);
	struct stat status;

	if (entry < 0 && errno == ENOENT)
		return count_vanished(copy);
	if (entry < 0 || fstat(entry, &status) < 0)
		return -1;
	if (S_ISDIR(status.st_mode))
		return copy_directory(copy, entry, name);
	if (!S_ISREG(status.st_mode))
		return copy_special(copy, entry, name, &status);
	return status.st_nlink > 1 ? copy_linked(copy, entry, name, &status)
				   : copy_file(copy, entry, name, &status);
}

/* Set *ERR from errno, at NAME, or NULL, in the innermost directory. */
static int fail(const struct copy *copy, const char *name, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	char shown[160];
	int errnum = errno;
	size_t size;
	FILE *out = open_memstream(&path, &size);

	if (!out)
		abort();
	for (size_t i = 1; i < copy->depth; i++)
		fprintf(out, "%s%s", copy->levels[i].name, name || i + 1 < copy->depth ? "/" : "");
	fputs(name ? name : copy->depth > 1 ? "" : ".", out);
	fclose(out);
	beneath_printable(path, shown, sizeof(shown));
	if (errnum == EEXIST || errnum == ESTALE)
		return error_set(err, ERROR_ABORTED,
			"copy %s: the tree was changed while it was copied", shown);
	return error_set_errno(err, errnum, "copy %s%s", shown,
		errnum == EXDEV ? " (a file system mounted there?)" : "");
}

/* Copy the next entry, or leave the directory. */
static int advance(struct copy *copy, struct error *err)
{
	struct dirent *entry;

	errno = 0;
	entry = readdir(innermost(copy)->from);
	if (!entry)
		return errno || leave(copy) < 0 ? fail(copy, NULL, err) : 0;
	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return 0;
	if (copy_entry(copy, entry->d_name) < 0)
		return fail(copy, entry->d_name, err);
	return step(copy) < 0 ? fail(copy, NULL, err) : 0;
}

static int start(struct copy *copy, int from_dir, int to_dir, struct error *err)
{
	_cleanup_close_ int from = openat(from_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int to = openat(to_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0 || to < 0 || enter(copy, take_fd(&from), take_fd(&to), NULL) < 0)
		return error_set_errno(err, errno, "copy a tree");
	return 0;
}

int copy_tree(int from_dir, int to_dir, const struct beneath_watch *watch, struct error *err)
{
	struct copy copy = {.watch = watch, .to_top = to_dir, .links = -1};
	int result = start(&copy, from_dir, to_dir, err);

	while (result == 0 && copy.depth)
		result = advance(&copy, err);
	if (copy.links >= 0) {
		close(copy.links);
		if (result == 0)
			result = remove_tree(to_dir, copy.links_name, watch, err);
	}
	while (copy.depth)
		drop_level(&copy);
	free(copy.levels);
	return result;
}
