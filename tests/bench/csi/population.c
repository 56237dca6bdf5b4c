/* SPDX-License-Identifier: Apache-2.0 */
#include "population.h"

/* As many as the provisioner has workers, about. */
#define GROW_THREADS 16

void population_init(struct population *population, unsigned long first, unsigned long limit)
{
	*population = (struct population){.first = first, .limit = limit};
	population->ids = calloc(limit, sizeof(*population->ids));
	if (!population->ids)
		abort();
}

void population_done(struct population *population)
{
	free(population->ids);
}

static void create_one(void *context, unsigned long number)
{
	struct population *population = context;

	csi_calls_create(population->client, number, population->ids[number - population->first]);
}

static void delete_one(void *context, unsigned long number)
{
	struct population *population = context;

	csi_calls_delete(population->client, population->ids[number - population->first]);
}

static struct measure_result create(
	struct population *population, int threads, double seconds, unsigned long limit)
{
	struct measure_loop loop = {
		.threads = threads,
		.seconds = seconds,
		.first = population->first + population->count,
		.limit = limit - population->count,
		.step = create_one,
		.context = population,
	};
	struct measure_result result = measure_run(&loop);

	population->count += result.count;
	return result;
}

struct measure_result population_create(struct population *population, int threads, double seconds)
{
	return create(population, threads, seconds, population->limit);
}

void population_grow(struct population *population, unsigned long count)
{
	if (count > population->limit)
		count = population->limit;
	if (count > population->count)
		create(population, GROW_THREADS, 0, count);
}

struct measure_result population_delete(struct population *population, int threads)
{
	struct measure_loop loop = {
		.threads = threads,
		.first = population->first,
		.limit = population->count,
		.step = delete_one,
		.context = population,
	};
	struct measure_result result = measure_run(&loop);

	population->first += population->count;
	population->count = 0;
	return result;
}
