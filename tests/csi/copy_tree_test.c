/* SPDX-License-Identifier: Apache-2.0 */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "fs_calls.h"
#include "tree_listing.h"

#define MIB   (1024 * 1024)
#define DEPTH 4096

static int truncate_at(int dir, const char *name, off_t size)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return ftruncate(fd, size);
}

static void plant_files(int dir)
{
	static const struct timespec times[] = {{1000000000, 1}, {1100000000, 999999999}};

	copying_write(dir, "empty", 0, 0);
	copying_write(dir, "plain", 0, 100000);
	copying_write(dir, "large", 0, 9 * MIB + 5);
	copying_write(dir, "sparse", 30 * MIB, 5);
	copying_write(dir, "sparse", 10 * MIB, 70000);
	copying_write(dir, "tail", 4 * MIB, 5);
	assert_int_equal(truncate_at(dir, "tail", 30 * MIB + 5), 0);
	assert_int_equal(fchownat(dir, "plain", 7, 8, 0), 0);
	assert_int_equal(fchmodat(dir, "plain", 06751, 0), 0);
	assert_int_equal(fchownat(dir, "large", 1234, 5678, 0), 0);
	assert_int_equal(utimensat(dir, "plain", times, 0), 0);
}

/* After these the directory's time is set, so that it is not the one of its making. */
static void plant_others(const char *where, int dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(symlinkat("/nonexistent/target", dir, "link"), 0);
	assert_int_equal(symlinkat("..", dir, "up"), 0);
	assert_int_equal(fchownat(dir, "link", 42, 43, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0), 0);
	assert_int_equal(fchmodat(dir, "fifo", 0622, 0), 0);
	assert_int_equal(mknodat(dir, "null", S_IFCHR | 0600, makedev(1, 3)), 0);
	assert_int_equal(mknodat(dir, "block", S_IFBLK | 0600, makedev(7, 99)), 0);
	assert_int_equal(fchownat(dir, "block", 44, 45, 0), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/from/socket", where);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void plant_dirs(int dir)
{
	static const struct timespec times[] = {{1200000000, 1}, {1300000000, 2}};
	char name[256];

	assert_int_equal(mkdirat(dir, "d", 0755), 0);
	assert_int_equal(mkdirat(dir, "d/locked", 0), 0);
	copying_write(dir, "d/locked/one", 0, 10);
	assert_int_equal(linkat(dir, "d/locked/one", dir, "d/two", 0), 0);
	assert_int_equal(linkat(dir, "d/locked/one", dir, "three", 0), 0);
	for (int byte = 1; byte < 256; byte++) {
		memset(name, byte, 255);
		name[255] = '\0';
		if (byte != '/')
			copying_write(dir, name, 0, 1);
	}
	assert_int_equal(fchmodat(dir, "d", 03775, 0), 0);
	assert_int_equal(fchownat(dir, "d", 21, 22, 0), 0);
	assert_int_equal(fchmodat(dir, "d", 03775, 0), 0);
	assert_int_equal(utimensat(dir, "d/locked", times, 0), 0);
	assert_int_equal(utimensat(dir, "d", times, 0), 0);
}

static void check_links(int to)
{
	struct stat one, two, three;

	assert_int_equal(fstatat(to, "d/locked/one", &one, 0), 0);
	assert_int_equal(fstatat(to, "d/two", &two, 0), 0);
	assert_int_equal(fstatat(to, "three", &three, 0), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	assert_int_equal(one.st_ino, three.st_ino);
	assert_int_equal(one.st_nlink, 3);
}

static void check_sparse(int to, const char *name)
{
	struct stat status;

	assert_int_equal(fstatat(to, name, &status, 0), 0);
	assert_int_equal(status.st_size, 30 * MIB + 5);
	assert_true(status.st_blocks * 512 < MIB);
}

static void plant(const char *where, int from)
{
	plant_files(from);
	plant_others(where, from);
	plant_dirs(from);
}

static void check_everything(const char *where)
{
	char path[256];
	_cleanup_close_ int from = -1, to = -1;

	copying_make(where);
	snprintf(path, sizeof(path), "%s/from", where);
	from = copying_open(path);
	plant(where, from);
	copying_all(where);
	assert_int_equal(unlinkat(from, "socket", 0), 0);
	copying_check_same(where);
	snprintf(path, sizeof(path), "%s/to", where);
	to = copying_open(path);
	check_links(to);
	check_sparse(to, "sparse");
	check_sparse(to, "tail");
	copying_clear(where);
}

/* So deep that directories are closed in the middle, and found again. */
static void check_chain(const char *where)
{
	_cleanup_close_ int from = -1;
	char path[256];

	copying_make(where);
	snprintf(path, sizeof(path), "%s/from", where);
	from = copying_open(path);
	copying_plant_chain(from, 70, 90);
	copying_all(where);
	copying_check_same(where);
	copying_clear(where);
}

/* Replaced calls, each of the kind that a file system, or an old kernel, lacks. */
static int no_clones(int from, int to)
{
	(void)from;
	(void)to;
	errno = EOPNOTSUPP;
	return -1;
}

static ssize_t no_ranges(
	int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned flags)
{
	(void)from;
	(void)from_at;
	(void)to;
	(void)to_at;
	(void)length;
	(void)flags;
	errno = EXDEV;
	return -1;
}

static ssize_t empty_ranges(
	int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned flags)
{
	no_ranges(from, from_at, to, to_at, length, flags);
	return 0;
}

static ssize_t short_ranges(
	int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned flags)
{
	return copy_file_range(from, from_at, to, to_at, length < 70001 ? length : 70001, flags);
}

static int no_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = ENOSYS;
	return -1;
}

static int few_links(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	struct stat status;

	if (fstatat(from_dir, from, &status, 0) == 0 && status.st_nlink >= 2) {
		errno = EMLINK;
		return -1;
	}
	return linkat(from_dir, from, to_dir, to, flags);
}

static void test_everything(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls lacking = *kernel;

	check_everything(fixture->root);
	fs_calls = &lacking;
	lacking.openat2 = no_openat2;
	check_everything(fixture->root);
	lacking.clone_file = no_clones;
	lacking.copy_file_range = short_ranges;
	check_everything(fixture->root);
	lacking.copy_file_range = no_ranges;
	check_everything(fixture->root);
	lacking.copy_file_range = empty_ranges;
	check_everything(fixture->root);
	fs_calls = kernel;
}

static void test_everything_on_ext4(void **state)
{
	const struct fixture *fixture = *state;
	const char *dir = fixture->dir, *ext4 = fixture_path(fixture, "ext4");
	char command[512];

	assert_int_equal(mkdir(ext4, 0755), 0);
	snprintf(command, sizeof(command),
		"truncate -s 128M %s/image && mkfs.ext4 -qF %s/image && mount -o loop %s/image %s",
		dir, dir, dir, ext4);
	if (system(command)) {
		print_error("NOT TESTED: copies on ext4, for lack of a loop device\n");
		skip();
	}
	check_everything(ext4);
	check_chain(ext4);
	assert_int_equal(umount(ext4), 0);
}

/* A file that has more links than the copy's file system allows is several there. */
static void test_too_many_links(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls limited = *kernel;
	_cleanup_close_ int from = -1, to = -1;
	_cleanup_free_ char *names = NULL;
	char name[] = "a";

	copying_make(fixture->root);
	from = copying_open(fixture_path(fixture, "root/from"));
	to = copying_open(fixture_path(fixture, "root/to"));
	copying_write(from, name, 0, 10);
	for (name[0] = 'b'; name[0] < 'h'; name[0]++)
		assert_int_equal(linkat(from, "a", from, name, 0), 0);
	limited.linkat = few_links;
	fs_calls = &limited;
	copying_all(fixture->root);
	fs_calls = kernel;
	for (name[0] = 'a'; name[0] < 'h'; name[0]++) {
		struct stat status;

		assert_int_equal(fstatat(to, name, &status, 0), 0);
		assert_int_equal(status.st_size, 10);
	}
	names = tree_listing(fixture_path(fixture, "root/to"));
	assert_null(strstr(names, ".ordinal-links"));
}

static void test_attributes(void **state)
{
	static const unsigned char acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0,
		57, 48, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32,
		0, 0, 0, 255, 255, 255, 255};
	static const char *const names[] = {
		"user.mine", "system.posix_acl_access", "system.posix_acl_default"};
	const struct fixture *fixture = *state;
	const char *from_path = fixture_path(fixture, "root/from/d");
	const char *to_path = fixture_path(fixture, "root/to/d");

	copying_make(fixture->root);
	assert_int_equal(mkdir(from_path, 0755), 0);
	if (setxattr(from_path, names[0], "value", 5, 0) < 0)
		print_error("NOT TESTED: user.*, which this tmpfs has not\n");
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		assert_int_equal(setxattr(from_path, names[i], acl, sizeof(acl), 0), 0);
	assert_int_equal(setxattr(from_path, "trusted.ours", "x", 1, 0), 0);
	copying_all(fixture->root);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char from[256], to[256];
		ssize_t size = getxattr(from_path, names[i], from, sizeof(from));

		assert_int_equal(getxattr(to_path, names[i], to, sizeof(to)), size);
		if (size > 0)
			assert_memory_equal(from, to, size);
	}
	assert_int_equal(getxattr(to_path, "trusted.ours", NULL, 0), -1);
	copying_check_same(fixture->root);
}

static void test_deep(void **state)
{
	const struct fixture *fixture = *state;
	struct rlimit old, few = {100, 100};
	struct copying observer = {0};
	struct error err = {0};
	_cleanup_close_ int from = -1;
	int result;

	copying_make(fixture->root);
	from = copying_open(fixture_path(fixture, "root/from"));
	copying_plant_chain(from, DEPTH, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	result = copying_run(fixture->root, &observer, &err);
	setrlimit(RLIMIT_NOFILE, &old);
	if (result < 0)
		fail_msg("%s", err.text);
	assert_int_equal(observer.count, DEPTH);
	copying_clear(fixture->root);
	check_chain(fixture->root);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_everything),
		TEST(test_everything_on_ext4),
		TEST(test_too_many_links),
		TEST(test_attributes),
		TEST(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
