/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"

void supervisor_die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

_Noreturn static void run_worker(void (*work)(void *context), void *context, const sigset_t *old)
{
	supervisor_die_with_parent();
	sigprocmask(SIG_SETMASK, old, NULL);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		failure_exit("a mount namespace of its own, which needs root");
	work(context);
	fflush(stdout);
	_exit(0);
}

/* Reap what has ended; false when no child is left. */
static bool reap(pid_t worker, int *status, bool *worker_ended)
{
	int seen;
	pid_t pid;

	while ((pid = waitpid(-1, &seen, WNOHANG)) > 0)
		if (pid == worker) {
			*status = seen;
			*worker_ended = true;
		}
	return pid == 0 || errno != ECHILD;
}

/* Wait for the worker, and for what it left: a driver that dies with it becomes our child. */
static int watch(pid_t worker, const sigset_t *signals)
{
	bool ended = false, interrupted = false;
	int status = 0, number;

	while (reap(worker, &status, &ended)) {
		if (sigwait(signals, &number) || number == SIGCHLD)
			continue;
		interrupted = true;
		if (!ended)
			kill(worker, SIGKILL);
	}
	if (interrupted)
		return 130;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int supervisor_run(void (*work)(void *context), void *context)
{
	sigset_t signals, old;
	pid_t worker;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &old);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	worker = fork();
	if (worker == 0)
		run_worker(work, context, &old);
	if (worker < 0) {
		perror("fork");
		return 1;
	}
	/* Whoever reads our output may be gone: what is to be removed still has to be. */
	signal(SIGPIPE, SIG_IGN);
	return watch(worker, &signals);
}
