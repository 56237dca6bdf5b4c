/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that begin as a copy of another one. */
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "fs_calls.h"
#include "killer.h"
#include "scene.h"

#define MIB (1024 * 1024)

static const struct create first = {
	.name = "pvc-1", .required = MIB, .parameters = {"pathPattern=first"}};

/* The source: a private directory of somebody's, with something in it. */
static char *make_source(struct fixture *fixture)
{
	char *id = fixture_create(fixture, &first, ERROR_NONE, NULL);

	assert_int_equal(chmod(fixture_path(fixture, "root/first"), 0700), 0);
	assert_int_equal(chown(fixture_path(fixture, "root/first"), 70, 71), 0);
	assert_int_equal(mkdir(fixture_path(fixture, "root/first/deep"), 0755), 0);
	fixture_write_file(fixture_path(fixture, "root/first/deep/file"), "precious");
	return id;
}

static void test_copy(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	struct create copy = {.name = "pvc-2",
		.required = MIB,
		.parameters = {"pathPattern=second"},
		.source = source};
	_cleanup_free_ char *id = fixture_create(fixture, &copy, ERROR_NONE, NULL);
	_cleanup_free_ char *again = fixture_create(fixture, &copy, ERROR_NONE, NULL);
	_cleanup_free_ char *later = NULL;
	struct stat status;

	assert_string_equal(id, again);
	fixture_check_file(fixture_path(fixture, "root/second/deep/file"), "precious");
	assert_int_equal(stat(fixture_path(fixture, "root/second"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(status.st_uid, 70);
	assert_int_equal(status.st_gid, 71);
	/* They are two volumes from here on; the repeated call needs the source no more. */
	fixture_delete(fixture, source, ERROR_NONE, NULL);
	fixture_check_file(fixture_path(fixture, "root/second/deep/file"), "precious");
	later = fixture_create(fixture, &copy, ERROR_NONE, NULL);
	assert_string_equal(id, later);
	copy.source = "1:aaaaaaaaaaaaaaaaaaaaaa::/x";
	fixture_create(fixture, &copy, ERROR_ALREADY_EXISTS, "another volume_content_source");
	copy.source = NULL;
	fixture_create(fixture, &copy, ERROR_ALREADY_EXISTS, "another volume_content_source");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
}

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	char unknown[VOLUME_ID_MAX + 1], own[VOLUME_ID_MAX + 1];
	const struct {
		int64_t required;
		const char *source;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{MIB, "", ERROR_INVALID, "volume_content_source: volume_id is missing"},
		{MIB, "no-such-volume", ERROR_NOT_FOUND, "does not exist"},
		{MIB, unknown, ERROR_NOT_FOUND, "does not exist"},
		{MIB - 1, source, ERROR_OUT_OF_RANGE, "a copy cannot have less"},
		{MIB, own, ERROR_INVALID, "the copy of itself"},
	};

	fixture_id(fixture, "unknown", unknown);
	fixture_id(fixture, "pvc-2", own);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct create copy = {
			.name = "pvc-2", .required = cases[i].required, .source = cases[i].source};

		assert_null(fixture_create(fixture, &copy, cases[i].kind, cases[i].text));
	}
	assert_false(fixture_exists(fixture_path(fixture, "root/volumes")));
}

/* A copy of what somebody writes to would be torn; he may want it all the same. */
static void test_in_use(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	struct create copy = {.name = "pvc-2",
		.required = MIB,
		.parameters = {"pathPattern=second", "ordinal.dev/allow-live-copy=false"},
		.source = source};
	const char *target = fixture_path(fixture, "target");

	fixture_publish(fixture, source, target);
	fixture_create(fixture, &copy, ERROR_FAILED_PRECONDITION,
		"allow it by ordinal.dev/allow-live-copy: \"true\"");
	assert_false(fixture_exists(fixture_path(fixture, "root/second")));
	copy.parameters[1] = "ordinal.dev/allow-live-copy=true";
	free(fixture_create(fixture, &copy, ERROR_NONE, NULL));
	fixture_check_file(fixture_path(fixture, "root/second/deep/file"), "precious");
	fixture_unpublish(fixture, source, target);
}

static void test_occupied(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	struct create copy = {.name = "pvc-2",
		.required = MIB,
		.parameters = {"pathPattern=taken", "csi.storage.k8s.io/pv/name=pvc-2"},
		.source = source};

	mkdir(fixture_path(fixture, "root/taken"), 0755);
	fixture_write_file(fixture_path(fixture, "root/taken/file"), "somebody's");
	free(fixture_create(fixture, &copy, ERROR_NONE, NULL));
	fixture_check_file(fixture_path(fixture, "root/taken/file"), "somebody's");
	fixture_check_file(fixture_path(fixture, "root/taken@pvc-2/deep/file"), "precious");
}

static const struct fs_calls *kernel;
static int calls_left;

static bool alive(void)
{
	if (calls_left-- == 0)
		kill(getpid(), SIGKILL);
	return true;
}

static int killing_create(int dir, const char *name)
{
	return alive() ? kernel->create(dir, name) : -1;
}

static int killing_fsync(int fd)
{
	return alive() ? kernel->fsync(fd) : -1;
}

static int killing_mkdirat(int dir, const char *name, mode_t mode)
{
	return alive() ? kernel->mkdirat(dir, name, mode) : -1;
}

static int killing_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return alive() ? kernel->renameat(from_dir, from, to_dir, to) : -1;
}

static int killing_fchmod(int fd, mode_t mode)
{
	return alive() ? kernel->fchmod(fd, mode) : -1;
}

static int killing_unlinkat(int dir, const char *name, int flags)
{
	return alive() ? kernel->unlinkat(dir, name, flags) : -1;
}

static const struct parameters second = {
	.mode = 0777, .uid = (uid_t)-1, .gid = (gid_t)-1, .path_pattern = "second"};

static int copy_here(struct volumes *volumes, const char *source, char ret_id[VOLUME_ID_MAX + 1],
	struct error *err)
{
	struct parameters parameters = second;
	struct volume_request request = {
		.name = "pvc-2", .source = source, .size = {MIB, 0}, .parameters = &parameters};
	struct volume volume = {0};

	fixture_locate(&parameters);
	if (volumes_create(volumes, &request, &volume, err) < 0)
		return -1;
	strcpy(ret_id, volume.id);
	volume_done(&volume);
	return 0;
}

/* In a process of its own: let volumes be killed at the POINTth change from now on. */
static void start_killed(struct fixture *fixture, struct volumes *volumes, int point)
{
	static struct fs_calls killing;

	kernel = fs_calls;
	killing = *kernel;
	killing.create = killing_create;
	killing.fsync = killing_fsync;
	killing.mkdirat = killing_mkdirat;
	killing.renameat = killing_renameat;
	killing.fchmod = killing_fchmod;
	killing.unlinkat = killing_unlinkat;
	calls_left = -1;
	fs_calls = &killing;
	scene_start(fixture, volumes);
	calls_left = point;
}

static void delete_killed(struct fixture *fixture, const char *id, int point)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct volumes volumes;
		struct error err;

		start_killed(fixture, &volumes, point);
		_exit(volumes_delete(&volumes, id, NULL, &err) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
}

/* In a process of its own, which is killed at the POINTth change; whether it got to the end. */
static bool copy_killed(struct fixture *fixture, const char *source, int point)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char id[VOLUME_ID_MAX + 1];
		struct volumes volumes;
		struct error err;

		start_killed(fixture, &volumes, point);
		_exit(copy_here(&volumes, source, id, &err) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFEXITED(status);
}

static void check_nothing_left(struct fixture *fixture)
{
	assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/unfinished")), 0);
	assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/trash")), 0);
	mkdir(fixture_path(fixture, "root/.ordinal/unfinished"), 0700);
	mkdir(fixture_path(fixture, "root/.ordinal/trash"), 0700);
	assert_false(fixture_exists(fixture_path(fixture, "root/second")));
	assert_false(fixture_exists(fixture_path(fixture, "root/second@")));
}

/* Killed at any change, the copy is made whole by the repeated call; or, with GIVE_UP, its deletion
 * leaves nothing. */
static void check_killed(struct fixture *fixture, bool give_up)
{
	_cleanup_free_ char *source = NULL;
	bool completed = false;

	fixture_start(fixture);
	source = make_source(fixture);
	fixture_stop(fixture);
	for (int point = 0; !completed; point += killer_stride(1)) {
		char text[VOLUME_ID_MAX + 1];
		struct volumes volumes;
		struct error err;

		completed = copy_killed(fixture, source, point);
		scene_start(fixture, &volumes);
		if (!give_up && copy_here(&volumes, source, text, &err) < 0)
			fail_msg("after a kill at %d: %s", point, err.text);
		if (!give_up)
			fixture_check_file(
				fixture_path(fixture, "root/second/deep/file"), "precious");
		fixture_id(fixture, "pvc-2", text);
		if (volumes_delete(&volumes, text, NULL, &err) < 0)
			fail_msg("delete after a kill at %d: %s", point, err.text);
		trash_wait(&volumes.trash);
		fixture_check_file(fixture_path(fixture, "root/first/deep/file"), "precious");
		volumes_stop(&volumes);
		check_nothing_left(fixture);
	}
}

static void test_killed_and_repeated(void **state)
{
	check_killed(*state, false);
}

static void test_killed_and_given_up(void **state)
{
	check_killed(*state, true);
}

/* Data that are no volume's lie at the copy's place: whatever kills the driver, and whoever gives
 * up afterwards, they stay, and the copy is never taken for them. */
static void test_killed_beside_data(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = NULL;
	bool completed = false;

	fixture_start(fixture);
	source = make_source(fixture);
	fixture_stop(fixture);
	mkdir(fixture_path(fixture, "root/second"), 0755);
	fixture_write_file(fixture_path(fixture, "root/second/file"), "somebody's");
	for (int point = 0; !completed; point += killer_stride(1)) {
		char text[VOLUME_ID_MAX + 1];
		struct volumes volumes;
		struct error err;

		completed = copy_killed(fixture, source, point);
		fixture_id(fixture, "pvc-2", text);
		for (int again = 0; again < 40; again += killer_stride(3))
			delete_killed(fixture, text, again);
		scene_start(fixture, &volumes);
		assert_int_equal(volumes_delete(&volumes, text, NULL, &err), 0);
		trash_wait(&volumes.trash);
		trash_wake(&volumes.trash);
		trash_wait(&volumes.trash);
		volumes_stop(&volumes);
		fixture_check_file(fixture_path(fixture, "root/second/file"), "somebody's");
		assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/unfinished")), 0);
		mkdir(fixture_path(fixture, "root/.ordinal/unfinished"), 0700);
	}
}

/* Whether the disk has as much room as BEFORE, to a few blocks: a server gives back that of a
 * removed file when it closes it, which may be seconds later. */
static bool has_room_again(const struct fixture *fixture, const struct statvfs *before)
{
	struct statvfs now;

	for (int i = 0; i < 300; i++) {
		assert_int_equal(statvfs(fixture->root, &now), 0);
		if (now.f_bavail + 64 > before->f_bavail)
			return true;
		usleep(100000);
	}
	return false;
}

/* A copy that does not fit leaves the disk as it was. */
static void test_full_disk(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	_cleanup_free_ char *block = calloc(1, MIB);
	struct create copy = {.name = "pvc-2",
		.required = MIB,
		.parameters = {"pathPattern=second"},
		.source = source};
	struct statvfs before;
	FILE *file = fopen(fixture_path(fixture, "root/first/large"), "w");

	/* More than half of the 64 MiB that there are. */
	memset(block, 1, MIB);
	for (int i = 0; i < 40; i++)
		assert_int_equal(fwrite(block, MIB, 1, file), 1);
	fclose(file);
	assert_int_equal(statvfs(fixture->root, &before), 0);
	fixture_create(fixture, &copy, ERROR_EXHAUSTED, "No space left");
	trash_wait(&fixture->driver.volumes.trash);
	assert_true(has_room_again(fixture, &before));
	assert_false(fixture_exists(fixture_path(fixture, "root/second")));
}

/* Where no size is asked for, the copy has the source's. */
static void test_no_size(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	struct parameters parameters = second;
	struct volume_request request = {
		.name = "pvc-2", .source = source, .parameters = &parameters};
	struct volume volume;
	struct error err;

	fixture_locate(&parameters);
	if (volumes_create(&fixture->driver.volumes, &request, &volume, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(volume.record->capacity, MIB);
	volume_done(&volume);
	request.size.limit = MIB / 2;
	request.name = "pvc-3";
	assert_int_equal(volumes_create(&fixture->driver.volumes, &request, &volume, &err), -1);
	assert_int_equal(err.kind, ERROR_OUT_OF_RANGE);
}

/* A driver that stops ends copies, and the next one makes them anew. */
static void test_stopped(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *source = make_source(fixture);
	char id[VOLUME_ID_MAX + 1];
	struct volumes volumes;
	struct error err;

	fixture_stop(fixture);
	volumes_start(&volumes, &fixture->backend, 0);
	volumes_interrupt(&volumes);
	assert_int_equal(copy_here(&volumes, source, id, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	volumes_stop(&volumes);
	volumes_start(&volumes, &fixture->backend, 0);
	assert_int_equal(copy_here(&volumes, source, id, &err), 0);
	volumes_stop(&volumes);
	fixture_check_file(fixture_path(fixture, "root/second/deep/file"), "precious");
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_killed_and_repeated, fixture_scratch),
		TEST(test_killed_and_given_up, fixture_scratch),
		TEST(test_killed_beside_data, fixture_scratch),
		TEST(test_copy, fixture_driver),
		TEST(test_full_disk, fixture_driver),
		TEST(test_no_size, fixture_driver),
		TEST(test_refusals, fixture_driver),
		TEST(test_in_use, fixture_driver),
		TEST(test_occupied, fixture_driver),
		TEST(test_stopped, fixture_driver),
	};

	return fixture_run(tests, ARRAY_SIZE(tests));
}
