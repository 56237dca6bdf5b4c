/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "caller.h"
#include "cleanup.h"
#include "mount_nfs.h"

#define WORD "--helper"

/* How long a process may take to end that was killed, before it is left to itself. */
#define KILL_MS 500

static int check(char **arguments, struct error *err)
{
	_cleanup_close_ int fd = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statx status;
	struct statfs usage;

	/* The server's own answer, not one that is remembered. */
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_TYPE, &status) < 0 ||
		fstatfs(fd, &usage) < 0)
		return error_set_errno(err, errno, "look at it");
	return 0;
}

static int do_mount(char **arguments, struct error *err)
{
	return mount_nfs_run(arguments[1], arguments[2], arguments[0], err);
}

static int do_unmount(char **arguments, struct error *err)
{
	int flags = UMOUNT_NOFOLLOW | MNT_DETACH;

	if (!strcmp(arguments[1], "force"))
		flags |= MNT_FORCE;
	return umount2(arguments[0], flags) < 0 ? error_set_errno(err, errno, "unmount it") : 0;
}

static const struct {
	const char *verb;
	int arguments;
	int (*run)(char **arguments, struct error *err);
} verbs[] = {
	{"check", 1, check},
	{"mount", 3, do_mount},
	{"unmount", 2, do_unmount},
};

bool helper_is_asked_for(int argc, char **argv)
{
	return argc > 2 && !strcmp(argv[1], WORD);
}

int helper_main(int argc, char **argv)
{
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[2], verbs[i].verb) || argc != 3 + verbs[i].arguments)
			continue;
		if (verbs[i].run(argv + 3, &err) == 0)
			return 0;
		return write(STDOUT_FILENO, &err, sizeof(err)) == sizeof(err) ? 1 : 2;
	}
	return 2;
}

/* The program beside this one that only helps: "-helper" is added to the path. */
static const char *small_program(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - sizeof("-helper"));

	strcpy(path + (length > 0 ? length : 0), "-helper");
	return path;
}

/* Start it with its standard output at *RET_PIPE. */
static int start(const struct helper *helper, pid_t *ret_pid, int *ret_pipe, struct error *err)
{
	extern char **environ;
	char *argv[7] = {(char *)"ordinal-csi", (char *)WORD, (char *)helper->verb};
	_cleanup_close_ int reading = -1, writing = -1;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char path[PATH_MAX];
	sigset_t none;
	int ends[2], result;

	for (int i = 0; i < 3; i++)
		argv[3 + i] = (char *)helper->arguments[i];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "make a pipe");
	reading = ends[0];
	writing = ends[1];
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, writing, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	result = posix_spawn(
		ret_pid, small_program(path, sizeof(path)), &actions, &attributes, argv, environ);
	if (result)
		result = posix_spawn(
			ret_pid, "/proc/self/exe", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (result)
		return error_set_errno(err, result, "start a process");
	*ret_pipe = take_fd(&reading);
	return 0;
}

/* Read what the process says until it ends, or its time does; false then. */
static bool read_answer(int fd, int limit_ms, struct error *ret, size_t *ret_length)
{
	int64_t deadline = caller_now_ms() + limit_ms, left;

	*ret_length = 0;
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		left = deadline - caller_now_ms();
		if (left <= 0)
			return false;
		if (poll(&wait, 1, (int)left) <= 0)
			continue;
		got = read(fd, (char *)ret + *ret_length, sizeof(*ret) - *ret_length);
		if (got <= 0)
			return true;
		*ret_length += (size_t)got;
	}
}

struct left_over {
	pid_t pid;
	void (*ended)(void *context);
	void *context;
};

static void *reap(void *argument)
{
	struct left_over *left = argument;

	while (waitpid(left->pid, NULL, 0) < 0 && errno == EINTR)
		;
	left->ended(left->context);
	free(left);
	return NULL;
}

/* It may be in the kernel until the server is back: somebody waits for that. */
static void leave_to_reaper(const struct helper *helper, pid_t pid)
{
	struct left_over *left = malloc(sizeof(*left));
	pthread_attr_t detached;
	pthread_t thread;

	if (!left)
		abort();
	*left = (struct left_over){pid, helper->ended, helper->context};
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &detached, reap, left))
		abort();
	pthread_attr_destroy(&detached);
}

static int out_of_time(const struct helper *helper, struct error *err)
{
	return error_set(err, ERROR_UNAVAILABLE, "no answer within %d.%d s",
		helper->limit_ms / 1000, helper->limit_ms % 1000 / 100);
}

static int kill_it(const struct helper *helper, pid_t pid, struct error *err)
{
	const struct timespec pause = {0, 10 * 1000000};

	kill(-pid, SIGKILL);
	for (int i = 0; i < KILL_MS / 10; i++) {
		if (waitpid(pid, NULL, WNOHANG)) {
			helper->ended(helper->context);
			return out_of_time(helper, err);
		}
		nanosleep(&pause, NULL);
	}
	leave_to_reaper(helper, pid);
	return out_of_time(helper, err);
}

int helper_run(const struct helper *helper, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct error answer;
	size_t length;
	int status;
	pid_t pid;

	if (helper->limit_ms <= 0 ? out_of_time(helper, err) < 0
				  : start(helper, &pid, &fd, err) < 0) {
		helper->ended(helper->context);
		return -1;
	}
	if (!read_answer(fd, helper->limit_ms, &answer, &length))
		return kill_it(helper, pid, err);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	helper->ended(helper->context);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (length != sizeof(answer))
		return error_set(err, ERROR_INTERNAL, "a helper process failed (%d)", status);
	answer.text[sizeof(answer.text) - 1] = '\0';
	if (err)
		*err = answer;
	return -1;
}
