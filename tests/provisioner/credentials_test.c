/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <string.h>

#include "testing.h"

/* Credentials from a token's file, and the handle that they are for. */
struct fixture {
	char *folder;
	struct kube_config config;
	struct credentials *credentials;
	CURL *handle;
	unsigned generation;
};

static void begin(struct fixture *fixture, int file_age_s)
{
	*fixture = (struct fixture){.folder = make_folder(), .handle = curl_easy_init()};
	fixture->config.token_file = write_file(fixture->folder, "token", "first");
	fixture->credentials = credentials_new(&fixture->config, file_age_s);
	assert_int_equal(credentials_apply(
				 fixture->credentials, fixture->handle, &fixture->generation, NULL),
		0);
	assert_true(fixture->generation > 0);
}

static void end(struct fixture *fixture)
{
	credentials_free(fixture->credentials);
	curl_easy_cleanup(fixture->handle);
	free(fixture->config.token_file);
	remove_folder(fixture->folder);
}

static unsigned generation(struct fixture *fixture)
{
	unsigned found = 0;

	assert_int_equal(credentials_apply(fixture->credentials, fixture->handle, &found, NULL), 0);
	return found;
}

static bool has_changed(void *context)
{
	struct fixture *fixture = context;

	return generation(fixture) > fixture->generation;
}

/* The file is read again by itself, and not for each request. */
static void test_file_ages(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, 3600);
	for (int i = 0; i < 10; i++)
		assert_false(has_changed(&fixture));
	end(&fixture);
	begin(&fixture, 1);
	assert_true(wait_until(has_changed, &fixture));
	end(&fixture);
}

/* Many are refused at once, and learn it one after the other: they are replaced once. */
static void test_refuse(void **state)
{
	struct fixture fixture;
	unsigned second;

	(void)state;
	begin(&fixture, 3600);
	credentials_refuse(fixture.credentials, fixture.generation);
	credentials_refuse(fixture.credentials, fixture.generation);
	second = generation(&fixture);
	assert_int_equal(second, fixture.generation + 1);
	credentials_refuse(fixture.credentials, fixture.generation);
	assert_int_equal(generation(&fixture), second);
	credentials_refuse(fixture.credentials, second);
	assert_int_equal(generation(&fixture), second + 1);
	end(&fixture);
}

/* A file that is gone is no missing object; and when it is back all is well. */
static void test_file_is_gone(void **state)
{
	struct fixture fixture;
	struct error err = {0};
	unsigned found = 7;

	(void)state;
	begin(&fixture, 3600);
	credentials_refuse(fixture.credentials, fixture.generation);
	assert_int_equal(remove(fixture.config.token_file), 0);
	assert_int_equal(credentials_apply(fixture.credentials, fixture.handle, &found, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(found, 7);
	free(write_file(fixture.folder, "token", "second"));
	assert_int_equal(generation(&fixture), fixture.generation + 1);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_ages),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_file_is_gone),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
