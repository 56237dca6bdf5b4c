/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two that want one lease of a fake API server, by a clock that the test turns. Nothing runs by
 * itself: a test makes their turns.
 */
#ifndef ORDINAL_TESTS_LEASE_PAIR_H
#define ORDINAL_TESTS_LEASE_PAIR_H

#include "fake_lease.h"
#include "lease.h"

/* The defaults, in milliseconds. */
#define DURATION 15000
#define DEADLINE 10000
#define PERIOD   2000

/* One that wants the lease, and how the API server treats it. */
struct party {
	struct fake_lease *server;
	struct lease *lease;
	enum error_kind fail;        /* of every request, or ERROR_NONE */
	const char *fail_method;     /* only of these; NULL: all */
	int64_t before_ms, after_ms; /* what a request takes until it is done, and answered */
	const char *answer;          /* of every request, instead of what is so; or NULL */
	bool meddle;                 /* once, write after it has read */
	size_t requests;
	int limit_ms; /* of the last request */
	int acquired, lost;
	bool held_at_end; /* while lost() ran */
	char event_name[64];
};

struct lease_pair {
	struct fake_lease server;
	struct party a, b; /* their identities are "a" and "b" */
};

/* The clock of all leases. */
extern _Atomic int64_t lease_pair_ms;

void lease_pair_init(struct lease_pair *pair);
void lease_pair_done(struct lease_pair *pair);

/* Make a turn of PARTY; whether it holds the lease then. */
bool lease_pair_step(struct party *party);

/* The record names HOLDER; the member KEY of its spec is VALUE as JSON. */
void lease_pair_check_holder(struct lease_pair *pair, const char *holder);
void lease_pair_check_spec(struct lease_pair *pair, const char *key, const char *value);

/* Member KEY of the record's spec as JSON. Caller frees. */
char *lease_pair_spec(struct lease_pair *pair, const char *key);

#endif
