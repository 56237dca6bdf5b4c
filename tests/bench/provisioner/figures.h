/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures, one file each. All print tables to standard output; an aim that is missed is said
 * and is no failure.
 */
#ifndef ORDINAL_BENCH_FIGURES_H
#define ORDINAL_BENCH_FIGURES_H

#include "cluster.h"
#include "scratch.h"
#include "watcher.h"

struct bench {
	const char *provisioner, *driver; /* programs */
	const char *kubeconfig;
	bool knows_eager; /* the provisioner has the flag --eager */
	struct scratch scratch;
	struct cluster cluster;
	struct watcher *watcher;
	int claims; /* of a burst */
	int rounds;
	int objects; /* claims, and volumes, of the large population */
	int latency_claims;
};

/* Volumes made and removed per second, and the processor time that takes. */
void rates_measure(const struct bench *bench);

/* From a claim that can be provisioned to its volume, one at a time. */
void latency_measure(const struct bench *bench);

/* Memory without and with a large population, and the start with it. */
void population_measure(const struct bench *bench);

/* A burst of claims, called MANIFESTS_PLAIN, and their end. */
void claims_make(const struct bench *bench, unsigned long count);
void claims_remove(const struct bench *bench, unsigned long count);

#endif
