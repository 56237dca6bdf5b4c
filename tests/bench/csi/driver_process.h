/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's own program, as a child process, with a client that is connected to it.
 */
#ifndef ORDINAL_BENCH_DRIVER_PROCESS_H
#define ORDINAL_BENCH_DRIVER_PROCESS_H

#include <limits.h>

#include "process.h"
#include "rpc_client.h"
#include "scratch.h"

struct driver_process {
	struct process process;
	const struct scratch *scratch;
	char root[PATH_MAX]; /* --hostpath-root; empty with NFS */
	char socket[96];
	double start_seconds; /* from exec until Probe answered */
	struct rpc_client *client;
};

/* Start PROGRAM with the scratch directory ROOT as its base. Returns when it is ready. */
void driver_process_start(struct driver_process *driver, const char *program,
	const struct scratch *scratch, const char *root);

/* Start PROGRAM for volumes on NFS, whose exports it mounts itself. */
void driver_process_start_nfs(
	struct driver_process *driver, const char *program, const struct scratch *scratch);

/* End it with SIGTERM, and wait for that. */
void driver_process_stop(struct driver_process *driver);

/* Wait until the driver has removed the data of all deleted volumes. */
void driver_process_wait_trash(const struct driver_process *driver);

/* Print the end of the driver's log to standard error. */
void driver_process_show_log(const struct scratch *scratch);

#endif
