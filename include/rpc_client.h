/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unary gRPC client over a unix socket, for messages of protobuf-c: what the provisioner calls a
 * CSI driver with, and what the tests call ours with.
 */
#ifndef ORDINAL_RPC_CLIENT_H
#define ORDINAL_RPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "cleanup.h"
#include "error.h"

/* The largest response that is taken, in bytes; a larger one is an error of the call. */
#define RPC_CLIENT_MAX_MESSAGE (16 * 1024 * 1024)

struct rpc_client;

/* Whether ENDPOINT can be one; ERROR_INVALID says why not. */
int rpc_client_check_endpoint(const char *endpoint, struct error *err);

/* Connect to ENDPOINT: "unix:///path", "unix:path" or "/path". Connecting is lazy, so this fails
 * only for an endpoint that cannot be one (ERROR_INVALID). Caller frees. */
int rpc_client_new(const char *endpoint, struct rpc_client **ret_client, struct error *err);

/* No call may be under way. */
void rpc_client_free(struct rpc_client *client);
DEFINE_CLEANUP(struct rpc_client *, rpc_client_free);

struct rpc_call {
	const char *method;                         /* "/csi.v1.Controller/CreateVolume" */
	const ProtobufCMessage *request;            /* borrowed */
	const ProtobufCMessageDescriptor *response; /* what to decode the answer as */
	int timeout_ms;                             /* deadline, sent to the server too */
	bool wait_for_ready;                        /* wait, up to the deadline, for the server */
};

/* Call, and wait for the answer. On success *RET_RESPONSE is the caller's, to be freed with
 * protobuf_c_message_free_unpacked(). On failure *ERR has the kind of the server's status and its
 * message; an answer that is too large, does not decode, or holds a string that is not UTF-8 or has
 * a NUL, is ERROR_ABORTED: what it says is not known. Any number of threads may call on one client.
 */
int rpc_client_call(struct rpc_client *client, const struct rpc_call *call,
	ProtobufCMessage **ret_response, struct error *err);

#endif
