/* SPDX-License-Identifier: Apache-2.0 */
#include "caller.h"

#include <stddef.h>
#include <time.h>

/* A share of what is left, and no more than that, is for the answer. */
#define ANSWER_SHARE  10
#define ANSWER_MAX_MS 500

static _Thread_local const atomic_bool *caller_gone;
static _Thread_local int64_t caller_deadline = INT64_MAX;

void caller_begin(const atomic_bool *gone, int64_t deadline_ms)
{
	int64_t answer;

	caller_gone = gone;
	caller_deadline = deadline_ms;
	if (deadline_ms == INT64_MAX)
		return;
	answer = (deadline_ms - caller_now_ms()) / ANSWER_SHARE;
	caller_deadline -= answer < ANSWER_MAX_MS ? answer : ANSWER_MAX_MS;
}

void caller_end(void)
{
	caller_begin(NULL, INT64_MAX);
}

int64_t caller_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

const atomic_bool *caller_flag(void)
{
	return caller_gone;
}

bool caller_is_gone(void)
{
	return (caller_gone && atomic_load(caller_gone)) || caller_limit_ms(1) == 0;
}

int caller_limit_ms(int limit_ms)
{
	int64_t left;

	if (caller_deadline == INT64_MAX)
		return limit_ms;
	left = caller_deadline - caller_now_ms();
	return left <= 0 ? 0 : left < limit_ms ? (int)left : limit_ms;
}
