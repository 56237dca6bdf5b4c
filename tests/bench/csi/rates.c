/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "bare.h"
#include "figures.h"

#define SECONDS   0.8
#define STEPS_MAX 20000 /* in that time */
#define AIM_RATIO 0.5
#define AIM_AT    16 /* callers */

enum kind { CREATE, DELETE };

/* Steps a second, by round. */
struct series {
	double product[MEASURE_ROUNDS_MAX], bare[MEASURE_ROUNDS_MAX], single[MEASURE_ROUNDS_MAX];
};

/* What was made in one round. */
struct made {
	unsigned long volumes;
	struct measure_loop bare, single;
};

/* The figures at one number of callers, on a base and directories of their own. */
struct rates {
	const struct bench *bench;
	int callers;
	struct driver_process driver;
	struct population population;
	struct bare bare;
	unsigned long next; /* number for the bare loop */
	struct made made[MEASURE_ROUNDS_MAX];
};

/* Wait until the driver and the disk have nothing left to do. */
static void settle(struct rates *rates)
{
	driver_process_wait_trash(&rates->driver);
	scratch_settle(&rates->bench->scratch);
}

static double create_bare(struct rates *rates, int threads, struct measure_loop *ret_loop)
{
	struct measure_loop loop = {
		threads, SECONDS, rates->next, STEPS_MAX, bare_create, &rates->bare};
	struct measure_result result = measure_run(&loop);

	settle(rates);
	rates->next += result.count;
	loop.limit = result.count;
	*ret_loop = loop;
	return measure_rate(result);
}

/* Delete what the loop MADE has made, as it did that. */
static double delete_bare(struct rates *rates, const struct measure_loop *made)
{
	struct measure_loop loop = *made;
	struct measure_result result;

	loop.seconds = 0;
	loop.step = bare_delete;
	result = measure_run(&loop);
	settle(rates);
	return measure_rate(result);
}

static void create_round(struct rates *rates, int round, struct series *series)
{
	struct made *made = &rates->made[round];
	struct measure_result result =
		population_create(&rates->population, rates->callers, SECONDS);

	settle(rates);
	made->volumes = result.count;
	series->product[round] = measure_rate(result);
	series->bare[round] = create_bare(rates, rates->callers, &made->bare);
	series->single[round] = create_bare(rates, 1, &made->single);
}

static void delete_round(struct rates *rates, int round, struct series *series)
{
	const struct made *made = &rates->made[round];

	series->product[round] =
		measure_rate(population_delete(&rates->population, rates->callers, made->volumes));
	settle(rates);
	series->bare[round] = delete_bare(rates, &made->bare);
	series->single[round] = delete_bare(rates, &made->single);
}

static void print_series(enum kind kind, int callers, struct series *series, int rounds)
{
	const char *call = kind == CREATE ? "CreateVolume" : "DeleteVolume";
	double ratio = measure_median_ratio(series->product, series->bare, rounds);
	double single_ratio = measure_median_ratio(series->product, series->single, rounds);
	char aim[64] = "";

	if (kind == CREATE && callers == AIM_AT)
		snprintf(aim, sizeof(aim), "at least %.2f of bare: %s", AIM_RATIO,
			measure_verdict(ratio >= AIM_RATIO));
	printf("%-13s %7d %8.0f %8.0f %6.2f %8.0f %6.2f  %s\n", call, callers,
		measure_median(series->product, (size_t)rounds),
		measure_median(series->bare, (size_t)rounds), ratio,
		measure_median(series->single, (size_t)rounds), single_ratio, aim);
	fflush(stdout);
}

static void print_head(int rounds)
{
	printf("\nVolumes per second: medians of %d rounds, %.1f s of creating each\n"
	       "bare: mkdir, write, fsync, rename | rename, unlink, fsync, as many threads as "
	       "callers\n"
	       "%-13s %7s %8s %8s %6s %8s %6s  %s\n",
		rounds, SECONDS, "", "callers", "driver", "bare", "ratio", "1 thread", "ratio",
		"aim");
	fflush(stdout);
}

/* Everything is created before anything is deleted: ext4 looks for a free inode past all those
 * that were freed in the last minutes. */
static void measure_callers(struct rates *rates)
{
	int rounds = rates->bench->rounds;
	struct series series;

	for (int round = 0; round < rounds; round++)
		create_round(rates, round, &series);
	print_series(CREATE, rates->callers, &series, rounds);
	for (int round = 0; round < rounds; round++)
		delete_round(rates, round, &series);
	print_series(DELETE, rates->callers, &series, rounds);
}

static void measure_on_new_base(const struct bench *bench, int callers)
{
	struct rates rates = {.bench = bench, .callers = callers};
	char name[32];

	snprintf(name, sizeof(name), "callers-%d", callers);
	driver_process_start(&rates.driver, bench->program, &bench->scratch, name);
	population_init(
		&rates.population, rates.driver.client, (unsigned long)bench->rounds * STEPS_MAX);
	snprintf(name, sizeof(name), "bare-%d", callers);
	bare_init(&rates.bare, &bench->scratch, name);
	measure_callers(&rates);
	bare_done(&rates.bare);
	population_done(&rates.population);
	driver_process_stop(&rates.driver);
}

void rates_measure(const struct bench *bench)
{
	static const int callers[] = {1, 16, 64};

	print_head(bench->rounds);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		measure_on_new_base(bench, callers[i]);
}
