/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmark sees of claims and volumes, by a watch of its own, and when: the same clock
 * for whoever makes the volumes.
 */
#ifndef ORDINAL_BENCH_WATCHER_H
#define ORDINAL_BENCH_WATCHER_H

#include "cluster.h"
#include "store.h"

/* A claim of the benchmark's namespace, and a volume: just what is looked at. */
struct watched_claim {
	struct object object;
	bool annotated, bound;
};

struct watched_volume {
	struct object object;
	char *claim; /* its name, or "" */
	char *class_name;
	bool available, released;
};

extern const struct object_type watcher_claim_type, watcher_volume_type;

enum watcher_event {
	CLAIM_ADDED,
	CLAIM_ANNOTATED,
	CLAIM_BOUND,
	CLAIM_GONE,
	VOLUME_ADDED,
	VOLUME_AVAILABLE, /* of any class; the others only of CLUSTER_CLASS */
	VOLUME_GONE,
	EVENTS
};

/* When each event of a claim and its volume was seen, on the clock of measure_now(); 0: not yet. */
struct watcher_times {
	double at[EVENTS];
};

struct watcher;

/* Watch claims whose number, the last one in their names, is below LIMIT, and their volumes.
 * Returns when what is there was seen. */
struct watcher *watcher_new(const struct cluster *cluster, unsigned long limit);
void watcher_free(struct watcher *watcher);

/* Forget all times. */
void watcher_reset(struct watcher *watcher);

/* Wait until COUNT objects had EVENT since the last reset. */
void watcher_wait(struct watcher *watcher, enum watcher_event event, unsigned long count);

/* The times of claim NUMBER and its volume. */
struct watcher_times watcher_times(struct watcher *watcher, unsigned long number);

/* The time of the last EVENT. */
double watcher_last(struct watcher *watcher, enum watcher_event event);

#endif
