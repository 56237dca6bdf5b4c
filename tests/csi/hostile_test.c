/* SPDX-License-Identifier: Apache-2.0 */
/* Pods that do all they can to make the driver touch what is not theirs. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "beneath.h"
#include "log.h"
#include "tree_listing.h"

#define WORKERS 4
#define ROUNDS  fixture_fewer(600) /* volumes each worker makes, and deletes if it can */
#define HANDS   3                  /* hostile: a process, and threads */
#define DEPTH   4096

/* No call may hang: the whole test takes a few seconds. */
#define HUNG_AFTER 240

/* What happens to the data when a volume is deleted. */
static const struct {
	const char *parameter;
	bool keeps; /* a record, and data somewhere else than in the trash */
} on_delete[] = {
	{"onDelete=delete", false},
	{"onDelete=archive", true},
	{"onDelete=retain", true},
};

/* Where links lead. Whoever follows one finds there what volumes are made of; see plant_canaries.
 */
static const char *const targets[] = {
	"%s/canary", "..", ".", "%s/root", "%s/root/.ordinal", "../.ordinal", "%s", "missing"};

struct hand {
	struct fixture *fixture;
	int root; /* of the base */
	unsigned seed, number, asides;
	unsigned *swaps; /* shared by all, processes too */
	atomic_bool stop;
};

static unsigned draw(struct hand *hand, unsigned below)
{
	hand->seed = hand->seed * 1103515245 + 12345;
	return hand->seed / 65536 % below;
}

/* The hostile hands do not follow links themselves: what changes outside, the driver did. */
static int open_plain(int dir, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static void make_link(struct hand *hand, int dir, const char *name)
{
	char target[160];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(target, sizeof(target), targets[draw(hand, ARRAY_SIZE(targets))],
		hand->fixture->dir);
#pragma GCC diagnostic pop
	if (symlinkat(target, dir, name) < 0)
		return; /* there is one already */
}

/* NFS cannot exchange two names: it takes three renames, and between them one name is free. */
static int exchange(struct hand *hand, int dir, const char *name, int other_dir, const char *other)
{
	char aside[32];

	if (!fixture_is(FIXTURE_MOUNTED))
		return (int)syscall(SYS_renameat2, dir, name, other_dir, other, RENAME_EXCHANGE);
	snprintf(aside, sizeof(aside), "aside-%u-%u", hand->number, hand->asides++);
	if (renameat(dir, name, other_dir, aside) < 0)
		return -1;
	if (renameat(other_dir, other, dir, name) == 0)
		return renameat(other_dir, aside, other_dir, other);
	(void)renameat(other_dir, aside, dir, name);
	return -1;
}

/* Put a link in the place of NAME in DIR for a moment. */
static void swap(struct hand *hand, int dir, const char *name)
{
	_cleanup_close_ int evil = open_plain(hand->root, "evil");
	char slot[16];

	snprintf(slot, sizeof(slot), "%u", hand->number);
	unlinkat(evil, slot, 0);
	make_link(hand, evil, slot);
	if (exchange(hand, dir, name, evil, slot) < 0)
		return;
	__atomic_add_fetch(hand->swaps, 1, __ATOMIC_RELAXED);
	for (unsigned wait = draw(hand, 4); wait--;)
		sched_yield();
	(void)exchange(hand, dir, name, evil, slot);
}

/* What a pod does that has its working directory in the volume, wherever that moves. */
static void harass(struct hand *hand, int dir)
{
	char a[16], b[16];

	for (unsigned i = 0; i < 30; i++) {
		_cleanup_close_ int sub = -1;

		snprintf(a, sizeof(a), "%u", draw(hand, 5));
		snprintf(b, sizeof(b), "%u", draw(hand, 5));
		if (mkdirat(dir, a, 0755) < 0 && errno == ENOENT)
			return;
		make_link(hand, dir, b);
		(void)exchange(hand, dir, a, dir, b);
		sub = open_plain(dir, "sub");
		if (sub >= 0)
			renameat(dir, a, sub, "moved");
		swap(hand, dir, "sub");
	}
}

static void strike(struct hand *hand)
{
	static const char *const parents[] = {".", "hostile", "hostile/set"};
	unsigned level = draw(hand, 4), volume = draw(hand, WORKERS);
	char path[64], name[16];
	_cleanup_close_ int dir = -1;

	snprintf(name, sizeof(name), "data-%u", volume);
	snprintf(path, sizeof(path), "hostile/set/%s", name);
	dir = open_plain(hand->root, level < 3 ? parents[level] : path);
	if (dir < 0)
		return;
	if (level == 3)
		harass(hand, dir);
	else
		swap(hand, dir, level == 0 ? "hostile" : level == 1 ? "set" : name);
}

static void *run_hand(void *argument)
{
	struct hand *hand = argument;

	while (!atomic_load(&hand->stop))
		strike(hand);
	return NULL;
}

/* The first hand is a process, which starts before there are threads here. */
static pid_t fork_hand(struct hand *hand)
{
	pid_t parent = getpid(), child = fork();

	assert_true(child >= 0);
	if (child > 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		run_hand(hand);
	_exit(0);
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fail_msg("%s: %s", path, strerror(errno));
}

/* Below PARENT what lies below the base, as far as paths of volumes go. */
static void plant_canary(const struct fixture *fixture, const char *parent)
{
	char path[256];

	make_dir(fixture_path(fixture, "%s", parent));
	make_dir(fixture_path(fixture, "%s/set", parent));
	for (unsigned i = 0; i < 2 * WORKERS; i++) {
		snprintf(path, sizeof(path), "%s/%sdata-%u", parent, i % 2 ? "set/" : "", i / 2);
		make_dir(fixture_path(fixture, "%s", path));
		make_dir(fixture_path(fixture, "%s/sub", path));
		fixture_write_file(fixture_path(fixture, "%s/sub/file", path), "precious");
		chmod(fixture_path(fixture, "%s/sub/file", path), 0640);
		if (chown(fixture_path(fixture, "%s/sub", path), 7, 8) < 0)
			fail();
	}
}

/* Outside, the base's own directory, and the one above it. */
static const char *const canaries[] = {"canary", ".", "root"};

static void plant_canaries(const struct fixture *fixture)
{
	for (size_t i = 0; i < ARRAY_SIZE(canaries); i++)
		plant_canary(fixture, canaries[i]);
}

static char *list_canaries(const struct fixture *fixture)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < ARRAY_SIZE(canaries); i++)
		for (unsigned j = 0; j <= WORKERS; j++) {
			_cleanup_free_ char *list = NULL;
			char name[16] = "set";

			if (j)
				snprintf(name, sizeof(name), "data-%u", j - 1);
			list = tree_listing(fixture_path(fixture, "%s/%s", canaries[i], name));
			fprintf(out, "%s/%s\n%s", canaries[i], name, list);
		}
	fclose(out);
	return text;
}

struct worker {
	struct fixture *fixture;
	unsigned number;
	const char *on_delete;
	unsigned created, deleted;
};

static void name_volume(char *ret, size_t size, const struct worker *worker, unsigned round)
{
	snprintf(ret, size, "pvc-%s-%u-%u", worker->on_delete, worker->number, round);
}

/* As fixture_create and fixture_delete, which expect something and belong to the test's thread:
 * here any answer is right, if only there is one. */
static bool call_create(struct worker *worker, const char *name)
{
	char place[64];
	const char *texts[][2] = {
		{"pathPattern", place}, {"onDelete", strchr(worker->on_delete, '=') + 1}};
	Csi__V1__CreateVolumeRequest__ParametersEntry entries[ARRAY_SIZE(texts)], *pointers[4];
	Csi__V1__VolumeCapability__AccessMode mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__VolumeCapability__MountVolume mounted =
		CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT,
				  *list = &capability;
	Csi__V1__CreateVolumeRequest request = CSI__V1__CREATE_VOLUME_REQUEST__INIT;
	struct error err;
	void *answer;

	snprintf(place, sizeof(place), "hostile/set/data-%u", worker->number);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		csi__v1__create_volume_request__parameters_entry__init(&entries[i]);
		entries[i].key = (char *)texts[i][0];
		entries[i].value = (char *)texts[i][1];
		pointers[i] = &entries[i];
	}
	mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	capability.access_mode = &mode;
	capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	capability.mount = &mounted;
	request.name = (char *)name;
	request.volume_capabilities = &list;
	request.n_volume_capabilities = 1;
	request.parameters = pointers;
	request.n_parameters =
		fixture_add_location(&csi__v1__create_volume_request__parameters_entry__descriptor,
			pointers, ARRAY_SIZE(texts));
	answer = fixture_call(worker->fixture, "Controller/CreateVolume", &request,
		&csi__v1__create_volume_response__descriptor, &err);
	fixture_free(answer);
	return answer;
}

static bool call_delete(struct worker *worker, const char *name)
{
	Csi__V1__DeleteVolumeRequest request = CSI__V1__DELETE_VOLUME_REQUEST__INIT;
	char id[VOLUME_ID_MAX + 1];
	struct error err;
	void *answer;

	fixture_id(worker->fixture, name, id);
	request.volume_id = id;
	answer = fixture_call(worker->fixture, "Controller/DeleteVolume", &request,
		&csi__v1__delete_volume_response__descriptor, &err);
	fixture_free(answer);
	return answer;
}

/* Something for the deletion to remove. */
static void fill_volume(int root, const char *path)
{
	_cleanup_close_ int dir = open_plain(root, path);

	for (unsigned level = 0; dir >= 0 && level < 4; level++) {
		int next;

		mkdirat(dir, "0", 0700);
		mkdirat(dir, "sub", 0700);
		next = open_plain(dir, "sub");
		close(dir);
		dir = next;
	}
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;
	_cleanup_close_ int root = open(worker->fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64], path[64];

	snprintf(path, sizeof(path), "hostile/set/data-%u", worker->number);
	for (unsigned round = 0; round < ROUNDS; round++) {
		name_volume(name, sizeof(name), worker, round);
		worker->created += call_create(worker, name);
		fill_volume(root, path);
		worker->deleted += call_delete(worker, name);
	}
	return NULL;
}

/* An administrator's part, when the hostile pods have ended. */
static void remove_links(int root)
{
	char path[64];

	unlinkat(root, "hostile", 0);
	unlinkat(root, "hostile/set", 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		snprintf(path, sizeof(path), "hostile/set/data-%u", i);
		unlinkat(root, path, 0);
	}
}

static bool is_empty(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool empty = false;
	struct error err;

	if (beneath_is_empty(fd, &empty, &err) < 0)
		fail_msg("%s", err.text);
	return empty;
}

/* A new process tries at once what the one before could not remove. Forever is the alarm's. */
static void restart_until_trash_is_empty(struct fixture *fixture)
{
	fixture_stop(fixture);
	fixture_start(fixture);
	while (!is_empty(fixture_path(fixture, "root/.ordinal/trash")))
		usleep(1000);
}

static void delete_all(struct fixture *fixture, struct worker *worker)
{
	char name[64], id[VOLUME_ID_MAX + 1];

	for (unsigned round = 0; round < ROUNDS; round++) {
		name_volume(name, sizeof(name), worker, round);
		fixture_id(fixture, name, id);
		fixture_delete(fixture, id, ERROR_NONE, NULL);
	}
}

static void check_clean(struct fixture *fixture, bool keeps)
{
	static const char *const escapes[] = {"set", "data-0", "sub", "hostile"};

	restart_until_trash_is_empty(fixture);
	if (!keeps)
		assert_true(is_empty(fixture_path(fixture, "root/.ordinal/volumes")));
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		assert_false(fixture_exists(fixture_path(fixture, "root/.ordinal/%s", escapes[i])));
}

/* All workers, to their ends, and all hands meanwhile. */
static void fight(struct fixture *fixture, struct worker *workers, struct hand *hands)
{
	pthread_t worker_threads[WORKERS], hand_threads[HANDS];
	pid_t child = fork_hand(&hands[0]);

	fixture_start(fixture);
	for (size_t i = 1; i < HANDS; i++)
		assert_int_equal(pthread_create(&hand_threads[i], NULL, run_hand, &hands[i]), 0);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(
			pthread_create(&worker_threads[i], NULL, run_worker, &workers[i]), 0);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(worker_threads[i], NULL);
	for (size_t i = 1; i < HANDS; i++) {
		atomic_store(&hands[i].stop, true);
		pthread_join(hand_threads[i], NULL);
	}
	end_child(child);
}

static void check_fight(struct fixture *fixture, size_t kind, unsigned *swaps)
{
	_cleanup_close_ int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct worker workers[WORKERS] = {0};
	struct hand hands[HANDS] = {0};
	unsigned created = 0, deleted = 0;

	for (unsigned i = 0; i < HANDS; i++)
		hands[i] = (struct hand){.fixture = fixture,
			.root = root,
			.seed = i + 1,
			.number = i,
			.swaps = swaps};
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = (struct worker){fixture, i, on_delete[kind].parameter, 0, 0};
	*swaps = 0;
	fight(fixture, workers, hands);
	remove_links(root);
	for (size_t i = 0; i < WORKERS; i++) {
		created += workers[i].created;
		deleted += workers[i].deleted;
		delete_all(fixture, &workers[i]);
	}
	print_message("%s: %u swaps; of %u calls, %u created and %u deleted\n",
		on_delete[kind].parameter, *swaps, WORKERS * ROUNDS, created, deleted);
	assert_true(*swaps > ROUNDS && created > 0 && deleted > 0);
	check_clean(fixture, on_delete[kind].keeps);
}

static void test_swapped_directories(void **state)
{
	struct fixture *fixture = *state;
	unsigned *swaps = mmap(
		NULL, sizeof(*swaps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_cleanup_free_ char *before = NULL;

	assert_true(swaps != MAP_FAILED);
	make_dir(fixture_path(fixture, "root/evil"));
	plant_canaries(fixture);
	before = list_canaries(fixture);
	for (size_t i = 0; i < ARRAY_SIZE(on_delete); i++) {
		_cleanup_free_ char *after = NULL;

		alarm(HUNG_AFTER);
		check_fight(fixture, i, swaps);
		after = list_canaries(fixture);
		assert_string_equal(before, after);
		fixture_stop(fixture);
	}
	munmap(swaps, sizeof(*swaps));
}

static void bind_socket(const char *path)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void plant_deep(int volume)
{
	int dir = openat(volume, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "deep", 0700), 0);
		next = openat(dir, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	close(dir);
}

static void plant_names(int volume)
{
	char name[256];

	for (int byte = 1; byte < 256; byte++) {
		memset(name, byte, 255);
		name[255] = '\0';
		name[1] = '\n';
		if (byte != '/')
			assert_int_equal(mkdirat(volume, name, 0), 0);
	}
}

static void plant_nodes(const struct fixture *fixture, int volume)
{
	assert_int_equal(mkdirat(volume, "locked", 0), 0);
	assert_int_equal(mkfifoat(volume, "locked/fifo", 0), 0);
	assert_int_equal(mknodat(volume, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mknodat(volume, "zero", S_IFCHR | 0, makedev(1, 5)), 0);
	assert_int_equal(mknodat(volume, "block", S_IFBLK | 0, makedev(7, 99)), 0);
	bind_socket(fixture_path(fixture, "root/planted/locked/socket"));
}

static void plant_links(const struct fixture *fixture, int volume)
{
	const char *const links[][2] = {{fixture_path(fixture, "canary"), "absolute"},
		{fixture_path(fixture, "canary/data-0/sub/file"), "file"},
		{"../../canary", "relative"}, {"..", "up"}, {".", "self"},
		{"../.ordinal", ".ordinal"}};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		assert_int_equal(symlinkat(links[i][0], volume, links[i][1]), 0);
	/* What is outside of an export is on another file system. */
	if (fixture_is(FIXTURE_MOUNTED))
		assert_int_equal(mknodat(volume, "hard", S_IFREG | 0644, 0), 0);
	else
		assert_int_equal(
			linkat(AT_FDCWD, fixture_path(fixture, "canary/set/data-0/sub/file"),
				volume, "hard", 0),
			0);
	assert_int_equal(linkat(volume, "hard", volume, "locked/harder", 0), 0);
}

/* Returns a file in the volume that is open, as is its directory. */
static int plant_open_and_immutable(int volume)
{
	int flags = FS_IMMUTABLE_FL, fd;

	assert_int_equal(mkdirat(volume, "open", 0755), 0);
	fd = openat(volume, "open/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		print_error("NOT TESTED: immutable files, which this file system has not\n");
	return fd;
}

static void check_planted(struct fixture *fixture, const char *parameter)
{
	struct create create = {.name = "pvc-p", .parameters = {"pathPattern=planted", parameter}};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	_cleanup_free_ char *before = list_canaries(fixture), *after = NULL;
	_cleanup_close_ int root = open(fixture->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int volume = open_plain(root, "planted"), opened = -1;

	plant_names(volume);
	plant_nodes(fixture, volume);
	plant_links(fixture, volume);
	plant_deep(volume);
	opened = plant_open_and_immutable(volume);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	/* As long as a file is open, NFS keeps it by another name, and its directories. */
	if (fixture_is(FIXTURE_MOUNTED))
		close(take_fd(&opened));
	restart_until_trash_is_empty(fixture);
	after = list_canaries(fixture);
	assert_string_equal(before, after);
}

static void test_planted(void **state)
{
	struct fixture *fixture = *state;

	alarm(HUNG_AFTER);
	plant_canaries(fixture);
	for (size_t i = 0; i < ARRAY_SIZE(on_delete); i++)
		if (!on_delete[i].keeps)
			check_planted(fixture, on_delete[i].parameter);
}

static void test_mount_inside(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {.name = "pvc-m", .parameters = {"pathPattern=mounted"}};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	struct volume_hash hash;
	char trash[256], *before, *after;

	alarm(HUNG_AFTER);
	volume_id_hash(create.name, &hash);
	snprintf(trash, sizeof(trash), "%s/.ordinal/trash/%s/a/mount", fixture->root, hash.text);
	make_dir(fixture_path(fixture, "root/mounted/a"));
	make_dir(fixture_path(fixture, "root/mounted/a/mount"));
	assert_int_equal(mount("tmpfs", fixture_path(fixture, "root/mounted/a/mount"), "tmpfs", 0,
				 "size=1m"),
		0);
	plant_canary(fixture, "root/mounted/a/mount/canary");
	before = tree_listing(fixture_path(fixture, "root/mounted/a/mount"));
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	trash_wait(&fixture->driver.volumes.trash);
	after = tree_listing(trash);
	assert_string_equal(before, after);
	assert_int_equal(umount(trash), 0);
	restart_until_trash_is_empty(fixture);
	free(before);
	free(after);
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_swapped_directories, fixture_scratch),
		TEST(test_planted, fixture_driver),
		TEST(test_mount_inside, fixture_driver),
	};

	/* Thousands of calls fail here, as they should. */
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
