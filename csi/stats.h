/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is to tell of a mounted volume: how much it uses, and whether it is well. Any thread
 * may call.
 */
#ifndef ORDINAL_STATS_H
#define ORDINAL_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct stats_usage {
	int64_t total, available, used;
};

struct stats {
	bool abnormal;
	struct error condition; /* its text: in words for people */
	bool has_usage;         /* the file system answers */
	struct stats_usage bytes, inodes;
};

/* A volume as the driver knows it. */
struct stats_volume {
	const char *base, *path;  /* its directory is <base>/<path> */
	int source;               /* its directory there, O_PATH, or -1 */
	const struct error *lost; /* why not, then */
};

/* Look at MOUNT, opened O_PATH, where VOLUME is mounted: ERROR_NOT_FOUND when something else is.
 * The usage is that of the file system, or of the quota where the kernel shows it. */
int stats_collect(
	int mount, const struct stats_volume *volume, struct stats *ret_stats, struct error *err);

#endif
