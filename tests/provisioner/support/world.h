/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the controllers work with, in memory: caches that a test fills, a scripted API server,
 * a second one that takes the events, and a scripted driver.
 */
#ifndef ORDINAL_TESTS_WORLD_H
#define ORDINAL_TESTS_WORLD_H

#include "controller.h"
#include "fake_api.h"
#include "journal.h"
#include "map_server.h"

/* One answer of the driver. */
struct driver_step {
	enum error_kind kind; /* the failure, or ERROR_NONE */
	const char *text;     /* of the failure, or the volume's handle; of a list: all handles */
	int64_t capacity;
	const char *context[2];  /* a pair, or NULLs */
	const char *topology[2]; /* of one accessible topology, or NULLs */
};

/* As capacity, of what a driver expands or makes: the flags that go with it. */
#define WORLD_NODE_EXPANSION (1LL << 62) /* the node has to act, too */
#define WORLD_HAS_SOURCE     (1LL << 61) /* the volume was made from the source asked for */

#define WORLD_CALLS_MAX 16

struct world {
	struct controller controller;
	struct fake_api api, events;
	struct map_server map; /* has the journal */
	const struct driver_step *steps;
	size_t step_count, step;
	char *calls[WORLD_CALLS_MAX]; /* "create NAME BYTES ...", "delete HANDLE", ... */
	size_t call_count;
};

/* A world whose driver is called "d.example.com" and answers by STEPS, in their order; what comes
 * after them is answered with UNAVAILABLE. DRIVER and API steps must outlive it. */
void world_init(struct world *world, const struct driver_step *driver, size_t driver_count,
	const struct api_step *api, size_t api_count);
void world_done(struct world *world);

/* Put what TEXT says (JSON with ' for ") into STORE. */
void world_set(struct store *store, const struct object_type *type, const char *text);

/* All calls to the driver so far, separated by "; ". Caller frees. */
char *world_calls(const struct world *world);

/* Write ' for " in TEXT, and T for each lastTransitionTime. */
void world_simplify(char *text);

/* All requests to the scripted API server so far, simplified, a line each. Caller frees. */
char *world_sent(struct world *world);

/* End the recorder, and return what it sent: "Warning Reason: message", a line each; "count N"
 * behind the line of one that came N times. Once; caller frees. */
char *world_events(struct world *world);

#endif
