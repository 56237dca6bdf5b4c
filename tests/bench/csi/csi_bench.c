/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "failure.h"
#include "figures.h"
#include "flags.h"
#include "supervisor.h"

#define PROGRAM "csi_bench"

#define FEW    16
#define SOME   1000
#define MOUNTS 1000

/* What of the driver's memory is aimed at, in MiB of RssAnon. */
#define AIM_SOME 8
#define AIM_MANY 24

static const char *driver_program = "build/ordinal-csi";
static const char *dir;
static int volumes = 20000;
static int rounds = 3;

static const struct flag flags[] = {
	{"driver", FLAG_STRING, &driver_program,
		"The program to measure. Default build/ordinal-csi.", 0, 0, NULL},
	{"dir", FLAG_STRING, &dir,
		"Directory on the file system to measure. Default build, unless that is in memory.",
		0, 0, NULL},
	{"volumes", FLAG_INT, &volumes, "Volumes in the large population. Default 20000.", SOME,
		1000000, NULL},
	{"rounds", FLAG_INT, &rounds, "How often driver and bare loop take turns. Default 3.", 1,
		MEASURE_ROUNDS_MAX, NULL},
	{0},
};

static struct footprint footprint(const struct driver_process *driver,
	const struct population *population, const char *when, double aim)
{
	return (struct footprint){population->count, when, process_memory(&driver->process), aim};
}

/* Let one driver's population grow, and look at memory and mounts on the way. */
static void measure_growth(
	const struct bench *bench, struct driver_process *driver, struct population *population)
{
	struct footprint footprints[4];
	struct publish_result published[3];

	footprints[0] = footprint(driver, population, "at start", 0);
	population_grow(population, FEW);
	published[0] = publish_measure(bench, population, 0);
	population_grow(population, SOME);
	footprints[1] = footprint(driver, population, "some", AIM_SOME);
	population_grow(population, population->limit);
	footprints[2] = footprint(driver, population, "many", AIM_MANY);
	published[1] = publish_measure(bench, population, 0);
	publish_keep(bench, population, MOUNTS);
	published[2] = publish_measure(bench, population, MOUNTS);
	footprints[3] = footprint(driver, population, "and 1000 mounts", AIM_MANY);
	publish_print(published, ARRAY_SIZE(published));
	footprint_print(footprints, ARRAY_SIZE(footprints));
}

static void measure_all(void *context)
{
	static const char root[] = "growth";
	const struct bench *bench = context;
	struct driver_process driver;
	struct population population;

	rates_measure(bench);
	driver_process_start(&driver, bench->program, &bench->scratch, root);
	population_init(&population, driver.client, (unsigned long)bench->volumes);
	measure_growth(bench, &driver, &population);
	driver_process_stop(&driver);
	footprint_restart(bench, &driver, root);
	deletion_measure(bench, &driver, population.first + population.count);
	population_done(&population);
	driver_process_stop(&driver);
}

static int run(struct bench *bench)
{
	int code;

	if (!dir && scratch_in_memory(&bench->scratch)) {
		fprintf(stderr,
			PROGRAM ": build/ is on %s, which is in memory: name a directory on a disk "
				"with --dir (BENCH_DIR)\n",
			bench->scratch.type);
		return 1;
	}
	printf("Benchmark of %s on %s, %ld processors\n", bench->program, bench->scratch.type,
		sysconf(_SC_NPROCESSORS_ONLN));
	code = supervisor_run(measure_all, bench);
	if (code == 1)
		driver_process_show_log(&bench->scratch);
	return code;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	int code;

	flags_parse(PROGRAM, "a benchmark of ordinal-csi", flags, argc, argv);
	bench.program = driver_program;
	bench.volumes = volumes;
	bench.rounds = rounds;
	if (access(driver_program, X_OK) < 0)
		failure_exit("%s", driver_program);
	scratch_make(&bench.scratch, dir ? dir : "build");
	code = run(&bench);
	scratch_remove(&bench.scratch);
	return code;
}
