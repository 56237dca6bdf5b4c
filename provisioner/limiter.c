/* SPDX-License-Identifier: Apache-2.0 */
#include "limiter.h"

#include <pthread.h>
#include <time.h>

#define LIMIT_MAX   64
#define LIMIT_START 8
#define PAUSE_MAX_S 60
#define BUSY_FACTOR 0.5
#define SLOW_FACTOR 0.8
#define SLOW_TIMES  4     /* answers count as slow beyond the floor times this ... */
#define SLOW_MIN_MS 100   /* ... and this: what a healthy server's disk may cost now and then */
#define FLOOR_MS    30000 /* the floor is that of the last one to two such times */
#define SMOOTH      8     /* answers over which the latency is smoothed */
#define LOW_TURN    32    /* so many others go before one of low priority that waits */
#define QUIET_MS    100   /* after another began, one of low priority waits for more of them */

struct limiter {
	struct limiter_options options;
	pthread_mutex_t lock;   /* guards all below */
	pthread_cond_t turn[2]; /* of the others, and of those of low priority */
	double limit;
	bool probing; /* nothing made it shrink yet: it grows by one with each answer */
	int under_way, waiting, low_waiting;
	int passed;         /* started while one of low priority waited */
	int64_t paused_ms;  /* until when nothing starts */
	int64_t quiet_ms;   /* until when none of low priority does, unless it is due */
	int64_t shrunk_ms;  /* what started before this tells of the limit before */
	double latency_ms;  /* smoothed; 0: not known yet */
	double floor_ms[2]; /* the smallest of the time before this one, and of this one */
	int64_t floor_since_ms;
};

static int64_t monotonic_ms(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(const struct limiter *limiter)
{
	return limiter->options.now_ms(limiter->options.context);
}

struct limiter *limiter_new(const struct limiter_options *options)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter));
	pthread_condattr_t attributes;

	if (!limiter)
		abort();
	if (options)
		limiter->options = *options;
	if (!limiter->options.now_ms)
		limiter->options.now_ms = monotonic_ms;
	if (limiter->options.max <= 0)
		limiter->options.max = LIMIT_MAX;
	limiter->limit = limiter->options.max < LIMIT_START ? limiter->options.max : LIMIT_START;
	limiter->probing = true;
	limiter->paused_ms = limiter->quiet_ms = limiter->shrunk_ms = INT64_MIN;
	limiter->floor_since_ms = now_ms(limiter);
	pthread_mutex_init(&limiter->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&limiter->turn[0], &attributes);
	pthread_cond_init(&limiter->turn[1], &attributes);
	pthread_condattr_destroy(&attributes);
	return limiter;
}

void limiter_free(struct limiter *limiter)
{
	pthread_cond_destroy(&limiter->turn[0]);
	pthread_cond_destroy(&limiter->turn[1]);
	pthread_mutex_destroy(&limiter->lock);
	free(limiter);
}

static bool low_is_due(const struct limiter *limiter)
{
	return limiter->low_waiting && limiter->passed >= LOW_TURN;
}

/* Whose turn it is. One of low priority is for a server that has nothing else to do for us, and
 * will not have at once, or for when it has waited long enough: in a burst there are always moments
 * with nothing under way, and what starts in one of them delays those that follow. */
static bool is_turn(const struct limiter *limiter, bool low, int64_t now)
{
	bool idle = !limiter->waiting && !limiter->under_way && now >= limiter->quiet_ms;

	return low ? low_is_due(limiter) || idle : !low_is_due(limiter);
}

static bool may_start(const struct limiter *limiter, bool low, int64_t now)
{
	return now >= limiter->paused_ms && limiter->under_way < (int)limiter->limit &&
	       is_turn(limiter, low, now);
}

static void wake_next(struct limiter *limiter, int64_t now)
{
	bool low = limiter->low_waiting && is_turn(limiter, true, now);

	if (limiter->under_way >= (int)limiter->limit)
		return; /* whoever leaves wakes the next */

	pthread_cond_signal(&limiter->turn[low]);
}

/* Wait to be woken, for the end of a pause, or for DEADLINE. Nobody wakes one of low priority when
 * all has been quiet for long enough: it looks itself. */
static void wait_for_turn(struct limiter *limiter, bool low, int64_t now, int64_t deadline)
{
	int64_t until = limiter->paused_ms > now ? limiter->paused_ms : deadline;
	int64_t look = limiter->quiet_ms > now ? limiter->quiet_ms : now + QUIET_MS;
	struct timespec at;

	if (low && limiter->paused_ms <= now)
		until = look;
	if (until > deadline)
		until = deadline;
	until += monotonic_ms(NULL) - now;
	at = (struct timespec){until / 1000, until % 1000 * 1000000};
	pthread_cond_timedwait(&limiter->turn[low], &limiter->lock, &at);
}

bool limiter_enter(struct limiter *limiter, bool low, int64_t timeout_ms)
{
	int *waiting = low ? &limiter->low_waiting : &limiter->waiting;
	int64_t now = now_ms(limiter), deadline = now + timeout_ms;
	bool started;

	pthread_mutex_lock(&limiter->lock);
	++*waiting;
	while (!(started = may_start(limiter, low, now)) && now < deadline) {
		wait_for_turn(limiter, low, now, deadline);
		now = now_ms(limiter);
	}
	--*waiting;
	limiter->under_way += started;
	limiter->passed += started && !low;
	if (started && !low)
		limiter->quiet_ms = now + QUIET_MS;
	if ((started && low) || !limiter->low_waiting)
		limiter->passed = 0;
	wake_next(limiter, now); /* there may be room for more than one */
	pthread_mutex_unlock(&limiter->lock);
	return started;
}

static void shrink(struct limiter *limiter, double factor, int64_t now)
{
	limiter->probing = false;
	limiter->shrunk_ms = now;
	limiter->latency_ms = 0;
	limiter->limit *= factor;
	if (limiter->limit < 1)
		limiter->limit = 1;
}

/* A limit that is not made use of shows nothing by quick answers. */
static void grow(struct limiter *limiter)
{
	if (limiter->under_way < (int)limiter->limit)
		return;
	limiter->limit += limiter->probing ? 1 : 1 / limiter->limit;
	if (limiter->limit > limiter->options.max)
		limiter->limit = limiter->options.max;
}

/* Note the latency; whether it is far above what it lately was at best. */
static bool is_slow(struct limiter *limiter, double ms, int64_t now)
{
	double *floor = limiter->floor_ms, lowest;

	if (now - limiter->floor_since_ms > FLOOR_MS) {
		floor[0] = now - limiter->floor_since_ms > 2 * FLOOR_MS ? 0 : floor[1];
		floor[1] = 0;
		limiter->floor_since_ms = now;
	}
	if (ms < 1)
		ms = 1; /* the clock's grain; 0 stands for what is not known */
	limiter->latency_ms = limiter->latency_ms > 0
				      ? limiter->latency_ms + (ms - limiter->latency_ms) / SMOOTH
				      : ms;
	if (floor[1] == 0 || ms < floor[1])
		floor[1] = ms;
	lowest = floor[0] > 0 && floor[0] < floor[1] ? floor[0] : floor[1];
	return limiter->latency_ms > lowest * SLOW_TIMES + SLOW_MIN_MS;
}

static void learn(struct limiter *limiter, enum limiter_outcome outcome, int64_t ms, int64_t now)
{
	/* All that was under way at one time tells the same news. */
	if (now - ms < limiter->shrunk_ms || outcome == LIMITER_UNKNOWN)
		return;
	if (outcome == LIMITER_BUSY)
		shrink(limiter, BUSY_FACTOR, now);
	else if (is_slow(limiter, (double)ms, now))
		shrink(limiter, SLOW_FACTOR, now);
	else
		grow(limiter);
}

void limiter_leave(struct limiter *limiter, enum limiter_outcome outcome, int64_t ms)
{
	int64_t now = now_ms(limiter);

	pthread_mutex_lock(&limiter->lock);
	learn(limiter, outcome, ms, now);
	limiter->under_way--;
	wake_next(limiter, now);
	pthread_mutex_unlock(&limiter->lock);
}

void limiter_pause(struct limiter *limiter, int64_t seconds)
{
	int64_t counted = seconds < 0 ? 0 : seconds < PAUSE_MAX_S ? seconds : PAUSE_MAX_S;
	int64_t until = now_ms(limiter) + counted * 1000;

	pthread_mutex_lock(&limiter->lock);
	if (until > limiter->paused_ms)
		limiter->paused_ms = until;
	pthread_mutex_unlock(&limiter->lock);
}

struct limiter_state limiter_state(struct limiter *limiter)
{
	struct limiter_state state;

	pthread_mutex_lock(&limiter->lock);
	state = (struct limiter_state){
		(int)limiter->limit, limiter->under_way, limiter->waiting + limiter->low_waiting};
	pthread_mutex_unlock(&limiter->lock);
	return state;
}
