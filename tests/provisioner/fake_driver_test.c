/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_driver.h"

#include <pthread.h>
#include <string.h>

#include "testing.h"

static int create(const struct csi_driver *table, const char *name, int64_t bytes,
	char **ret_handle, struct error *err)
{
	static const struct string_map parameters = {0};
	const struct csi_create_request request = {.name = name,
		.required_bytes = bytes,
		.parameters = &parameters,
		.fs_type = "ext4"};
	struct csi_volume volume;

	if (table->create_volume(table->self, &request, &volume, err) < 0)
		return -1;
	*ret_handle = strdup(volume.handle);
	csi_volume_done(&volume);
	return 0;
}

/* One name, one volume; other parameters are refused, and remembered. */
static void test_idempotent(void **state)
{
	_cleanup_(fake_driver_freep) struct fake_driver *driver = fake_driver_new(NULL);
	const struct csi_driver table = fake_driver_table(driver);
	_cleanup_free_ char *one = NULL, *two = NULL, *three = NULL, *mismatch = NULL;
	struct error err;

	(void)state;
	assert_int_equal(create(&table, "a", 5, &one, &err), 0);
	assert_int_equal(create(&table, "a", 5, &two, &err), 0);
	assert_string_equal(one, two);
	assert_int_equal(create(&table, "a", 6, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_ALREADY_EXISTS);
	mismatch = fake_driver_mismatch(driver);
	assert_string_equal(mismatch, "a is 5 {} modes[] options[] fs=ext4, and was asked for as "
				      "6 {} modes[] options[] fs=ext4");
	assert_int_equal(table.delete_volume(table.self, "a.7", NULL, &err), 0);
	assert_true(fake_driver_has(driver, "a"));
	assert_int_equal(table.delete_volume(table.self, one, NULL, &err), 0);
	assert_int_equal(table.delete_volume(table.self, one, NULL, &err), 0);
	assert_false(fake_driver_has(driver, "a"));
	assert_int_equal(create(&table, "a", 6, &three, &err), 0);
	assert_string_not_equal(one, three);
	assert_int_equal(fake_driver_count(driver).made, 2);
	assert_int_equal(fake_driver_count(driver).removed, 1);
}

static bool is_open(enum error_kind kind)
{
	return kind == ERROR_TIMEOUT || kind == ERROR_UNAVAILABLE || kind == ERROR_ABORTED ||
	       kind == ERROR_CANCELLED;
}

/* Of the calls that fail, those with a final error did nothing; of the others some did. */
static void test_faults(void **state)
{
	const struct fake_driver_options options = {.seed = 3, .intensity = 500};
	_cleanup_(fake_driver_freep) struct fake_driver *driver = fake_driver_new(&options);
	const struct csi_driver table = fake_driver_table(driver);
	size_t final = 0, open = 0, done = 0;
	struct error err;

	(void)state;
	for (int i = 0; i < 400; i++) {
		_cleanup_free_ char *handle = NULL;
		char name[16];

		snprintf(name, sizeof(name), "v%d", i);
		if (create(&table, name, 1, &handle, &err) == 0)
			continue;
		open += is_open(err.kind);
		final += !is_open(err.kind);
		done += fake_driver_has(driver, name);
		assert_false(!is_open(err.kind) && fake_driver_has(driver, name));
	}
	assert_true(final > 10 && done > 10 && open > done);
	assert_int_equal(fake_driver_count(driver).faults, final + open);
	fake_driver_stop_faults(driver);
	for (int i = 0; i < 400; i++) {
		_cleanup_free_ char *handle = NULL;
		char name[16];

		snprintf(name, sizeof(name), "v%d", i);
		assert_int_equal(create(&table, name, 1, &handle, &err), 0);
		assert_int_equal(table.delete_volume(table.self, handle, NULL, &err), 0);
	}
	assert_int_equal(fake_driver_count(driver).volumes, 0);
	assert_int_equal(fake_driver_count(driver).mismatches, 0);
}

static void *create_some(void *context)
{
	const struct csi_driver *table = context;
	struct error err;

	for (int i = 0; i < 50; i++) {
		_cleanup_free_ char *handle = NULL;

		if (create(table, "same", 1, &handle, &err) < 0 && err.kind != ERROR_ABORTED)
			abort();
	}
	return NULL;
}

/* Two callers for one volume: one of them is told to come again. */
static void test_overlap(void **state)
{
	const struct fake_driver_options options = {.seed = 1, .slow_ms = 2};
	_cleanup_(fake_driver_freep) struct fake_driver *driver = fake_driver_new(&options);
	struct csi_driver table = fake_driver_table(driver);
	pthread_t threads[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, create_some, &table), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fake_driver_count(driver).made, 1);
	assert_int_equal(fake_driver_count(driver).creates, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idempotent),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
