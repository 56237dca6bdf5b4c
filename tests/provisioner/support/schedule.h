/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random schedule: claims that appear and vanish, classes that go and come back, volumes that are
 * deleted, while the API server and the driver fail; all of it from one seed. It brings the whole
 * cluster but the provisioner, which the test starts and stops.
 *
 *	schedule = schedule_new(&options);
 *	... start the controllers with schedule_server() and schedule_driver() ...
 *	schedule_run(schedule);
 *	wrong = schedule_wait(schedule, idle, context);    "" is what should come of it
 *	... stop the controllers ...
 *	wrong = schedule_check(schedule);    and it stays so
 *	schedule_free(schedule);
 */
#ifndef ORDINAL_TESTS_SCHEDULE_H
#define ORDINAL_TESTS_SCHEDULE_H

#include "api_server.h"
#include "fake_driver.h"

struct schedule_options {
	uint64_t seed;
	unsigned int actions;       /* 0: 40 */
	unsigned int api_faults;    /* of a thousand requests */
	unsigned int driver_faults; /* of a thousand calls */
	unsigned int pause_us_max;  /* between actions; 0: 1000 */
	bool topology;              /* the driver has topology, by kubernetes.io/hostname */
	bool node_mode;             /* every node has a driver of its own, which has topology */
	bool ours;                  /* the driver takes the ordinal.dev/ parameters */

	/* Called after each action, numbered from 0; may be NULL. */
	void (*meanwhile)(void *context, unsigned int action);
	void *context;
};

#define SCHEDULE_NODES 3
#define SCHEDULE_BY_HAND                                                                           \
	"by-hand-" /* how the names of volumes begin that an administrator made                    \
		    */

struct schedule;

/* Caller frees, when nobody uses the server and the driver any more. */
struct schedule *schedule_new(const struct schedule_options *options);
void schedule_free(struct schedule *schedule);
DEFINE_CLEANUP(struct schedule *, schedule_free);

/* Borrowed. The driver of the node NODE, counted from 0, is called "d.example.com", and is the same
 * for all but in node mode. */
struct api_server *schedule_server(struct schedule *schedule);
struct api_objects *schedule_objects(struct schedule *schedule);
struct fake_driver *schedule_driver(struct schedule *schedule, size_t node);
const char *schedule_node(size_t node); /* its name */

/* Do all of it, then let nothing go wrong any more, and bring back what claims need. */
void schedule_run(struct schedule *schedule);

/* What is not as it should be: every claim is bound to the one volume that is for it, which has one
 * volume at the driver; there is no other volume, here or there, but released ones of the class
 * that retains them, and what was made by hand; all are as large as they are asked to be; no
 * request is left in a journal; the driver was never asked for one name in two ways. "" if nothing.
 * Caller frees. */
char *schedule_check(struct schedule *schedule);

/* The same, waiting for at most 60 seconds until it is "", and nobody does anything any more: the
 * watches of claims and volumes have sent all, neither objects nor the driver are touched for a
 * while, and IDLE, if not NULL, says that no work is waiting. */
char *schedule_wait(struct schedule *schedule, bool (*idle)(void *context), void *context);

/* What was done, a line each: to read when it came out wrong. Borrowed until the next call. */
const char *schedule_story(struct schedule *schedule);

#endif
