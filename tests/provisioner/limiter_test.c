/* SPDX-License-Identifier: Apache-2.0 */
#include "limiter.h"

#include <pthread.h>

#include "testing.h"

static int64_t clock_ms;

static int64_t read_clock(void *context)
{
	(void)context;
	return clock_ms;
}

static struct limiter *limiter_of(int max)
{
	clock_ms = 1000000;
	return limiter_new(&(struct limiter_options){.max = max, .now_ms = read_clock});
}

static int limit_of(struct limiter *limiter)
{
	return limiter_state(limiter).limit;
}

/* As many as may start at once; how many that is. */
static int fill(struct limiter *limiter)
{
	int count = 0;

	while (limiter_enter(limiter, false, 0))
		count++;
	return count;
}

/* One round: as many as may be under way are, for MS, and all end with OUTCOME. */
static int one_round(struct limiter *limiter, enum limiter_outcome outcome, int64_t ms)
{
	int count = fill(limiter);

	clock_ms += ms;
	for (int i = 0; i < count; i++)
		limiter_leave(limiter, outcome, ms);
	return count;
}

#define _cleanup_limiter_ _cleanup_(limiter_freep)

static void test_grows_to_the_maximum(void **state)
{
	_cleanup_limiter_ struct limiter *limiter = limiter_of(0);
	int last = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		int count = one_round(limiter, LIMITER_ANSWERED, 5);

		assert_true(count >= last && count <= 64);
		last = count;
	}
	assert_int_equal(last, 64);
}

/* Without use there is no proof, however quick the answers are. */
static void test_unused_does_not_grow(void **state)
{
	_cleanup_limiter_ struct limiter *limiter = limiter_of(0);
	int limit = limit_of(limiter);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(limiter_enter(limiter, false, 0));
		limiter_leave(limiter, LIMITER_ANSWERED, 1);
	}
	assert_int_equal(limit_of(limiter), limit);
}

/* What one round of many does to the limit, which has settled before. */
static const struct {
	const char *name;
	enum limiter_outcome outcome;
	int64_t ms;
	int rounds;
	int at_least, at_most; /* percent of the limit before */
} rounds[] = {
	{"busy once", LIMITER_BUSY, 5, 1, 50, 50},
	{"busy twice", LIMITER_BUSY, 5, 2, 25, 25},
	{"busy for ever", LIMITER_BUSY, 5, 50, 1, 2},
	{"no answers", LIMITER_UNKNOWN, 0, 50, 100, 100},
	{"as before", LIMITER_ANSWERED, 5, 1, 100, 100},
	{"a little slower", LIMITER_ANSWERED, 30, 10, 100, 100},
	{"far slower", LIMITER_ANSWERED, 3000, 1, 75, 82},
	{"far slower for long", LIMITER_ANSWERED, 3000, 5, 10, 50},
};

static void test_rounds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		_cleanup_limiter_ struct limiter *limiter = limiter_of(64);
		int percent;

		for (int settled = 0; settled < 100; settled++)
			one_round(limiter, LIMITER_ANSWERED, 5);
		for (int j = 0; j < rounds[i].rounds; j++)
			one_round(limiter, rounds[i].outcome, rounds[i].ms);
		percent = limit_of(limiter) * 100 / 64;
		if (percent < rounds[i].at_least || percent > rounds[i].at_most)
			fail_msg("%s: %d percent", rounds[i].name, percent);
	}
}

/* However bad it gets one may always go; and it grows again when it is over. */
static void test_never_below_one(void **state)
{
	_cleanup_limiter_ struct limiter *limiter = limiter_of(16);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(one_round(limiter, LIMITER_BUSY, 5) >= 1);
	assert_int_equal(limit_of(limiter), 1);
	for (int i = 0; i < 1000; i++)
		one_round(limiter, LIMITER_ANSWERED, 5);
	assert_int_equal(limit_of(limiter), 16);
}

/* What was slow becomes the rule: the floor is forgotten, and the limit grows again. */
static void test_floor_is_recent(void **state)
{
	_cleanup_limiter_ struct limiter *limiter = limiter_of(16);
	int shrunk;

	(void)state;
	for (int i = 0; i < 100; i++)
		one_round(limiter, LIMITER_ANSWERED, 5);
	for (int i = 0; i < 20; i++)
		one_round(limiter, LIMITER_ANSWERED, 1000);
	shrunk = limit_of(limiter);
	assert_true(shrunk < 8);
	for (int i = 0; i < 200; i++)
		one_round(limiter, LIMITER_ANSWERED, 1000);
	assert_int_equal(limit_of(limiter), 16);
}

static const struct {
	const char *name;
	int64_t asked, paused; /* seconds */
} pauses[] = {
	{"none", 0, 0},
	{"one", 1, 1},
	{"most", 60, 60},
	{"more", 61, 60},
	{"hostile", INT64_MAX, 60},
	{"negative", -5, 0},
	{"very negative", INT64_MIN, 0},
};

static void test_pause(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		_cleanup_limiter_ struct limiter *limiter = limiter_of(16);

		limiter_pause(limiter, pauses[i].asked);
		limiter_pause(limiter, 0); /* a shorter one does not end it */
		if (pauses[i].paused) {
			clock_ms += pauses[i].paused * 1000 - 1;
			assert_case(pauses[i].name, !limiter_enter(limiter, false, 0));
			assert_case(pauses[i].name, !limiter_enter(limiter, true, 0));
			clock_ms += 1;
		}
		assert_case(pauses[i].name, limiter_enter(limiter, false, 0));
		limiter_leave(limiter, LIMITER_ANSWERED, 1);
	}
}

/* A real wait, on the real clock, ends by itself. */
static void test_pause_ends(void **state)
{
	_cleanup_limiter_ struct limiter *limiter = limiter_new(NULL);

	(void)state;
	limiter_pause(limiter, 1);
	assert_false(limiter_enter(limiter, false, 1));
	assert_true(limiter_enter(limiter, false, 60000));
	limiter_leave(limiter, LIMITER_ANSWERED, 1);
}

/* A thread that enters once, and when it did in the order of all. */
struct visitor {
	struct limiter *limiter;
	bool low, entered;
	pthread_t thread;
	int *order; /* guarded by the limiter, which lets one in at a time */
	int place;
};

static void *visit(void *context)
{
	struct visitor *visitor = context;

	visitor->entered = limiter_enter(visitor->limiter, visitor->low, 60000);
	visitor->place = (*visitor->order)++;
	limiter_leave(visitor->limiter, LIMITER_UNKNOWN, 0);
	return NULL;
}

struct awaited {
	struct limiter *limiter;
	int waiting;
};

static bool are_waiting(void *context)
{
	const struct awaited *awaited = context;

	return limiter_state(awaited->limiter).waiting == awaited->waiting;
}

static void start_visitors(struct visitor *visitors, int count)
{
	for (int i = 0; i < count; i++) {
		struct awaited awaited = {visitors[i].limiter, i + 1};

		pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]);
		assert_true(wait_until(are_waiting, &awaited));
	}
}

/* One of low priority comes first and waits: 5 others go before it, but of 100 not all. */
static void check_order(int others, int first, int last)
{
	_cleanup_limiter_ struct limiter *limiter =
		limiter_new(&(struct limiter_options){.max = 1});
	struct visitor visitors[101];
	int order = 0;

	assert_true(limiter_enter(limiter, false, 0));
	for (int i = 0; i <= others; i++)
		visitors[i] = (struct visitor){limiter, i == 0, false, 0, &order, 0};
	start_visitors(visitors, others + 1);
	limiter_leave(limiter, LIMITER_UNKNOWN, 0);
	for (int i = 0; i <= others; i++) {
		pthread_join(visitors[i].thread, NULL);
		assert_true(visitors[i].entered);
	}
	assert_in_range(visitors[0].place, first, last);
}

static void test_low_priority(void **state)
{
	(void)state;
	check_order(0, 0, 0);
	check_order(5, 5, 5);
	check_order(100, 32, 32);
}

/* What happened before one of low priority asks, which does not wait. */
static const struct {
	const char *name;
	int others;    /* that began one after the other ... */
	bool ended;    /* ... and are not under way any more */
	int64_t since; /* ms since the last began */
	bool enters;
} quiets[] = {
	{"nothing", 0, true, 0, true},
	{"one just now", 1, true, 0, false},
	{"one a moment ago", 1, true, 99, false},
	{"one some time ago", 1, true, 100, true},
	{"many a moment ago", 100, true, 99, false},
	{"many some time ago", 100, true, 100, true},
	{"one that goes on", 1, false, 1000, false},
};

static void test_quiet(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(quiets); i++) {
		_cleanup_limiter_ struct limiter *limiter = limiter_of(16);

		for (int j = 0; j < quiets[i].others; j++) {
			clock_ms += 50;
			assert_case(quiets[i].name, limiter_enter(limiter, false, 0));
			if (quiets[i].ended)
				limiter_leave(limiter, LIMITER_ANSWERED, 1);
		}
		clock_ms += quiets[i].since;
		assert_case(quiets[i].name, limiter_enter(limiter, true, 0) == quiets[i].enters);
		if (!quiets[i].enters)
			continue;
		/* One of its own kind need not be far from it. */
		limiter_leave(limiter, LIMITER_ANSWERED, 1);
		assert_case(quiets[i].name, limiter_enter(limiter, true, 0));
		limiter_leave(limiter, LIMITER_ANSWERED, 1);
	}
}

static void *come_and_go(void *context)
{
	struct limiter *limiter = context;

	for (int i = 0; i < 2000; i++)
		if (limiter_enter(limiter, i % 500 == 0, 60000))
			limiter_leave(limiter, i % 7 ? LIMITER_ANSWERED : LIMITER_BUSY, 1);
	return NULL;
}

/* Nobody is forgotten, and nobody stays inside. */
static void test_many_threads(void **state)
{
	_cleanup_limiter_ struct limiter *limiter = limiter_new(NULL);
	pthread_t threads[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, come_and_go, limiter);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(limiter_state(limiter).under_way, 0);
	assert_int_equal(limiter_state(limiter).waiting, 0);
	assert_in_range(limit_of(limiter), 1, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_to_the_maximum),
		cmocka_unit_test(test_unused_does_not_grow),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_never_below_one),
		cmocka_unit_test(test_floor_is_recent),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_pause_ends),
		cmocka_unit_test(test_low_priority),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
