/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes events, which is how the user of a claim learns what happens to it. They wait in a
 * bounded queue for a thread of their own, so that no sync ever waits for one; the same event
 * again only raises the count of the first.
 */
#ifndef ORDINAL_EVENTS_H
#define ORDINAL_EVENTS_H

#include "objects.h"
#include "rest_client.h"

struct event_recorder;

/* COMPONENT is shown as the events' source. Caller frees. */
struct event_recorder *event_recorder_new(const struct kube_api *api, const char *component);

/* Events that still wait are sent first: none is begun after a few seconds. */
void event_recorder_free(struct event_recorder *recorder);
DEFINE_CLEANUP(struct event_recorder *, event_recorder_free);

enum event_type { EVENT_NORMAL, EVENT_WARNING };

/* Record an event on OBJECT, which is borrowed for the call. REASON is a CamelCase constant. When
 * the queue is full the event is dropped, and the log says so. Any thread may call. */
void event_record(struct event_recorder *recorder, const struct object *object,
	enum event_type type, const char *reason, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
