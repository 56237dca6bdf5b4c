/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "fs_calls.h"
#include "stats.h"

static const struct fs_calls *kernel;

/* Two volumes, published. */
struct world {
	char *id, *other_id;
	const char *target, *other_target;
};

static void make_world(struct fixture *fixture, struct world *world)
{
	static const struct create first = {.name = "pvc-1", .required = 1 << 20};
	static const struct create second = {.name = "pvc-2"};

	world->id = fixture_create(fixture, &first, ERROR_NONE, NULL);
	world->other_id = fixture_create(fixture, &second, ERROR_NONE, NULL);
	world->target = fixture_path(fixture, "target");
	world->other_target = fixture_path(fixture, "other");
	fixture_publish(fixture, world->id, world->target);
	fixture_publish(fixture, world->other_id, world->other_target);
}

static void free_world(struct world *world)
{
	free(world->id);
	free(world->other_id);
}

static Csi__V1__NodeGetVolumeStatsResponse *stats(struct fixture *fixture, const char *id,
	const char *path, enum error_kind kind, const char *text)
{
	Csi__V1__NodeGetVolumeStatsRequest request = CSI__V1__NODE_GET_VOLUME_STATS_REQUEST__INIT;

	request.volume_id = (char *)id;
	request.volume_path = (char *)path;
	return fixture_expect(fixture, "Node/NodeGetVolumeStats", &request,
		&csi__v1__node_get_volume_stats_response__descriptor, kind, text);
}

/* The answered capacity, or -1. */
static int64_t expand(struct fixture *fixture, const char *id, const char *path,
	Csi__V1__CapacityRange *range, enum error_kind kind, const char *text)
{
	Csi__V1__NodeExpandVolumeRequest request = CSI__V1__NODE_EXPAND_VOLUME_REQUEST__INIT;
	Csi__V1__NodeExpandVolumeResponse *response;
	int64_t capacity = -1;

	request.volume_id = (char *)id;
	request.volume_path = (char *)path;
	request.capacity_range = range;
	response = fixture_expect(fixture, "Node/NodeExpandVolume", &request,
		&csi__v1__node_expand_volume_response__descriptor, kind, text);
	if (response)
		capacity = response->capacity_bytes;
	fixture_free(response);
	return capacity;
}

static void test_capabilities(void **state)
{
	static const Csi__V1__NodeServiceCapability__RPC__Type types[] = {
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__GET_VOLUME_STATS,
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__EXPAND_VOLUME,
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__VOLUME_CONDITION,
		CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__SINGLE_NODE_MULTI_WRITER,
	};
	Csi__V1__NodeGetCapabilitiesRequest request = CSI__V1__NODE_GET_CAPABILITIES_REQUEST__INIT;
	Csi__V1__NodeGetCapabilitiesResponse *response =
		fixture_expect(*state, "Node/NodeGetCapabilities", &request,
			&csi__v1__node_get_capabilities_response__descriptor, ERROR_NONE, NULL);

	assert_int_equal(response->n_capabilities, ARRAY_SIZE(types));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(response->capabilities[i]->rpc->type, types[i]);
	fixture_free(response);
}

/* Both calls name a volume and where it is mounted. */
static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(free_world) struct world world;
	char unknown_id[VOLUME_ID_MAX + 1];
	const char *path = fixture_path(fixture, "target");
	const char *link = fixture_path(fixture, "link"), *file = fixture_path(fixture, "file");
	const char *plain = fixture_path(fixture, "plain");
	char long_name[400];

	make_world(fixture, &world);
	fixture_id(fixture, "unknown", unknown_id);
	snprintf(long_name, sizeof(long_name), "%s/%0300d", fixture->dir, 0);
	assert_int_equal(symlink(path, link), 0);
	fixture_write_file(file, "");
	assert_int_equal(mkdir(plain, 0755), 0);
	const struct {
		const char *id, *path;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{"", path, ERROR_INVALID, "volume_id"},
		{world.id, "", ERROR_INVALID, "volume_path"},
		{world.id, "some/path", ERROR_NOT_FOUND, "volume_path"},
		{world.id, "/tmp/../tmp", ERROR_INVALID, "volume_path"},
		{"a\nb", path, ERROR_INVALID, "volume_id"},
		{world.id, "/tmp/\x7f", ERROR_INVALID, "volume_path"},
		{"volume", path, ERROR_NOT_FOUND, "does not exist"},
		{unknown_id, path, ERROR_NOT_FOUND, "does not exist"},
		{world.id, fixture_path(fixture, "missing"), ERROR_NOT_FOUND, "volume_path"},
		{world.id, fixture_path(fixture, "no/where"), ERROR_NOT_FOUND, "volume_path"},
		{world.id, fixture_path(fixture, "file/x"), ERROR_NOT_FOUND, "volume_path"},
		{world.id, plain, ERROR_NOT_FOUND, "nothing is mounted"},
		{world.id, file, ERROR_NOT_FOUND, "volume_path"},
		{world.id, link, ERROR_NOT_FOUND, "volume_path"},
		{world.id, long_name, ERROR_NOT_FOUND, "volume_path"},
		{world.id, fixture->dir, ERROR_NOT_FOUND, "something other"},
		{world.id, world.other_target, ERROR_NOT_FOUND, "something other"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_null(
			stats(fixture, cases[i].id, cases[i].path, cases[i].kind, cases[i].text));
		expand(fixture, cases[i].id, cases[i].path, NULL, cases[i].kind, cases[i].text);
	}
}

static void test_expand(void **state)
{
	static const struct {
		int64_t required, limit;
		enum error_kind kind;
		const char *text;
		int64_t capacity;
	} cases[] = {
		{-1, 0, ERROR_INVALID, "capacity_range", -1},
		{0, -1, ERROR_INVALID, "capacity_range", -1},
		{2, 1, ERROR_INVALID, "limit_bytes", -1},
		{3 << 20, 0, ERROR_NONE, NULL, 3 << 20},
		{3 << 20, 3 << 20, ERROR_NONE, NULL, 3 << 20},
		{0, 3 << 20, ERROR_NONE, NULL, 1 << 20},
		{0, 0, ERROR_NONE, NULL, 1 << 20},
	};
	struct fixture *fixture = *state;
	_cleanup_(free_world) struct world world;

	make_world(fixture, &world);
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;
		size_t at = i / 2; /* each twice */

		range.required_bytes = cases[at].required;
		range.limit_bytes = cases[at].limit;
		assert_int_equal(expand(fixture, world.id, world.target, &range, cases[at].kind,
					 cases[at].text),
			cases[at].capacity);
	}
	assert_int_equal(expand(fixture, world.id, world.target, NULL, ERROR_NONE, NULL), 1 << 20);
}

static void test_expand_fields(void **state)
{
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
	Csi__V1__NodeExpandVolumeRequest__SecretsEntry entry =
		CSI__V1__NODE_EXPAND_VOLUME_REQUEST__SECRETS_ENTRY__INIT;
	Csi__V1__NodeExpandVolumeRequest__SecretsEntry *secrets[] = {&entry};
	Csi__V1__NodeExpandVolumeRequest request = CSI__V1__NODE_EXPAND_VOLUME_REQUEST__INIT;
	static char large[5000];
	struct fixture *fixture = *state;
	_cleanup_(free_world) struct world world;

	make_world(fixture, &world);
	request.volume_id = world.id;
	request.volume_path = (char *)world.target;
	request.volume_capability = &capability;
	fixture_expect(fixture, "Node/NodeExpandVolume", &request,
		&csi__v1__node_expand_volume_response__descriptor, ERROR_INVALID, "access_mode");
	request.volume_capability = NULL;
	memset(large, 'x', sizeof(large) - 1);
	entry.key = large;
	request.secrets = secrets;
	request.n_secrets = 1;
	fixture_expect(fixture, "Node/NodeExpandVolume", &request,
		&csi__v1__node_expand_volume_response__descriptor, ERROR_INVALID, "secrets");
}

static void test_usage(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(free_world) struct world world;
	Csi__V1__NodeGetVolumeStatsResponse *answer;
	struct statvfs status;

	make_world(fixture, &world);
	fixture_write_file(fixture_path(fixture, "target/file"), "data");
	assert_int_equal(statvfs(world.target, &status), 0);
	answer = stats(fixture, world.id, world.target, ERROR_NONE, NULL);
	assert_int_equal(answer->n_usage, 2);
	assert_int_equal(answer->usage[0]->unit, CSI__V1__VOLUME_USAGE__UNIT__BYTES);
	assert_int_equal(answer->usage[0]->total, 64 << 20);
	assert_int_equal(status.f_blocks * status.f_frsize, 64 << 20);
	assert_int_equal(answer->usage[0]->available, status.f_bavail * status.f_frsize);
	assert_int_equal(
		answer->usage[0]->used, (status.f_blocks - status.f_bfree) * status.f_frsize);
	assert_int_equal(answer->usage[1]->unit, CSI__V1__VOLUME_USAGE__UNIT__INODES);
	assert_int_equal(answer->usage[1]->total, status.f_files);
	assert_int_equal(answer->usage[1]->available, status.f_favail);
	assert_int_equal(answer->usage[1]->used, status.f_files - status.f_ffree);
	assert_false(answer->volume_condition->abnormal);
	assert_non_null(strstr(answer->volume_condition->message, "can be read"));
	fixture_free(answer);
}

static void expect_abnormal(struct fixture *fixture, const struct world *world, const char *text)
{
	Csi__V1__NodeGetVolumeStatsResponse *answer =
		stats(fixture, world->id, world->target, ERROR_NONE, NULL);

	assert_true(answer->volume_condition->abnormal);
	if (!strstr(answer->volume_condition->message, text))
		fail_msg("%s", answer->volume_condition->message);
	/* A server that has forgotten the directory does not say what its file system has. */
	assert_true(answer->n_usage == 2 || (answer->n_usage == 0 && fixture_is(FIXTURE_MOUNTED)));
	fixture_free(answer);
}

/* Where the volume's data lie on the node. */
static const char *data_path(struct fixture *fixture, const char *name)
{
	struct volume_hash hash;

	volume_id_hash(name, &hash);
	return fixture_path(fixture, "root/volumes/%s", hash.text);
}

static void test_deleted_directory(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(free_world) struct world world;

	fixture->driver.stats_walk = true; /* of no use there */
	fixture_start(fixture);
	make_world(fixture, &world);
	assert_int_equal(rmdir(data_path(fixture, "pvc-1")), 0);
	expect_abnormal(fixture, &world, "was deleted");
	/* A new one in its place is not what the pod sees. */
	assert_int_equal(mkdir(data_path(fixture, "pvc-1"), 0755), 0);
	expect_abnormal(fixture, &world, "was deleted");
	/* Nor is it the other volume's: as long as the server knows what it was. */
	if (!fixture_is(FIXTURE_MOUNTED))
		stats(fixture, world.other_id, world.target, ERROR_NOT_FOUND, "something other");
}

/* The directory of a process that has ended can be looked at, and not be read. */
static void test_unreadable_directory(void **state)
{
	extern char **environ;
	char *argv[] = {(char *)"true", NULL};
	struct stats_volume volume = {.base = "/base", .path = "path"};
	_cleanup_close_ int fd = -1;
	struct stats seen;
	struct error err;
	char path[64];
	pid_t pid;

	(void)state;
	assert_int_equal(posix_spawnp(&pid, "true", NULL, NULL, argv, environ), 0);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	volume.source = fd;
	assert_int_equal(stats_collect(fd, &volume, &seen, &err), 0);
	assert_true(seen.abnormal);
	assert_non_null(strstr(seen.condition.text, "cannot be read"));
}

static void test_moved_directory(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_(free_world) struct world world;

	make_world(fixture, &world);
	assert_int_equal(
		rename(data_path(fixture, "pvc-1"), fixture_path(fixture, "root/elsewhere")), 0);
	expect_abnormal(fixture, &world, "is gone");
	assert_int_equal(symlink("elsewhere", data_path(fixture, "pvc-1")), 0);
	expect_abnormal(fixture, &world, "volumes/");
}

/* A gate before the directory "slow". */
static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open, gate_reached;

static int slow_openat2(int dir, const char *path, const struct open_how *how)
{
	pthread_mutex_lock(&gate_mutex);
	gate_reached |= !strcmp(path, "slow");
	pthread_cond_broadcast(&gate_changed);
	while (!strcmp(path, "slow") && !gate_open)
		pthread_cond_wait(&gate_changed, &gate_mutex);
	pthread_mutex_unlock(&gate_mutex);
	return kernel->openat2(dir, path, how);
}

struct caller {
	struct fixture *fixture;
	const struct world *world;
	int64_t bytes, inodes;
};

static void *call_stats(void *argument)
{
	struct caller *caller = argument;
	Csi__V1__NodeGetVolumeStatsResponse *answer =
		stats(caller->fixture, caller->world->id, caller->world->target, ERROR_NONE, NULL);

	caller->bytes = answer->usage[0]->used;
	caller->inodes = answer->usage[1]->used;
	fixture_free(answer);
	return NULL;
}

static void await_waiting(struct fixture *fixture, int count)
{
	struct keylock *lock = &fixture->driver.busy;
	int waiting;

	do {
		sched_yield();
		pthread_mutex_lock(&lock->mutex);
		waiting = lock->waiting;
		pthread_mutex_unlock(&lock->mutex);
	} while (waiting != count);
}

static enum error_kind call_briefly(struct fixture *fixture, const struct world *world)
{
	Csi__V1__NodeGetVolumeStatsRequest request = CSI__V1__NODE_GET_VOLUME_STATS_REQUEST__INIT;
	struct rpc_call call = {"/csi.v1.Node/NodeGetVolumeStats", &request.base,
		&csi__v1__node_get_volume_stats_response__descriptor, 100, true};
	ProtobufCMessage *answer = NULL;
	struct error err = {0};

	request.volume_id = world->other_id;
	request.volume_path = (char *)world->other_target;
	(void)rpc_client_call(fixture->client, &call, &answer, &err);
	fixture_free(answer);
	return err.kind;
}

static int64_t bytes_of(const struct fixture *fixture, const char *path)
{
	struct stat status;

	assert_int_equal(stat(fixture_path(fixture, "%s", path), &status), 0);
	return status.st_blocks * 512;
}

/* The second walk waits for the first, and not longer than its caller does. */
static void test_walk(void **state)
{
	struct fixture *fixture = *state;
	struct fs_calls slow = *kernel;
	_cleanup_(free_world) struct world world;
	struct caller caller = {.fixture = fixture, .world = &world};
	pthread_t thread;

	fixture->driver.stats_walk = true;
	gate_open = gate_reached = false;
	slow.openat2 = slow_openat2;
	fs_calls = &slow;
	fixture_start(fixture);
	make_world(fixture, &world);
	assert_int_equal(mkdir(fixture_path(fixture, "target/slow"), 0755), 0);
	fixture_write_file(fixture_path(fixture, "target/slow/file"), "data");
	fixture_write_file(fixture_path(fixture, "other/file"), "of somebody else");
	pthread_create(&thread, NULL, call_stats, &caller);
	pthread_mutex_lock(&gate_mutex);
	while (!gate_reached)
		pthread_cond_wait(&gate_changed, &gate_mutex);
	pthread_mutex_unlock(&gate_mutex);

	assert_int_equal(call_briefly(fixture, &world), ERROR_TIMEOUT);
	await_waiting(fixture, 0);

	pthread_mutex_lock(&gate_mutex);
	gate_open = true;
	pthread_cond_broadcast(&gate_changed);
	pthread_mutex_unlock(&gate_mutex);
	pthread_join(thread, NULL);
	assert_int_equal(caller.bytes, bytes_of(fixture, "target") +
					       bytes_of(fixture, "target/slow") +
					       bytes_of(fixture, "target/slow/file"));
	assert_int_equal(caller.inodes, 3);
	fixture_stop(fixture);
	fs_calls = kernel;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_driver, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_capabilities),
		TEST(test_refusals),
		TEST(test_expand),
		TEST(test_expand_fields),
		TEST(test_usage),
		cmocka_unit_test_setup_teardown(
			test_deleted_directory, fixture_scratch, fixture_done),
		TEST(test_moved_directory),
		cmocka_unit_test(test_unreadable_directory),
		cmocka_unit_test_setup_teardown(test_walk, fixture_scratch, fixture_done),
	};

	kernel = fs_calls;
	return fixture_run(tests, ARRAY_SIZE(tests));
}
