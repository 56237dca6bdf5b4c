/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CSI calls that are measured, with the parameters that the provisioner sends. Volumes are
 * numbered; the benchmark ends when a call fails. Any thread may call.
 */
#ifndef ORDINAL_BENCH_CSI_CALLS_H
#define ORDINAL_BENCH_CSI_CALLS_H

#include "rpc_client.h"

/* CSI's limit, and a NUL. */
#define CSI_CALLS_ID_SIZE 129

/* Volumes of one StatefulSet: number 25 is replica 5 of the set web-2. */
#define CSI_CALLS_REPLICAS 10

/* The export that volumes are made in from now on; both NULL: what the driver makes of no word. */
void csi_calls_export(const char *server, const char *share);

void csi_calls_probe(struct rpc_client *client);
void csi_calls_create(
	struct rpc_client *client, unsigned long number, char ret_id[CSI_CALLS_ID_SIZE]);
void csi_calls_delete(struct rpc_client *client, const char *id);
void csi_calls_publish(struct rpc_client *client, const char *id, const char *target);

/* The same; -1 with *ERR set where it fails. */
int csi_calls_try_publish(
	struct rpc_client *client, const char *id, const char *target, struct error *err);
void csi_calls_unpublish(struct rpc_client *client, const char *id, const char *target);

/* Where the volume lies, relative to the base. */
void csi_calls_place(unsigned long number, char *path, size_t size);

#endif
