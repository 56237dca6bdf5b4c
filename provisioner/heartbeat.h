/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds loops that are stuck: each thread that works in a loop notes when it begins and ends a
 * piece of work, and a check names the one that has been inside of one for too long. A loop that
 * waits for work is never stuck. Noting takes no lock.
 */
#ifndef ORDINAL_HEARTBEAT_H
#define ORDINAL_HEARTBEAT_H

#include <stdint.h>

#include "cleanup.h"
#include "error.h"

struct heartbeats; /* of all loops */
struct heartbeat;  /* of one; NULL is accepted and does nothing */

/* NOW_MS is a monotonic clock; NULL: the system's. Caller frees, when no loop beats any more. */
struct heartbeats *heartbeat_group_new(int64_t (*now_ms)(void));
void heartbeat_group_free(struct heartbeats *group);
DEFINE_CLEANUP(struct heartbeats *, heartbeat_group_free);

/* A loop called NAME, each piece of whose work must take less than LIMIT_MS. Belongs to GROUP. Any
 * thread may call, at any time. */
struct heartbeat *heartbeat_add(struct heartbeats *group, const char *name, int64_t limit_ms);

/* A piece of work begins, or ends. KEY says what it is on, for the message: copied and cut where
 * it is long; or NULL. A begin after a begin starts the time afresh. One thread a heartbeat. */
void heartbeat_begin(struct heartbeat *heartbeat, const char *key);
void heartbeat_end(struct heartbeat *heartbeat);

/* 0 if no loop of GROUP, a struct heartbeats *, is stuck, else -1 with the one that is longest.
 * Has the form of a health check. Any thread may call. */
int heartbeat_check(void *group, struct error *err);

#endif
