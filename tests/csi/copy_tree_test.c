/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "copy_file.h"
#include "copy_tree.h"
#include "fs_calls.h"
#include "remove_tree.h"
#include "tree_listing.h"

#define MIB   (1024 * 1024)
#define DEPTH 4096

/* Counts; ends the copy at LIMIT, and does something to the source at every step. */
struct observer {
	unsigned count, limit;
	void (*disturb)(struct observer *observer);
	int from;
};

static bool observe(void *context)
{
	struct observer *observer = context;

	observer->count++;
	if (observer->disturb)
		observer->disturb(observer);
	return observer->count != observer->limit;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* <where>/from and <where>/to, empty. */
static void make_pair(const char *where)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/from", where);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/to", where);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int copy(const char *where, struct observer *observer, struct error *err)
{
	const struct beneath_watch watch = {observe, observer};
	char from_path[256], to_path[256];
	_cleanup_close_ int from = -1, to = -1;

	snprintf(from_path, sizeof(from_path), "%s/from", where);
	snprintf(to_path, sizeof(to_path), "%s/to", where);
	from = open_dir(from_path);
	to = open_dir(to_path);
	return copy_tree(from, to, &watch, err);
}

static void copy_all(const char *where)
{
	struct observer observer = {0};
	struct error err = {0};

	if (copy(where, &observer, &err) < 0)
		fail_msg("%s", err.text);
}

static void check_same(const char *where)
{
	char path[256];
	_cleanup_free_ char *from = NULL, *to = NULL;

	snprintf(path, sizeof(path), "%s/from", where);
	from = tree_listing(path);
	snprintf(path, sizeof(path), "%s/to", where);
	to = tree_listing(path);
	assert_string_equal(from, to);
}

static void clear(const char *where)
{
	struct observer observer = {0};
	const struct beneath_watch watch = {observe, &observer};
	_cleanup_close_ int dir = open_dir(where);
	struct error err;

	if (remove_tree(dir, "from", &watch, &err) < 0 || remove_tree(dir, "to", &watch, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_at(int dir, const char *name, off_t offset, size_t length)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_free_ char *bytes = malloc(length);

	memset(bytes, name[0], length);
	assert_int_equal(pwrite(fd, bytes, length, offset), length);
}

static void plant_files(int dir)
{
	static const struct timespec times[] = {{1000000000, 1}, {1100000000, 999999999}};

	write_at(dir, "empty", 0, 0);
	write_at(dir, "plain", 0, 100000);
	write_at(dir, "large", 0, 9 * MIB + 5);
	write_at(dir, "sparse", 30 * MIB, 5);
	write_at(dir, "sparse", 10 * MIB, 70000);
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
	write_at(dir, "d/locked/one", 0, 10);
	assert_int_equal(linkat(dir, "d/locked/one", dir, "d/two", 0), 0);
	assert_int_equal(linkat(dir, "d/locked/one", dir, "three", 0), 0);
	for (int byte = 1; byte < 256; byte++) {
		memset(name, byte, 255);
		name[255] = '\0';
		if (byte != '/')
			write_at(dir, name, 0, 1);
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

static void check_sparse(int to)
{
	struct stat status;

	assert_int_equal(fstatat(to, "sparse", &status, 0), 0);
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

	make_pair(where);
	snprintf(path, sizeof(path), "%s/from", where);
	from = open_dir(path);
	plant(where, from);
	copy_all(where);
	assert_int_equal(unlinkat(from, "socket", 0), 0);
	check_same(where);
	snprintf(path, sizeof(path), "%s/to", where);
	to = open_dir(path);
	check_links(to);
	check_sparse(to);
	clear(where);
}

/* Every level has FILES files besides the directory that leads on. */
static void plant_chain(int from, int levels, int files)
{
	int dir = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < levels; i++) {
		int next;

		for (int file = 0; file < files; file++) {
			char name[16];

			snprintf(name, sizeof(name), "%d", file);
			write_at(dir, name, 0, 1);
			if (file == files / 2)
				assert_int_equal(mkdirat(dir, "m", 0755), 0);
		}
		if (!files)
			assert_int_equal(mkdirat(dir, "m", 0755), 0);
		next = openat(dir, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	close(dir);
}

/* So deep that directories are closed in the middle, and found again. */
static void check_chain(const char *where)
{
	_cleanup_close_ int from = -1;
	char path[256];

	make_pair(where);
	snprintf(path, sizeof(path), "%s/from", where);
	from = open_dir(path);
	plant_chain(from, 70, 90);
	copy_all(where);
	check_same(where);
	clear(where);
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

	make_pair(fixture->root);
	from = open_dir(fixture_path(fixture, "root/from"));
	to = open_dir(fixture_path(fixture, "root/to"));
	write_at(from, name, 0, 10);
	for (name[0] = 'b'; name[0] < 'h'; name[0]++)
		assert_int_equal(linkat(from, "a", from, name, 0), 0);
	limited.linkat = few_links;
	fs_calls = &limited;
	copy_all(fixture->root);
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

	make_pair(fixture->root);
	assert_int_equal(mkdir(from_path, 0755), 0);
	if (setxattr(from_path, names[0], "value", 5, 0) < 0)
		print_error("NOT TESTED: user.*, which this tmpfs has not\n");
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		assert_int_equal(setxattr(from_path, names[i], acl, sizeof(acl), 0), 0);
	assert_int_equal(setxattr(from_path, "trusted.ours", "x", 1, 0), 0);
	copy_all(fixture->root);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char from[256], to[256];
		ssize_t size = getxattr(from_path, names[i], from, sizeof(from));

		assert_int_equal(getxattr(to_path, names[i], to, sizeof(to)), size);
		if (size > 0)
			assert_memory_equal(from, to, size);
	}
	assert_int_equal(getxattr(to_path, "trusted.ours", NULL, 0), -1);
	check_same(fixture->root);
}

static void test_deep(void **state)
{
	const struct fixture *fixture = *state;
	struct rlimit old, few = {100, 100};
	struct observer observer = {0};
	struct error err = {0};
	_cleanup_close_ int from = -1;
	int result;

	make_pair(fixture->root);
	from = open_dir(fixture_path(fixture, "root/from"));
	plant_chain(from, DEPTH, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	result = copy(fixture->root, &observer, &err);
	setrlimit(RLIMIT_NOFILE, &old);
	if (result < 0)
		fail_msg("%s", err.text);
	assert_int_equal(observer.count, DEPTH);
	clear(fixture->root);
	check_chain(fixture->root);
}

static void test_cancelled(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_close_ int from = -1;
	struct error err;

	make_pair(fixture->root);
	from = open_dir(fixture_path(fixture, "root/from"));
	write_at(from, "large", 0, 9 * MIB);
	/* Twice within the file, and after it. */
	for (unsigned limit = 1; limit <= 3; limit++) {
		const struct fs_calls *kernel = fs_calls;
		struct fs_calls no_clone = *kernel;
		struct observer observer = {.limit = limit};

		no_clone.clone_file = no_clones;
		fs_calls = &no_clone;
		assert_int_equal(copy(fixture->root, &observer, &err), -1);
		fs_calls = kernel;
		assert_int_equal(err.errnum, ECANCELED);
		assert_int_equal(observer.count, limit);
		assert_int_equal(unlink(fixture_path(fixture, "root/to/large")), 0);
	}
}

static void test_full_disk(void **state)
{
	const struct fixture *fixture = *state;
	struct observer observer = {0};
	_cleanup_close_ int from = -1;
	struct error err;

	make_pair(fixture->root);
	assert_int_equal(
		mount("tmpfs", fixture_path(fixture, "root/to"), "tmpfs", 0, "size=1m"), 0);
	from = open_dir(fixture_path(fixture, "root/from"));
	assert_int_equal(mkdirat(from, "d\n\x80", 0755), 0);
	write_at(from, "d\n\x80/large", 0, 3 * MIB);
	assert_int_equal(copy(fixture->root, &observer, &err), -1);
	assert_int_equal(err.kind, ERROR_EXHAUSTED);
	assert_string_equal(err.text, "copy d\?\?/large: No space left on device");
	assert_int_equal(umount(fixture_path(fixture, "root/to")), 0);
}

static void test_long_path_in_error(void **state)
{
	const struct fixture *fixture = *state;
	struct observer observer = {.limit = 300};
	_cleanup_close_ int from = -1;
	struct error err;

	make_pair(fixture->root);
	from = open_dir(fixture_path(fixture, "root/from"));
	plant_chain(from, DEPTH, 0);
	assert_int_equal(copy(fixture->root, &observer, &err), -1);
	assert_true(strlen(err.text) < 300);
	assert_int_equal(strncmp(err.text, "copy ...", 8), 0);
	assert_non_null(strstr(err.text, "m/m/m/"));
}

static void test_mount_inside(void **state)
{
	const struct fixture *fixture = *state;
	const char *mount_point = fixture_path(fixture, "root/from/d/mount");
	struct observer observer = {0};
	struct error err;

	make_pair(fixture->root);
	assert_int_equal(mkdir(fixture_path(fixture, "root/from/d"), 0755), 0);
	assert_int_equal(mkdir(mount_point, 0755), 0);
	assert_int_equal(mount(fixture->dir, mount_point, NULL, MS_BIND, NULL), 0);
	assert_int_equal(copy(fixture->root, &observer, &err), -1);
	assert_int_equal(err.errnum, EXDEV);
	assert_non_null(strstr(err.text, "copy d/mount (a file system mounted there?)"));
	assert_false(fixture_exists(fixture_path(fixture, "root/to/d/mount")));
	assert_int_equal(umount(mount_point), 0);
}

static void test_into_itself(void **state)
{
	const struct fixture *fixture = *state;
	struct observer observer = {0};
	const struct beneath_watch watch = {observe, &observer};
	_cleanup_close_ int from = open_dir(fixture->root), to = -1;
	struct error err;

	assert_int_equal(mkdirat(from, "to", 0755), 0);
	to = open_dir(fixture_path(fixture, "root/to"));
	assert_int_equal(copy_tree(from, to, &watch, &err), -1);
	assert_int_equal(err.errnum, EINVAL);
	assert_int_equal(copy_tree(from, from, &watch, &err), -1);
	assert_int_equal(err.errnum, EINVAL);
}

/* Far enough down that the way back needs "..", move what lies in between. */
static void move_away(struct observer *observer)
{
	if (observer->count == 90)
		assert_int_equal(renameat(observer->from, "m/m/m/m", observer->from, "moved"), 0);
}

static void test_moved_meanwhile(void **state)
{
	const struct fixture *fixture = *state;
	struct observer observer = {.disturb = move_away};
	_cleanup_close_ int from = -1;
	struct error err;

	make_pair(fixture->root);
	from = observer.from = open_dir(fixture_path(fixture, "root/from"));
	plant_chain(from, 200, 3);
	assert_int_equal(copy(fixture->root, &observer, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	assert_non_null(strstr(err.text, "was changed"));
}

/* A new name at every step: what ends it is the disk, or the end of the directory. */
static void add_file(struct observer *observer)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u", observer->count);
	write_at(observer->from, name, 0, 4096);
}

/* The same name is there again at every step. */
static void replace_file(struct observer *observer)
{
	unlinkat(observer->from, "again", 0);
	write_at(observer->from, "again", 0, 10);
}

static void test_growing_meanwhile(void **state)
{
	static void (*const disturb[])(struct observer * observer) = {add_file, replace_file};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(disturb); i++) {
		struct observer observer = {.disturb = disturb[i], .limit = 10000};
		struct error err = {0};
		int result;

		make_pair(fixture->root);
		observer.from = open_dir(fixture_path(fixture, "root/from"));
		for (char name[] = "a"; name[0] <= 'z'; name[0]++)
			write_at(observer.from, name, 0, 10);
		result = copy(fixture->root, &observer, &err);
		assert_true(result == 0 || err.errnum == ENOSPC || err.kind == ERROR_ABORTED);
		close(observer.from);
		clear(fixture->root);
	}
}

static int failing_errno;
static unsigned calls_left;

static bool fails_now(void)
{
	errno = failing_errno;
	return calls_left-- == 0;
}

/* Wrappers that fail when their turn comes. */
#define FAILING(type, name, parameters, arguments)                                                 \
	static type fail_##name parameters                                                         \
	{                                                                                          \
		return fails_now() ? -1 : name arguments;                                          \
	}
FAILING(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
FAILING(int, symlinkat, (const char *target, int dir, const char *name), (target, dir, name))
FAILING(int, mknodat, (int dir, const char *name, mode_t mode, dev_t dev), (dir, name, mode, dev))
FAILING(int, fchownat, (int dir, const char *name, uid_t uid, gid_t gid, int flags),
	(dir, name, uid, gid, flags))
FAILING(int, utimensat, (int dir, const char *name, const struct timespec times[2], int flags),
	(dir, name, times, flags))
FAILING(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
FAILING(int, ftruncate, (int fd, off_t size), (fd, size))
FAILING(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
FAILING(int, fchmod, (int fd, mode_t mode), (fd, mode))
FAILING(int, linkat, (int from_dir, const char *from, int to_dir, const char *to, int flags),
	(from_dir, from, to_dir, to, flags))
FAILING(ssize_t, copy_file_range,
	(int from, off_t *from_at, int to, off_t *to_at, size_t length, unsigned flags),
	(from, from_at, to, to_at, length, flags))

static int fail_create_new(int dir, const char *name)
{
	if (fails_now())
		return -1;
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Each call that changes something fails in turn: the copy fails, and says why and where. */
static void test_failures(void **state)
{
	const struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls failing = *kernel;
	_cleanup_close_ int from = -1;
	struct error err = {0};
	unsigned turn = 0;
	int result;

	failing.mkdirat = fail_mkdirat;
	failing.symlinkat = fail_symlinkat;
	failing.mknodat = fail_mknodat;
	failing.fchownat = fail_fchownat;
	failing.utimensat = fail_utimensat;
	failing.futimens = fail_futimens;
	failing.ftruncate = fail_ftruncate;
	failing.fchown = fail_fchown;
	failing.fchmod = fail_fchmod;
	failing.linkat = fail_linkat;
	failing.clone_file = no_clones;
	failing.copy_file_range = fail_copy_file_range;
	failing.create_new = fail_create_new;
	failing_errno = EDQUOT;
	make_pair(fixture->root);
	from = open_dir(fixture_path(fixture, "root/from"));
	assert_int_equal(mkdirat(from, "d", 0755), 0);
	write_at(from, "d/one", 0, 10);
	assert_int_equal(linkat(from, "d/one", from, "d/two", 0), 0);
	assert_int_equal(symlinkat("x", from, "link"), 0);
	assert_int_equal(mkfifoat(from, "fifo", 0600), 0);
	do {
		struct observer observer = {0};

		calls_left = turn++;
		fs_calls = &failing;
		result = copy(fixture->root, &observer, &err);
		fs_calls = kernel;
		if (result < 0 && (err.errnum != EDQUOT || strncmp(err.text, "copy ", 5)))
			fail_msg("turn %u: %s", turn, err.text);
		if (result < 0) {
			struct observer other = {0};
			const struct beneath_watch watch = {observe, &other};
			_cleanup_close_ int root = open_dir(fixture->root);

			assert_int_equal(remove_tree(root, "to", &watch, &err), 0);
			assert_int_equal(mkdirat(root, "to", 0755), 0);
		}
	} while (result < 0);
	assert_true(turn > 20);
	check_same(fixture->root);
}

struct writer {
	int from;
	atomic_bool stop;
};

/* Directories for links to outside, files for FIFOs, and holes for data, as fast as it can. */
static void *write_hostile(void *argument)
{
	struct writer *writer = argument;

	for (unsigned i = 0; !atomic_load(&writer->stop); i++) {
		char a[16], b[16];

		snprintf(a, sizeof(a), "%u", i % 7);
		snprintf(b, sizeof(b), "%u", (i + 3) % 7);
		mkdirat(writer->from, a, 0755);
		if (i % 3 == 0)
			mkfifoat(writer->from, b, 0644);
		else if (symlinkat("../../outside", writer->from, b) < 0 && i % 11 == 0)
			unlinkat(writer->from, b, 0);
		syscall(SYS_renameat2, writer->from, a, writer->from, b, RENAME_EXCHANGE);
		syscall(SYS_renameat2, writer->from, "d/m/m", writer->from, a, RENAME_EXCHANGE);
		if (i % 5 == 0)
			renameat(writer->from, b, writer->from, "d/x");
	}
	return NULL;
}

static void test_hostile_writer(void **state)
{
	const struct fixture *fixture = *state;
	struct writer writer = {.stop = false};
	_cleanup_close_ int inside = -1;
	unsigned copied = 0;
	pthread_t thread;

	alarm(240);
	assert_int_equal(mkdir(fixture_path(fixture, "outside"), 0755), 0);
	fixture_write_file(fixture_path(fixture, "outside/precious"), "x");
	make_pair(fixture->root);
	writer.from = open_dir(fixture_path(fixture, "root/from"));
	assert_int_equal(mkdirat(writer.from, "d", 0755), 0);
	inside = open_dir(fixture_path(fixture, "root/from/d"));
	plant_chain(inside, 50, 5);
	pthread_create(&thread, NULL, write_hostile, &writer);
	for (int i = 0; i < 100; i++) {
		struct observer observer = {0}, other = {0};
		const struct beneath_watch watch = {observe, &other};
		_cleanup_close_ int root = open_dir(fixture->root);
		_cleanup_free_ char *list = NULL;
		struct error err;

		copied += copy(fixture->root, &observer, &err) == 0;
		list = tree_listing(fixture_path(fixture, "root/to"));
		assert_null(strstr(list, "precious"));
		assert_int_equal(remove_tree(root, "to", &watch, &err), 0);
		assert_int_equal(mkdirat(root, "to", 0755), 0);
	}
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	close(writer.from);
	print_message("%u of 100 copies of a changing tree were made\n", copied);
	assert_true(fixture_exists(fixture_path(fixture, "outside/precious")));
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
		TEST(test_cancelled),
		TEST(test_full_disk),
		TEST(test_long_path_in_error),
		TEST(test_mount_inside),
		TEST(test_into_itself),
		TEST(test_moved_meanwhile),
		TEST(test_growing_meanwhile),
		TEST(test_failures),
		TEST(test_hostile_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
