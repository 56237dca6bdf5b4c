/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "beneath.h"
#include "fs_calls.h"

static int open_root(const struct fixture *fixture)
{
	int fd = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_check_path(void **state)
{
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.",
		".ordinal", "a/.ordinal/b"};
	static const char *const good[] = {"a", "a/b", "...", "..a", ".ordinals", "a b/ü"};
	char long_name[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(beneath_check_path(bad[i], NULL), -1);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(beneath_check_path(good[i], NULL), 0);
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[256] = '\0';
	assert_int_equal(beneath_check_path(long_name, NULL), -1);
	long_name[255] = '\0';
	assert_int_equal(beneath_check_path(long_name, NULL), 0);
}

/* What every way of opening must refuse; run with and without openat2. */
static void check_confinement(const struct fixture *fixture)
{
	static const struct {
		const char *path;
		int errnum;
	} cases[] = {
		{"plain", 0},
		{"plain/sub", 0},
		{"link", ENOTDIR},
		{"plain/up", ENOTDIR},
		{"link/passwd", ENOTDIR},
		{"plain/missing", ENOENT},
		{"file", ENOTDIR},
		{"..", EXDEV},
		{"plain/../..", EXDEV},
	};
	_cleanup_close_ int root = open_root(fixture);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_close_ int fd = -1;
		struct error err = {0};
		int result = beneath_open_dir(root, cases[i].path, O_RDONLY, &fd, &err);

		/* Kernels and the fallback tell links apart by different errors. */
		if ((result == 0) != (cases[i].errnum == 0) ||
			(cases[i].errnum == ENOENT && err.errnum != ENOENT))
			fail_msg("%s: %s", cases[i].path, err.text);
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

static void test_confinement(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls old_kernel = *kernel;

	mkdir(fixture_path(fixture, "root/plain"), 0755);
	mkdir(fixture_path(fixture, "root/plain/sub"), 0755);
	fixture_write_file(fixture_path(fixture, "root/file"), "");
	assert_int_equal(symlink("/etc", fixture_path(fixture, "root/link")), 0);
	assert_int_equal(symlink("..", fixture_path(fixture, "root/plain/up")), 0);
	check_confinement(fixture);
	old_kernel.openat2 = no_openat2;
	fs_calls = &old_kernel;
	check_confinement(fixture);
	fs_calls = kernel;
}

static void test_make_and_prune(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	_cleanup_close_ int fd = -1, again = -1;
	struct error err;
	struct stat status;
	bool created, empty;
	mode_t old = umask(077);

	assert_int_equal(beneath_make_dir(root, "a/b/c", &fd, &created, &err), 0);
	umask(old);
	assert_true(created);
	assert_int_equal(fstatat(root, "a/b", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_int_equal(beneath_make_dir(root, "a/b/c", &again, &created, &err), 0);
	assert_false(created);
	assert_int_equal(beneath_is_empty(fd, &empty, &err), 0);
	assert_true(empty);
	mkdirat(root, "a/other", 0755);
	assert_int_equal(beneath_remove_empty(root, "a/b/c", &err), 0);
	assert_int_equal(beneath_remove_empty(root, "a/b/c", &err), 0);
	beneath_prune_parents(root, "a/b/c");
	assert_int_equal(faccessat(root, "a/b", F_OK, 0), -1);
	assert_int_equal(faccessat(root, "a/other", F_OK, 0), 0);
	assert_int_equal(beneath_remove_empty(root, "a", &err), -1);
	assert_int_equal(err.errnum, ENOTEMPTY);
}

static void *make_and_prune(void *argument)
{
	int root = *(const int *)argument;
	char path[64];
	struct error err = {0};

	for (int i = 0; i < 300; i++) {
		_cleanup_close_ int fd = -1;
		bool created;

		snprintf(
			path, sizeof(path), "ns/set/data-%lu-%d", (unsigned long)pthread_self(), i);
		if (beneath_make_dir(root, path, &fd, &created, &err) < 0)
			return strdup(err.text);
		if (beneath_remove_empty(root, path, &err) < 0)
			return strdup(err.text);
		beneath_prune_parents(root, path);
	}
	return NULL;
}

static void test_make_races_with_prune(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	pthread_t threads[4];
	void *failure;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, make_and_prune, &root);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &failure);
		if (failure)
			fail_msg("%s", (char *)failure);
	}
	assert_int_equal(faccessat(root, "ns", F_OK, 0), -1);
}

static const struct fs_calls *kernel_calls;
static int stale; /* calls that are still to fail */

static bool is_stale(void)
{
	errno = ESTALE;
	return stale > 0 && stale--;
}

static int stale_mkdirat(int dir, const char *name, mode_t mode)
{
	return is_stale() ? -1 : kernel_calls->mkdirat(dir, name, mode);
}

static int stale_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return is_stale() ? -1 : kernel_calls->renameat(from_dir, from, to_dir, to);
}

static int stale_unlinkat(int dir, const char *name, int flags)
{
	return is_stale() ? -1 : kernel_calls->unlinkat(dir, name, flags);
}

/* What NFS says of a directory that was pruned after it was opened; and of a base, for ever. */
static void test_stale_parents(void **state)
{
	static const int times[] = {0, 1, 2, INT_MAX};
	struct fs_calls calls = *fs_calls;
	_cleanup_close_ int root = open_root(*state);

	kernel_calls = fs_calls;
	calls.mkdirat = stale_mkdirat;
	calls.renameat = stale_renameat;
	calls.unlinkat = stale_unlinkat;
	fs_calls = &calls;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int right = times[i] == INT_MAX ? -1 : 0;
		_cleanup_close_ int fd = -1;
		struct error err;
		bool created;

		stale = times[i];
		assert_int_equal(beneath_make_dir(root, "a/b", &fd, &created, &err), right);
		assert_true(right == 0 || err.errnum == ESTALE);
		stale = 0;
		assert_int_equal(mkdirat(root, "c", 0755), 0);
		stale = times[i];
		assert_int_equal(beneath_move(root, "c", root, "a/c/c", &err), right);
		assert_int_equal(faccessat(root, right == 0 ? "a/c/c" : "c", F_OK, 0), 0);
		stale = times[i];
		assert_int_equal(
			beneath_remove_empty(root, right == 0 ? "a/c/c" : "c", &err), right);
		assert_true(right == 0 || err.errnum == ESTALE);
		stale = 0;
		beneath_prune_parents(root, "a/c/c");
		assert_int_equal(beneath_remove_empty(root, "a/b", &err), 0);
		beneath_prune_parents(root, "a/b");
	}
	fs_calls = kernel_calls;
}

/* Without openat2 a bind mount of the same file system is told by its mount only. */
static void test_entries_on_mounts(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls old_kernel = *kernel;
	_cleanup_close_ int root = open_root(fixture);
	const char *mount_point = fixture_path(fixture, "root/a");

	mkdir(mount_point, 0755);
	assert_int_equal(mount(fixture->dir, mount_point, NULL, MS_BIND, NULL), 0);
	old_kernel.openat2 = no_openat2;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(beneath_open_entry(root, "a", O_RDONLY | O_DIRECTORY), -1);
		assert_int_equal(errno, EXDEV);
		fs_calls = &old_kernel;
	}
	fs_calls = kernel;
	umount(mount_point);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_check_path),
		TEST(test_confinement),
		TEST(test_make_and_prune),
		TEST(test_make_races_with_prune),
		TEST(test_stale_parents),
		TEST(test_entries_on_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
