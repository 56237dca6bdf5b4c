/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Controller's rpcs about snapshots, which controller_methods lists. Their context is a struct
 * driver.
 */
#ifndef ORDINAL_SNAPSHOT_SERVER_H
#define ORDINAL_SNAPSHOT_SERVER_H

#include "rpc_server.h"

int snapshot_server_create(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err);
int snapshot_server_delete(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err);
int snapshot_server_list(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err);

/* What a log line about a request calls it by. */
const char *snapshot_server_create_subject(const ProtobufCMessage *message);
const char *snapshot_server_delete_subject(const ProtobufCMessage *message);

#endif
