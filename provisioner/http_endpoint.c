/* SPDX-License-Identifier: Apache-2.0 */
#include "http_endpoint.h"

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "http_listen.h"
#include "lane.h"

#define CONNECTIONS_MAX 32
#define REQUEST_MAX     ((size_t)16384) /* with its headers */
#define TIMEOUT_MS      10000
#define WAITING_MAX     4   /* for slow routes */
#define LOOK_EVERY_MS   250 /* for connections whose time is over */
#define PLAIN           "text/plain; charset=utf-8"

/* A connection, from its beginning to its end. */
struct visit {
	struct visit *next, **link;
	int fd; /* the daemon's */
	int64_t end_ms;
};

struct http_endpoint {
	struct http_endpoint_options options;
	int port;
	int stop_fd, done_fd;
	pthread_t thread;
	struct lane *lane;         /* NULL: no route is slow */
	struct MHD_Daemon *daemon; /* run by the thread alone, as the next */
	struct visit *visits;
	bool ended; /* a visit, in the last run */
};

struct http_request {
	struct MHD_Connection *connection;
	bool deletes;
};

/* A request of a slow route: its connection is suspended until it is done. */
struct errand {
	struct lane_job job;
	struct http_request request;
	const struct http_route *route;
	struct http_reply reply;
	char *body;
	size_t size;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *http_endpoint_query(const struct http_request *request, const char *key)
{
	const char *value = NULL;
	size_t size;

	if (MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, key,
		    strlen(key), &value, &size) == MHD_NO)
		return NULL;
	if (!value)
		return "";
	return strlen(value) == size ? value : NULL; /* with a NUL it would be another one */
}

const char *http_endpoint_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool http_endpoint_deletes(const struct http_request *request)
{
	return request->deletes;
}

/* Ask one check, and write its line where one is due; whether it is so. */
static bool ask(const struct health_check *check, bool verbose, FILE *out)
{
	struct error err = {0};

	if (check->check(check->context, &err) == 0) {
		if (verbose)
			fprintf(out, "[+]%s ok\n", check->name);
		return true;
	}
	fprintf(out, "%s%s: %s\n", verbose ? "[-]" : "", check->name, err.text);
	return false;
}

/* All of CHECKS, or the one called NAME; 404 where there is none. */
static void ask_checks(const struct health_check *checks, size_t count, const char *name,
	const struct http_request *request, struct http_reply *reply)
{
	bool verbose = http_endpoint_query(request, "verbose") != NULL;
	size_t asked = 0, failed = 0;

	for (size_t i = 0; i < count; i++) {
		if (name && strcmp(name, checks[i].name) != 0)
			continue;
		asked++;
		if (!ask(&checks[i], verbose, reply->body))
			failed++;
	}
	if (name && asked == 0) {
		reply->status = MHD_HTTP_NOT_FOUND;
		fputs("no check of that name\n", reply->body);
	} else if (failed > 0) {
		reply->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	} else {
		fputs("ok\n", reply->body);
	}
}

/* Whether PATH is PREFIX or below it; what follows the slash, NULL for nothing. */
static bool is_below(const char *path, const char *prefix, const char **ret_name)
{
	size_t length = strlen(prefix);

	if (strncmp(path, prefix, length) != 0 || (path[length] && path[length] != '/'))
		return false;
	*ret_name = path[length] && path[length + 1] ? path + length + 1 : NULL;
	return true;
}

static const struct http_route *find_route(
	const struct http_endpoint_options *options, const char *path)
{
	for (size_t i = 0; i < options->route_count; i++)
		if (!strcmp(options->routes[i].path, path))
			return &options->routes[i];
	return NULL;
}

static void answer(const struct http_endpoint_options *options, const char *path,
	const struct http_request *request, struct http_reply *reply)
{
	const struct http_route *route = find_route(options, path);
	const char *name;

	if (route)
		route->handler(route->context, request, reply);
	else if (options->metrics && !strcmp(path, options->metrics_path)) {
		reply->content_type = METRICS_CONTENT_TYPE;
		metrics_write(options->metrics, reply->body);
	} else if (is_below(path, "/healthz", &name)) {
		ask_checks(options->live, options->live_count, name, request, reply);
	} else if (is_below(path, "/readyz", &name)) {
		ask_checks(options->ready, options->ready_count, name, request, reply);
	} else {
		reply->status = MHD_HTTP_NOT_FOUND;
		fputs("there is no such page\n", reply->body);
	}
}

/* The response of BODY, which is malloc'ed and passes on, or of what REPLY shares. */
static struct MHD_Response *make_response(const struct http_reply *reply, char *body, size_t size)
{
	struct MHD_Response *response;

	if (!reply->shared) {
		response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
		if (!response)
			free(body);
		return response;
	}
	free(body);
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		reply->shared_size, (void *)reply->shared, reply->release, reply->release_context);
	if (!response)
		reply->release(reply->release_context);
	return response;
}

/* Give REPLY, whose BODY is malloc'ed and passes on, and end the connection after it. */
static enum MHD_Result send_reply(
	struct MHD_Connection *connection, const struct http_reply *reply, char *body, size_t size)
{
	struct MHD_Response *response = make_response(reply, body, size);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	for (const char *const *header = reply->headers; header && *header; header += 2)
		MHD_add_response_header(response, header[0], header[1]);
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static struct visit *visit_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static void run_errand(struct lane_job *job)
{
	struct errand *errand = (struct errand *)job;

	errand->route->handler(errand->route->context, &errand->request, &errand->reply);
}

/* Hand a request to the other thread. The peer's time stands still meanwhile: it can do nothing.
 * false where too many wait. */
static bool begin_errand(struct http_endpoint *endpoint, const struct http_route *route,
	const struct http_request *request, struct errand **ret_errand)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		abort();
	errand->job.run = run_errand;
	errand->request = *request;
	errand->route = route;
	errand->reply = (struct http_reply){.status = MHD_HTTP_OK, .content_type = PLAIN};
	errand->reply.body = open_memstream(&errand->body, &errand->size);
	if (!errand->reply.body)
		abort();
	if (!lane_add(endpoint->lane, &errand->job)) {
		fclose(errand->reply.body);
		free(errand->body);
		free(errand);
		return false;
	}
	visit_of(request->connection)->end_ms = INT64_MAX;
	MHD_suspend_connection(request->connection);
	*ret_errand = errand;
	return true;
}

/* Go on with the connections whose errands are done. */
static void end_errands(struct http_endpoint *endpoint)
{
	struct lane_job *job;
	uint64_t count;

	if (!endpoint->lane || read(endpoint->done_fd, &count, sizeof(count)) < 0)
		return;
	while ((job = lane_take_done(endpoint->lane))) {
		struct errand *errand = (struct errand *)job;

		visit_of(errand->request.connection)->end_ms =
			now_ms() + endpoint->options.timeout_ms;
		MHD_resume_connection(errand->request.connection);
	}
}

static enum MHD_Result send_errand(struct MHD_Connection *connection, struct errand *errand)
{
	char *body;

	if (fclose(errand->reply.body) != 0)
		abort();
	errand->reply.body = NULL;
	body = errand->body;
	errand->body = NULL;
	return send_reply(connection, &errand->reply, body, errand->size);
}

/* Called when a connection is done with a request, however it ended. */
static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
	enum MHD_RequestTerminationCode code)
{
	struct errand *errand = *request_context;

	(void)context;
	(void)connection;
	(void)code;
	if (!errand)
		return;
	if (errand->reply.body)
		fclose(errand->reply.body);
	free(errand->body);
	free(errand);
	*request_context = NULL;
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0") != 0) ||
	       MHD_lookup_connection_value(
		       connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static bool is_taken(const char *method, const struct http_route *route)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) || !strcmp(method, MHD_HTTP_METHOD_HEAD) ||
	       (route && route->deletes && !strcmp(method, MHD_HTTP_METHOD_DELETE));
}

/* Answer at once, or hand it over: then *RET_ERRAND is set. */
static void answer_or_defer(struct http_endpoint *endpoint, const char *path, const char *method,
	const struct http_request *request, struct http_reply *reply, struct errand **ret_errand)
{
	static const char *const allow[] = {MHD_HTTP_HEADER_ALLOW, "GET, HEAD", NULL};
	static const char *const allow_delete[] = {
		MHD_HTTP_HEADER_ALLOW, "GET, HEAD, DELETE", NULL};
	const struct http_route *route = find_route(&endpoint->options, path);
	bool deletes = route && route->deletes;

	if (!is_taken(method, route)) {
		reply->status = MHD_HTTP_METHOD_NOT_ALLOWED;
		reply->headers = deletes ? allow_delete : allow;
		fprintf(reply->body, "GET%s and %s only\n", deletes ? ", HEAD" : "",
			deletes ? "DELETE" : "HEAD");
	} else if (!route || !route->slow) {
		answer(&endpoint->options, path, request, reply);
	} else if (has_body(request->connection)) {
		reply->status = MHD_HTTP_CONTENT_TOO_LARGE;
		fputs("no body is taken\n", reply->body);
	} else if (!begin_errand(endpoint, route, request, ret_errand)) {
		reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		fputs("too many wait for this page: try again\n", reply->body);
	}
}

/* Called when a request's headers are there: a body is not waited for. Called again when an errand
 * is done. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **request_context)
{
	struct http_endpoint *endpoint = context;
	struct http_request request = {connection, !strcmp(method, MHD_HTTP_METHOD_DELETE)};
	struct http_reply reply = {.status = MHD_HTTP_OK, .content_type = PLAIN};
	struct errand *errand = *request_context;
	char *body = NULL;
	size_t size;

	(void)version;
	(void)upload;
	(void)upload_size;
	if (errand)
		return send_errand(connection, errand);
	reply.body = open_memstream(&body, &size);
	if (!reply.body)
		return MHD_NO;
	answer_or_defer(endpoint, path, method, &request, &reply, &errand);
	if (fclose(reply.body) != 0) {
		if (reply.shared)
			reply.release(reply.release_context);
		free(body);
		return MHD_NO;
	}
	if (errand) {
		free(body);
		*request_context = errand;
		return MHD_YES;
	}
	return send_reply(connection, &reply, body, size);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_endpoint *endpoint = context;
	struct visit *visit = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		visit = calloc(1, sizeof(*visit));
		if (!visit)
			abort();
		visit->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
				    ->connect_fd;
		visit->end_ms = now_ms() + endpoint->options.timeout_ms;
		visit->next = endpoint->visits;
		visit->link = &endpoint->visits;
		if (visit->next)
			visit->next->link = &visit->next;
		endpoint->visits = visit;
		*socket_context = visit;
	} else if (visit) {
		*visit->link = visit->next;
		if (visit->next)
			visit->next->link = visit->link;
		free(visit);
		*socket_context = NULL;
		endpoint->ended = true;
	}
}

/* A peer that sends or reads a byte now and then is never idle: its time ends all the same. */
static void end_visits(struct http_endpoint *endpoint)
{
	int64_t now = now_ms();

	for (const struct visit *visit = endpoint->visits; visit; visit = visit->next)
		if (now >= visit->end_ms)
			shutdown(visit->fd, SHUT_RDWR);
}

static void *serve(void *context)
{
	struct http_endpoint *endpoint = context;
	int epoll_fd = MHD_get_daemon_info(endpoint->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	struct pollfd polled[] = {{epoll_fd, POLLIN, 0}, {endpoint->stop_fd, POLLIN, 0},
		{endpoint->done_fd, POLLIN, 0}};

	while (!polled[1].revents) {
		int64_t wait = endpoint->visits ? LOOK_EVERY_MS : -1;
		MHD_UNSIGNED_LONG_LONG limit;

		if (MHD_get_timeout(endpoint->daemon, &limit) == MHD_YES &&
			(wait < 0 || limit < (uint64_t)wait))
			wait = (int64_t)limit;
		/* A daemon that was full listens again only in the run after the one in which a
		 * connection ended. */
		if (endpoint->ended)
			wait = 0;
		endpoint->ended = false;
		poll(polled, ARRAY_SIZE(polled), (int)wait);
		end_errands(endpoint);
		MHD_run(endpoint->daemon);
		end_visits(endpoint);
	}
	return NULL;
}

static struct MHD_Daemon *start_daemon(struct http_endpoint *endpoint, int fd)
{
	unsigned flags = MHD_USE_EPOLL | (endpoint->lane ? MHD_ALLOW_SUSPEND_RESUME : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, endpoint,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_MAX,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, endpoint, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, endpoint, MHD_OPTION_END);
}

static bool has_slow_route(const struct http_endpoint_options *options)
{
	for (size_t i = 0; i < options->route_count; i++)
		if (options->routes[i].slow)
			return true;
	return false;
}

int http_endpoint_new(const struct http_endpoint_options *options,
	struct http_endpoint **ret_endpoint, struct error *err)
{
	struct http_endpoint *endpoint = calloc(1, sizeof(*endpoint));
	_cleanup_close_ int fd = -1;
	int port;

	if (!endpoint)
		abort();
	if (http_listen(options->address, &fd, &port, err) < 0) {
		free(endpoint);
		return -1;
	}
	endpoint->options = *options;
	if (!endpoint->options.metrics_path)
		endpoint->options.metrics_path = "/metrics";
	if (endpoint->options.timeout_ms == 0)
		endpoint->options.timeout_ms = TIMEOUT_MS;
	endpoint->port = port;
	endpoint->stop_fd = eventfd(0, EFD_CLOEXEC);
	endpoint->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (has_slow_route(options))
		endpoint->lane = lane_new(WAITING_MAX, endpoint->done_fd);
	endpoint->daemon = start_daemon(endpoint, fd);
	if (endpoint->stop_fd < 0 || endpoint->done_fd < 0 || !endpoint->daemon ||
		pthread_create(&endpoint->thread, NULL, serve, endpoint))
		abort();
	take_fd(&fd); /* the daemon's now */
	*ret_endpoint = endpoint;
	return 0;
}

/* A daemon must not end while it has connections that are suspended. */
static void stop_lane(struct http_endpoint *endpoint)
{
	struct lane_job *job;

	if (!endpoint->lane)
		return;
	lane_stop(endpoint->lane);
	while ((job = lane_take_done(endpoint->lane)))
		MHD_resume_connection(((struct errand *)job)->request.connection);
	lane_free(endpoint->lane);
}

void http_endpoint_free(struct http_endpoint *endpoint)
{
	uint64_t one = 1;

	if (write(endpoint->stop_fd, &one, sizeof(one)) < 0)
		abort();
	pthread_join(endpoint->thread, NULL);
	stop_lane(endpoint);
	MHD_stop_daemon(endpoint->daemon);
	close(endpoint->stop_fd);
	close(endpoint->done_fd);
	free(endpoint);
}

int http_endpoint_port(const struct http_endpoint *endpoint)
{
	return endpoint->port;
}
