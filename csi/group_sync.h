/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fsync for many: callers that want the same directory on disk at the same time share the wait
 * for the disk.
 */
#ifndef ORDINAL_GROUP_SYNC_H
#define ORDINAL_GROUP_SYNC_H

#include <pthread.h>
#include <stdbool.h>

struct group_sync {
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t done;
	bool running;
	unsigned long begun, ended; /* fsyncs */
	unsigned long failed;       /* the last one that did, and its errno */
	int errnum;
};

void group_sync_init(struct group_sync *group);
void group_sync_done(struct group_sync *group);

/* Return when an fsync of FD that began after this call has ended; FD is always the same. -1 and
 * errno when it failed. */
int group_sync(struct group_sync *group, int fd);

#endif
