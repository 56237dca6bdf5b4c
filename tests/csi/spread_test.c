/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of a class that names several servers: where new ones go, and that those that are there
 * stay, though the list grows, the driver is killed, or a server is away. The servers are
 * directories, each an --export.
 */
#include "fixture.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base_check.h"
#include "killer.h"
#include "volumes.h"

#define AB  "a:/export,b:/export"
#define ABC AB ",c:/export"

static const char servers[] = "abc";

/* One CreateVolume. What is NULL is as most tests want it. */
struct ask {
	const char *name;    /* and the PV's */
	const char *servers; /* ABC */
	const char *ordinal; /* of shop/web, template data; none: a claim of no set */
	enum on_delete on_delete;
	bool reuse, any_namespace;
	const char *cluster_uid, *source;
	int64_t size; /* 4096 */
};

static struct volumes *volumes;
static const struct backend *backend;

static void start(struct fixture *fixture)
{
	/* On the heap: a check that fails leaves the thread behind. */
	volumes = calloc(1, sizeof(*volumes));
	assert_non_null(volumes);
	volumes_start(volumes, &fixture->backend, 0);
	trash_wait(&volumes->trash);
}

static void stop(void)
{
	if (volumes) {
		volumes_stop(volumes);
		free(take_ptr(volumes));
	}
}

static void restart(struct fixture *fixture)
{
	stop();
	start(fixture);
}

/* Servers that are new. */
static void make_servers(struct fixture *fixture)
{
	for (const char *server = servers; *server; server++) {
		const char *path = fixture_path(fixture, "%c", *server);

		if (fixture_exists(path))
			base_remove(path);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

static int set_up(void **state)
{
	static char exports[sizeof(servers)][160];
	struct fixture *fixture;

	if (fixture_scratch(state) < 0)
		return -1;
	fixture = *state;
	fixture->exports.count = 0;
	for (const char *server = servers; *server; server++) {
		char *export = exports[fixture->exports.count];

		snprintf(export, sizeof(exports[0]), "%c:/export=%s/%c", *server, fixture->dir,
			*server);
		fixture->exports.values[fixture->exports.count++] = export;
	}
	make_servers(fixture);
	start(fixture);
	return 0;
}

static int tear_down(void **state)
{
	stop();
	return fixture_done(state);
}

static struct parameters parameters_of(const struct ask *ask)
{
	return (struct parameters){
		.servers = ask->servers ? ask->servers : ABC,
		.mode = 0750,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.on_delete = ask->on_delete,
		.reuse = ask->reuse,
		.reuse_across_namespaces = ask->any_namespace,
		.namespace = "shop",
		.namespace_uid = "uid-1",
		.claim = ask->ordinal ? NULL : ask->name,
		.statefulset = ask->ordinal ? "web" : NULL,
		.template = ask->ordinal ? "data" : NULL,
		.ordinal = ask->ordinal,
		.pv = ask->name,
		.cluster_uid = ask->cluster_uid,
	};
}

static int try(const struct ask *ask, struct volume *ret, struct error *err)
{
	struct parameters parameters = parameters_of(ask);
	struct volume_request request = {
		.name = ask->name,
		.size = {ask->size ? ask->size : 4096, 0},
		.parameters = &parameters,
		.source = ask->source,
	};

	return volumes_create(volumes, &request, ret, err);
}

/* Where the volume is: its server's letter. Its id goes to RET_ID, which may be NULL. */
static char create(const struct ask *ask, char ret_id[VOLUME_ID_MAX + 1])
{
	struct volume volume;
	struct error err;
	char server;

	if (try(ask, &volume, &err) < 0)
		fail_msg("%s: %s", ask->name, err.text);
	assert_null(volume.location.server[1]);
	server = volume.location.server[0];
	if (ret_id)
		strcpy(ret_id, volume.id);
	volume_done(&volume);
	return server;
}

/* The same, and the file `content` in it holds TEXT. */
static char fill(struct fixture *fixture, const struct ask *ask, const char *text, char *ret_id)
{
	struct volume volume;
	struct error err;
	char server;

	if (try(ask, &volume, &err) < 0)
		fail_msg("%s: %s", ask->name, err.text);
	server = volume.location.server[0];
	fixture_write_file(
		fixture_path(fixture, "%c/%s/content", server, volume.record->path), text);
	strcpy(ret_id, volume.id);
	volume_done(&volume);
	return server;
}

static void delete_volume(const char *id)
{
	struct error err;

	if (volumes_delete(volumes, id, NULL, &err) < 0)
		fail_msg("%s: %s", id, err.text);
	trash_wait(&volumes->trash);
}

static void refuse(const struct ask *ask, enum error_kind kind, const char *text)
{
	struct volume volume;
	struct error err = {0};

	assert_int_equal(try(ask, &volume, &err), -1);
	if (err.kind != kind || !strstr(err.text, text))
		fail_msg("%s: %s", error_kind_name(err.kind), err.text);
}

/* The data TEXT are in the directory PATH of SERVER. */
static void check_data(struct fixture *fixture, const char *text, char server, const char *path)
{
	assert_string_equal(base_find(fixture_path(fixture, "%c", server), text), path);
}

/* The servers have as many records as the digits of COUNTS say, and nothing that is no volume's. */
static void check_records(struct fixture *fixture, const char *counts)
{
	stop();
	for (size_t i = 0; servers[i]; i++)
		base_check(fixture_path(fixture, "%c", servers[i]),
			&(struct base_check){.records = (size_t)(counts[i] - '0')});
	start(fixture);
}

/* The same, where all are on SERVER. */
static void check_records_on(struct fixture *fixture, char server, char count)
{
	char counts[] = "000";

	counts[server - 'a'] = count;
	check_records(fixture, counts);
}

static void test_ordinals(void **state)
{
	static const struct {
		const char *name, *ordinal;
		char server;
	} cases[] = {
		{"pvc-0", "0", 'a'},
		{"pvc-1", "1", 'b'},
		{"pvc-2", "2", 'c'},
		{"pvc-3", "3", 'a'},
		{"pvc-4", "4", 'b'},
		{"pvc-14", "14", 'c'},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ask ask = {.name = cases[i].name, .ordinal = cases[i].ordinal};
		char id[VOLUME_ID_MAX + 1], again[VOLUME_ID_MAX + 1];

		assert_int_equal(create(&ask, id), cases[i].server);
		restart(fixture);
		assert_int_equal(create(&ask, again), cases[i].server);
		assert_string_equal(id, again);
	}
	check_records(fixture, "222");
	assert_true(fixture_exists(fixture_path(fixture, "b/shop/web/data-4")));
}

/* Other claims are everywhere, and stay where they are. */
static void test_claims(void **state)
{
	struct fixture *fixture = *state;
	int found[3] = {0};

	for (int i = 0; i < 30; i++) {
		char name[32], server;
		const struct ask ask = {.name = name};

		snprintf(name, sizeof(name), "pvc-%d", i);
		server = create(&ask, NULL);
		assert_in_range(server, 'a', 'c');
		found[server - 'a']++;
		if (i % 10 == 9)
			restart(fixture);
		assert_int_equal(create(&ask, NULL), server);
	}
	for (size_t i = 0; i < ARRAY_SIZE(found); i++)
		assert_true(found[i] > 0);
}

/* A list that grew changes only where new volumes go. */
static void test_appended(void **state)
{
	static const struct {
		const char *name, *ordinal;
		char before, after; /* server, by AB and by ABC */
	} cases[] = {
		{"pvc-0", "0", 'a', 'a'},
		{"pvc-1", "1", 'b', 'b'},
		{"pvc-2", "2", 'a', 'c'},
		{"pvc-3", "3", 'b', 'a'},
	};
	struct fixture *fixture = *state;
	char ids[ARRAY_SIZE(cases)][VOLUME_ID_MAX + 1], id[VOLUME_ID_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ask ask = {
			.name = cases[i].name, .servers = AB, .ordinal = cases[i].ordinal};

		assert_int_equal(create(&ask, ids[i]), cases[i].before);
	}
	for (int process = 0; process < 2; process++, restart(fixture))
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			const struct ask ask = {.name = cases[i].name, .ordinal = cases[i].ordinal};

			assert_int_equal(create(&ask, id), cases[i].before);
			assert_string_equal(id, ids[i]);
		}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ask ask = {.name = cases[i].name, .ordinal = cases[i].ordinal};

		delete_volume(ids[i]);
		assert_int_equal(create(&ask, NULL), cases[i].after);
	}
	check_records(fixture, "211");
}

/* Where data were left, and where a new claim of their place goes then. */
static void test_data_left(void **state)
{
	static const struct {
		const char *name;
		enum on_delete on_delete;
		bool reuse;
		char server; /* where the new one goes; the old one was on a, and c is its turn */
	} cases[] = {
		{"archived", ON_DELETE_ARCHIVE, true, 'a'},
		{"retained", ON_DELETE_RETAIN, true, 'a'},
		{"deleted", ON_DELETE_DELETE, true, 'c'},
		{"archived, not to be taken", ON_DELETE_ARCHIVE, false, 'c'},
		{"retained, not to be taken", ON_DELETE_RETAIN, false, 'c'},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ask first = {.name = "pvc-1",
			.servers = AB,
			.ordinal = "2",
			.on_delete = cases[i].on_delete};
		const struct ask second = {
			.name = "pvc-2", .ordinal = "2", .reuse = cases[i].reuse};
		char id[VOLUME_ID_MAX + 1], server;

		make_servers(fixture);
		restart(fixture);
		assert_int_equal(fill(fixture, &first, "one", id), 'a');
		delete_volume(id);
		if (i % 2)
			restart(fixture);
		server = create(&second, NULL);
		if (server != cases[i].server)
			fail_msg("%s: it is on %c", cases[i].name, server);
		if (server == 'a')
			check_data(fixture, "one", 'a', "shop/web/data-2");
		restart(fixture);
		assert_int_equal(create(&second, NULL), server);
	}
}

/* Of data on several servers the newest. */
static void test_newest(void **state)
{
	static const char *const lists[] = {"c:/export", "a:/export", "b:/export"};
	struct fixture *fixture = *state;

	for (size_t newest = 0; newest < ARRAY_SIZE(lists); newest++) {
		const struct ask last = {.name = "pvc-9", .ordinal = "0", .reuse = true};
		char server = 0;

		make_servers(fixture);
		restart(fixture);
		for (size_t i = 1; i <= ARRAY_SIZE(lists); i++) {
			char id[VOLUME_ID_MAX + 1], text[] = {(char)('0' + i), '\0'};
			const struct ask ask = {.name = text,
				.servers = lists[(newest + i) % ARRAY_SIZE(lists)],
				.ordinal = "0",
				.on_delete = ON_DELETE_ARCHIVE};

			server = fill(fixture, &ask, text, id);
			delete_volume(id);
		}
		assert_int_equal(server, *lists[newest]);
		assert_int_equal(create(&last, NULL), server);
		check_data(fixture, "3", server, "shop/web/data-0");
	}
}

/* A new cluster on the old servers, of which there is one more. */
static void test_another_cluster(void **state)
{
	const struct ask old = {
		.name = "pvc-1", .servers = AB, .ordinal = "2", .cluster_uid = "cluster-1"};
	struct ask new = {.name = "pvc-2",
		.ordinal = "2",
		.reuse = true,
		.any_namespace = true,
		.cluster_uid = "cluster-2",
		.size = 1024};
	struct fixture *fixture = *state;
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(fill(fixture, &old, "one", id), 'a');
	restart(fixture);
	refuse(&new, ERROR_FAILED_PRECONDITION, "ask for as many");
	new.size = 4096;
	assert_int_equal(create(&new, NULL), 'a');
	check_data(fixture, "one", 'a', "shop/web/data-2");
	check_records(fixture, "100");
}

/* The same as create(), by a caller who tries again as long as there is hope. */
static char create_at_last(const struct ask *ask)
{
	struct volume volume;
	struct error err;
	char server;

	for (int left = 300; try(ask, &volume, &err) < 0; left--) {
		if (!left || (err.kind != ERROR_UNAVAILABLE && err.kind != ERROR_ABORTED))
			fail_msg("%s", err.text);
		usleep(100000);
	}
	server = volume.location.server[0];
	volume_done(&volume);
	return server;
}

static void test_away(void **state)
{
	static const char asked[] =
		"parameter servers: no volume is made before b:/export has said whether it has it";
	const struct ask there = {.name = "pvc-0", .ordinal = "0"};
	struct ask behind = {.name = "pvc-2", .servers = AB, .ordinal = "2"};
	struct ask new = {.name = "pvc-3", .ordinal = "3"};
	struct fixture *fixture = *state;
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(create(&there, id), 'a');
	assert_int_equal(create(&behind, NULL), 'a');
	stop();
	assert_int_equal(rename(fixture_path(fixture, "b"), fixture_path(fixture, "away")), 0);
	/* The exports are as a new process knows them. */
	exports_done(&fixture->mounts);
	exports_init(&fixture->mounts, fixture->mount_dir);
	start(fixture);
	refuse(&new, ERROR_UNAVAILABLE, asked);
	new.reuse = true;
	refuse(&new, ERROR_UNAVAILABLE, asked);
	/* What is found is found. */
	assert_int_equal(create(&there, NULL), 'a');
	behind.servers = ABC;
	assert_int_equal(create(&behind, NULL), 'a');
	delete_volume(id);
	refuse(&there, ERROR_UNAVAILABLE, asked);
	assert_int_equal(rename(fixture_path(fixture, "away"), fixture_path(fixture, "b")), 0);
	assert_int_equal(create_at_last(&new), 'a');
	assert_int_equal(create_at_last(&there), 'a');
	check_records(fixture, "300");
}

/* Another process has one of the servers: what it makes there is not known. */
static void test_locked(void **state)
{
	const struct ask theirs = {.name = "pvc-1", .servers = "b:/export", .ordinal = "0"};
	const struct ask ours = {.name = "pvc-1", .ordinal = "0"};
	struct fixture *fixture = *state;
	struct volumes *other;

	assert_int_equal(create(&theirs, NULL), 'b');
	other = take_ptr(volumes);
	start(fixture);
	refuse(&ours, ERROR_UNAVAILABLE, "b:/export");
	volumes_stop(other);
	free(other);
	assert_int_equal(create(&ours, NULL), 'b');
	check_records(fixture, "010");
}

/* An archive that is not done yet is waited for: its data are not left behind. */
static void test_leaving(void **state)
{
	const struct ask first = {
		.name = "pvc-1", .servers = AB, .ordinal = "2", .on_delete = ON_DELETE_ARCHIVE};
	const struct ask second = {.name = "pvc-2", .ordinal = "2", .reuse = true};
	struct fixture *fixture = *state;
	bool reached = false;

	for (int point = 0; !reached; point++) {
		char id[VOLUME_ID_MAX + 1];
		struct error err;

		make_servers(fixture);
		restart(fixture);
		assert_int_equal(fill(fixture, &first, "one", id), 'a');
		killer_fail(point, EIO);
		(void)volumes_delete(volumes, id, NULL, &err);
		reached = !killer_fail(-1, 0);
		if (volumes_delete(volumes, id, NULL, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(create_at_last(&second), 'a');
		check_data(fixture, "one", 'a', "shop/web/data-2");
		check_records(fixture, "100");
	}
}

/* A copy goes where its own turn is. */
static void test_copy(void **state)
{
	const struct ask source = {.name = "pvc-0", .ordinal = "0"};
	struct ask copy = {.name = "pvc-1", .ordinal = "1", .reuse = true};
	struct fixture *fixture = *state;
	char id[VOLUME_ID_MAX + 1];

	assert_int_equal(fill(fixture, &source, "one", id), 'a');
	copy.source = id;
	assert_int_equal(create(&copy, NULL), 'b');
	check_data(fixture, "one", 'b', "shop/web/data-1");
	copy.servers = "c:/export,b:/export,a:/export";
	assert_int_equal(create(&copy, NULL), 'b');
	check_records(fixture, "110");
}

/* Parameters that the volume could have been made with describe it. */
static void test_difference(void **state)
{
	static const struct {
		const char *servers;
		bool same;
	} cases[] = {
		{ABC, true},
		{AB, true},
		{"c:/export,b:/export", true},
		{"a:/export,c:/export", false},
	};
	const struct ask made = {.name = "pvc-1", .ordinal = "1"};
	struct volume volume;
	struct error err;

	(void)state;
	assert_int_equal(try(&made, &volume, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ask ask = {.servers = cases[i].servers, .ordinal = "1"};
		struct parameters parameters = parameters_of(&ask);

		assert_int_equal(!volumes_difference(volumes, &volume, &parameters), cases[i].same);
	}
	volume_done(&volume);
}

/* What fits into the free space fits wherever it goes. */
static void test_capacity(void **state)
{
	struct parameters all = parameters_of(&(struct ask){.ordinal = NULL});
	struct parameters large = parameters_of(&(struct ask){.servers = "a:/export,c:/export"});
	struct fixture *fixture = *state;
	struct statvfs status;
	int64_t bytes;

	assert_int_equal(
		mount("tmpfs", fixture_path(fixture, "b"), "tmpfs", 0, "size=1m,mode=0755"), 0);
	assert_int_equal(volumes_capacity(volumes, &all, &bytes, NULL), 0);
	assert_int_equal(bytes, 1 << 20);
	assert_int_equal(statvfs(fixture->dir, &status), 0);
	assert_int_equal(volumes_capacity(volumes, &large, &bytes, NULL), 0);
	assert_int_equal(bytes, status.f_bavail * status.f_frsize);
	assert_int_equal(umount2(fixture_path(fixture, "b"), MNT_DETACH), 0);
}

/* An entry too long for a volume id is refused though another one has its turn. */
static void test_too_long(void **state)
{
	char list[256];

	(void)state;
	snprintf(list, sizeof(list), "a:/export,b:/%0110d", 1);
	refuse(&(struct ask){.name = "pvc-1", .servers = list, .ordinal = "0"}, ERROR_INVALID,
		"too long for a volume id");
}

/* A process that is killed at any call that changes something, before it or right after it. The
 * next one has a longer list. */

static const struct ask killed_first = {
	.name = "pvc-1", .servers = AB, .ordinal = "2", .on_delete = ON_DELETE_ARCHIVE};
static const struct ask killed_then = {
	.name = "pvc-1", .servers = ABC, .ordinal = "2", .on_delete = ON_DELETE_ARCHIVE};
static const struct ask taking_up = {.name = "pvc-2", .ordinal = "2", .reuse = true};

static int work(void *context)
{
	const struct ask *ask = context;
	struct volume volume;
	struct error err;

	volumes = calloc(1, sizeof(*volumes));
	volumes_start(volumes, backend, 0);
	trash_wait(&volumes->trash);
	if (try(ask, &volume, &err) == 0)
		return 0;
	fprintf(stderr, "in the child: %s\n", err.text);
	return -1;
}

static bool run_killed(int point, enum killer_mode mode, const struct ask *ask)
{
	return killer_run(point, mode, work, (void *)ask);
}

static void test_killed_creating(void **state)
{
	struct fixture *fixture = *state;

	backend = &fixture->backend;
	for (int mode = KILLER_BEFORE; mode <= KILLER_AFTER; mode++) {
		bool killed = true;

		for (int point = 0; killed; point++) {
			char id[VOLUME_ID_MAX + 1], again[VOLUME_ID_MAX + 1], server;

			stop();
			make_servers(fixture);
			killed = run_killed(point, mode, &killed_first);
			start(fixture);
			server = create(&killed_then, id);
			assert_true(server == 'a' || (killed && server == 'c'));
			check_records_on(fixture, server, '1');
			assert_int_equal(create(&killed_then, again), server);
			assert_string_equal(id, again);
		}
	}
}

static void test_killed_taking_up(void **state)
{
	struct fixture *fixture = *state;

	backend = &fixture->backend;
	for (int mode = KILLER_BEFORE; mode <= KILLER_AFTER; mode++) {
		bool killed = true;

		for (int point = 0; killed; point++) {
			char id[VOLUME_ID_MAX + 1];

			make_servers(fixture);
			restart(fixture);
			assert_int_equal(fill(fixture, &killed_first, "one", id), 'a');
			delete_volume(id);
			stop();
			killed = run_killed(point, mode, &taking_up);
			start(fixture);
			assert_int_equal(create(&taking_up, NULL), 'a');
			check_data(fixture, "one", 'a', "shop/web/data-2");
			check_records(fixture, "100");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ordinals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_claims, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_appended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_data_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_newest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_cluster, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leaving, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_copy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_difference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_capacity, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_creating, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_killed_taking_up, set_up, tear_down),
	};

	setenv("ORDINAL_BACKEND", "nfs", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
