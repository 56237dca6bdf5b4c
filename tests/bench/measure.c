/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "failure.h"

/* What the threads of one loop share. */
struct run {
	const struct measure_loop *loop;
	pthread_barrier_t ready;
	atomic_ulong next; /* counted from 0 */
};

double measure_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

double measure_percentile(double *values, size_t count, double share)
{
	size_t rank = (size_t)(share * (double)count);

	if (!count)
		return 0;
	qsort(values, count, sizeof(*values), compare);
	return values[rank < count ? rank : count - 1];
}

double measure_median(double *values, size_t count)
{
	return measure_percentile(values, count, 0.5);
}

double measure_median_ratio(const double *product, const double *reference, int rounds)
{
	double ratios[MEASURE_ROUNDS_MAX];

	for (int i = 0; i < rounds; i++)
		ratios[i] = reference[i] > 0 ? product[i] / reference[i] : 0;
	return measure_median(ratios, (size_t)rounds);
}

const char *measure_verdict(bool met)
{
	return met ? "met" : "missed";
}

static void *work(void *argument)
{
	struct run *run = argument;
	const struct measure_loop *loop = run->loop;
	double end;

	pthread_barrier_wait(&run->ready);
	end = measure_now() + loop->seconds;
	while (loop->seconds == 0 || measure_now() < end) {
		unsigned long number = atomic_fetch_add(&run->next, 1);

		if (number >= loop->limit)
			break;
		loop->step(loop->context, loop->first + number);
	}
	return NULL;
}

struct measure_result measure_run(const struct measure_loop *loop)
{
	struct run run = {.loop = loop};
	pthread_t threads[MEASURE_THREADS_MAX];
	struct measure_result result;
	double start;

	pthread_barrier_init(&run.ready, NULL, (unsigned)loop->threads + 1);
	for (int i = 0; i < loop->threads; i++)
		if (pthread_create(&threads[i], NULL, work, &run))
			failure_exit("start a thread");
	pthread_barrier_wait(&run.ready);
	start = measure_now();
	for (int i = 0; i < loop->threads; i++)
		pthread_join(threads[i], NULL);
	result.seconds = measure_now() - start;
	pthread_barrier_destroy(&run.ready);
	result.count = atomic_load(&run.next);
	if (result.count > loop->limit)
		result.count = loop->limit;
	return result;
}

double measure_rate(struct measure_result result)
{
	return result.seconds > 0 ? (double)result.count / result.seconds : 0;
}
