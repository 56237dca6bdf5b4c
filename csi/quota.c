/* SPDX-License-Identifier: Apache-2.0 */
#include "quota.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "beneath.h"
#include "cleanup.h"
#include "fs_calls.h"
#include "mounter.h"
#include "project.h"
#include "tree_walk.h"

/* Ids that are in use, one after the other, before we stop looking. */
#define TRIES_MAX (1 << 20)

static uint32_t first = QUOTA_ID_FIRST;
static atomic_uint given; /* ids, since the process began or all were given */

void quota_begin_at(uint32_t id)
{
	first = id;
}

/* By the name of its device: for kernels before 5.14, and seccomp filters of before that. */
static int call_device(int fd, unsigned command, uint32_t id, void *data)
{
	_cleanup_free_ char *device = NULL;
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -1;
	/* NFS and all else that lies on no disk; or a container, which has no device nodes. */
	if (major(status.st_dev) == 0 || mounter_device(fd, &device, NULL) < 0 ||
		stat(device, &status) < 0 || !S_ISBLK(status.st_mode)) {
		errno = ENOSYS;
		return -1;
	}
	return fs_calls->quotactl(command, device, id, data);
}

static int call(int fd, unsigned command, uint32_t id, void *data)
{
	int why;

	command = QCMD(command, PRJQUOTA);
	if (fs_calls->quotactl_fd(fd, command, id, data) == 0)
		return 0;
	why = errno;
	/* ENOSYS is also what file systems without quotas say, and EPERM who lacks CAP_SYS_ADMIN.
	 */
	if (why != ENOSYS && why != EPERM)
		return -1;
	if (call_device(fd, command, id, data) == 0)
		return 0;
	if (errno == ENOSYS)
		errno = why;
	return -1;
}

/* What the kernel says where there are no quotas, or they are off. */
static bool is_missing(int why)
{
	return why == ENOSYS || why == EINVAL || why == ESRCH || why == EOPNOTSUPP ||
	       why == ENOTBLK;
}

static int explain(int why, const char *what, struct error *err)
{
	if (is_missing(why))
		return error_set(err, ERROR_UNIMPLEMENTED,
			"its file system has no project quotas: only ext4 and XFS on a disk of the "
			"driver's own machine have them, mounted with prjquota");
	if (why == EPERM)
		return error_set(err, ERROR_FORBIDDEN,
			"its file system has project quotas, but the driver may not set them: it "
			"needs CAP_SYS_ADMIN, and a seccomp profile that lets it call quotactl_fd");
	return error_set_errno(err, why, "%s", what);
}

static int read_project(int fd, uint32_t id, struct if_dqblk *ret, struct error *err)
{
	*ret = (struct if_dqblk){0};
	/* ENOENT: XFS has never heard of the project. */
	if (call(fd, Q_GETQUOTA, id, ret) < 0 && errno != ENOENT)
		return explain(errno, "ask for a project's quota", err);
	return 0;
}

int quota_check(int fd, struct error *err)
{
	struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
	struct if_dqblk quota;

	if (call(fd, Q_XGETQSTATV, 0, &state) < 0)
		return explain(errno, "ask whether there are quotas", err);
	if (!(state.qs_flags & FS_QUOTA_PDQ_ENFD))
		return explain(ENOSYS, NULL, err);
	return read_project(fd, 0, &quota, err);
}

static bool is_free(const struct if_dqblk *quota)
{
	return !quota->dqb_curinodes && !quota->dqb_curspace && !quota->dqb_bhardlimit &&
	       !quota->dqb_bsoftlimit && !quota->dqb_ihardlimit && !quota->dqb_isoftlimit;
}

int quota_choose(int fd, int64_t *ret_project, struct error *err)
{
	struct if_dqblk quota;

	for (int i = 0; i < TRIES_MAX; i++) {
		uint32_t id = first + atomic_fetch_add(&given, 1) % (QUOTA_ID_MAX - first + 1);

		if (read_project(fd, id, &quota, err) < 0)
			return -1;
		if (is_free(&quota)) {
			*ret_project = id;
			return 0;
		}
	}
	return error_set(err, ERROR_EXHAUSTED,
		"%d project ids in a row are in use: choose another --project-id-base", TRIES_MAX);
}

int quota_take(int fd, int64_t project, struct error *err)
{
	uint64_t inodes;

	if (project_set(fd, (uint32_t)project) < 0)
		return error_set_errno(err, errno, "give the directory a project");
	if (quota_inodes(fd, project, &inodes, err) < 0)
		return -1;
	if (inodes != 1)
		return error_set(err, ERROR_ABORTED,
			"somebody else uses the project %lld since a moment: try again",
			(long long)project);
	return 0;
}

/* Files that are no plain ones have no room to be counted. */
static int take_entry(void *context, const struct tree_entry *entry, struct error *err)
{
	const uint32_t *project = context;
	_cleanup_close_ int file = -1;
	int fd = entry->fd;

	if (fd < 0 && !S_ISREG(entry->status->stx_mode))
		return 0;
	if (fd < 0) {
		file = openat(entry->dir, entry->name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (file < 0) /* vanished, or replaced by something else */
			return errno == ENOENT || errno == ELOOP || errno == ENXIO
				       ? 0
				       : error_set_errno(err, errno, "open a file of the volume");
		fd = file;
	}
	if (project_set(fd, *project) == 0)
		return 0;
	if (errno == EPERM && beneath_clear_flags_of(fd) == 0 && project_set(fd, *project) == 0)
		return 0;
	return error_set_errno(err, errno, "give a file of the volume a project");
}

int quota_take_tree(int fd, int64_t project, const atomic_bool *cancelled, struct error *err)
{
	uint32_t id = (uint32_t)project;

	if (tree_walk(fd, cancelled, take_entry, &id, err) < 0)
		return -1;
	if (project_set(fd, id) < 0)
		return error_set_errno(err, errno, "give the directory a project");
	return 0;
}

int quota_limit(int fd, int64_t project, int64_t bytes, struct error *err)
{
	struct if_dqblk quota = {
		.dqb_valid = QIF_BLIMITS,
		.dqb_bhardlimit = ((uint64_t)bytes + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE,
	};

	if (call(fd, Q_SETQUOTA, (uint32_t)project, &quota) < 0)
		return explain(errno, "set the volume's quota", err);
	return 0;
}

int quota_inodes(int fd, int64_t project, uint64_t *ret_inodes, struct error *err)
{
	struct if_dqblk quota;

	if (read_project(fd, (uint32_t)project, &quota, err) < 0)
		return -1;
	*ret_inodes = quota.dqb_curinodes;
	return 0;
}
