/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports that are there already, at directories; what a server would do there the process does
 * that looks at them, because a file beside the directory says so: PATH.hang lets it wait until the
 * file is gone, PATH.refuse fails.
 */
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caller.h"
#include "exports.h"
#include "helper.h"

static bool is_beside(const char *path, const char *what)
{
	char name[512];

	snprintf(name, sizeof(name), "%s.%s", path, what);
	return fixture_exists(name);
}

static void put_beside(const char *path, const char *what)
{
	char name[512];

	snprintf(name, sizeof(name), "%s.%s", path, what);
	fixture_write_file(name, "");
}

static void take_away(const char *path, const char *what)
{
	char name[512];

	snprintf(name, sizeof(name), "%s.%s", path, what);
	assert_int_equal(unlink(name), 0);
}

static __attribute__((constructor(200))) void be_a_server(int argc, char **argv)
{
	struct error err = {0};

	if (!helper_is_asked_for(argc, argv) || argc != 4 || strcmp(argv[2], "check"))
		return;
	if (is_beside(argv[3], "hang"))
		put_beside(argv[3], "asked");
	while (is_beside(argv[3], "hang"))
		usleep(5000);
	if (!is_beside(argv[3], "refuse"))
		return;
	error_set_errno(&err, EACCES, "look at it");
	_exit(write(STDOUT_FILENO, &err, sizeof(err)) == sizeof(err) ? 1 : 2);
}

struct scene {
	struct fixture *fixture;
	struct exports exports;
	struct export *one, *other;
	const char *path;
};

static struct location place(const char *share, const char *options, bool any)
{
	struct location location = {.server = "nfs.example", .any_options = any};

	strcpy(location.share, share);
	strcpy(location.options, options);
	return location;
}

static int setup(void **state)
{
	const struct location one = place("/one", "", false), other = place("/other", "", false);
	struct scene *scene = calloc(1, sizeof(*scene));
	const char *path;

	assert_non_null(scene);
	if (fixture_scratch((void **)&scene->fixture) < 0)
		return -1;
	exports_init(&scene->exports, NULL);
	scene->path = strdup(fixture_path(scene->fixture, "one"));
	path = fixture_path(scene->fixture, "other");
	assert_int_equal(mkdir(scene->path, 0755), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	scene->one = exports_use(&scene->exports, &one, scene->path);
	scene->other = exports_use(&scene->exports, &other, path);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	export_drop(scene->one);
	export_drop(scene->other);
	exports_done(&scene->exports);
	fixture_done((void **)&scene->fixture);
	free((char *)scene->path);
	free(scene);
	return 0;
}

static enum error_kind enter(struct export *export, struct export_pass *pass, const char *text)
{
	struct error err = {0};
	int result = export_enter(export, pass, &err);

	assert_int_equal(result, err.kind ? -1 : 0);
	if (text && !strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	return err.kind;
}

/* Those who use an export use one. */
static void test_which_export(void **state)
{
	static const struct {
		const char *share, *options;
		bool any, given;
		int same; /* as which case before */
	} cases[] = {
		{"/a", "", false, true, 0},
		{"/a", "vers=3", false, true, 0}, /* it lies there, however anybody wants it */
		{"/b", "hard", false, false, 2},
		{"/b", "hard", false, false, 2},
		{"/b", "soft", false, false, 4}, /* a mount of its own */
		{"/b", "", true, false, 4},      /* any */
		{"/b", "port=2050", true, false, 6},
		{"/b", "port=2050,hard", false, false, 7},
		{"/c", "", true, false, 8},
	};
	struct scene *scene = *state;
	struct export *found[ARRAY_SIZE(cases)];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct location location = place(cases[i].share, cases[i].options, cases[i].any);

		found[i] = exports_use(
			&scene->exports, &location, cases[i].given ? scene->path : NULL);
		for (size_t j = 0; j < i; j++)
			assert_true(cases[i].same == cases[j].same ? found[i] == found[j]
								   : found[i] != found[j]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		export_drop(found[i]);
}

static void test_what_is_wrong_is_said(void **state)
{
	struct scene *scene = *state;
	struct location location = place("/missing", "", false);
	struct export *missing =
		exports_use(&scene->exports, &location, fixture_path(scene->fixture, "missing"));
	struct export_pass pass = {0};
	struct export *nowhere;

	put_beside(scene->path, "refuse");
	assert_int_equal(enter(scene->one, &pass,
				 "nfs.example:/one refuses root: export it with no_root_squash"),
		ERROR_FORBIDDEN);
	assert_int_equal(enter(missing, &pass, "does not exist"), ERROR_FAILED_PRECONDITION);
	export_drop(missing);
	location = place("/unmounted", "", false);
	nowhere = exports_use(&scene->exports, &location, NULL);
	assert_int_equal(
		enter(nowhere, &pass, "there is no --export for it"), ERROR_FAILED_PRECONDITION);
	export_drop(nowhere);
}

/* Four are inside, and nobody waits for them for ever; other exports have four of their own. */
static void test_four_inside(void **state)
{
	struct scene *scene = *state;
	struct export_pass inside[EXPORT_INSIDE_MAX] = {0}, pass = {0};

	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		assert_int_equal(enter(scene->one, &inside[i], NULL), ERROR_NONE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			enter(scene->one, &pass, "nfs.example:/one does not answer: 4 calls"),
			ERROR_UNAVAILABLE);
	assert_int_equal(enter(scene->other, &pass, NULL), ERROR_NONE);
	export_leave(&pass);
	export_leave(&inside[2]);
	assert_int_equal(enter(scene->one, &pass, NULL), ERROR_NONE);
	export_leave(&pass);
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		export_leave(&inside[i]);
}

/* Whoever waits for a place, or for somebody who looks, ends when its caller goes. */
static void test_waits_end_with_the_caller(void **state)
{
	struct scene *scene = *state;
	struct export_pass inside[EXPORT_INSIDE_MAX] = {0}, pass = {0};
	atomic_bool gone = true;

	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		assert_int_equal(enter(scene->one, &inside[i], NULL), ERROR_NONE);
	caller_begin(&gone, INT64_MAX);
	assert_int_equal(
		enter(scene->one, &pass, "nfs.example:/one does not answer in the"), ERROR_TIMEOUT);
	caller_end();
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		export_leave(&inside[i]);
}

struct visitor {
	struct export *export;
	enum error_kind kind;
	pthread_t thread;
};

static void *visit(void *argument)
{
	struct visitor *visitor = argument;
	struct export_pass pass = {0};
	struct error err = {0};

	export_enter(visitor->export, &pass, &err);
	visitor->kind = err.kind;
	export_leave(&pass);
	return NULL;
}

static void await_asked(const struct scene *scene)
{
	while (!is_beside(scene->path, "asked"))
		usleep(1000);
}

static void test_looks_end_with_the_caller(void **state)
{
	struct scene *scene = *state;
	struct visitor visitor = {.export = scene->one};
	struct export_pass pass = {0};
	atomic_bool gone = true;

	put_beside(scene->path, "hang");
	pthread_create(&visitor.thread, NULL, visit, &visitor);
	await_asked(scene);
	caller_begin(&gone, INT64_MAX);
	assert_int_equal(enter(scene->one, &pass, "in the caller's time"), ERROR_TIMEOUT);
	caller_end();
	assert_int_equal(enter(scene->other, &pass, NULL), ERROR_NONE);
	export_leave(&pass);
	take_away(scene->path, "hang");
	pthread_join(visitor.thread, NULL);
	assert_int_equal(visitor.kind, ERROR_NONE);
}

/* A look ends with its caller's deadline; who has more time looks again. */
static void test_deadline(void **state)
{
	struct scene *scene = *state;
	struct export_pass pass = {0};

	put_beside(scene->path, "hang");
	caller_begin(NULL, caller_now_ms() + 300);
	assert_int_equal(enter(scene->one, &pass, "nfs.example:/one: no answer within 0."),
		ERROR_UNAVAILABLE);
	caller_end();
	take_away(scene->path, "hang");
	assert_int_equal(enter(scene->one, &pass, NULL), ERROR_NONE);
	export_leave(&pass);
}

/* What answered just now is looked at again when somebody doubts it. */
static void test_suspect(void **state)
{
	struct scene *scene = *state;
	struct export_pass pass = {0};

	assert_int_equal(enter(scene->one, &pass, NULL), ERROR_NONE);
	export_leave(&pass);
	put_beside(scene->path, "refuse");
	export_suspect(scene->one);
	assert_int_equal(enter(scene->one, &pass, NULL), ERROR_FORBIDDEN);
	export_suspect(scene->one);
	take_away(scene->path, "refuse");
}

struct crowd {
	struct export *export;
	atomic_int inside, entered;
	atomic_bool crowded;
};

static void *come_and_go(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < 200; i++) {
		struct export_pass pass = {0};

		if (export_enter(crowd->export, &pass, NULL) < 0)
			continue;
		if (atomic_fetch_add(&crowd->inside, 1) >= EXPORT_INSIDE_MAX)
			atomic_store(&crowd->crowded, true);
		atomic_fetch_add(&crowd->entered, 1);
		if (i % 50 == 0)
			export_suspect(crowd->export);
		atomic_fetch_sub(&crowd->inside, 1);
		export_leave(&pass);
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct scene *scene = *state;
	struct crowd crowds[] = {{.export = scene->one}, {.export = scene->other}};
	pthread_t threads[16];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowds[i % 2]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ARRAY_SIZE(crowds); i++) {
		assert_false(atomic_load(&crowds[i].crowded));
		assert_true(atomic_load(&crowds[i].entered) > 0);
		assert_int_equal(atomic_load(&crowds[i].inside), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_which_export),
		TEST(test_what_is_wrong_is_said),
		TEST(test_four_inside),
		TEST(test_waits_end_with_the_caller),
		TEST(test_looks_end_with_the_caller),
		TEST(test_deadline),
		TEST(test_suspect),
		TEST(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
