/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that is really killed, at every call that changes something, while it takes a snapshot,
 * deletes one, or makes a volume of one: neither the snapshot nor what it is of is harmed, and
 * nothing half made is left.
 */
#include "scene.h"

#include <string.h>

#include "snapshot.h"
#include "snapshots.h"
#include "story.h"

static const char place[] = "shop/web/data-0";

/* How many snapshots there are; the first one's id goes to RET. */
static size_t list(struct volumes *volumes, char ret[VOLUME_ID_MAX + 1])
{
	const struct snapshot_filter all = {"", ""};
	struct snapshot_page page;
	struct error err;
	size_t count;

	if (snapshots_list(volumes, &all, "", 10, &page, &err) < 0)
		fail_msg("%s", err.text);
	count = page.count;
	if (count)
		strcpy(ret, page.snapshots[0].id);
	snapshot_page_done(&page);
	return count;
}

/* TEXT is in COUNT files, one of them that of the volume at PATH. */
static void check_text(struct fixture *fixture, const char *text, size_t count, const char *path)
{
	assert_int_equal(base_count(fixture->root, text, NULL, 0), count);
	assert_true(fixture_exists(fixture_path(fixture, "root/%s/content", path)));
}

/* Taking one. */

static const struct wish living = {.name = "pvc-1"};

static void fill_living(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &living, "one");
}

static int take(struct volumes *volumes, struct error *err)
{
	struct snapshot_request request = {.name = "snap", .source = scene_id(volumes, &living)};
	struct snapshot snapshot = {0};
	int result = snapshots_create(volumes, &request, &snapshot, err);

	snapshot_done(&snapshot);
	return result;
}

static void is_taken(struct fixture *fixture, struct volumes *volumes)
{
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(list(volumes, id), 1);
	check_text(fixture, "one", 2, place);
}

/* By the id that the caller was never told. */
static int delete_taken(struct volumes *volumes, struct error *err)
{
	struct volume_id id;
	char text[VOLUME_ID_MAX + 1];

	assert_int_equal(volume_id_parse(scene_id(volumes, &living), &id, err), 0);
	snapshot_hash("snap", &id.hash);
	assert_int_equal(volume_id_format_snapshot(&id, text, err), 0);
	return snapshots_delete(volumes, text, err);
}

static void is_not_taken(struct fixture *fixture, struct volumes *volumes)
{
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(list(volumes, id), 0);
	check_text(fixture, "one", 1, place);
}

static void test_take(void **state)
{
	static const struct story story = {
		.prepare = fill_living,
		.operation = take,
		.then = is_taken,
		.check = {.records = 2},
		.otherwise = delete_taken,
		.then_otherwise = is_not_taken,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

/* Deleting one. */

static const struct wish archived = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};
static const struct wish successor = {.name = "pvc-2", .reuse = true};
static char archive[VOLUME_ID_MAX + 1];

static void fill_archive(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &archived, "one");
	scene_delete(volumes, &archived);
	assert_int_equal(list(volumes, archive), 1);
}

static int delete_archive(struct volumes *volumes, struct error *err)
{
	return snapshots_delete(volumes, archive, err);
}

static void is_deleted(struct fixture *fixture, struct volumes *volumes)
{
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(list(volumes, id), 0);
	assert_int_equal(base_count(fixture->root, "one", NULL, 0), 0);
}

static int succeed(struct volumes *volumes, struct error *err)
{
	return scene_try(volumes, &successor, NULL, err);
}

/* With the data or without them: whichever came first. */
static void has_succeeded(struct fixture *fixture, struct volumes *volumes)
{
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(list(volumes, id), 0);
	assert_true(fixture_exists(fixture_path(fixture, "root/%s", place)));
}

static void test_delete(void **state)
{
	static const struct story story = {
		.prepare = fill_archive,
		.operation = delete_archive,
		.then = is_deleted,
		.otherwise = succeed,
		.then_otherwise = has_succeeded,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

/* A volume from one. */

static const struct parameters restored_parameters = {.mode = 0777,
	.uid = (uid_t)-1,
	.gid = (gid_t)-1,
	.namespace = "shop",
	.namespace_uid = "uid-1",
	.path_pattern = "restored"};
static const struct wish restored = {.name = "pvc-3"};

static int restore(struct volumes *volumes, struct error *err)
{
	struct parameters parameters = restored_parameters;
	struct volume_request request = {.name = restored.name,
		.size = {4096, 0},
		.source = archive,
		.parameters = &parameters};
	struct volume volume = {0};
	int result;

	fixture_locate(&parameters);
	result = volumes_create(volumes, &request, &volume, err);
	volume_done(&volume);
	return result;
}

static void is_restored(struct fixture *fixture, struct volumes *volumes)
{
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(list(volumes, id), 1);
	assert_string_equal(id, archive);
	check_text(fixture, "one", 2, "restored");
}

static int give_up(struct volumes *volumes, struct error *err)
{
	return scene_try_delete(volumes, &restored, err);
}

static void is_given_up(struct fixture *fixture, struct volumes *volumes)
{
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(list(volumes, id), 1);
	assert_string_equal(id, archive);
	assert_int_equal(base_count(fixture->root, "one", NULL, 0), 1);
}

static void test_restore(void **state)
{
	static const struct story story = {
		.prepare = fill_archive,
		.operation = restore,
		.then = is_restored,
		.check = {.records = 2},
		.otherwise = give_up,
		.then_otherwise = is_given_up,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_take),
		TEST(test_delete),
		TEST(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
