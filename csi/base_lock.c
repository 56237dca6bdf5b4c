/* SPDX-License-Identifier: Apache-2.0 */
#include "base_lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "export_table.h"

void base_lock_init(struct base_lock *lock)
{
	*lock = (struct base_lock){.fd = -1};
	pthread_mutex_init(&lock->mutex, NULL);
	pthread_cond_init(&lock->done, NULL);
}

void base_lock_done(struct base_lock *lock)
{
	cleanup_close(&lock->fd);
	pthread_cond_destroy(&lock->done);
	pthread_mutex_destroy(&lock->mutex);
}

static int lock_file(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

/* Read what the file says: on NFS, what it says on the server. */
static int read_sign(int fd, char ret[BASE_LOCK_SIGN_MAX])
{
	ssize_t length;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	length = pread(fd, ret, BASE_LOCK_SIGN_MAX - 1, 0);
	if (length < 0)
		return -1;
	ret[length] = '\0';
	return 0;
}

/* A file that was removed or renamed says nothing about who has the one that may be there now. On
 * NFS one that is removed on this machine is there still, by another name, as long as it is open.
 */
static int check_there(int dir, int fd)
{
	struct statx status;
	struct stat named;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_NLINK | STATX_INO, &status) <
			0 ||
		fstatat(dir, "lock", &named, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	errno = ENOENT;
	return status.stx_nlink && status.stx_ino == named.st_ino ? 0 : -1;
}

/* Say in the file who has the lock since when, for the message that others get, and so that who had
 * it before sees that. On a full disk it keeps saying what it said. */
static int sign(struct base_lock *lock, int fd)
{
	char host[64] = "", text[BASE_LOCK_SIGN_MAX], time[32];
	struct timespec now;
	struct tm utc;
	int length;

	gethostname(host, sizeof(host) - 1);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", &utc);
	length = snprintf(text, sizeof(text), "process %d on %s since %s.%09ldZ", (int)getpid(),
		host, time, now.tv_nsec);
	if (pwrite(fd, text, (size_t)length, 0) == length && ftruncate(fd, length) == 0)
		(void)fsync(fd);
	return read_sign(fd, lock->sign);
}

static int explain(int fd, int errnum, struct error *err)
{
	char holder[BASE_LOCK_SIGN_MAX];

	if (errnum == ENOLCK)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"lock .ordinal/lock: there are no locks: NFSv3 needs rpc.statd and lockd, on this "
			"machine and on the server; start them, or use NFSv4 (nfsvers=4.1)");
	if (errnum != EAGAIN && errnum != EACCES)
		return error_set_errno(err, errnum, "lock .ordinal/lock");
	if (read_sign(fd, holder) < 0 || !*holder)
		strcpy(holder, "another process");
	return error_set(err, ERROR_UNAVAILABLE,
		".ordinal/lock is held by %s: only one ordinal-csi at a time may change what lies "
		"there; this call succeeds once that one has ended or is not called any more",
		holder);
}

/* The class may have said so for its pods; of two drivers on two machines both would get it. */
static int refuse_local(int fd, struct error *err)
{
	bool local;

	if (export_table_locks_locally(fd, &local, err) < 0)
		return -1;
	if (!local)
		return 0;
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"the export is mounted with nolock or local_lock here, so that .ordinal/lock would not "
		"keep a driver on another machine out: take that out of the class' mountOptions, and "
		"start rpc.statd where it is missing, or use NFSv4");
}

/* Open the file that is there on the server now: on NFS this machine may remember another one. */
static int open_file(int dir)
{
	struct statx status;

	(void)statx(dir, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_CTIME, &status);
	return openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Without it the holder keeps the lock until it ends. */
static void ask_for_it(int dir)
{
	_cleanup_close_ int fd =
		openat(dir, "wanted", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

bool base_lock_wanted(int dir)
{
	struct statx status;

	(void)statx(dir, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_CTIME, &status);
	return unlinkat(dir, "wanted", 0) == 0;
}

int base_lock_take(struct base_lock *lock, int dir, struct error *err)
{
	_cleanup_close_ int fd = open_file(dir);

	if (fd < 0)
		return error_set_errno(err, errno, "open .ordinal/lock");
	if (refuse_local(fd, err) < 0)
		return -1;
	if (lock_file(fd) < 0) {
		int errnum = errno;

		ask_for_it(dir);
		return explain(fd, errnum, err);
	}
	(void)base_lock_wanted(dir); /* nobody waits for us yet */
	if (check_there(dir, fd) < 0 || sign(lock, fd) < 0)
		return error_set(err, ERROR_UNAVAILABLE, "sign .ordinal/lock: %s: try again",
			strerror(errno));
	pthread_mutex_lock(&lock->mutex);
	lock->fd = take_fd(&fd);
	lock->dir = dir;
	lock->lost.kind = ERROR_NONE;
	pthread_mutex_unlock(&lock->mutex);
	return 0;
}

/* Taking it once more asks the server: an NFSv3 server that was started anew is told of it again,
 * and one of NFSv4 checks reading, too. */
static int ask(const struct base_lock *lock, struct error *err)
{
	char text[BASE_LOCK_SIGN_MAX];

	if (lock_file(lock->fd) < 0) {
		explain(lock->fd, errno, err);
		return error_prefix(err, "the lock was lost");
	}
	if (check_there(lock->dir, lock->fd) < 0 || read_sign(lock->fd, text) < 0)
		return error_set(err, ERROR_UNAVAILABLE, "the lock .ordinal/lock was lost: %s",
			strerror(errno));
	if (!strcmp(text, lock->sign))
		return 0;
	return error_set(
		err, ERROR_UNAVAILABLE, "the lock .ordinal/lock was lost: %s had it since", text);
}

/* Under the mutex, which is free meanwhile. */
static void ask_once(struct base_lock *lock)
{
	struct error err;
	int result;

	lock->running = true;
	lock->begun++;
	pthread_mutex_unlock(&lock->mutex);
	result = ask(lock, &err);
	pthread_mutex_lock(&lock->mutex);
	lock->running = false;
	lock->ended = lock->begun;
	if (result < 0) {
		lock->lost = err;
		lock->lost.kind = ERROR_UNAVAILABLE;
		cleanup_close(&lock->fd);
		lock->fd = -1;
	}
	pthread_cond_broadcast(&lock->done);
}

int base_lock_check(struct base_lock *lock, struct error *err)
{
	unsigned long wanted;
	int result = 0;

	pthread_mutex_lock(&lock->mutex);
	wanted = lock->begun + 1;
	while (lock->fd >= 0 && lock->ended < wanted)
		if (lock->running)
			pthread_cond_wait(&lock->done, &lock->mutex);
		else
			ask_once(lock);
	if (lock->fd < 0) {
		result = -1;
		if (!lock->lost.kind)
			error_set(&lock->lost, ERROR_UNAVAILABLE, "the lock was given up");
		if (err)
			*err = lock->lost;
	}
	pthread_mutex_unlock(&lock->mutex);
	return result;
}

void base_lock_release(struct base_lock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	while (lock->running)
		pthread_cond_wait(&lock->done, &lock->mutex);
	cleanup_close(&lock->fd);
	lock->fd = -1;
	pthread_mutex_unlock(&lock->mutex);
}
