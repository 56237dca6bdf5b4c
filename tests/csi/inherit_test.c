/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new cluster on the disk of one that is gone: who may have what its volumes were.
 */
#include "scene.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base_check.h"

#define PLACE "shop/web/data-0"

static const struct wish old = {.name = "pvc-1", .cluster_uid = "cluster-1"};

static struct volumes *volumes;

static void start(struct fixture *fixture)
{
	/* On the heap: a check that fails leaves the thread behind. */
	volumes = calloc(1, sizeof(*volumes));
	assert_non_null(volumes);
	scene_start(fixture, volumes);
}

static void stop(void)
{
	if (volumes) {
		volumes_stop(volumes);
		free(take_ptr(volumes));
	}
}

/* What the old cluster has left, and a new process. */
static int set_up(void **state)
{
	if (fixture_scratch(state) < 0)
		return -1;
	start(*state);
	assert_string_equal(scene_fill(volumes, &old, "one"), PLACE);
	stop();
	start(*state);
	return 0;
}

static int tear_down(void **state)
{
	stop();
	return fixture_done(state);
}

static const struct {
	const char *name;
	struct wish wish;
	const char *path; /* NULL: it is refused */
	bool takes;
} cases[] = {
	{"a new cluster's",
		{.name = "pvc-2",
			.reuse = true,
			.any_namespace = true,
			.namespace_uid = "uid-2",
			.cluster_uid = "cluster-2"},
		PLACE, true},
	{"which does not ask for it",
		{.name = "pvc-2",
			.reuse = true,
			.namespace_uid = "uid-2",
			.cluster_uid = "cluster-2"},
		PLACE "@pvc-2", false},
	{"which asks for too little",
		{.name = "pvc-2",
			.reuse = true,
			.any_namespace = true,
			.namespace_uid = "uid-2",
			.cluster_uid = "cluster-2",
			.size = 1024},
		NULL, false},
	{"another replica's",
		{.name = "pvc-2",
			.reuse = true,
			.any_namespace = true,
			.namespace_uid = "uid-2",
			.cluster_uid = "cluster-2",
			.ordinal = "1"},
		"shop/web/data-1", false},
	{"the same cluster's: it lives",
		{.name = "pvc-2", .reuse = true, .any_namespace = true, .cluster_uid = "cluster-1"},
		PLACE "@pvc-2", false},
	{"a caller's who names no cluster", {.name = "pvc-2", .reuse = true, .any_namespace = true},
		PLACE "@pvc-2", false},
};

static void check(struct fixture *fixture, size_t index)
{
	const struct base_check base = {
		.foreign = NULL, .records = cases[index].path && !cases[index].takes ? 2 : 1};

	base_check(fixture->root, &base);
	if (strcmp(base_find(fixture->root, "one"), PLACE))
		fail_msg("%s: the data moved", cases[index].name);
}

static void run_case(void **state, size_t index)
{
	struct fixture *fixture = *state;
	char path[8192];
	struct error err;

	if (!cases[index].path) {
		assert_int_equal(scene_try(volumes, &cases[index].wish, path, &err), -1);
		assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
		assert_non_null(strstr(err.text, "ask for as many"));
	} else {
		assert_string_equal(scene_create(volumes, &cases[index].wish), cases[index].path);
	}
	check(fixture, index);
	stop();
	start(fixture);
	check(fixture, index);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i) {
			assert_int_equal(tear_down(state), 0);
			assert_int_equal(set_up(state), 0);
		}
		run_case(state, i);
	}
}

/* The old cluster's volume is one no more, and the new one's can be deleted as any. */
static void test_afterwards(void **state)
{
	const struct wish *wish = &cases[0].wish;
	struct volume volume;
	struct error err;

	(void)state;
	scene_create(volumes, wish);
	assert_int_equal(volumes_find(volumes, scene_id(volumes, &old), &volume, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	scene_delete(volumes, &old);
	assert_int_equal(volumes_find(volumes, scene_id(volumes, wish), &volume, &err), 0);
	volume_done(&volume);
	scene_delete(volumes, wish);
	assert_int_equal(volumes_find(volumes, scene_id(volumes, wish), &volume, &err), -1);
}

/* The old cluster is not gone after all: its pod has the volume mounted. */
static void test_in_use(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *target = strdup(fixture_path(fixture, "pod"));
	struct error err;

	assert_int_equal(mkdir(target, 0755), 0);
	assert_int_equal(
		mount(fixture_path(fixture, "root/" PLACE), target, NULL, MS_BIND, NULL), 0);
	assert_int_equal(scene_try(volumes, &cases[0].wish, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
	assert_non_null(strstr(err.text, "are in use"));
	assert_int_equal(umount(target), 0);
	assert_string_equal(scene_create(volumes, &cases[0].wish), PLACE);
	check(fixture, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_afterwards, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_in_use, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
