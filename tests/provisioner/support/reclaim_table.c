/* SPDX-License-Identifier: Apache-2.0 */
#include "reclaim_table.h"

#include <stdlib.h>

#include "cleanup.h"

static const char *const acts[RECLAIM_ACTS] = {
	[RECLAIM_POD_DELETED] = "the pod is deleted",
	[RECLAIM_SCALED_DOWN] = "scaled to 0 (whenScaled: Retain, the default)",
	[RECLAIM_SET_DELETED] = "the set is deleted (whenDeleted: Retain, the default)",
	[RECLAIM_SCALED_DOWN_DELETE] = "scaled to 0 (whenScaled: Delete)",
	[RECLAIM_SET_DELETED_DELETE] = "the set is deleted (whenDeleted: Delete)",
	[RECLAIM_CLAIM_DELETED] = "the claim is deleted",
	[RECLAIM_SET_AND_CLAIM_DELETED] = "the set is deleted, and then its claims",
	[RECLAIM_RECREATED_AT_ONCE] = "set and claims are deleted, and created again at once",
	[RECLAIM_CLASS_DELETED_FIRST] = "the class is deleted, and then the claim",
	[RECLAIM_PROVISIONER_DOWN] = "the claim is deleted while the provisioner is down",
	[RECLAIM_VOLUME_DELETED_FIRST] = "the PersistentVolume is deleted, and then the claim",
	[RECLAIM_POLICY_TO_RETAIN] = "the volume's policy is set to Retain; the claim is deleted",
	[RECLAIM_POLICY_TO_RETAIN_AND_BACK] =
		"the volume's policy is set to Retain, and to Delete; the claim is deleted",
	[RECLAIM_NAMESPACE_DELETED] = "the namespace is deleted, and created again",
};

static const char *const policies[] = {"Delete", "Retain"};
static const char *const on_deletes[] = {"delete", "archive", "retain"};
static const char *const reuses[] = {"never", "ordinal"};
static const char *const claims[] = {"Bound", "gone"};
static const char *const volumes[] = {"Bound", "Released", "gone"};
static const char *const data[] = {"in place", "archived", "gone"};
static const char *const agains[] = {"its data", "an empty volume"};

#define ANY (-1)

/* Of the rules about one act the first that fits counts. */
static const struct rule {
	int first, last; /* acts */
	int policy, on_delete, reuse;
	struct reclaim_outcome outcome;
} rules[] = {
	/* The claim stays, and with it all else. */
	{RECLAIM_POD_DELETED, RECLAIM_SET_DELETED, ANY, ANY, ANY,
		{CLAIM_BOUND, VOLUME_BOUND, DATA_IN_PLACE, AGAIN_SAME}},

	/* Created again before the first volume was gone. */
	{RECLAIM_RECREATED_AT_ONCE, RECLAIM_RECREATED_AT_ONCE, RECLAIM_RETAIN, ANY,
		REUSE_IS_ORDINAL, {CLAIM_BOUND, VOLUME_BOUND, DATA_IN_PLACE, AGAIN_SAME}},
	{RECLAIM_RECREATED_AT_ONCE, RECLAIM_RECREATED_AT_ONCE, RECLAIM_RETAIN, ANY, REUSE_IS_NEVER,
		{CLAIM_BOUND, VOLUME_RELEASED, DATA_IN_PLACE, AGAIN_EMPTY}},
	{RECLAIM_RECREATED_AT_ONCE, RECLAIM_RECREATED_AT_ONCE, ANY, ON_DELETE_IS_DELETE, ANY,
		{CLAIM_BOUND, VOLUME_GONE, DATA_GONE, AGAIN_EMPTY}},
	{RECLAIM_RECREATED_AT_ONCE, RECLAIM_RECREATED_AT_ONCE, ANY, ANY, REUSE_IS_ORDINAL,
		{CLAIM_BOUND, VOLUME_GONE, DATA_IN_PLACE, AGAIN_SAME}},
	{RECLAIM_RECREATED_AT_ONCE, RECLAIM_RECREATED_AT_ONCE, ANY, ON_DELETE_IS_ARCHIVE, ANY,
		{CLAIM_BOUND, VOLUME_GONE, DATA_ARCHIVED, AGAIN_EMPTY}},
	{RECLAIM_RECREATED_AT_ONCE, RECLAIM_RECREATED_AT_ONCE, ANY, ON_DELETE_IS_RETAIN, ANY,
		{CLAIM_BOUND, VOLUME_GONE, DATA_IN_PLACE, AGAIN_EMPTY}},

	/* The driver is never told that a retained PersistentVolume is gone: to it that volume
	 * lives, and its data are nobody else's. */
	{RECLAIM_VOLUME_DELETED_FIRST, RECLAIM_VOLUME_DELETED_FIRST, RECLAIM_RETAIN, ANY, ANY,
		{CLAIM_GONE, VOLUME_GONE, DATA_IN_PLACE, AGAIN_EMPTY}},

	/* Another namespace, though of the same name. */
	{RECLAIM_NAMESPACE_DELETED, RECLAIM_NAMESPACE_DELETED, RECLAIM_RETAIN, ANY, ANY,
		{CLAIM_GONE, VOLUME_RELEASED, DATA_IN_PLACE, AGAIN_EMPTY}},
	{RECLAIM_NAMESPACE_DELETED, RECLAIM_NAMESPACE_DELETED, ANY, ON_DELETE_IS_ARCHIVE, ANY,
		{CLAIM_GONE, VOLUME_GONE, DATA_ARCHIVED, AGAIN_EMPTY}},
	{RECLAIM_NAMESPACE_DELETED, RECLAIM_NAMESPACE_DELETED, ANY, ON_DELETE_IS_RETAIN, ANY,
		{CLAIM_GONE, VOLUME_GONE, DATA_IN_PLACE, AGAIN_EMPTY}},

	/* What the volume says when it is released counts, and not what its class said. */
	{RECLAIM_POLICY_TO_RETAIN, RECLAIM_POLICY_TO_RETAIN, ANY, ANY, REUSE_IS_NEVER,
		{CLAIM_GONE, VOLUME_RELEASED, DATA_IN_PLACE, AGAIN_EMPTY}},
	{RECLAIM_POLICY_TO_RETAIN, RECLAIM_POLICY_TO_RETAIN, ANY, ANY, REUSE_IS_ORDINAL,
		{CLAIM_GONE, VOLUME_RELEASED, DATA_IN_PLACE, AGAIN_SAME}},
	{RECLAIM_POLICY_TO_RETAIN_AND_BACK, RECLAIM_POLICY_TO_RETAIN_AND_BACK, ANY,
		ON_DELETE_IS_DELETE, ANY, {CLAIM_GONE, VOLUME_GONE, DATA_GONE, AGAIN_EMPTY}},
	{RECLAIM_POLICY_TO_RETAIN_AND_BACK, RECLAIM_POLICY_TO_RETAIN_AND_BACK, ANY,
		ON_DELETE_IS_ARCHIVE, REUSE_IS_NEVER,
		{CLAIM_GONE, VOLUME_GONE, DATA_ARCHIVED, AGAIN_EMPTY}},
	{RECLAIM_POLICY_TO_RETAIN_AND_BACK, RECLAIM_POLICY_TO_RETAIN_AND_BACK, ANY,
		ON_DELETE_IS_ARCHIVE, REUSE_IS_ORDINAL,
		{CLAIM_GONE, VOLUME_GONE, DATA_ARCHIVED, AGAIN_SAME}},
	{RECLAIM_POLICY_TO_RETAIN_AND_BACK, RECLAIM_POLICY_TO_RETAIN_AND_BACK, ANY,
		ON_DELETE_IS_RETAIN, REUSE_IS_NEVER,
		{CLAIM_GONE, VOLUME_GONE, DATA_IN_PLACE, AGAIN_EMPTY}},
	{RECLAIM_POLICY_TO_RETAIN_AND_BACK, RECLAIM_POLICY_TO_RETAIN_AND_BACK, ANY,
		ON_DELETE_IS_RETAIN, REUSE_IS_ORDINAL,
		{CLAIM_GONE, VOLUME_GONE, DATA_IN_PLACE, AGAIN_SAME}},

	/* In whatever way the claim goes. */
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_DELETE, ON_DELETE_IS_DELETE,
		ANY, {CLAIM_GONE, VOLUME_GONE, DATA_GONE, AGAIN_EMPTY}},
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_DELETE,
		ON_DELETE_IS_ARCHIVE, REUSE_IS_NEVER,
		{CLAIM_GONE, VOLUME_GONE, DATA_ARCHIVED, AGAIN_EMPTY}},
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_DELETE,
		ON_DELETE_IS_ARCHIVE, REUSE_IS_ORDINAL,
		{CLAIM_GONE, VOLUME_GONE, DATA_ARCHIVED, AGAIN_SAME}},
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_DELETE, ON_DELETE_IS_RETAIN,
		REUSE_IS_NEVER, {CLAIM_GONE, VOLUME_GONE, DATA_IN_PLACE, AGAIN_EMPTY}},
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_DELETE, ON_DELETE_IS_RETAIN,
		REUSE_IS_ORDINAL, {CLAIM_GONE, VOLUME_GONE, DATA_IN_PLACE, AGAIN_SAME}},
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_RETAIN, ANY, REUSE_IS_NEVER,
		{CLAIM_GONE, VOLUME_RELEASED, DATA_IN_PLACE, AGAIN_EMPTY}},
	{RECLAIM_SCALED_DOWN_DELETE, RECLAIM_NAMESPACE_DELETED, RECLAIM_RETAIN, ANY,
		REUSE_IS_ORDINAL, {CLAIM_GONE, VOLUME_RELEASED, DATA_IN_PLACE, AGAIN_SAME}},
};

struct reclaim_case reclaim_table_case(size_t index)
{
	struct reclaim_case which;

	which.reuse = (enum reclaim_reuse)(index % REUSES);
	index /= REUSES;
	which.on_delete = (enum reclaim_on_delete)(index % ON_DELETES);
	index /= ON_DELETES;
	which.policy = (enum reclaim_policy)(index % RECLAIM_POLICIES);
	which.act = (enum reclaim_act)(index / RECLAIM_POLICIES);
	return which;
}

static bool fits(int wanted, int is)
{
	return wanted == ANY || wanted == is;
}

struct reclaim_outcome reclaim_table_outcome(const struct reclaim_case *which)
{
	int act = (int)which->act;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (act >= rules[i].first && act <= rules[i].last &&
			fits(rules[i].policy, (int)which->policy) &&
			fits(rules[i].on_delete, (int)which->on_delete) &&
			fits(rules[i].reuse, (int)which->reuse))
			return rules[i].outcome;
	abort();
}

const char *reclaim_table_policy(enum reclaim_policy policy)
{
	return policies[policy];
}

const char *reclaim_table_on_delete(enum reclaim_on_delete on_delete)
{
	return on_deletes[on_delete];
}

const char *reclaim_table_reuse(enum reclaim_reuse reuse)
{
	return reuses[reuse];
}

void reclaim_table_print_case(FILE *out, const struct reclaim_case *which)
{
	fprintf(out, "%s; %s, %s, %s", acts[which->act], policies[which->policy],
		on_deletes[which->on_delete], reuses[which->reuse]);
}

void reclaim_table_print_outcome(FILE *out, const struct reclaim_outcome *outcome)
{
	fprintf(out, "%s | %s | %s | %s", claims[outcome->claim], volumes[outcome->volume],
		data[outcome->data], agains[outcome->again]);
}

void reclaim_table_print(FILE *out)
{
	fputs("# What becomes of claim, volume and data\n\n"
	      "Every combination of reclaimPolicy, onDelete and reuse, and what happens to a "
	      "replica that has written to its\nvolume. `provisioner/reclaim_table_test` tries "
	      "each, and wrote this file: `make tests/reclaim.md`.\n\n"
	      "The columns to the right tell of the claim, of the PersistentVolume "
	      "that it had, of its data, and of\nwhat the replica has when set and claim are "
	      "there again.\n",
		out);
	for (size_t i = 0; i < RECLAIM_CASES; i++) {
		struct reclaim_case which = reclaim_table_case(i);
		struct reclaim_outcome outcome = reclaim_table_outcome(&which);

		if (i % (RECLAIM_CASES / RECLAIM_ACTS) == 0)
			fprintf(out,
				"\n## %c%s\n\n| reclaimPolicy | onDelete | reuse | claim | volume | "
				"data | created again, it has |\n|---|---|---|---|---|---|---|\n",
				acts[which.act][0] - 'a' + 'A', acts[which.act] + 1);
		fprintf(out, "| %s | %s | %s | ", policies[which.policy],
			on_deletes[which.on_delete], reuses[which.reuse]);
		reclaim_table_print_outcome(out, &outcome);
		fputs(" |\n", out);
	}
}
