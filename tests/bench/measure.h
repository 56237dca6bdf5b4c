/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: the clock, percentiles, and a loop that several threads share.
 */
#ifndef ORDINAL_BENCH_MEASURE_H
#define ORDINAL_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#define MEASURE_THREADS_MAX 64
#define MEASURE_ROUNDS_MAX  15

/* Steps with the numbers from .first on, each done once, by whichever thread is free. */
struct measure_loop {
	int threads;
	double seconds;             /* begin no step after that; 0: no limit */
	unsigned long first, limit; /* the first number, and at most how many */
	void (*step)(void *context, unsigned long number);
	void *context;
};

struct measure_result {
	unsigned long count; /* steps done; their numbers have no gaps */
	double seconds;
};

/* Seconds on a clock that only goes forward. */
double measure_now(void);

/* The value that SHARE (0 to 1) of VALUES do not exceed. Sorts VALUES. */
double measure_percentile(double *values, size_t count, double share);
double measure_median(double *values, size_t count);

/* The median of the ratios of each round: what else the machine does then is the same for both. A
 * reference of 0 counts as a ratio of 0. At most MEASURE_ROUNDS_MAX rounds. */
double measure_median_ratio(const double *product, const double *reference, int rounds);

/* What is said of an aim: "met" or "missed". */
const char *measure_verdict(bool met);

struct measure_result measure_run(const struct measure_loop *loop);

/* Steps a second. */
double measure_rate(struct measure_result result);

#endif
