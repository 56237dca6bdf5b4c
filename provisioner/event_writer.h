/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes Kubernetes events to the API server, as few times as it can: an event that is there gets
 * its count patched, now and then; many different messages of one reason on one object become one
 * event, as by client-go's aggregator. One thread at a time; times are monotonic milliseconds.
 */
#ifndef ORDINAL_EVENT_WRITER_H
#define ORDINAL_EVENT_WRITER_H

#include <stdint.h>

#include "cleanup.h"
#include "event_queue.h"
#include "metrics.h"
#include "rest_client.h"

struct event_writer;

struct event_writer_options {
	const char *component;   /* the events' source; copied */
	int patch_every_ms;      /* at most one PATCH of an event in this time */
	int retry_min_ms;        /* back-off while the API server is not there, doubling */
	struct metrics *metrics; /* or NULL */
};

struct event_writer *event_writer_new(
	const struct kube_api *api, const struct event_writer_options *options);
void event_writer_free(struct event_writer *writer);

/* Take EVENT over, to be written when it is due. */
void event_writer_add(struct event_writer *writer, struct event *event, int64_t now);

/* Whether it shall be given events: not while it waits for the API server to come back. */
bool event_writer_accepts(const struct event_writer *writer, int64_t now);

/* When the next step has something to do; INT64_MAX: when there is a new event. */
int64_t event_writer_due(const struct event_writer *writer);

/* Write one event, or one count, that is due. TIMEOUT_MS is for the request. 0, or -1 if an event
 * was given up; one that may still be written is tried again, and that is no failure. */
int event_writer_step(struct event_writer *writer, int64_t now, int timeout_ms, struct error *err);

/* From now on what fails is given up at once; with FLUSH all counts are due at once, too. */
void event_writer_hurry(struct event_writer *writer, bool flush);

#endif
