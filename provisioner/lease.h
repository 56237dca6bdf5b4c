/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election by a coordination.k8s.io/v1 Lease, in step with client-go's: of all that use the
 * same Lease, csi-provisioner included, one leads. Whether we do is told from CLOCK_BOOTTIME alone:
 * a lease counts from when its renewal was sent, for a shorter time with us than with the others,
 * and theirs from when we last saw the record change. Wall clocks are written for people only.
 *
 * Who waits reads the one object once a second. A watch would tell of a hand-over a second earlier,
 * for a reflector, a store and a connection of its own, and its end would have to be told from
 * silence; such a read costs the API server next to nothing.
 */
#ifndef ORDINAL_LEASE_H
#define ORDINAL_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "objects.h"
#include "rest_client.h"

struct lease_options {
	const char *namespace, *name;
	const char *identity;  /* of this process alone, and never used again; not "" */
	int duration_ms;       /* others may take it so long after a renewal; 0: 15 s */
	int renew_deadline_ms; /* we hold it so long after one, less than duration; 0: 10 s */
	int retry_period_ms;   /* between two renewals, less than half of that; 0: 2 s */

	/* Both are called on the lease's thread, at most once, and may be NULL. LEASE, borrowed, is
	 * what the event "LeaderElection" is about; NULL where the API server's answer made none.
	 */
	void (*acquired)(void *context, const struct object *lease);
	void (*lost)(void *context); /* after lease_is_held() became false; not when released */
	void *context;

	int64_t (*boottime_ms)(void); /* a clock that counts suspension; NULL: the system's */
};

struct lease;

/* Everything is copied; what API stands for must outlive the lease. Caller frees. */
struct lease *lease_new(const struct kube_api *api, const struct lease_options *options);

/* Releases it first. No other thread may use the lease any more. */
void lease_free(struct lease *lease);
DEFINE_CLEANUP(struct lease *, lease_free);

/* Start the thread that gets the lease and keeps it. */
void lease_start(struct lease *lease);

/* One turn of that thread, for who has a loop of its own instead: the milliseconds until the next
 * is due. Makes requests, each with a limit of half the renew deadline. */
int lease_step(struct lease *lease);

/* Wait until the lease is held for the first time. false when it was stopped, or lost. Any thread.
 */
bool lease_wait(struct lease *lease);

/* Whether we lead at this moment: true only if nobody else can. Any thread, at any rate. */
bool lease_is_held(const struct lease *lease);

/* End lease_wait() everywhere. A lease that is not held is not taken any more; one that is held is
 * kept, so that work can be ended in peace. Any thread. */
void lease_stop(struct lease *lease);

/* Stop, and give the lease back, so that another process takes it at once: the work under it has
 * ended. Waits for the thread and for two requests. Any thread but the lease's own. */
void lease_release(struct lease *lease);

#endif
