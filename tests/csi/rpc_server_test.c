/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

/* A service whose one method waits until the test opens the gate, and echoes the id. */
struct gate {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool open;
	int inside, handled;
};

static int wait_at_gate(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct gate *gate = context;
	const Csi__V1__DeleteVolumeRequest *request = (const void *)message;
	Csi__V1__NodeGetInfoResponse response = CSI__V1__NODE_GET_INFO_RESPONSE__INIT;

	pthread_mutex_lock(&gate->mutex);
	gate->inside++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	gate->inside--;
	gate->handled++;
	pthread_mutex_unlock(&gate->mutex);
	if (!strcmp(request->volume_id, "fail"))
		return error_set(err, ERROR_FAILED_PRECONDITION, "as asked");
	response.node_id = request->volume_id;
	rpc_reply_set(reply, &response.base);
	return 0;
}

/* Waits for nothing but the end of its caller. */
static int wait_for_cancellation(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct gate *gate = context;
	const atomic_bool *cancelled = rpc_reply_cancelled(reply);

	(void)message;
	pthread_mutex_lock(&gate->mutex);
	gate->inside++;
	pthread_cond_broadcast(&gate->changed);
	while (!atomic_load(cancelled))
		pthread_cond_wait(&gate->changed, &gate->mutex);
	gate->inside--;
	gate->handled++;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
	return error_set(err, ERROR_CANCELLED, "the caller gave up");
}

/* The server's hook: without it the handler above would sleep on. */
static void wake(void *context)
{
	struct gate *gate = context;

	pthread_mutex_lock(&gate->mutex);
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
}

static const struct rpc_method gate_methods[] = {
	{"/csi.v1.Test/Wait", &csi__v1__delete_volume_request__descriptor, wait_at_gate, NULL},
	{"/csi.v1.Test/Linger", &csi__v1__delete_volume_request__descriptor, wait_for_cancellation,
		NULL},
	{0},
};

struct world {
	struct gate gate;
	struct rpc_service services[2];
	char dir[64], socket[96];
	struct rpc_server_options options;
	struct rpc_server *server;
	struct rpc_client *client;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct error err;

	pthread_mutex_init(&world->gate.mutex, NULL);
	pthread_cond_init(&world->gate.changed, NULL);
	world->gate.open = true;
	strcpy(world->dir, "/tmp/ordinal-rpc-test.XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	snprintf(world->socket, sizeof(world->socket), "%s/s", world->dir);
	world->services[0] = (struct rpc_service){gate_methods, &world->gate};
	world->options = (struct rpc_server_options){
		world->socket, 0660, (gid_t)-1, world->services, 4, wake, &world->gate};
	if (rpc_server_start(&world->options, &world->server, &err) < 0 ||
		rpc_client_new(world->socket, &world->client, &err) < 0)
		fail_msg("%s", err.text);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	rpc_client_free(world->client);
	if (world->server)
		rpc_server_stop(world->server, 1000);
	unlink(world->socket);
	rmdir(world->dir);
	free(world);
	return 0;
}

static void set_gate(struct gate *gate, bool open)
{
	pthread_mutex_lock(&gate->mutex);
	gate->open = open;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->mutex);
}

static void await_inside(struct gate *gate, int count)
{
	pthread_mutex_lock(&gate->mutex);
	while (gate->inside < count)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
}

static int handled(struct gate *gate)
{
	int count;

	pthread_mutex_lock(&gate->mutex);
	count = gate->handled;
	pthread_mutex_unlock(&gate->mutex);
	return count;
}

static enum error_kind call_method(
	struct world *world, const char *method, const char *id, int timeout_ms, struct error *err)
{
	Csi__V1__DeleteVolumeRequest request = CSI__V1__DELETE_VOLUME_REQUEST__INIT;
	struct rpc_call call = {method, &request.base, &csi__v1__node_get_info_response__descriptor,
		timeout_ms, true};
	ProtobufCMessage *answer = NULL;
	enum error_kind kind = ERROR_NONE;

	request.volume_id = (char *)id;
	if (rpc_client_call(world->client, &call, &answer, err) < 0)
		return err->kind;
	if (strcmp(((Csi__V1__NodeGetInfoResponse *)answer)->node_id, id))
		kind = ERROR_INTERNAL;
	protobuf_c_message_free_unpacked(answer, NULL);
	return kind;
}

static enum error_kind call_wait(struct world *world, const char *id, int timeout_ms)
{
	struct error err;

	return call_method(world, "/csi.v1.Test/Wait", id, timeout_ms, &err);
}

static void test_answers(void **state)
{
	struct error err;

	assert_int_equal(call_wait(*state, "volume", 30000), ERROR_NONE);
	assert_int_equal(call_method(*state, "/csi.v1.Test/Wait", "fail", 30000, &err),
		ERROR_FAILED_PRECONDITION);
	assert_string_equal(err.text, "as asked");
	assert_int_equal(
		call_method(*state, "/csi.v1.Test/Absent", "x", 30000, &err), ERROR_UNIMPLEMENTED);
	assert_int_equal(call_method(*state, "/", "x", 30000, &err), ERROR_UNIMPLEMENTED);
}

/* Send BYTES as the request: of a message with one bytes field, any field can be made. */
static enum error_kind call_raw(
	struct world *world, const uint8_t *bytes, size_t length, struct error *err)
{
	Csi__V1__DeleteVolumeResponse request = CSI__V1__DELETE_VOLUME_RESPONSE__INIT;
	ProtobufCMessageUnknownField field = {
		bytes[0] >> 3, bytes[0] & 7, length - 1, (uint8_t *)bytes + 1};
	struct rpc_call call = {"/csi.v1.Test/Wait", &request.base,
		&csi__v1__node_get_info_response__descriptor, 30000, true};
	ProtobufCMessage *answer = NULL;

	request.base.unknown_fields = &field;
	request.base.n_unknown_fields = 1;
	if (rpc_client_call(world->client, &call, &answer, err) < 0)
		return err->kind;
	protobuf_c_message_free_unpacked(answer, NULL);
	return ERROR_NONE;
}

static void test_bytes_on_the_wire(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{"\x0a\x01x", 3, ERROR_NONE, ""},
		{"\x0a\x03x\0y", 5, ERROR_INVALID, "volume_id: holds a NUL"},
		{"\x0a\x02\xc3\x28", 4, ERROR_INVALID, "volume_id: is not valid UTF-8"},
		{"\x0a\x7fshort", 7, ERROR_INVALID, "is not a csi.v1.DeleteVolumeRequest"},
		{"\x0b\x01", 2, ERROR_INVALID, "is not a"},
		{"\x12\x06\x0a\x01k\x12\x01\x00", 8, ERROR_INVALID, "secrets: value: holds a NUL"},
		{"\x7a\x02\xff\x00", 4, ERROR_NONE, ""}, /* a field of the future */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};
		enum error_kind kind =
			call_raw(*state, (const uint8_t *)cases[i].bytes, cases[i].length, &err);

		if (kind != cases[i].kind || !strstr(err.text, cases[i].text))
			fail_msg("case %zu: %s: %s", i, error_kind_name(kind), err.text);
	}
}

static void test_too_large(void **state)
{
	static char id[RPC_SERVER_MAX_MESSAGE + 1];
	struct world *world = *state;

	memset(id, 'x', sizeof(id) - 1);
	assert_int_equal(call_wait(world, id, 30000), ERROR_EXHAUSTED);
	assert_int_equal(call_wait(world, "volume", 30000), ERROR_NONE);
}

static void test_garbage(void **state)
{
	struct world *world = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char garbage[4096];

	strcpy(address.sun_path, world->socket);
	for (int i = 0; i < 32; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		memset(garbage, i * 7, sizeof(garbage));
		if (i % 2)
			memcpy(garbage, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
		assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		(void)!send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
		close(fd);
	}
	assert_int_equal(call_wait(world, "volume", 30000), ERROR_NONE);
}

struct caller {
	struct world *world;
	pthread_t thread;
	enum error_kind kind;
};

static void *call_in_thread(void *argument)
{
	struct caller *caller = argument;

	caller->kind = call_wait(caller->world, "volume", 30000);
	return NULL;
}

static void start_callers(struct world *world, struct caller *callers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		callers[i].world = world;
		pthread_create(&callers[i].thread, NULL, call_in_thread, &callers[i]);
	}
}

static void join_callers(struct caller *callers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].kind, ERROR_NONE);
	}
}

/* A call that its caller gives up while it waits for a worker never runs. */
static void test_deadline(void **state)
{
	struct world *world = *state;
	struct caller callers[4];
	struct error err;

	set_gate(&world->gate, false);
	start_callers(world, callers, ARRAY_SIZE(callers));
	await_inside(&world->gate, ARRAY_SIZE(callers));
	assert_int_equal(call_wait(world, "volume", 100), ERROR_TIMEOUT);
	assert_int_equal(call_wait(world, "volume", 100), ERROR_TIMEOUT);
	/* Comes after the cancellations on the same connection: the server has seen them. */
	assert_int_equal(
		call_method(world, "/csi.v1.Test/Absent", "x", 30000, &err), ERROR_UNIMPLEMENTED);
	set_gate(&world->gate, true);
	join_callers(callers, ARRAY_SIZE(callers));
	assert_int_equal(call_wait(world, "volume", 30000), ERROR_NONE);
	assert_int_equal(handled(&world->gate), ARRAY_SIZE(callers) + 1);
}

static void await_nobody_inside(struct gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
	while (gate->inside)
		pthread_cond_wait(&gate->changed, &gate->mutex);
	pthread_mutex_unlock(&gate->mutex);
}

/* A handler that waits learns that its caller's deadline passed; else there would soon be no
 * worker left. */
static void test_handler_sees_deadline(void **state)
{
	struct world *world = *state;
	struct error err;

	for (int i = 0; i < 8; i++)
		assert_int_equal(call_method(world, "/csi.v1.Test/Linger", "volume", 50, &err),
			ERROR_TIMEOUT);
	assert_int_equal(call_wait(world, "volume", 30000), ERROR_NONE);
	await_nobody_inside(&world->gate);
}

static void *linger_in_thread(void *argument)
{
	struct caller *caller = argument;
	struct error err;

	caller->kind = call_method(caller->world, "/csi.v1.Test/Linger", "volume", 30000, &err);
	return NULL;
}

/* A handler that would wait for ever does not keep the server from stopping. */
static void test_handler_sees_stop(void **state)
{
	struct world *world = *state;
	struct caller caller = {.world = world};

	pthread_create(&caller.thread, NULL, linger_in_thread, &caller);
	await_inside(&world->gate, 1);
	rpc_server_stop(world->server, 0);
	world->server = NULL;
	pthread_join(caller.thread, NULL);
	assert_int_not_equal(caller.kind, ERROR_NONE);
	assert_int_equal(handled(&world->gate), 1);
}

static void test_many_at_once(void **state)
{
	struct caller callers[64];

	start_callers(*state, callers, ARRAY_SIZE(callers));
	join_callers(callers, ARRAY_SIZE(callers));
}

static void *open_gate_later(void *argument)
{
	struct gate *gate = argument;
	struct timespec moment = {.tv_nsec = 200 * 1000000};

	nanosleep(&moment, NULL);
	set_gate(gate, true);
	return NULL;
}

/* The call in flight gets its answer when the handler ends within the grace period, and is
 * cancelled when it does not; either way the server ends after its handlers. */
static void stop_with_call_in_flight(struct world *world, int grace_ms, enum error_kind expected)
{
	struct caller caller = {.world = world};
	pthread_t opener;

	set_gate(&world->gate, false);
	pthread_create(&caller.thread, NULL, call_in_thread, &caller);
	await_inside(&world->gate, 1);
	pthread_create(&opener, NULL, open_gate_later, &world->gate);
	rpc_server_stop(world->server, grace_ms);
	world->server = NULL;
	pthread_join(opener, NULL);
	pthread_join(caller.thread, NULL);
	assert_int_equal(handled(&world->gate), 1);
	if (expected == ERROR_NONE)
		assert_int_equal(caller.kind, ERROR_NONE);
	else
		assert_int_not_equal(caller.kind, ERROR_NONE);
	assert_int_equal(access(world->socket, F_OK), -1);
}

static void test_stop_finishes_calls(void **state)
{
	stop_with_call_in_flight(*state, 30000, ERROR_NONE);
}

static void test_stop_cancels_calls(void **state)
{
	stop_with_call_in_flight(*state, 0, ERROR_CANCELLED);
}

static void test_socket_is_not_stolen(void **state)
{
	struct world *world = *state;
	struct rpc_server *second;
	struct error err;

	assert_int_equal(rpc_server_start(&world->options, &second, &err), -1);
	assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
	assert_non_null(strstr(err.text, "another process serves"));
	assert_int_equal(call_wait(world, "volume", 30000), ERROR_NONE);
}

/* Nor when its server is so busy that it takes no connection. */
static void test_full_socket_is_not_stolen(void **state)
{
	struct world *world = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int busy = socket(AF_UNIX, SOCK_STREAM, 0), callers[64], count = 0;
	struct rpc_server *second;
	struct stat before, after;
	struct error err;

	rpc_server_stop(world->server, 0);
	world->server = NULL;
	strcpy(address.sun_path, world->socket);
	assert_int_equal(bind(busy, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(busy, 0), 0);
	do
		callers[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (connect(callers[count++], (struct sockaddr *)&address, sizeof(address)) == 0 &&
		count < (int)ARRAY_SIZE(callers));
	assert_true(count < (int)ARRAY_SIZE(callers));
	assert_int_equal(stat(world->socket, &before), 0);
	assert_int_equal(rpc_server_start(&world->options, &second, &err), -1);
	assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
	assert_int_equal(stat(world->socket, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	while (count)
		close(callers[--count]);
	close(busy);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct world *world = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct error err;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	rpc_server_stop(world->server, 0);
	world->server = NULL;
	strcpy(address.sun_path, world->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(rpc_server_start(&world->options, &world->server, &err), 0);
	assert_int_equal(call_wait(world, "volume", 30000), ERROR_NONE);
}

static void test_socket_paths(void **state)
{
	static const struct {
		const char *path;
		enum error_kind kind;
	} cases[] = {
		{"relative", ERROR_INVALID},
		{"/tmp/100%25", ERROR_INVALID},
		{"/etc/passwd", ERROR_INVALID},
		{"/no/such/directory/s", ERROR_IO},
		{"/tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
			ERROR_INVALID},
	};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rpc_server_options options = world->options;
		struct rpc_server *server;
		struct error err;

		options.socket_path = cases[i].path;
		assert_int_equal(rpc_server_start(&options, &server, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
	}
}

static void test_socket_permissions(void **state)
{
	struct world *world = *state;
	struct stat status;
	struct error err;

	rpc_server_stop(world->server, 0);
	world->options.socket_gid = 12345;
	assert_int_equal(rpc_server_start(&world->options, &world->server, &err), 0);
	assert_int_equal(stat(world->socket, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	assert_int_equal(status.st_gid, 12345);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_answers),
		TEST(test_bytes_on_the_wire),
		TEST(test_too_large),
		TEST(test_garbage),
		TEST(test_deadline),
		TEST(test_handler_sees_deadline),
		TEST(test_handler_sees_stop),
		TEST(test_many_at_once),
		TEST(test_stop_finishes_calls),
		TEST(test_stop_cancels_calls),
		TEST(test_socket_is_not_stolen),
		TEST(test_full_socket_is_not_stolen),
		TEST(test_stale_socket_is_replaced),
		TEST(test_socket_paths),
		TEST(test_socket_permissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
