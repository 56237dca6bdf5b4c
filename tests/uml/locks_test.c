/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver takes for granted of files, and what NFS makes of it, by every version: locks,
 * renames, fsync and listings, between this guest and guest 2, at the kernel's server.
 */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "host.h"
#include "peer.h"
#include "remove_tree.h"
#include "volumes.h"

/* How long a dead client's lease, and a server's boot, may take on a slow machine. */
#define PATIENCE 240

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int open_base(const struct version *version)
{
	int fd = open(version->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct catalog *open_catalog(const struct version *version)
{
	_cleanup_close_ int base = open_base(version);
	struct catalog *catalog;
	struct error err;

	if (catalog_open(base, true, NULL, &catalog, &err) < 0)
		fail_msg("%s: %s", version->base, err.text);
	return catalog;
}

static struct catalog *lock_catalog(const struct version *version)
{
	struct catalog *catalog = open_catalog(version);
	struct error err;

	if (catalog_lock(catalog, &err) < 0)
		fail_msg("%s: %s", version->base, err.text);
	return catalog;
}

static void expect_error(
	int result, const struct error *err, enum error_kind kind, const char *text)
{
	if (result == 0 || err->kind != kind || !strstr(err->text, text))
		fail_msg("%s: \"%s\" instead of %s with \"%s\"",
			result ? error_kind_name(err->kind) : "success", result ? err->text : "",
			error_kind_name(kind), text);
}

static void expect_locked_out(const struct version *version)
{
	char said[1024], us[64];

	assert_int_equal(peer_try(said, sizeof(said), "lock %s", version->base), 1);
	snprintf(us, sizeof(us), "is held by process %d on guest-1 since ", (int)getpid());
	if (!strstr(said, "UNAVAILABLE") || !strstr(said, us))
		fail_msg("%s: guest 2 says: %s", version->options, said);
}

/* Each guest keeps the other out, and says who has it; a process that is killed gives it up. */
static void test_lock(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version);
	_cleanup_(catalog_freep) struct catalog *second = open_catalog(version);
	struct error err;

	expect_locked_out(version);
	expect_error(catalog_lock(second, &err), &err, ERROR_UNAVAILABLE, "on guest-1 since");
	assert_int_equal(catalog_check_lock(catalog, &err), 0);
	catalog_unlock(catalog);
	peer_do("lock %s", version->base);
	peer_hold(version->base);
	expect_error(catalog_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "on guest-2 since");
	peer_end();
	assert_int_equal(catalog_lock(catalog, &err), 0);
	expect_locked_out(version);
}

/* As when nothing was heard of this guest for the time of a lease, or of a server that was started
 * anew. */
static void forget_locks(void)
{
	run("tests/uml/nfs_server forget guest-1 /srv");
}

/* Nobody else took it: either it is ours again, or known to be lost. */
static void test_forgotten_lock(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version);
	struct error err;

	forget_locks();
	if (catalog_check_lock(catalog, &err) < 0) {
		assert_int_equal(err.kind, ERROR_UNAVAILABLE);
		if (catalog_lock(catalog, &err) < 0)
			fail_msg("%s", err.text);
	}
	expect_locked_out(version);
}

static void test_lock_that_another_took(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version);
	struct error err;

	forget_locks();
	peer_hold(version->base);
	expect_error(catalog_check_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "lost");
	expect_error(catalog_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "on guest-2 since");
	peer_end();
	assert_int_equal(catalog_lock(catalog, &err), 0);
}

/* It is free again, but what was read under it is old. */
static void test_lock_that_another_had(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version);
	struct error err;

	forget_locks();
	peer_do("lock %s", version->base);
	expect_error(catalog_check_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "lost");
	expect_error(catalog_check_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "lost");
	assert_int_equal(catalog_lock(catalog, &err), 0);
	assert_int_equal(catalog_check_lock(catalog, &err), 0);
}

/* An administrator removed the file, and somebody else locked the next one. */
static void test_lock_that_was_removed(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version);
	struct error err;

	host_do("guest 2 rm %s/.ordinal/lock", version->base);
	peer_do("lock %s", version->base);
	expect_error(catalog_check_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "lost");
	assert_int_equal(catalog_lock(catalog, &err), 0);
	expect_locked_out(version);
}

struct reader {
	struct catalog *catalog;
	pthread_t thread;
	atomic_bool stop;
	int reads;
	struct error err;
	bool torn;
};

static void *read_on(void *argument)
{
	struct volume_hash hash = peer_hash(0);
	struct reader *reader = argument;

	while (!atomic_load(&reader->stop) && !reader->err.kind && !reader->torn) {
		_cleanup_(record_freep) struct record *record = NULL;

		if (catalog_read(reader->catalog, &hash, &record, &reader->err) < 0)
			break;
		reader->torn = !peer_is_whole(record);
		reader->reads++;
	}
	return NULL;
}

/* Who reads while guest 2 replaces a record finds the old or the new one; who has the lock then,
 * the last. */
static void test_replacing(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = open_catalog(version);
	_cleanup_(record_freep) struct record *record = NULL;
	struct reader *reader = calloc(1, sizeof(*reader)); /* one that fails is left behind */
	struct volume_hash hash = peer_hash(0);
	struct error err;

	assert_non_null(reader);
	peer_do("replace %s 1", version->base);
	reader->catalog = catalog;
	assert_int_equal(pthread_create(&reader->thread, NULL, read_on, reader), 0);
	peer_do("replace %s 200", version->base);
	atomic_store(&reader->stop, true);
	pthread_join(reader->thread, NULL);
	if (reader->err.kind || reader->torn)
		fail_msg("%s: %s", version->options,
			reader->torn ? "a torn record" : reader->err.text);
	assert_true(reader->reads > 0);
	free(reader);
	assert_int_equal(catalog_lock(catalog, &err), 0);
	if (catalog_read(catalog, &hash, &record, &err) < 0)
		fail_msg("%s: %s", version->options, err.text);
	assert_int_equal(record->capacity, 200);
}

static size_t count_records(struct catalog *catalog)
{
	_cleanup_free_ struct volume_hash *hashes = NULL;
	struct error err;
	size_t count;

	if (catalog_list(catalog, &hashes, &count, &err) < 0)
		fail_msg("%s", err.text);
	return count;
}

static void clear_records(const struct version *version)
{
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version);
	_cleanup_free_ struct volume_hash *hashes = NULL;
	struct error err;
	size_t count;

	assert_int_equal(catalog_list(catalog, &hashes, &count, &err), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(catalog_remove(catalog, &hashes[i], &err), 0);
	assert_int_equal(count_records(catalog), 0);
}

/* What this guest remembers to be missing, or has listed, is not what is there: it is found at once
 * all the same. With more records than one answer of the server holds. */
static void test_listing(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_hash hash = peer_hash(7);
	struct error err;

	clear_records(version);
	catalog = open_catalog(version);
	for (int from = 0; from < 300; from += 150) {
		assert_int_equal(count_records(catalog), from);
		peer_do("fill %s %d 150", version->base, from);
		assert_int_equal(count_records(catalog), from + 150);
	}
	clear_records(version);
	assert_int_equal(catalog_read(catalog, &hash, &record, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	peer_do("fill %s 7 1", version->base);
	if (catalog_read(catalog, &hash, &record, &err) < 0)
		fail_msg("%s: %s", version->options, err.text);
	assert_true(peer_is_whole(record));
}

static void expect_there(const struct version *version, const char *path, bool expected)
{
	_cleanup_close_ int base = open_base(version);
	struct error err;
	bool there;

	assert_int_equal(beneath_look(base, path, &there, &err), 0);
	if (there != expected)
		fail_msg("%s: %s is %sthere", version->options, path, there ? "" : "not ");
}

/* A directory that is thought to be gone is forgotten. */
static void test_missing_directory(void **state)
{
	const struct version *version = *state;

	run("rm -rf /srv/base-*/shop");
	expect_there(version, "shop/web/data-0", false);
	host_do("guest 2 mkdir -p %s/shop/web", version->base);
	expect_there(version, "shop/web/data-0", false);
	host_do("guest 2 mkdir %s/shop/web/data-0", version->base);
	expect_there(version, "shop/web/data-0", true);
}

/* What is said to be on disk is at the server: seen there, without this client. */
static void test_written_is_at_the_server(void **state)
{
	const struct version *version = *state;
	_cleanup_(catalog_freep) struct catalog *catalog = lock_catalog(version), *there = NULL;
	_cleanup_(record_freep) struct record *intended = NULL, *complete = NULL;
	_cleanup_close_ int served = -1;
	struct volume_hash hash = peer_hash(1);
	char path[PEER_PATH_SIZE], text[64];
	struct record record = peer_record(1, path);
	struct error err;

	snprintf(text, sizeof(text), "/srv/%s", strrchr(version->base, '/'));
	served = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(catalog_open(served, false, NULL, &there, &err), 0);
	assert_int_equal(catalog_remove(catalog, &hash, &err), 0);
	assert_int_equal(catalog_intend(catalog, &hash, &record, NULL, &err), 0);
	assert_int_equal(catalog_read(there, &hash, &intended, &err), 0);
	assert_int_equal(intended->state, RECORD_CREATING);
	assert_true(peer_is_whole(intended));
	assert_int_equal(catalog_complete(catalog, &hash, &err), 0);
	assert_int_equal(catalog_sync(catalog, &err), 0);
	assert_int_equal(catalog_read(there, &hash, &complete, &err), 0);
	assert_int_equal(complete->state, RECORD_READY);
}

static bool go_on(void *context)
{
	(void)context;
	return true;
}

/* A file that a process of this guest has open becomes .nfsXXXX when it is removed, and that one
 * cannot be: all the rest goes, and it follows when it is closed. */
static void test_open_files(void **state)
{
	const struct version *version = *state;
	const struct beneath_watch watch = {go_on, NULL};
	_cleanup_close_ int base = open_base(version), file = -1;
	char path[128], command[512];
	struct error err;

	snprintf(command, sizeof(command),
		"cd %s && rm -rf tree && mkdir -p tree/a/b tree/c && touch tree/open tree/x tree/a/b/open "
		"tree/a/b/x tree/c/x",
		version->base);
	run(command);
	snprintf(path, sizeof(path), "%s/tree/a/b/open", version->base);
	file = open(path, O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	expect_error(remove_tree(base, "tree", &watch, &err), &err, ERROR_IO, "open still");
	snprintf(command, sizeof(command), "test \"$(find %s/tree ! -type d | wc -l)\" = 1",
		version->base);
	run(command);
	assert_int_equal(write(file, "x", 1), 1);
	close(take_fd(&file));
	for (int i = 0; remove_tree(base, "tree", &watch, &err) < 0; i++) {
		assert_true(i < PATIENCE);
		sleep(1); /* the kernel removes it in the background */
	}
	snprintf(command, sizeof(command), "test ! -e %s/tree", version->base);
	run(command);
}

static int create(struct fixture *fixture, const struct version *version, const char *name,
	char *ret_path, struct error *err)
{
	const struct parameters parameters = {
		.server = "guest-1",
		.share = "/srv",
		.mount_options = version->options,
		.path_pattern = "two",
		.mode = 0777,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.namespace = "shop",
		.claim = name,
		.pv = name,
	};
	const struct volume_request request = {
		.name = name, .size = {4096, 0}, .parameters = &parameters};
	struct volume volume;

	if (volumes_create(&fixture->driver.volumes, &request, &volume, err) < 0)
		return -1;
	strcpy(ret_path, volume.record->path);
	volume_done(&volume);
	return 0;
}

/* Two drivers: the one that lost the lock tells the next caller, and then knows what the other has
 * done. */
static void test_driver_that_lost_the_lock(void **state)
{
	const struct version *version = *state;
	char path[4096], said[1024];
	struct fixture *fixture;
	struct error err;

	run("rm -rf /srv/.ordinal /srv/two*");
	setenv("ORDINAL_BACKEND", "nfs", 1);
	assert_int_equal(fixture_driver((void **)&fixture), 0);
	assert_int_equal(create(fixture, version, "pvc-a", path, &err), 0);
	assert_string_equal(path, "two");
	assert_int_equal(peer_try(said, sizeof(said), "create %s pvc-b two", version->options), 1);
	if (!strstr(said, "UNAVAILABLE") || !strstr(said, "on guest-1 since"))
		fail_msg("guest 2 says: %s", said);
	forget_locks();
	peer_do("create %s pvc-b two", version->options);
	/* Where that took long it has given way to the other, and opened the base anew already. */
	if (create(fixture, version, "pvc-c", path, &err) < 0) {
		expect_error(-1, &err, ERROR_UNAVAILABLE, "lost");
		if (create(fixture, version, "pvc-c", path, &err) < 0)
			fail_msg("%s", err.text);
	}
	assert_string_equal(path, "two@pvc-c");
	assert_int_equal(create(fixture, version, "pvc-b", path, &err), 0);
	assert_string_equal(path, "two@pvc-b");
	fixture_done((void **)&fixture);
}

/* The rest is not of each version. */

static void expect_dead_clients_lock(struct catalog *catalog)
{
	struct error err;

	expect_error(catalog_lock(catalog, &err), &err, ERROR_UNAVAILABLE, "on guest-2 since");
}

static void lock_when_free(const struct version *version, struct catalog *catalog)
{
	struct error err;

	for (int i = 0; catalog_lock(catalog, &err) < 0; i++) {
		expect_error(-1, &err, ERROR_UNAVAILABLE, "on guest-2 since");
		if (i == PATIENCE)
			fail_msg("%s: %s", version->options, err.text);
		sleep(1);
	}
}

/* A machine that loses power with the lock: by NFSv4 its lease ends. By NFSv3 nothing does, and
 * nobody gets the lock until it is back and says that it was away. */
static void test_client_that_dies(void **state)
{
	struct catalog *catalogs[PEER_VERSIONS];
	char bases[512] = "";

	(void)state;
	for (int i = 0; i < PEER_VERSIONS; i++) {
		catalogs[i] = open_catalog(&peer_versions[i]);
		strcat(strcat(bases, " "), peer_versions[i].base);
	}
	peer_hold(bases);
	host_do("kill guest 2");
	for (int i = 0; i < PEER_VERSIONS; i++)
		expect_dead_clients_lock(catalogs[i]);
	for (int i = 1; i < PEER_VERSIONS; i++)
		lock_when_free(&peer_versions[i], catalogs[i]);
	expect_dead_clients_lock(catalogs[0]);
	host_do("boot guest 2");
	lock_when_free(&peer_versions[0], catalogs[0]);
	peer_mount_there();
	for (int i = 0; i < PEER_VERSIONS; i++) {
		expect_locked_out(&peer_versions[i]);
		catalog_free(catalogs[i]);
	}
}

/* Two machines would both get such a lock. */
static void test_local_locks(void **state)
{
	static const char *const options[] = {"nolock", "local_lock=all", "local_lock=posix"};
	struct version version = {.base = "/run/nfs-local/base-3"};
	char command[256];
	struct error err;

	(void)state;
	run("mkdir -p /run/nfs-local");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct catalog *catalog;

		snprintf(command, sizeof(command),
			"mount -t nfs -o nfsvers=3,nosharecache,%s guest-1:/srv /run/nfs-local",
			options[i]);
		run(command);
		catalog = open_catalog(&version);
		expect_error(catalog_lock(catalog, &err), &err, ERROR_FAILED_PRECONDITION,
			"mounted with nolock or local_lock");
		catalog_free(catalog);
		run("umount /run/nfs-local");
	}
}

/* Nor is there the script that would start it. */
static void test_no_statd(void **state)
{
	struct fixture *fixture;
	char path[4096];
	struct error err;

	(void)state;
	run("mount --bind /bin/false /usr/sbin/start-statd && read -r pid </run/rpc.statd.pid && "
	    "kill $pid && while kill -0 $pid 2>/dev/null; do sleep 0.1; done; rm -f "
	    "/run/rpc.statd.pid");
	setenv("ORDINAL_BACKEND", "nfs", 1);
	assert_int_equal(fixture_driver((void **)&fixture), 0);
	expect_error(create(fixture, &peer_versions[0], "pvc-a", path, &err), &err,
		ERROR_FAILED_PRECONDITION, "NFSv3 needs the host's rpc.statd for locks");
	fixture_done((void **)&fixture);
	run("umount /usr/sbin/start-statd && rpc.statd --no-notify");
}

static int setup(void **state)
{
	(void)state;
	run("rm -rf /srv/* /srv/.ordinal");
	peer_mount_here();
	peer_mount_there();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peer_unmount_there();
	peer_unmount_here();
	return 0;
}

/* NAME is shown with the version. */
static struct CMUnitTest test_of(
	const char *name, CMUnitTestFunction test, const struct version *version)
{
	struct CMUnitTest result = {.test_func = test, .initial_state = (void *)version};
	char *text; /* the process' as long as it lives */

	if (asprintf(&text, "%s, %s", name, version->options) < 0)
		abort();
	result.name = text;
	return result;
}

/* With an argument: the tests whose names it fits, '*open*' for example. */
int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		CMUnitTestFunction test;
	} each[] = {
		{"test_lock", test_lock},
		{"test_forgotten_lock", test_forgotten_lock},
		{"test_lock_that_another_took", test_lock_that_another_took},
		{"test_lock_that_another_had", test_lock_that_another_had},
		{"test_lock_that_was_removed", test_lock_that_was_removed},
		{"test_replacing", test_replacing},
		{"test_listing", test_listing},
		{"test_missing_directory", test_missing_directory},
		{"test_written_is_at_the_server", test_written_is_at_the_server},
		{"test_open_files", test_open_files},
		{"test_driver_that_lost_the_lock", test_driver_that_lost_the_lock},
	};
	struct CMUnitTest tests[3 + ARRAY_SIZE(each) * PEER_VERSIONS] = {
		cmocka_unit_test(test_local_locks),
		cmocka_unit_test(test_client_that_dies),
	};
	size_t count = 2;

	for (size_t i = 0; i < ARRAY_SIZE(each); i++)
		for (int j = 0; j < PEER_VERSIONS; j++)
			tests[count++] = test_of(each[i].name, each[i].test, &peer_versions[j]);
	tests[count] = (struct CMUnitTest)cmocka_unit_test(test_no_statd);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
