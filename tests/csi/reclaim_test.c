/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of data when their volume is deleted, and who may have them afterwards.
 */
#include "scene.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base_check.h"
#include "fs_calls.h"

#define PLACE "shop/web/data-0"

static struct volumes *volumes;

static int setup(void **state)
{
	if (fixture_scratch(state) < 0)
		return -1;
	/* On the heap: a check that fails leaves the thread behind. */
	volumes = calloc(1, sizeof(*volumes));
	scene_start(*state, volumes);
	return 0;
}

static void stop(void)
{
	if (volumes) {
		volumes_stop(volumes);
		free(take_ptr(volumes));
	}
}

static int teardown(void **state)
{
	stop();
	return fixture_done(state);
}

static void restart(struct fixture *fixture)
{
	stop();
	volumes = calloc(1, sizeof(*volumes));
	scene_start(fixture, volumes);
}

/* The same holds now, and for the next process. */
static void check(struct fixture *fixture, size_t records, const char *foreign)
{
	const struct base_check base = {foreign, records};

	trash_wait(&volumes->trash);
	base_check(fixture->root, &base);
	restart(fixture);
	base_check(fixture->root, &base);
}

static bool is_in_archive(const char *path, const char *of)
{
	const char *prefix = ".ordinal/archive/";

	return !strncmp(path, prefix, strlen(prefix)) &&
	       !strncmp(path + strlen(prefix), of, strlen(of)) &&
	       path[strlen(prefix) + strlen(of)] == '/';
}

static void expect_at(struct fixture *fixture, const char *text, const char *path)
{
	assert_string_equal(base_find(fixture->root, text), path);
}

static void expect_archived(struct fixture *fixture, const char *text, const char *of)
{
	const char *path = base_find(fixture->root, text);

	if (!is_in_archive(path, of))
		fail_msg("%s is not in the archive of %s", path, of);
}

static void expect_error(const struct wish *wish, enum error_kind kind)
{
	struct error err;

	assert_int_equal(scene_try(volumes, wish, NULL, &err), -1);
	if (err.kind != kind)
		fail_msg("%s, but %s is right: %s", error_kind_name(err.kind),
			error_kind_name(kind), err.text);
}

/* A volume is deleted as ON_DELETE says, and SUCCESSOR comes. */
static void check_combination(
	struct fixture *fixture, enum on_delete on_delete, const struct wish *successor)
{
	struct wish wish = {.name = "pvc-1", .on_delete = on_delete};
	bool same = !successor->namespace_uid;
	bool takes = on_delete != ON_DELETE_DELETE && successor->reuse &&
		     (same || successor->any_namespace);
	bool beside = on_delete == ON_DELETE_RETAIN && !takes;
	const char *path;

	assert_string_equal(scene_fill(volumes, &wish, "one"), PLACE);
	scene_delete(volumes, &wish);
	path = scene_create(volumes, successor);
	assert_string_equal(path, beside ? PLACE "@pvc-2" : PLACE);
	check(fixture, on_delete == ON_DELETE_DELETE || takes ? 1 : 2, NULL);
	if (on_delete == ON_DELETE_DELETE)
		assert_int_equal(base_count(fixture->root, "one", NULL, 0), 0);
	else if (on_delete == ON_DELETE_ARCHIVE && !takes)
		expect_archived(fixture, "one", PLACE);
	else
		expect_at(fixture, "one", PLACE);
}

static void test_combinations(void **state)
{
	for (int i = 0; i < 3 * 2 * 2 * 2; i++) {
		struct wish successor = {
			.name = "pvc-2",
			.reuse = i & 1,
			.namespace_uid = i & 2 ? "uid-2" : NULL,
			.any_namespace = i & 4,
		};

		check_combination(*state, (enum on_delete)(i / 8), &successor);
		stop();
		base_clear(((struct fixture *)*state)->root);
		restart(*state);
	}
}

static void check_size(struct fixture *fixture, enum on_delete on_delete)
{
	struct wish old = {.name = "pvc-1", .on_delete = on_delete, .size = 8192};
	struct wish new = {.name = "pvc-2", .on_delete = on_delete, .reuse = true, .size = 4096};
	struct volume volume;
	struct error err;

	scene_fill(volumes, &old, "one");
	scene_delete(volumes, &old);
	expect_error(&new, ERROR_FAILED_PRECONDITION);
	if (on_delete == ON_DELETE_ARCHIVE)
		expect_archived(fixture, "one", PLACE);
	check(fixture, 1, NULL);
	expect_error(&new, ERROR_FAILED_PRECONDITION);
	new.size = 16384;
	assert_string_equal(scene_create(volumes, &new), PLACE);
	expect_at(fixture, "one", PLACE);
	assert_int_equal(volumes_find(volumes, scene_id(volumes, &new), &volume, &err), 0);
	assert_int_equal(volume.record->capacity, 16384);
	volume_done(&volume);
	check(fixture, 1, NULL);
}

static void test_smaller_claim_archived(void **state)
{
	check_size(*state, ON_DELETE_ARCHIVE);
}

static void test_smaller_claim_retained(void **state)
{
	check_size(*state, ON_DELETE_RETAIN);
}

/* The predecessor's data go beside the volume that has its place by now, and leave it alone. */
static void test_place_of_a_live_volume(void **state)
{
	struct wish old = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};
	struct wish other = {.name = "pvc-9", .ordinal = "9", .pattern = PLACE};
	struct wish new = {.name = "pvc-2", .on_delete = ON_DELETE_ARCHIVE, .reuse = true};

	scene_fill(volumes, &old, "one");
	scene_delete(volumes, &old);
	assert_string_equal(scene_fill(volumes, &other, "nine"), PLACE);
	assert_string_equal(scene_create(volumes, &new), PLACE "@pvc-2");
	expect_at(*state, "one", PLACE "@pvc-2");
	expect_at(*state, "nine", PLACE);
	check(*state, 2, NULL);
	scene_delete(volumes, &new);
	expect_archived(*state, "one", PLACE "@pvc-2");
	/* The place is free again: the next one goes there. */
	scene_delete(volumes, &other);
	new.name = "pvc-3";
	assert_string_equal(scene_create(volumes, &new), PLACE);
	expect_at(*state, "one", PLACE);
	check(*state, 1, NULL);
}

/* Another ordinal's retained data occupy a place that a class without reuse, or for another one,
 * wants. */
static void test_place_of_another_ones_retained_data(void **state)
{
	struct wish old = {.name = "pvc-1", .on_delete = ON_DELETE_RETAIN};
	struct wish other = {.name = "pvc-9", .ordinal = "9", .pattern = PLACE, .reuse = true};

	scene_fill(volumes, &old, "one");
	scene_delete(volumes, &old);
	assert_string_equal(scene_create(volumes, &other), PLACE "@pvc-9");
	expect_at(*state, "one", PLACE);
	check(*state, 2, NULL);
}

static void test_newest_wins(void **state)
{
	static const char *const names[] = {"pvc-1", "pvc-2", "pvc-3"};
	struct wish wish = {.on_delete = ON_DELETE_ARCHIVE};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		wish.name = names[i];
		wish.on_delete = i == 1 ? ON_DELETE_RETAIN : ON_DELETE_ARCHIVE;
		wish.pattern = i == 1 ? "kept/${ordinal}" : NULL;
		scene_fill(volumes, &wish, names[i]);
		scene_delete(volumes, &wish);
	}
	check(*state, 3, NULL);
	wish = (struct wish){.name = "pvc-4", .reuse = true};
	assert_string_equal(scene_create(volumes, &wish), PLACE);
	expect_at(*state, "pvc-3", PLACE);
	scene_delete(volumes, &wish);
	wish.name = "pvc-5";
	assert_string_equal(scene_create(volumes, &wish), "kept/0");
	expect_at(*state, "pvc-2", "kept/0");
	scene_delete(volumes, &wish);
	wish.name = "pvc-6";
	assert_string_equal(scene_create(volumes, &wish), PLACE);
	expect_at(*state, "pvc-1", PLACE);
	check(*state, 1, NULL);
}

static void test_retained_removed_by_hand(void **state)
{
	struct wish wish = {.name = "pvc-1", .on_delete = ON_DELETE_RETAIN};

	for (int i = 0; i < 2; i++) {
		wish.name = "pvc-1";
		wish.reuse = false;
		scene_fill(volumes, &wish, "one");
		scene_delete(volumes, &wish);
		base_remove(fixture_path(*state, "root/" PLACE));
		wish.name = "pvc-2";
		wish.reuse = i;
		wish.on_delete = ON_DELETE_DELETE;
		assert_string_equal(scene_create(volumes, &wish), PLACE);
		check(*state, 1, NULL);
		scene_delete(volumes, &wish);
		wish.on_delete = ON_DELETE_RETAIN;
	}
}

static void test_archive_removed_by_hand(void **state)
{
	struct wish wish = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};

	scene_fill(volumes, &wish, "one");
	scene_delete(volumes, &wish);
	base_remove(fixture_path(*state, "root/.ordinal/archive/shop"));
	wish.name = "pvc-2";
	wish.reuse = true;
	assert_string_equal(scene_create(volumes, &wish), PLACE);
	check(*state, 1, NULL);
}

/* A place that looks like what is in another one's archive. */
static void test_hostile_names(void **state)
{
	struct wish wish = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .pattern = "a/b"};
	struct wish hostile = {.name = "pvc-2", .on_delete = ON_DELETE_ARCHIVE};
	char pattern[512];

	scene_fill(volumes, &wish, "one");
	scene_delete(volumes, &wish);
	snprintf(pattern, sizeof(pattern), "%s",
		base_find(((struct fixture *)*state)->root, "one") + strlen(".ordinal/archive/"));
	hostile.pattern = pattern;
	scene_fill(volumes, &hostile, "two");
	scene_delete(volumes, &hostile);
	check(*state, 2, NULL);
	strcat(pattern, "/c");
	hostile.name = "pvc-3";
	scene_fill(volumes, &hostile, "three");
	scene_delete(volumes, &hostile);
	hostile.name = "pvc-4";
	hostile.pattern = "a";
	scene_fill(volumes, &hostile, "four");
	scene_delete(volumes, &hostile);
	check(*state, 4, NULL);
	expect_archived(*state, "one", "a/b");
	base_find(((struct fixture *)*state)->root, "two");
	base_find(((struct fixture *)*state)->root, "three");
	expect_archived(*state, "four", "a");
}

static void test_parents_are_pruned(void **state)
{
	struct wish deep = {
		.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .pattern = "a/b/c/${ordinal}"};
	struct wish other = {.name = "pvc-2", .ordinal = "1", .pattern = "a/b/d/${ordinal}"};

	scene_fill(volumes, &deep, "one");
	scene_fill(volumes, &other, "two");
	scene_delete(volumes, &deep);
	expect_archived(*state, "one", "a/b/c/0");
	assert_false(fixture_exists(fixture_path(*state, "root/a/b/c")));
	expect_at(*state, "two", "a/b/d/1");
	scene_delete(volumes, &other);
	assert_false(fixture_exists(fixture_path(*state, "root/a")));
	deep.reuse = true;
	scene_create(volumes, &deep);
	expect_at(*state, "one", "a/b/c/0");
	assert_false(fixture_exists(fixture_path(*state, "root/.ordinal/archive/a")));
	check(*state, 1, NULL);
}

/* DeleteVolume is repeated at once, and again when another volume has the place. */
static void check_late_deletions(struct fixture *fixture, enum on_delete on_delete, bool reuse)
{
	struct wish old = {.name = "pvc-1", .on_delete = on_delete};
	struct wish new = {.name = "pvc-2", .on_delete = on_delete, .reuse = reuse};
	const char *path;

	scene_fill(volumes, &old, "one");
	scene_delete(volumes, &old);
	scene_delete(volumes, &old);
	path = scene_fill(volumes, &new, "two");
	for (int i = 0; i < 2; i++) {
		scene_delete(volumes, &old);
		expect_at(fixture, "two", path);
		check(fixture, reuse ? 1 : 2, NULL);
	}
	scene_delete(volumes, &new);
	scene_delete(volumes, &old);
	check(fixture, reuse ? 1 : 2, NULL);
	base_find(fixture->root, "two");
}

static void test_late_deletions(void **state)
{
	check_late_deletions(*state, ON_DELETE_ARCHIVE, false);
}

static void test_late_deletions_of_reused(void **state)
{
	check_late_deletions(*state, ON_DELETE_ARCHIVE, true);
}

static void test_late_deletions_of_retained(void **state)
{
	check_late_deletions(*state, ON_DELETE_RETAIN, true);
}

static void test_late_deletions_beside_retained(void **state)
{
	check_late_deletions(*state, ON_DELETE_RETAIN, false);
}

/* A path that is as long as paths may be: the archive's name comes after it. */
static void test_long_path(void **state)
{
	char pattern[4096] = "";
	struct wish wish = {
		.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE, .pattern = pattern, .reuse = true};

	for (int i = 0; i < 10; i++)
		sprintf(pattern + strlen(pattern), "%s%0200d", i ? "/" : "", i);
	sprintf(pattern + strlen(pattern), "%0*d", (int)(PATH_MAX / 2 - 1 - strlen(pattern)), 0);
	scene_fill(volumes, &wish, "one");
	scene_delete(volumes, &wish);
	expect_archived(*state, "one", pattern);
	check(*state, 1, NULL);
	scene_create(volumes, &wish);
	expect_at(*state, "one", pattern);
	check(*state, 1, NULL);
}

/* For a moment the server, or the disk, does not answer. */

static const struct fs_calls *kernel;
static const char *broken; /* the path that cannot be opened */

static int broken_openat2(int dir, const char *path, const struct open_how *how)
{
	if (broken && strstr(path, broken)) {
		errno = EIO;
		return -1;
	}
	return kernel->openat2(dir, path, how);
}

static int setup_broken(void **state)
{
	static struct fs_calls calls;

	kernel = fs_calls;
	calls = *kernel;
	calls.openat2 = broken_openat2;
	fs_calls = &calls;
	return setup(state);
}

static int teardown_broken(void **state)
{
	broken = NULL;
	stop();
	fs_calls = kernel;
	return teardown(state);
}

/* Data that cannot be looked at are not data that are gone. */
static void test_retain_on_a_broken_disk(void **state)
{
	struct wish wish = {.name = "pvc-1", .on_delete = ON_DELETE_RETAIN};
	struct error err;

	scene_fill(volumes, &wish, "one");
	broken = PLACE;
	scene_try_delete(volumes, &wish, &err);
	broken = NULL;
	scene_delete(volumes, &wish);
	expect_at(*state, "one", PLACE);
	check(*state, 1, NULL);
}

static void check_take_on_a_broken_disk(
	struct fixture *fixture, enum on_delete on_delete, const char *what)
{
	struct wish old = {.name = "pvc-1", .on_delete = on_delete};
	struct wish new = {.name = "pvc-2", .on_delete = on_delete, .reuse = true};
	struct error err;

	scene_fill(volumes, &old, "one");
	scene_delete(volumes, &old);
	broken = what;
	assert_int_equal(scene_try(volumes, &new, NULL, &err), -1);
	broken = NULL;
	assert_string_equal(scene_create(volumes, &new), PLACE);
	expect_at(fixture, "one", PLACE);
	check(fixture, 1, NULL);
}

static void test_take_archived_on_a_broken_disk(void **state)
{
	check_take_on_a_broken_disk(*state, ON_DELETE_ARCHIVE, "Z-pvc-1");
}

static void test_take_retained_on_a_broken_disk(void **state)
{
	check_take_on_a_broken_disk(*state, ON_DELETE_RETAIN, PLACE);
}

static void test_start_on_a_broken_disk(void **state)
{
	struct wish old = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};
	struct wish other = {.name = "pvc-9", .ordinal = "9", .pattern = PLACE};
	struct wish new = {.name = "pvc-2", .reuse = true, .pattern = "new"};

	scene_fill(volumes, &old, "one");
	scene_delete(volumes, &old);
	scene_create(volumes, &other);
	broken = "Z-pvc-1";
	restart(*state);
	broken = NULL;
	restart(*state);
	assert_string_equal(scene_create(volumes, &new), "new");
	expect_at(*state, "one", "new");
	check(*state, 2, NULL);
}

/* Somebody has tidied up under the running driver: what it needs is made again. */
static void test_own_directories_removed_by_hand(void **state)
{
	struct wish plain = {.name = "pvc-1"};
	struct wish archived = {.name = "pvc-2", .on_delete = ON_DELETE_ARCHIVE};

	scene_fill(volumes, &plain, "one");
	base_remove(fixture_path(*state, "root/.ordinal/trash"));
	scene_delete(volumes, &plain);
	trash_wait(&volumes->trash);
	assert_int_equal(base_count(((struct fixture *)*state)->root, "one", NULL, 0), 0);
	scene_fill(volumes, &archived, "two");
	base_remove(fixture_path(*state, "root/.ordinal/archive"));
	scene_delete(volumes, &archived);
	expect_archived(*state, "two", PLACE);
	restart(*state);
	check(*state, 1, NULL);
}

/* Another call that comes, once, in the middle of one: when a directory is opened or removed. */

static struct {
	const char *opened, *removed;
	int (*call)(const struct wish *wish, struct error *err);
	const struct wish *wish;
	pthread_t thread;
	struct error err;
} other;

static void *run_other(void *unused)
{
	(void)unused;
	other.call(other.wish, &other.err);
	return NULL;
}

static void interrupt(void)
{
	other.opened = other.removed = NULL;
	assert_int_equal(pthread_create(&other.thread, NULL, run_other, NULL), 0);
	pthread_join(other.thread, NULL);
}

static int interrupted_openat2(int dir, const char *path, const struct open_how *how)
{
	if (other.opened && !strcmp(path, other.opened))
		interrupt();
	return kernel->openat2(dir, path, how);
}

static int interrupted_unlinkat(int dir, const char *name, int flags)
{
	if (other.removed && !strcmp(name, other.removed))
		interrupt();
	return kernel->unlinkat(dir, name, flags);
}

static int setup_interrupted(void **state)
{
	static struct fs_calls calls;

	kernel = fs_calls;
	calls = *kernel;
	calls.openat2 = interrupted_openat2;
	calls.unlinkat = interrupted_unlinkat;
	fs_calls = &calls;
	return setup(state);
}

static int call_create(const struct wish *wish, struct error *err)
{
	return scene_try(volumes, wish, NULL, err);
}

static int call_delete(const struct wish *wish, struct error *err)
{
	return volumes_delete(volumes, scene_id(volumes, wish), NULL, err);
}

/* A volume comes where the last directory of another one is being pruned. */
static void test_pruned_under_a_new_volume(void **state)
{
	struct wish old = {.name = "pvc-1", .pattern = "a/b"};
	struct wish new = {.name = "pvc-2", .pattern = "a"};

	scene_fill(volumes, &old, "one");
	other.removed = "a";
	other.call = call_create;
	other.wish = &new;
	scene_delete(volumes, &old);
	assert_string_equal(scene_create(volumes, &new), "a");
	check(*state, 1, NULL);
}

/* The predecessor is deleted while its successor is made: before it, so that the data are taken up,
 * or after it, so that the place was not free. */
static void check_deleted_meanwhile(struct fixture *fixture, enum on_delete on_delete)
{
	struct wish old = {.name = "pvc-1", .on_delete = on_delete};
	struct wish new = {.name = "pvc-2", .on_delete = on_delete, .reuse = true};

	scene_fill(volumes, &old, "one");
	other.opened = "shop";
	other.call = call_delete;
	other.wish = &old;
	if (!strcmp(scene_create(volumes, &new), PLACE))
		expect_at(fixture, "one", PLACE);
	base_find(fixture->root, "one");
	check(fixture, (size_t)-1, NULL);
}

static void test_archived_meanwhile(void **state)
{
	check_deleted_meanwhile(*state, ON_DELETE_ARCHIVE);
}

static void test_retained_meanwhile(void **state)
{
	check_deleted_meanwhile(*state, ON_DELETE_RETAIN);
}

/* The archive is there, its place is still being left. */
static void test_successor_while_place_is_left(void **state)
{
	struct wish old = {.name = "pvc-1", .on_delete = ON_DELETE_ARCHIVE};
	struct wish new = {.name = "pvc-2", .on_delete = ON_DELETE_ARCHIVE, .reuse = true};

	scene_fill(volumes, &old, "one");
	other.removed = "web";
	other.call = call_create;
	other.wish = &new;
	scene_delete(volumes, &old);
	assert_string_equal(scene_create(volumes, &new), PLACE);
	expect_at(*state, "one", PLACE);
	check(*state, 1, NULL);
}

int main(void)
{
#define TEST(name)        cmocka_unit_test_setup_teardown(name, setup, teardown)
#define INTERRUPTED(name) cmocka_unit_test_setup_teardown(name, setup_interrupted, teardown_broken)
#define BROKEN(name)      cmocka_unit_test_setup_teardown(name, setup_broken, teardown_broken)
	const struct CMUnitTest tests[] = {
		TEST(test_combinations),
		TEST(test_smaller_claim_archived),
		TEST(test_smaller_claim_retained),
		TEST(test_place_of_a_live_volume),
		TEST(test_place_of_another_ones_retained_data),
		TEST(test_newest_wins),
		TEST(test_retained_removed_by_hand),
		TEST(test_archive_removed_by_hand),
		TEST(test_hostile_names),
		TEST(test_parents_are_pruned),
		TEST(test_late_deletions),
		TEST(test_late_deletions_of_reused),
		TEST(test_late_deletions_of_retained),
		TEST(test_late_deletions_beside_retained),
		TEST(test_long_path),
		TEST(test_own_directories_removed_by_hand),
		BROKEN(test_retain_on_a_broken_disk),
		BROKEN(test_take_archived_on_a_broken_disk),
		BROKEN(test_take_retained_on_a_broken_disk),
		BROKEN(test_start_on_a_broken_disk),
		INTERRUPTED(test_pruned_under_a_new_volume),
		INTERRUPTED(test_archived_meanwhile),
		INTERRUPTED(test_retained_meanwhile),
		INTERRUPTED(test_successor_while_place_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
