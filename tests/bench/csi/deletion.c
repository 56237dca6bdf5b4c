/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "failure.h"
#include "figures.h"

#define ROUNDS        9
#define FILES_PER_DIR 1000

/* Volumes of one size: in every EVERY-th round there is one. */
static const struct size {
	int files, every;
} sizes[] = {{0, 1}, {1000, 1}, {100000, 3}};

struct series {
	double seconds[ROUNDS];
	size_t count;
};

struct deletion {
	const struct bench *bench;
	const struct driver_process *driver;
	unsigned long next; /* volume */
	char ids[ROUNDS][ARRAY_SIZE(sizes)][CSI_CALLS_ID_SIZE];
	struct series series[ARRAY_SIZE(sizes)];
};

/* Make the directory NUMBER in PARENT, with COUNT empty files. */
static void fill_dir(int parent, int number, int count)
{
	_cleanup_close_ int dir = -1;
	char name[16];

	snprintf(name, sizeof(name), "%d", number);
	if (mkdirat(parent, name, 0755) < 0 ||
		(dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		failure_exit("make a directory in a volume");
	for (int i = 0; i < count; i++) {
		int fd;

		snprintf(name, sizeof(name), "%d", i);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			failure_exit("make a file in a volume");
		close(fd);
	}
}

static void fill(const char *path, int files)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		failure_exit("open %s", path);
	for (int i = 0; i < files; i += FILES_PER_DIR)
		fill_dir(dir, i, FILES_PER_DIR);
}

static void create_one(struct deletion *deletion, int round, size_t size)
{
	const struct driver_process *driver = deletion->driver;
	char place[128], path[PATH_MAX + sizeof(place)];

	csi_calls_create(driver->client, deletion->next, deletion->ids[round][size]);
	csi_calls_place(deletion->next++, place, sizeof(place));
	snprintf(path, sizeof(path), "%s/%s", driver->root, place);
	fill(path, sizes[size].files);
}

static void delete_one(struct deletion *deletion, int round, size_t size)
{
	const struct driver_process *driver = deletion->driver;
	struct series *series = &deletion->series[size];
	double start;

	scratch_settle(&deletion->bench->scratch);
	start = measure_now();
	csi_calls_delete(driver->client, deletion->ids[round][size]);
	series->seconds[series->count++] = measure_now() - start;
	driver_process_wait_trash(driver);
}

/* Do STEP for every volume, in turns of one of each size. */
static void each(
	struct deletion *deletion, void (*step)(struct deletion *deletion, int round, size_t size))
{
	for (int round = 0; round < ROUNDS; round++)
		for (size_t size = 0; size < ARRAY_SIZE(sizes); size++)
			if (round % sizes[size].every == 0)
				step(deletion, round, size);
}

static void print_row(const struct size *size, struct series *series, double first)
{
	double median = measure_median(series->seconds, series->count);

	printf("%7d %8zu %8.2f %6.2f  %s\n", size->files, series->count, median * 1000,
		median / first, measure_verdict(median <= first * FIGURES_INDEPENDENT));
	fflush(stdout);
}

void deletion_measure(
	const struct bench *bench, const struct driver_process *driver, unsigned long first)
{
	struct deletion deletion = {.bench = bench, .driver = driver, .next = first};
	double empty;

	each(&deletion, create_one);
	each(&deletion, delete_one);
	printf("\nDeleteVolume by what the volume holds: ms, one caller\n"
	       "Aim: independent of the size, at most %.1f times an empty one\n%7s %8s %8s %6s\n",
		FIGURES_INDEPENDENT, "files", "samples", "p50", "times");
	empty = measure_median(deletion.series[0].seconds, deletion.series[0].count);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		print_row(&sizes[i], &deletion.series[i], empty);
}
