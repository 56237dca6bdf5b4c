/* SPDX-License-Identifier: Apache-2.0 */
#include "population.h"

/* As many as the provisioner has workers, about. */
#define GROW_THREADS 16

void population_init(struct population *population, struct rpc_client *client, unsigned long limit)
{
	*population = (struct population){.client = client, .limit = limit};
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

	csi_calls_create(population->client, number, population->ids[number]);
}

static void delete_one(void *context, unsigned long number)
{
	struct population *population = context;

	csi_calls_delete(population->client, population->ids[number]);
}

static struct measure_result create(
	struct population *population, int threads, double seconds, unsigned long end)
{
	unsigned long next = population->first + population->count;
	struct measure_loop loop = {
		.threads = threads,
		.seconds = seconds,
		.first = next,
		.limit = end > next ? end - next : 0,
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
	create(population, GROW_THREADS, 0, population->first + count);
}

struct measure_result population_delete(
	struct population *population, int threads, unsigned long count)
{
	struct measure_loop loop = {
		.threads = threads,
		.first = population->first,
		.limit = count,
		.step = delete_one,
		.context = population,
	};
	struct measure_result result = measure_run(&loop);

	population->first += count;
	population->count -= count;
	return result;
}
