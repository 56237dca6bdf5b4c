/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that are ended, fail, or are of a tree that changes meanwhile. */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "copy_tree.h"
#include "fs_calls.h"
#include "remove_tree.h"
#include "tree_listing.h"

#define MIB   (1024 * 1024)
#define DEPTH 4096

static int no_clones(int from, int to)
{
	(void)from;
	(void)to;
	errno = EOPNOTSUPP;
	return -1;
}

static void test_cancelled(void **state)
{
	const struct fixture *fixture = *state;
	_cleanup_close_ int from = -1;
	struct error err;

	copying_make(fixture->root);
	from = copying_open(fixture_path(fixture, "root/from"));
	copying_write(from, "large", 0, 9 * MIB);
	/* Twice within the file, and after it. */
	for (unsigned limit = 1; limit <= 3; limit++) {
		const struct fs_calls *kernel = fs_calls;
		struct fs_calls no_clone = *kernel;
		struct copying observer = {.limit = limit};

		no_clone.clone_file = no_clones;
		fs_calls = &no_clone;
		assert_int_equal(copying_run(fixture->root, &observer, &err), -1);
		fs_calls = kernel;
		assert_int_equal(err.errnum, ECANCELED);
		assert_int_equal(observer.count, limit);
		assert_int_equal(unlink(fixture_path(fixture, "root/to/large")), 0);
	}
}

static void test_full_disk(void **state)
{
	const struct fixture *fixture = *state;
	struct copying observer = {0};
	_cleanup_close_ int from = -1;
	struct error err;

	copying_make(fixture->root);
	assert_int_equal(
		mount("tmpfs", fixture_path(fixture, "root/to"), "tmpfs", 0, "size=1m"), 0);
	from = copying_open(fixture_path(fixture, "root/from"));
	assert_int_equal(mkdirat(from, "d\n\x80", 0755), 0);
	copying_write(from, "d\n\x80/large", 0, 3 * MIB);
	assert_int_equal(copying_run(fixture->root, &observer, &err), -1);
	assert_int_equal(err.kind, ERROR_EXHAUSTED);
	assert_string_equal(err.text, "copy d\?\?/large: No space left on device");
	assert_int_equal(umount(fixture_path(fixture, "root/to")), 0);
}

static void test_long_path_in_error(void **state)
{
	const struct fixture *fixture = *state;
	struct copying observer = {.limit = 300};
	_cleanup_close_ int from = -1;
	struct error err;

	copying_make(fixture->root);
	from = copying_open(fixture_path(fixture, "root/from"));
	copying_plant_chain(from, DEPTH, 0);
	assert_int_equal(copying_run(fixture->root, &observer, &err), -1);
	assert_true(strlen(err.text) < 300);
	assert_int_equal(strncmp(err.text, "copy ...", 8), 0);
	assert_non_null(strstr(err.text, "m/m/m/"));
}

static void test_mount_inside(void **state)
{
	const struct fixture *fixture = *state;
	const char *mount_point = fixture_path(fixture, "root/from/d/mount");
	struct copying observer = {0};
	struct error err;

	copying_make(fixture->root);
	assert_int_equal(mkdir(fixture_path(fixture, "root/from/d"), 0755), 0);
	assert_int_equal(mkdir(mount_point, 0755), 0);
	assert_int_equal(mount(fixture->dir, mount_point, NULL, MS_BIND, NULL), 0);
	assert_int_equal(copying_run(fixture->root, &observer, &err), -1);
	assert_int_equal(err.errnum, EXDEV);
	assert_non_null(strstr(err.text, "copy d/mount (a file system mounted there?)"));
	assert_false(fixture_exists(fixture_path(fixture, "root/to/d/mount")));
	assert_int_equal(umount(mount_point), 0);
}

static void test_into_itself(void **state)
{
	const struct fixture *fixture = *state;
	struct copying observer = {0};
	const struct beneath_watch watch = {copying_observe, &observer};
	_cleanup_close_ int from = copying_open(fixture->root), to = -1;
	struct error err;

	assert_int_equal(mkdirat(from, "to", 0755), 0);
	to = copying_open(fixture_path(fixture, "root/to"));
	assert_int_equal(copy_tree(from, to, &watch, &err), -1);
	assert_int_equal(err.errnum, EINVAL);
	assert_int_equal(copy_tree(from, from, &watch, &err), -1);
	assert_int_equal(err.errnum, EINVAL);
}

/* Far enough down that the way back needs "..", move what lies in between. */
static void move_away(struct copying *observer)
{
	if (observer->count == 90)
		assert_int_equal(renameat(observer->from, "m/m/m/m", observer->from, "moved"), 0);
}

static void test_moved_meanwhile(void **state)
{
	const struct fixture *fixture = *state;
	struct copying observer = {.disturb = move_away};
	_cleanup_close_ int from = -1;
	struct error err;

	copying_make(fixture->root);
	from = observer.from = copying_open(fixture_path(fixture, "root/from"));
	copying_plant_chain(from, 200, 3);
	assert_int_equal(copying_run(fixture->root, &observer, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	assert_non_null(strstr(err.text, "was changed"));
}

/* A new name at every step: what ends it is the disk, or the end of the directory. */
static void add_file(struct copying *observer)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u", observer->count);
	copying_write(observer->from, name, 0, 4096);
}

/* The same name is there again at every step. */
static void replace_file(struct copying *observer)
{
	unlinkat(observer->from, "again", 0);
	copying_write(observer->from, "again", 0, 10);
}

static void test_growing_meanwhile(void **state)
{
	static void (*const disturb[])(struct copying * observer) = {add_file, replace_file};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(disturb); i++) {
		struct copying observer = {.disturb = disturb[i], .limit = 10000};
		struct error err = {0};
		int result;

		copying_make(fixture->root);
		observer.from = copying_open(fixture_path(fixture, "root/from"));
		for (char name[] = "a"; name[0] <= 'z'; name[0]++)
			copying_write(observer.from, name, 0, 10);
		result = copying_run(fixture->root, &observer, &err);
		assert_true(result == 0 || err.errnum == ENOSPC || err.kind == ERROR_ABORTED);
		close(observer.from);
		copying_clear(fixture->root);
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
	copying_make(fixture->root);
	from = copying_open(fixture_path(fixture, "root/from"));
	assert_int_equal(mkdirat(from, "d", 0755), 0);
	copying_write(from, "d/one", 0, 10);
	assert_int_equal(linkat(from, "d/one", from, "d/two", 0), 0);
	assert_int_equal(symlinkat("x", from, "link"), 0);
	assert_int_equal(mkfifoat(from, "fifo", 0600), 0);
	do {
		struct copying observer = {0};

		calls_left = turn++;
		fs_calls = &failing;
		result = copying_run(fixture->root, &observer, &err);
		fs_calls = kernel;
		if (result < 0 && (err.errnum != EDQUOT || strncmp(err.text, "copy ", 5)))
			fail_msg("turn %u: %s", turn, err.text);
		if (result < 0) {
			struct copying other = {0};
			const struct beneath_watch watch = {copying_observe, &other};
			_cleanup_close_ int root = copying_open(fixture->root);

			assert_int_equal(remove_tree(root, "to", &watch, &err), 0);
			assert_int_equal(mkdirat(root, "to", 0755), 0);
		}
	} while (result < 0);
	assert_true(turn > 20);
	copying_check_same(fixture->root);
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
	copying_make(fixture->root);
	writer.from = copying_open(fixture_path(fixture, "root/from"));
	assert_int_equal(mkdirat(writer.from, "d", 0755), 0);
	inside = copying_open(fixture_path(fixture, "root/from/d"));
	copying_plant_chain(inside, 50, 5);
	pthread_create(&thread, NULL, write_hostile, &writer);
	for (int i = 0; i < 100; i++) {
		struct copying observer = {0}, other = {0};
		const struct beneath_watch watch = {copying_observe, &other};
		_cleanup_close_ int root = copying_open(fixture->root);
		_cleanup_free_ char *list = NULL;
		struct error err;

		copied += copying_run(fixture->root, &observer, &err) == 0;
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
