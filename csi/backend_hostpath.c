/* SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "cleanup.h"
#include "fs_calls.h"

/* PATH without slashes at its end. */
static int clean_path(const char *path, char ret[VOLUME_ID_MAX + 1], struct error *err)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	if (*path != '/' || length == 1)
		return error_set(err, ERROR_INVALID,
			"\"%s\" is not an absolute path of a directory below /", path);
	if (length > VOLUME_ID_MAX)
		return error_set(
			err, ERROR_INVALID, "\"%s\" is longer than %d bytes", path, VOLUME_ID_MAX);
	memcpy(ret, path, length);
	ret[length] = '\0';
	return beneath_check_path(ret + 1, err);
}

int backend_hostpath_check_roots(const struct flag_strings *roots, struct error *err)
{
	char root[VOLUME_ID_MAX + 1];

	for (int i = 0; i < roots->count; i++)
		if (clean_path(roots->values[i], root, err) < 0)
			return -1;
	return 0;
}

/* The longest root that PATH is at or below, without slashes at its end; false if none is. */
static bool find_root(
	const struct backend *backend, const char *path, char ret_root[VOLUME_ID_MAX + 1])
{
	size_t best = 0;

	for (int i = 0; i < backend->roots->count; i++) {
		char root[VOLUME_ID_MAX + 1];
		size_t length;

		if (clean_path(backend->roots->values[i], root, NULL) < 0)
			continue;
		length = strlen(root);
		if (length > best && !strncmp(path, root, length) &&
			(path[length] == '/' || !path[length])) {
			best = length;
			strcpy(ret_root, root);
		}
	}
	return best > 0;
}

static int locate(const struct backend *backend, const struct parameters *parameters,
	struct locations *ret, struct error *err)
{
	const char *path = parameters->path ? parameters->path : backend->roots->values[0];
	char root[VOLUME_ID_MAX + 1];
	struct location location = {0};

	if (parameters->server || parameters->share || parameters->servers)
		return error_set(err, ERROR_INVALID,
			"parameters server, share and servers are for NFS, and this driver has "
			"volumes on the node's own disk: leave them out, or name the NFS driver as "
			"provisioner");
	if (clean_path(path, location.share, err) < 0)
		return error_prefix(err, "parameter path");
	if (!find_root(backend, location.share, root))
		return error_set(err, ERROR_INVALID,
			"parameter path: %s is not at or below a --hostpath-root of this driver (%s%s)",
			location.share, backend->roots->values[0],
			backend->roots->count > 1 ? ", …" : "");
	locations_add(ret, &location);
	return 0;
}

static int open_root(const char *root, bool create, int *ret_fd, struct error *err)
{
	int fd;

	if (create && fs_calls->mkdirat(AT_FDCWD, root, 0755) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "make the base directory %s", root);
	/* The administrator's own path: symbolic links in it are his. */
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the base directory %s does not exist on this node", root);
	if (fd < 0)
		return error_set_errno(err, errno, "open the base directory %s", root);
	*ret_fd = fd;
	return 0;
}

static int make_base(
	int root, const char *path, const struct location *location, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	bool created;

	if (beneath_make_dir(root, path, &fd, &created, err) == 0) {
		if (beneath_sync_parent(root, path, err) < 0)
			return -1;
		*ret_fd = take_fd(&fd);
		return 0;
	}
	if (beneath_is_absent(err))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the base directory %s is, or lies below, something that is no directory",
			location->share);
	return -1;
}

static int open_base(const struct backend *backend, const struct location *location, bool create,
	int *ret_fd, struct error *err)
{
	_cleanup_close_ int root_fd = -1;
	char root[VOLUME_ID_MAX + 1];
	const char *below;

	if (*location->server || !find_root(backend, location->share, root))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the base %s is not at or below a --hostpath-root of this driver: add it, or "
			"remove the volume by hand",
			location->share);
	if (open_root(root, create, &root_fd, err) < 0)
		return -1;
	below = location->share + strlen(root);
	if (!*below)
		*ret_fd = take_fd(&root_fd);
	else if (create)
		return make_base(root_fd, below + 1, location, ret_fd, err);
	else if (beneath_open_dir(root_fd, below + 1, O_RDONLY, ret_fd, err) < 0)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the base directory %s does not exist on this node: is its disk mounted?",
			location->share);
	return 0;
}

static bool known(const struct backend *backend, int index, struct location *ret_location)
{
	struct location location = {0};

	if (index >= backend->roots->count ||
		clean_path(backend->roots->values[index], location.share, NULL) < 0)
		return false;
	*ret_location = location;
	return true;
}

static bool enclosing(
	const struct backend *backend, const struct location *location, struct location *ret_outer)
{
	struct location outer = {0};

	if (!find_root(backend, location->share, outer.share) ||
		!strcmp(outer.share, location->share))
		return false;
	*ret_outer = outer;
	return true;
}

static int status(const struct backend *backend, const struct location *location,
	struct statvfs *ret_status, struct error *err)
{
	_cleanup_free_ char *path = strdup(location->share);
	char *slash;

	(void)backend;
	if (!path)
		abort();
	while (statvfs(path, ret_status) < 0) {
		slash = strrchr(path, '/');
		if (errno != ENOENT || !slash)
			return error_set_errno(
				err, errno, "ask for the size of %s", location->share);
		slash[slash == path ? 1 : 0] = '\0';
	}
	return 0;
}

const struct backend_ops backend_hostpath = {
	.name = "hostpath",
	.node_local = true,
	.add_option = mount_options_add_bind,
	.known = known,
	.locate = locate,
	.enclosing = enclosing,
	.status = status,
	.open = open_base,
};
