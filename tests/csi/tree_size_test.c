/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fs_calls.h"
#include "tree_size.h"

#define BLOCK 4096

static const struct fs_calls *kernel;

static struct tree_size measure(const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY);
	struct tree_size size = {-1, -1};
	struct error err;

	if (tree_size_measure(fd, NULL, &size, &err) < 0)
		fail_msg("%s", err.text);
	return size;
}

static void write_blocks(const char *path, int count)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT, 0600);
	static const char block[BLOCK] = "x";

	assert_true(fd >= 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(write(fd, block, sizeof(block)), BLOCK);
}

/* On tmpfs directories take no blocks. */
static void test_sum(void **state)
{
	struct fixture *fixture = *state;
	struct tree_size size;

	size = measure(fixture->root);
	assert_int_equal(size.bytes, 0);
	assert_int_equal(size.inodes, 1);
	write_blocks(fixture_path(fixture, "root/file"), 3);
	assert_int_equal(mkdir(fixture_path(fixture, "root/dir"), 0), 0);
	write_blocks(fixture_path(fixture, "root/dir/.hidden"), 2);
	assert_int_equal(symlink("/", fixture_path(fixture, "root/link")), 0);
	assert_int_equal(truncate(fixture_path(fixture, "root/dir/.hidden"), 1 << 30), 0);
	size = measure(fixture->root);
	assert_int_equal(size.bytes, 5 * BLOCK); /* a hole takes nothing */
	assert_int_equal(size.inodes, 5);
}

static void test_hard_links(void **state)
{
	struct fixture *fixture = *state;
	const char *file = fixture_path(fixture, "root/file");
	struct tree_size size;

	write_blocks(file, 6);
	assert_int_equal(link(file, fixture_path(fixture, "root/second")), 0);
	assert_int_equal(link(file, fixture_path(fixture, "root/third")), 0);
	size = measure(fixture->root);
	assert_int_equal(size.bytes, 6 * BLOCK);
	assert_int_equal(size.inodes, 2);
	/* One of three names is elsewhere. */
	assert_int_equal(rename(file, fixture_path(fixture, "elsewhere")), 0);
	assert_int_equal(measure(fixture->root).bytes, 4 * BLOCK);
}

static void test_mounts(void **state)
{
	struct fixture *fixture = *state;
	const char *other = fixture_path(fixture, "root/other");

	assert_int_equal(mkdir(other, 0755), 0);
	assert_int_equal(mkdir(fixture_path(fixture, "root/bound"), 0755), 0);
	assert_int_equal(mkdir(fixture_path(fixture, "elsewhere"), 0755), 0);
	assert_int_equal(mount("tmpfs", other, "tmpfs", 0, "size=1m"), 0);
	write_blocks(fixture_path(fixture, "root/other/file"), 1);
	write_blocks(fixture_path(fixture, "elsewhere/file"), 1);
	assert_int_equal(mount(fixture_path(fixture, "elsewhere"),
				 fixture_path(fixture, "root/bound"), NULL, MS_BIND, NULL),
		0);
	assert_int_equal(measure(fixture->root).bytes, 0);
}

/* Make LEVELS directories in each other, with a file in each and some beside it. */
static void make_deep(const char *path, int levels)
{
	int dir = open(path, O_PATH | O_DIRECTORY);

	for (int i = 0; i < levels; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "a", 0755), 0);
		assert_int_equal(mkdirat(dir, "d", 0755), 0);
		assert_int_equal(mkdirat(dir, "z", 0755), 0);
		next = openat(dir, "d", O_PATH | O_DIRECTORY);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	close(dir);
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int most_descriptors;

static int counting_openat2(int dir, const char *path, const struct open_how *how)
{
	int count = count_descriptors();

	most_descriptors = count > most_descriptors ? count : most_descriptors;
	return kernel->openat2(dir, path, how);
}

static int missing_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = ENOSYS;
	return -1;
}

static void test_deep(void **state)
{
	struct fixture *fixture = *state;
	struct fs_calls calls = *kernel;
	struct tree_size size;
	int before = count_descriptors();

	make_deep(fixture->root, 4096);
	assert_int_equal(measure(fixture->root).inodes, 3 * 4096 + 1);
	calls.openat2 = missing_openat2;
	fs_calls = &calls;
	assert_int_equal(measure(fixture->root).inodes, 3 * 4096 + 1);
	calls.openat2 = counting_openat2;
	size = measure(fixture->root);
	fs_calls = kernel;
	assert_int_equal(size.inodes, 3 * 4096 + 1);
	assert_true(most_descriptors - before < 72);
	assert_int_equal(count_descriptors(), before);
}

static struct fixture *moving;
static int opens_left;

/* Somebody moves a directory that the walk is in when it turns back, to its own disadvantage. */
static int moving_openat2(int dir, const char *path, const struct open_how *how)
{
	if (!strcmp(path, "..") && opens_left-- == 0)
		assert_int_equal(renameat(dir, "../../d", AT_FDCWD,
					 fixture_path(moving, "root/elsewhere/d")),
			0);
	return kernel->openat2(dir, path, how);
}

static void test_moved(void **state)
{
	struct fixture *fixture = *state;
	struct fs_calls calls = *kernel;
	_cleanup_close_ int fd = open(fixture->root, O_PATH | O_DIRECTORY);
	struct tree_size size = {-1, -1};
	struct error err;

	moving = fixture;
	make_deep(fixture->root, 200);
	assert_int_equal(mkdir(fixture_path(fixture, "root/elsewhere"), 0755), 0);
	calls.openat2 = moving_openat2;
	fs_calls = &calls;
	opens_left = 3;
	assert_int_equal(tree_size_measure(fd, NULL, &size, &err), -1);
	fs_calls = kernel;
	assert_int_equal(err.kind, ERROR_ABORTED);
	assert_int_equal(size.bytes, -1);
}

/* A pod that waits for the very moment between looking at a directory and opening it. */
static int hostile_openat2(int dir, const char *path, const struct open_how *how)
{
	if (!strcmp(path, "gone")) {
		unlinkat(dir, path, AT_REMOVEDIR);
	} else if (!strcmp(path, "link")) {
		unlinkat(dir, path, AT_REMOVEDIR);
		assert_int_equal(symlinkat(fixture_path(moving, "elsewhere"), dir, path), 0);
	} else if (!strcmp(path, "file")) {
		unlinkat(dir, path, AT_REMOVEDIR);
		close(openat(dir, path, O_WRONLY | O_CREAT, 0600));
	} else if (!strcmp(path, "mount")) {
		assert_int_equal(mount(fixture_path(moving, "elsewhere"),
					 fixture_path(moving, "root/mount"), NULL, MS_BIND, NULL),
			0);
	}
	return kernel->openat2(dir, path, how);
}

static void test_hostile(void **state)
{
	static const char *const names[] = {"gone", "link", "file", "mount"};
	struct fixture *fixture = *state;
	struct fs_calls calls = *kernel;
	struct tree_size size;

	moving = fixture;
	assert_int_equal(mkdir(fixture_path(fixture, "elsewhere"), 0755), 0);
	write_blocks(fixture_path(fixture, "elsewhere/file"), 100);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(mkdir(fixture_path(fixture, "root/%s", names[i]), 0755), 0);
	calls.openat2 = hostile_openat2;
	fs_calls = &calls;
	size = measure(fixture->root);
	fs_calls = kernel;
	assert_int_equal(size.bytes, 0);
	assert_int_equal(size.inodes, 1); /* what has become something else does not count */
}

static atomic_bool stop;

static int stopping_openat2(int dir, const char *path, const struct open_how *how)
{
	if (opens_left-- == 0)
		atomic_store(&stop, true);
	return kernel->openat2(dir, path, how);
}

static int failing_openat2(int dir, const char *path, const struct open_how *how)
{
	if (opens_left-- == 0) {
		errno = EIO;
		return -1;
	}
	return kernel->openat2(dir, path, how);
}

/* Wherever it ends early, there is no sum, and nothing stays open. */
static void test_never_partial(void **state)
{
	struct fixture *fixture = *state;
	struct fs_calls calls = *kernel;
	_cleanup_close_ int fd = open(fixture->root, O_PATH | O_DIRECTORY);
	int before = count_descriptors();

	make_deep(fixture->root, 100);
	fs_calls = &calls;
	for (int at = 0; at < 300; at += 7)
		for (int failing = 0; failing < 2; failing++) {
			struct tree_size size = {-1, -1};
			struct error err;

			opens_left = at;
			atomic_store(&stop, false);
			calls.openat2 = failing ? failing_openat2 : stopping_openat2;
			assert_int_equal(tree_size_measure(fd, &stop, &size, &err), -1);
			assert_int_equal(err.kind, failing ? ERROR_IO : ERROR_CANCELLED);
			assert_int_equal(size.bytes, -1);
			assert_int_equal(count_descriptors(), before);
		}
	fs_calls = kernel;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_sum),
		TEST(test_hard_links),
		TEST(test_mounts),
		TEST(test_deep),
		TEST(test_moved),
		TEST(test_hostile),
		TEST(test_never_partial),
	};

	kernel = fs_calls;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
