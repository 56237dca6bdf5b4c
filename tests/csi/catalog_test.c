/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fs_calls.h"
#include "place_index.h"

static void test_places(void **state)
{
	static const char *const taken[] = {"a/b", "a/b-c", "a/bb", "c", "d/e/f", "a/b@x", "é/ü"};
	static const struct {
		const char *path, *found;
	} cases[] = {
		{"a/b", "a/b"},
		{"a/b/x", "a/b"},
		{"a/b/x/y", "a/b"},
		{"a/b0", NULL},
		{"a/b-", NULL},
		{"a/b-c", "a/b-c"},
		{"c/x", "c"},
		{"cc", NULL},
		{"d", "d/e/f"},
		{"d/e", "d/e/f"},
		{"d/e/g", NULL},
		{"é", "é/ü"},
		{"e", NULL},
	};
	struct place_index index = {0};
	struct volume_hash hash = {"h"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		place_index_add(&index, taken[i], &hash);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct place *place = place_index_find(&index, cases[i].path);

		if (!place != !cases[i].found || (place && strcmp(place->path, cases[i].found)))
			fail_msg("%s: %s", cases[i].path, place ? place->path : "nothing");
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		place_index_remove(&index, taken[i]);
		place_index_remove(&index, taken[i]);
		assert_null(place_index_find(&index, taken[i]));
	}
	assert_int_equal(index.count, 0);
	place_index_done(&index);
}

static void test_many_places(void **state)
{
	struct place_index index = {0};
	struct volume_hash hash = {"h"};
	char path[32];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "ns/%d/x", i * 7919 % 2000);
		assert_null(place_index_find(&index, path));
		place_index_add(&index, path, &hash);
	}
	for (size_t i = 1; i < index.count; i++)
		assert_true(strcmp(index.places[i - 1].path, index.places[i].path) < 0);
	place_index_done(&index);
}

static void test_record(void **state)
{
	struct record record = {.state = RECORD_READY,
		.capacity = INT64_MAX,
		.mode = 0777,
		.uid = -1,
		.gid = 4294967294,
		.name = (char *)"a \"name\"\\/ with €",
		.place = (char *)"p",
		.path = (char *)"p@x",
		.template = (char *)"data",
		.cluster_uid = (char *)"u",
		.modified = 1};
	_cleanup_free_ char *text = record_encode(&record);
	_cleanup_(record_freep) struct record *back = NULL;
	struct error err;

	(void)state;
	assert_int_equal(record_decode(text, strlen(text), &back, &err), 0);
	assert_int_equal(back->state, RECORD_READY);
	assert_true(back->capacity == INT64_MAX && back->gid == 4294967294 && back->uid == -1);
	assert_string_equal(back->name, record.name);
	assert_string_equal(back->path, "p@x");
	assert_string_equal(back->template, "data");
	assert_string_equal(back->cluster_uid, "u");
	assert_int_equal(back->modified, 1);
	assert_null(back->claim);
}

#define REST "\"place\":\"p\",\"path\":\"p\",\"mode\":511,\"uid\":-1,\"gid\":-1,"

/* What an earlier version wrote, and what a later one may add. */
static void test_other_versions_records(void **state)
{
	static const char *const texts[] = {
		"{\"version\":1,\"state\":\"ready\",\"name\":\"n\"," REST "\"capacity\":7}",
		"{\"version\":1,\"state\":\"ready\",\"name\":\"n\"," REST
		"\"capacity\":7,\"later\":{}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(record_freep) struct record *record = NULL;

		assert_int_equal(record_decode(texts[i], strlen(texts[i]), &record, NULL), 0);
		assert_int_equal(record->capacity, 7);
		assert_null(record->cluster_uid);
		assert_int_equal(record->modified, 0);
		assert_int_equal(record->on_delete, ON_DELETE_DELETE);
	}
}

static void test_bad_records(void **state)
{
	static const char *const texts[] = {"", "null", "[]", "{}", "{\"version\":1",
		"{\"version\":2,\"state\":\"ready\",\"name\":\"n\"," REST "\"capacity\":0}",
		"{\"version\":1,\"state\":\"later\",\"name\":\"n\"," REST "\"capacity\":0}",
		"{\"version\":1,\"state\":\"ready\",\"name\":1," REST "\"capacity\":0}",
		"{\"version\":1,\"state\":\"ready\",\"name\":\"n\"," REST "\"capacity\":\"0\"}",
		"{\"version\":1,\"state\":\"ready\"," REST "\"capacity\":0}",
		"{\"version\":1,\"state\":\"ready\",\"name\":\"n\"," REST "\"capacity\":0} x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct record *record;
		struct error err;

		if (record_decode(texts[i], strlen(texts[i]), &record, &err) == 0)
			fail_msg("case %zu is taken", i);
		assert_int_equal(err.kind, ERROR_INTERNAL);
	}
}

static int open_root(struct fixture *fixture)
{
	return open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static const struct record some = {
	.name = (char *)"pvc-1", .place = (char *)"p", .path = (char *)"p"};

static void test_missing(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	struct catalog *catalog;
	struct error err;

	assert_int_equal(catalog_open(root, false, NULL, &catalog, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static enum record_state state_of(struct catalog *catalog, const struct volume_hash *hash)
{
	struct record *record;
	enum record_state state;
	struct error err;

	if (catalog_read(catalog, hash, &record, &err) < 0)
		fail_msg("%s", err.text);
	state = record->state;
	record_free(record);
	return state;
}

static void test_records_on_disk(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	_cleanup_free_ struct volume_hash *hashes = NULL;
	struct volume_hash hash, other;
	struct catalog *catalog;
	struct record *read;
	struct error err;
	size_t count;

	volume_id_hash("pvc-1", &hash);
	volume_id_hash("pvc-2", &other);
	assert_int_equal(catalog_open(root, true, NULL, &catalog, &err), 0);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	assert_int_equal(catalog_read(catalog, &hash, &read, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_int_equal(catalog_intend(catalog, &hash, &some, NULL, &err), 0);
	assert_int_equal(state_of(catalog, &hash), RECORD_CREATING);
	assert_int_equal(catalog_intend(catalog, &hash, &some, NULL, &err), 0);
	assert_int_equal(catalog_complete(catalog, &hash, &err), 0);
	assert_int_equal(catalog_sync(catalog, &err), 0);
	assert_int_equal(state_of(catalog, &hash), RECORD_READY);
	catalog_free(catalog);

	/* Another process, later. */
	assert_int_equal(catalog_open(root, false, NULL, &catalog, &err), 0);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	assert_int_equal(state_of(catalog, &hash), RECORD_READY);
	assert_int_equal(catalog_rename(catalog, &hash, &other, &err), 0);
	assert_false(catalog_has_record(catalog, &hash));
	assert_int_equal(catalog_list(catalog, &hashes, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(hashes[0].text, other.text);
	assert_int_equal(catalog_remove(catalog, &other, &err), 0);
	assert_int_equal(catalog_remove(catalog, &other, &err), 0);
	assert_false(catalog_has_record(catalog, &other));
	catalog_free(catalog);
}

/* A crash in the middle of writing an intent, and a later version's one. */
static void test_torn_intents(void **state)
{
	static const struct {
		const char *text;
		enum error_kind kind;
	} cases[] = {
		{"", ERROR_NOT_FOUND},
		{"{\"version\":1,\"state\":\"rea", ERROR_NOT_FOUND},
		{"{\"version\":9}", ERROR_INTERNAL},
	};
	struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(fixture);
	struct volume_hash hash;
	struct catalog *catalog;

	volume_id_hash("pvc-1", &hash);
	assert_int_equal(catalog_open(root, true, NULL, &catalog, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record *record;
		struct error err;

		fixture_write_file(
			fixture_path(fixture, "root/.ordinal/volumes/%s.intent", hash.text),
			cases[i].text);
		assert_int_equal(catalog_read(catalog, &hash, &record, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
	}
	catalog_free(catalog);
}

/* Nobody who only publishes needs to write below .ordinal. */
static void test_reading_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(fixture);
	struct catalog *catalog;

	mkdir(fixture_path(fixture, "root/.ordinal"), 0700);
	mkdir(fixture_path(fixture, "root/.ordinal/volumes"), 0700);
	mkdir(fixture_path(fixture, "root/.ordinal/trash"), 0700);
	assert_int_equal(catalog_open(root, false, NULL, &catalog, NULL), 0);
	assert_false(fixture_exists(fixture_path(fixture, "root/.ordinal/lock")));
	assert_int_equal(catalog_lock(catalog, NULL), 0);
	assert_true(fixture_exists(fixture_path(fixture, "root/.ordinal/lock")));
	assert_true(fixture_exists(fixture_path(fixture, "root/.ordinal/archive")));
	catalog_free(catalog);
}

static ssize_t write_to_full_disk(int fd, const void *bytes, size_t length)
{
	(void)fd;
	(void)bytes;
	(void)length;
	errno = ENOSPC;
	return -1;
}

static void test_full_disk_gathers_no_files(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(fixture);
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls full = *kernel;
	struct volume_hash hash;
	struct catalog *catalog;
	struct error err;

	assert_int_equal(catalog_open(root, true, NULL, &catalog, NULL), 0);
	volume_id_hash("pvc-1", &hash);
	full.write = write_to_full_disk;
	fs_calls = &full;
	assert_int_equal(catalog_write(catalog, &hash, &some, &err), -1);
	assert_int_equal(err.errnum, ENOSPC);
	assert_int_equal(catalog_intend(catalog, &hash, &some, NULL, &err), -1);
	assert_int_equal(err.errnum, ENOSPC);
	fs_calls = kernel;
	assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/volumes")), 0);
	catalog_free(catalog);
}

/* Somebody removed the file, or renamed it, and the next process locks another one. */
static void test_lost_lock(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(*state);
	_cleanup_(catalog_freep) struct catalog *catalog = NULL, *second = NULL;
	struct error err;

	assert_int_equal(catalog_open(root, true, NULL, &catalog, &err), 0);
	assert_int_equal(catalog_open(root, true, NULL, &second, &err), 0);
	assert_int_equal(catalog_check_lock(catalog, &err), -1);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	assert_int_equal(catalog_check_lock(catalog, &err), 0);
	assert_int_equal(unlink(fixture_path(fixture, "root/.ordinal/lock")), 0);
	assert_int_equal(catalog_lock(second, &err), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(catalog_check_lock(catalog, &err), -1);
		assert_int_equal(err.kind, ERROR_UNAVAILABLE);
		assert_non_null(strstr(err.text, "lost"));
	}
	assert_int_equal(catalog_lock(catalog, &err), -1);
	assert_int_equal(catalog_check_lock(second, &err), 0);
	catalog_unlock(second);
	assert_int_equal(catalog_check_lock(second, &err), -1);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	assert_int_equal(catalog_check_lock(catalog, &err), 0);
	assert_int_equal(rename(fixture_path(fixture, "root/.ordinal/lock"),
				 fixture_path(fixture, "root/.ordinal/old")),
		0);
	assert_int_equal(catalog_check_lock(catalog, &err), -1);
	assert_int_equal(catalog_lock(second, &err), 0);
}

/* The file says that another had it: what was read is old. */
static void test_lock_with_another_sign(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	_cleanup_(catalog_freep) struct catalog *catalog = NULL;
	struct error err;

	assert_int_equal(catalog_open(root, true, NULL, &catalog, &err), 0);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	fixture_write_file(fixture_path(*state, "root/.ordinal/lock"), "process 1 on elsewhere");
	assert_int_equal(catalog_check_lock(catalog, &err), -1);
	assert_non_null(strstr(err.text, "process 1 on elsewhere had it since"));
	assert_int_equal(catalog_lock(catalog, &err), 0);
}

/* The lock is the open file's: it ends with the process, and holds against any other. */
static void test_lock(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	struct catalog *catalog;
	struct error err;
	int status;
	pid_t child;

	assert_int_equal(catalog_open(root, true, NULL, &catalog, &err), 0);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	child = fork();
	if (child == 0) {
		struct catalog *second;

		if (catalog_open(root, false, NULL, &second, &err) < 0 ||
			catalog_lock(second, &err) == 0)
			_exit(1);
		_exit(err.kind == ERROR_UNAVAILABLE && strstr(err.text, "held by process") ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	catalog_unlock(catalog);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	catalog_free(catalog);
	assert_int_equal(catalog_open(root, false, NULL, &catalog, &err), 0);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	catalog_free(catalog);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_many_places),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_other_versions_records),
		cmocka_unit_test(test_bad_records),
		TEST(test_missing),
		TEST(test_records_on_disk),
		TEST(test_torn_intents),
		TEST(test_reading_changes_nothing),
		TEST(test_full_disk_gathers_no_files),
		TEST(test_lost_lock),
		TEST(test_lock_with_another_sign),
		TEST(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
