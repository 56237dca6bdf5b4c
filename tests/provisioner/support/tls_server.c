/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "testing.h"

struct tls_server {
	char *folder;
	pid_t pid;
	int port;
};

static struct tls_server running;

/* $1 is the folder. */
static const char script[] =
	"set -e; cd \"$1\"; exec 2>log\n"
	"new='openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'\n"
	"$new -keyout ca.key -out ca.crt -subj /CN=ca\n"
	"$new -keyout other.key -out other.crt -subj /CN=other\n"
	"$new -keyout server.key -out server.crt -subj /CN=server -CA ca.crt -CAkey ca.key"
	" -addext basicConstraints=critical,CA:FALSE"
	" -addext subjectAltName=IP:127.0.0.1,DNS:kubernetes.test\n"
	"$new -keyout client.key -out client.crt -subj /CN=client -CA ca.crt -CAkey ca.key"
	" -addext basicConstraints=critical,CA:FALSE\n"
	"$new -keyout stranger.key -out stranger.crt -subj /CN=stranger -CA other.crt"
	" -CAkey other.key -addext basicConstraints=critical,CA:FALSE\n"
	"printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}'"
	" >version\n"
	"exec openssl s_server -accept 127.0.0.1:0 -cert server.crt -key server.key -CAfile ca.crt"
	" -Verify 1 -verify_return_error -HTTP\n";

/* The line "ACCEPT 127.0.0.1:PORT" tells that it listens. The pipe stays open behind it. */
static int read_port(int fd)
{
	FILE *out = fdopen(fd, "r");
	char line[256];
	int port = 0;

	while (!port && fgets(line, sizeof(line), out))
		if (sscanf(line, "ACCEPT 127.0.0.1:%d", &port) != 1)
			port = 0;
	if (!port)
		abort();
	return port;
}

struct tls_server *tls_server_start(void)
{
	posix_spawn_file_actions_t actions;
	char *arguments[] = {(char *)"sh", (char *)"-c", (char *)script, (char *)"sh",
		running.folder = make_folder(), NULL};
	int pipe_fds[2];

	if (pipe(pipe_fds) < 0)
		abort();
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, pipe_fds[0]);
	posix_spawn_file_actions_addclose(&actions, pipe_fds[1]);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (posix_spawnp(&running.pid, "sh", &actions, NULL, arguments, environ))
		abort();
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	running.port = read_port(pipe_fds[0]);
	return &running;
}

void tls_server_stop(struct tls_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	remove_folder(take_ptr(server->folder));
}

int tls_server_port(const struct tls_server *server)
{
	return server->port;
}

char *tls_server_file(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", running.folder, name) < 0)
		abort();
	return path;
}

char *tls_server_read(const char *name)
{
	_cleanup_free_ char *path = tls_server_file(name);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char *text = calloc(1, 16384);

	if (file && fread(text, 1, 16383, file) == 0)
		abort();
	return text;
}
