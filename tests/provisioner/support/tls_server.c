/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "testing.h"

struct tls_server {
	char *folder;
	pid_t pid;
	int port;
	bool ipv6;
};

static struct tls_server running;

/* $1 is the folder. */
static const char make[] =
	"set -e; cd \"$1\"; exec 2>log\n"
	"new='openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'\n"
	"$new -keyout ca.key -out ca.crt -subj /CN=ca\n"
	"$new -keyout other.key -out other.crt -subj /CN=other\n"
	"leaf() { $new -keyout $1.key -out $1.crt -subj /CN=$1 -CA $2.crt -CAkey $2.key"
	" -addext basicConstraints=critical,CA:FALSE"
	" -addext subjectAltName=IP:127.0.0.1,IP:::1,DNS:kubernetes.test; }\n"
	"leaf server ca; leaf rotated other; leaf client ca; leaf stranger other\n"
	"printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}'"
	" >version\n";

/* $2 is the address, $3 the certificate's name, and further arguments are openssl's. */
static const char serve[] =
	"cd \"$1\"; exec 2>log; address=$2 name=$3; shift 3\n"
	"exec openssl s_server -accept \"$address\" -cert $name.crt -key $name.key -CAfile ca.crt"
	" -HTTP \"$@\"\n";

/* The line "ACCEPT 127.0.0.1:PORT", or "ACCEPT" where it did not choose the port itself, tells that
 * it listens. The pipe stays open behind it. */
static int read_port(int fd, int port)
{
	FILE *out = fdopen(fd, "r");
	char line[256] = "";

	while (strncmp(line, "ACCEPT", 6) && fgets(line, sizeof(line), out))
		if (sscanf(line, "ACCEPT 127.0.0.1:%d", &port) != 1)
			sscanf(line, "ACCEPT [::1]:%d", &port);
	if (!port)
		abort();
	return port;
}

static pid_t start_script(const char *script, char *const *arguments, int out)
{
	char *all[16] = {(char *)"sh", (char *)"-c", (char *)script, (char *)"sh"};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	for (size_t i = 0; arguments[i]; i++)
		all[4 + i] = arguments[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (posix_spawnp(&pid, "sh", &actions, NULL, all, environ))
		abort();
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void make_certificates(char *folder)
{
	int status;
	pid_t pid = start_script(make, (char *const[]){folder, NULL}, STDERR_FILENO);

	if (waitpid(pid, &status, 0) != pid || status)
		abort();
}

static void serve_as(struct tls_server *server, const char *name)
{
	char address[32];
	char *arguments[] = {server->folder, address, (char *)name,
		server->ipv6 ? NULL : (char *)"-Verify", (char *)"1",
		(char *)"-verify_return_error", NULL};
	int pipe_fds[2];

	snprintf(address, sizeof(address), "%s:%d", server->ipv6 ? "[::1]" : "127.0.0.1",
		server->port);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		abort();
	server->pid = start_script(serve, arguments, pipe_fds[1]);
	close(pipe_fds[1]);
	server->port = read_port(pipe_fds[0], server->port);
}

static struct tls_server *start(bool ipv6)
{
	running = (struct tls_server){.folder = make_folder(), .ipv6 = ipv6};
	make_certificates(running.folder);
	serve_as(&running, "server");
	return &running;
}

struct tls_server *tls_server_start(void)
{
	return start(false);
}

struct tls_server *tls_server_start_ipv6(void)
{
	return start(true);
}

static void end(struct tls_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
}

void tls_server_restart(struct tls_server *server, const char *name)
{
	end(server);
	serve_as(server, name);
}

void tls_server_stop(struct tls_server *server)
{
	end(server);
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
