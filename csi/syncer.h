/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fsync for many: callers that want the same directory on disk at the same time share the wait
 * for the disk.
 */
#ifndef ORDINAL_SYNCER_H
#define ORDINAL_SYNCER_H

#include "cleanup.h"

struct syncer;

/* Caller frees. */
struct syncer *syncer_new(void);

/* Nobody may be waiting. */
void syncer_free(struct syncer *syncer);
DEFINE_CLEANUP(struct syncer *, syncer_free);

/* Return when an fsync of FD, by this thread or another, that began after this call has ended. -1
 * and errno when it failed. Any thread may call. */
int syncer_sync(struct syncer *syncer, int fd);

#endif
