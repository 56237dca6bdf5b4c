/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that lives on after a call of it to the file system has failed, whichever that was: the
 * same process must end well when the caller repeats.
 */
#include "scene.h"

#include <errno.h>
#include <sys/stat.h>

#include "base_check.h"
#include "killer.h"

#define PLACE "shop/web/data-0"

typedef int act_fn(struct volumes *volumes, const struct wish *wish, struct error *err);

static int try_create(struct volumes *volumes, const struct wish *wish, struct error *err)
{
	return scene_try(volumes, wish, NULL, err);
}

/* OLD is made and filled, and deleted where ACT is not about that; ACT on WISH fails at every call
 * in turn and is repeated. In the end LAST has the data. */
static void run(struct fixture *fixture, const struct wish *old, act_fn *act,
	const struct wish *wish, const struct wish *last)
{
	bool reached = true;

	for (int point = 0; reached; point += killer_stride(1)) {
		struct volumes *volumes = calloc(1, sizeof(*volumes));
		struct error err = {0};

		base_clear(fixture->root);
		killer_fail(-1, 0);
		scene_start(fixture, volumes);
		scene_fill(volumes, old, "one");
		if (act != scene_try_delete)
			scene_delete(volumes, old);
		killer_fail(point, EIO);
		act(volumes, wish, &err);
		reached = killer_fail(-1, 0);
		if (act(volumes, wish, &err) < 0)
			fail_msg("repeated after call %d had failed: %s", point, err.text);
		if (scene_try(volumes, last, NULL, &err) < 0)
			fail_msg("after call %d had failed: %s", point, err.text);
		if (base_count(fixture->root, "one", (char[4096]){0}, 4096) != 1 ||
			!fixture_exists(fixture_path(fixture, "root/" PLACE "/content")))
			fail_msg("after call %d had failed the data are not taken up", point);
		/* The record of what was taken up may wait for the next process. */
		volumes_stop(volumes);
		scene_start(fixture, volumes);
		base_check(fixture->root, &(struct base_check){.records = 1});
		volumes_stop(volumes);
		free(volumes);
	}
}

static const struct wish archived = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};
static const struct wish retained = {.name = "pvc-1", .on_delete = ON_DELETE_RETAIN};
static const struct wish same = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .reuse = true};
static const struct wish taker = {.name = "pvc-2", .on_delete = ON_DELETE_ARCHIVE, .reuse = true};

static void test_archive(void **state)
{
	run(*state, &archived, scene_try_delete, &archived, &taker);
}

static void test_retain(void **state)
{
	run(*state, &retained, scene_try_delete, &retained, &taker);
}

static void test_take_archived(void **state)
{
	run(*state, &archived, try_create, &taker, &taker);
}

static void test_take_retained(void **state)
{
	run(*state, &retained, try_create, &taker, &taker);
}

static void test_take_archived_of_the_same_name(void **state)
{
	run(*state, &archived, try_create, &same, &same);
}

static void test_take_retained_of_the_same_name(void **state)
{
	run(*state, &retained, try_create, &same, &same);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_archive),
		TEST(test_retain),
		TEST(test_take_archived),
		TEST(test_take_retained),
		TEST(test_take_archived_of_the_same_name),
		TEST(test_take_retained_of_the_same_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
