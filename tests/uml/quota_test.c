/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotas of volumes on a disk of this guest that has project quotas: ORDINAL_DISK, ext4 or XFS.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "base_check.h"
#include "fs_calls.h"
#include "project.h"
#include "quota.h"
#include "scene.h"

#define MIB    ((int64_t)1 << 20)
#define NOBODY 65534

static int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		fail_msg("open %s: %s", path, strerror(errno));
	return fd;
}

static uint32_t project_of(const char *path)
{
	_cleanup_close_ int fd = open_path(path);
	struct fsxattr attributes;

	assert_int_equal(ioctl(fd, FS_IOC_FSGETXATTR, &attributes), 0);
	return attributes.fsx_projid;
}

static const char *root_path(const struct fixture *fixture, const char *path)
{
	return fixture_path(fixture, "root/%s", path);
}

/* What the kernel has of a project. */
static struct if_dqblk quota_of(const struct fixture *fixture, uint32_t project)
{
	_cleanup_close_ int fd = open_path(fixture->root);
	struct if_dqblk quota = {0};

	if (fs_calls->quotactl_fd(fd, QCMD(Q_GETQUOTA, PRJQUOTA), project, &quota) < 0)
		assert_int_equal(errno, ENOENT);
	return quota;
}

static int64_t limit_of(const struct fixture *fixture, uint32_t project)
{
	return (int64_t)quota_of(fixture, project).dqb_bhardlimit * 1024;
}

/* How many bytes of a file at PATH somebody who may not go beyond quotas can write, up to MAX. */
static int64_t write_as_nobody(const char *path, int64_t max)
{
	struct stat status = {0};
	int code;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		char block[4096] = {1};
		int fd;

		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		for (int64_t done = 0; fd >= 0 && done < max; done += (int64_t)sizeof(block))
			if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
				_exit(errno == EDQUOT || errno == ENOSPC ? 0 : 1);
		_exit(fd < 0 || fsync(fd) < 0);
	}
	assert_int_equal(waitpid(child, &code, 0), child);
	assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* That the volume at PATH takes SIZE bytes or a little less, and no more. */
static void check_takes(const struct fixture *fixture, const char *path, int64_t size)
{
	const char *file = fixture_path(fixture, "root/%s/fill", path);
	int64_t written = write_as_nobody(file, 4 * size);

	if (written > size || written < size - 128 * 1024)
		fail_msg("%s took %lld of %lld bytes", path, (long long)written, (long long)size);
	assert_int_equal(unlink(file), 0);
}

/* The volume's context has that of ordinal.dev/quota. */
static char *create(struct fixture *fixture, const struct create *wish, const char *quota)
{
	char *id = fixture_create(fixture, wish, ERROR_NONE, NULL);
	Csi__V1__ControllerGetVolumeRequest get = CSI__V1__CONTROLLER_GET_VOLUME_REQUEST__INIT;
	Csi__V1__ControllerGetVolumeResponse *answer;
	const char *told = "nothing";

	get.volume_id = id;
	answer = fixture_expect(fixture, "Controller/ControllerGetVolume", &get,
		&csi__v1__controller_get_volume_response__descriptor, ERROR_NONE, NULL);
	for (size_t i = 0; i < answer->volume->n_volume_context; i++)
		if (!strcmp(answer->volume->volume_context[i]->key, "ordinal.dev/quota"))
			told = answer->volume->volume_context[i]->value;
	assert_string_equal(told, quota);
	fixture_free(answer);
	return id;
}

static void expand(struct fixture *fixture, const char *id, int64_t size)
{
	Csi__V1__ControllerExpandVolumeRequest request =
		CSI__V1__CONTROLLER_EXPAND_VOLUME_REQUEST__INIT;
	Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;

	request.volume_id = (char *)id;
	request.capacity_range = &range;
	range.required_bytes = size;
	fixture_free(fixture_expect(fixture, "Controller/ControllerExpandVolume", &request,
		&csi__v1__controller_expand_volume_response__descriptor, ERROR_NONE, NULL));
}

static void wait_for_trash(struct fixture *fixture)
{
	trash_wait(&fixture->driver.volumes.trash);
}

/* Nothing of a project is left that is nobody's any more. XFS takes its time for that. */
static void check_free(const struct fixture *fixture, uint32_t project)
{
	const struct timespec pause = {0, 10 * 1000000};

	for (int i = 0; quota_of(fixture, project).dqb_curinodes; i++) {
		assert_true(i < 6000);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(quota_of(fixture, project).dqb_curspace, 0);
	assert_int_equal(limit_of(fixture, project), 0);
}

static void test_size(void **state)
{
	struct fixture *fixture = *state;
	struct create wish = {.name = "pvc-1",
		.required = 2 * MIB,
		.parameters = {"pathPattern=a/b", "quota=required"}};
	_cleanup_free_ char *id = create(fixture, &wish, "enforced"), *again = NULL;
	uint32_t project = project_of(root_path(fixture, "a/b"));
	struct statvfs status;

	assert_true(project >= QUOTA_ID_FIRST);
	assert_int_equal(project_of(root_path(fixture, "a")), 0);
	check_takes(fixture, "a/b", 2 * MIB);
	assert_int_equal(statvfs(root_path(fixture, "a/b"), &status), 0);
	assert_int_equal(status.f_blocks * status.f_frsize, 2 * MIB);
	expand(fixture, id, 4 * MIB);
	check_takes(fixture, "a/b", 4 * MIB);
	/* A call that is repeated mends what an earlier one may not have done. */
	fixture_stop(fixture);
	fixture_start(fixture);
	expand(fixture, id, 4 * MIB);
	assert_int_equal(limit_of(fixture, project), 4 * MIB);
	wish.required = 4 * MIB;
	again = create(fixture, &wish, "enforced");
	assert_string_equal(again, id);
	wish.parameters[1] = "quota=none";
	fixture_create(fixture, &wish, ERROR_ALREADY_EXISTS, "another quota");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	check_free(fixture, project);
}

static void test_without(void **state)
{
	static const struct create none = {.name = "pvc-1",
		.required = 2 * MIB,
		.parameters = {"pathPattern=a", "quota=none"}};
	static const struct create unsized = {
		.name = "pvc-2", .parameters = {"pathPattern=b", "quota=required"}};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &none, "none");
	_cleanup_free_ char *other = create(fixture, &unsized, "none");

	assert_int_equal(project_of(root_path(fixture, "a")), 0);
	assert_int_equal(project_of(root_path(fixture, "b")), 0);
	assert_int_equal(write_as_nobody(root_path(fixture, "a/file"), 3 * MIB), 3 * MIB);
	expand(fixture, id, 4 * MIB);
	assert_int_equal(project_of(root_path(fixture, "a")), 0);
}

static void test_ids(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_close_ int fd = open_path(fixture->root);
	_cleanup_close_ int dir = -1;
	int64_t one, other, third;

	assert_int_equal(quota_choose(fd, &one, NULL), 0);
	/* Somebody's limit, and somebody's files. */
	assert_int_equal(quota_limit(fd, one + 1, MIB, NULL), 0);
	assert_int_equal(mkdir(root_path(fixture, "theirs"), 0755), 0);
	dir = open_path(root_path(fixture, "theirs"));
	assert_int_equal(project_set(dir, (uint32_t)one + 2), 0);
	assert_int_equal(quota_choose(fd, &other, NULL), 0);
	assert_int_equal(other, one + 3);
	assert_int_equal(quota_limit(fd, one + 1, 0, NULL), 0);
	/* Both were given already. */
	assert_int_equal(quota_choose(fd, &third, NULL), 0);
	assert_int_equal(third, one + 4);
}

#define ARCHIVING                                                                                  \
	"onDelete=archive", "reuse=ordinal", "csi.storage.k8s.io/pvc/namespace=shop",              \
		"ordinal.dev/namespace-uid=uid-1", "ordinal.dev/statefulset=web",                  \
		"ordinal.dev/template=data", "ordinal.dev/ordinal=0"
#define PLACE "shop/web/data-0"

/* Data keep their project, and get the limit of the volume that takes them up. */
static void test_reuse(void **state)
{
	static const struct create first = {
		.name = "pvc-1", .required = MIB, .parameters = {ARCHIVING}};
	static const struct create second = {
		.name = "pvc-2", .required = 2 * MIB, .parameters = {ARCHIVING}};
	static const struct create third = {
		.name = "pvc-3", .required = 2 * MIB, .parameters = {ARCHIVING, "quota=none"}};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &first, "enforced"), *later = NULL, *last = NULL;
	uint32_t project = project_of(root_path(fixture, PLACE));

	fixture_write_file(root_path(fixture, PLACE "/file"), "precious");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	assert_int_equal(limit_of(fixture, project), MIB);
	later = create(fixture, &second, "enforced");
	fixture_check_file(root_path(fixture, PLACE "/file"), "precious");
	assert_int_equal(project_of(root_path(fixture, PLACE)), project);
	assert_int_equal(project_of(root_path(fixture, PLACE "/file")), project);
	check_takes(fixture, PLACE, 2 * MIB);
	fixture_delete(fixture, later, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	last = create(fixture, &third, "none");
	assert_int_equal(limit_of(fixture, project), 0);
	fixture_check_file(root_path(fixture, PLACE "/file"), "precious");
}

/* A tree as a hostile pod leaves it. */
static void fill_tree(const struct fixture *fixture, const char *volume)
{
	char command[1024];

	snprintf(command, sizeof(command),
		"cd '%s' && mkdir -p a/b/c && echo x >a/b/c/file && echo y >stuck && ln -s /etc link &&"
		" ln a/b/c/file hard && mkfifo fifo && ln -s a/b loop && chattr +i stuck",
		root_path(fixture, volume));
	assert_int_equal(system(command), 0);
}

/* Data of before there were quotas are counted, every file of them. */
static void test_adopted(void **state)
{
	static const struct create first = {
		.name = "pvc-1", .required = MIB, .parameters = {ARCHIVING, "quota=none"}};
	static const struct create second = {
		.name = "pvc-2", .required = 2 * MIB, .parameters = {ARCHIVING, "quota=required"}};
	static const char *const files[] = {
		"", "/a", "/a/b", "/a/b/c", "/a/b/c/file", "/stuck", "/hard"};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &first, "none"), *later = NULL;
	uint32_t project;

	fill_tree(fixture, PLACE);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	later = create(fixture, &second, "enforced");
	project = project_of(root_path(fixture, PLACE));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(
			project_of(fixture_path(fixture, "root/" PLACE "%s", files[i])), project);
	assert_int_equal(quota_of(fixture, project).dqb_curinodes, 6);
	assert_int_equal(project_of("/etc"), 0);
	check_takes(fixture, PLACE, 2 * MIB);
}

static void test_copies(void **state)
{
	static const struct create first = {
		.name = "pvc-1", .required = MIB, .parameters = {"pathPattern=one"}};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &first, "enforced");
	struct create clone = {.name = "pvc-2",
		.required = 2 * MIB,
		.parameters = {"pathPattern=two"},
		.source = id};
	_cleanup_free_ char *copy = NULL;
	uint32_t project;

	fill_tree(fixture, "one");
	copy = create(fixture, &clone, "enforced");
	project = project_of(root_path(fixture, "two"));
	assert_int_not_equal(project, project_of(root_path(fixture, "one")));
	assert_int_equal(project_of(root_path(fixture, "two/a/b/c/file")), project);
	check_takes(fixture, "two", 2 * MIB);
	fixture_delete(fixture, copy, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	check_free(fixture, project);
}

/* What carries another project than the record says came from elsewhere: that one is let alone. */
static void test_lost_project(void **state)
{
	static const struct create first = {
		.name = "pvc-1", .required = MIB, .parameters = {"pathPattern=one"}};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &first, "enforced");
	uint32_t project = project_of(root_path(fixture, "one"));
	_cleanup_close_ int fd = open_path(root_path(fixture, "one"));
	uint32_t adopted;

	fill_tree(fixture, "one");
	assert_int_equal(project_set(fd, 4711), 0);
	assert_int_equal(quota_limit(fd, 4711, 5 * MIB, NULL), 0);
	expand(fixture, id, 2 * MIB);
	adopted = project_of(root_path(fixture, "one"));
	assert_int_not_equal(adopted, project);
	assert_int_not_equal(adopted, 4711);
	assert_int_equal(project_of(root_path(fixture, "one/a/b/c/file")), adopted);
	assert_int_equal(limit_of(fixture, 4711), 5 * MIB);
	check_takes(fixture, "one", 2 * MIB);
	assert_int_equal(project_set(fd, 4711), 0);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	assert_int_equal(limit_of(fixture, 4711), 5 * MIB);
	assert_int_equal(quota_limit(fd, 4711, 0, NULL), 0);
}

/* The administrator has given the base a quota: nothing can be renamed between its projects. */
static void test_project_of_the_base(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_close_ int fd = open_path(fixture->root);
	static const struct create first = {
		.name = "pvc-1", .required = MIB, .parameters = {ARCHIVING}};
	static const struct create second = {
		.name = "pvc-2", .required = MIB, .parameters = {ARCHIVING}};
	struct create clone = {
		.name = "pvc-3", .required = MIB, .parameters = {"pathPattern=copy"}};
	_cleanup_free_ char *id = NULL, *later = NULL, *copy = NULL;

	fixture_stop(fixture);
	base_clear(fixture->root);
	assert_int_equal(project_set(fd, 77), 0);
	fixture_start(fixture);
	id = create(fixture, &first, "enforced");
	assert_int_equal(project_of(root_path(fixture, "shop")), 77);
	assert_int_not_equal(project_of(root_path(fixture, PLACE)), 77);
	fill_tree(fixture, PLACE);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	assert_false(fixture_exists(root_path(fixture, PLACE)));
	later = create(fixture, &second, "enforced");
	assert_true(fixture_exists(root_path(fixture, PLACE "/a/b/c/file")));
	assert_int_not_equal(project_of(root_path(fixture, PLACE "/a/b/c/file")), 77);
	check_takes(fixture, PLACE, MIB);
	clone.source = later;
	copy = create(fixture, &clone, "enforced");
	check_takes(fixture, "copy", MIB);
	fixture_delete(fixture, copy, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	assert_false(fixture_exists(root_path(fixture, "copy")));
	fixture_stop(fixture);
	base_clear(fixture->root);
	assert_int_equal(project_set(fd, 0), 0);
}

/* A pod has given directories of its own other projects, deeper than the trash removes in place. */
static void test_hostile_tree(void **state)
{
	static const struct create first = {
		.name = "pvc-1", .required = 4 * MIB, .parameters = {"pathPattern=one"}};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &first, "enforced");
	uint32_t project = project_of(root_path(fixture, "one"));
	int dir = open_path(root_path(fixture, "one"));

	for (uint32_t depth = 0; depth < 1500; depth++) {
		int inner;

		assert_int_equal(mkdirat(dir, "deeper", 0755), 0);
		inner = openat(dir, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(inner >= 0);
		assert_int_equal(project_set(inner, 5000 + depth % 3), 0);
		close(dir);
		dir = inner;
	}
	close(dir);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	wait_for_trash(fixture);
	check_free(fixture, project);
	check_free(fixture, 5000);
}

/* Faults, by calls of our own. */
static const struct fs_calls *kernel;
static struct fs_calls faulty;
static int refusal;

static int refuse_by_fd(int fd, unsigned command, unsigned id, void *data)
{
	(void)fd;
	(void)command;
	(void)id;
	(void)data;
	errno = refusal;
	return -1;
}

static int refuse_by_device(unsigned command, const char *device, unsigned id, void *data)
{
	(void)device;
	return refuse_by_fd(-1, command, id, data);
}

static int join_in(int fd, const struct fsxattr *attributes)
{
	_cleanup_close_ int other = open_path(getenv("ORDINAL_DISK"));
	_cleanup_close_ int file =
		openat(other, "theirs", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct fsxattr theirs = *attributes;

	theirs.fsx_xflags = 0;
	if (file < 0 || kernel->set_attributes(file, &theirs) < 0)
		return -1;
	return kernel->set_attributes(fd, attributes);
}

static int undo(void **state)
{
	if (kernel)
		fs_calls = kernel;
	return fixture_done(state);
}

static void be_faulty(void)
{
	if (!kernel)
		kernel = fs_calls;
	faulty = *kernel;
	fs_calls = &faulty;
}

static const struct create required = {
	.name = "pvc-1", .required = MIB, .parameters = {"pathPattern=one", "quota=required"}};

/* Kernels and seccomp filters that do not know the newer call. */
static void test_by_device(void **state)
{
	static const int refusals[] = {ENOSYS, EPERM};
	struct fixture *fixture = *state;

	be_faulty();
	faulty.quotactl_fd = refuse_by_fd;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_free_ char *id = NULL;

		refusal = refusals[i];
		id = create(fixture, &required, "enforced");
		fs_calls = kernel;
		check_takes(fixture, "one", MIB);
		fs_calls = &faulty;
		fixture_delete(fixture, id, ERROR_NONE, NULL);
		wait_for_trash(fixture);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		int refusal;
		enum error_kind kind; /* where a quota is required, */
		const char *text;
		enum error_kind usual; /* and where not */
	} cases[] = {
		{EPERM, ERROR_FAILED_PRECONDITION, "it needs CAP_SYS_ADMIN", ERROR_NONE},
		{ENOSYS, ERROR_FAILED_PRECONDITION, "has no project quotas", ERROR_NONE},
		{ESRCH, ERROR_FAILED_PRECONDITION, "mounted with prjquota", ERROR_NONE},
		{EIO, ERROR_INTERNAL, "Input/output error", ERROR_INTERNAL},
	};
	static const struct create usual = {
		.name = "pvc-2", .required = MIB, .parameters = {"pathPattern=two"}};
	struct fixture *fixture = *state;

	be_faulty();
	faulty.quotactl_fd = refuse_by_fd;
	faulty.quotactl = refuse_by_device;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *id = NULL;

		refusal = cases[i].refusal;
		fixture_create(fixture, &required, cases[i].kind, cases[i].text);
		assert_false(fixture_exists(root_path(fixture, "one")));
		id = fixture_create(fixture, &usual, cases[i].usual, NULL);
		if (!id)
			continue;
		assert_int_equal(project_of(root_path(fixture, "two")), 0);
		fixture_delete(fixture, id, ERROR_NONE, NULL);
		wait_for_trash(fixture);
	}
}

/* Quotas that were there when the volume was made. */
static void test_lost_quotas(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create(fixture, &required, "enforced");

	be_faulty();
	faulty.quotactl_fd = refuse_by_fd;
	faulty.quotactl = refuse_by_device;
	refusal = ESRCH;
	expand(fixture, id, 2 * MIB);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	assert_false(fixture_exists(root_path(fixture, "one")));
}

/* Two drivers choose the same project at the same moment. */
static void test_race(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = NULL;

	be_faulty();
	faulty.set_attributes = join_in;
	fixture_create(fixture, &required, ERROR_ABORTED, "try again");
	assert_false(fixture_exists(root_path(fixture, "one")));
	fs_calls = kernel;
	id = create(fixture, &required, "enforced");
	check_takes(fixture, "one", MIB);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_driver, undo)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_size),
		TEST(test_without),
		TEST(test_ids),
		TEST(test_reuse),
		TEST(test_adopted),
		TEST(test_copies),
		TEST(test_lost_project),
		TEST(test_project_of_the_base),
		TEST(test_hostile_tree),
		TEST(test_by_device),
		TEST(test_refusals),
		TEST(test_lost_quotas),
		TEST(test_race),
	};

	return fixture_run(tests, ARRAY_SIZE(tests));
}
