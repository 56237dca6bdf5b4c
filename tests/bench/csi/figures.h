/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures, one file each. All print tables to standard output; an aim that is missed is said
 * and is no failure.
 */
#ifndef ORDINAL_BENCH_FIGURES_H
#define ORDINAL_BENCH_FIGURES_H

#include "driver_process.h"
#include "population.h"
#include "scratch.h"

/* What "independent of the number" and "of the size" mean: at most that many times as long. */
#define FIGURES_INDEPENDENT 1.5

struct bench {
	const char *program; /* the driver's */
	struct scratch scratch;
	int volumes; /* in the large population */
	int rounds;  /* of product and bare loop in turn */
};

/* CreateVolume and DeleteVolume per second, with a driver of its own. */
void rates_measure(const struct bench *bench);

/* NodePublishVolume and NodeUnpublishVolume at one size of the driver's population. */
struct publish_result {
	unsigned long volumes;
	int mounts;                                          /* that existed meanwhile */
	double publish[2], bind[2], unpublish[2], unbind[2]; /* p50 and p99, in seconds */
};

struct publish_result publish_measure(
	const struct bench *bench, const struct population *population, int mounts);

/* Publish COUNT volumes, and leave them so. */
void publish_keep(const struct bench *bench, const struct population *population, int count);
void publish_print(const struct publish_result *results, size_t count);

/* Memory at one size of the population. AIM in MiB of RssAnon, 0 for none. */
struct footprint {
	unsigned long volumes;
	const char *when;
	struct process_memory memory;
	double aim;
};

void footprint_print(const struct footprint *footprints, size_t count);

/* Start the driver anew on the base ROOT, several times; leaves it running. */
void footprint_restart(const struct bench *bench, struct driver_process *driver, const char *root);

/* DeleteVolume of volumes that hold few and many files. */
void deletion_measure(
	const struct bench *bench, const struct driver_process *driver, unsigned long first);

#endif
