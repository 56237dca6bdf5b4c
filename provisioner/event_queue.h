/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes events that wait to be sent: the same event again only raises the count of the one
 * that waits, and what waits is bounded. No locks: its user has one.
 */
#ifndef ORDINAL_EVENT_QUEUE_H
#define ORDINAL_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum event_type { EVENT_NORMAL, EVENT_WARNING };

/* What an event is on. */
struct event_reference {
	const char *api_version, *kind;
	const char *namespace; /* "" for what has none */
	const char *name, *uid;
	const char *resource_version; /* or "" */
};

/* One event, which may have happened several times. */
struct event {
	struct event *next; /* in a list of its holder's */
	enum event_type type;
	const char *reason; /* a constant */
	int count;
	struct timespec first, last;
	struct event_reference on;
	const char *message;
	const char *key;          /* uid, type, reason, message: what makes events the same */
	const char *group;        /* the same without the message */
	bool combined;            /* its message stands for many */
	unsigned long long order; /* the queue's */
	size_t size;              /* of it all */
	char text[];              /* what the above point to */
};

#define EVENT_MESSAGE_MAX 1024 /* bytes with the NUL: the API server refuses longer ones */

/* A new event of one occurrence, now; all but REASON is copied. MESSAGE is cut where it is too
 * long, and what is no UTF-8 in it becomes "?". Caller frees, by free(). */
struct event *event_queue_make(const struct event_reference *on, enum event_type type,
	const char *reason, const char *message);

/* MORE, which it frees, happened too: it counts for EVENT. */
void event_queue_merge(struct event *event, struct event *more);

struct event_queue;

struct event_queue *event_queue_new(size_t count_max, size_t bytes_max);
void event_queue_free(struct event_queue *queue);

/* Take EVENT over, at the end or by merging it. Where many wait, and it is the success of what is
 * said to begin by one of them, that one goes. Where the queue is full the oldest normal events
 * make room for a warning; else EVENT itself is dropped. How many occurrences were dropped. */
size_t event_queue_put(struct event_queue *queue, struct event *event);

/* The oldest, the caller's from now on; NULL where nothing waits. */
struct event *event_queue_take(struct event_queue *queue);

bool event_queue_is_empty(const struct event_queue *queue);

#endif
