/* SPDX-License-Identifier: Apache-2.0 */
#include "group_sync.h"

#include <errno.h>

#include "fs_calls.h"

void group_sync_init(struct group_sync *group)
{
	*group = (struct group_sync){0};
	pthread_mutex_init(&group->mutex, NULL);
	pthread_cond_init(&group->done, NULL);
}

void group_sync_done(struct group_sync *group)
{
	pthread_cond_destroy(&group->done);
	pthread_mutex_destroy(&group->mutex);
}

/* Under the mutex, which is free meanwhile. */
static void sync_once(struct group_sync *group, int fd)
{
	int errnum;

	group->running = true;
	group->begun++;
	pthread_mutex_unlock(&group->mutex);
	errnum = fs_calls->fsync(fd) < 0 ? errno : 0;
	pthread_mutex_lock(&group->mutex);
	group->running = false;
	group->ended = group->begun;
	if (errnum) {
		group->failed = group->ended;
		group->errnum = errnum;
	}
	pthread_cond_broadcast(&group->done);
}

int group_sync(struct group_sync *group, int fd)
{
	unsigned long wanted;
	int errnum;

	pthread_mutex_lock(&group->mutex);
	/* The one that is running may have passed what this caller did. */
	wanted = group->begun + 1;
	while (group->ended < wanted)
		if (group->running)
			pthread_cond_wait(&group->done, &group->mutex);
		else
			sync_once(group, fd);
	errnum = group->failed >= wanted ? group->errnum : 0;
	pthread_mutex_unlock(&group->mutex);
	errno = errnum;
	return errnum ? -1 : 0;
}
