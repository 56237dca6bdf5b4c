/* SPDX-License-Identifier: Apache-2.0 */
#include "tree_size.h"

#include <errno.h>
#include <fcntl.h>

#include "tree_walk.h"

struct count {
	uint64_t bytes;
	double inodes;
};

static void add(struct count *count, const struct statx *status)
{
	uint32_t links = S_ISDIR(status->stx_mode) || !status->stx_nlink ? 1 : status->stx_nlink;

	count->bytes += status->stx_blocks * 512 / links;
	count->inodes += 1.0 / links;
}

static int visit(void *context, const struct tree_entry *entry, struct error *err)
{
	(void)err;
	add(context, entry->status);
	return 0;
}

int tree_size_measure(
	int dir, const atomic_bool *cancelled, struct tree_size *ret_size, struct error *err)
{
	struct count count = {0};
	struct statx status;

	if (statx(dir, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK | STATX_BLOCKS, &status) < 0)
		return error_set_errno(err, errno, "look at the tree");
	add(&count, &status);
	if (tree_walk(dir, cancelled, visit, &count, err) < 0)
		return -1;
	ret_size->bytes = count.bytes > INT64_MAX ? INT64_MAX : (int64_t)count.bytes;
	ret_size->inodes = (int64_t)(count.inodes + 0.5);
	return 0;
}
