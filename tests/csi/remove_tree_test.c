/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fs_calls.h"
#include "remove_tree.h"

#define DEPTH 3000

/* Counts the entries, and stops after some where LIMIT says so. */
struct counter {
	unsigned count, limit;
};

static bool count(void *context)
{
	struct counter *counter = context;

	return ++counter->count != counter->limit;
}

static int try_remove(int dir, const char *name, struct counter *counter, struct error *err)
{
	const struct beneath_watch watch = {count, counter};

	return remove_tree(dir, name, &watch, err);
}

static int open_root(const struct fixture *fixture)
{
	int fd = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Returns how many entries the watch has seen. */
static unsigned remove_all(int dir, const char *name)
{
	struct counter counter = {0};
	struct error err;

	if (try_remove(dir, name, &counter, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW), -1);
	return counter.count;
}

static int no_openat2(int dir, const char *path, const struct open_how *how)
{
	(void)dir;
	(void)path;
	(void)how;
	errno = ENOSYS;
	return -1;
}

/* Deeper than descriptors or PATH_MAX allow, with names of every kind. */
static void test_hostile_tree(void **state)
{
	static const char *const names[] = {
		"0", "1", "new\nline", "\xff\xfe", ".ordinal", "-rf *", "...", " "};
	const struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(fixture);
	_cleanup_close_ int dir = -1;

	mkdirat(root, "volume", 0755);
	dir = openat(root, "volume", O_RDONLY | O_DIRECTORY);
	for (int level = 0; level < DEPTH; level++) {
		int next;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (level % 100 == 0) {
				mkdirat(dir, names[i], 0700);
				assert_int_equal(symlinkat(fixture->dir, dir, "link"), i ? -1 : 0);
			}
		mkdirat(dir, names[(size_t)level % ARRAY_SIZE(names)], 0700);
		next = openat(
			dir, names[(size_t)level % ARRAY_SIZE(names)], O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	remove_all(root, "volume");
	assert_true(fixture_exists(fixture->root));
	remove_all(root, "volume");
}

static void test_without_openat2(void **state)
{
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls old_kernel = *kernel;

	old_kernel.openat2 = no_openat2;
	fs_calls = &old_kernel;
	test_hostile_tree(state);
	fs_calls = kernel;
}

static void test_stops_at_mounts(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(fixture);
	_cleanup_free_ char *mount_point = strdup(fixture_path(fixture, "root/volume/a/b"));
	struct counter counter = {0};
	struct error err;

	mkdir(fixture_path(fixture, "root/volume"), 0755);
	mkdir(fixture_path(fixture, "root/volume/a"), 0755);
	mkdir(mount_point, 0755);
	assert_int_equal(mount("tmpfs", mount_point, "tmpfs", 0, "size=1m"), 0);
	fixture_write_file(fixture_path(fixture, "root/volume/a/b/file"), "elsewhere");
	for (char name[] = "root/volume/a/a"; name[14] <= 'd'; name[14] += 2)
		fixture_write_file(fixture_path(fixture, "%s", name), "goes");
	assert_int_equal(try_remove(root, "volume", &counter, &err), -1);
	assert_non_null(strstr(err.text, "in it b (a file system mounted"));
	assert_true(fixture_exists(fixture_path(fixture, "root/volume/a/b/file")));
	assert_false(fixture_exists(fixture_path(fixture, "root/volume/a/a")));
	assert_false(fixture_exists(fixture_path(fixture, "root/volume/a/c")));
	umount(mount_point);
	remove_all(root, "volume");
}

static void test_is_watched(void **state)
{
	_cleanup_close_ int root = open_root(*state);
	struct counter counter = {.limit = 2};
	struct error err;
	struct stat status;

	mkdirat(root, "volume", 0755);
	for (char name[] = "volume/a"; name[7] <= 'e'; name[7]++)
		mkdirat(root, name, 0755);
	assert_int_equal(try_remove(root, "volume", &counter, &err), -1);
	assert_int_equal(err.errnum, ECANCELED);
	assert_int_equal(fstatat(root, "volume", &status, 0), 0);
	assert_int_equal(status.st_nlink, 5);
	mkdirat(root, "volume/f", 0755);
	mkdirat(root, "volume/f/g", 0755);
	mkdirat(root, "volume/f/g/h", 0755);
	/* c to f, g moved up and removed, h, and the volume itself. */
	assert_int_equal(remove_all(root, "volume"), 4 + 2 + 1 + 1);
	assert_int_equal(remove_all(root, "volume"), 1);
}

struct writer {
	int volume;
	atomic_bool stop;
};

/* A pod that does all it can while its volume is removed: swaps directories for links to
 * outside, moves trees about, adds files. */
static void *write_hostile(void *argument)
{
	struct writer *writer = argument;

	for (unsigned i = 0; !atomic_load(&writer->stop); i++) {
		char a[16], b[16];

		snprintf(a, sizeof(a), "%u", i % 7);
		snprintf(b, sizeof(b), "%u", (i + 3) % 7);
		mkdirat(writer->volume, a, 0755);
		if (symlinkat("../../outside", writer->volume, b) < 0 && errno != EEXIST)
			continue; /* the volume is gone already */
		syscall(SYS_renameat2, writer->volume, a, writer->volume, b, RENAME_EXCHANGE);
		if (i % 5 == 0)
			unlinkat(writer->volume, b, 0);
	}
	return NULL;
}

static void test_hostile_writer(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_close_ int root = open_root(fixture);
	struct writer writer = {.stop = false};
	struct counter counter = {0};
	struct error err;
	pthread_t thread;

	mkdir(fixture_path(fixture, "outside"), 0755);
	fixture_write_file(fixture_path(fixture, "outside/file"), "precious");
	mkdirat(root, "volume", 0755);
	writer.volume = openat(root, "volume", O_RDONLY | O_DIRECTORY);
	pthread_create(&thread, NULL, write_hostile, &writer);
	/* Whether one attempt succeeds is the scheduler's; that nothing outside is touched, ours.
	 */
	for (int i = 0; i < 200; i++)
		(void)try_remove(root, "volume", &counter, &err);
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	close(writer.volume);
	remove_all(root, "volume");
	assert_true(fixture_exists(fixture_path(fixture, "outside/file")));
}

static int set_flags(int dir, const char *name, int flags)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	int others;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &others) < 0)
		return -1;
	flags |= others & ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static void write_file(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "x", 1), 1);
}

/* A volume in which a pod has locked all it can: files and directories, on every level. */
static void plant_locked(int root)
{
	static const char *const files[] = {"volume/immutable", "volume/append",
		"volume/a/immutable", "volume/a/b/append", "volume/a/empty/../b/c/immutable"};
	static const char *const dirs[] = {
		"volume/a/empty", "volume/a/b/c", "volume/a/b", "volume/a", "volume"};

	for (size_t i = ARRAY_SIZE(dirs); i--;)
		assert_int_equal(mkdirat(root, dirs[i], 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		write_file(root, files[i]);
		assert_int_equal(
			set_flags(root, files[i],
				strstr(files[i], "append") ? FS_APPEND_FL : FS_IMMUTABLE_FL),
			0);
	}
	assert_int_equal(symlinkat("immutable", root, "volume/link"), 0);
	assert_int_equal(mkfifoat(root, "volume/fifo", 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(
			set_flags(root, dirs[i], i % 2 ? FS_APPEND_FL : FS_IMMUTABLE_FL), 0);
}

static void check_locked(int root)
{
	struct counter counter = {0};
	struct error err = {0};
	struct stat status;

	plant_locked(root);
	assert_int_equal(renameat(root, "volume", root, "trash"), -1);
	assert_int_equal(errno, EPERM);
	if (beneath_rename(root, "volume", root, "trash", &err) < 0)
		fail_msg("%s", err.text);
	if (try_remove(root, "trash", &counter, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fstatat(root, "trash", &status, 0), -1);
	plant_locked(root);
	if (try_remove(root, "volume", &counter, &err) < 0)
		fail_msg("%s", err.text);
}

static bool lock_again(void *context)
{
	int root = *(const int *)context;

	/* Fails once the volume is gone. */
	return set_flags(root, "volume", FS_IMMUTABLE_FL) <= 0;
}

/* A pod that locks its volume again after each entry that went. */
static void check_locked_again(int root)
{
	static const char *const dirs[] = {"volume", "volume/a", "volume/a/b", "volume/a/b/c",
		"volume/a/d", "volume/a/d/e", "volume/f", "volume/g"};
	const struct beneath_watch watch = {lock_again, &root};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(root, dirs[i], 0755), 0);
	if (remove_tree(root, "volume", &watch, &err) < 0)
		fail_msg("%s", err.text);
}

static int refuse_flags(int fd, int flags)
{
	(void)fd;
	(void)flags;
	errno = EPERM; /* no CAP_LINUX_IMMUTABLE */
	return -1;
}

static void check_without_capability(int root)
{
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls refusing = *kernel;
	struct counter counter = {0};
	struct error err = {0};

	plant_locked(root);
	refusing.set_flags = refuse_flags;
	fs_calls = &refusing;
	assert_int_equal(try_remove(root, "volume", &counter, &err), -1);
	fs_calls = kernel;
	assert_int_equal(err.errnum, EPERM);
	assert_int_equal(try_remove(root, "volume", &counter, &err), 0);
}

/* What chattr does is seen on the file system most volumes have, and on the tests' own. */
static bool mount_ext4(const struct fixture *fixture, const char *where)
{
	char command[512];

	snprintf(command, sizeof(command),
		"truncate -s 8M %s/image && mkfs.ext4 -qF %s/image && mount -o loop %s/image %s",
		fixture->dir, fixture->dir, fixture->dir, where);
	return system(command) == 0;
}

static void check_flags(const char *kind, const char *path, bool *tried)
{
	_cleanup_close_ int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	write_file(root, "probe");
	if (set_flags(root, "probe", FS_IMMUTABLE_FL) < 0) {
		print_error("%s has no immutable files here: %s\n", kind, strerror(errno));
		return;
	}
	assert_int_equal(set_flags(root, "probe", 0), 0);
	check_locked(root);
	check_locked_again(root);
	check_without_capability(root);
	*tried = true;
}

static void test_immutable(void **state)
{
	const struct fixture *fixture = *state;
	const char *ext4 = fixture_path(fixture, "ext4");
	bool tried = false;

	check_flags("tmpfs", fixture->root, &tried);
	mkdir(ext4, 0755);
	if (mount_ext4(fixture, ext4)) {
		check_flags("ext4", ext4, &tried);
		assert_int_equal(umount(ext4), 0);
	} else {
		print_error("no ext4 on a loop device here\n");
	}
	if (!tried) {
		print_error("NOT TESTED: immutable files, which no file system here supports\n");
		skip();
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_hostile_tree),
		TEST(test_without_openat2),
		TEST(test_stops_at_mounts),
		TEST(test_is_watched),
		TEST(test_hostile_writer),
		TEST(test_immutable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
