/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "csi_fixture.h"
#include "testing.h"

/* No answer of these says whether there is a volume: none is final. */
static void test_wrong_answers(void **state)
{
	static const struct {
		struct scripted_rule rule;
		const char *text;
	} rows[] = {
		{{.answer = SCRIPTED_EMPTY}, "the driver answered without a volume"},
		{{.answer = SCRIPTED_NO_ID}, "the driver answered without a volume id"},
		{{.answer = SCRIPTED_RAW_ID, .text = "h1\0x", .size = 4},
			"the answer to CreateVolume: volume: volume_id: holds a NUL byte"},
		{{.answer = SCRIPTED_RAW_ID, .text = "h\xc3", .size = 2},
			"the answer to CreateVolume: volume: volume_id: is not valid UTF-8"},
		{{.answer = SCRIPTED_RAW_VALUE, .text = "\xff", .size = 1},
			"the answer to CreateVolume: volume: volume_context: value: is not valid "
			"UTF-8"},
		{{.answer = SCRIPTED_RAW_VALUE, .text = "a\0", .size = 2},
			"the answer to CreateVolume: volume: volume_context: value: holds a NUL "
			"byte"},
		{{.answer = SCRIPTED_LONG_ID, .size = 4097},
			"the driver answered with a volume id of more than 4096 bytes"},
		{{.answer = SCRIPTED_MANY, .size = 100000},
			"the driver answered with a volume context and topology of more than "
			"262144 bytes"},
		{{.answer = SCRIPTED_CAPACITY, .size = -1},
			"the driver answered with a negative capacity"},
		{{.answer = SCRIPTED_GARBAGE}, "the answer to CreateVolume does not decode"},
		{{.answer = SCRIPTED_OVERSIZED},
			"the answer to CreateVolume is larger than 16777216 bytes"},
	};

	(void)state;
	csi_fixture_ready(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct csi_volume volume;

		scripted_driver_set(csi_fixture.server, &rows[i].rule, 1);
		assert_case(rows[i].text, csi_fixture_create(&csi_fixture_plain, &volume) == -1);
		assert_case_text(rows[i].text, csi_fixture.err.text, rows[i].text);
		assert_case(rows[i].text, csi_fixture.err.kind == ERROR_ABORTED);
	}
}

/* What the specification does not like, and drivers that exist do. */
static void test_odd_answers(void **state)
{
	static const struct scripted_rule rows[] = {
		{.answer = SCRIPTED_LONG_ID, .size = 400}, {.answer = SCRIPTED_MANY, .size = 1000},
		{.answer = SCRIPTED_CAPACITY, .size = 0},
		{.answer = SCRIPTED_CAPACITY, .size = 5}, /* for the controller to judge */
	};
	struct csi_volume volume;

	(void)state;
	csi_fixture_ready(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scripted_driver_set(csi_fixture.server, &rows[i], 1);
		assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
		if (rows[i].answer == SCRIPTED_LONG_ID)
			assert_int_equal(strlen(volume.handle), 400);
		if (rows[i].answer == SCRIPTED_MANY)
			assert_int_equal(volume.context.count, 1000);
		if (rows[i].answer == SCRIPTED_CAPACITY)
			assert_int_equal(volume.capacity_bytes, rows[i].size);
		csi_volume_done(&volume);
	}
}

static void test_wrong_lists(void **state)
{
	static const struct {
		struct scripted_rule rule;
		enum error_kind kind;
		const char *text;
	} rows[] = {
		{{.answer = SCRIPTED_ENDLESS}, ERROR_ABORTED,
			"the driver's list of volumes does not end"},
		{{.answer = SCRIPTED_REPEATING}, ERROR_ABORTED,
			"the driver's list of volumes repeats itself"},
		{{.answer = SCRIPTED_NO_VOLUME}, ERROR_ABORTED,
			"the driver listed an entry without a volume"},
		{{.answer = SCRIPTED_NO_ID}, ERROR_ABORTED,
			"the driver answered without a volume id"},
		{{.answer = SCRIPTED_GARBAGE}, ERROR_ABORTED,
			"the answer to ListVolumes does not decode"},
		{{.answer = SCRIPTED_FAIL, .after = 1, .kind = ERROR_ABORTED, .text = "start over"},
			ERROR_ABORTED, "start over"},
	};

	(void)state;
	csi_fixture.options.page_entries = 1;
	csi_fixture_ready(10000);
	csi_fixture_create_many(2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct csi_listing listing = {0, SIZE_MAX, 0};

		scripted_driver_set(csi_fixture.server, &rows[i].rule, 1);
		assert_case(rows[i].text, csi_fixture_list(&listing) == -1);
		assert_case(rows[i].text, csi_fixture.err.kind == rows[i].kind);
		assert_case_text(rows[i].text, csi_fixture.err.text, rows[i].text);
	}
}

/* Every method of the Controller, with the kind of the driver's status and its words. */
static void check_failure(const char *name, enum error_kind kind, const char *text)
{
	const struct csi_expand_request grow = {.handle = "h1",
		.access_modes = &csi_fixture_modes,
		.mount_options = &csi_fixture_mount_options,
		.fs_type = ""};
	struct csi_listing listing = {0, SIZE_MAX, 0};
	struct csi_volume volume;
	int64_t bytes;
	bool node;

	for (int i = 0; i < 5; i++) {
		csi_fixture.err = (struct error){0};
		assert_case(name,
			(i == 0          ? csi_fixture_create(&csi_fixture_plain, &volume)
				: i == 1 ? csi_fixture_delete("h1", NULL)
				: i == 2 ? csi_fixture_expand(&grow, &bytes, &node)
				: i == 3 ? csi_fixture_list(&listing)
					 : csi_fixture.driver.modify_volume(csi_fixture.driver.self,
						   "h1", &csi_fixture_parameters, NULL,
						   &csi_fixture.err)) == -1);
		assert_case(name, csi_fixture.err.kind == kind);
		assert_case_text(name, csi_fixture.err.text, text);
	}
}

static void test_error_kinds(void **state)
{
	static const enum error_kind kinds[] = {ERROR_CANCELLED, ERROR_INVALID, ERROR_TIMEOUT,
		ERROR_NOT_FOUND, ERROR_ALREADY_EXISTS, ERROR_FORBIDDEN, ERROR_EXHAUSTED,
		ERROR_FAILED_PRECONDITION, ERROR_ABORTED, ERROR_OUT_OF_RANGE, ERROR_UNIMPLEMENTED,
		ERROR_INTERNAL, ERROR_UNAVAILABLE, ERROR_UNAUTHORIZED};

	(void)state;
	csi_fixture_ready(10000);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct scripted_rule rule = {.kind = kinds[i], .text = "the driver said no"};

		scripted_driver_set(csi_fixture.server, &rule, 1);
		check_failure(error_kind_name(kinds[i]), kinds[i], "the driver said no");
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *said, *text;
	} rows[] = {
		{"", "CreateVolume failed with FAILED_PRECONDITION and no message"},
		{"login bob/hunter2 failed", "login bob/******* failed"},
		{"hunter2hunter2", "**************"},
		{"password=hunt", "password=****"}, /* as if the text had been cut there */
		{"a hunter", "a ******"}, {"a hunter hunts", "a hunter hunts"},
		{"bob", "bob"}, /* too short to be told from a word */
	};

	(void)state;
	csi_fixture_ready(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct scripted_rule rule = {
			.kind = ERROR_FAILED_PRECONDITION, .text = rows[i].said};
		struct csi_create_request request = csi_fixture_plain;
		struct csi_volume volume;

		request.secrets = &csi_fixture_secrets;
		scripted_driver_set(csi_fixture.server, &rule, 1);
		assert_case(rows[i].said, csi_fixture_create(&request, &volume) == -1);
		assert_case_text(rows[i].said, csi_fixture.err.text, rows[i].text);
	}
}

static void test_timeout(void **state)
{
	static const struct scripted_rule rule = {"CreateVolume", .answer = SCRIPTED_HANG};
	struct csi_volume volume;

	(void)state;
	csi_fixture_ready(100);
	scripted_driver_set(csi_fixture.server, &rule, 1);
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_TIMEOUT);
	assert_string_equal(csi_fixture.err.text, "no answer to CreateVolume within 0.1 s");
}

static bool driver_is_back(void *context)
{
	return csi_fixture_create(&csi_fixture_plain, context) == 0;
}

/* The same client finds a driver again that was away, and the driver its volumes. */
static void test_restart(void **state)
{
	_cleanup_free_ char *file = NULL;
	struct csi_volume volume;

	(void)state;
	if (asprintf(&file, "%s/state", csi_fixture.folder) < 0)
		abort();
	csi_fixture.options.state_file = file;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
	csi_volume_done(&volume);
	scripted_driver_stop(take_ptr(csi_fixture.server));
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_UNAVAILABLE);
	csi_fixture_start(10000);
	assert_int_equal(scripted_driver_volume(csi_fixture.server, "pvc-1"), 1LL << 40);
	assert_true(wait_until(driver_is_back, &volume));
	assert_string_equal(volume.handle, "h1");
	csi_volume_done(&volume);
	assert_int_equal(csi_fixture_delete("h1", NULL), 0);
	assert_int_equal(scripted_driver_volumes(csi_fixture.server), 0);
	/* A volume of that name again is another one. */
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
	assert_string_equal(volume.handle, "h2");
	csi_volume_done(&volume);
}

/* build/tests/provisioner/scripted_driver, beside which this test was built. */
static pid_t spawn_driver(char *endpoint, char *state_file)
{
	char path[4096];
	ssize_t length =
		readlink("/proc/self/exe", path, sizeof(path) - sizeof("/scripted_driver"));
	char *argv[] = {(char *)"scripted_driver", endpoint, state_file,
		(char *)"--name=d.example.com", (char *)"--crash-after=CreateVolume:2",
		(char *)"--fail=DeleteVolume:10:1", NULL};
	posix_spawn_file_actions_t files;
	pid_t pid;

	assert_true(length > 0);
	path[length] = '\0';
	strcpy(strrchr(path, '/'), "/scripted_driver");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawn(&pid, path, &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	return pid;
}

static bool is_identified(void *context)
{
	(void)context;
	return csi_fixture_identify() == 0;
}

/* A driver that dies before it answers: what it did shows when it is back. */
static void test_crash(void **state)
{
	_cleanup_free_ char *endpoint = NULL, *state_file = NULL;
	struct csi_create_request request = csi_fixture_plain;
	struct csi_volume volume;
	int status;
	pid_t pid;

	(void)state;
	if (asprintf(&endpoint, "--endpoint=unix://%s", csi_fixture.socket) < 0 ||
		asprintf(&state_file, "--state=%s/state", csi_fixture.folder) < 0)
		abort();
	assert_int_equal(csi_client_new(csi_fixture.socket, 10000, &csi_fixture.client, NULL), 0);
	pid = spawn_driver(endpoint, state_file);
	assert_true(wait_until(is_identified, NULL));
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
	csi_volume_done(&volume);
	request.name = "pvc-2";
	assert_int_equal(csi_fixture_create(&request, &volume), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	pid = spawn_driver(endpoint, state_file);
	assert_true(wait_until(is_identified, NULL));
	assert_int_equal(csi_fixture_create(&request, &volume), 0);
	assert_string_equal(volume.handle, "h2");
	csi_volume_done(&volume);
	assert_int_equal(csi_fixture_delete("h2", NULL), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_ABORTED);
	assert_int_equal(csi_fixture_delete("h2", NULL), 0);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_no_driver(void **state)
{
	_cleanup_(csi_client_freep) struct csi_client *client = NULL;
	struct csi_volume volume;

	(void)state;
	csi_fixture_ready(10000);
	/* A second client, on a socket that is not there, with the table of the first. */
	assert_int_equal(csi_client_new("unix:///nowhere/csi.sock", 1000, &client, NULL), 0);
	csi_fixture.driver.self = client;
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_UNAVAILABLE);
	/* What is wrong with the socket is told at once. */
	assert_int_equal(csi_client_identify(client, &csi_fixture.driver, &csi_fixture.err), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(csi_fixture.err.text, "No such file or directory"));
}

#define TEST(function)                                                                             \
	cmocka_unit_test_setup_teardown(function, csi_fixture_set_up, csi_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_answers),
		TEST(test_odd_answers),
		TEST(test_wrong_lists),
		TEST(test_error_kinds),
		TEST(test_words),
		TEST(test_timeout),
		TEST(test_restart),
		TEST(test_crash),
		TEST(test_no_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
