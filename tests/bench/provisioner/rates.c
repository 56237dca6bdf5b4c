/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/resource.h>

#include "figures.h"
#include "ideal.h"
#include "manifests.h"
#include "measure.h"
#include "stack.h"

#define AIM_RATIO 0.9
#define AIM_CPU   0.4 /* seconds per 1,000 claims */
#define AIM_IDLE  5   /* MiB of RssAnon */
#define MIB       (1024.0 * 1024)
#define MODES_MAX 2

/* Of one maker of volumes, by round. */
struct series {
	double made[MEASURE_ROUNDS_MAX];  /* volumes a second, until the last was seen */
	double bound[MEASURE_ROUNDS_MAX]; /* claims a second, until the last was bound */
	double gone[MEASURE_ROUNDS_MAX];  /* volumes a second, until the last was gone */
	double cpu[MEASURE_ROUNDS_MAX];   /* seconds per 1,000 claims, until the last was bound */
	double cpu_gone[MEASURE_ROUNDS_MAX];
	struct process_memory idle;
};

static void make_claim(void *context, unsigned long number)
{
	const struct bench *bench = context;
	char name[32];

	snprintf(name, sizeof(name), MANIFESTS_PLAIN, number);
	cluster_post(&bench->cluster, CLUSTER_CLAIMS, MANIFESTS_CLAIM, name, CLUSTER_CLASS, "");
}

static void remove_claim(void *context, unsigned long number)
{
	const struct bench *bench = context;

	cluster_delete(&bench->cluster, CLUSTER_CLAIMS "/" MANIFESTS_PLAIN, number);
}

static struct measure_result run(const struct bench *bench, unsigned long count,
	void (*step)(void *context, unsigned long number))
{
	return measure_run(&(struct measure_loop){.threads = CLUSTER_THREADS,
		.limit = count,
		.step = step,
		.context = (void *)bench});
}

void claims_make(const struct bench *bench, unsigned long count)
{
	run(bench, count, make_claim);
}

void claims_remove(const struct bench *bench, unsigned long count)
{
	run(bench, count, remove_claim);
}

static void make_volume(void *context, unsigned long number)
{
	const struct bench *bench = context;
	char name[32];

	snprintf(name, sizeof(name), "bench-%lu", number);
	cluster_post(&bench->cluster, CLUSTER_VOLUMES, MANIFESTS_VOLUME, name, "", name, number,
		"Retain", CLUSTER_CLASS, "");
}

static void remove_volume(void *context, unsigned long number)
{
	const struct bench *bench = context;

	cluster_delete(&bench->cluster, CLUSTER_VOLUMES "/bench-%lu", number);
}

/* Of this process. */
static double own_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Volumes alone, as fast as the client can; and what one request costs it, with the volume coming
 * by a watch. */
static void measure_bare(const struct bench *bench, struct series *series, int round)
{
	unsigned long count = (unsigned long)bench->claims;
	double cpu;

	watcher_reset(bench->watcher);
	cpu = own_cpu_seconds();
	series->made[round] = measure_rate(run(bench, count, make_volume));
	watcher_wait(bench->watcher, VOLUME_ADDED, count);
	series->cpu[round] = (own_cpu_seconds() - cpu) * 1000 / (double)count;
	run(bench, count, remove_volume);
	watcher_wait(bench->watcher, VOLUME_GONE, count);
}

/* The burst: whoever is at work makes the volumes, and removes them. */
static void measure_burst(
	const struct bench *bench, const struct process *process, struct series *series, int round)
{
	unsigned long count = (unsigned long)bench->claims;
	double start, cpu[3] = {0};

	watcher_reset(bench->watcher);
	cpu[0] = process ? process_cpu_seconds(process) : 0;
	start = measure_now();
	claims_make(bench, count);
	watcher_wait(bench->watcher, VOLUME_ADDED, count);
	watcher_wait(bench->watcher, CLAIM_BOUND, count);
	series->made[round] = (double)count / (watcher_last(bench->watcher, VOLUME_ADDED) - start);
	series->bound[round] = (double)count / (watcher_last(bench->watcher, CLAIM_BOUND) - start);
	cpu[1] = process ? process_cpu_seconds(process) : 0;
	start = measure_now();
	claims_remove(bench, count);
	watcher_wait(bench->watcher, VOLUME_GONE, count);
	watcher_wait(bench->watcher, CLAIM_GONE, count);
	series->gone[round] = (double)count / (watcher_last(bench->watcher, VOLUME_GONE) - start);
	cpu[2] = process ? process_cpu_seconds(process) : 0;
	series->cpu[round] = (cpu[1] - cpu[0]) * 1000 / (double)count;
	series->cpu_gone[round] = (cpu[2] - cpu[1]) * 1000 / (double)count;
}

static void measure_ideal(const struct bench *bench, struct series *series, int round)
{
	struct ideal *ideal = ideal_start(&bench->cluster);

	measure_burst(bench, NULL, series, round);
	ideal_stop(ideal);
}

static void measure_product(const struct bench *bench, int mode, struct series *series, int round)
{
	struct stack stack;

	stack_start(&stack, bench, mode);
	stack_warm(bench);
	series->idle = process_memory(&stack.provisioner);
	measure_burst(bench, &stack.provisioner, series, round);
	stack_stop(&stack);
}

static void print_row(const char *name, struct series *series, const struct series *ideal,
	const double *bare, int rounds)
{
	size_t count = (size_t)rounds;

	/* The ratios first: medians sort. */
	double made = measure_median_ratio(series->made, ideal->made, rounds);
	double bound = measure_median_ratio(series->bound, ideal->bound, rounds);
	double gone = measure_median_ratio(series->gone, ideal->gone, rounds);
	double of_bare = measure_median_ratio(series->made, bare, rounds);

	printf("%-14s %7.0f %6.2f %6.2f %7.0f %6.2f %7.0f %6.2f", name,
		measure_median(series->made, count), made, of_bare,
		measure_median(series->bound, count), bound, measure_median(series->gone, count),
		gone);
	if (series->idle.resident > 0)
		printf("  %s, %s", measure_verdict(made >= AIM_RATIO),
			measure_verdict(gone >= AIM_RATIO));
	printf("\n");
}

static void print_costs(const char *name, struct series *series, int rounds)
{
	double cpu = measure_median(series->cpu, (size_t)rounds);
	double idle = series->idle.anonymous / MIB;

	printf("%-14s %6.2f s per 1,000 claims made (aim %.1f: %s), %.2f s per 1,000 removed; idle "
	       "RssAnon %.1f MiB (aim %d: %s), VmRSS %.1f MiB\n",
		name, cpu, AIM_CPU, measure_verdict(cpu <= AIM_CPU),
		measure_median(series->cpu_gone, (size_t)rounds), idle, AIM_IDLE,
		measure_verdict(idle <= AIM_IDLE), series->idle.resident / MIB);
}

static void print(const struct bench *bench, const struct series *bare, const struct series *ideal,
	struct series *product)
{
	struct series self = *ideal, copy = *bare; /* medians sort */

	printf("\nVolumes per second: medians of %d rounds, bursts of %d claims\n"
	       "bare: PersistentVolumes alone, POSTed by %d threads: %.0f\n"
	       "ideal: POSTs each as its claim is annotated, removes it as it is released; aims: "
	       "%.1f of it\n"
	       "%-14s %7s %6s %6s %7s %6s %7s %6s  %s\n",
		bench->rounds, bench->claims, CLUSTER_THREADS,
		measure_median(copy.made, (size_t)bench->rounds), AIM_RATIO, "", "made", "ideal",
		"bare", "bound", "ideal", "gone", "ideal", "aims: made, gone");
	print_row("ideal", &self, ideal, bare->made, bench->rounds);
	for (int mode = 0; mode < stack_modes(bench); mode++)
		print_row(stack_mode_name(bench, mode), &product[mode], ideal, bare->made,
			bench->rounds);
	printf("\nProcessor time and memory of the provisioner; the bare client takes %.2f s for 1,000 "
	       "volumes, one request each, that come back by a watch\n",
		measure_median(copy.cpu, (size_t)bench->rounds));
	for (int mode = 0; mode < stack_modes(bench); mode++)
		print_costs(stack_mode_name(bench, mode), &product[mode], bench->rounds);
	fflush(stdout);
}

void rates_measure(const struct bench *bench)
{
	struct series bare = {0}, ideal = {0}, product[MODES_MAX] = {0};

	for (int round = 0; round < bench->rounds; round++) {
		measure_bare(bench, &bare, round);
		measure_ideal(bench, &ideal, round);
		for (int mode = 0; mode < stack_modes(bench); mode++)
			measure_product(bench, mode, &product[mode], round);
	}
	print(bench, &bare, &ideal, product);
}
