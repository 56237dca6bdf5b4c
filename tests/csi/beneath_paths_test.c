/* SPDX-License-Identifier: Apache-2.0 */
/* Every verb of beneath.h with every kind of bad path, with openat2 and without. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "fs_calls.h"
#include "remove_tree.h"
#include "tree_listing.h"

/* What the paths below meet: see plant(). */
enum outcome {
	FINE,     /* a directory that is there */
	MISSING,  /* a good path of nothing */
	LINK,     /* through or at something that is no directory */
	OWN,      /* .ordinal: refused where class parameters come in */
	LONG,     /* too long for a volume; an archive may have it */
	MALFORMED /* not a path at all */
};

static char name_max[NAME_MAX + 1], too_long_name[NAME_MAX + 2];
static char longest[PATH_MAX / 2], too_long[PATH_MAX / 2 + 1], path_max[PATH_MAX + 1];
static char huge[4 * PATH_MAX];

static const struct {
	const char *path;
	enum outcome outcome;
} cases[] = {
	{"real", FINE},
	{"real/sub", FINE},
	{"real/sub/...", MISSING},
	{"real/missing", MISSING},
	{"missing/sub", MISSING},
	{name_max, MISSING},
	{longest, MISSING},
	{"link", LINK},
	{"link/sub", LINK},
	{"link/sub/sub", LINK},
	{"real/link", LINK},
	{"real/link/sub", LINK},
	{"real/sub/up", LINK},
	{"real/sub/up/sub", LINK},
	{"real/self", LINK},
	{"real/self/sub", LINK},
	{"real/base", LINK},
	{"real/base/real/sub", LINK},
	{"real/own", LINK},
	{"real/own/volumes", LINK},
	{"dangling", LINK},
	{"dangling/sub", LINK},
	{"file", LINK},
	{"file/sub", LINK},
	{"fifo", LINK},
	{".ordinal", OWN},
	{".ordinal/volumes", OWN},
	{"", MALFORMED},
	{"/", MALFORMED},
	{"//", MALFORMED},
	{".", MALFORMED},
	{"..", MALFORMED},
	{"../outside", MALFORMED},
	{"../outside/sub", MALFORMED},
	{"real/..", MALFORMED},
	{"real/.", MALFORMED},
	{"real/../real", MALFORMED},
	{"real/../../outside", MALFORMED},
	{"real/sub/../../../outside/sub", MALFORMED},
	{"./real", MALFORMED},
	{"real/", MALFORMED},
	{"real/sub/", MALFORMED},
	{"real//sub", MALFORMED},
	{"link/", MALFORMED},
	{"link//sub", MALFORMED},
	{"/etc", MALFORMED},
	{"/real", MALFORMED},
	{"//real", MALFORMED},
	{too_long_name, MALFORMED},
	{too_long, LONG},
	{path_max, MALFORMED},
	{huge, MALFORMED},
};

/* "bb…b/bb…b/b…", of SIZE - 1 bytes. */
static void fill_path(char *path, size_t size)
{
	memset(path, 'b', size - 1);
	for (size_t at = 200; at < size - 2; at += 200)
		path[at] = '/';
}

static void prepare_paths(void)
{
	memset(name_max, 'a', sizeof(name_max) - 1);
	memset(too_long_name, 'a', sizeof(too_long_name) - 1);
	fill_path(longest, sizeof(longest));
	fill_path(too_long, sizeof(too_long));
	fill_path(path_max, sizeof(path_max));
	fill_path(huge, sizeof(huge));
}

static void plant(const struct fixture *fixture, int root)
{
	static const char *const dirs[] = {
		"../outside", "../outside/sub", "real", "real/sub", ".ordinal", ".ordinal/volumes"};
	const char *const links[][2] = {{fixture_path(fixture, "outside"), "link"},
		{"../../outside", "real/link"}, {"..", "real/sub/up"}, {".", "real/self"},
		{fixture->root, "real/base"}, {"../.ordinal", "real/own"}, {"missing", "dangling"}};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(root, dirs[i], 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlinkat(links[i][0], root, links[i][1]), 0);
	fixture_write_file(fixture_path(fixture, "root/file"), "x");
	fixture_write_file(fixture_path(fixture, "root/.ordinal/volumes/record"), "x");
	assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
}

static bool always(void *context)
{
	(void)context;
	return true;
}

static const struct beneath_watch watch = {always, NULL};

static int do_check(int root, const char *path, struct error *err)
{
	(void)root;
	return beneath_check_path(path, err);
}

static int do_open(int root, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;

	return beneath_open_dir(root, path, O_RDONLY, &fd, err);
}

static int do_make(int root, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	bool created = false;
	int result = beneath_make_dir(root, path, &fd, &created, err);

	if (created) {
		assert_int_equal(beneath_remove_empty(root, path, NULL), 0);
		beneath_prune_parents(root, path);
	}
	return result;
}

/* There and back. */
static int do_rename(int root, const char *path, struct error *err)
{
	_cleanup_free_ char *parent = strdup(path);
	_cleanup_close_ int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *slash = strrchr(parent, '/');

	if (beneath_rename(root, path, root, "moved", err) < 0)
		return -1;
	if (slash) {
		close(dir);
		*slash = '\0';
		dir = openat(root, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return beneath_rename(root, "moved", dir, slash ? slash + 1 : path, err);
}

static int do_remove_empty(int root, const char *path, struct error *err)
{
	return beneath_remove_empty(root, path, err);
}

static int do_prune(int root, const char *path, struct error *err)
{
	_cleanup_free_ char *below = NULL;

	(void)err;
	if (asprintf(&below, "%s/x", path) < 0)
		abort();
	beneath_prune_parents(root, below);
	return -1;
}

#define ANY (-2) /* a link at the end of a path is moved as itself, one on the way fails */

/* What each verb says to each outcome, as errnos: 0 is success, -1 any failure. What fails must
 * have changed nothing, and what succeeds puts back what it changed. */
static const struct {
	const char *name;
	int (*call)(int root, const char *path, struct error *err);
	int expected[MALFORMED + 1];
} verbs[] = {
	{"check", do_check, {[OWN] = -1, [LONG] = -1, [MALFORMED] = -1}},
	{"open", do_open, {[MISSING] = ENOENT, [LINK] = -1, [LONG] = ENOENT, [MALFORMED] = EINVAL}},
	{"make", do_make, {[LINK] = -1, [OWN] = -1, [LONG] = -1, [MALFORMED] = -1}},
	{"remove empty", do_remove_empty,
		{[FINE] = ENOTEMPTY, [LINK] = -1, [OWN] = ENOTEMPTY, [MALFORMED] = EINVAL}},
	{"rename", do_rename,
		{[MISSING] = ENOENT, [LINK] = ANY, [LONG] = ENOENT, [MALFORMED] = EINVAL}},
	{"prune", do_prune,
		{[FINE] = -1,
			[MISSING] = -1,
			[LINK] = -1,
			[OWN] = -1,
			[LONG] = -1,
			[MALFORMED] = -1}},
};

static void check_verb(size_t verb, size_t path, int root)
{
	struct error err = {0};
	int expected = verbs[verb].expected[cases[path].outcome];
	int result = verbs[verb].call(root, cases[path].path, &err);

	if (expected == ANY)
		return;
	if (result < 0 ? !expected || (expected > 0 && expected != err.errnum) : expected)
		fail_msg("%s \"%.80s\": %d: %s", verbs[verb].name, cases[path].path, err.errnum,
			err.text);
}

static void check_all(const struct fixture *fixture, int root, const char *before)
{
	for (size_t verb = 0; verb < ARRAY_SIZE(verbs); verb++)
		for (size_t path = 0; path < ARRAY_SIZE(cases); path++) {
			_cleanup_free_ char *after = NULL;

			check_verb(verb, path, root);
			after = tree_listing_untimed(fixture->dir);
			if (strcmp(before, after))
				fail_msg("%s \"%.80s\" has changed something:\n%s\nis now\n%s",
					verbs[verb].name, cases[path].path, before, after);
		}
}

static int no_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = ENOSYS;
	return -1;
}

static void test_paths(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls old_kernel = *kernel;
	_cleanup_close_ int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *before = NULL;

	prepare_paths();
	plant(fixture, root);
	before = tree_listing_untimed(fixture->dir);
	check_all(fixture, root, before);
	old_kernel.openat2 = no_openat2;
	fs_calls = &old_kernel;
	check_all(fixture, root, before);
	fs_calls = kernel;
}

/* Names that a rename or a removal is given are single ones. */
static void test_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", "real/sub", "../outside", "/", "real/",
		"/real", too_long_name, huge};
	const struct fixture *fixture = *state;
	_cleanup_close_ int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct error err;

	prepare_paths();
	plant(fixture, root);
	before = tree_listing_untimed(fixture->dir);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(beneath_rename(root, "real", root, bad[i], &err), -1);
		assert_int_equal(remove_tree(root, bad[i], &watch, &err), -1);
		assert_int_equal(err.errnum, EINVAL);
	}
	assert_int_equal(remove_tree(root, ".ordinal", &watch, &err), -1);
	after = tree_listing_untimed(fixture->dir);
	assert_string_equal(before, after);
}

/* A tree full of links goes, and nothing that they lead to. */
static void test_remove(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls old_kernel = *kernel;
	_cleanup_close_ int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err;

	old_kernel.openat2 = no_openat2;
	plant(fixture, root);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(remove_tree(root, "real", &watch, &err), 0);
		assert_false(fixture_exists(fixture_path(fixture, "root/real")));
		assert_int_equal(remove_tree(root, "link", &watch, &err), 0);
		assert_int_equal(remove_tree(root, "fifo", &watch, &err), 0);
		assert_true(fixture_exists(fixture_path(fixture, "outside/sub")));
		assert_true(fixture_exists(fixture_path(fixture, "root/.ordinal/volumes/record")));
		assert_int_equal(mkdirat(root, "real", 0755), 0);
		assert_int_equal(symlinkat("../../outside", root, "real/link"), 0);
		assert_int_equal(symlinkat("../.ordinal", root, "real/own"), 0);
		fs_calls = &old_kernel;
	}
	fs_calls = kernel;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_paths),
		TEST(test_names),
		TEST(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
