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

/* The back end of all tests of a program: NFS when the environment says ORDINAL_BACKEND=nfs. There
 * the root is an --export, which needs no server. */
#define FIXTURE_SERVER "nfs.example"
#define FIXTURE_SHARE  "/export"
bool fixture_is_nfs(void);

struct fixture {
	char dir[64];  /* a tmpfs of 64 MiB */
	char root[96]; /* <dir>/root, the --hostpath-root */
	char socket[96];
	struct flag_strings roots, exports;
	struct exports mounts;
	char mount_dir[96]; /* <dir>/mounts */
	char export[160];   /* FIXTURE_SERVER:FIXTURE_SHARE=<dir>/root */
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

/* Let ID mean a volume of the root. */
void fixture_base(const struct fixture *fixture, struct volume_id *id);

/* "<dir>/<path>", in one of a few static buffers. */
const char *fixture_path(const struct fixture *fixture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Call METHOD ("Controller/CreateVolume"); returns the answer, or NULL with *ERR set. */
void *fixture_call(struct fixture *fixture, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response, struct error *err);

/* The same, and fail the test unless it gives KIND, and a text that holds TEXT. */
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

/* Write the file PATH, as a pod would. */
void fixture_write_file(const char *path, const char *text);
bool fixture_exists(const char *path);

#endif
