/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "fs_calls.h"
#include "publishing.h"

static const struct create plain = {.name = "pvc-1"};

static void publish(struct fixture *fixture, const struct publishing *call, enum error_kind kind,
	const char *text)
{
	publishing_expect(fixture, call, kind, text);
}

static void unpublish(struct fixture *fixture, const char *id, const char *target,
	enum error_kind kind, const char *text)
{
	struct error err = fixture_try_unpublish(fixture, id, target);

	fixture_check("NodeUnpublishVolume", &err, kind, text);
}

/* The volume's own directory on the node. */
static const char *data_path(struct fixture *fixture, const char *name)
{
	struct volume_hash hash;

	volume_id_hash("pvc-1", &hash);
	return fixture_path(fixture, "root/volumes/%s/%s", hash.text, name);
}

static void test_info(void **state)
{
	Csi__V1__NodeGetInfoRequest request = CSI__V1__NODE_GET_INFO_REQUEST__INIT;
	Csi__V1__NodeGetInfoResponse *info = fixture_expect(*state, "Node/NodeGetInfo", &request,
		&csi__v1__node_get_info_response__descriptor, ERROR_NONE, NULL);
	Csi__V1__Topology__SegmentsEntry *segment;

	assert_string_equal(info->node_id, "node-1");
	assert_true(!info->accessible_topology == fixture_is_nfs());
	if (info->accessible_topology) {
		segment = info->accessible_topology->segments[0];
		assert_string_equal(segment->key, "topology.hostpath.ordinal.dev/node");
		assert_string_equal(segment->value, "node-1");
	}
	fixture_free(info);
}

static void test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	const char *target = fixture_path(fixture, "target");
	struct publishing call = {.id = id, .target = target};

	for (int i = 0; i < 10; i++)
		publish(fixture, &call, ERROR_NONE, NULL);
	fixture_write_file(fixture_path(fixture, "target/file"), "data");
	assert_true(fixture_exists(data_path(fixture, "file")));
	for (int i = 0; i < 10; i++) {
		unpublish(fixture, id, target, ERROR_NONE, NULL);
		assert_false(fixture_exists(target));
	}
	assert_true(fixture_exists(data_path(fixture, "file")));
}

static void test_flags(void **state)
{
	static const struct {
		struct publishing publishing;
		unsigned long flags;
	} cases[] = {
		{{.readonly = true}, ST_RDONLY},
		{{.mode = READER}, ST_RDONLY},
		{{.flags = {"ro"}}, ST_RDONLY},
		{{.flags = {"nosuid", "nodev", "noexec"}}, ST_NOSUID | ST_NODEV | ST_NOEXEC},
		{{.flags = {"noatime", "rw"}}, ST_NOATIME},
	};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *target = fixture_path(fixture, "target");
		struct publishing call = cases[i].publishing;
		struct statvfs status;

		call.id = id;
		call.target = target;
		publish(fixture, &call, ERROR_NONE, NULL);
		publish(fixture, &call, ERROR_NONE, NULL);
		assert_int_equal(statvfs(target, &status), 0);
		assert_int_equal(status.f_flag & cases[i].flags, cases[i].flags);
		/* The volume itself is as writable as before. */
		fixture_write_file(data_path(fixture, "file"), "data");
		unpublish(fixture, id, target, ERROR_NONE, NULL);
	}
}

static int no_open_tree(int dir, const char *path, unsigned tree_flags)
{
	(void)dir;
	(void)path;
	(void)tree_flags;
	errno = ENOSYS;
	return -1;
}

static void test_flags_on_an_old_kernel(void **state)
{
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls old_kernel = *kernel;

	old_kernel.open_tree = no_open_tree;
	fs_calls = &old_kernel;
	fixture_start(*state);
	test_flags(state);
	fixture_stop(*state);
	fs_calls = kernel;
}

/* Kubelet's pods see the mount in another namespace, where it came by propagation: a remount would
 * not have followed. */
static void test_readonly_propagates(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	const char *pods = fixture_path(fixture, "pods"), *peer = fixture_path(fixture, "peer");
	struct publishing call = {
		.id = id, .target = fixture_path(fixture, "pods/target"), .readonly = true};
	struct statvfs status;

	mkdir(pods, 0755);
	mkdir(peer, 0755);
	assert_int_equal(mount(pods, pods, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, pods, NULL, MS_SHARED, NULL), 0);
	assert_int_equal(mount(pods, peer, NULL, MS_BIND, NULL), 0);
	publish(fixture, &call, ERROR_NONE, NULL);
	assert_int_equal(statvfs(fixture_path(fixture, "peer/target"), &status), 0);
	assert_true(status.f_flag & ST_RDONLY);
	unpublish(fixture, id, call.target, ERROR_NONE, NULL);
	assert_false(fixture_exists(fixture_path(fixture, "peer/target")));
}

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	const char *target = fixture_path(fixture, "target");
	const char *unknown = "1:aaaaaaaaaaaaaaaaaaaaaa::/nowhere";
	const char *elsewhere = "1:aaaaaaaaaaaaaaaaaaaaaa:no.invalid:/nowhere";
	const struct {
		struct publishing publishing;
		enum error_kind kind;
		const char *text;
		unsigned backends;
	} cases[] = {
		{{.id = "", .target = target}, ERROR_INVALID, "volume_id", 0},
		{{.id = id, .target = ""}, ERROR_INVALID, "target_path", 0},
		{{.id = id, .target = "relative/target"}, ERROR_INVALID, "absolute", 0},
		{{.id = id, .target = "/tmp/../etc/x"}, ERROR_INVALID, "..", 0},
		{{.id = id, .target = "/tmp/.."}, ERROR_INVALID, "..", 0},
		{{.id = id, .target = "/"}, ERROR_INVALID, "last component", 0},
		{{.id = id, .target = target, .no_capability = true}, ERROR_INVALID, "capability",
			0},
		{{.id = id, .target = target, .block = true}, ERROR_INVALID, "Filesystem", 0},
		{{.id = id, .target = target, .mode = SHARED_READER}, ERROR_INVALID,
			"ReadWriteOnce", FIXTURE_HOSTPATH},
		{{.id = id, .target = target, .mode = SHARED_SINGLE}, ERROR_INVALID,
			"ReadWriteOnce", FIXTURE_HOSTPATH},
		{{.id = id, .target = target, .mode = SHARED_WRITER}, ERROR_INVALID,
			"ReadWriteOnce", FIXTURE_HOSTPATH},
		{{.id = id, .target = target, .mode = (enum publishing_mode)99}, ERROR_INVALID,
			"access mode 99", 0},
		{{.id = id, .target = target, .flags = {"vers=4"}}, ERROR_INVALID, "known are ro",
			FIXTURE_HOSTPATH},
		{{.id = id, .target = target, .flags = {"bg"}}, ERROR_INVALID, "known are",
			FIXTURE_NFS},
		{{.id = "volume", .target = target}, ERROR_NOT_FOUND, "does not exist", 0},
		{{.id = unknown, .target = target}, ERROR_FAILED_PRECONDITION, "--hostpath-root",
			FIXTURE_HOSTPATH},
		{{.id = elsewhere, .target = target}, ERROR_UNAVAILABLE, "has no address",
			FIXTURE_NFS},
		{{.id = id, .target = fixture_path(fixture, "no/target")},
			ERROR_FAILED_PRECONDITION, "caller has to make it", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (fixture_is(cases[i].backends))
			publish(fixture, &cases[i].publishing, cases[i].kind, cases[i].text);
	assert_false(fixture_exists(target));
	unpublish(fixture, "", target, ERROR_INVALID, "volume_id");
	unpublish(fixture, id, "", ERROR_INVALID, "target_path");
	unpublish(fixture, id, fixture_path(fixture, "no/target"), ERROR_NONE, NULL);
}

static char long_text[5000];
static Csi__V1__NodePublishVolumeRequest__SecretsEntry secret;
static Csi__V1__NodePublishVolumeRequest__SecretsEntry *secrets[] = {&secret};
static Csi__V1__NodePublishVolumeRequest__VolumeContextEntry entry;
static Csi__V1__NodePublishVolumeRequest__VolumeContextEntry *context[] = {&entry};

static void long_id(struct publishing_request *call)
{
	call->request.volume_id = long_text;
}

static void strange_id(struct publishing_request *call)
{
	call->request.volume_id = (char *)"a\tb";
}

static void long_target(struct publishing_request *call)
{
	call->request.target_path = long_text;
}

static void strange_target(struct publishing_request *call)
{
	call->request.target_path = (char *)"/tmp/a\nb";
}

static void large_secrets(struct publishing_request *call)
{
	csi__v1__node_publish_volume_request__secrets_entry__init(&secret);
	secret.value = long_text;
	call->request.secrets = secrets;
	call->request.n_secrets = 1;
}

static void large_context(struct publishing_request *call)
{
	csi__v1__node_publish_volume_request__volume_context_entry__init(&entry);
	entry.key = long_text;
	call->request.volume_context = context;
	call->request.n_volume_context = 1;
}

static void no_access_mode(struct publishing_request *call)
{
	call->capability.access_mode = NULL;
}

static void unknown_access_mode(struct publishing_request *call)
{
	call->mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__UNKNOWN;
}

static void no_access_type(struct publishing_request *call)
{
	call->capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE__NOT_SET;
}

static void fs_type(struct publishing_request *call)
{
	call->mount_volume.fs_type = (char *)"ext4";
}

static void mount_group(struct publishing_request *call)
{
	call->mount_volume.volume_mount_group = (char *)"100";
}

/* What is wrong with a request is said with the name of its field. */
static void test_fields(void **state)
{
	static const struct {
		void (*spoil)(struct publishing_request *call);
		const char *field;
	} cases[] = {
		{long_id, "volume_id"},
		{strange_id, "volume_id"},
		{long_target, "target_path"},
		{strange_target, "target_path"},
		{large_secrets, "secrets"},
		{large_context, "volume_context"},
		{no_access_mode, "access_mode"},
		{unknown_access_mode, "access mode 0"},
		{no_access_type, "access_type"},
		{fs_type, "fs_type"},
		{mount_group, "volume_mount_group"},
	};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	const struct publishing plain_call = {.id = id, .target = fixture_path(fixture, "target")};

	memset(long_text, '/', sizeof(long_text) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct publishing_request call;
		struct error err;

		publishing_fill(&call, &plain_call);
		cases[i].spoil(&call);
		err = publishing_send(fixture, &call);
		fixture_check("NodePublishVolume", &err, ERROR_INVALID, cases[i].field);
		assert_false(fixture_exists(plain_call.target));
	}
}

static void test_readonly_on_a_writable_mount(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	struct publishing call = {.id = id, .target = fixture_path(fixture, "target")};

	publish(fixture, &call, ERROR_NONE, NULL);
	call.readonly = true;
	publish(fixture, &call, ERROR_ALREADY_EXISTS, "for writing");
	unpublish(fixture, id, call.target, ERROR_NONE, NULL);
}

static void test_writable_on_a_readonly_mount(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	struct publishing call = {
		.id = id, .target = fixture_path(fixture, "target"), .readonly = true};

	publish(fixture, &call, ERROR_NONE, NULL);
	call.readonly = false;
	publish(fixture, &call, ERROR_ALREADY_EXISTS, "read-only");
	unpublish(fixture, id, call.target, ERROR_NONE, NULL);
}

static void test_foreign_mount(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	struct publishing call = {.id = id, .target = fixture_path(fixture, "target")};

	assert_int_equal(mkdir(call.target, 0755), 0);
	assert_int_equal(mount("tmpfs", call.target, "tmpfs", 0, "size=1m"), 0);
	publish(fixture, &call, ERROR_FAILED_PRECONDITION, "something else is mounted");
	umount(call.target);
}

/* Nothing but an empty directory is removed, and no symbolic link is followed. */
static void test_unpublish_deletes_nothing(void **state)
{
	struct fixture *fixture = *state;
	const char *target = fixture_path(fixture, "target");
	const char *link = fixture_path(fixture, "link");

	mkdir(target, 0755);
	fixture_write_file(fixture_path(fixture, "target/file"), "precious");
	unpublish(fixture, "volume", target, ERROR_FAILED_PRECONDITION, "holds files");
	assert_true(fixture_exists(fixture_path(fixture, "target/file")));
	assert_int_equal(symlink(target, link), 0);
	unpublish(fixture, "volume", link, ERROR_FAILED_PRECONDITION, "not a directory");
	assert_true(fixture_exists(link));
}

static void test_missing_directory(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	struct publishing call = {.id = id, .target = fixture_path(fixture, "target")};
	_cleanup_free_ char *place = strdup(data_path(fixture, ""));

	assert_int_equal(rmdir(data_path(fixture, "")), 0);
	publish(fixture, &call, ERROR_NOT_FOUND, "is gone");
	/* A link in its place leads nowhere. */
	place[strlen(place) - 1] = '\0';
	assert_int_equal(symlink("/etc", place), 0);
	publish(fixture, &call, ERROR_INTERNAL, NULL);
	assert_false(fixture_exists(call.target));
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	assert_true(fixture_exists("/etc/passwd"));
	publish(fixture, &call, ERROR_NOT_FOUND, "does not exist");
}

struct job {
	struct publishing call;
	struct fixture *fixture;
	pthread_t thread;
	struct error err;
	bool unpublish;
};

static void *run_job(void *argument)
{
	struct job *job = argument;

	if (job->unpublish)
		job->err = fixture_try_unpublish(job->fixture, job->call.id, job->call.target);
	else
		job->err = publishing_try(job->fixture, &job->call);
	return NULL;
}

/* How many jobs succeed, run at once; the others may get KIND. */
static int run_jobs(struct job *jobs, size_t count, enum error_kind kind)
{
	int successes = 0;

	for (size_t i = 0; i < count; i++)
		pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]);
	for (size_t i = 0; i < count; i++) {
		pthread_join(jobs[i].thread, NULL);
		successes += jobs[i].err.kind == ERROR_NONE;
		if (jobs[i].err.kind != ERROR_NONE && jobs[i].err.kind != kind)
			fail_msg("%s: %s", error_kind_name(jobs[i].err.kind), jobs[i].err.text);
	}
	return successes;
}

/* Unmount everything from PATH; how many mounts there were. */
static int count_mounts(const char *path)
{
	int count = 0;

	while (umount(path) == 0)
		count++;
	return count;
}

static void test_concurrent(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	const char *target = fixture_path(fixture, "target");
	struct job jobs[16];

	for (int round = 0; round < 8; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
			jobs[i] = (struct job){
				.call = {.id = id, .target = target}, .fixture = fixture};
		assert_true(run_jobs(jobs, ARRAY_SIZE(jobs), ERROR_ABORTED) > 0);
		assert_int_equal(count_mounts(target), 1);
		assert_int_equal(rmdir(target), 0);
	}
}

static void test_publish_beside_unpublish(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	const char *target = fixture_path(fixture, "target");
	struct job jobs[16];

	for (int round = 0; round < 8; round++) {
		int mounts;

		for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
			jobs[i] = (struct job){.call = {.id = id, .target = target},
				.fixture = fixture,
				.unpublish = i % 2};
		run_jobs(jobs, ARRAY_SIZE(jobs), ERROR_ABORTED);
		mounts = count_mounts(target);
		assert_true(mounts == 0 || mounts == 1);
		assert_int_equal(fixture_exists(target), mounts);
		rmdir(target);
	}
}

static int slow_open_tree(int dir, const char *path, unsigned tree_flags)
{
	usleep(20000);
	return open_tree(dir, path, tree_flags);
}

/* Start a driver whose mounts take a while, and make a volume; its id, which the caller frees. */
static char *start_slow(struct fixture *fixture, struct fs_calls *slow)
{
	*slow = *fs_calls;
	slow->open_tree = slow_open_tree;
	fs_calls = slow;
	fixture_start(fixture);
	return fixture_create(fixture, &plain, ERROR_NONE, NULL);
}

/* Two spellings of one target are one target. */
static void test_concurrent_spellings(void **state)
{
	struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls slow;
	_cleanup_free_ char *id = start_slow(fixture, &slow);
	const char *target = fixture_path(fixture, "target");
	struct job jobs[] = {
		{.call = {.id = id, .target = target, .readonly = true}, .fixture = fixture},
		{.call = {.id = id, .target = fixture_path(fixture, "./target/"), .readonly = true},
			.fixture = fixture},
	};

	assert_int_equal(run_jobs(jobs, ARRAY_SIZE(jobs), ERROR_NONE), 2);
	fixture_stop(fixture);
	fs_calls = kernel;
	assert_int_equal(umount(target), 0);
	assert_int_equal(rmdir(target), 0);
}

/* Whatever else is mounted, and however it is used there, is found, also by a new process. */
static void test_single_writer(void **state)
{
	static const enum publishing_mode others[] = {WRITER, READER, SINGLE_WRITER, MULTI_WRITER};
	static const struct create another = {.name = "pvc-2"};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	_cleanup_free_ char *other_id = fixture_create(fixture, &another, ERROR_NONE, NULL);
	const char *first = fixture_path(fixture, "first target"); /* mountinfo escapes the space */
	struct publishing call = {
		.id = id, .target = fixture_path(fixture, "second"), .mode = SINGLE_WRITER};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct publishing there = {.id = id, .target = first, .mode = others[i]};
		struct publishing other = {.id = other_id, .target = call.target};

		publish(fixture, &there, ERROR_NONE, NULL);
		publish(fixture, &there, ERROR_NONE, NULL);
		publish(fixture, &call, ERROR_FAILED_PRECONDITION, first);
		assert_false(fixture_exists(call.target));
		fixture_stop(fixture);
		fixture_start(fixture);
		publish(fixture, &call, ERROR_FAILED_PRECONDITION, "unpublish it there");
		publish(fixture, &there, ERROR_NONE, NULL);
		/* Another volume is not in the way. */
		other.mode = SINGLE_WRITER;
		publish(fixture, &other, ERROR_NONE, NULL);
		unpublish(fixture, other_id, other.target, ERROR_NONE, NULL);
		unpublish(fixture, id, first, ERROR_NONE, NULL);
		publish(fixture, &call, ERROR_NONE, NULL);
		unpublish(fixture, id, call.target, ERROR_NONE, NULL);
	}
}

/* The other modes allow several pods of one node. */
static void test_several_targets(void **state)
{
	static const enum publishing_mode modes[] = {WRITER, READER, MULTI_WRITER};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct publishing first = {.id = id, .target = fixture_path(fixture, "first")};
		struct publishing second = {.id = id, .target = fixture_path(fixture, "second")};

		first.mode = second.mode = modes[i];
		publish(fixture, &first, ERROR_NONE, NULL);
		publish(fixture, &second, ERROR_NONE, NULL);
		unpublish(fixture, id, first.target, ERROR_NONE, NULL);
		unpublish(fixture, id, second.target, ERROR_NONE, NULL);
	}
}

static void test_concurrent_single_writers(void **state)
{
	struct fixture *fixture = *state;
	const struct fs_calls *kernel = fs_calls;
	struct fs_calls slow;
	_cleanup_free_ char *id = start_slow(fixture, &slow);
	const char *targets[] = {fixture_path(fixture, "a"), fixture_path(fixture, "b"),
		fixture_path(fixture, "c"), fixture_path(fixture, "d")};
	struct job jobs[ARRAY_SIZE(targets)];
	int mounts = 0;

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		jobs[i] = (struct job){.call = {.id = id,
					       .target = targets[i],
					       .readonly = true,
					       .mode = SINGLE_WRITER},
			.fixture = fixture};
	assert_int_equal(run_jobs(jobs, ARRAY_SIZE(jobs), ERROR_FAILED_PRECONDITION), 1);
	fixture_stop(fixture);
	fs_calls = kernel;
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		mounts += count_mounts(targets[i]);
	assert_int_equal(mounts, 1);
}

/* A mount over volumes would hide them, and unpublishing would remove their directories. */
static void test_targets_among_volumes(void **state)
{
	static const char *const targets[] = {
		"root", "root/target", "root/volumes", "root/.ordinal/trash", "root/.ordinal"};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		const char *target = fixture_path(fixture, "%s", targets[i]);
		bool before = fixture_exists(target);

		unpublish(fixture, id, target, ERROR_INVALID, "where volumes lie");
		assert_int_equal(fixture_exists(target), before);
	}
}

int main(void)
{
#define TEST(name)      cmocka_unit_test_setup_teardown(name, fixture_driver, fixture_done)
#define OWN_START(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		FIXTURE_ONLY(test_targets_among_volumes, fixture_driver,
			FIXTURE_HOSTPATH | FIXTURE_GIVEN,
			"what the driver mounts lies in its own directory"),
		TEST(test_info),
		TEST(test_round_trip),
		TEST(test_flags),
		OWN_START(test_flags_on_an_old_kernel),
		TEST(test_readonly_propagates),
		TEST(test_refusals),
		TEST(test_fields),
		TEST(test_readonly_on_a_writable_mount),
		TEST(test_writable_on_a_readonly_mount),
		TEST(test_foreign_mount),
		TEST(test_unpublish_deletes_nothing),
		TEST(test_missing_directory),
		TEST(test_concurrent),
		TEST(test_publish_beside_unpublish),
		OWN_START(test_concurrent_spellings),
		TEST(test_single_writer),
		TEST(test_several_targets),
		OWN_START(test_concurrent_single_writers),
	};

	return fixture_run(tests, ARRAY_SIZE(tests));
}
