/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong last with a claim or a volume, for the status page: the newest events, by the UID
 * of what they are on. Only so many are kept, and the oldest make room. Any thread may call.
 */
#ifndef ORDINAL_STATUS_NOTES_H
#define ORDINAL_STATUS_NOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"
#include "event_queue.h"

struct status_notes;

struct status_note {
	bool failed;    /* else it waits for something */
	int64_t at;     /* in seconds since 1970 */
	char text[400]; /* UTF-8, cut where it would be longer */
};

/* For at most MAX of them. Caller frees. */
struct status_notes *status_notes_new(size_t max);
void status_notes_free(struct status_notes *notes);
DEFINE_CLEANUP(struct status_notes *, status_notes_free);

/* An event happened: a warning is noted, and what waits; what went well takes the note away. Has
 * the form of an observer of events. */
void status_notes_observe(void *notes, const struct event_reference *on, enum event_type type,
	const char *reason, const char *message);

/* The note of what has that UID, if there is one. NOTES may be NULL: there is none. */
bool status_notes_get(struct status_notes *notes, const char *uid, struct status_note *ret_note);

#endif
