/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes events, which is how the user of a claim learns what happens to it. They wait in a
 * bounded queue for a thread of their own, so that no sync ever waits for one; the same event
 * again only raises the count of the first, and many alike become one.
 */
#ifndef ORDINAL_EVENTS_H
#define ORDINAL_EVENTS_H

#include "event_queue.h"
#include "heartbeat.h"
#include "metrics.h"
#include "objects.h"
#include "rest_client.h"

struct event_recorder;

struct event_recorder_options {
	const char *component;       /* shown as the events' source; copied */
	struct metrics *metrics;     /* outlives it; or NULL */
	struct heartbeat *heartbeat; /* of its thread; or NULL */
	int patch_every_ms;          /* at most one PATCH of an event in this time; 0: 5 s */
	int retry_min_ms;            /* first back-off, doubling; 0: 1 s */
	/* Told of each event, on the thread that records it; or NULL. It must not wait. */
	void (*observe)(void *observer, const struct event_reference *on, enum event_type type,
		const char *reason, const char *message);
	void *observer;
};

/* API is copied; what it points to outlives the recorder. Caller frees. */
struct event_recorder *event_recorder_new(const struct kube_api *api, const char *component);
struct event_recorder *event_recorder_new_with(
	const struct kube_api *api, const struct event_recorder_options *options);

/* Events and counts that still wait are sent first, once each: none is begun after 3 seconds. */
void event_recorder_free(struct event_recorder *recorder);
DEFINE_CLEANUP(struct event_recorder *, event_recorder_free);

/* Record an event on OBJECT, which is borrowed for the call. REASON is a CamelCase constant. When
 * the queue is full normal events are dropped before warnings, and the log says so. Any thread may
 * call; nothing is waited for. */
void event_record(struct event_recorder *recorder, const struct object *object,
	enum event_type type, const char *reason, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The same on what is no object of ours, a Lease for example. */
void event_record_on(struct event_recorder *recorder, const struct event_reference *on,
	enum event_type type, const char *reason, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
