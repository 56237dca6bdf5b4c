/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes that a benchmark has made, by number.
 */
#ifndef ORDINAL_BENCH_POPULATION_H
#define ORDINAL_BENCH_POPULATION_H

#include "csi_calls.h"
#include "measure.h"

struct population {
	struct rpc_client *client;
	unsigned long first, count; /* the numbers of the volumes that exist */
	unsigned long limit;        /* of all numbers */
	char (*ids)[CSI_CALLS_ID_SIZE];
};

/* No volumes yet, and never more than LIMIT, with those that were deleted. CLIENT is borrowed. */
void population_init(struct population *population, struct rpc_client *client, unsigned long limit);
void population_done(struct population *population);

/* Create volumes from THREADS callers for SECONDS, or until the limit where that is 0. */
struct measure_result population_create(struct population *population, int threads, double seconds);

/* Create volumes until COUNT exist. */
void population_grow(struct population *population, unsigned long count);

/* Delete the COUNT oldest from THREADS callers. */
struct measure_result population_delete(
	struct population *population, int threads, unsigned long count);

#endif
