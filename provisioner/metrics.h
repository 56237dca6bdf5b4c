/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted and timed, as Prometheus reads it (text format 0.0.4). The families, their names
 * and their labels stand in one table (metric_families.c). Label values come from claims and
 * classes, so a family has a bounded number of series; what goes beyond is counted as "other".
 *
 * A struct metrics * may be NULL everywhere here: then nothing is counted. Any thread may call;
 * counting takes one short lock of the family's own.
 */
#ifndef ORDINAL_METRICS_H
#define ORDINAL_METRICS_H

#include <stdio.h>

#include "cleanup.h"

struct metrics;

/* The labels' values are given in the order that stands here. */
enum metric {
	METRIC_PROVISION_TOTAL,         /* class, source */
	METRIC_PROVISION_FAILED_TOTAL,  /* class, source */
	METRIC_PROVISION_SECONDS,       /* class, source; histogram */
	METRIC_DELETE_TOTAL,            /* class */
	METRIC_DELETE_FAILED_TOTAL,     /* class */
	METRIC_DELETE_SECONDS,          /* class; histogram */
	METRIC_CSI_SECONDS,             /* driver_name, method_name, grpc_status_code; histogram */
	METRIC_WORKQUEUE_DEPTH,         /* name; all of these by workqueue.c */
	METRIC_WORKQUEUE_ADDS,          /* name */
	METRIC_WORKQUEUE_QUEUE_SECONDS, /* name; histogram */
	METRIC_WORKQUEUE_WORK_SECONDS,  /* name; histogram */
	METRIC_WORKQUEUE_RETRIES,       /* name */
	METRIC_WORKQUEUE_UNFINISHED_SECONDS, /* name */
	METRIC_WORKQUEUE_LONGEST_SECONDS,    /* name */
	METRIC_LEADER,                       /* name of the Lease; 1 or 0 */
	METRIC_REST_REQUESTS,                /* code, method, host */
	METRIC_REST_SECONDS,                 /* verb, host; histogram */
	METRIC_REFLECTOR_SYNCED,             /* resource; 1 or 0 */
	METRIC_REFLECTOR_CONNECTED,          /* resource; 1 or 0 */
	METRIC_REFLECTOR_LISTS,              /* resource */
	METRIC_REFLECTOR_WATCHES,            /* resource */
	METRIC_REFLECTOR_EVENTS,             /* resource */
	METRIC_REFLECTOR_ACTIVITY,           /* resource; Unix time */
	METRIC_STORE_OBJECTS,                /* resource */
	METRIC_JOURNAL_ENTRIES,
	METRIC_EVENTS_SENT,
	METRIC_EVENTS_DROPPED,
	METRIC_BUILD_INFO, /* version */
	METRIC_PROCESS_RESIDENT_BYTES,
	METRIC_PROCESS_CPU_SECONDS,
	METRIC_PROCESS_OPEN_FDS,
	METRIC_PROCESS_MAX_FDS,
	METRIC_PROCESS_START_SECONDS,
	METRIC_COUNT,
};

/* Caller frees. No other thread may be inside any function here when it does. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
DEFINE_CLEANUP(struct metrics *, metrics_free);

/* metrics_add(METRICS, METRIC, VALUE, LABELS...): add VALUE to a counter, or to a gauge, where it
 * may be negative. Each label is a const char *, copied; NULL is "". Their number must be the
 * family's: anything else aborts. */
#define metrics_add(metrics, metric, value, ...)                                                   \
	metrics_add_values(metrics, metric, value, METRICS_LABELS(__VA_ARGS__))

/* metrics_observe(METRICS, METRIC, SECONDS, LABELS...): one observation of a histogram. */
#define metrics_observe(metrics, metric, seconds, ...)                                             \
	metrics_observe_values(metrics, metric, seconds, METRICS_LABELS(__VA_ARGS__))

/* metrics_gauge(METRICS, METRIC, READ, CONTEXT, LABELS...): from now on READ(CONTEXT) is asked for
 * the value of this series at each scrape, on the thread that scrapes; also for counters that
 * somebody else keeps. READ may take locks and count, but not register or forget. */
#define metrics_gauge(metrics, metric, read, context, ...)                                         \
	metrics_gauge_values(metrics, metric, read, context, METRICS_LABELS(__VA_ARGS__))

typedef double metrics_read(void *context);

/* Never ask again what was registered with CONTEXT; after this, nobody is inside it. */
void metrics_forget(struct metrics *metrics, const void *context);

/* Write everything to OUT, which must not block: a buffer in memory. */
void metrics_write(struct metrics *metrics, FILE *out);

/* What a scrape's Content-Type has to be. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The label value for a gRPC status code, as csi-lib-utils has it: "OK", "InvalidArgument". Static
 * memory. */
const char *metrics_grpc_code(int code);

/* What the macros above call. */
struct metrics_labels {
	const char *const *values;
	size_t count;
};
#define METRICS_LABELS(...)                                                                        \
	(struct metrics_labels)                                                                    \
	{                                                                                          \
		(const char *const[]){NULL, ##__VA_ARGS__},                                        \
			ARRAY_SIZE(((const char *const[]){NULL, ##__VA_ARGS__})) - 1               \
	}
void metrics_add_values(
	struct metrics *metrics, enum metric metric, double value, struct metrics_labels labels);
void metrics_observe_values(
	struct metrics *metrics, enum metric metric, double seconds, struct metrics_labels labels);
void metrics_gauge_values(struct metrics *metrics, enum metric metric, metrics_read *read,
	void *context, struct metrics_labels labels);

#endif
