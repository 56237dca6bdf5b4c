/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "host.h"
#include "volumes.h"

#define WORD   "--peer"
#define HELD   "/run/peer.held"
#define HOLDER "/run/peer.pid"

#define VERSION(name, minor)                                                                       \
	{                                                                                          \
		"nfsvers=" name, "/run/nfs-" name "/base-" name, minor                             \
	}
const struct version peer_versions[PEER_VERSIONS] = {
	VERSION("3", -1),
	VERSION("4.0", 0),
	VERSION("4.1", 1),
	VERSION("4.2", 2),
};

#define FOR_ALL(commands) "for v in 3 4.0 4.1 4.2; do " commands "; done"
#define MOUNT                                                                                      \
	FOR_ALL("mkdir -p /run/nfs-$v && mount -t nfs -o nfsvers=$v guest-1:/srv /run/nfs-$v && "  \
		"mkdir -p /run/nfs-$v/base-$v || exit")
#define UNMOUNT FOR_ALL("umount /run/nfs-$v || exit")

void peer_mount_here(void)
{
	assert_int_equal(system(MOUNT), 0);
}

void peer_mount_there(void)
{
	host_do("guest 2 " MOUNT);
}

void peer_unmount_here(void)
{
	assert_int_equal(system(UNMOUNT), 0);
}

void peer_unmount_there(void)
{
	host_do("guest 2 " UNMOUNT);
}

struct volume_hash peer_hash(int number)
{
	struct volume_hash hash;
	char name[32];

	snprintf(name, sizeof(name), "pvc-%d", number);
	volume_id_hash(name, &hash);
	return hash;
}

struct record peer_record(int number, char path[PEER_PATH_SIZE])
{
	for (int at = 0; at + 6 < PEER_PATH_SIZE; at += 6)
		snprintf(path + at, 7, "%06u", (unsigned)number % 1000000);
	return (struct record){
		.state = RECORD_READY,
		.capacity = number,
		.mode = -1,
		.uid = -1,
		.gid = -1,
		.name = (char *)"pvc",
		.place = path,
		.path = path,
	};
}

bool peer_is_whole(const struct record *record)
{
	char path[PEER_PATH_SIZE];

	(void)peer_record((int)record->capacity, path);
	return !strcmp(record->path, path) && !strcmp(record->place, path);
}

/* The rest, up to be_a_peer(), runs in guest 2. */

static int lock(const char *path, struct catalog **ret, struct error *err)
{
	_cleanup_close_ int base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (base < 0)
		return error_set_errno(err, errno, "open %s", path);
	return catalog_open(base, true, NULL, ret, err) < 0 ? -1 : catalog_lock(*ret, err);
}

static int do_lock(char **arguments, struct error *err)
{
	_cleanup_(catalog_freep) struct catalog *catalog = NULL;

	return lock(arguments[0], &catalog, err);
}

static int do_fill(char **arguments, struct error *err)
{
	_cleanup_(catalog_freep) struct catalog *catalog = NULL;
	int from = atoi(arguments[1]), count = atoi(arguments[2]);
	char path[PEER_PATH_SIZE];

	if (lock(arguments[0], &catalog, err) < 0)
		return -1;
	for (int i = from; i < from + count; i++) {
		struct record record = peer_record(i, path);
		struct volume_hash hash = peer_hash(i);

		if (catalog_write(catalog, &hash, &record, err) < 0)
			return -1;
	}
	return 0;
}

static int do_replace(char **arguments, struct error *err)
{
	_cleanup_(catalog_freep) struct catalog *catalog = NULL;
	struct volume_hash hash = peer_hash(0);
	char path[PEER_PATH_SIZE];

	if (lock(arguments[0], &catalog, err) < 0)
		return -1;
	for (int i = 1; i <= atoi(arguments[1]); i++) {
		struct record record = peer_record(i, path);

		if (catalog_write(catalog, &hash, &record, err) < 0)
			return -1;
	}
	return 0;
}

static int do_hold(char **arguments, struct error *err)
{
	FILE *held;

	for (; *arguments; arguments++) {
		struct catalog *catalog; /* the process' as long as it lives */

		if (lock(*arguments, &catalog, err) < 0)
			return -1;
	}
	held = fopen(HELD, "w");
	if (!held)
		return error_set_errno(err, errno, "make " HELD);
	fclose(held);
	for (;;)
		pause();
}

static int do_create(char **arguments, struct error *err)
{
	static struct exports mounts;
	static const struct flag_strings none;
	const struct backend backend = {&backend_nfs, &none, &none, &mounts};
	const struct parameters parameters = {
		.server = "guest-1",
		.share = "/srv",
		.mount_options = arguments[0],
		.path_pattern = arguments[2],
		.mode = 0777,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.namespace = "shop",
		.claim = arguments[1],
		.pv = arguments[1],
	};
	const struct volume_request request = {
		.name = arguments[1], .size = {4096, 0}, .parameters = &parameters};
	struct volumes volumes;
	struct volume volume;
	int result;

	exports_init(&mounts, "/run/peer-mounts");
	volumes_start(&volumes, &backend, 0);
	result = volumes_create(&volumes, &request, &volume, err);
	if (result == 0) {
		puts(volume.record->path);
		volume_done(&volume);
	}
	volumes_stop(&volumes);
	exports_done(&mounts);
	return result;
}

static const struct {
	const char *verb;
	int (*run)(char **arguments, struct error *err);
} verbs[] = {
	{"lock", do_lock},
	{"fill", do_fill},
	{"replace", do_replace},
	{"hold", do_hold},
	{"create", do_create},
};

static __attribute__((constructor)) void be_a_peer(int argc, char **argv)
{
	struct error err = {0};

	if (argc < 4 || strcmp(argv[1], WORD))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[2], verbs[i].verb)) {
			int result = verbs[i].run(argv + 3, &err);

			if (result < 0)
				printf("%s: %s\n", error_kind_name(err.kind), err.text);
			fflush(stdout);
			_exit(result < 0);
		}
	_exit(2);
}

static const char *program(void)
{
	static char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(length > 0);
	path[length] = '\0';
	return path;
}

static int try_it(char *ret, size_t size, const char *format, va_list args)
{
	char words[512];

	vsnprintf(words, sizeof(words), format, args);
	return host_ask(ret, size, "guest 2 %s " WORD " %s", program(), words);
}

int peer_try(char *ret, size_t size, const char *format, ...)
{
	va_list args;
	int code;

	va_start(args, format);
	code = try_it(ret, size, format, args);
	va_end(args);
	return code;
}

void peer_do(const char *format, ...)
{
	char said[1024];
	va_list args;
	int code;

	va_start(args, format);
	code = try_it(said, sizeof(said), format, args);
	va_end(args);
	if (code)
		fail_msg("in guest 2: %s", said);
}

void peer_hold(const char *bases)
{
	host_do("guest 2 rm -f " HELD "; %s " WORD
		" hold %s >/run/peer.said 2>&1 & pid=$!; echo $pid >" HOLDER "; until [ -e " HELD
		" ]; do kill -0 $pid || { cat /run/peer.said; exit 1; }; sleep 0.02; done",
		program(), bases);
}

void peer_end(void)
{
	host_do("guest 2 read -r pid <" HOLDER
		"; kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done");
}
