/* SPDX-License-Identifier: Apache-2.0 */
#include "lane.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct jobs {
	struct lane_job *first, **end;
};

struct lane {
	size_t max;
	int done_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct jobs waiting, done;
	size_t count; /* of those that wait */
	bool stopped;
};

static void append(struct jobs *jobs, struct lane_job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
}

static struct lane_job *take(struct jobs *jobs)
{
	struct lane_job *job = jobs->first;

	if (!job)
		return NULL;
	jobs->first = job->next;
	if (!jobs->first)
		jobs->end = &jobs->first;
	return job;
}

static void tell_done(const struct lane *lane)
{
	uint64_t one = 1;

	if (write(lane->done_fd, &one, sizeof(one)) < 0)
		abort();
}

static void *work(void *context)
{
	struct lane *lane = context;

	pthread_mutex_lock(&lane->lock);
	while (!lane->stopped) {
		struct lane_job *job = take(&lane->waiting);

		if (!job) {
			pthread_cond_wait(&lane->changed, &lane->lock);
			continue;
		}
		lane->count--;
		pthread_mutex_unlock(&lane->lock);
		job->run(job);
		pthread_mutex_lock(&lane->lock);
		append(&lane->done, job);
		tell_done(lane);
	}
	pthread_mutex_unlock(&lane->lock);
	return NULL;
}

struct lane *lane_new(size_t max, int done_fd)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		abort();
	lane->max = max;
	lane->done_fd = done_fd;
	lane->waiting.end = &lane->waiting.first;
	lane->done.end = &lane->done.first;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->changed, NULL);
	if (pthread_create(&lane->thread, NULL, work, lane))
		abort();
	return lane;
}

void lane_free(struct lane *lane)
{
	pthread_cond_destroy(&lane->changed);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

bool lane_add(struct lane *lane, struct lane_job *job)
{
	bool taken;

	pthread_mutex_lock(&lane->lock);
	taken = !lane->stopped && lane->count < lane->max;
	if (taken) {
		append(&lane->waiting, job);
		lane->count++;
		pthread_cond_signal(&lane->changed);
	}
	pthread_mutex_unlock(&lane->lock);
	return taken;
}

struct lane_job *lane_take_done(struct lane *lane)
{
	struct lane_job *job;

	pthread_mutex_lock(&lane->lock);
	job = take(&lane->done);
	pthread_mutex_unlock(&lane->lock);
	return job;
}

void lane_stop(struct lane *lane)
{
	struct lane_job *job;

	pthread_mutex_lock(&lane->lock);
	lane->stopped = true;
	pthread_cond_signal(&lane->changed);
	pthread_mutex_unlock(&lane->lock);
	pthread_join(lane->thread, NULL);
	while ((job = take(&lane->waiting)))
		append(&lane->done, job);
}
