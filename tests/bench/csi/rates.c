/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "bare.h"
#include "figures.h"

#define SECONDS   0.8
#define STEPS_MAX 20000 /* in that time */
#define AIM_RATIO 0.5
#define AIM_AT    16 /* callers */

enum kind { CREATE, DELETE, KINDS };

/* Steps a second, by round. */
struct series {
	double product[FIGURES_ROUNDS_MAX], bare[FIGURES_ROUNDS_MAX], single[FIGURES_ROUNDS_MAX];
};

struct rates {
	const struct bench *bench;
	struct driver_process driver;
	struct population population;
	struct bare bare;
	unsigned long next; /* number for the bare loop */
};

static struct measure_result run_bare(struct rates *rates, int threads, double seconds,
	unsigned long limit, void (*step)(void *context, unsigned long number))
{
	struct measure_loop loop = {threads, seconds, rates->next, limit, step, &rates->bare};

	return measure_run(&loop);
}

/* Wait until the driver and the disk have nothing left to do. */
static void settle(struct rates *rates)
{
	driver_process_wait_trash(&rates->driver);
	bare_empty_trash(&rates->bare);
	scratch_settle(&rates->bench->scratch);
}

static void measure_bare(struct rates *rates, int threads, double *ret_create, double *ret_delete)
{
	struct measure_result made = run_bare(rates, threads, SECONDS, STEPS_MAX, bare_create);

	*ret_create = measure_rate(made);
	settle(rates);
	*ret_delete = measure_rate(run_bare(rates, threads, 0, made.count, bare_delete));
	settle(rates);
	rates->next += made.count;
}

static void measure_product(
	struct rates *rates, int threads, double *ret_create, double *ret_delete)
{
	*ret_create = measure_rate(population_create(&rates->population, threads, SECONDS));
	settle(rates);
	*ret_delete = measure_rate(population_delete(&rates->population, threads));
	settle(rates);
}

static void measure_callers(struct rates *rates, int callers, struct series series[KINDS])
{
	for (int round = 0; round < rates->bench->rounds; round++) {
		measure_product(rates, callers, &series[CREATE].product[round],
			&series[DELETE].product[round]);
		measure_bare(
			rates, callers, &series[CREATE].bare[round], &series[DELETE].bare[round]);
		measure_bare(
			rates, 1, &series[CREATE].single[round], &series[DELETE].single[round]);
	}
}

/* The ratio is taken within each round: what else the machine does then is the same for both. */
static double median_ratio(const double *product, const double *reference, int rounds)
{
	double ratios[FIGURES_ROUNDS_MAX];

	for (int i = 0; i < rounds; i++)
		ratios[i] = reference[i] > 0 ? product[i] / reference[i] : 0;
	return measure_median(ratios, (size_t)rounds);
}

static void print_series(enum kind kind, int callers, struct series *series, int rounds)
{
	const char *call = kind == CREATE ? "CreateVolume" : "DeleteVolume";
	double ratio = median_ratio(series->product, series->bare, rounds);
	double single_ratio = median_ratio(series->product, series->single, rounds);
	char aim[64] = "";

	if (kind == CREATE && callers == AIM_AT)
		snprintf(aim, sizeof(aim), "at least %.2f of bare: %s", AIM_RATIO,
			figures_verdict(ratio >= AIM_RATIO));
	printf("%-13s %7d %8.0f %8.0f %6.2f %8.0f %6.2f  %s\n", call, callers,
		measure_median(series->product, (size_t)rounds),
		measure_median(series->bare, (size_t)rounds), ratio,
		measure_median(series->single, (size_t)rounds), single_ratio, aim);
	fflush(stdout);
}

static void print_head(int rounds)
{
	printf("\nVolumes per second: medians of %d rounds, %.1f s of creating each\n"
	       "bare: mkdir, write, fsync, rename | rename, unlink, fsync, as many threads as callers\n"
	       "%-13s %7s %8s %8s %6s %8s %6s  %s\n",
		rounds, SECONDS, "", "callers", "driver", "bare", "ratio", "1 thread", "ratio",
		"aim");
	fflush(stdout);
}

void rates_measure(const struct bench *bench)
{
	static const int callers[] = {1, 16, 64};
	struct rates rates = {.bench = bench};

	driver_process_start(&rates.driver, bench->program, &bench->scratch, "rates");
	population_init(&rates.population, 0, STEPS_MAX);
	rates.population.client = rates.driver.client;
	bare_init(&rates.bare, &bench->scratch);
	print_head(bench->rounds);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
		struct series series[KINDS];

		measure_callers(&rates, callers[i], series);
		print_series(CREATE, callers[i], &series[CREATE], bench->rounds);
		print_series(DELETE, callers[i], &series[DELETE], bench->rounds);
	}
	bare_done(&rates.bare);
	population_done(&rates.population);
	driver_process_stop(&rates.driver);
}
