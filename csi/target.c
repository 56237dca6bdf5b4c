/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "mounter.h"
#include "requests.h"

void target_done(struct target *target)
{
	cleanup_close(&target->parent);
	free(target->name);
	free(target->key);
}

int target_check_path(const char *field, const char *path, struct error *err)
{
	size_t length = strlen(path);

	if (requests_check_text(field, path, PATH_MAX - 1, err) < 0)
		return -1;
	if (*path != '/' || strstr(path, "/../") ||
		(length >= 3 && !strcmp(path + length - 3, "/..")))
		return error_set(err, ERROR_INVALID,
			"%s: \"%s\" is not an absolute path without ..", field, path);
	return 0;
}

/* Whether INNER is OUTER, or lies below it. */
static bool is_at_or_below(const char *inner, const char *outer)
{
	size_t length = strlen(outer);

	return !strncmp(inner, outer, length) && (!inner[length] || inner[length] == '/');
}

char *target_spell(const struct target *target)
{
	char link[40], parent[PATH_MAX], *text;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", target->parent);
	length = readlink(link, parent, sizeof(parent) - 1);
	if (length < 0)
		return NULL;
	parent[length] = '\0';
	if (asprintf(&text, "%s/%s", strcmp(parent, "/") ? parent : "", target->name) < 0)
		abort();
	return text;
}

int target_check_outside(const char *field, const struct target *target,
	const struct flag_strings *roots, struct error *err)
{
	_cleanup_free_ char *path = target->parent < 0 ? NULL : target_spell(target);

	for (int i = 0; path && i < roots->count; i++) {
		_cleanup_free_ char *root = realpath(roots->values[i], NULL);

		if (root && (is_at_or_below(path, root) || is_at_or_below(root, path)))
			return error_set(err, ERROR_INVALID,
				"%s: %s is where volumes lie (%s): choose a directory elsewhere",
				field, path, root);
	}
	return 0;
}

static int set_key(const char *field, struct target *target, struct error *err)
{
	struct stat above = {0};

	if (target->parent >= 0 && fstat(target->parent, &above) < 0)
		return error_set_errno(err, errno, "look at the directory of %s", field);
	if (asprintf(&target->key, "target %ju:%ju/%s", (uintmax_t)above.st_dev,
		    (uintmax_t)above.st_ino, target->name) < 0)
		abort();
	return 0;
}

int target_open(const char *field, const char *path, struct target *ret, struct error *err)
{
	_cleanup_(target_done) struct target target = {.parent = -1};
	_cleanup_free_ char *parent = strdup(path);
	size_t length = strlen(path);
	char *slash;

	if (!parent)
		abort();
	while (length && parent[length - 1] == '/')
		parent[--length] = '\0';
	slash = strrchr(parent, '/');
	if (!slash || !strcmp(slash, "/."))
		return error_set(
			err, ERROR_INVALID, "%s: \"%s\" has no last component", field, path);
	target.name = strdup(slash + 1);
	*slash = '\0';
	target.parent = open(*parent ? parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target.parent < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "open the directory of %s %s", field, path);
	if (set_key(field, &target, err) < 0)
		return -1;
	ret->key = take_ptr(target.key);
	ret->parent = take_fd(&target.parent);
	ret->name = take_ptr(target.name);
	return 0;
}

/* Whether the error says that there can be no mount. */
static bool is_absent(const struct error *err)
{
	return err->kind == ERROR_NOT_FOUND || err->kind == ERROR_FAILED_PRECONDITION ||
	       err->errnum == ENAMETOOLONG;
}

/* Open it, or ERROR_NOT_FOUND when the directory above it does not exist. */
static int open_there(const char *field, const char *path, int *ret_fd, struct error *err)
{
	_cleanup_(target_done) struct target target = {.parent = -1};

	if (target_open(field, path, &target, err) < 0)
		return -1;
	if (target.parent < 0)
		return error_set(err, ERROR_NOT_FOUND, "%s: %s does not exist", field, path);
	return mounter_open(target.parent, target.name, ret_fd, err);
}

int target_open_mount(const char *field, const char *path, int *ret_fd, struct error *err)
{
	if (requests_check_text(field, path, PATH_MAX - 1, err) < 0)
		return -1;
	/* Where nothing was ever published nothing is mounted: so callers ask with any path. */
	if (*path == '/') {
		if (target_check_path(field, path, err) < 0)
			return -1;
		if (open_there(field, path, ret_fd, err) == 0)
			return 0;
		if (!is_absent(err))
			return -1;
	}
	return error_set(err, ERROR_NOT_FOUND, "%s: nothing is mounted on %s", field, path);
}
