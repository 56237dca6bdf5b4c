/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of claim, PersistentVolume and data, whatever the class says and whatever happens:
 * the table that reclaim_table_test tries, and that tests/reclaim.md shows.
 */
#ifndef ORDINAL_TESTS_RECLAIM_TABLE_H
#define ORDINAL_TESTS_RECLAIM_TABLE_H

#include <stdbool.h>
#include <stdio.h>

/* What happens to a set of one replica that has written to its volume. */
enum reclaim_act {
	RECLAIM_POD_DELETED,
	RECLAIM_SCALED_DOWN,
	RECLAIM_SET_DELETED,
	RECLAIM_SCALED_DOWN_DELETE,
	RECLAIM_SET_DELETED_DELETE,
	RECLAIM_CLAIM_DELETED,
	RECLAIM_SET_AND_CLAIM_DELETED,
	RECLAIM_RECREATED_AT_ONCE,
	RECLAIM_CLASS_DELETED_FIRST,
	RECLAIM_PROVISIONER_DOWN,
	RECLAIM_VOLUME_DELETED_FIRST,
	RECLAIM_POLICY_TO_RETAIN,
	RECLAIM_POLICY_TO_RETAIN_AND_BACK,
	RECLAIM_NAMESPACE_DELETED,
	RECLAIM_ACTS
};

enum reclaim_policy { RECLAIM_DELETE, RECLAIM_RETAIN, RECLAIM_POLICIES };
enum reclaim_on_delete {
	ON_DELETE_IS_DELETE,
	ON_DELETE_IS_ARCHIVE,
	ON_DELETE_IS_RETAIN,
	ON_DELETES
};
enum reclaim_reuse { REUSE_IS_NEVER, REUSE_IS_ORDINAL, REUSES };

enum reclaim_claim { CLAIM_BOUND, CLAIM_GONE };
enum reclaim_volume { VOLUME_BOUND, VOLUME_RELEASED, VOLUME_GONE };
enum reclaim_data { DATA_IN_PLACE, DATA_ARCHIVED, DATA_GONE };

/* What the replica has when set and claim are there again. */
enum reclaim_again { AGAIN_SAME, AGAIN_EMPTY };

struct reclaim_case {
	enum reclaim_act act;
	enum reclaim_policy policy;
	enum reclaim_on_delete on_delete;
	enum reclaim_reuse reuse;
};

struct reclaim_outcome {
	enum reclaim_claim claim;
	enum reclaim_volume volume; /* the one that the claim had */
	enum reclaim_data data;     /* of the replica, from before */
	enum reclaim_again again;
};

#define RECLAIM_CASES (RECLAIM_ACTS * RECLAIM_POLICIES * ON_DELETES * REUSES)

struct reclaim_case reclaim_table_case(size_t index);

/* What the table says of a case. Aborts where it says nothing. */
struct reclaim_outcome reclaim_table_outcome(const struct reclaim_case *which);

/* In words; static memory. */
const char *reclaim_table_policy(enum reclaim_policy policy);
const char *reclaim_table_on_delete(enum reclaim_on_delete on_delete);
const char *reclaim_table_reuse(enum reclaim_reuse reuse);

/* One case, or an outcome, in a line, for messages. */
void reclaim_table_print_case(FILE *out, const struct reclaim_case *which);
void reclaim_table_print_outcome(FILE *out, const struct reclaim_outcome *outcome);

/* All of it, as tests/reclaim.md has it. */
void reclaim_table_print(FILE *out);

#endif
