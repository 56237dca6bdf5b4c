/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fs_calls.h"
#include "remove_tree.h"

static bool always(void *context)
{
	(void)context;
	return true;
}

static const struct beneath_watch watch = {always, NULL};

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
	struct error err = {0};
	struct stat status;

	plant_locked(root);
	assert_int_equal(renameat(root, "volume", root, "trash"), -1);
	assert_int_equal(errno, EPERM);
	if (beneath_rename(root, "volume", root, "trash", &err) < 0)
		fail_msg("%s", err.text);
	if (remove_tree(root, "trash", &watch, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(fstatat(root, "trash", &status, 0), -1);
	plant_locked(root);
	if (remove_tree(root, "volume", &watch, &err) < 0)
		fail_msg("%s", err.text);
}

static void check_make_mutable(int root)
{
	struct error err = {0};

	assert_int_equal(mkdirat(root, "d", 0755), 0);
	assert_int_equal(beneath_make_mutable(root, "d", &err), -1);
	assert_int_equal(err.errnum, EPERM);
	assert_int_equal(set_flags(root, "d", FS_IMMUTABLE_FL), 0);
	assert_int_equal(symlinkat("d", root, "link"), 0);
	assert_int_equal(beneath_make_mutable(root, "link", &err), -1);
	assert_int_equal(unlinkat(root, "d", AT_REMOVEDIR), -1);
	assert_int_equal(beneath_make_mutable(root, "d", &err), 0);
	assert_int_equal(unlinkat(root, "d", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root, "link", 0), 0);
	assert_int_equal(beneath_make_mutable(root, "missing", &err), -1);
	assert_int_equal(err.errnum, ENOENT);
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
	struct error err = {0};

	plant_locked(root);
	refusing.set_flags = refuse_flags;
	fs_calls = &refusing;
	assert_int_equal(remove_tree(root, "volume", &watch, &err), -1);
	fs_calls = kernel;
	assert_int_equal(err.errnum, EPERM);
	assert_int_equal(remove_tree(root, "volume", &watch, &err), 0);
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
	check_make_mutable(root);
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
		TEST(test_immutable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
