/* SPDX-License-Identifier: Apache-2.0 */
#include "killer.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "fixture.h"
#include "fs_calls.h"

static const struct fs_calls *kernel;

static enum killer_mode mode;
static atomic_int left = -1; /* calls of all threads before the deadly one; below 0: none is */

static _Thread_local int good = -1; /* calls of this thread before the one that fails */
static _Thread_local int error_then;

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Whether this call is the one. */
static bool is_last(void)
{
	return atomic_load(&left) >= 0 && atomic_fetch_sub(&left, 1) == 0;
}

static bool fails(void)
{
	if (good < 0 || good-- > 0)
		return false;
	errno = error_then;
	return true;
}

/* Do CALL, unless this one fails or is the end. */
#define RUN(call)                                                                                  \
	({                                                                                         \
		bool last_ = is_last();                                                            \
                                                                                                   \
		if (last_ && mode == KILLER_BEFORE)                                                \
			die();                                                                     \
		__auto_type result_ = fails() ? -1 : (call);                                       \
		if (last_)                                                                         \
			die();                                                                     \
		result_;                                                                           \
	})

static int run_create(int dir, const char *name)
{
	return RUN(kernel->create(dir, name));
}

static ssize_t run_write(int fd, const void *bytes, size_t length)
{
	return RUN(kernel->write(fd, bytes, last_ ? length / 2 : length));
}

static int run_fsync(int fd)
{
	return RUN(kernel->fsync(fd));
}

static int run_mkdirat(int dir, const char *name, mode_t bits)
{
	return RUN(kernel->mkdirat(dir, name, bits));
}

static int run_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return RUN(kernel->renameat(from_dir, from, to_dir, to));
}

static int run_unlinkat(int dir, const char *name, int flags)
{
	return RUN(kernel->unlinkat(dir, name, flags));
}

static int run_fchmod(int fd, mode_t bits)
{
	return RUN(kernel->fchmod(fd, bits));
}

static int run_fchown(int fd, uid_t uid, gid_t gid)
{
	return RUN(kernel->fchown(fd, uid, gid));
}

static int run_set_attributes(int fd, const struct fsxattr *attributes)
{
	return RUN(kernel->set_attributes(fd, attributes));
}

static int run_quotactl_fd(int fd, unsigned command, unsigned id, void *data)
{
	return RUN(kernel->quotactl_fd(fd, command, id, data));
}

static void install(void)
{
	static struct fs_calls calls;

	if (kernel)
		return;
	kernel = fs_calls;
	calls = *kernel;
	calls.create = run_create;
	calls.write = run_write;
	calls.fsync = run_fsync;
	calls.mkdirat = run_mkdirat;
	calls.renameat = run_renameat;
	calls.unlinkat = run_unlinkat;
	calls.fchmod = run_fchmod;
	calls.fchown = run_fchown;
	calls.set_attributes = run_set_attributes;
	calls.quotactl_fd = run_quotactl_fd;
	fs_calls = &calls;
}

bool killer_run(int point, enum killer_mode how, int (*work)(void *context), void *context)
{
	int status;
	pid_t child;

	install();
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mode = how;
		atomic_store(&left, point);
		_exit(work(context) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child ended with status %x", status);
	return false;
}

bool killer_fail(int point, int errnum)
{
	bool reached = good < 0;

	install();
	good = point;
	error_then = errnum;
	return reached;
}

int killer_stride(int usual)
{
	return usual * (int)fixture_stride();
}
