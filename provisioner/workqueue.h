/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that need work, after client-go's work queue: a key is handed to one worker at a time; one
 * that is added while it is worked on comes again afterwards, once; one that failed comes again
 * after a back-off of its own, with jitter.
 */
#ifndef ORDINAL_WORKQUEUE_H
#define ORDINAL_WORKQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct workqueue;

struct workqueue_options {
	int retry_min_ms;        /* back-off after the first failure, doubling to ... */
	int retry_max_ms;        /* ... this */
	int64_t (*now_ms)(void); /* a monotonic clock; NULL: the system's */
};

/* Caller frees. */
struct workqueue *workqueue_new(const struct workqueue_options *options);

/* No thread may be inside any other function of the queue. */
void workqueue_free(struct workqueue *queue);
DEFINE_CLEANUP(struct workqueue *, workqueue_free);

/* Hand KEY to a worker as soon as one is free; a pending back-off is cut short. */
void workqueue_add(struct workqueue *queue, const char *key);

/* Wait for a key. NULL when the queue is stopped. The key is borrowed until workqueue_done(). */
const char *workqueue_take(struct workqueue *queue);

/* KEY, taken before, has been worked on: on failure it comes again after its back-off, on success
 * its back-off starts afresh. */
void workqueue_done(struct workqueue *queue, const char *key, bool success);

/* Wake all workers; workqueue_take() returns NULL from now on. */
void workqueue_stop(struct workqueue *queue);

/* Keys that wait, are worked on, or are backing off. */
size_t workqueue_count(struct workqueue *queue);

#endif
