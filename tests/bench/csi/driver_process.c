/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "csi_calls.h"
#include "failure.h"
#include "measure.h"
#include "supervisor.h"

#define START_SECONDS 120
#define TRASH_SECONDS 120
#define LOG_TAIL      2048

static void nap(void)
{
	usleep(500);
}

_Noreturn static void run_program(const struct driver_process *driver)
{
	char endpoint[128], root[PATH_MAX + 32], log[128];
	int fd;

	supervisor_die_with_parent();
	snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s", driver->socket);
	snprintf(root, sizeof(root), "--hostpath-root=%s", driver->root);
	snprintf(log, sizeof(log), "%s/driver.log", driver->scratch->other);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
	execl(driver->program, driver->program, endpoint, root, "--nodeid=bench", (char *)NULL);
	_exit(127);
}

/* Whether somebody listens on the socket: gRPC's client would wait long before it tries again. */
static bool listens(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static void wait_until_ready(struct driver_process *driver, double start)
{
	struct error err;

	while (!listens(driver->socket)) {
		errno = 0;
		if (waitpid(driver->pid, NULL, WNOHANG) != 0)
			failure_exit("%s ended instead of serving", driver->program);
		if (measure_now() - start > START_SECONDS)
			failure_exit(
				"%s does not serve after %d s", driver->program, START_SECONDS);
		nap();
	}
	if (rpc_client_new(driver->socket, &driver->client, &err) < 0)
		failure_exit("%s", err.text);
	csi_calls_probe(driver->client);
	driver->start_seconds = measure_now() - start;
}

void driver_process_start(struct driver_process *driver, const char *program,
	const struct scratch *scratch, const char *root)
{
	_cleanup_free_ char *path = scratch_directory(scratch, root);
	double start;

	*driver = (struct driver_process){.program = program, .scratch = scratch};
	snprintf(driver->root, sizeof(driver->root), "%s", path);
	snprintf(driver->socket, sizeof(driver->socket), "%s/csi.sock", scratch->other);
	fflush(stdout);
	start = measure_now();
	driver->pid = fork();
	if (driver->pid == 0)
		run_program(driver);
	if (driver->pid < 0)
		failure_exit("fork");
	wait_until_ready(driver, start);
}

void driver_process_stop(struct driver_process *driver)
{
	int status;

	rpc_client_free(take_ptr(driver->client));
	if (kill(driver->pid, SIGTERM) < 0 || waitpid(driver->pid, &status, 0) < 0)
		failure_exit("end the driver");
	errno = 0;
	if (status)
		failure_exit("the driver ended with status %#x", (unsigned)status);
}

struct driver_memory driver_process_memory(const struct driver_process *driver)
{
	_cleanup_fclose_ FILE *status = NULL;
	struct driver_memory memory = {0};
	char path[32], line[128];
	double kilobytes;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)driver->pid);
	status = fopen(path, "re");
	if (!status)
		failure_exit("open %s", path);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %lf", &kilobytes) == 1)
			memory.anonymous = kilobytes * 1024;
		else if (sscanf(line, "VmRSS: %lf", &kilobytes) == 1)
			memory.resident = kilobytes * 1024;
	return memory;
}

/* A base that has no trash yet has nothing in it. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	while (dir && empty && (entry = readdir(dir)))
		empty = entry->d_name[0] == '.';
	if (dir)
		closedir(dir);
	return empty;
}

void driver_process_wait_trash(const struct driver_process *driver)
{
	double end = measure_now() + TRASH_SECONDS;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/.ordinal/trash", driver->root);
	while (!is_empty(path)) {
		errno = 0;
		if (measure_now() > end)
			failure_exit("deleted volumes are still there after %d s", TRASH_SECONDS);
		nap();
	}
}

void driver_process_show_log(const struct scratch *scratch)
{
	char path[128], text[LOG_TAIL + 1];
	size_t length;
	FILE *log;

	snprintf(path, sizeof(path), "%s/driver.log", scratch->other);
	log = fopen(path, "re");
	if (!log)
		return;
	if (fseek(log, -LOG_TAIL, SEEK_END) < 0)
		rewind(log);
	length = fread(text, 1, LOG_TAIL, log);
	fclose(log);
	if (length)
		fprintf(stderr, "The end of the driver's log:\n%.*s", (int)length, text);
}
