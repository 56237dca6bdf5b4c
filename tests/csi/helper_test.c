/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caller.h"
#include "helper.h"

/* Work as no verb of the driver's does it, before the fixture's helper sees it. */
static __attribute__((constructor(200))) void be_another_helper(int argc, char **argv)
{
	struct error err = {0};

	if (!helper_is_asked_for(argc, argv))
		return;
	if (!strcmp(argv[2], "succeed"))
		_exit(0);
	if (!strcmp(argv[2], "fail")) {
		error_set_errno(&err, ESTALE, "look at %s", argv[3]);
		_exit(write(STDOUT_FILENO, &err, sizeof(err)) == sizeof(err) ? 1 : 2);
	}
	if (!strcmp(argv[2], "die"))
		_exit(3);
	if (!strcmp(argv[2], "stammer"))
		_exit(write(STDOUT_FILENO, "x", 1) == 1 ? 1 : 2);
	if (!strcmp(argv[2], "hang")) {
		/* A process of its own, too, as mount.nfs is: both have to go. */
		if (fork() == 0 && mkdir(argv[3], 0700) < 0)
			_exit(1);
		for (;;)
			pause();
	}
}

static void count(void *context)
{
	++*(int *)context;
}

static enum error_kind run(const char *verb, const char *argument, int limit_ms, struct error *err)
{
	int ended = 0;
	const struct helper helper = {
		.verb = verb,
		.arguments = {argument},
		.limit_ms = limit_ms,
		.ended = count,
		.context = &ended,
	};

	int result;

	*err = (struct error){0};
	result = helper_run(&helper, err);
	assert_int_equal(result, err->kind ? -1 : 0);
	assert_int_equal(ended, 1);
	return err->kind;
}

static void test_answers(void **state)
{
	static const struct {
		const char *verb, *argument;
		enum error_kind kind;
		int errnum;
		const char *text;
	} cases[] = {
		{"succeed", NULL, ERROR_NONE, 0, ""},
		{"fail", "it", ERROR_INTERNAL, ESTALE, "look at it: "},
		{"die", NULL, ERROR_INTERNAL, 0, "a helper process failed"},
		{"stammer", NULL, ERROR_INTERNAL, 0, "a helper process failed"},
		{"no-such-verb", "x", ERROR_INTERNAL, 0, "a helper process failed"},
		{"check", "/", ERROR_NONE, 0, ""},
		{"check", "/no/such/directory", ERROR_NOT_FOUND, ENOENT, "look at it"},
		{"check", "/proc/self/exe", ERROR_INVALID, ENOTDIR, "look at it"},
		{"check", NULL, ERROR_INTERNAL, 0, "a helper process failed"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum error_kind kind = run(cases[i].verb, cases[i].argument, 60000, &err);

		assert_int_equal(err.errnum, cases[i].errnum);
		if (!cases[i].errnum)
			assert_int_equal(kind, cases[i].kind);
		assert_non_null(strstr(err.text, cases[i].text));
	}
}

/* The program beside this one does the work, where there is one. */
static void test_small_program(void **state)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof("-helper"));
	struct error err;

	(void)state;
	assert_true(length > 0);
	strcpy(path + length, "-helper");
	assert_int_equal(symlink("/bin/false", path), 0);
	(void)run("succeed", NULL, 60000, &err);
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(err.text, "a helper process failed"));
	assert_int_equal(run("succeed", NULL, 60000, &err), ERROR_NONE);
}

static int no_children_are_left(void)
{
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* It is killed when its time is over, and what it started with it. */
static void test_hanging(void **state)
{
	struct fixture *fixture = *state;
	const char *started = fixture_path(fixture, "started");
	struct error err;

	/* As long as it takes to start on a slow machine. */
	for (int limit_ms = 300; !fixture_exists(started); limit_ms *= 2) {
		assert_true(limit_ms < 100000);
		assert_int_equal(run("hang", started, limit_ms, &err), ERROR_UNAVAILABLE);
		assert_non_null(strstr(err.text, "no answer within "));
	}
	assert_true(no_children_are_left());
}

static void test_no_time(void **state)
{
	struct fixture *fixture = *state;
	struct error err;

	assert_int_equal(run("hang", fixture_path(fixture, "x"), 0, &err), ERROR_UNAVAILABLE);
	assert_true(no_children_are_left());
}

/* The limits of what is done for a caller end before its own. */
static void test_callers(void **state)
{
	atomic_bool gone = false;

	(void)state;
	assert_int_equal(caller_limit_ms(5000), 5000);
	assert_false(caller_is_gone());
	caller_begin(&gone, caller_now_ms() + 3600000);
	assert_int_equal(caller_limit_ms(5000), 5000);
	assert_true(caller_limit_ms(3600000) < 3600000);
	assert_ptr_equal(caller_flag(), &gone);
	assert_false(caller_is_gone());
	atomic_store(&gone, true);
	assert_true(caller_is_gone());
	atomic_store(&gone, false);
	caller_begin(&gone, caller_now_ms() - 1);
	assert_int_equal(caller_limit_ms(5000), 0);
	assert_true(caller_is_gone());
	caller_begin(&gone, INT64_MAX);
	assert_int_equal(caller_limit_ms(5000), 5000);
	caller_end();
	assert_null(caller_flag());
}

int main(void)
{
#define SCRATCH(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_small_program),
		SCRATCH(test_hanging),
		SCRATCH(test_no_time),
		cmocka_unit_test(test_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
