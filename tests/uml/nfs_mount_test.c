/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports mounted by the driver: /srv of the kernel's server in this guest, /squash there, which
 * refuses root, and ganesha's outside.
 */
#include "fixture.h"

#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "export_table.h"
#include "host.h"
#include "publishing.h"

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int setup(void **state)
{
	setenv("ORDINAL_BACKEND", "nfs", 1);
	run("rm -rf /srv/* /srv/.ordinal");
	return fixture_driver(state);
}

static int export_squash(void **state)
{
	(void)state;
	run("mkdir -p /squash && mount -t tmpfs -o mode=0755 tmpfs /squash && tests/uml/nfs_server "
	    "export /squash rw,root_squash,no_subtree_check,fsid=2,insecure");
	return 0;
}

static size_t count_mounts(const struct fixture *fixture)
{
	struct export_mount *mounts;
	size_t count;

	assert_int_equal(export_table_read(fixture->mount_dir, NULL, &mounts, &count, NULL), 0);
	export_table_free(mounts, count);
	return count;
}

static const struct create served = {
	.name = "pvc-1", .parameters = {"server=guest-1", "share=/srv"}};

static const struct create ganesha = {
	.name = "pvc-g", .parameters = {"server=host", "share=/export"}};

static struct error try_publish(
	struct fixture *fixture, const char *id, const char *target, const char *option)
{
	return publishing_try(fixture,
		&(struct publishing){
			.id = id, .target = target, .flags = {option}, .mode = SHARED_WRITER});
}

/* One mount for all volumes of an export; a new process finds it, and the last bind takes it along.
 */
static void test_one_mount(void **state)
{
	struct fixture *fixture = *state;
	struct create second = served;
	_cleanup_free_ char *a = fixture_create(fixture, &served, ERROR_NONE, NULL), *b = NULL;
	const char *first = fixture_path(fixture, "a"), *other = fixture_path(fixture, "b");

	second.name = "pvc-2";
	b = fixture_create(fixture, &second, ERROR_NONE, NULL);
	fixture_publish(fixture, a, first);
	fixture_publish(fixture, b, other);
	assert_int_equal(count_mounts(fixture), 1);
	fixture_write_file(fixture_path(fixture, "a/file"), "data");
	fixture_stop(fixture);
	assert_int_equal(count_mounts(fixture), 1);
	fixture_start(fixture);
	fixture_publish(fixture, a, first);
	assert_int_equal(count_mounts(fixture), 1);
	fixture_unpublish(fixture, a, first);
	assert_int_equal(count_mounts(fixture), 1);
	fixture_unpublish(fixture, b, other);
	assert_int_equal(count_mounts(fixture), 0);
	fixture_delete(fixture, a, ERROR_NONE, NULL);
	fixture_delete(fixture, b, ERROR_NONE, NULL);
}

static void test_options(void **state)
{
	static const char *const options[] = {
		"nfsvers=3", "nfsvers=4.0", "nfsvers=4.1", "nfsvers=4.2,nosharecache"};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &served, ERROR_NONE, NULL);
	size_t before = count_mounts(fixture);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *target = fixture_path(fixture, "t%zu", i);
		struct error err = try_publish(fixture, id, target, options[i]);

		if (err.kind)
			fail_msg("%s: %s", options[i], err.text);
		assert_int_equal(count_mounts(fixture), before + i + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		fixture_unpublish(fixture, id, fixture_path(fixture, "t%zu", i));
	assert_int_equal(count_mounts(fixture), before);
}

/* Whether an export is mounted with OPTION, as the kernel tells it. */
static bool is_mounted_with(const struct fixture *fixture, const char *option)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[4096];

	assert_non_null(mounts);
	while (fgets(line, sizeof(line), mounts))
		if (strstr(line, fixture->mount_dir) && strstr(line, " - nfs") &&
			strstr(line, option))
			return true;
	return false;
}

/* A new process, perhaps of another node. */
static void restart(struct fixture *fixture)
{
	fixture_stop(fixture);
	assert_int_equal(count_mounts(fixture), 0);
	exports_done(&fixture->mounts);
	exports_init(&fixture->mounts, fixture->mount_dir);
	fixture_start(fixture);
}

static void expand(struct fixture *fixture, const char *id)
{
	Csi__V1__ControllerExpandVolumeRequest request =
		CSI__V1__CONTROLLER_EXPAND_VOLUME_REQUEST__INIT;
	Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;

	range.required_bytes = 4096;
	request.volume_id = (char *)id;
	request.capacity_range = &range;
	fixture_free(fixture_expect(fixture, "Controller/ControllerExpandVolume", &request,
		&csi__v1__controller_expand_volume_response__descriptor, ERROR_NONE, NULL));
}

/* What has only the volume's id reaches the server as its class says, though the record that says
 * it lies there. */
static void test_options_after_a_restart(void **state)
{
	static const struct {
		const char *options, *mounted;
	} cases[] = {
		{"nfsvers=3,timeo=50", "vers=3,"},
		{"vers=4.1,port=2050,hard", "port=2050,"},
	};
	struct fixture *fixture = *state;

	run("grep -q 2050 /proc/fs/nfsd/portlist || echo tcp 2050 > /proc/fs/nfsd/portlist");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct create create = served, copy = served;
		_cleanup_free_ char *id = NULL, *copied = NULL;

		create.options = copy.options = cases[i].options;
		id = fixture_create(fixture, &create, ERROR_NONE, NULL);
		assert_true(is_mounted_with(fixture, cases[i].mounted));
		restart(fixture);
		expand(fixture, id);
		assert_true(is_mounted_with(fixture, cases[i].mounted));
		restart(fixture);
		copy.name = "pvc-copy";
		copy.source = id;
		copy.required = 4096;
		copied = fixture_create(fixture, &copy, ERROR_NONE, NULL);
		restart(fixture);
		fixture_delete(fixture, id, ERROR_NONE, NULL);
		assert_true(is_mounted_with(fixture, cases[i].mounted));
		assert_int_equal(count_mounts(fixture), 1);
		fixture_publish(fixture, copied, fixture_path(fixture, "a"));
		assert_int_equal(count_mounts(fixture), 1); /* by the options of the id */
		fixture_unpublish(fixture, copied, fixture_path(fixture, "a"));
		fixture_delete(fixture, copied, ERROR_NONE, NULL);
		restart(fixture);
	}
}

/* An id of before ids had options: any mount of the export will do, and else one without any. */
static void test_id_without_options(void **state)
{
	struct fixture *fixture = *state;
	struct create create = served;
	_cleanup_free_ char *id = NULL;

	create.options = "nfsvers=3";
	id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	*strstr(id, "//") = '\0';
	expand(fixture, id);
	assert_int_equal(count_mounts(fixture), 1);
	restart(fixture);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	assert_true(is_mounted_with(fixture, "vers=4.2,"));
	run("test -z \"$(ls /srv/.ordinal/volumes)\"");
}

static void test_what_is_wrong_is_said(void **state)
{
	static const struct {
		struct create create;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{{.name = "v", .parameters = {"server=guest-1", "share=/no"}}, ERROR_FORBIDDEN,
			"no such share"},
		{{.name = "v", .parameters = {"server=no.invalid", "share=/x"}}, ERROR_UNAVAILABLE,
			"has no address"},
		{{.name = "v", .parameters = {"server=guest-1", "share=/squash"}}, ERROR_FORBIDDEN,
			"refuses root: export it with no_root_squash"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_null(fixture_create(*state, &cases[i].create, cases[i].kind, cases[i].text));
}

/* A machine without nfs-common; once it is installed, the driver goes on as it is. */
static void test_no_mount_program(void **state)
{
	run("mount --bind /dev/null /sbin/mount.nfs");
	assert_null(
		fixture_create(*state, &served, ERROR_FAILED_PRECONDITION, "install nfs-common"));
	run("umount /sbin/mount.nfs");
	sleep(2); /* callers that come at once are told of the last failure for a second */
	free(fixture_create(*state, &served, ERROR_NONE, NULL));
}

/* While the server hangs: an error that names it, no waiting for other exports, and unpublishing
 * works. It heals by itself. */
static void test_server_that_hangs(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &ganesha, ERROR_NONE, NULL);
	_cleanup_free_ char *healthy = fixture_create(fixture, &served, ERROR_NONE, NULL);
	const char *target = fixture_path(fixture, "a"), *other = fixture_path(fixture, "h");
	struct error err;

	fixture_publish(fixture, id, target);
	host_do("ganesha hang");
	sleep(3); /* an answer is taken for a sign of life for two seconds */
	err = try_publish(fixture, id, fixture_path(fixture, "b"), NULL);
	fixture_publish(fixture, healthy, other);
	fixture_unpublish(fixture, healthy, other);
	fixture_unpublish(fixture, id, target);
	host_do("ganesha resume");
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "host:/export"));
	for (int i = 0; i < 60; i++) {
		err = try_publish(fixture, id, target, NULL);
		if (!err.kind)
			break;
		sleep(1);
	}
	if (err.kind)
		fail_msg("%s", err.text);
	fixture_unpublish(fixture, id, target);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
}

/* Whether COMMAND succeeds at last. */
static bool succeeds(const char *command)
{
	for (int i = 0; i < 120; i++) {
		if (system(command) == 0)
			return true;
		sleep(1);
	}
	return false;
}

/* What was deleted on other exports goes, while the thread that removes files from one hangs. */
static void test_trash_beside_a_server_that_hangs(void **state)
{
	struct fixture *fixture = *state;
	struct create slow = ganesha;
	_cleanup_free_ char *id = NULL, *healthy = NULL;
	bool gone;

	slow.name = "pvc-slow"; /* what an earlier test has deleted may be in the trash yet */
	fixture_stop(fixture);
	fixture->driver.trash_rate = 1;
	fixture_start(fixture);
	id = fixture_create(fixture, &slow, ERROR_NONE, NULL);
	healthy = fixture_create(fixture, &served, ERROR_NONE, NULL);
	fixture_publish(fixture, id, fixture_path(fixture, "a"));
	for (int i = 0; i < 100; i++)
		fixture_write_file(fixture_path(fixture, "a/file-%d", i), "data");
	fixture_unpublish(fixture, id, fixture_path(fixture, "a"));
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	host_do("ganesha hang");
	sleep(3); /* it comes to the next file, and waits there */
	fixture_delete(fixture, healthy, ERROR_NONE, NULL);
	gone = succeeds("test -z \"$(ls /srv/.ordinal/trash)\"");
	host_do("ganesha resume");
	assert_true(gone);
}

/* The server is another one, to which no handle of before means anything. */
static void test_stale(void **state)
{
	struct fixture *fixture = *state;
	struct create first = ganesha, next = ganesha;
	_cleanup_free_ char *old = NULL, *id = NULL;
	const char *target = fixture_path(fixture, "a"), *other = fixture_path(fixture, "b");
	struct error err;

	first.name = "pvc-first";
	old = fixture_create(fixture, &first, ERROR_NONE, NULL);
	fixture_publish(fixture, old, target);
	host_do("ganesha replace");
	fixture_stop(fixture);
	fixture_start(fixture);
	sleep(3); /* an answer is taken for a sign of life for two seconds */
	next.name = "pvc-next";
	id = fixture_create(fixture, &next, ERROR_NONE, NULL);
	err = try_publish(fixture, id, other, NULL);
	if (err.kind)
		fail_msg("%s", err.text);
	fixture_write_file(fixture_path(fixture, "b/file"), "data");
	fixture_unpublish(fixture, id, other);
	/* The last of what the old server had: taking it down may ask the one that hangs now. */
	host_do("ganesha hang");
	err = fixture_try_unpublish(fixture, old, target);
	host_do("ganesha resume");
	assert_true(err.kind == ERROR_NONE || err.kind == ERROR_UNAVAILABLE);
	fixture_unpublish(fixture, old, target);
}

static void expect_mended(struct fixture *fixture, const char *id, int attempts)
{
	const char *target = fixture_path(fixture, "new");
	struct error err;

	do
		err = try_publish(fixture, id, target, NULL);
	while (err.kind == ERROR_UNAVAILABLE && --attempts);
	if (err.kind)
		fail_msg("%s", err.text);
	fixture_write_file(fixture_path(fixture, "new/file"), "data");
	fixture_unpublish(fixture, id, target);
}

/* The handle is stale while the last answer is still taken for a sign of life: the first call finds
 * out, where the driver has the base open, and else there is none that fails. */
static void test_stale_at_once(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = fixture_create(fixture, &ganesha, ERROR_NONE, NULL);
	const char *target = fixture_path(fixture, "old");

	fixture->mounts.fresh_ms = INT_MAX;
	fixture_publish(fixture, id, target);
	host_do("ganesha restore");
	expect_mended(fixture, id, 2);
	fixture_stop(fixture);
	fixture_start(fixture);
	expect_mended(fixture, id, 1);
	host_do("ganesha restore");
	expect_mended(fixture, id, 1);
	fixture_unpublish(fixture, id, target);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_one_mount),
		TEST(test_options),
		TEST(test_options_after_a_restart),
		TEST(test_id_without_options),
		TEST(test_what_is_wrong_is_said),
		TEST(test_no_mount_program),
		TEST(test_server_that_hangs),
		TEST(test_trash_beside_a_server_that_hangs),
		TEST(test_stale),
		TEST(test_stale_at_once),
	};

	return cmocka_run_group_tests(tests, export_squash, NULL);
}
