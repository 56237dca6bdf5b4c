/* SPDX-License-Identifier: Apache-2.0 */
#include "syncer.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "fs_calls.h"

/* As many as the callers that wait at a time: they wait for the disk, not for processors. */
#define THREADS 32

/* One fsync, and who waits for it. */
struct job {
	dev_t device;
	ino_t inode;
	int fd; /* of the call that asked first, which waits to the end */
	bool ended;
	int errnum;
	int waiting;
	TAILQ_ENTRY(job) link;
};

struct syncer {
	pthread_mutex_t mutex;          /* guards the rest */
	pthread_cond_t work;            /* there are jobs, or it is to stop */
	pthread_cond_t done;            /* a job has ended */
	TAILQ_HEAD(job_list, job) jobs; /* that have not begun */
	bool stop;
	pthread_t threads[THREADS];
};

static void run_job(struct syncer *syncer, struct job *job)
{
	int errnum;

	pthread_mutex_unlock(&syncer->mutex);
	errnum = fs_calls->fsync(job->fd) < 0 ? errno : 0;
	pthread_mutex_lock(&syncer->mutex);
	job->errnum = errnum;
	job->ended = true;
	pthread_cond_broadcast(&syncer->done);
}

static void *work(void *argument)
{
	struct syncer *syncer = argument;
	struct job *job;

	pthread_mutex_lock(&syncer->mutex);
	while (!syncer->stop) {
		job = TAILQ_FIRST(&syncer->jobs);
		if (job) {
			TAILQ_REMOVE(&syncer->jobs, job, link);
			run_job(syncer, job);
		} else {
			pthread_cond_wait(&syncer->work, &syncer->mutex);
		}
	}
	pthread_mutex_unlock(&syncer->mutex);
	return NULL;
}

struct syncer *syncer_new(void)
{
	struct syncer *syncer = calloc(1, sizeof(*syncer));

	if (!syncer)
		abort();
	pthread_mutex_init(&syncer->mutex, NULL);
	pthread_cond_init(&syncer->work, NULL);
	pthread_cond_init(&syncer->done, NULL);
	TAILQ_INIT(&syncer->jobs);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&syncer->threads[i], NULL, work, syncer))
			abort();
	return syncer;
}

void syncer_free(struct syncer *syncer)
{
	pthread_mutex_lock(&syncer->mutex);
	syncer->stop = true;
	pthread_cond_broadcast(&syncer->work);
	pthread_mutex_unlock(&syncer->mutex);
	for (int i = 0; i < THREADS; i++)
		pthread_join(syncer->threads[i], NULL);
	pthread_cond_destroy(&syncer->done);
	pthread_cond_destroy(&syncer->work);
	pthread_mutex_destroy(&syncer->mutex);
	free(syncer);
}

/* The job for FD that has not begun: one that somebody waits for already, or a new one. Under the
 * mutex. */
static struct job *join(struct syncer *syncer, int fd, const struct stat *status)
{
	struct job *job;

	TAILQ_FOREACH (job, &syncer->jobs, link)
		if (job->inode == status->st_ino && job->device == status->st_dev) {
			job->waiting++;
			return job;
		}
	job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	*job = (struct job){status->st_dev, status->st_ino, fd, false, 0, 1, {0}};
	TAILQ_INSERT_TAIL(&syncer->jobs, job, link);
	pthread_cond_signal(&syncer->work);
	return job;
}

/* The errno of the job, once it has ended. Under the mutex. */
static int leave(struct syncer *syncer, struct job *job)
{
	int errnum;

	while (!job->ended)
		pthread_cond_wait(&syncer->done, &syncer->mutex);
	errnum = job->errnum;
	if (--job->waiting == 0)
		free(job);
	return errnum;
}

static int sync_alone(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fs_calls->fsync(fds[i]) < 0)
			return -1;
	return 0;
}

int syncer_sync(struct syncer *syncer, const int *fds, size_t count)
{
	struct job *jobs[SYNCER_MAX];
	struct stat statuses[SYNCER_MAX];
	int errnum = 0;

	if (!syncer)
		return sync_alone(fds, count);
	for (size_t i = 0; i < count; i++)
		if (fstat(fds[i], &statuses[i]) < 0)
			return -1;
	pthread_mutex_lock(&syncer->mutex);
	for (size_t i = 0; i < count; i++)
		jobs[i] = join(syncer, fds[i], &statuses[i]);
	for (size_t i = 0; i < count; i++) {
		int one = leave(syncer, jobs[i]);

		errnum = errnum ? errnum : one;
	}
	pthread_mutex_unlock(&syncer->mutex);
	errno = errnum;
	return errnum ? -1 : 0;
}
