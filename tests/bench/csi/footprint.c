/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "figures.h"

#define MIB      (1024.0 * 1024)
#define RESTARTS 5

static void print_row(const struct footprint *footprint, double first)
{
	double anonymous = footprint->memory.anonymous / MIB;
	char aim[64] = "";

	if (footprint->aim > 0)
		snprintf(aim, sizeof(aim), "RssAnon at most %.0f: %s", footprint->aim,
			measure_verdict(anonymous <= footprint->aim));
	printf("%-16s %7lu %8.1f %8.1f %6.2f  %s\n", footprint->when, footprint->volumes, anonymous,
		footprint->memory.resident / MIB, anonymous / first, aim);
}

void footprint_print(const struct footprint *footprints, size_t count)
{
	printf("\nMemory of the driver: MiB\n%-16s %7s %8s %8s %6s  %s\n", "", "volumes", "RssAnon",
		"VmRSS", "times", "aim");
	for (size_t i = 0; i < count; i++)
		print_row(&footprints[i], footprints[0].memory.anonymous / MIB);
	fflush(stdout);
}

void footprint_restart(const struct bench *bench, struct driver_process *driver, const char *root)
{
	double full[RESTARTS], empty[RESTARTS];
	struct driver_process other;

	/* One at a time: they serve the same socket. */
	for (int i = 0; i < RESTARTS; i++) {
		if (i)
			driver_process_stop(driver);
		driver_process_start(&other, bench->program, &bench->scratch, "empty");
		empty[i] = other.start_seconds;
		driver_process_stop(&other);
		driver_process_start(driver, bench->program, &bench->scratch, root);
		full[i] = driver->start_seconds;
	}
	printf("\nStart, from exec until Probe answers: medians of %d, records in the page cache\n"
	       "%d volumes %.0f ms, none %.0f ms: %.1f times\n",
		RESTARTS, bench->volumes, measure_median(full, RESTARTS) * 1000,
		measure_median(empty, RESTARTS) * 1000,
		measure_median(full, RESTARTS) / measure_median(empty, RESTARTS));
	fflush(stdout);
}
