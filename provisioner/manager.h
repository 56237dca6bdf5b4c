/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controllers at work: caches that a reflector fills, one queue of keys, and the workers that
 * sync them. Caches are filled from the start; work begins when the lease is held and the journal
 * is taken over, so that a standby takes over with warm caches.
 */
#ifndef ORDINAL_MANAGER_H
#define ORDINAL_MANAGER_H

#include "csi_client.h"
#include "lease.h"
#include "metrics.h"
#include "options.h"
#include "reflector.h"
#include "rest_client.h"

struct manager;
struct status_notes;

/* What tests make shorter; 0: as it is. */
struct manager_timing {
	int begin_retry_ms; /* between two tries of what has to work before the work begins: 2 s */
	int flush_after_ms; /* what is settled is written to the journal at the latest then: 1 s */
	struct reflector_limits reflector;
};

struct manager_options {
	const struct options *options; /* the command line's */
	const char *component; /* the source of events: the driver, and which of its provisioners */
	const char *holder;    /* of lease and journal: unique for each process */
	const char *namespace; /* of both */
	const char *journal;   /* its name */
	struct lease *lease;   /* not started; or NULL: nobody else does this work */
	const char *lease_name;
	struct metrics *metrics;    /* or NULL */
	struct status_notes *notes; /* hears of all events; or NULL */
	struct manager_timing timing;
};

/* CLIENT, DRIVER and what OPTIONS point to must outlive it. Caller frees, not before it was stopped
 * where it was started. */
struct manager *manager_new(struct rest_client *client, const struct csi_driver *driver,
	const struct manager_options *options);
void manager_free(struct manager *manager);
DEFINE_CLEANUP(struct manager *, manager_free);

void manager_start(struct manager *manager);

/* Take no more keys, and wait for the calls under way for at most LIMIT_MS: whether all ended.
 * Where they did not, the workers still use everything, and only _exit() is left. The lease is
 * released in both cases: the journal tells of those calls, and whoever leads next repeats them. */
bool manager_stop(struct manager *manager, int limit_ms);

/* Have the event "LeaderElection" on LEASE, which this process has got. Any thread. */
void manager_tell_leader(struct manager *manager, const struct object *lease);

/* Whether it works, and no key waits or is worked on. Any thread. */
bool manager_is_idle(struct manager *manager);

/* Whether it has begun to work: with a lease, whether it leads. Any thread. */
bool manager_is_working(const struct manager *manager);

/* The caches, and what the controllers work with beside them. Borrowed. Any thread may read. */
const struct controller *manager_controller(const struct manager *manager);

/* Have the form of health checks: whether the caches were filled; whether no watch is lost for
 * long; whether no loop is stuck; whether who works holds the lease. */
int manager_check_synced(void *manager, struct error *err);
int manager_check_watches(void *manager, struct error *err);
int manager_check_loops(void *manager, struct error *err);
int manager_check_lease(void *manager, struct error *err);

#endif
