/* SPDX-License-Identifier: Apache-2.0 */
#include "workqueue.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "testing.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 8000

static int64_t clock_now;

static int64_t clock_ms(void)
{
	return __atomic_load_n(&clock_now, __ATOMIC_SEQ_CST);
}

static void clock_set(int64_t ms)
{
	__atomic_store_n(&clock_now, ms, __ATOMIC_SEQ_CST);
}

static struct workqueue *make_queue(void)
{
	clock_set(1000000);
	return workqueue_new(&(struct workqueue_options){
		.retry_min_ms = RETRY_MIN_MS, .retry_max_ms = RETRY_MAX_MS, .now_ms = clock_ms});
}
#define _cleanup_queue_ _cleanup_(workqueue_freep)

/* Take a key that must be ready, and be KEY. */
static const char *take(struct workqueue *queue, const char *key)
{
	const char *taken = workqueue_take(queue);

	assert_string_equal(taken, key);
	return taken;
}

/* Whether a key is ready that may be backing off; it is done with then. A marker is ready in any
 * case: taking it moves what is due behind it, and a second one comes after that. */
static bool is_ready(struct workqueue *queue)
{
	bool ready = false;

	for (int markers = 0; markers < 2;) {
		const char *key;

		workqueue_add(queue, "marker");
		key = workqueue_take(queue);
		if (strcmp(key, "marker"))
			ready = true;
		else
			markers++;
		workqueue_done(queue, key, true);
	}
	return ready;
}

static void test_order(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add(queue, "a");
	workqueue_add(queue, "b");
	workqueue_add(queue, "a");
	workqueue_add(queue, "");
	assert_int_equal(workqueue_count(queue), 3);
	workqueue_done(queue, take(queue, "a"), true);
	workqueue_done(queue, take(queue, "b"), true);
	workqueue_done(queue, take(queue, ""), true);
	assert_int_equal(workqueue_count(queue), 0);
}

/* Added while it is worked on, however often: once more afterwards, and not before. */
static void test_dirty(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();
	const char *key;

	(void)state;
	workqueue_add(queue, "a");
	key = take(queue, "a");
	workqueue_add(queue, "a");
	workqueue_add(queue, "a");
	assert_false(is_ready(queue));
	workqueue_done(queue, key, true);
	key = take(queue, "a");
	workqueue_done(queue, key, true);
	assert_int_equal(workqueue_count(queue), 0);
}

/* A change that came while it failed is not made to wait. */
static void test_dirty_failure_comes_at_once(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();
	const char *key;

	(void)state;
	workqueue_add(queue, "a");
	key = take(queue, "a");
	workqueue_add(queue, "a");
	workqueue_done(queue, key, false);
	workqueue_done(queue, take(queue, "a"), true);
}

static void fail_once(struct workqueue *queue)
{
	workqueue_done(queue, take(queue, "a"), false);
}

/* Doubling up to the maximum, and up to a quarter less. */
static void test_back_off(void **state)
{
	static const int64_t delays[] = {1000, 2000, 4000, 8000, 8000, 8000};
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add(queue, "a");
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		int64_t failed = clock_ms();

		fail_once(queue);
		assert_int_equal(workqueue_count(queue), 1);
		clock_set(failed + delays[i] * 3 / 4 - 1);
		assert_false(is_ready(queue));
		clock_set(failed + delays[i]);
	}
	workqueue_done(queue, take(queue, "a"), true);
}

static void test_success_resets_back_off(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();
	const char *key;

	(void)state;
	workqueue_add(queue, "a");
	for (int i = 0; i < 5; i++) {
		fail_once(queue);
		clock_set(clock_ms() + RETRY_MAX_MS);
	}
	key = take(queue, "a");
	workqueue_add(queue, "a");
	workqueue_done(queue, key, true);
	fail_once(queue);
	clock_set(clock_ms() + RETRY_MIN_MS);
	assert_true(is_ready(queue));
}

/* Hundreds of failures must neither overflow the delay nor pass the maximum. */
static void test_many_failures(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add(queue, "a");
	for (int i = 0; i < 500; i++) {
		fail_once(queue);
		clock_set(clock_ms() + RETRY_MAX_MS);
	}
	assert_true(is_ready(queue));
}

static void test_add_cuts_back_off(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add(queue, "a");
	fail_once(queue);
	assert_false(is_ready(queue));
	workqueue_add(queue, "a");
	fail_once(queue);
	/* The count of failures went on. */
	clock_set(clock_ms() + 2 * RETRY_MIN_MS * 3 / 4 - 1);
	assert_false(is_ready(queue));
	clock_set(clock_ms() + 2 * RETRY_MIN_MS);
	assert_true(is_ready(queue));
}

/* Keys become due in the order of their times, whatever that of their failures was. */
static void test_due_order(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add(queue, "a");
	fail_once(queue);
	clock_set(clock_ms() + RETRY_MIN_MS);
	fail_once(queue); /* now 1500 to 2000 */
	workqueue_add(queue, "b");
	workqueue_done(queue, take(queue, "b"), false); /* 750 to 1000 */
	clock_set(clock_ms() + RETRY_MAX_MS);
	workqueue_done(queue, take(queue, "b"), true);
	workqueue_done(queue, take(queue, "a"), true);
}

#define MODEL_KEYS 500

/* A queue with a plain list of when each key is due: 0 for those that do not wait. */
struct model {
	struct workqueue *queue;
	int64_t start, due[MODEL_KEYS];
	size_t waiting;
	uint32_t seed;
};

static uint32_t dice(struct model *model, uint32_t sides)
{
	model->seed = model->seed * 1664525 + 1013904223;
	return (model->seed >> 8) % sides;
}

static void change_one(struct model *model)
{
	uint32_t number = dice(model, MODEL_KEYS);
	int64_t after = 1 + dice(model, 100000);
	int64_t *due = &model->due[number];
	char key[16];

	snprintf(key, sizeof(key), "%u", number);
	if (dice(model, 3) == 0) {
		workqueue_add(model->queue, key);
		workqueue_done(model->queue, take(model->queue, key), true);
		model->waiting -= *due ? 1 : 0;
		*due = 0;
		return;
	}
	workqueue_add_after(model->queue, key, after);
	model->waiting += *due ? 0 : 1;
	if (!*due || after < *due)
		*due = after;
}

/* Go on to the next time at which keys are due, and take those. A marker behind them is ready in
 * any case, as in is_ready(). */
static void take_next(struct model *model)
{
	int64_t next = INT64_MAX;
	size_t before = model->waiting;
	const char *key;

	for (size_t i = 0; i < MODEL_KEYS; i++)
		if (model->due[i] && model->due[i] < next)
			next = model->due[i];
	clock_set(model->start + next);
	workqueue_add(model->queue, "marker");
	workqueue_done(model->queue, take(model->queue, "marker"), true);
	workqueue_add(model->queue, "marker");
	while (strcmp(key = workqueue_take(model->queue), "marker") != 0) {
		long number = strtol(key, NULL, 10);

		assert_int_equal(model->due[number], next);
		model->due[number] = 0;
		model->waiting--;
		workqueue_done(model->queue, key, true);
	}
	workqueue_done(model->queue, key, true);
	assert_true(model->waiting < before);
}

/* Whichever are taken out of the middle of those that wait, or come earlier than was said: the
 * rest comes by their times. */
static void test_model(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 50; seed++) {
		struct model model = {.queue = make_queue(), .seed = seed};

		model.start = clock_ms();
		for (int i = 0; i < 2000; i++)
			change_one(&model);
		assert_int_equal(workqueue_count(model.queue), model.waiting);
		while (model.waiting)
			take_next(&model);
		assert_int_equal(workqueue_count(model.queue), 0);
		workqueue_free(model.queue);
	}
}

static void test_add_after(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add_after(queue, "a", 5000);
	workqueue_add_after(queue, "a", 2000);
	workqueue_add_after(queue, "a", 9000);
	assert_int_equal(workqueue_count(queue), 1);
	clock_set(clock_ms() + 1999);
	assert_false(is_ready(queue));
	clock_set(clock_ms() + 1);
	workqueue_add_after(queue, "a", 1);
	workqueue_done(queue, take(queue, "a"), true);
	assert_int_equal(workqueue_count(queue), 0);
}

/* A key that comes before its time, comes only then. */
static void test_add_after_and_before(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add_after(queue, "a", 5000);
	workqueue_add(queue, "a");
	workqueue_add_after(queue, "a", 1000);
	workqueue_done(queue, take(queue, "a"), true);
	assert_int_equal(workqueue_count(queue), 0);
}

/* Asked for while it is worked on: not at once, and the earlier of that and its back-off. */
static void test_add_after_while_processing(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();
	const char *key;

	(void)state;
	workqueue_add(queue, "a");
	key = take(queue, "a");
	workqueue_add_after(queue, "a", 100);
	clock_set(clock_ms() + 1000);
	assert_false(is_ready(queue));
	workqueue_done(queue, key, true);
	key = take(queue, "a");
	workqueue_add_after(queue, "a", 100);
	workqueue_done(queue, key, false);
	clock_set(clock_ms() + 100);
	key = take(queue, "a");
	workqueue_add_after(queue, "a", 60000);
	workqueue_done(queue, key, false);
	clock_set(clock_ms() + 2 * RETRY_MIN_MS);
	key = take(queue, "a");
	workqueue_add_after(queue, "a", 60000);
	workqueue_add(queue, "a");
	workqueue_done(queue, key, true);
	workqueue_done(queue, take(queue, "a"), true);
	assert_int_equal(workqueue_count(queue), 0);
}

/* Done, but to be looked at again: no failure, so that the back-off starts afresh. */
static void test_done_after(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();

	(void)state;
	workqueue_add(queue, "a");
	fail_once(queue);
	clock_set(clock_ms() + RETRY_MIN_MS);
	fail_once(queue);
	clock_set(clock_ms() + 2 * RETRY_MIN_MS);
	workqueue_done_after(queue, take(queue, "a"), 7000);
	clock_set(clock_ms() + 6999);
	assert_false(is_ready(queue));
	clock_set(clock_ms() + 1);
	fail_once(queue);
	clock_set(clock_ms() + RETRY_MIN_MS);
	assert_true(is_ready(queue));
}

/* What METRICS has in a line that begins with NAME and the queue's label. */
static double metric_of(struct metrics *metrics, const char *name)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	const char *at;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	metrics_write(metrics, out);
	fclose(out);
	assert_true(asprintf(&line, "\nworkqueue_%s{name=\"q\"} ", name) > 0);
	at = strstr(text, line);
	if (!at)
		fail_msg("no %s in:\n%s", name, text);
	return strtod(at + strlen(line), NULL);
}

static void test_metrics(void **state)
{
	static const struct {
		const char *name;
		double value;
	} wanted[] = {
		{"depth", 3}, /* f, which is due since, b, and a again */
		{"adds_total", 6},
		{"queue_duration_seconds_sum", 7},
		{"queue_duration_seconds_count", 3},
		{"work_duration_seconds_sum", 2},
		{"work_duration_seconds_count", 1},
		{"retries_total", 2},
		{"unfinished_work_seconds", 7},
		{"longest_running_processor_seconds", 5},
	};
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	_cleanup_queue_ struct workqueue *queue = NULL;

	(void)state;
	clock_set(1000000);
	queue = workqueue_new(&(struct workqueue_options){.retry_min_ms = RETRY_MIN_MS,
		.retry_max_ms = RETRY_MAX_MS,
		.now_ms = clock_ms,
		.metrics = metrics,
		.name = "q"});
	workqueue_add(queue, "f");
	take(queue, "f");
	clock_set(clock_ms() + 2000);
	workqueue_done(queue, "f", false);
	workqueue_add_after(queue, "later", 60000);
	workqueue_add(queue, "a");
	workqueue_add(queue, "d");
	clock_set(clock_ms() + 2000);
	/* f came 1 s before, at which nobody looked. */
	take(queue, "a");
	clock_set(clock_ms() + 3000);
	take(queue, "d");
	workqueue_add(queue, "a");
	workqueue_add(queue, "a");
	clock_set(clock_ms() + 2000);
	workqueue_add(queue, "b");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (metric_of(metrics, wanted[i].name) != wanted[i].value)
			fail_msg("%s is %g", wanted[i].name, metric_of(metrics, wanted[i].name));
}

static void test_stop(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();
	const char *key;

	(void)state;
	workqueue_add(queue, "a");
	workqueue_add(queue, "b");
	key = take(queue, "a");
	workqueue_stop(queue);
	assert_null(workqueue_take(queue));
	workqueue_add(queue, "c");
	workqueue_done(queue, key, false);
	assert_null(workqueue_take(queue));
	assert_int_equal(workqueue_count(queue), 3);
}

static void *take_until_stopped(void *context)
{
	const char *key;

	while ((key = workqueue_take(context)))
		workqueue_done(context, key, true);
	return NULL;
}

static void test_stop_wakes_all(void **state)
{
	_cleanup_queue_ struct workqueue *queue = make_queue();
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_until_stopped, queue), 0);
	workqueue_add(queue, "a");
	workqueue_stop(queue);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

/* Many writers raise a key's wanted version and add it; many workers bring its done version there.
 * One worker a key at a time, and at the end nothing that was wanted is missing. */
#define KEYS    7
#define WRITERS 4
#define WORKERS 6
#define ROUNDS  3000

struct crowd {
	struct workqueue *queue;
	int wanted[KEYS], done[KEYS], busy[KEYS], overlaps;
};

static void *write_versions(void *context)
{
	struct crowd *crowd = context;

	for (int i = 0; i < ROUNDS; i++) {
		char key[2] = {(char)('a' + i % KEYS), '\0'};

		__atomic_add_fetch(&crowd->wanted[i % KEYS], 1, __ATOMIC_SEQ_CST);
		workqueue_add(crowd->queue, key);
	}
	return NULL;
}

static void *sync_versions(void *context)
{
	struct crowd *crowd = context;
	const char *key;

	for (int turn = 0; (key = workqueue_take(crowd->queue)); turn++) {
		int index = key[0] - 'a';

		if (__atomic_add_fetch(&crowd->busy[index], 1, __ATOMIC_SEQ_CST) != 1)
			__atomic_add_fetch(&crowd->overlaps, 1, __ATOMIC_SEQ_CST);
		if (turn % 5)
			crowd->done[index] =
				__atomic_load_n(&crowd->wanted[index], __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&crowd->busy[index], 1, __ATOMIC_SEQ_CST);
		workqueue_done(crowd->queue, key, turn % 5 != 0);
	}
	return NULL;
}

static bool is_empty(void *context)
{
	return workqueue_count(((struct crowd *)context)->queue) == 0;
}

static void test_crowd(void **state)
{
	struct crowd crowd = {.overlaps = 0};
	pthread_t writers[WRITERS], workers[WORKERS];

	(void)state;
	crowd.queue =
		workqueue_new(&(struct workqueue_options){.retry_min_ms = 1, .retry_max_ms = 2});
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, sync_versions, &crowd);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&writers[i], NULL, write_versions, &crowd);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	assert_true(wait_until(is_empty, &crowd));
	workqueue_stop(crowd.queue);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	assert_int_equal(crowd.overlaps, 0);
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(crowd.done[i], crowd.wanted[i]);
	workqueue_free(crowd.queue);
}

/* Workers that take one key each and then stay busy with it. */
struct idlers {
	struct workqueue *queue;
	int taken;
	const char *last;
};

static void *take_one(void *context)
{
	struct idlers *idlers = context;
	const char *key = workqueue_take(idlers->queue);

	__atomic_store_n(&idlers->last, key, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&idlers->taken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool has_two(void *context)
{
	return __atomic_load_n(&((struct idlers *)context)->taken, __ATOMIC_SEQ_CST) >= 2;
}

static bool has_three(void *context)
{
	return __atomic_load_n(&((struct idlers *)context)->taken, __ATOMIC_SEQ_CST) >= 3;
}

/* The worker that waits for the end of a back-off may be handed another key instead: then another
 * idle worker has to keep that appointment, however long the first is busy. */
static void test_back_off_ends_though_workers_are_busy(void **state)
{
	struct idlers idlers = {.taken = 0};
	pthread_t threads[4];

	(void)state;
	idlers.queue =
		workqueue_new(&(struct workqueue_options){.retry_min_ms = 50, .retry_max_ms = 50});
	workqueue_add(idlers.queue, "slow");
	workqueue_done(idlers.queue, take(idlers.queue, "slow"), false);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, take_one, &idlers);
	workqueue_add(idlers.queue, "x");
	workqueue_add(idlers.queue, "y");
	assert_true(wait_until(has_two, &idlers));
	assert_true(wait_until(has_three, &idlers));
	workqueue_stop(idlers.queue);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	workqueue_free(idlers.queue);
}

static bool has_four(void *context)
{
	return __atomic_load_n(&((struct idlers *)context)->taken, __ATOMIC_SEQ_CST) >= 4;
}

/* Back-offs that end at once are work for as many workers: one of them is woken by the clock, and
 * each has to call the next. */
static void test_back_offs_end_together(void **state)
{
	static const char *const keys[] = {"a", "b", "c", "d"};
	struct idlers idlers = {.taken = 0};
	pthread_t threads[6];

	(void)state;
	idlers.queue = workqueue_new(&(struct workqueue_options){.retry_min_ms = 1});
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, take_one, &idlers);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		workqueue_add_after(idlers.queue, keys[i], 50);
	assert_true(wait_until(has_four, &idlers));
	workqueue_stop(idlers.queue);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	workqueue_free(idlers.queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_dirty),
		cmocka_unit_test(test_dirty_failure_comes_at_once),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_success_resets_back_off),
		cmocka_unit_test(test_many_failures),
		cmocka_unit_test(test_add_cuts_back_off),
		cmocka_unit_test(test_due_order),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_add_after),
		cmocka_unit_test(test_add_after_and_before),
		cmocka_unit_test(test_add_after_while_processing),
		cmocka_unit_test(test_done_after),
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_wakes_all),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_back_off_ends_though_workers_are_busy),
		cmocka_unit_test(test_back_offs_end_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
