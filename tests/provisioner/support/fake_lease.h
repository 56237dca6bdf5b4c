/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Lease as an API server keeps it, in memory: with resourceVersions, UIDs, conflicts and the
 * checks that it makes.
 */
#ifndef ORDINAL_TESTS_FAKE_LEASE_H
#define ORDINAL_TESTS_FAKE_LEASE_H

#include <pthread.h>

#include "rest_client.h"

struct fake_lease {
	pthread_mutex_t lock;       /* guards all below */
	struct json_object *record; /* or NULL */
	int version, uid;
};

void fake_lease_init(struct fake_lease *lease);
void fake_lease_done(struct fake_lease *lease);

/* Answer REQUEST, which must be for the lease "l" in namespace "ns". Any thread. */
int fake_lease_call(struct fake_lease *lease, const struct rest_request *request,
	struct json_object **ret_body, struct error *err);

/* What is there: a copy for the caller to put, or NULL. Its holder, or "": caller frees. */
struct json_object *fake_lease_read(struct fake_lease *lease);
char *fake_lease_holder(struct fake_lease *lease);

/* As somebody else, and without any check, set the member KEY of its spec to VALUE (JSON with ' for
 * "), or, with KEY NULL, the whole spec. Made where there is none. */
void fake_lease_edit(struct fake_lease *lease, const char *key, const char *value);

/* As somebody else, delete it. */
void fake_lease_delete(struct fake_lease *lease);

#endif
