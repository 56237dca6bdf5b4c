/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bare.h"
#include "failure.h"
#include "figures.h"

#define SAMPLES 300
#define AIM_MS  1.5 /* more than the bare bind, at the median */

struct samples {
	double publish[SAMPLES], bind[SAMPLES], unpublish[SAMPLES], unbind[SAMPLES];
};

/* Where kubelet would have it. */
static char *target_path(const struct bench *bench, const char *who, int number)
{
	_cleanup_free_ char *pods = scratch_directory(&bench->scratch, "pods");
	char *path;

	if (asprintf(&path, "%s/%s-%d", pods, who, number) < 0)
		abort();
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		failure_exit("make %s", path);
	free(path);
	if (asprintf(&path, "%s/%s-%d/mount", pods, who, number) < 0)
		abort();
	return path;
}

/* The four calls in turn, so that all see the same machine. */
static void take_sample(const struct population *population, const char *source, const char *target,
	const char *bare_target, int number, struct samples *samples)
{
	const char *id = population->ids[(unsigned long)number % population->count];
	double times[5];

	times[0] = measure_now();
	csi_calls_publish(population->client, id, target);
	times[1] = measure_now();
	bare_bind(source, bare_target);
	times[2] = measure_now();
	csi_calls_unpublish(population->client, id, target);
	times[3] = measure_now();
	bare_unbind(bare_target);
	times[4] = measure_now();
	samples->publish[number] = times[1] - times[0];
	samples->bind[number] = times[2] - times[1];
	samples->unpublish[number] = times[3] - times[2];
	samples->unbind[number] = times[4] - times[3];
}

static void summarize(double *values, double ret[2])
{
	ret[0] = measure_percentile(values, SAMPLES, 0.5);
	ret[1] = measure_percentile(values, SAMPLES, 0.99);
}

struct publish_result publish_measure(
	const struct bench *bench, const struct population *population, int mounts)
{
	struct publish_result result = {.volumes = population->count, .mounts = mounts};
	_cleanup_free_ char *source = scratch_directory(&bench->scratch, "source");
	_cleanup_free_ char *target = target_path(bench, "driver", 0);
	_cleanup_free_ char *bare_target = target_path(bench, "bare", 0);
	struct samples samples;

	scratch_settle(&bench->scratch);
	for (int i = 0; i < SAMPLES; i++)
		take_sample(population, source, target, bare_target, i, &samples);
	summarize(samples.publish, result.publish);
	summarize(samples.bind, result.bind);
	summarize(samples.unpublish, result.unpublish);
	summarize(samples.unbind, result.unbind);
	return result;
}

void publish_keep(const struct bench *bench, const struct population *population, int count)
{
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *target = target_path(bench, "kept", i);

		csi_calls_publish(population->client,
			population->ids[(unsigned long)i % population->count], target);
	}
}

/* How a call's p50 and the bare one's compare at one size, and with the first row. */
static void print_row(const char *call, const struct publish_result *result, const double *product,
	const double *bare, double first, double first_bare)
{
	double more = (product[0] - bare[0]) * 1000;
	double growth = product[0] / first, bare_growth = bare[0] / first_bare;
	double allowed = FIGURES_INDEPENDENT * (bare_growth > 1 ? bare_growth : 1);

	printf("%-10s %7lu %6d %7.3f %7.3f %7.3f %7.3f %6.2f %7.3f %-6s %6.2f %6.2f %s\n", call,
		result->volumes, result->mounts, product[0] * 1000, product[1] * 1000,
		bare[0] * 1000, bare[1] * 1000, product[0] / bare[0], more,
		measure_verdict(more <= AIM_MS), growth, bare_growth,
		measure_verdict(growth <= allowed));
}

static void print_head(void)
{
	printf("\nNodePublishVolume and NodeUnpublishVolume: ms, one caller, %d samples of each\n"
	       "bare: mkdir, mount | umount, rmdir. Aims: p50 at most %.1f ms more than bare, and "
	       "independent of\nwhat exists: grown at most %.1f times as much as bare since the "
	       "first row\n",
		SAMPLES, AIM_MS, FIGURES_INDEPENDENT);
	printf("%-10s %7s %6s %7s %7s %7s %7s %6s %7s %-6s %6s %6s\n", "", "volumes", "mounts",
		"p50", "p99", "b. p50", "b. p99", "ratio", "more", "", "growth", "bare");
}

void publish_print(const struct publish_result *results, size_t count)
{
	print_head();
	for (size_t i = 0; i < count; i++)
		print_row("publish", &results[i], results[i].publish, results[i].bind,
			results[0].publish[0], results[0].bind[0]);
	for (size_t i = 0; i < count; i++)
		print_row("unpublish", &results[i], results[i].unpublish, results[i].unbind,
			results[0].unpublish[0], results[0].unbind[0]);
	fflush(stdout);
}
