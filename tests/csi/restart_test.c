/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program itself, ended in every way while volumes are mounted: mounts stay, and the next
 * process goes on with them.
 */
#include "fixture.h"

#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* The process that a failed check would leave behind, or 0. */
static pid_t running;

static const struct create plain = {.name = "pvc-1"};

/* build/ordinal-csi, beside which this test was built. */
static const char *program_path(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/ordinal-csi"));

	assert_true(length > 0);
	path[length] = '\0';
	for (int i = 0; i < 3; i++) /* tests/csi/restart_test */
		*strrchr(path, '/') = '\0';
	return strcat(path, "/ordinal-csi");
}

static pid_t start(struct fixture *fixture)
{
	extern char **environ;
	char endpoint[128], base[500];
	char *argv[] = {(char *)"ordinal-csi", (char *)"--nodeid=node-1", endpoint, base,
		(char *)(fixture_is_nfs() ? "--backend=nfs" : "--backend=hostpath"), NULL};
	struct error err;
	pid_t pid;

	snprintf(endpoint, sizeof(endpoint), "--endpoint=unix://%s", fixture->socket);
	if (fixture_is(FIXTURE_HOSTPATH))
		snprintf(base, sizeof(base), "--hostpath-root=%s", fixture->root);
	else if (fixture_is(FIXTURE_GIVEN))
		snprintf(base, sizeof(base), "--export=%s", fixture->export);
	else
		snprintf(base, sizeof(base), "--mount-dir=%s", fixture->mount_dir);
	assert_int_equal(posix_spawn(&pid, program_path(), NULL, NULL, argv, environ), 0);
	/* Its calls wait until it serves. */
	if (rpc_client_new(fixture->socket, &fixture->client, &err) < 0)
		fail_msg("%s", err.text);
	running = pid;
	return pid;
}

static void end(struct fixture *fixture, pid_t pid, int signal_number)
{
	int status;

	rpc_client_free(fixture->client);
	assert_int_equal(kill(pid, signal_number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	running = 0;
	if (signal_number == SIGTERM)
		assert_int_equal(status, 0);
}

static void test_mounts_stay(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGKILL};
	struct fixture *fixture = *state;
	const char *target = fixture_path(fixture, "target");
	const char *file = fixture_path(fixture, "target/file");
	pid_t pid = start(fixture);
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		fixture_publish(fixture, id, target);
		fixture_write_file(file, "data");
		end(fixture, pid, signals[i]);
		assert_true(fixture_exists(file));
		pid = start(fixture);
		for (int j = 0; j < 3; j++)
			fixture_publish(fixture, id, target);
		assert_true(fixture_exists(file));
		/* One mount, whichever process was asked for it. */
		fixture_unpublish(fixture, id, target);
		assert_false(fixture_exists(target));
	}
	end(fixture, pid, SIGTERM);
}

/* A process that never saw the mount removes it, and another one is made. */
static void test_unpublish_after_restart(void **state)
{
	struct fixture *fixture = *state;
	const char *target = fixture_path(fixture, "target");
	pid_t pid = start(fixture);
	_cleanup_free_ char *id = fixture_create(fixture, &plain, ERROR_NONE, NULL);

	fixture_publish(fixture, id, target);
	end(fixture, pid, SIGKILL);
	pid = start(fixture);
	fixture_unpublish(fixture, id, target);
	fixture_unpublish(fixture, id, target);
	assert_false(fixture_exists(target));
	fixture_publish(fixture, id, target);
	end(fixture, pid, SIGTERM);
	assert_int_equal(umount(target), 0);
}

static int done(void **state)
{
	if (running)
		kill(running, SIGKILL);
	running = 0;
	return fixture_done(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, done)
	const struct CMUnitTest tests[] = {
		TEST(test_mounts_stay),
		TEST(test_unpublish_after_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
