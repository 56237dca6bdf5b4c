/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NFS exports on this machine: mounted by the driver in a directory of its own, one mount per
 * export and options, or given by --export. And how many threads and processes are inside each of
 * them, so that a server that hangs keeps only a few. Any thread may call.
 */
#ifndef ORDINAL_EXPORTS_H
#define ORDINAL_EXPORTS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "cleanup.h"
#include "location.h"

/* Threads and processes inside the file system calls of one export. */
#define EXPORT_INSIDE_MAX 4

struct export;
struct export_slot;

/* Leave to be inside, on the stack of the thread that is; zeroed before: none. */
struct export_pass {
	struct export *export;
	struct export_slot *slot;
};

struct exports {
	const char *dir;        /* where export mounts lie; NULL: nothing is mounted */
	int fresh_ms;           /* how long an answer of a server is taken for granted */
	pthread_mutex_t mutex;  /* guards the list and all in it */
	pthread_cond_t changed; /* somebody left an export, or is done with mounting it */
	SLIST_HEAD(export_list, export) list;
};

/* DIR is borrowed. */
void exports_init(struct exports *exports, const char *dir);

/* Users that are left, and helpers that could not be killed, are forgotten. */
void exports_done(struct exports *exports);

/* Use the export at LOCATION, which lies at PATH where that is not NULL and is mounted otherwise:
 * its mount stays until export_drop(). Where LOCATION has no word on options, any mount of it will
 * do. Does not wait for the server. */
struct export *exports_use(
	struct exports *exports, const struct location *location, const char *path);

/* The last user of a mount that nothing is bound from any more unmounts it. */
void export_drop(struct export *export);
DEFINE_CLEANUP(struct export *, export_drop);

/* Be inside: the export is mounted, and its server has answered lately. ERROR_UNAVAILABLE when it
 * does not, or at once when EXPORT_INSIDE_MAX others wait for it; ERROR_TIMEOUT when this thread's
 * caller (caller.h) goes first; other kinds, when mounting fails, say what is wrong. All name
 * server and share. Caller calls export_leave(), for _cleanup_(). */
int export_enter(struct export *export, struct export_pass *pass, struct error *err);
void export_leave(struct export_pass *pass);

/* Whether nobody but the one with PASS is inside. */
bool export_is_alone(const struct export_pass *pass);

/* What lies there is not what it was (ESTALE): look again before anybody enters. */
void export_suspect(struct export *export);

/* Open the export's root, while inside. Caller closes *RET_FD, opened O_RDONLY. */
int export_open(struct export *export, int *ret_fd, struct error *err);

/* Unmount what is mounted on PATH, as the kernel spells it, if nothing of its file system is left
 * then: that waits for the server, and is done by another process. Other mounts are not touched.
 * ERROR_UNAVAILABLE when the server does not answer. */
int exports_unmount(struct exports *exports, const char *path, struct error *err);

/* Unmount the mounts below the directory that nobody uses and nothing is bound from. */
void exports_sweep(struct exports *exports);

#endif
