/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that is really killed, at every call that changes something, before it and right after
 * it, while it makes, deletes, archives, retains, takes up, expires or expands a volume. The next
 * process must finish or undo what was begun, and no data may be lost.
 */
#include "scene.h"

#include <string.h>
#include <sys/stat.h>

#include "base_check.h"
#include "story.h"

/* The volume of WISH is ready at PATH, with its directory. */
static void check_ready(
	struct fixture *fixture, struct volumes *volumes, const struct wish *wish, const char *path)
{
	struct volume volume;
	struct error err;

	if (volumes_find(volumes, scene_id(volumes, wish), &volume, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(volume.record->path, path);
	assert_true(fixture_exists(fixture_path(fixture, "root/%s", path)));
	volume_done(&volume);
}

static void check_gone(struct volumes *volumes, const struct wish *wish)
{
	struct volume volume;
	struct error err;

	assert_int_equal(volumes_find(volumes, scene_id(volumes, wish), &volume, &err), -1);
	if (err.kind != ERROR_NOT_FOUND && err.kind != ERROR_FAILED_PRECONDITION)
		fail_msg("%s", err.text);
}

static void check_at(struct fixture *fixture, const char *text, const char *path)
{
	assert_string_equal(base_find(fixture->root, text), path);
}

static void check_archived(struct fixture *fixture, const char *text, const char *path)
{
	const char *found = base_find(fixture->root, text);
	const char *prefix = ".ordinal/archive/";

	if (strncmp(found, prefix, strlen(prefix)) ||
		strncmp(found + strlen(prefix), path, strlen(path)) ||
		found[strlen(prefix) + strlen(path)] != '/')
		fail_msg("%s is not in the archive of %s", found, path);
}

static const char place[] = "shop/web/data-0";

/* Deleting when the base has no catalog yet cannot tell a volume that never was. */
static int delete_if_any(struct volumes *volumes, const struct wish *wish, struct error *err)
{
	if (scene_try_delete(volumes, wish, err) < 0 && err->kind != ERROR_FAILED_PRECONDITION)
		return -1;
	return 0;
}

/* Making a volume. */

static const struct wish plain = {.name = "pvc-1"};

static int make_plain(struct volumes *volumes, struct error *err)
{
	return scene_try(volumes, &plain, NULL, err);
}

static int delete_plain(struct volumes *volumes, struct error *err)
{
	return delete_if_any(volumes, &plain, err);
}

static void plain_is_ready(struct fixture *fixture, struct volumes *volumes)
{
	check_ready(fixture, volumes, &plain, place);
}

static void plain_is_gone(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &plain);
	assert_false(fixture_exists(fixture_path(fixture, "root/%s", place)));
}

static void test_create(void **state)
{
	static const struct story story = {
		.operation = make_plain,
		.then = plain_is_ready,
		.check = {.records = 1},
		.otherwise = delete_plain,
		.then_otherwise = plain_is_gone,
	};

	story_run(*state, &story);
}

/* Making one where somebody else's data lie. */

static void put_foreign(struct fixture *fixture)
{
	assert_int_equal(mkdir(fixture_path(fixture, "root/shop"), 0755), 0);
	assert_int_equal(mkdir(fixture_path(fixture, "root/shop/web"), 0755), 0);
	assert_int_equal(mkdir(fixture_path(fixture, "root/%s", place), 0755), 0);
	fixture_write_file(fixture_path(fixture, "root/%s/content", place), "foreign");
}

static void plain_is_beside(struct fixture *fixture, struct volumes *volumes)
{
	check_at(fixture, "foreign", place);
	check_ready(fixture, volumes, &plain, "shop/web/data-0@pvc-1");
}

static void foreign_is_alone(struct fixture *fixture, struct volumes *volumes)
{
	check_at(fixture, "foreign", place);
	check_gone(volumes, &plain);
	assert_false(fixture_exists(fixture_path(fixture, "root/shop/web/data-0@pvc-1")));
}

static void test_create_beside(void **state)
{
	static const struct story story = {
		.stopped = put_foreign,
		.operation = make_plain,
		.then = plain_is_beside,
		.check = {.records = 1, .foreign = place},
		.otherwise = delete_plain,
		.then_otherwise = foreign_is_alone,
		.check_otherwise = {.foreign = place},
	};

	story_run(*state, &story);
}

/* Deleting one, each way. */

static const struct wish archived = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};
static const struct wish retained = {.name = "pvc-1", .on_delete = ON_DELETE_RETAIN};

static void fill_plain(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &plain, "one");
}

static void fill_archived(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &archived, "one");
}

static void fill_retained(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &retained, "one");
}

static int do_nothing(struct volumes *volumes, struct error *err)
{
	(void)volumes;
	(void)err;
	return 0;
}

static void plain_is_removed(struct fixture *fixture, struct volumes *volumes)
{
	plain_is_gone(fixture, volumes);
	assert_int_equal(base_count(fixture->root, "one", NULL, 0), 0);
}

static void test_delete(void **state)
{
	static const struct story story = {
		.prepare = fill_plain,
		.operation = delete_plain,
		.then = plain_is_removed,
		.otherwise = delete_plain,
		.then_otherwise = plain_is_removed,
	};

	story_run(*state, &story);
}

/* The driver starts again and nobody calls: whatever was done, it was done to its end. */
static void one_is_whole(struct fixture *fixture, struct volumes *volumes)
{
	struct volume volume;
	struct error err;

	if (volumes_find(volumes, scene_id(volumes, &plain), &volume, &err) == 0) {
		check_at(fixture, "one", place);
		volume_done(&volume);
	} else {
		base_find(fixture->root, "one");
	}
}

static void one_is_archived(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &archived);
	check_archived(fixture, "one", place);
	assert_false(fixture_exists(fixture_path(fixture, "root/%s", place)));
}

static void test_archive(void **state)
{
	static const struct story story = {
		.prepare = fill_archived,
		.operation = delete_plain,
		.then = one_is_archived,
		.check = {.records = 1},
		.otherwise = do_nothing,
		.then_otherwise = one_is_whole,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

static void one_is_retained(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &retained);
	check_at(fixture, "one", place);
}

static void test_retain(void **state)
{
	static const struct story story = {
		.prepare = fill_retained,
		.operation = delete_plain,
		.then = one_is_retained,
		.check = {.records = 1},
		.otherwise = do_nothing,
		.then_otherwise = one_is_whole,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

/* Taking up what a predecessor left. */

static const struct wish taker = {.name = "pvc-2", .reuse = true, .on_delete = ON_DELETE_ARCHIVE};
static const struct wish keeper = {.name = "pvc-2", .reuse = true, .on_delete = ON_DELETE_RETAIN};
static const struct wish old_archived = {
	.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .pattern = "old/x/${ordinal}"};
static const struct wish old_retained = {
	.name = "pvc-1", .on_delete = ON_DELETE_RETAIN, .pattern = "old/x/${ordinal}"};

static void leave_archived(struct fixture *fixture, struct volumes *volumes)
{
	fill_archived(fixture, volumes);
	scene_delete(volumes, &archived);
}

static void leave_retained(struct fixture *fixture, struct volumes *volumes)
{
	fill_retained(fixture, volumes);
	scene_delete(volumes, &retained);
}

static void leave_old_archived(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &old_archived, "one");
	scene_delete(volumes, &old_archived);
}

static void leave_old_retained(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &old_retained, "one");
	scene_delete(volumes, &old_retained);
}

static int take(struct volumes *volumes, struct error *err)
{
	return scene_try(volumes, &taker, NULL, err);
}

static int keep(struct volumes *volumes, struct error *err)
{
	return scene_try(volumes, &keeper, NULL, err);
}

/* The caller changes its mind, and another volume comes. */
static int delete_and_take_later(struct volumes *volumes, struct error *err)
{
	struct wish later = taker;

	later.name = "pvc-3";
	return scene_try_delete(volumes, &taker, err) < 0 ? -1
							  : scene_try(volumes, &later, NULL, err);
}

static int delete_taker(struct volumes *volumes, struct error *err)
{
	return scene_try_delete(volumes, &taker, err);
}

static void one_is_in_taker(struct fixture *fixture, struct volumes *volumes)
{
	check_ready(fixture, volumes, &taker, place);
	check_at(fixture, "one", place);
}

static void one_is_in_old_taker(struct fixture *fixture, struct volumes *volumes)
{
	check_ready(fixture, volumes, &taker, "old/x/0");
	check_at(fixture, "one", "old/x/0");
}

static void one_is_in_later(struct fixture *fixture, struct volumes *volumes)
{
	struct wish later = taker;

	later.name = "pvc-3";
	check_gone(volumes, &taker);
	check_ready(fixture, volumes, &later, place);
	check_at(fixture, "one", place);
}

static void one_is_in_some_archive(struct fixture *fixture, struct volumes *volumes)
{
	const char *prefix = ".ordinal/archive/";

	check_gone(volumes, &taker);
	assert_int_equal(strncmp(base_find(fixture->root, "one"), prefix, strlen(prefix)), 0);
}

static void one_is_kept(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &taker);
	check_at(fixture, "one", place);
}

static void one_is_kept_at_old(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &taker);
	check_at(fixture, "one", "old/x/0");
}

static void test_take_archived(void **state)
{
	static const struct story story = {
		.prepare = leave_archived,
		.operation = take,
		.then = one_is_in_taker,
		.check = {.records = 1},
		.otherwise = delete_taker,
		.then_otherwise = one_is_in_some_archive,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

static void test_take_archived_then_another(void **state)
{
	static const struct story story = {
		.prepare = leave_archived,
		.operation = take,
		.then = one_is_in_taker,
		.check = {.records = 1},
		.otherwise = delete_and_take_later,
		.then_otherwise = one_is_in_later,
		.check_otherwise = {.records = 1},
	};

	story_run_otherwise(*state, &story);
}

static void test_take_archived_of_elsewhere(void **state)
{
	static const struct story story = {
		.prepare = leave_old_archived,
		.operation = take,
		.then = one_is_in_taker,
		.check = {.records = 1},
		.otherwise = delete_taker,
		.then_otherwise = one_is_in_some_archive,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

static void one_is_in_taker_beside(struct fixture *fixture, struct volumes *volumes)
{
	check_ready(fixture, volumes, &taker, "shop/web/data-0@pvc-2");
	check_at(fixture, "one", "shop/web/data-0@pvc-2");
	check_at(fixture, "foreign", place);
}

static void test_take_archived_beside(void **state)
{
	static const struct story story = {
		.prepare = leave_archived,
		.stopped = put_foreign,
		.operation = take,
		.then = one_is_in_taker_beside,
		.check = {.records = 1, .foreign = place},
		.otherwise = delete_taker,
		.then_otherwise = one_is_in_some_archive,
		.check_otherwise = {.records = 1, .foreign = place},
	};

	story_run(*state, &story);
}

static void test_take_retained(void **state)
{
	static const struct story story = {
		.prepare = leave_retained,
		.operation = keep,
		.then = one_is_in_taker,
		.check = {.records = 1},
		.otherwise = delete_taker,
		.then_otherwise = one_is_kept,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

static void test_take_retained_then_another(void **state)
{
	static const struct story story = {
		.prepare = leave_retained,
		.operation = keep,
		.then = one_is_in_taker,
		.check = {.records = 1},
		.otherwise = delete_and_take_later,
		.then_otherwise = one_is_in_later,
		.check_otherwise = {.records = 1},
	};

	story_run_otherwise(*state, &story);
}

static void test_take_retained_of_elsewhere(void **state)
{
	static const struct story story = {
		.prepare = leave_old_retained,
		.operation = keep,
		.then = one_is_in_old_taker,
		.check = {.records = 1},
		.otherwise = delete_taker,
		.then_otherwise = one_is_kept_at_old,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

/* The name of a volume whose data are still kept is used again. */

static int make_again(struct volumes *volumes, struct error *err)
{
	return scene_try(volumes, &plain, NULL, err);
}

static void again_beside_archive(struct fixture *fixture, struct volumes *volumes)
{
	check_ready(fixture, volumes, &plain, place);
	check_archived(fixture, "one", place);
}

static void archive_is_alone(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &plain);
	check_archived(fixture, "one", place);
}

static void test_name_of_an_archive(void **state)
{
	static const struct story story = {
		.prepare = leave_archived,
		.operation = make_again,
		.then = again_beside_archive,
		.check = {.records = 2},
		.otherwise = delete_plain,
		.then_otherwise = archive_is_alone,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

static const struct wish same_taker = {
	.name = "pvc-1", .reuse = true, .on_delete = ON_DELETE_ARCHIVE};

static int take_same(struct volumes *volumes, struct error *err)
{
	return scene_try(volumes, &same_taker, NULL, err);
}

static void one_is_in_same_taker(struct fixture *fixture, struct volumes *volumes)
{
	check_ready(fixture, volumes, &same_taker, place);
	check_at(fixture, "one", place);
}

static void test_take_the_archive_of_the_same_name(void **state)
{
	static const struct story story = {
		.prepare = leave_archived,
		.operation = take_same,
		.then = one_is_in_same_taker,
		.check = {.records = 1},
		.otherwise = delete_plain,
		.then_otherwise = archive_is_alone,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

/* A name that was used before comes back, while its successor still says whose data it took. */

static const struct wish aside = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .ordinal = "1"};

static void leave_a_reused_name(struct fixture *fixture, struct volumes *volumes)
{
	leave_archived(fixture, volumes);
	scene_create(volumes, &taker);
	scene_fill(volumes, &aside, "two");
}

static void two_is_archived(struct fixture *fixture, struct volumes *volumes)
{
	one_is_in_taker(fixture, volumes);
	check_archived(fixture, "two", "shop/web/data-1");
}

static void two_is_whole(struct fixture *fixture, struct volumes *volumes)
{
	one_is_in_taker(fixture, volumes);
	base_find(fixture->root, "two");
}

static void test_archive_under_a_name_that_was_taken_up(void **state)
{
	static const struct story story = {
		.prepare = leave_a_reused_name,
		.operation = delete_plain,
		.then = two_is_archived,
		.check = {.records = 2},
		.otherwise = do_nothing,
		.then_otherwise = two_is_whole,
		.check_otherwise = {.records = 2},
	};

	story_run(*state, &story);
}

/* Archives that are old enough. */

static const struct wish brief = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .ttl = 1000};
static const struct wish lasting = {
	.name = "pvc-2", .on_delete = ON_DELETE_ARCHIVE, .ttl = 1000, .ordinal = "1"};

static void leave_two_archives(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &brief, "one");
	scene_delete(volumes, &brief);
	scene_fill(volumes, &lasting, "two");
	scene_delete(volumes, &lasting);
}

/* The archive of BRIEF is years old. */
static void age(struct fixture *fixture)
{
	struct volume_hash hash;
	_cleanup_fclose_ FILE *file = NULL;
	char text[4096] = "", *retired;

	volume_id_hash(brief.name, &hash);
	file = fopen(fixture_path(fixture, "root/.ordinal/volumes/%s.json", hash.text), "r+");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	retired = strstr(text, "\"retired\":");
	assert_non_null(retired);
	retired += strlen("\"retired\":");
	assert_true(*retired == '1');
	/* Microseconds without their last digit. */
	memmove(retired, retired + 1, strlen(retired));
	rewind(file);
	assert_int_equal(ftruncate(fileno(file), 0), 0);
	assert_true(fputs(text, file) >= 0);
}

static void one_is_expired(struct fixture *fixture, struct volumes *volumes)
{
	check_gone(volumes, &brief);
	assert_int_equal(base_count(fixture->root, "one", NULL, 0), 0);
	check_archived(fixture, "two", "shop/web/data-1");
}

static void test_expire(void **state)
{
	static const struct story story = {
		.prepare = leave_two_archives,
		.stopped = age,
		.operation = do_nothing,
		.then = one_is_expired,
		.check = {.records = 1},
		.otherwise = delete_plain,
		.then_otherwise = one_is_expired,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

/* Expanding. */

static int expand(struct volumes *volumes, struct error *err)
{
	struct volume_size size = {8192, 0};
	int64_t capacity;

	return volumes_expand(volumes, scene_id(volumes, &plain), &size, NULL, &capacity, err);
}

static void plain_is_larger(struct fixture *fixture, struct volumes *volumes)
{
	struct volume volume;
	struct error err;

	plain_is_ready(fixture, volumes);
	check_at(fixture, "one", place);
	assert_int_equal(volumes_find(volumes, scene_id(volumes, &plain), &volume, &err), 0);
	assert_int_equal(volume.record->capacity, 8192);
	volume_done(&volume);
}

static void test_expand(void **state)
{
	static const struct story story = {
		.prepare = fill_plain,
		.operation = expand,
		.then = plain_is_larger,
		.check = {.records = 1},
		.otherwise = delete_plain,
		.then_otherwise = plain_is_removed,
	};

	story_run(*state, &story);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_create_beside),
		TEST(test_delete),
		TEST(test_archive),
		TEST(test_retain),
		TEST(test_take_archived),
		TEST(test_take_archived_then_another),
		TEST(test_take_archived_of_elsewhere),
		TEST(test_take_archived_beside),
		TEST(test_take_retained),
		TEST(test_take_retained_then_another),
		TEST(test_take_retained_of_elsewhere),
		TEST(test_name_of_an_archive),
		TEST(test_take_the_archive_of_the_same_name),
		TEST(test_archive_under_a_name_that_was_taken_up),
		TEST(test_expire),
		TEST(test_expand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
