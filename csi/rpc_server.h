/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unary gRPC server on a unix socket, for messages of protobuf-c. One thread waits for events
 * and never runs a handler; a bounded pool of workers does. Every call is answered exactly once.
 */
#ifndef ORDINAL_RPC_SERVER_H
#define ORDINAL_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "cleanup.h"
#include "error.h"

struct rpc_server;
struct rpc_reply;

/* One method. The handler runs on a worker, so several at a time. REQUEST is borrowed for the
 * call, and its strings are valid UTF-8 without NUL. On success the handler has called
 * rpc_reply_set() and returns 0; on failure it returns -1, and the caller gets *ERR. */
struct rpc_method {
	const char *path; /* "/csi.v1.Identity/Probe" */
	const ProtobufCMessageDescriptor *request;
	int (*handle)(void *context, const ProtobufCMessage *request, struct rpc_reply *reply,
		struct error *err);
	/* For methods that change something: which object the log line names. Static or within
	 * REQUEST. NULL for methods that only tell; those are logged when debugging. */
	const char *(*subject)(const ProtobufCMessage *request);
};

/* Methods that share a context, which outlives the server. */
struct rpc_service {
	const struct rpc_method *methods; /* ends with an entry without a path */
	void *context;
};

struct rpc_server_options {
	const char *socket_path;            /* absolute */
	mode_t socket_mode;                 /* permissions of the socket */
	gid_t socket_gid;                   /* its group, or (gid_t)-1 */
	const struct rpc_service *services; /* ends with an entry without methods; borrowed */
	int workers;                        /* handlers that run at a time */

	/* Called after a call was cancelled or its deadline passed, so that handlers that wait look
	 * at rpc_reply_cancelled(). On the thread that all calls come through: it must be quick.
	 * May be NULL. */
	void (*cancelled)(void *context);
	void *cancelled_context;
};

/* The largest request that is taken, in bytes; a larger one is RESOURCE_EXHAUSTED. */
#define RPC_SERVER_MAX_MESSAGE (1024 * 1024)

/* Calls at a time on one connection, and calls that wait for a worker: more wait in the client,
 * or get UNAVAILABLE. */
#define RPC_SERVER_MAX_STREAMS 256
#define RPC_SERVER_MAX_QUEUE   1024

/* Serve OPTIONS. A socket file that nobody answers is replaced; when another process answers,
 * ERROR_FAILED_PRECONDITION. Changes the umask for a moment: other threads that create files at
 * that time must set modes themselves. */
int rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret_server,
	struct error *err);

/* Take no more calls, let those in flight finish for GRACE_MS, cancel what is left, wait for their
 * handlers, remove the socket and free SERVER. */
void rpc_server_stop(struct rpc_server *server, int grace_ms);

/* Answer with MESSAGE, which is packed at once: the caller keeps it. At most once a call. */
void rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message);

/* Becomes true when the caller gives up, its deadline passes or the server stops: what the handler
 * answers goes nowhere then. Valid until the handler returns. */
const atomic_bool *rpc_reply_cancelled(const struct rpc_reply *reply);

#endif
