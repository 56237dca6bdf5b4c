/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc_client.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <string.h>
#include <sys/un.h>

#include "utf8.h"
#include "wire_strings.h"

#define CONNECT_WAIT_MS 100
#define IDLE_QUEUES_MAX 64

struct rpc_client {
	grpc_channel *channel;
	pthread_mutex_t lock;                         /* guards all below */
	grpc_completion_queue *idle[IDLE_QUEUES_MAX]; /* a call needs one for itself */
	int idle_count;
};

/* What gRPC core fills in while one call is under way. */
struct rpc_answer {
	grpc_metadata_array initial;
	grpc_metadata_array trailing;
	grpc_byte_buffer *message;
	grpc_status_code status;
	grpc_slice details;
};

/* The path of a unix socket's endpoint, or NULL. Borrowed from ENDPOINT. */
static const char *socket_path(const char *endpoint, struct error *err)
{
	const char *path = endpoint;

	if (!strncmp(path, "unix:", 5))
		path += 5;
	if (!strncmp(path, "///", 3))
		path += 2;
	if (path[0] != '/' || path[1] == '/' || !path[1]) {
		error_set(err, ERROR_INVALID,
			"endpoint \"%s\" is not a unix socket: write unix:///path/csi.sock",
			endpoint);
		return NULL;
	}
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		error_set(err, ERROR_INVALID, "the path of socket \"%s\" is longer than 107 bytes",
			path);
		return NULL;
	}
	return path;
}

int rpc_client_check_endpoint(const char *endpoint, struct error *err)
{
	return socket_path(endpoint, err) ? 0 : -1;
}

int rpc_client_new(const char *endpoint, struct rpc_client **ret_client, struct error *err)
{
	grpc_channel_credentials *credentials;
	_cleanup_free_ struct rpc_client *client = NULL;
	_cleanup_free_ char *target = NULL;
	/* Kubelet-like callers and drivers restart often: find them again within seconds. */
	grpc_arg args[] = {
		{GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
			{.integer = RPC_CLIENT_MAX_MESSAGE}},
		{GRPC_ARG_INTEGER, (char *)GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, {.integer = 100}},
		{GRPC_ARG_INTEGER, (char *)GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, {.integer = 1000}},
		{GRPC_ARG_INTEGER, (char *)GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, {.integer = 2000}},
		{GRPC_ARG_STRING, (char *)GRPC_ARG_DEFAULT_AUTHORITY,
			{.string = (char *)"localhost"}},
	};
	grpc_channel_args channel_args = {ARRAY_SIZE(args), args};
	const char *path = socket_path(endpoint, err);

	if (!path)
		return -1;
	client = calloc(1, sizeof(*client));
	if (!client || asprintf(&target, "unix:%s", path) < 0)
		abort();
	grpc_init();
	credentials = grpc_insecure_credentials_create();
	client->channel = grpc_channel_create(target, credentials, &channel_args);
	grpc_channel_credentials_release(credentials);
	pthread_mutex_init(&client->lock, NULL);
	*ret_client = take_ptr(client);
	return 0;
}

static void end_queue(grpc_completion_queue *queue)
{
	grpc_completion_queue_shutdown(queue);
	grpc_completion_queue_destroy(queue);
}

void rpc_client_free(struct rpc_client *client)
{
	while (client->idle_count)
		end_queue(client->idle[--client->idle_count]);
	pthread_mutex_destroy(&client->lock);
	grpc_channel_destroy(client->channel);
	grpc_shutdown();
	free(client);
}

static void wipe_and_free(void *bytes, size_t size)
{
	explicit_bzero(bytes, size);
	free(bytes);
}

/* Requests carry secrets: the bytes are wiped when gRPC lets go of them. */
static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	void *bytes = malloc(size + 1);
	grpc_slice slice;
	grpc_byte_buffer *buffer;

	if (!bytes)
		abort();
	slice = grpc_slice_new_with_len(bytes, size, wipe_and_free);

	protobuf_c_message_pack(message, bytes);
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

/* protobuf-c takes strings that are not, or that go on behind a NUL: two ids would pass for one. */
static int unpack(const struct rpc_call *call, grpc_byte_buffer *buffer,
	ProtobufCMessage **ret_response, struct error *err)
{
	const char *name = strrchr(call->method, '/') + 1;
	grpc_byte_buffer_reader reader;
	ProtobufCMessage *message;
	struct error why = {0};
	grpc_slice slice;

	if (!buffer || !grpc_byte_buffer_reader_init(&reader, buffer))
		return error_set(err, ERROR_ABORTED, "the answer to %s is missing", name);
	slice = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	message = protobuf_c_message_unpack(
		call->response, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
	if (!message)
		error_set(&why, ERROR_ABORTED, "the answer to %s does not decode", name);
	else if (wire_strings_check(call->response, GRPC_SLICE_START_PTR(slice),
			 GRPC_SLICE_LENGTH(slice), &why) < 0) {
		error_prefix(&why, "the answer to %s", name);
		protobuf_c_message_free_unpacked(take_ptr(message), NULL);
	}
	grpc_slice_unref(slice);
	if (!message)
		return error_set(err, ERROR_ABORTED, "%s", why.text);
	*ret_response = message;
	return 0;
}

/* gRPC goes on connecting only while somebody waits, or every 5 s; calls that fail at once do not:
 * give it a moment, or a driver that is back would not be found for many calls. */
static void let_connect(struct rpc_client *client, grpc_completion_queue *queue)
{
	grpc_connectivity_state state = grpc_channel_check_connectivity_state(client->channel, 1);

	if (state != GRPC_CHANNEL_TRANSIENT_FAILURE)
		return;
	grpc_channel_watch_connectivity_state(client->channel, state,
		gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			gpr_time_from_millis(CONNECT_WAIT_MS, GPR_TIMESPAN)),
		queue, client);
	grpc_completion_queue_pluck(queue, client, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

/* Send everything and receive everything in one batch, and wait for it: the deadline is the
 * call's own, so the wait always ends. */
static void exchange(grpc_call *handle, grpc_completion_queue *queue, grpc_byte_buffer *request,
	bool wait_for_ready, struct rpc_answer *answer)
{
	grpc_op ops[] = {
		{.op = GRPC_OP_SEND_INITIAL_METADATA},
		{.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
		{.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
		{.op = GRPC_OP_RECV_INITIAL_METADATA,
			.data.recv_initial_metadata.recv_initial_metadata = &answer->initial},
		{.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &answer->message},
		{.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
			.data.recv_status_on_client = {.trailing_metadata = &answer->trailing,
				.status = &answer->status,
				.status_details = &answer->details}},
	};

	if (wait_for_ready)
		ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY |
			       GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
	if (grpc_call_start_batch(handle, ops, ARRAY_SIZE(ops), answer, NULL) != GRPC_CALL_OK) {
		answer->status = GRPC_STATUS_INTERNAL;
		return;
	}
	grpc_completion_queue_pluck(queue, answer, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

/* Whether the answer was there, but too large for us: nobody can say that nothing was done. A
 * server that finds the request too large says the same, with its own limit. */
static bool is_too_large(const char *text, size_t length)
{
	unsigned size, limit;
	char words[80];

	snprintf(words, sizeof(words), "%.*s", (int)length, text);
	return sscanf(words, "Received message larger than max (%u vs. %u)", &size, &limit) == 2 &&
	       limit == RPC_CLIENT_MAX_MESSAGE;
}

/* The status and its message; gRPC's own words for a deadline, and no words, say too little. */
static int status_error(
	const struct rpc_call *call, const struct rpc_answer *answer, struct error *err)
{
	static const char expired[] = "Deadline Exceeded";
	enum error_kind kind = error_kind_from_grpc((int)answer->status);
	const char *text = (const char *)GRPC_SLICE_START_PTR(answer->details);
	size_t length = GRPC_SLICE_LENGTH(answer->details);
	const char *name = strrchr(call->method, '/') + 1;

	if (kind == ERROR_TIMEOUT && length == sizeof(expired) - 1 &&
		!memcmp(text, expired, length))
		return error_set(err, kind, "no answer to %s within %g s", name,
			(double)call->timeout_ms / 1000);
	if (kind == ERROR_EXHAUSTED && is_too_large(text, length))
		return error_set(err, ERROR_ABORTED, "the answer to %s is larger than %d bytes",
			name, RPC_CLIENT_MAX_MESSAGE);
	if (!length)
		return error_set(
			err, kind, "%s failed with %s and no message", name, error_kind_name(kind));
	/* It goes into JSON, which has to be UTF-8. */
	if (!utf8_is_valid((const uint8_t *)text, length))
		return error_set(err, kind,
			"%s failed with %s and a message that is not valid UTF-8", name,
			error_kind_name(kind));
	return error_set(err, kind, "%.*s", (int)length, text);
}

static grpc_completion_queue *take_queue(struct rpc_client *client)
{
	grpc_completion_queue *queue = NULL;

	pthread_mutex_lock(&client->lock);
	if (client->idle_count)
		queue = client->idle[--client->idle_count];
	pthread_mutex_unlock(&client->lock);
	return queue ? queue : grpc_completion_queue_create_for_pluck(NULL);
}

/* Nothing is under way on QUEUE. */
static void give_queue(struct rpc_client *client, grpc_completion_queue *queue)
{
	pthread_mutex_lock(&client->lock);
	if (client->idle_count < IDLE_QUEUES_MAX)
		client->idle[client->idle_count++] = take_ptr(queue);
	pthread_mutex_unlock(&client->lock);
	if (queue)
		end_queue(queue);
}

int rpc_client_call(struct rpc_client *client, const struct rpc_call *call,
	ProtobufCMessage **ret_response, struct error *err)
{
	grpc_completion_queue *queue = take_queue(client);
	grpc_slice method = grpc_slice_from_copied_string(call->method);
	grpc_byte_buffer *request = pack(call->request);
	struct rpc_answer answer = {.details = grpc_empty_slice()};
	grpc_call *handle;
	int result;

	grpc_metadata_array_init(&answer.initial);
	grpc_metadata_array_init(&answer.trailing);
	if (!call->wait_for_ready)
		let_connect(client, queue);
	handle = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
		method, NULL,
		gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			gpr_time_from_millis(call->timeout_ms, GPR_TIMESPAN)),
		NULL);
	exchange(handle, queue, request, call->wait_for_ready, &answer);
	result = answer.status == GRPC_STATUS_OK ? unpack(call, answer.message, ret_response, err)
						 : status_error(call, &answer, err);

	grpc_call_unref(handle);
	grpc_slice_unref(answer.details);
	grpc_byte_buffer_destroy(answer.message);
	grpc_byte_buffer_destroy(request);
	grpc_metadata_array_destroy(&answer.initial);
	grpc_metadata_array_destroy(&answer.trailing);
	grpc_slice_unref(method);
	give_queue(client, queue);
	return result;
}
