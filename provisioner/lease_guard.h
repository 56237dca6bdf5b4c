/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server and the driver as only the leader may use them: reads pass, and what changes
 * anything is refused with ERROR_ABORTED unless the lease is held at that moment. A call that has
 * passed cannot be called back: its preconditions are what makes it harmless when it is late.
 */
#ifndef ORDINAL_LEASE_GUARD_H
#define ORDINAL_LEASE_GUARD_H

#include "csi_client.h"
#include "lease.h"
#include "rest_client.h"

struct lease_guard {
	const struct lease *lease;
	struct kube_api api;
	struct csi_driver driver;
};

/* Tables that stand for GUARD's, and are valid as long as it is and stays where it is. */
struct kube_api lease_guard_api(struct lease_guard *guard);
struct csi_driver lease_guard_driver(struct lease_guard *guard);

#endif
