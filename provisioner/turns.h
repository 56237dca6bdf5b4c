/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that must not go on at the same time, though it has different keys: what is done for one
 * claim and for its volume. Whoever finds the other at it is queued again when that has ended.
 *
 * Any thread may call.
 */
#ifndef ORDINAL_TURNS_H
#define ORDINAL_TURNS_H

#include <stdbool.h>

#include "cleanup.h"
#include "workqueue.h"

struct turns;

/* QUEUE must outlive it. Caller frees, when nobody is at work. */
struct turns *turns_new(struct workqueue *queue);
void turns_free(struct turns *turns);
DEFINE_CLEANUP(struct turns *, turns_free);

/* Begin the work that KEY asks for, on SUBJECT. false where somebody else is at work on that: KEY
 * is queued when the turn is over. */
bool turns_begin(struct turns *turns, const char *subject, const char *key);

/* The work on SUBJECT has ended. */
void turns_end(struct turns *turns, const char *subject);

#endif
