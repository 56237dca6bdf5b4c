/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many requests may be under way at the API server at once: as many as it answers quickly. The
 * limit grows with each answer while it is made use of, and shrinks by a factor when the server
 * says that it is busy or answers far more slowly than it lately could. There is no fixed rate.
 */
#ifndef ORDINAL_LIMITER_H
#define ORDINAL_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct limiter;

struct limiter_options {
	int max;                          /* the limit never exceeds this; 0: 64 */
	int64_t (*now_ms)(void *context); /* for tests; NULL: CLOCK_MONOTONIC */
	void *context;
};

/* OPTIONS may be NULL. Caller frees. */
struct limiter *limiter_new(const struct limiter_options *options);

/* Nobody may be inside. */
void limiter_free(struct limiter *limiter);
DEFINE_CLEANUP(struct limiter *, limiter_free);

/* How one request ended. */
enum limiter_outcome {
	LIMITER_ANSWERED, /* whatever the answer was */
	LIMITER_BUSY,     /* the server had too much to do, or did not answer in time */
	LIMITER_UNKNOWN,  /* no answer, for reasons that tell nothing of the server's load */
};

/* Wait until one more request may start, for at most TIMEOUT_MS; whether it may. If so, it ends
 * with limiter_leave(). A LOW one starts only where no other waits, is under way or began a moment
 * ago, or after it has let many others go first. Any thread may call. */
bool limiter_enter(struct limiter *limiter, bool low, int64_t timeout_ms);

/* The request that has started is over; it took MS milliseconds. */
void limiter_leave(struct limiter *limiter, enum limiter_outcome outcome, int64_t ms);

/* The server asked for patience: for SECONDS, of which 60 count at most, no request starts. */
void limiter_pause(struct limiter *limiter, int64_t seconds);

/* For metrics: requests that may be under way, that are, and that wait. Any thread may ask. */
struct limiter_state {
	int limit, under_way, waiting;
};
struct limiter_state limiter_state(struct limiter *limiter);

#endif
