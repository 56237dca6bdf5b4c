/* SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"

#include <string.h>

#include "cleanup.h"

/* Read TEXT, "server:/share=/path". *RET_PATH points into it. */
static int parse_export(
	const char *text, struct location *ret, const char **ret_path, struct error *err)
{
	const char *equals = strstr(text, "=/");
	struct location location = {.any_options = true};

	if (!equals)
		return error_set(err, ERROR_INVALID, "\"%s\" is not server:/share=/path", text);
	if (location_parse(&location, text, (size_t)(equals - text), err) < 0)
		return -1;
	if (!equals[2])
		return error_set(
			err, ERROR_INVALID, "\"%s\": the whole disk cannot be an export", text);
	*ret = location;
	*ret_path = equals + 1;
	return 0;
}

int backend_nfs_check_exports(
	const struct flag_strings *exports, struct flag_strings *roots, struct error *err)
{
	for (int i = 0; i < exports->count; i++) {
		struct location location;
		const char *path;

		if (parse_export(exports->values[i], &location, &path, err) < 0)
			return -1;
		if (roots)
			roots->values[roots->count++] = path;
	}
	return 0;
}

static bool known(const struct backend *backend, int index, struct location *ret_location)
{
	const char *path;

	return index < backend->exports->count &&
	       parse_export(backend->exports->values[index], ret_location, &path, NULL) == 0;
}

/* Where an export is on this machine without being mounted by us; NULL where it is not. */
static const char *given_path(const struct backend *backend, const struct location *location)
{
	struct location given;
	const char *path;

	for (int i = 0; i < backend->exports->count; i++)
		if (parse_export(backend->exports->values[i], &given, &path, NULL) == 0 &&
			location_equal(&given, location))
			return path;
	return NULL;
}

/* The one export that the parameters server and share name, or the driver's own first one. */
static int locate_one(const struct backend *backend, const struct parameters *parameters,
	struct location *ret_location, struct error *err)
{
	struct location location = {0};

	if (!parameters->server && !parameters->share && known(backend, 0, ret_location))
		return 0;
	if (!parameters->server || !parameters->share)
		return error_set(err, ERROR_INVALID, "parameter %s is missing",
			parameters->server ? "share" : "server");
	if (location_set_server(&location, parameters->server, err) < 0)
		return error_prefix(err, "parameter server");
	if (location_set_share(&location, parameters->share, err) < 0)
		return error_prefix(err, "parameter share");
	if (parameters->mount_options)
		strcpy(location.options, parameters->mount_options);
	*ret_location = location;
	return 0;
}

static int locate(const struct backend *backend, const struct parameters *parameters,
	struct locations *ret, struct error *err)
{
	struct location location;

	if (parameters->path)
		return error_set(err, ERROR_INVALID,
			"parameter path is for host paths, and this driver has volumes on NFS: say "
			"server and share, or servers");
	if (parameters->servers && (parameters->server || parameters->share))
		return error_set(err, ERROR_INVALID,
			"parameter servers and parameter %s exclude one another: say server and "
			"share for one export, or servers for several",
			parameters->server ? "server" : "share");
	if (parameters->servers) {
		if (locations_parse(ret, parameters->servers, parameters->mount_options, err) < 0)
			return error_prefix(err, "parameter servers");
		return 0;
	}
	if (locate_one(backend, parameters, &location, err) < 0)
		return -1;
	locations_add(ret, &location);
	return 0;
}

static struct export *use(const struct backend *backend, const struct location *location)
{
	return exports_use(backend->mounts, location, given_path(backend, location));
}

static int status(const struct backend *backend, const struct location *location,
	struct statvfs *ret_status, struct error *err)
{
	_cleanup_(export_dropp) struct export *export = use(backend, location);
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_close_ int fd = -1;
	char name[LOCATION_NAME_MAX + 1];

	if (export_enter(export, &pass, err) < 0 || export_open(export, &fd, err) < 0)
		return -1;
	if (fstatvfs(fd, ret_status) == 0)
		return 0;
	location_name(location, name);
	return error_set_errno(err, errno, "ask for the size of %s", name);
}

/* Exports of one server may lie in each other: they are found when both are open. */
static bool enclosing(
	const struct backend *backend, const struct location *location, struct location *ret_outer)
{
	(void)backend;
	(void)location;
	(void)ret_outer;
	return false;
}

const struct backend_ops backend_nfs = {
	.name = "nfs",
	.add_option = mount_options_add_nfs,
	.known = known,
	.locate = locate,
	.enclosing = enclosing,
	.status = status,
	.use = use,
};
