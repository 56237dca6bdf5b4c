/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver on NFS, in a guest (see run): against one `mount -t nfs4`, one bare bind, and the bare
 * loop on such a mount; and beside a server that hangs. Prints tables; an aim that is missed is
 * said and is no failure.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bare.h"
#include "driver_process.h"
#include "failure.h"
#include "flags.h"
#include "population.h"
#include "supervisor.h"

#define PROGRAM "nfs_bench"

/* What `run` has for us, and how it is asked about the other server (tests/uml/support/host.h). */
#define SERVER  "guest-1"
#define SHARE   "/srv"
#define HANGING "host"
#define ASKED   "/share/asked"
#define ANSWER  "/share/answer"

#define LATER   8 /* volumes of an export after the first, in a round */
#define CALLERS 16
#define SECONDS 3.0
#define LIMIT   20000
#define STUCK   6  /* calls at a time that wait for the server that hangs */
#define SAMPLES 60 /* of a healthy call */

static const char *driver_program = "build/ordinal-csi";
static int rounds = 9;

static const struct flag flags[] = {
	{"driver", FLAG_STRING, &driver_program,
		"The program to measure. Default build/ordinal-csi.", 0, 0, NULL},
	{"rounds", FLAG_INT, &rounds, "How often driver and bare work take turns. Default 9.", 1,
		MEASURE_ROUNDS_MAX, NULL},
	{0},
};

struct bench {
	struct scratch scratch;
	struct driver_process driver;
	char ids[LATER + 1][CSI_CALLS_ID_SIZE];
	char hanging[CSI_CALLS_ID_SIZE];
};

struct place {
	char path[128];
};

/* A path below what is not measured. */
static struct place place(const struct bench *bench, const char *name, int number)
{
	struct place place;

	snprintf(place.path, sizeof(place.path), "%s/%s-%d", bench->scratch.other, name, number);
	return place;
}

static double run_timed(const char *command)
{
	double start = measure_now();

	errno = 0;
	if (system(command) != 0)
		failure_exit("%s", command);
	return measure_now() - start;
}

static double mount_bare(const char *target)
{
	char command[PATH_MAX + 64];

	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		failure_exit("make %s", target);
	snprintf(command, sizeof(command), "exec mount -t nfs4 " SERVER ":" SHARE " %s", target);
	return run_timed(command);
}

static void make_volumes(struct bench *bench)
{
	driver_process_start_nfs(&bench->driver, driver_program, &bench->scratch);
	csi_calls_export(SERVER, SHARE);
	for (unsigned long i = 0; i <= LATER; i++)
		csi_calls_create(bench->driver.client, i, bench->ids[i]);
	csi_calls_export(HANGING, "/export");
	csi_calls_create(bench->driver.client, LIMIT, bench->hanging);
	driver_process_stop(&bench->driver); /* and with it its mounts */
}

static double publish(const struct bench *bench, int number)
{
	double start = measure_now();

	csi_calls_publish(
		bench->driver.client, bench->ids[number], place(bench, "target", number).path);
	return measure_now() - start;
}

static void unpublish(const struct bench *bench, int number)
{
	csi_calls_unpublish(
		bench->driver.client, bench->ids[number], place(bench, "target", number).path);
}

static double bind_bare(const struct bench *bench, const char *source)
{
	const struct place target = place(bench, "bind", 0);
	double start = measure_now(), took;

	bare_bind(source, target.path);
	took = measure_now() - start;
	bare_unbind(target.path);
	return took;
}

struct publishing {
	double first[MEASURE_ROUNDS_MAX], mount[MEASURE_ROUNDS_MAX];
	double later[MEASURE_ROUNDS_MAX * LATER], bind[MEASURE_ROUNDS_MAX * LATER];
};

/* Nothing of the export is mounted before and after. */
static void publishing_round(struct bench *bench, int round, struct publishing *seen)
{
	const struct place mounted = place(bench, "mount", 0);

	seen->mount[round] = mount_bare(mounted.path);
	for (int i = 0; i < LATER; i++)
		seen->bind[round * LATER + i] = bind_bare(bench, mounted.path);
	if (umount(mounted.path) < 0)
		failure_exit("unmount %s", mounted.path);
	seen->first[round] = publish(bench, 0);
	for (int i = 1; i <= LATER; i++)
		seen->later[round * LATER + i - 1] = publish(bench, i);
	for (int i = 0; i <= LATER; i++)
		unpublish(bench, i);
}

static void print_publishing(const char *what, double product, double bare, const char *beside)
{
	printf("%-28s %8.2f %8.2f %8.2f  %s\n", what, product * 1000, bare * 1000, product / bare,
		beside);
}

static void measure_publishing(struct bench *bench)
{
	static struct publishing seen;
	size_t count = (size_t)rounds;
	double bind;

	for (int round = 0; round < rounds; round++)
		publishing_round(bench, round, &seen);
	bind = measure_median(seen.bind, count * LATER);
	printf("\nNodePublishVolume, p50 of %d rounds with %d later volumes each, in ms\n"
	       "%-28s %8s %8s %8s\n",
		rounds, LATER, "volume of an export", "driver", "bare", "ratio");
	print_publishing("first", measure_median(seen.first, count),
		measure_median(seen.mount, count), "one mount -t nfs4");
	print_publishing("later", measure_median(seen.later, count * LATER), bind, "one bare bind");
	fflush(stdout);
}

/* The bare loop's files, on a mount of the export that is its own. */
static void bare_begin(
	const struct bench *bench, const char *mounted, struct scratch *ret, struct bare *bare)
{
	(void)mount_bare(mounted);
	*ret = bench->scratch;
	snprintf(ret->disk, sizeof(ret->disk), "%s/bare.%d", mounted, getpid());
	if (mkdir(ret->disk, 0755) < 0)
		failure_exit("make %s", ret->disk);
	bare_init(bare, ret, "loop");
}

static void measure_creation(struct bench *bench)
{
	double product[MEASURE_ROUNDS_MAX], reference[MEASURE_ROUNDS_MAX];
	const struct place mounted = place(bench, "mount", 1);
	struct population population;
	struct scratch scratch;
	struct bare bare;
	unsigned long next = 0;

	bare_begin(bench, mounted.path, &scratch, &bare);
	csi_calls_export(SERVER, SHARE);
	population_init(&population, bench->driver.client, LIMIT);
	population.first = 100;
	/* The base is open then: of many that wait for that some are sent away. */
	population_grow(&population, 1);
	for (int round = 0; round < rounds; round += 3) {
		struct measure_loop loop = {CALLERS, SECONDS, next, LIMIT, bare_create, &bare};
		struct measure_result result;

		product[round / 3] = measure_rate(population_create(&population, CALLERS, SECONDS));
		result = measure_run(&loop);
		next += result.count;
		reference[round / 3] = measure_rate(result);
	}
	printf("\nCreateVolume per second, %d callers, %.0f s each; bare: mkdir, write, fsync, "
	       "rename on a mount of the same export\n"
	       "driver %.0f, bare %.0f, ratio %.2f\n",
		CALLERS, SECONDS, measure_median(product, (size_t)(rounds + 2) / 3),
		measure_median(reference, (size_t)(rounds + 2) / 3),
		measure_median_ratio(product, reference, (rounds + 2) / 3));
	fflush(stdout);
	population_delete(&population, CALLERS, population.count);
	population_done(&population);
	bare_done(&bare);
	scratch_remove_tree(scratch.disk);
	if (umount2(mounted.path, MNT_DETACH) < 0)
		failure_exit("unmount %s", mounted.path);
}

/* Let the machine outside do WHAT. */
static void ask(const char *what)
{
	FILE *file = fopen(ASKED ".new", "w");

	if (!file || fprintf(file, "%s\n", what) < 0 || fclose(file) != 0 ||
		rename(ASKED ".new", ASKED) < 0)
		failure_exit("ask for %s", what);
	while (access(ANSWER, F_OK) < 0)
		usleep(10000);
	unlink(ANSWER);
}

struct stuck {
	struct bench *bench;
	pthread_t thread;
	int number;
	atomic_bool *stop;
	unsigned refused;
};

/* As kubelet does it waits after a failure, half a second at first: this one, always. */
static void *call_hanging(void *argument)
{
	struct stuck *stuck = argument;
	struct error err;

	while (!atomic_load(stuck->stop)) {
		const struct place target = place(stuck->bench, "stuck", stuck->number);

		if (csi_calls_try_publish(stuck->bench->driver.client, stuck->bench->hanging,
			    target.path, &err) < 0) {
			stuck->refused++;
			usleep(500000);
		}
	}
	return NULL;
}

/* The p50 of a healthy export's publish and unpublish; the slowest of them. */
static double measure_healthy(struct bench *bench, double *ret_slowest)
{
	double times[SAMPLES];

	for (int i = 0; i < SAMPLES; i++) {
		double start = measure_now();

		(void)publish(bench, 1);
		unpublish(bench, 1);
		times[i] = measure_now() - start;
	}
	*ret_slowest = measure_percentile(times, SAMPLES, 1);
	return measure_percentile(times, SAMPLES, 0.5);
}

static unsigned end_stuck(struct stuck *stuck, atomic_bool *stop)
{
	unsigned refused = 0;

	atomic_store(stop, true);
	for (int i = 0; i < STUCK; i++) {
		pthread_join(stuck[i].thread, NULL);
		refused += stuck[i].refused;
	}
	return refused;
}

static void measure_beside_a_hung_one(struct bench *bench)
{
	struct stuck stuck[STUCK];
	atomic_bool stop = false;
	double before, during, slowest[2];
	unsigned refused;
	struct error err;

	(void)publish(bench, 0); /* so that the export stays mounted */
	if (csi_calls_try_publish(bench->driver.client, bench->hanging,
		    place(bench, "hanging", 0).path, &err) < 0)
		failure_exit("publish on " HANGING ": %s", err.text);
	before = measure_healthy(bench, &slowest[0]);
	ask("ganesha hang");
	for (int i = 0; i < STUCK; i++) {
		stuck[i] = (struct stuck){.bench = bench, .number = i, .stop = &stop};
		pthread_create(&stuck[i].thread, NULL, call_hanging, &stuck[i]);
	}
	sleep(5); /* an answer is taken for a sign of life for two seconds, and waiting is for three
		   */
	during = measure_healthy(bench, &slowest[1]);
	refused = end_stuck(stuck, &stop);
	ask("ganesha resume");
	printf("\nNodePublish and NodeUnpublish of a healthy export, in ms, while %d callers go on "
	       "about one that hangs\n%-28s %8s %8s %8s\n"
	       "p50 %33.2f %8.2f %8.2f  aim: at most 1.5: %s\nslowest %29.2f %8.2f\n"
	       "%u calls to the one that hangs were refused meanwhile\n",
		STUCK, "", "before", "while", "ratio", before * 1000, during * 1000,
		during / before, measure_verdict(during / before <= 1.5), slowest[0] * 1000,
		slowest[1] * 1000, refused);
	fflush(stdout);
}

static void measure_all(void *context)
{
	struct bench *bench = context;

	make_volumes(bench);
	driver_process_start_nfs(&bench->driver, driver_program, &bench->scratch);
	measure_publishing(bench);
	measure_creation(bench);
	driver_process_stop(&bench->driver); /* the one that creates keeps its mount */
	driver_process_start_nfs(&bench->driver, driver_program, &bench->scratch);
	measure_beside_a_hung_one(bench);
	driver_process_stop(&bench->driver);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	int code;

	flags_parse(PROGRAM, "a benchmark of ordinal-csi on NFS", flags, argc, argv);
	scratch_make(&bench.scratch, "/run");
	code = supervisor_run(measure_all, &bench);
	if (code == 1)
		driver_process_show_log(&bench.scratch);
	return code; /* the guest ends with all that is left */
}
