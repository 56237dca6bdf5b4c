/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

#include <stdlib.h>

#include "killer.h"

/* Of pairs of kills, every how manieth is tried in each of the two: sanitizers fork slowly. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 7
#else
#define STRIDE 3
#endif

typedef int act_fn(struct volumes *volumes, struct error *err);
typedef void check_fn(struct fixture *fixture, struct volumes *volumes);

struct process {
	struct fixture *fixture;
	act_fn *act;
};

static int work(void *context)
{
	struct process *process = context;
	struct volumes volumes;
	struct error err = {0};
	int result;

	scene_start(process->fixture, &volumes);
	result = process->act(&volumes, &err);
	trash_wait(&volumes.trash);
	if (result < 0)
		fprintf(stderr, "in the child: %s\n", err.text);
	return result;
}

static bool run_killed(struct fixture *fixture, act_fn *act, int point, enum killer_mode mode)
{
	struct process process = {fixture, act};

	return killer_run(point, mode, work, &process);
}

/* Not on the stack: a check that fails leaves the thread behind. */
static struct volumes *start(struct fixture *fixture)
{
	struct volumes *volumes = calloc(1, sizeof(*volumes));

	assert_non_null(volumes);
	scene_start(fixture, volumes);
	return volumes;
}

static void stop(struct volumes *volumes)
{
	volumes_stop(volumes);
	free(volumes);
}

static void prepare(struct fixture *fixture, const struct story *story)
{
	struct volumes *volumes;

	base_clear(fixture->root);
	if (story->prepare) {
		volumes = start(fixture);
		story->prepare(fixture, volumes);
		stop(volumes);
	}
	if (story->stopped)
		story->stopped(fixture);
}

/* A new process does ACT, after which CHECK holds, also in the next process. */
static void reconcile(
	struct fixture *fixture, act_fn *act, check_fn *check, const struct base_check *base)
{
	struct volumes *volumes = start(fixture);
	struct error err;

	if (act(volumes, &err) < 0)
		fail_msg("%s", err.text);
	trash_wait(&volumes->trash);
	check(fixture, volumes);
	stop(volumes);
	base_check(fixture->root, base);
	volumes = start(fixture);
	check(fixture, volumes);
	stop(volumes);
	base_check(fixture->root, base);
}

/* For whoever reads of a failure, with VERBOSE=1. */
static void say_where(bool repeat, int point, int again)
{
	if (getenv("VERBOSE"))
		print_message("killed at call %d, then at %d; the caller %s\n", point, again,
			repeat ? "repeats" : "changes its mind");
}

static void run(struct fixture *fixture, const struct story *story, bool repeat)
{
	for (int mode = KILLER_BEFORE; mode <= KILLER_AFTER; mode++) {
		int stride = killer_stride(1);
		bool killed = true;

		/* After one call is before the next: where few are tried, each way has others. */
		for (int point = mode * (stride / 2); killed; point += stride) {
			say_where(repeat, point, -1);
			prepare(fixture, story);
			killed = run_killed(fixture, story->operation, point, mode);
			if (repeat)
				reconcile(fixture, story->operation, story->then, &story->check);
			else
				reconcile(fixture, story->otherwise, story->then_otherwise,
					&story->check_otherwise);
		}
	}
}

/* The process that goes on after the first kill is killed too, wherever that was. */
static void run_twice(struct fixture *fixture, const struct story *story, bool repeat)
{
	act_fn *second = repeat ? story->operation : story->otherwise;
	bool killed = true;

	for (int point = 0; killed; point += killer_stride(STRIDE)) {
		bool killed_again = true;

		for (int again = 0; killed_again; again += killer_stride(STRIDE)) {
			say_where(repeat, point, again);
			prepare(fixture, story);
			killed = run_killed(fixture, story->operation, point, KILLER_AFTER);
			killed_again = run_killed(fixture, second, again, KILLER_AFTER);
			reconcile(fixture, second, repeat ? story->then : story->then_otherwise,
				repeat ? &story->check : &story->check_otherwise);
		}
	}
}

void story_run(struct fixture *fixture, const struct story *story)
{
	run(fixture, story, true);
	run(fixture, story, false);
	run_twice(fixture, story, true);
	run_twice(fixture, story, false);
}

void story_run_otherwise(struct fixture *fixture, const struct story *story)
{
	run(fixture, story, false);
}
