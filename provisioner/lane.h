/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that may wait for others, done one piece after the other by a thread of its own, so that who
 * must not wait can hand it over. Only so much is taken on.
 */
#ifndef ORDINAL_LANE_H
#define ORDINAL_LANE_H

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

/* A piece of work, inside what it is about. Not touched by who handed it over until it is taken. */
struct lane_job {
	struct lane_job *next;
	void (*run)(struct lane_job *job); /* on the lane's thread */
};

struct lane;

/* At most MAX jobs wait. DONE_FD, borrowed, is an eventfd that is written to when one is done.
 * Caller stops it, takes all jobs, and
 * frees it. */
struct lane *lane_new(size_t max, int done_fd);
void lane_free(struct lane *lane);
DEFINE_CLEANUP(struct lane *, lane_free);

/* Whether it was taken on; false where as many wait as may. Any thread. */
bool lane_add(struct lane *lane, struct lane_job *job);

/* A job that is done, or NULL. Any thread. */
struct lane_job *lane_take_done(struct lane *lane);

/* Wait for the job under way; those that wait count as done, without having been run. */
void lane_stop(struct lane *lane);

#endif
