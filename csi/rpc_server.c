/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_server.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "caller.h"
#include "log.h"
#include "unix_socket.h"
#include "wire_strings.h"

struct call;

/* What a completion means: the queue hands back the tag that its operation was started with. */
struct tag {
	void (*done)(struct call *call, bool success);
	struct call *call;
};

/* One call, from the moment it is asked for until its last operation completes, which frees it. */
struct call {
	struct rpc_server *server;
	grpc_call *handle;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_byte_buffer *request;
	grpc_byte_buffer *answer;
	const struct rpc_method *method;
	void *context;
	int cancelled;    /* written by gRPC before the closed tag */
	atomic_bool gone; /* the client gave up, or its deadline passed */
	int pending;      /* operations under way, and the wait for a worker; server's mutex */
	struct tag arrived, received, closed, answered;
	TAILQ_ENTRY(call) link;
};

struct rpc_reply {
	const struct call *call;
	grpc_byte_buffer *buffer;
};

struct rpc_server {
	grpc_server *server;
	grpc_completion_queue *queue;
	const struct rpc_service *services;
	void (*cancelled)(void *context);
	void *cancelled_context;
	pthread_t poller;
	pthread_t *workers;
	int worker_count;

	pthread_mutex_t mutex; /* guards everything below */
	pthread_cond_t work;   /* waiting grew, or stopping */
	pthread_cond_t idle;   /* live fell, or stopped */
	TAILQ_HEAD(call_list, call) waiting;
	int waiting_count;
	int live;     /* calls that arrived and are not freed */
	bool stopped; /* gRPC's own shutdown is complete */
	bool stopping;
};

static struct tag shutdown_tag;

static void free_call(struct call *call)
{
	if (call->handle)
		grpc_call_unref(call->handle);
	if (call->request)
		grpc_byte_buffer_destroy(call->request);
	if (call->answer)
		grpc_byte_buffer_destroy(call->answer);
	grpc_call_details_destroy(&call->details);
	grpc_metadata_array_destroy(&call->metadata);
	free(call);
}

static void operation_done(struct call *call)
{
	struct rpc_server *server = call->server;
	bool last;

	pthread_mutex_lock(&server->mutex);
	last = --call->pending == 0;
	pthread_mutex_unlock(&server->mutex);
	if (!last)
		return;
	free_call(call);
	pthread_mutex_lock(&server->mutex);
	server->live--;
	pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->mutex);
}

static void start_batch(struct call *call, const grpc_op *ops, size_t count, struct tag *tag)
{
	pthread_mutex_lock(&call->server->mutex);
	call->pending++;
	pthread_mutex_unlock(&call->server->mutex);
	/* Fails only for operations that contradict each other, which is a bug of this file. */
	if (grpc_call_start_batch(call->handle, ops, count, tag, NULL) != GRPC_CALL_OK)
		abort();
}

/* Send the one answer of CALL: its message, or the status that *ERR stands for. */
static void answer_call(struct call *call, int status, const char *text)
{
	grpc_slice details = grpc_slice_from_copied_string(text);
	grpc_op ops[] = {
		{.op = GRPC_OP_SEND_INITIAL_METADATA},
		{.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
			.data.send_status_from_server = {.status = (grpc_status_code)status,
				.status_details = &details}},
		{.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->answer},
	};

	start_batch(call, ops, call->answer ? 3 : 2, &call->answered);
	grpc_slice_unref(details);
}

/* The status for *ERR. The errno of a system call speaks about files, not about the objects of
 * the caller's request: it must not pass for NOT_FOUND, ALREADY_EXISTS or INVALID_ARGUMENT. */
static int status_of(const struct error *err)
{
	bool of_object = err->kind == ERROR_NOT_FOUND || err->kind == ERROR_ALREADY_EXISTS ||
			 err->kind == ERROR_INVALID;

	return error_kind_to_grpc(err->errnum && of_object ? ERROR_INTERNAL : err->kind);
}

void rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	reply->buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
}

const atomic_bool *rpc_reply_cancelled(const struct rpc_reply *reply)
{
	return &reply->call->gone;
}

static void free_message(ProtobufCMessage **message)
{
	if (*message)
		protobuf_c_message_free_unpacked(*message, NULL);
}

static void free_slice(grpc_slice *slice)
{
	grpc_slice_unref(*slice);
}

static int decode(const struct call *call, ProtobufCMessage **ret_request, struct error *err)
{
	_cleanup_(free_slice) grpc_slice slice = grpc_empty_slice();
	_cleanup_(free_message) ProtobufCMessage *request = NULL;
	grpc_byte_buffer_reader reader;

	if (!grpc_byte_buffer_reader_init(&reader, call->request))
		return error_set(err, ERROR_INTERNAL, "the request does not decompress");
	slice = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	request = protobuf_c_message_unpack(
		call->method->request, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
	if (!request)
		return error_set(
			err, ERROR_INVALID, "the request is not a %s", call->method->request->name);
	if (wire_strings_check(call->method->request, GRPC_SLICE_START_PTR(slice),
		    GRPC_SLICE_LENGTH(slice), err) < 0)
		return -1;
	*ret_request = take_ptr(request);
	return 0;
}

static void log_result(
	const struct rpc_method *method, const ProtobufCMessage *request, const struct error *err)
{
	const char *name = strrchr(method->path, '/') + 1;
	const char *subject = method->subject ? method->subject(request) : NULL;

	if (!subject && err)
		log_debug("%s: %s: %s", name, error_kind_name(err->kind), err->text);
	else if (!subject)
		log_debug("%s: done", name);
	else if (err)
		log_warn("%s %s: %s: %s", name, subject, error_kind_name(err->kind), err->text);
	else
		log_info("%s %s: done", name, subject);
}

/* Until when the caller waits, in milliseconds of the monotonic clock. */
static int64_t deadline_of(const struct call *call)
{
	gpr_timespec deadline = gpr_convert_clock_type(call->details.deadline, GPR_CLOCK_MONOTONIC);

	if (deadline.tv_sec > INT64_MAX / 2000)
		return INT64_MAX;
	return deadline.tv_sec * 1000LL + deadline.tv_nsec / 1000000;
}

static int handle_call(struct call *call, struct rpc_reply *reply, struct error *err)
{
	_cleanup_(free_message) ProtobufCMessage *request = NULL;
	int result;

	if (atomic_load(&call->gone))
		return error_set(err, ERROR_CANCELLED, "the caller gave up before the call began");
	if (decode(call, &request, err) < 0) {
		log_warn("%s: %s", call->method->path, err->text);
		return -1;
	}
	caller_begin(&call->gone, deadline_of(call));
	result = call->method->handle(call->context, request, reply, err);
	caller_end();
	log_result(call->method, request, result < 0 ? err : NULL);
	return result;
}

static void run_call(struct call *call)
{
	struct rpc_reply reply = {.call = call};
	struct error err = {0};

	if (handle_call(call, &reply, &err) < 0) {
		if (reply.buffer)
			grpc_byte_buffer_destroy(reply.buffer);
		answer_call(call, status_of(&err), err.text);
		return;
	}
	call->answer = reply.buffer;
	answer_call(call, GRPC_STATUS_OK, "");
}

/* The next call for a worker, or NULL when the server stops. */
static struct call *next_call(struct rpc_server *server)
{
	struct call *call;

	pthread_mutex_lock(&server->mutex);
	while (TAILQ_EMPTY(&server->waiting) && !server->stopping)
		pthread_cond_wait(&server->work, &server->mutex);
	call = TAILQ_FIRST(&server->waiting);
	if (call) {
		TAILQ_REMOVE(&server->waiting, call, link);
		server->waiting_count--;
	}
	pthread_mutex_unlock(&server->mutex);
	return call;
}

static void *work(void *argument)
{
	struct rpc_server *server = argument;
	struct call *call;

	while ((call = next_call(server))) {
		run_call(call);
		operation_done(call);
	}
	return NULL;
}

/* Let CALL wait for a worker; false when too many do. */
static bool enqueue(struct call *call)
{
	struct rpc_server *server = call->server;
	bool room;

	pthread_mutex_lock(&server->mutex);
	room = server->waiting_count < RPC_SERVER_MAX_QUEUE;
	if (room) {
		TAILQ_INSERT_TAIL(&server->waiting, call, link);
		server->waiting_count++;
		call->pending++;
		pthread_cond_signal(&server->work);
	}
	pthread_mutex_unlock(&server->mutex);
	return room;
}

static void on_received(struct call *call, bool success)
{
	/* Without a message the client went away, or sent too much, and gRPC has told it so. */
	if (!success || !call->request)
		answer_call(call, GRPC_STATUS_INTERNAL, "the call came without a message");
	else if (!enqueue(call))
		answer_call(call, GRPC_STATUS_UNAVAILABLE, "too many calls wait: try again");
	operation_done(call);
}

static void on_closed(struct call *call, bool success)
{
	if (!success || call->cancelled) {
		atomic_store(&call->gone, true);
		if (call->server->cancelled)
			call->server->cancelled(call->server->cancelled_context);
	}
	operation_done(call);
}

/* success is false when the client went away meanwhile, which is no error of ours. */
static void on_answered(struct call *call, bool success)
{
	(void)success;
	operation_done(call);
}

static void find_method(struct call *call)
{
	for (const struct rpc_service *service = call->server->services; service->methods;
		service++)
		for (const struct rpc_method *method = service->methods; method->path; method++)
			if (!grpc_slice_str_cmp(call->details.method, method->path)) {
				call->method = method;
				call->context = service->context;
				return;
			}
}

static void request_call(struct rpc_server *server);

static void on_arrived(struct call *call, bool success)
{
	grpc_op receive_close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
		.data.recv_close_on_server.cancelled = &call->cancelled};
	grpc_op receive_message = {
		.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->request};

	if (!success) { /* the server stops */
		free_call(call);
		return;
	}
	pthread_mutex_lock(&call->server->mutex);
	call->server->live++;
	pthread_mutex_unlock(&call->server->mutex);
	request_call(call->server);
	/* Separate batches: together they would complete only when the call is over. */
	start_batch(call, &receive_close, 1, &call->closed);
	find_method(call);
	if (call->method)
		start_batch(call, &receive_message, 1, &call->received);
	else
		answer_call(call, GRPC_STATUS_UNIMPLEMENTED, "this driver has no such method");
}

static void request_call(struct rpc_server *server)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		abort();
	call->server = server;
	call->arrived = (struct tag){on_arrived, call};
	call->received = (struct tag){on_received, call};
	call->closed = (struct tag){on_closed, call};
	call->answered = (struct tag){on_answered, call};
	grpc_call_details_init(&call->details);
	grpc_metadata_array_init(&call->metadata);
	if (grpc_server_request_call(server->server, &call->handle, &call->details, &call->metadata,
		    server->queue, server->queue, &call->arrived) != GRPC_CALL_OK)
		free_call(call); /* the server stops */
}

static void *poll_queue(void *argument)
{
	struct rpc_server *server = argument;

	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
		struct tag *tag = event.tag;

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (tag != &shutdown_tag) {
			tag->done(tag->call, event.success);
			continue;
		}
		pthread_mutex_lock(&server->mutex);
		server->stopped = true;
		pthread_cond_broadcast(&server->idle);
		pthread_mutex_unlock(&server->mutex);
	}
}

/* gRPC's own messages speak of file descriptors and of what strangers send. */
static void log_core(gpr_log_func_args *message)
{
	log_debug("gRPC: %s", message->message);
}

static void create_core(struct rpc_server *server)
{
	grpc_arg args[] = {
		{GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
			{.integer = RPC_SERVER_MAX_MESSAGE}},
		{GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_CONCURRENT_STREAMS,
			{.integer = RPC_SERVER_MAX_STREAMS}},
	};
	grpc_channel_args channel_args = {ARRAY_SIZE(args), args};

	gpr_set_log_function(log_core);
	grpc_init();
	server->server = grpc_server_create(&channel_args, NULL);
	server->queue = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(server->server, server->queue, NULL);
}

static int listen_on(
	struct rpc_server *server, const struct rpc_server_options *options, struct error *err)
{
	_cleanup_free_ char *address = NULL;
	grpc_server_credentials *credentials;
	mode_t old;
	int port;

	if (unix_socket_claim(options->socket_path, err) < 0)
		return -1;
	if (asprintf(&address, "unix:%s", options->socket_path) < 0)
		abort();
	credentials = grpc_insecure_server_credentials_create();
	old = umask(~options->socket_mode & 0777);
	port = grpc_server_add_http2_port(server->server, address, credentials);
	umask(old);
	grpc_server_credentials_release(credentials);
	if (port == 0)
		return error_set(err, ERROR_IO,
			"cannot listen on %s: does its directory exist, and is it writable?",
			options->socket_path);
	return unix_socket_set_group(options->socket_path, options->socket_gid, err);
}

static void start_threads(struct rpc_server *server, int workers)
{
	server->workers = calloc((size_t)workers, sizeof(*server->workers));
	if (!server->workers || pthread_create(&server->poller, NULL, poll_queue, server))
		abort();
	for (; server->worker_count < workers; server->worker_count++)
		if (pthread_create(&server->workers[server->worker_count], NULL, work, server))
			abort();
}

static void free_server(struct rpc_server *server)
{
	grpc_server_destroy(server->server);
	grpc_completion_queue_destroy(server->queue);
	grpc_shutdown();
	pthread_cond_destroy(&server->idle);
	pthread_cond_destroy(&server->work);
	pthread_mutex_destroy(&server->mutex);
	free(server->workers);
	free(server);
}

int rpc_server_start(
	const struct rpc_server_options *options, struct rpc_server **ret_server, struct error *err)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	pthread_condattr_t monotonic;

	if (!server)
		abort();
	server->services = options->services;
	server->cancelled = options->cancelled;
	server->cancelled_context = options->cancelled_context;
	TAILQ_INIT(&server->waiting);
	pthread_mutex_init(&server->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->idle, &monotonic);
	pthread_cond_init(&server->work, NULL);
	pthread_condattr_destroy(&monotonic);
	create_core(server);
	start_threads(server, options->workers);
	if (listen_on(server, options, err) < 0) {
		rpc_server_stop(server, 0);
		return -1;
	}
	grpc_server_start(server->server);
	request_call(server);
	*ret_server = server;
	return 0;
}

/* Whether all calls are over; waits for it, up to DEADLINE where one is given. */
static bool wait_idle(struct rpc_server *server, const struct timespec *deadline)
{
	bool idle;
	int error = 0;

	pthread_mutex_lock(&server->mutex);
	while (!(idle = server->stopped && server->live == 0) && !error) {
		if (deadline)
			error = pthread_cond_timedwait(&server->idle, &server->mutex, deadline);
		else
			pthread_cond_wait(&server->idle, &server->mutex);
	}
	pthread_mutex_unlock(&server->mutex);
	return idle;
}

void rpc_server_stop(struct rpc_server *server, int grace_ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += grace_ms / 1000;
	deadline.tv_nsec += (long)(grace_ms % 1000) * 1000000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000;
	}
	grpc_server_shutdown_and_notify(server->server, server->queue, &shutdown_tag);
	if (!wait_idle(server, &deadline)) {
		grpc_server_cancel_all_calls(server->server);
		wait_idle(server, NULL);
	}
	grpc_completion_queue_shutdown(server->queue);
	pthread_join(server->poller, NULL);
	pthread_mutex_lock(&server->mutex);
	server->stopping = true;
	pthread_cond_broadcast(&server->work);
	pthread_mutex_unlock(&server->mutex);
	for (int i = 0; i < server->worker_count; i++)
		pthread_join(server->workers[i], NULL);
	free_server(server);
}
