/* SPDX-License-Identifier: Apache-2.0 */
#include "unix_socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cleanup.h"

static int check_path(const char *path, struct sockaddr_un *address, struct error *err)
{
	if (*path != '/')
		return error_set(err, ERROR_INVALID, "\"%s\" is not an absolute path", path);
	if (strlen(path) >= sizeof(address->sun_path))
		return error_set(err, ERROR_INVALID,
			"\"%s\" is longer than the %zu bytes that a socket's path can have", path,
			sizeof(address->sun_path) - 1);
	if (strpbrk(path, "%?#")) /* gRPC takes addresses as URIs */
		return error_set(err, ERROR_INVALID, "\"%s\" holds %%, ? or #", path);
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, strlen(path) + 1);
	return 0;
}

/* 0 when somebody answers, else the errno of connecting. */
static int connect_to(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return errno;
	return 0;
}

int unix_socket_claim(const char *path, struct error *err)
{
	struct sockaddr_un address = {0};
	struct stat status;
	int error;

	if (check_path(path, &address, err) < 0)
		return -1;
	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", path);
	if (!S_ISSOCK(status.st_mode))
		return error_set(err, ERROR_INVALID, "%s exists and is not a socket", path);
	error = connect_to(&address);
	if (error == 0 || error == EAGAIN)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"another process serves %s: stop it first, or choose another path", path);
	if (error != ECONNREFUSED && error != ENOENT)
		return error_set_errno(err, error, "is another process serving %s?", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "remove the stale socket %s", path);
	return 0;
}

int unix_socket_check_served(const char *path, struct error *err)
{
	struct sockaddr_un address = {0};
	int error;

	if (check_path(path, &address, err) < 0)
		return -1;
	error = connect_to(&address);
	if (error == ENOENT || error == ECONNREFUSED)
		return error_set(err, ERROR_UNAVAILABLE, "nobody serves %s", path);
	if (error && error != EAGAIN)
		return error_set_errno(err, error, "connect to %s", path);
	return 0;
}

int unix_socket_set_group(const char *path, gid_t gid, struct error *err)
{
	if (gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0)
		return error_set_errno(err, errno, "give %s to group %u", path, gid);
	return 0;
}
