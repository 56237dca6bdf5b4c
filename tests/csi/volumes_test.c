/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that dies at any system call: the calls before it happened, those from it on did not.
 * A new process must then be able to finish or undo the work.
 */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base_check.h"
#include "fs_calls.h"
#include "killer.h"
#include "scene.h"

static const struct fs_calls *kernel;

/* Calls that still succeed; -1: all of them. */
static atomic_int calls_left = -1;
static int error_then = EIO;

/* Whether this call still happens. */
static bool alive(void)
{
	if (calls_left < 0)
		return true;
	if (calls_left > 0) {
		calls_left--;
		return true;
	}
	errno = error_then;
	return false;
}

static int dying_create(int dir, const char *name)
{
	return alive() ? kernel->create(dir, name) : -1;
}

static ssize_t dying_write(int fd, const void *bytes, size_t length)
{
	return alive() ? kernel->write(fd, bytes, length > 10 ? length / 2 : length) : -1;
}

static int dying_fsync(int fd)
{
	return alive() ? kernel->fsync(fd) : -1;
}

static int dying_mkdirat(int dir, const char *name, mode_t mode)
{
	return alive() ? kernel->mkdirat(dir, name, mode) : -1;
}

static int dying_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return alive() ? kernel->renameat(from_dir, from, to_dir, to) : -1;
}

static int dying_unlinkat(int dir, const char *name, int flags)
{
	return alive() ? kernel->unlinkat(dir, name, flags) : -1;
}

static int dying_fchmod(int fd, mode_t mode)
{
	return alive() ? kernel->fchmod(fd, mode) : -1;
}

static int dying_fchown(int fd, uid_t uid, gid_t gid)
{
	return alive() ? kernel->fchown(fd, uid, gid) : -1;
}

static int setup(void **state)
{
	static struct fs_calls dying;

	if (fixture_scratch(state) < 0)
		return -1;
	kernel = fs_calls;
	dying = *kernel;
	dying.create = dying_create;
	dying.write = dying_write;
	dying.fsync = dying_fsync;
	dying.mkdirat = dying_mkdirat;
	dying.renameat = dying_renameat;
	dying.unlinkat = dying_unlinkat;
	dying.fchmod = dying_fchmod;
	dying.fchown = dying_fchown;
	fs_calls = &dying;
	return 0;
}

static int teardown(void **state)
{
	calls_left = -1;
	fs_calls = kernel;
	return fixture_done(state);
}

/* A process' volumes without the thread that empties the trash, so that each call's steps are
 * those of the test alone. */
static void start(struct fixture *fixture, struct volumes *volumes)
{
	scene_start(fixture, volumes);
}

static struct parameters of_set(void)
{
	struct parameters parameters = {
		.mode = 0750,
		.uid = 7,
		.gid = 8,
		.namespace = "shop",
		.statefulset = "web",
		.template = "data",
		.ordinal = "0",
		.pv = "pvc-1",
	};

	fixture_locate(&parameters);
	return parameters;
}

static int create(struct volumes *volumes, const char *name, struct volume *ret, struct error *err)
{
	const struct parameters parameters = of_set();
	struct volume_request request = {name, {4096, 0}, &parameters, NULL, NULL};

	return volumes_create(volumes, &request, ret, err);
}

static void check_ready(
	struct fixture *fixture, struct volumes *volumes, const struct volume *volume)
{
	struct volume found;
	struct stat status;
	struct error err;

	if (volumes_find(volumes, volume->id, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(found.record->state, RECORD_READY);
	assert_int_equal(stat(fixture_path(fixture, "root/%s", found.record->path), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0750);
	assert_int_equal(status.st_uid, 7);
	volume_done(&found);
}

static void test_create_dies_anywhere(void **state)
{
	struct fixture *fixture = *state;
	bool succeeded = false;

	for (int point = 0; !succeeded; point += killer_stride(1)) {
		struct volumes volumes;
		struct volume volume = {0};
		struct error err;

		start(fixture, &volumes);
		calls_left = point;
		succeeded = create(&volumes, "pvc-1", &volume, &err) == 0;
		calls_left = -1;
		volume_done(&volume);
		volumes_stop(&volumes);

		volume = (struct volume){0};
		start(fixture, &volumes);
		if (create(&volumes, "pvc-1", &volume, &err) < 0)
			fail_msg("after dying at call %d: %s", point, err.text);
		/* Its own place: the traces of the first attempt are no other volume's. */
		assert_string_equal(volume.record->path, "shop/web/data-0");
		check_ready(fixture, &volumes, &volume);
		assert_int_equal(volumes_delete(&volumes, volume.id, NULL, &err), 0);
		volume_done(&volume);
		trash_wait(&volumes.trash);
		assert_false(fixture_exists(fixture_path(fixture, "root/shop")));
		volumes_stop(&volumes);
	}
}

/* The caller gives up after the crash and deletes instead. */
static void test_create_dies_and_is_deleted(void **state)
{
	struct fixture *fixture = *state;
	struct volume_id id = {0};
	char text[VOLUME_ID_MAX + 1];
	bool succeeded = false;

	volume_id_hash("pvc-1", &id.hash);
	fixture_base(&fixture->backend, &id);
	assert_int_equal(volume_id_format(&id, text, NULL), 0);
	for (int point = 0; !succeeded; point += killer_stride(1)) {
		struct volumes volumes;
		struct volume volume = {0};
		struct error err;

		start(fixture, &volumes);
		calls_left = point;
		succeeded = create(&volumes, "pvc-1", &volume, &err) == 0;
		calls_left = -1;
		volume_done(&volume);
		volumes_stop(&volumes);

		start(fixture, &volumes);
		/* Without a catalog there never was a volume; then deleting may say so. */
		if (volumes_delete(&volumes, text, NULL, &err) < 0)
			assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
		trash_wait(&volumes.trash);
		assert_int_equal(volumes_find(&volumes, text, &volume, &err), -1);
		assert_false(fixture_exists(fixture_path(fixture, "root/shop/web/data-0")));
		volumes_stop(&volumes);
	}
}

static void test_delete_dies_anywhere(void **state)
{
	struct fixture *fixture = *state;
	bool succeeded = false;

	for (int point = 0; !succeeded; point += killer_stride(1)) {
		char id[VOLUME_ID_MAX + 1];
		struct volumes volumes;
		struct volume volume;
		struct error err;

		start(fixture, &volumes);
		assert_int_equal(create(&volumes, "pvc-1", &volume, &err), 0);
		strcpy(id, volume.id);
		volume_done(&volume);
		fixture_write_file(fixture_path(fixture, "root/shop/web/data-0/file"), "x");
		calls_left = point;
		succeeded = volumes_delete(&volumes, id, NULL, &err) == 0;
		calls_left = -1;
		volumes_stop(&volumes);

		start(fixture, &volumes);
		if (volumes_delete(&volumes, id, NULL, &err) < 0)
			fail_msg("after dying at call %d: %s", point, err.text);
		trash_wait(&volumes.trash);
		assert_int_equal(volumes_find(&volumes, id, &volume, &err), -1);
		assert_int_equal(err.kind, ERROR_NOT_FOUND);
		assert_false(fixture_exists(fixture_path(fixture, "root/shop/web/data-0")));
		assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/trash")), 0);
		assert_int_equal(mkdir(fixture_path(fixture, "root/.ordinal/trash"), 0700), 0);
		volumes_stop(&volumes);
		/* Where the crash came before the parents were pruned they stay: empty, harmless.
		 */
		rmdir(fixture_path(fixture, "root/shop/web"));
		rmdir(fixture_path(fixture, "root/shop"));
	}
}

/* While the deletion of its volume is half done, a place is neither free nor occupied. */
static void test_place_being_deleted(void **state)
{
	struct fixture *fixture = *state;
	struct volumes volumes;
	struct volume volume, other;
	struct error err;

	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), 0);
	calls_left = 1; /* the rename, but not its sync */
	assert_int_equal(volumes_delete(&volumes, volume.id, NULL, &err), -1);
	calls_left = -1;
	assert_int_equal(create(&volumes, "pvc-2", &other, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	assert_int_equal(volumes_delete(&volumes, volume.id, NULL, &err), 0);
	assert_int_equal(create(&volumes, "pvc-2", &other, &err), 0);
	assert_string_equal(other.record->path, "shop/web/data-0");
	volume_done(&volume);
	volume_done(&other);
	volumes_stop(&volumes);
}

/* A full disk refuses new records, and must not keep anything from being deleted. */
static void test_delete_on_a_full_disk(void **state)
{
	struct fixture *fixture = *state;
	struct fs_calls full = *fs_calls;
	struct volumes volumes;
	struct volume volume, other;
	struct error err;

	error_then = ENOSPC;
	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), 0);
	full.unlinkat = kernel->unlinkat;
	full.renameat = kernel->renameat;
	full.fsync = kernel->fsync;
	trash_wait(&volumes.trash);
	fs_calls = &full;
	calls_left = 0;
	assert_int_equal(create(&volumes, "pvc-2", &other, &err), -1);
	assert_int_equal(err.kind, ERROR_EXHAUSTED);
	assert_int_equal(volumes_delete(&volumes, volume.id, NULL, &err), 0);
	calls_left = -1;
	error_then = EIO;
	assert_int_equal(volumes_find(&volumes, volume.id, &other, &err), -1);
	volume_done(&volume);
	volumes_stop(&volumes);
}

static int no_inodes(int dir, const char *name, mode_t mode)
{
	(void)dir;
	(void)name;
	(void)mode;
	errno = ENOSPC;
	return -1;
}

/* A caller that is told that there is no volume does not come back: nothing may wait for it. */
static void test_failed_creation_leaves_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct fs_calls full = *fs_calls;
	const struct fs_calls *before = fs_calls;
	struct volume_hash hash;
	struct volumes volumes;
	struct volume volume;
	struct error err;

	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-0", &volume, &err), 0);
	assert_int_equal(volumes_delete(&volumes, volume.id, NULL, &err), 0);
	volume_done(&volume);
	full.mkdirat = no_inodes;
	trash_wait(&volumes.trash); /* whose thread uses them too */
	fs_calls = &full;
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), -1);
	trash_wait(&volumes.trash);
	fs_calls = before;
	assert_int_equal(err.kind, ERROR_EXHAUSTED);
	volume_id_hash("pvc-1", &hash);
	assert_false(
		fixture_exists(fixture_path(fixture, "root/.ordinal/volumes/%s.json", hash.text)));
	/* The place is free again. */
	assert_int_equal(create(&volumes, "pvc-2", &volume, &err), 0);
	assert_string_equal(volume.record->path, "shop/web/data-0");
	volume_done(&volume);
	volumes_stop(&volumes);
}

/* Whether a caller who is told KIND takes it that there is no volume, and does not come back. */
static bool is_final(enum error_kind kind)
{
	return kind != ERROR_ABORTED && kind != ERROR_UNAVAILABLE && kind != ERROR_CANCELLED &&
	       kind != ERROR_TIMEOUT;
}

static bool has_record(struct fixture *fixture, const char *name)
{
	struct volume_hash hash;

	volume_id_hash(name, &hash);
	return fixture_exists(fixture_path(fixture, "root/.ordinal/volumes/%s.json", hash.text)) ||
	       fixture_exists(fixture_path(fixture, "root/.ordinal/volumes/%s.intent", hash.text));
}

/* What is left of a call that died at BEFORE, and whether it died. */
static bool leave_half_made(struct fixture *fixture, int before)
{
	struct volumes volumes;
	struct volume volume = {0};
	struct error err;
	bool died;

	base_clear(fixture->root);
	start(fixture, &volumes);
	calls_left = before;
	died = create(&volumes, "pvc-1", &volume, &err) < 0;
	calls_left = -1;
	volume_done(&volume);
	volumes_stop(&volumes);
	return died;
}

/* Everything fails from some call on, in a process that finds what another one has left, half made
 * or whole: a final error would leave it there for ever. */
static void test_final_errors_leave_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct parameters usual = of_set(), other = usual;
	struct volume_request same = {"pvc-1", {4096, 0}, &usual, NULL, NULL};
	struct volume_request changed = {"pvc-1", {4096, 0}, &other, NULL, NULL};
	bool died = true;

	other.mode = 0700;
	for (int before = 0; died; before += killer_stride(1)) {
		bool failed = true;

		for (int point = 0; failed; point += killer_stride(1)) {
			/* What is whole cannot be changed: only the same is asked for then. */
			struct volume_request *request = &same;
			struct volumes volumes;
			struct volume volume = {0};
			struct error err = {0};

			died = leave_half_made(fixture, before);
			if (died && point % 2)
				request = &changed;
			start(fixture, &volumes);
			calls_left = point / 2;
			failed = volumes_create(&volumes, request, &volume, &err) < 0;
			calls_left = -1;
			if (failed && is_final(err.kind) && has_record(fixture, "pvc-1"))
				fail_msg("made up to %d, failed at %d: %s (%s)", before, point,
					error_kind_name(err.kind), err.text);
			volume_done(&volume);
			volumes_stop(&volumes);
		}
	}
}

/* Trash that cannot be removed keeps a volume of the same name from being made over it. */
static void test_name_in_trash(void **state)
{
	struct fixture *fixture = *state;
	struct volume_hash hash;
	struct volumes volumes;
	struct volume volume;
	struct error err;
	const char *trash;

	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-2", &volume, &err), 0);
	volume_done(&volume);
	trash_wait(&volumes.trash); /* it is looked at when the base is opened */
	volume_id_hash("pvc-1", &hash);
	trash = fixture_path(fixture, "root/.ordinal/trash/%s", hash.text);
	assert_int_equal(mkdir(trash, 0700), 0);
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	trash_wake(&volumes.trash);
	trash_wait(&volumes.trash);
	assert_false(fixture_exists(trash));
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), 0);
	/* pvc-2 has the place. */
	assert_string_equal(volume.record->path, "shop/web/data-0@pvc-1");
	volume_done(&volume);
	volumes_stop(&volumes);
}

/* A first attempt that never became ready does not bind later ones. */
static void test_half_made_with_other_parameters(void **state)
{
	struct fixture *fixture = *state;
	struct parameters elsewhere = of_set();
	struct volume_request request = {"pvc-1", {4096, 0}, &elsewhere, NULL, NULL};
	struct volumes volumes;
	struct volume volume;
	struct error err;

	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-0", &volume, &err), 0);
	assert_int_equal(volumes_delete(&volumes, volume.id, NULL, &err), 0);
	volume_done(&volume);
	elsewhere.path_pattern = "x/${pv}";
	calls_left = 12;
	assert_int_equal(volumes_create(&volumes, &request, &volume, &err), -1);
	calls_left = -1;
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), 0);
	assert_string_equal(volume.record->path, "shop/web/data-0");
	assert_false(fixture_exists(fixture_path(fixture, "root/x")));
	volume_done(&volume);
	volumes_stop(&volumes);
}

static void test_damaged_record(void **state)
{
	struct fixture *fixture = *state;
	struct volumes volumes;
	struct volume volume;
	struct error err;

	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-1", &volume, &err), 0);
	volume_done(&volume);
	volumes_stop(&volumes);
	fixture_write_file(
		fixture_path(fixture, "root/.ordinal/volumes/aaaaaaaaaaaaaaaaaaaaaa.json"),
		"{\"version\": 99}");
	start(fixture, &volumes);
	assert_int_equal(create(&volumes, "pvc-2", &volume, &err), -1);
	/* Not final: pvc-2 may have been made before. */
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "aaaaaaaaaaaaaaaaaaaaaa.json"));
	assert_non_null(strstr(err.text, "move it out"));
	volumes_stop(&volumes);
}

struct worker {
	struct volumes *volumes;
	pthread_t thread;
	int number;
	struct error err;
};

static int create_and_delete(struct worker *worker)
{
	struct parameters parameters = of_set();
	char ordinal[16], name[32];
	struct volume_request request = {name, {4096, 0}, &parameters, NULL, NULL};
	struct volume volume, found;
	int result;

	snprintf(ordinal, sizeof(ordinal), "%d", worker->number);
	snprintf(name, sizeof(name), "pvc-%d", worker->number);
	parameters.ordinal = ordinal;
	/* The volume before it is still in the trash: callers repeat. */
	while (volumes_create(worker->volumes, &request, &volume, &worker->err) < 0)
		if (!scene_is_busy(&worker->err))
			return -1;
	do
		result = volumes_find(worker->volumes, volume.id, &found, &worker->err);
	while (result < 0 && scene_is_busy(&worker->err));
	if (result == 0)
		volume_done(&found);
	else if (worker->err.kind != ERROR_NOT_FOUND) /* the other one was faster */
		return -1;
	while (volumes_delete(worker->volumes, volume.id, NULL, &worker->err) < 0)
		if (!scene_is_busy(&worker->err))
			return -1;
	volume_done(&volume);
	worker->err.kind = ERROR_NONE;
	return 0;
}

static void *work(void *argument)
{
	for (int i = 0; i < 40; i++)
		if (create_and_delete(argument) < 0)
			break;
	return NULL;
}

/* Ordinals of one set come and go, and with them the directories that they share. */
static void test_many_threads(void **state)
{
	struct fixture *fixture = *state;
	struct worker workers[8] = {0};
	struct volumes volumes;

	start(fixture, &volumes);
	for (int i = 0; i < 8; i++) {
		workers[i].volumes = &volumes;
		workers[i].number = i / 2; /* two at a time want the same volume */
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].err.kind != ERROR_NONE)
			fail_msg("%s", workers[i].err.text);
	}
	assert_false(fixture_exists(fixture_path(fixture, "root/shop")));
	volumes_stop(&volumes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_create_dies_anywhere),
		TEST(test_create_dies_and_is_deleted),
		TEST(test_delete_dies_anywhere),
		TEST(test_place_being_deleted),
		TEST(test_delete_on_a_full_disk),
		TEST(test_failed_creation_leaves_nothing),
		TEST(test_final_errors_leave_nothing),
		TEST(test_name_in_trash),
		TEST(test_half_made_with_other_parameters),
		TEST(test_damaged_record),
		TEST(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
