/* SPDX-License-Identifier: Apache-2.0 */
#include "mount_nfs.h"

#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "location.h"

/* What mount.nfs and the kernel say, and what that means to the administrator. */
/* AppArmor's refusal looks like the server's. */
#define DENIED                                                                                       \
	"the server has no such share, or does not export it to this node: look at its exports; or " \
	"AppArmor forbids the driver to mount: see deploy/README.md"

static const struct {
	const char *said;
	enum error_kind kind;
	const char *advice;
} failures[] = {
	{"rpc.statd is not running", ERROR_FAILED_PRECONDITION,
		"NFSv3 needs the host's rpc.statd for locks: start it (nfs-common), or use NFSv4"},
	{"No such file or directory", ERROR_FAILED_PRECONDITION,
		"the server has no such share: look at its exports"},
	{"access denied", ERROR_FORBIDDEN, DENIED},
	{"Permission denied", ERROR_FORBIDDEN, DENIED},
	{"Operation not permitted", ERROR_FORBIDDEN,
		"the driver needs CAP_SYS_ADMIN, and the server must export it to this node"},
	{"not supported", ERROR_FAILED_PRECONDITION,
		"the server does not speak this NFS version or transport: change nfsvers or proto in the "
		"class' mountOptions"},
	{"incorrect mount option", ERROR_FAILED_PRECONDITION,
		"the kernel refuses the class' mountOptions"},
	{"Invalid argument", ERROR_FAILED_PRECONDITION,
		"the kernel refuses the class' mountOptions"},
	{"unknown filesystem", ERROR_FAILED_PRECONDITION, "the node's kernel has no NFS client"},
	{"No such device", ERROR_FAILED_PRECONDITION, "the node's kernel has no NFS client"},
	{"refused", ERROR_UNAVAILABLE,
		"no NFS server answers there: is it running, and on this port?"},
	{"timed out", ERROR_UNAVAILABLE, "the server does not answer"},
	{"unreachable", ERROR_UNAVAILABLE, "the server cannot be reached from this node"},
	{"No route to host", ERROR_UNAVAILABLE, "the server cannot be reached from this node"},
};

static int resolve(const char *name, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct location location = {0};
	int result;

	if (location_parse(&location, name, strlen(name), err) < 0)
		return -1;
	result = getaddrinfo(location.server, NULL, &hints, &found);
	if (result == 0) {
		freeaddrinfo(found);
		return 0;
	}
	return error_set(err, ERROR_UNAVAILABLE,
		"the server's name %s has no address here (%s): is it right, and has the pod of the driver "
		"dnsPolicy ClusterFirstWithHostNet?",
		location.server, gai_strerror(result));
}

static void run_program(const char *name, const char *options, const char *path, int output)
{
	static const char *const programs[] = {
		"/sbin/mount.nfs", "/usr/sbin/mount.nfs", "/usr/bin/mount.nfs"};
	char *const environment[] = {
		(char *)"LC_ALL=C", (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	_cleanup_free_ char *text = NULL;

	/* Who wants to try again calls again; a class may say otherwise. */
	if (asprintf(&text, "retry=0%s%s", *options ? "," : "", options) < 0)
		_exit(126);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		char *const argv[] = {(char *)"mount.nfs", (char *)name, (char *)path, (char *)"-n",
			(char *)"-o", text, NULL};

		execve(programs[i], argv, environment);
	}
	_exit(127);
}

/* What a program wrote, on one line. */
static void read_text(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while (length + 1 < size && (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	while (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
}

static int explain(const char *said, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (strcasestr(said, failures[i].said))
			return error_set(
				err, failures[i].kind, "%s (%s)", failures[i].advice, said);
	return error_set(err, ERROR_UNAVAILABLE, "mount.nfs failed: %s", said);
}

int mount_nfs_run(const char *name, const char *options, const char *path, struct error *err)
{
	_cleanup_close_ int reading = -1;
	char said[512];
	int ends[2], status;
	pid_t pid;

	if (resolve(name, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "make a pipe");
	reading = ends[0];
	pid = fork();
	if (pid == 0)
		run_program(name, options, path, ends[1]);
	close(ends[1]);
	if (pid < 0)
		return error_set_errno(err, errno, "start mount.nfs");
	read_text(reading, said, sizeof(said));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"there is no mount.nfs beside the driver: install nfs-common");
	return explain(said, err);
}
