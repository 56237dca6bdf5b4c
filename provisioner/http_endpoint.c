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

#define CONNECTIONS_MAX 32
#define REQUEST_MAX     ((size_t)16384) /* with its headers */
#define TIMEOUT_MS      10000
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
	int stop_fd;
	pthread_t thread;
	struct MHD_Daemon *daemon; /* run by the thread alone, as the next */
	struct visit *visits;
	bool ended; /* a visit, in the last run */
};

struct http_request {
	struct MHD_Connection *connection;
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
	return value ? value : "";
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

static void answer(const struct http_endpoint_options *options, const char *path,
	const struct http_request *request, struct http_reply *reply)
{
	const char *name;

	for (size_t i = 0; i < options->route_count; i++) {
		const struct http_route *route = &options->routes[i];

		if (!strcmp(route->path, path)) {
			route->handler(route->context, request, reply);
			return;
		}
	}
	if (options->metrics && !strcmp(path, options->metrics_path)) {
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
static enum MHD_Result send_reply(struct MHD_Connection *connection, const struct http_reply *reply,
	char *body, size_t size, bool other_method)
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
	if (other_method)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Called when a request's headers are there: a body is not waited for. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **request_context)
{
	const struct http_endpoint *endpoint = context;
	struct http_request request = {connection};
	struct http_reply reply = {.status = MHD_HTTP_OK, .content_type = PLAIN};
	bool other_method = strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
			    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0;
	char *body = NULL;
	size_t size;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request_context;
	reply.body = open_memstream(&body, &size);
	if (!reply.body)
		return MHD_NO;
	if (other_method) {
		reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		fputs("GET and HEAD only\n", reply.body);
	} else {
		answer(&endpoint->options, path, &request, &reply);
	}
	if (fclose(reply.body) != 0) {
		if (reply.shared)
			reply.release(reply.release_context);
		free(body);
		return MHD_NO;
	}
	return send_reply(connection, &reply, body, size, other_method);
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
	struct pollfd polled[] = {{epoll_fd, POLLIN, 0}, {endpoint->stop_fd, POLLIN, 0}};

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
		MHD_run(endpoint->daemon);
		end_visits(endpoint);
	}
	return NULL;
}

static struct MHD_Daemon *start_daemon(struct http_endpoint *endpoint, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, endpoint,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_MAX,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, endpoint, MHD_OPTION_END);
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
	endpoint->daemon = start_daemon(endpoint, fd);
	if (endpoint->stop_fd < 0 || !endpoint->daemon ||
		pthread_create(&endpoint->thread, NULL, serve, endpoint))
		abort();
	take_fd(&fd); /* the daemon's now */
	*ret_endpoint = endpoint;
	return 0;
}

void http_endpoint_free(struct http_endpoint *endpoint)
{
	uint64_t one = 1;

	if (write(endpoint->stop_fd, &one, sizeof(one)) < 0)
		abort();
	pthread_join(endpoint->thread, NULL);
	MHD_stop_daemon(endpoint->daemon);
	close(endpoint->stop_fd);
	free(endpoint);
}

int http_endpoint_port(const struct http_endpoint *endpoint)
{
	return endpoint->port;
}
