/* SPDX-License-Identifier: Apache-2.0 */
#include "api_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "api_calls.h"
#include "api_faults.h"
#include "api_log.h"
#include "api_watch.h"
#include "testing.h"

struct connection {
	struct connection *next;
	struct api_server *server;
	pthread_t thread;
	struct api_http http; /* its thread's */
	/* guarded by the server's lock */
	bool ended; /* its thread is about to return */
	const struct api_resource *watching;
	uint64_t told; /* the watch sent all up to this version */
};

struct api_server {
	struct api_objects *objects;
	struct api_server_options options; /* constant */
	struct api_log log;                /* has a lock of its own */
	struct sockaddr_in address;
	char url[64];
	pthread_t acceptor;
	int listener;
	pthread_mutex_t lock;    /* guards all below */
	pthread_cond_t released; /* CLOCK_MONOTONIC */
	uint64_t releases;
	bool stopping, paused;
	char *token;
	struct connection *connections;
	size_t connection_count;
};

static bool is_stopping(void *self)
{
	struct api_server *server = self;
	bool stopping;

	pthread_mutex_lock(&server->lock);
	stopping = server->stopping || server->paused;
	pthread_mutex_unlock(&server->lock);
	return stopping;
}

/* Wait MS milliseconds, or with 0 until the release. */
static void stall(void *self, int ms)
{
	struct api_server *server = self;
	struct timespec deadline;
	uint64_t releases;
	int result = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_nsec += (long)(ms % 1000) * 1000000;
	deadline.tv_sec += (ms ? ms / 1000 : 3600) + deadline.tv_nsec / 1000000000;
	deadline.tv_nsec %= 1000000000;
	pthread_mutex_lock(&server->lock);
	releases = server->releases;
	while (result == 0 && releases == server->releases && !server->stopping && !server->paused)
		result = pthread_cond_timedwait(&server->released, &server->lock, &deadline);
	pthread_mutex_unlock(&server->lock);
}

static bool is_authorized(struct api_server *server, const struct api_http *http)
{
	bool authorized;

	pthread_mutex_lock(&server->lock);
	authorized = !server->token || (!strncmp(http->authorization, "Bearer ", 7) &&
					       !strcmp(http->authorization + 7, server->token));
	pthread_mutex_unlock(&server->lock);
	return authorized;
}

static struct api_fault decide(
	struct api_server *server, const struct api_request *request, bool applied)
{
	if (!server->options.decide)
		return (struct api_fault){0};
	return server->options.decide(server->options.context, request, applied);
}

/* Send ANSWER, which is taken, with what FAULT does to it. */
static bool send_answer(struct api_server *server, struct api_http *http,
	const struct api_request *request, struct api_answer answer, struct api_fault fault)
{
	bool kept;

	/* Known before the client can know it. */
	api_log_answered(
		&server->log, request->sequence, fault.kind == API_FAULT_CUT ? 0 : answer.code);
	kept = api_http_answer(http, &answer, fault.kind);
	api_text_unref(answer.text);
	return kept;
}

static bool answers(enum api_fault_kind kind)
{
	return kind != API_FAULT_NONE && kind <= API_FAULT_EXPIRED;
}

static bool spoils(enum api_fault_kind kind)
{
	return kind >= API_FAULT_CUT && kind <= API_FAULT_TRUNCATED;
}

static const struct api_fault refused = {API_FAULT_UNAUTHORIZED, 0};

static struct api_answer answer_call(struct api_server *server, const struct api_http *http,
	const struct api_request *request, const struct api_path *path)
{
	static const char reviews[] = "reviews";
	size_t length = strlen(http->path);

	if (server->options.proxy &&
		(strstr(http->path, "/proxy/") ||
			(length > strlen(reviews) &&
				!strcmp(http->path + length - strlen(reviews), reviews))))
		return server->options.proxy(server->options.context, request);
	return api_calls_apply(server->objects, http, path);
}

static bool serve_call(struct api_server *server, struct api_http *http,
	const struct api_request *request, const struct api_path *path)
{
	struct api_answer answer = is_authorized(server, http)
					   ? answer_call(server, http, request, path)
					   : api_faults_answer(refused);
	struct api_fault fault = decide(server, request, true);

	if (fault.kind == API_FAULT_STALL)
		stall(server, fault.value);
	if (answers(fault.kind)) {
		api_text_unref(answer.text);
		answer = api_faults_answer(fault);
	}
	return send_answer(server, http, request, answer, fault);
}

static void note_progress(void *self, const struct api_resource *resource, uint64_t version)
{
	struct connection *connection = self;

	pthread_mutex_lock(&connection->server->lock);
	connection->watching = resource;
	connection->told = version;
	pthread_mutex_unlock(&connection->server->lock);
}

static bool serve_watch(
	struct connection *connection, struct api_request *request, const struct api_path *path)
{
	struct api_server *server = connection->server;
	struct api_http *http = &connection->http;
	const struct api_watch_host host = {server->objects, &server->options, is_stopping, stall,
		server, note_progress, connection};
	struct api_selector selector;
	bool kept;
	int code = 0;

	if (!is_authorized(server, http))
		return send_answer(
			server, http, request, api_faults_answer(refused), (struct api_fault){0});
	if (!api_calls_selector(http, path, &selector))
		return send_answer(server, http, request,
			api_answer_failure(
				400, "BadRequest", NULL, NULL, "field label not supported"),
			(struct api_fault){0});
	kept = api_watch_serve(&host, http, &selector, request, &code);
	api_log_answered(&server->log, request->sequence, code);
	return kept;
}

static bool is_watch(const struct api_http *http)
{
	_cleanup_free_ char *watch = api_http_parameter(http, "watch");

	return !strcmp(http->method, "GET") && (!strcmp(watch, "true") || !strcmp(watch, "1"));
}

/* Serve one request; whether the connection is kept. */
static bool serve_request(struct connection *connection)
{
	struct api_server *server = connection->server;
	struct api_http *http = &connection->http;
	struct api_path path;
	struct api_request request = {.method = http->method,
		.path = http->path,
		.query = http->query,
		.body = http->body,
		.token = http->token,
		.plural = ""};
	struct api_fault fault;

	if (!api_resources_parse(http->path, &path) ||
		(server->objects->options.no_snapshots && path.resource->custom))
		path.resource = NULL;
	else
		request.plural = path.resource->plural;
	request.watch = path.resource && is_watch(http);
	api_log_add(&server->log, &request);
	fault = decide(server, &request, false);
	if (fault.kind == API_FAULT_STALL)
		stall(server, fault.value);
	if (answers(fault.kind) || spoils(fault.kind))
		return send_answer(server, http, &request, api_faults_answer(fault), fault);
	if (request.watch)
		return serve_watch(connection, &request, &path);
	return serve_call(server, http, &request, &path);
}

static void *serve(void *context)
{
	struct connection *connection = context;
	struct api_server *server = connection->server;

	while (!is_stopping(server) && api_http_read(&connection->http))
		if (!serve_request(connection))
			break;
	api_http_done(&connection->http);
	pthread_mutex_lock(&server->lock);
	connection->ended = true;
	connection->watching = NULL;
	close(connection->http.fd);
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* Join the threads of the connections that ended; with ALL, end and join all of them. */
static void join_connections(struct api_server *server, bool all)
{
	struct connection **at = &server->connections, *ended = NULL, *next;

	pthread_mutex_lock(&server->lock);
	while (*at) {
		struct connection *connection = *at;

		if (all && !connection->ended)
			shutdown(connection->http.fd, SHUT_RDWR);
		if (!all && !connection->ended) {
			at = &connection->next;
			continue;
		}
		*at = connection->next;
		connection->next = ended;
		ended = connection;
	}
	pthread_mutex_unlock(&server->lock);
	for (; ended; ended = next) {
		next = ended->next;
		pthread_join(ended->thread, NULL);
		free(ended);
	}
}

static void add_connection(struct api_server *server, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int on = 1;

	if (!connection)
		abort();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*connection = (struct connection){.server = server, .http = {.fd = fd}};
	pthread_mutex_lock(&server->lock);
	connection->next = server->connections;
	server->connections = connection;
	server->connection_count++;
	if (pthread_create(&connection->thread, NULL, serve, connection))
		abort();
	pthread_mutex_unlock(&server->lock);
}

static void *accept_all(void *context)
{
	struct api_server *server = context;
	int listener = server->listener, fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		join_connections(server, false);
		add_connection(server, fd);
	}
	return NULL;
}

static void begin_listening(struct api_server *server)
{
	socklen_t size = sizeof(server->address);
	int on = 1;

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server->listener, (struct sockaddr *)&server->address, size) < 0 ||
		listen(server->listener, 256) < 0 ||
		getsockname(server->listener, (struct sockaddr *)&server->address, &size) < 0 ||
		pthread_create(&server->acceptor, NULL, accept_all, server))
		abort();
}

static void end_listening(struct api_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->listener);
	pthread_mutex_lock(&server->lock);
	pthread_cond_broadcast(&server->released);
	pthread_mutex_unlock(&server->lock);
	api_objects_wake(server->objects);
	join_connections(server, true);
}

struct api_server *api_server_start(
	struct api_objects *objects, const struct api_server_options *options)
{
	struct api_server *server = calloc(1, sizeof(*server));
	pthread_condattr_t attributes;

	if (!server)
		abort();
	server->objects = objects;
	if (options)
		server->options = *options;
	server->address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	api_log_init(&server->log);
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&server->released, &attributes);
	pthread_condattr_destroy(&attributes);
	begin_listening(server);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d",
		ntohs(server->address.sin_port));
	return server;
}

void api_server_pause(struct api_server *server, bool pause)
{
	pthread_mutex_lock(&server->lock);
	server->paused = pause;
	pthread_mutex_unlock(&server->lock);
	if (pause)
		end_listening(server);
	else
		begin_listening(server);
}

void api_server_stop(struct api_server *server)
{
	bool paused;

	pthread_mutex_lock(&server->lock);
	paused = server->paused;
	server->stopping = true;
	pthread_mutex_unlock(&server->lock);
	if (!paused)
		end_listening(server);
	api_log_done(&server->log);
	free(server->token);
	pthread_cond_destroy(&server->released);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *api_server_url(const struct api_server *server)
{
	return server->url;
}

char *api_server_kubeconfig(const struct api_server *server, const char *folder, const char *name)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"apiVersion: v1\nkind: Config\ncurrent-context: test\n"
		"clusters:\n- name: test\n  cluster:\n    server: %s\n"
		"users:\n- name: test\n  user: {}\n"
		"contexts:\n- name: test\n  context:\n    cluster: test\n    user: test\n",
		server->url);
	return write_file(folder, name, text);
}

void api_server_release(struct api_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->releases++;
	pthread_cond_broadcast(&server->released);
	pthread_mutex_unlock(&server->lock);
}

void api_server_set_token(struct api_server *server, const char *token)
{
	pthread_mutex_lock(&server->lock);
	free(server->token);
	server->token = token ? strdup(token) : NULL;
	pthread_mutex_unlock(&server->lock);
}

size_t api_server_count(struct api_server *server, const char *method, const char *plural)
{
	return api_log_count(&server->log, method, plural);
}

char *api_server_seen(struct api_server *server, size_t index, int *ret_code)
{
	return api_log_line(&server->log, index, ret_code);
}

char *api_server_log(struct api_server *server)
{
	return api_log_text(&server->log);
}

bool api_server_caught_up(struct api_server *server, const char *plural)
{
	const struct api_resource *resource = api_resources_find(plural);
	uint64_t version = api_objects_version(server->objects);
	bool found = false;

	pthread_mutex_lock(&server->lock);
	for (const struct connection *at = server->connections; at; at = at->next)
		found |= at->watching == resource && at->told >= version;
	pthread_mutex_unlock(&server->lock);
	return found;
}

size_t api_server_connections(struct api_server *server)
{
	size_t count;

	pthread_mutex_lock(&server->lock);
	count = server->connection_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}
