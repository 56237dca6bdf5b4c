/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for the disk, for several files at a time and together with others: fsyncs of one call
 * run side by side, and calls that want the same directory on disk share one.
 */
#ifndef ORDINAL_SYNCER_H
#define ORDINAL_SYNCER_H

#include <stddef.h>

#include "cleanup.h"

/* What one call may wait for at a time. */
#define SYNCER_MAX 4

struct syncer;

/* Starts threads. Caller frees. */
struct syncer *syncer_new(void);

/* Nobody may be waiting. */
void syncer_free(struct syncer *syncer);
DEFINE_CLEANUP(struct syncer *, syncer_free);

/* Return when an fsync of each of the COUNT descriptors, at most SYNCER_MAX, that began after this
 * call has ended. Without a SYNCER they run one after the other, in this thread. -1 and errno when
 * one failed. Any thread may call. */
int syncer_sync(struct syncer *syncer, const int *fds, size_t count);

#endif
