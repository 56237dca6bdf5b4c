/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "measure.h"
#include "supervisor.h"

#define START_SECONDS 120
#define LOG_TAIL      2048

_Noreturn static void run_program(const char *log, char *const argv[])
{
	int fd;

	supervisor_die_with_parent();
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
	execv(argv[0], argv);
	_exit(127);
}

void process_start(struct process *process, const char *log, char *const argv[])
{
	fflush(stdout);
	*process = (struct process){argv[0], fork()};
	if (process->pid == 0)
		run_program(log, argv);
	if (process->pid < 0)
		failure_exit("fork");
}

void process_check(const struct process *process)
{
	errno = 0;
	if (waitpid(process->pid, NULL, WNOHANG) != 0)
		failure_exit("%s ended unasked", process->program);
}

void process_stop(struct process *process)
{
	int status;

	if (kill(process->pid, SIGTERM) < 0 || waitpid(process->pid, &status, 0) < 0)
		failure_exit("end %s", process->program);
	errno = 0;
	if (status)
		failure_exit("%s ended with status %#x", process->program, (unsigned)status);
}

static FILE *open_proc(const struct process *process, const char *file)
{
	char path[48];
	FILE *opened;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)process->pid, file);
	opened = fopen(path, "re");
	if (!opened)
		failure_exit("open %s", path);
	return opened;
}

struct process_memory process_memory(const struct process *process)
{
	_cleanup_fclose_ FILE *status = open_proc(process, "status");
	struct process_memory memory = {0};
	char line[128];
	double kilobytes;

	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %lf", &kilobytes) == 1)
			memory.anonymous = kilobytes * 1024;
		else if (sscanf(line, "VmRSS: %lf", &kilobytes) == 1)
			memory.resident = kilobytes * 1024;
	return memory;
}

double process_cpu_seconds(const struct process *process)
{
	_cleanup_fclose_ FILE *stat = open_proc(process, "stat");
	unsigned long user = 0, system = 0;
	char line[1024] = "";
	const char *fields;

	if (!fgets(line, sizeof(line), stat))
		failure_exit("read the times of %s", process->program);
	fields = strrchr(line, ')'); /* behind the name, which may hold anything */
	errno = 0;
	if (!fields || sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			       &user, &system) != 2)
		failure_exit("the times of %s are not understood", process->program);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static bool listens(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

void process_wait_listens(const struct process *process, const char *path)
{
	double end = measure_now() + START_SECONDS;

	while (!listens(path)) {
		process_check(process);
		if (measure_now() > end)
			failure_exit(
				"%s does not serve after %d s", process->program, START_SECONDS);
		usleep(500);
	}
}

void process_show_log(const char *name, const char *log)
{
	char text[LOG_TAIL + 1];
	FILE *file = fopen(log, "re");
	size_t length;

	if (!file)
		return;
	if (fseek(file, -LOG_TAIL, SEEK_END) < 0)
		rewind(file);
	length = fread(text, 1, LOG_TAIL, file);
	fclose(file);
	if (length)
		fprintf(stderr, "The end of %s's log:\n%.*s", name, (int)length, text);
}
