/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For whom a thread works: until when that caller waits, and whether it has gone. What may hang is
 * not waited for any longer than that. A thread that works for nobody waits as long as it likes.
 */
#ifndef ORDINAL_CALLER_H
#define ORDINAL_CALLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on this thread works for a caller that waits until DEADLINE_MS of the monotonic clock
 * (INT64_MAX: for ever), unless *GONE becomes true before, which is borrowed until caller_end(). */
void caller_begin(const atomic_bool *gone, int64_t deadline_ms);
void caller_end(void);

/* Whether the caller of this thread does not wait any more. */
bool caller_is_gone(void);

/* The flag that says so, or NULL; for others to look at as long as the thread works. */
const atomic_bool *caller_flag(void);

/* How many of LIMIT_MS there are before the caller goes; at least 0. What is left for an answer
 * that says why is not among them. */
int caller_limit_ms(int limit_ms);

/* Milliseconds of the monotonic clock. */
int64_t caller_now_ms(void);

#endif
