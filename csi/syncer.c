/* SPDX-License-Identifier: Apache-2.0 */
#include "syncer.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "fs_calls.h"

/* A file that somebody syncs. The fsyncs of it are counted: whoever comes while one is running
 * waits for the one after it, which is for all who came meanwhile. */
struct file {
	dev_t device;
	ino_t inode;
	int users;
	bool running;
	unsigned long begun, ended; /* fsyncs */
	unsigned long failed;       /* the last one that did, and its errno */
	int errnum;
	SLIST_ENTRY(file) link;
};

struct syncer {
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t done;   /* an fsync has ended */
	SLIST_HEAD(file_list, file) files;
};

struct syncer *syncer_new(void)
{
	struct syncer *syncer = calloc(1, sizeof(*syncer));

	if (!syncer)
		abort();
	pthread_mutex_init(&syncer->mutex, NULL);
	pthread_cond_init(&syncer->done, NULL);
	SLIST_INIT(&syncer->files);
	return syncer;
}

void syncer_free(struct syncer *syncer)
{
	pthread_cond_destroy(&syncer->done);
	pthread_mutex_destroy(&syncer->mutex);
	free(syncer);
}

/* Under the mutex, as all that follow. */
static struct file *find_file(struct syncer *syncer, const struct stat *status)
{
	struct file *file;

	SLIST_FOREACH (file, &syncer->files, link)
		if (file->inode == status->st_ino && file->device == status->st_dev)
			return file;
	return NULL;
}

static struct file *use_file(struct syncer *syncer, const struct stat *status)
{
	struct file *file = find_file(syncer, status);

	if (!file) {
		file = calloc(1, sizeof(*file));
		if (!file)
			abort();
		file->device = status->st_dev;
		file->inode = status->st_ino;
		SLIST_INSERT_HEAD(&syncer->files, file, link);
	}
	file->users++;
	return file;
}

static void leave_file(struct syncer *syncer, struct file *file)
{
	if (--file->users)
		return;
	SLIST_REMOVE(&syncer->files, file, file, link);
	free(file);
}

/* The mutex is free meanwhile. */
static void sync_once(struct syncer *syncer, struct file *file, int fd)
{
	int errnum;

	file->running = true;
	file->begun++;
	pthread_mutex_unlock(&syncer->mutex);
	errnum = fs_calls->fsync(fd) < 0 ? errno : 0;
	pthread_mutex_lock(&syncer->mutex);
	file->running = false;
	file->ended = file->begun;
	if (errnum) {
		file->failed = file->ended;
		file->errnum = errnum;
	}
	pthread_cond_broadcast(&syncer->done);
}

int syncer_sync(struct syncer *syncer, int fd)
{
	struct stat status;
	struct file *file;
	unsigned long wanted;
	int errnum;

	if (fstat(fd, &status) < 0)
		return -1;
	pthread_mutex_lock(&syncer->mutex);
	file = use_file(syncer, &status);
	wanted = file->begun + 1;
	while (file->ended < wanted)
		if (file->running)
			pthread_cond_wait(&syncer->done, &syncer->mutex);
		else
			sync_once(syncer, file, fd);
	errnum = file->failed >= wanted ? file->errnum : 0;
	leave_file(syncer, file);
	pthread_mutex_unlock(&syncer->mutex);
	errno = errnum;
	return errnum ? -1 : 0;
}
