/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that need work, after client-go's work queue: a key is handed to one worker at a time; one
 * that is added while it is worked on comes again afterwards, once; one that failed comes again
 * after a back-off of its own, with jitter. Keys that wait are cheap, however many they are.
 */
#ifndef ORDINAL_WORKQUEUE_H
#define ORDINAL_WORKQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "metrics.h"

struct workqueue;

struct workqueue_options {
	int retry_min_ms;        /* back-off after the first failure, doubling to ... */
	int retry_max_ms;        /* ... this */
	int64_t (*now_ms)(void); /* a monotonic clock; NULL: the system's */
	struct metrics *metrics; /* gets client-go's workqueue_* metrics; outlives it; or NULL */
	const char *name;        /* of the queue, for them; borrowed for its life */
};

/* Caller frees. */
struct workqueue *workqueue_new(const struct workqueue_options *options);

/* No thread may be inside any other function of the queue. */
void workqueue_free(struct workqueue *queue);
DEFINE_CLEANUP(struct workqueue *, workqueue_free);

/* Hand KEY to a worker as soon as one is free; a pending back-off is cut short. */
void workqueue_add(struct workqueue *queue, const char *key);

/* Hand KEY to a worker in MS milliseconds, without that this counts as a failure. One that comes
 * before that, for whatever reason, comes only then: each sync decides anew. While KEY is worked
 * on the time counts from now too, but it comes at the earliest when it is done. */
void workqueue_add_after(struct workqueue *queue, const char *key, int64_t ms);

/* Wait for a key. NULL when the queue is stopped. The key is borrowed until workqueue_done(). */
const char *workqueue_take(struct workqueue *queue);

/* KEY, taken before, has been worked on: on failure it comes again after its back-off, on success
 * its back-off starts afresh. The caller takes the next key at once, or the queue is stopped: no
 * other worker is called for what was added meanwhile. */
void workqueue_done(struct workqueue *queue, const char *key, bool success);

/* KEY, taken before, has been worked on with success, but shall be looked at again in MS
 * milliseconds: workqueue_done() and workqueue_add_after() in one. */
void workqueue_done_after(struct workqueue *queue, const char *key, int64_t ms);

/* Wake all workers; workqueue_take() returns NULL from now on. */
void workqueue_stop(struct workqueue *queue);

/* Keys that wait, are worked on, or are backing off. */
size_t workqueue_count(struct workqueue *queue);

#endif
