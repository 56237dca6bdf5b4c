/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "testing.h"

#define CONNECTIONS_MAX 256
#define REQUESTS_MAX    256
#define REQUEST_SIZE    65536

struct connection {
	struct http_server *server;
	pthread_t thread;
	int fd;
	bool closed;
};

struct http_server {
	const struct http_step *steps;
	size_t step_count;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	char url[64];
	pthread_t acceptor;
	pthread_mutex_t lock; /* guards all below */
	int listener;
	bool stopping;
	bool used[64];
	char *seen[REQUESTS_MAX];
	size_t seen_count;
	struct connection connections[CONNECTIONS_MAX];
	size_t connection_count;
};

/* Whether all of it was sent. */
static bool send_bytes(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* Send the body as chunks of at most PIECE bytes, but not the last, empty chunk. */
static bool send_chunks(int fd, const char *body, size_t piece)
{
	size_t length = strlen(body);

	while (length) {
		size_t size = piece && piece < length ? piece : length;
		char head[32];

		snprintf(head, sizeof(head), "%zx\r\n", size);
		if (!send_bytes(fd, head, strlen(head)) || !send_bytes(fd, body, size) ||
			!send_bytes(fd, "\r\n", 2))
			return false;
		body += size;
		length -= size;
	}
	return true;
}

static void wait_for_end(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

/* Answer by STEP; whether the connection is kept. */
static bool answer(int fd, const struct http_step *step)
{
	_cleanup_free_ char *body = strdup(step->body ? step->body : ""), *head = NULL;
	char length[64];

	if (step->end == HTTP_SILENT)
		wait_for_end(fd);
	if (step->end == HTTP_REFUSE || step->end == HTTP_SILENT)
		return false;
	for (char *at = body; *at; at++)
		if (*at == '\'')
			*at = '"';
	snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	if (asprintf(&head, "HTTP/1.1 %d X\r\n%s%s\r\n", step->status ? step->status : 200,
		    step->headers ? step->headers : "",
		    step->end == HTTP_KEEP ? length : "Transfer-Encoding: chunked\r\n") < 0)
		abort();
	if (!send_bytes(fd, head, strlen(head)))
		return false;
	if (step->end == HTTP_KEEP)
		return send_bytes(fd, body, strlen(body));
	if (!send_chunks(fd, body, step->piece))
		return false;
	while (step->end == HTTP_ENDLESS && send_chunks(fd, body, 0))
		;
	if (step->end == HTTP_HOLD)
		wait_for_end(fd);
	return step->end == HTTP_CHUNKED && send_bytes(fd, "0\r\n\r\n", 5);
}

static const struct http_step *note_request(struct http_server *server, const char *request)
{
	static const struct http_step unknown = {.status = 500, .body = "not in the script"};
	const struct http_step *found = &unknown;
	_cleanup_free_ char *line = strndup(request, strcspn(request, "\r"));

	pthread_mutex_lock(&server->lock);
	if (server->seen_count < REQUESTS_MAX)
		server->seen[server->seen_count++] = strdup(request);
	for (size_t i = 0; i < server->step_count && found == &unknown; i++) {
		if (server->used[i] || !strstr(line, server->steps[i].match))
			continue;
		server->used[i] = !server->steps[i].repeat;
		found = &server->steps[i];
	}
	pthread_mutex_unlock(&server->lock);
	return found;
}

/* Read one request with its body into BUFFER, which is cleared; whether one came. */
static bool read_request(int fd, char *buffer)
{
	size_t length = 0, wanted = 0;
	const char *end = NULL, *header;

	memset(buffer, 0, REQUEST_SIZE);
	while (!end || length < wanted) {
		ssize_t got = length < REQUEST_SIZE - 1
				      ? recv(fd, buffer + length, REQUEST_SIZE - 1 - length, 0)
				      : 0;

		if (got <= 0)
			return false;
		length += (size_t)got;
		end = strstr(buffer, "\r\n\r\n");
		header = strstr(buffer, "Content-Length: ");
		wanted = end ? (size_t)(end + 4 - buffer) : 0;
		if (header && end && header < end)
			wanted += (size_t)atoi(header + strlen("Content-Length: "));
	}
	return true;
}

static void *serve(void *context)
{
	struct connection *connection = context;
	struct http_server *server = connection->server;
	_cleanup_free_ char *buffer = malloc(REQUEST_SIZE);

	while (read_request(connection->fd, buffer))
		if (!answer(connection->fd, note_request(server, buffer)))
			break;
	pthread_mutex_lock(&server->lock);
	connection->closed = true;
	close(connection->fd);
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

static void add_connection(struct http_server *server, int fd)
{
	struct connection *connection;
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	pthread_mutex_lock(&server->lock);
	if (server->connection_count == CONNECTIONS_MAX || server->stopping) {
		close(fd);
	} else {
		connection = &server->connections[server->connection_count++];
		*connection = (struct connection){.server = server, .fd = fd};
		if (pthread_create(&connection->thread, NULL, serve, connection))
			abort();
	}
	pthread_mutex_unlock(&server->lock);
}

static void *accept_all(void *context)
{
	struct http_server *server = context;
	int listener = server->listener;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		add_connection(server, fd);
	return NULL;
}

static void begin_listening(struct http_server *server)
{
	socklen_t size = sizeof(server->address);
	int on = 1;

	server->listener = socket(server->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server->listener, &server->address.any, size) < 0 ||
		listen(server->listener, 64) < 0 ||
		getsockname(server->listener, &server->address.any, &size) < 0 ||
		pthread_create(&server->acceptor, NULL, accept_all, server))
		abort();
}

/* End the connections that are there. */
static void end_listening(struct http_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->listener);
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->connection_count; i++)
		if (!server->connections[i].closed)
			shutdown(server->connections[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&server->lock);
}

static struct http_server *start(const struct http_step *steps, size_t count, bool ipv6)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (!server || count > ARRAY_SIZE(server->used))
		abort();
	server->steps = steps;
	server->step_count = count;
	if (ipv6)
		server->address.v6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	else
		server->address.v4 = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	pthread_mutex_init(&server->lock, NULL);
	begin_listening(server);
	/* The port is in the same place in both. */
	snprintf(server->url, sizeof(server->url), "http://%s:%d", ipv6 ? "[::1]" : "127.0.0.1",
		ntohs(server->address.v4.sin_port));
	return server;
}

struct http_server *http_server_start(const struct http_step *steps, size_t count)
{
	return start(steps, count, false);
}

struct http_server *http_server_start_ipv6(const struct http_step *steps, size_t count)
{
	return start(steps, count, true);
}

void http_server_pause(struct http_server *server, bool pause)
{
	if (pause)
		end_listening(server);
	else
		begin_listening(server);
}

void http_server_stop(struct http_server *server)
{
	end_listening(server);
	for (size_t i = 0; i < server->connection_count; i++)
		pthread_join(server->connections[i].thread, NULL);
	for (size_t i = 0; i < server->seen_count; i++)
		free(server->seen[i]);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *http_server_url(const struct http_server *server)
{
	return server->url;
}

struct awaited {
	struct http_server *server;
	size_t count;
};

static bool has_come(void *context)
{
	const struct awaited *awaited = context;

	return http_server_requests(awaited->server) >= awaited->count;
}

bool http_server_wait(struct http_server *server, size_t count)
{
	struct awaited awaited = {server, count};

	return wait_until(has_come, &awaited);
}

const char *http_server_seen(struct http_server *server, size_t index)
{
	const char *seen;

	pthread_mutex_lock(&server->lock);
	seen = index < server->seen_count ? server->seen[index] : "";
	pthread_mutex_unlock(&server->lock);
	return seen;
}

size_t http_server_requests(struct http_server *server)
{
	size_t count;

	pthread_mutex_lock(&server->lock);
	count = server->seen_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}

size_t http_server_connections(struct http_server *server)
{
	size_t count;

	pthread_mutex_lock(&server->lock);
	count = server->connection_count;
	pthread_mutex_unlock(&server->lock);
	return count;
}
