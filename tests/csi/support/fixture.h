/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver's tests share: a scratch file system in a mount namespace of their own, a driver
 * that serves on a socket there, and calls to it. Checks fail the running cmocka test.
 */
#ifndef ORDINAL_TEST_FIXTURE_H
#define ORDINAL_TEST_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "csi.pb-c.h"
#include "driver.h"
#include "rpc_client.h"

/* The back end of all tests of a program, as the environment says: host paths; with
 * ORDINAL_BACKEND=nfs an --export, whose directory is the root, and which needs no server; with
 * ORDINAL_EXPORT=server:/share besides, that export, which the driver mounts, and the tests too.
 * Its file system has 64 MiB then, and is cleared before each test. With ORDINAL_DISK=DIR besides
 * the first two, the root lies in that directory, which is cleared, too. */
enum {
	FIXTURE_HOSTPATH = 1,
	FIXTURE_GIVEN = 2,
	FIXTURE_MOUNTED = 4,
	FIXTURE_NFS = FIXTURE_GIVEN | FIXTURE_MOUNTED,
};

/* The one of them; whether it is of BACKENDS, which for 0 are all. */
unsigned fixture_backend(void);
bool fixture_is(unsigned backends);
bool fixture_is_nfs(void);

/* One of how many rounds of the same there is time for: in a guest, which is slow, not for all. And
 * how many of COUNT rounds that are. */
#define FIXTURE_GUEST_STRIDE 17
unsigned fixture_stride(void);
unsigned fixture_fewer(unsigned count);

/* For the table of a program: a test of some back ends only. What others do instead, or why there
 * is nothing of the kind, is told where they run. */
struct fixture_only {
	unsigned backends;
	const char *why;
};

#define FIXTURE_ONLY(test, setup, backends, why)                                                   \
	cmocka_unit_test_prestate_setup_teardown(                                                  \
		test, setup, fixture_done, (&(struct fixture_only){backends, why}))

/* Run the tests of a table, as cmocka_run_group_tests() does. */
int fixture_run(const struct CMUnitTest *tests, size_t count);

struct fixture {
	char dir[64];  /* a tmpfs of 64 MiB */
	char root[96]; /* <dir>/root, the --hostpath-root */
	char socket[96];
	struct flag_strings roots, exports;
	struct exports mounts;
	char mount_dir[96]; /* <dir>/mounts, or the same for all tests */
	char export[400];   /* <server>:<share>=<dir>/root */
	struct backend backend;
	struct driver driver;
	struct rpc_service services[4];
	struct rpc_server *server;
	struct rpc_client *client;
};

/* For cmocka: *STATE is a struct fixture, with a scratch file system only, or with a driver. */
int fixture_scratch(void **state);
int fixture_driver(void **state);
int fixture_done(void **state);

/* Start or end the driver of FIXTURE, as a new process would. */
void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

const char *fixture_driver_name(void);

/* What messages call the root. Caller frees. */
char *fixture_base_name(const struct fixture *fixture);

/* Let ID mean a volume of the root; the id of the one that is called NAME. */
void fixture_base(const struct backend *backend, struct volume_id *id);
void fixture_id(const struct fixture *fixture, const char *name, char ret[VOLUME_ID_MAX + 1]);

/* Let PARAMETERS, which name no base, mean the root; or the COUNT parameters of a request, an array
 * of pointers to messages of TYPE, with room for two more: the new count. The latter until the next
 * call of the thread. */
void fixture_locate(struct parameters *parameters);
size_t fixture_add_location(const ProtobufCMessageDescriptor *type, void *entries, size_t count);

/* Let a new process know of the base: of an export that it mounts it is told by its callers. */
void fixture_visit(struct volumes *volumes);

/* "<dir>/<path>", in one of a few static buffers. */
const char *fixture_path(const struct fixture *fixture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Call METHOD ("Controller/CreateVolume"); returns the answer, or NULL with *ERR set. */
void *fixture_call(struct fixture *fixture, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response, struct error *err);

/* Fail the test unless ERR, of the call WHAT, is KIND, with a text that holds TEXT. */
void fixture_check(
	const char *what, const struct error *err, enum error_kind kind, const char *text);

/* Call METHOD, and fail the test unless it gives that. */
void *fixture_expect(struct fixture *fixture, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response, enum error_kind kind, const char *text);

void fixture_free(void *message);

/* Parameters of CreateVolume as "key=value" texts, ending with NULL. */
struct create {
	const char *name;
	int64_t required, limit;
	const char *parameters[16];
	bool no_capability, block, shared;
	const char *source;  /* id of the volume to copy, or of the snapshot, or NULL */
	const char *options; /* mountOptions of the class, or NULL */
};

/* Call CreateVolume and expect KIND and TEXT; the answer's volume id, or NULL. Caller frees. */
char *fixture_create(struct fixture *fixture, const struct create *create, enum error_kind kind,
	const char *text);

void fixture_delete(
	struct fixture *fixture, const char *id, enum error_kind kind, const char *text);

/* Publish the volume at TARGET for writing, and unpublish it, which must succeed. */
void fixture_publish(struct fixture *fixture, const char *id, const char *target);
void fixture_unpublish(struct fixture *fixture, const char *id, const char *target);
struct error fixture_try_unpublish(struct fixture *fixture, const char *id, const char *target);

/* Write the file PATH, as a pod would. */
void fixture_write_file(const char *path, const char *text);

/* That the file's first line is TEXT. */
void fixture_check_file(const char *path, const char *text);
bool fixture_exists(const char *path);

#endif
