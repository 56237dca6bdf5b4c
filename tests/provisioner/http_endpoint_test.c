/* SPDX-License-Identifier: Apache-2.0 */
#include "http_endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "http_listen.h"
#include "testing.h"

#define _cleanup_endpoint_ _cleanup_(http_endpoint_freep)

#define ANSWER_MAX 65536

/* Checks whose answers a test sets. */
static const char *driver_reason, *watch_reason;

static int check_reason(void *context, struct error *err)
{
	const char *reason = *(const char **)context;

	return reason ? error_set(err, ERROR_UNAVAILABLE, "%s", reason) : 0;
}

static const struct health_check live[] = {
	{"watch", check_reason, &watch_reason},
	{"driver", check_reason, &driver_reason},
};
static const struct health_check ready[] = {{"synced", check_reason, &driver_reason}};

static void page(void *context, const struct http_request *request, struct http_reply *reply)
{
	const char *name = http_endpoint_query(request, "name");

	reply->status = 202;
	reply->content_type = "text/html";
	fprintf(reply->body, "%s for %s%s", (const char *)context, name ? name : "nobody",
		http_endpoint_query(request, "loud") ? "!" : "");
}

static void large_page(void *context, const struct http_request *request, struct http_reply *reply)
{
	(void)context;
	(void)request;
	for (int i = 0; i < 8000000; i++)
		fputc('x', reply->body);
}

static char title[] = "a page";
static const struct http_route routes[] = {
	{"/page", page, .context = title}, {"/large", large_page, .context = NULL}};

static struct http_endpoint *start(struct metrics *metrics, int timeout_ms)
{
	struct http_endpoint *endpoint = NULL;
	struct error err = {0};

	driver_reason = watch_reason = NULL;
	if (http_endpoint_new(&(struct http_endpoint_options){.address = "127.0.0.1:0",
				      .metrics = metrics,
				      .live = live,
				      .live_count = ARRAY_SIZE(live),
				      .ready = ready,
				      .ready_count = ARRAY_SIZE(ready),
				      .routes = routes,
				      .route_count = ARRAY_SIZE(routes),
				      .timeout_ms = timeout_ms},
		    &endpoint, &err) < 0)
		fail_msg("%s", err.text);
	return endpoint;
}

static int connect_to(int port)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = {.tv_sec = 20};

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* All that comes until the peer ends the connection, which it must; caller frees. */
static char *read_all(int fd)
{
	char *answer = calloc(1, ANSWER_MAX);
	size_t length = 0;
	ssize_t got;

	assert_non_null(answer);
	while ((got = recv(fd, answer + length, ANSWER_MAX - length - 1, 0)) > 0)
		length += (size_t)got;
	if (got < 0 && errno != ECONNRESET)
		fail_msg("the connection does not end");
	return answer;
}

/* What the endpoint says to REQUEST, from "HTTP/1.1" on. Caller frees. */
static char *talk(const struct http_endpoint *endpoint, const char *request)
{
	_cleanup_close_ int fd = connect_to(http_endpoint_port(endpoint));

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return read_all(fd);
}

/* That METHOD PATH is answered with STATUS, and a body that is BODY, or any where it is NULL. */
static void assert_answer(const struct http_endpoint *endpoint, const char *method,
	const char *path, const char *status, const char *header, const char *body)
{
	_cleanup_free_ char *request = NULL, *answer = NULL, *line = NULL;
	const char *end;

	assert_true(asprintf(&request, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path) > 0);
	assert_true(asprintf(&line, "HTTP/1.1 %s ", status) > 0);
	answer = talk(endpoint, request);
	if (strncmp(answer, line, strlen(line)) != 0 || (header && !strstr(answer, header)))
		fail_msg("%s %s: %s", method, path, answer);
	end = strstr(answer, "\r\n\r\n");
	assert_non_null(end);
	if (body)
		assert_case_text(path, end + 4, body);
}

static void test_pages(void **state)
{
	static const struct {
		const char *method, *path, *status, *header, *body;
	} rows[] = {
		{"GET", "/metrics", "200", "Content-Type: text/plain; version=0.0.4",
			"# HELP ordinal_events_sent_total "
			"Writes of Kubernetes events that succeeded.\n"
			"# TYPE ordinal_events_sent_total counter\n"
			"ordinal_events_sent_total 3\n"},
		{"HEAD", "/metrics", "200", "Content-Length: 146", ""},
		{"GET", "/page", "202", "Content-Type: text/html", "a page for nobody"},
		{"GET", "/page?name=J%20D&loud", "202", NULL, "a page for J D!"},
		{"GET", "/", "404", "Connection: close", "there is no such page\n"},
		{"GET", "/metricsx", "404", NULL, NULL},
		{"GET", "/metrics/", "404", NULL, NULL},
		{"GET", "/page/../metrics", "404", NULL, NULL},
		{"HEAD", "/nothing", "404", NULL, ""},
		{"POST", "/metrics", "405", "Allow: GET, HEAD", "GET and HEAD only\n"},
		{"DELETE", "/page", "405", "Allow: GET, HEAD", NULL},
		{"PURR", "/healthz", "405", "Allow: GET, HEAD", NULL},
	};
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(metrics, 0);

	(void)state;
	metrics_add(metrics, METRIC_EVENTS_SENT, 3);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_answer(endpoint, rows[i].method, rows[i].path, rows[i].status,
			rows[i].header, rows[i].body);
}

static void test_checks(void **state)
{
	static const struct {
		const char *watch, *driver, *path, *status, *body;
	} rows[] = {
		{NULL, NULL, "/healthz", "200", "ok\n"},
		{NULL, NULL, "/healthz/", "200", "ok\n"},
		{NULL, NULL, "/healthz?verbose", "200", "[+]watch ok\n[+]driver ok\nok\n"},
		{NULL, NULL, "/healthz/driver", "200", "ok\n"},
		{NULL, NULL, "/healthz/nobody", "404", NULL},
		{NULL, NULL, "/healthzz", "404", NULL},
		{NULL, NULL, "/readyz", "200", "ok\n"},
		{NULL, "it is away", "/healthz", "500", "driver: it is away\n"},
		{NULL, "it is away", "/healthz/watch", "200", "ok\n"},
		{NULL, "it is away", "/healthz/driver", "500", "driver: it is away\n"},
		{NULL, "it is away", "/readyz", "500", "synced: it is away\n"},
		{NULL, "it is away", "/readyz/driver", "404", NULL},
		{"cut", "away", "/healthz", "500", "watch: cut\ndriver: away\n"},
		{"cut", NULL, "/healthz?verbose", "500", "[-]watch: cut\n[+]driver ok\n"},
	};
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(NULL, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		watch_reason = rows[i].watch;
		driver_reason = rows[i].driver;
		assert_answer(endpoint, "GET", rows[i].path, rows[i].status, NULL, rows[i].body);
	}
	assert_answer(endpoint, "GET", "/metrics", "404", NULL, NULL);
}

/* What is no request, or one that does not end, ends the connection, and only that. */
static void test_hostile(void **state)
{
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(NULL, 1000);
	static const char *const requests[] = {
		"\r\n\r\n\r\n",
		"GET\r\n\r\n",
		"GET /healthz HTTP/9.9\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc",
		"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
	};
	_cleanup_free_ char *large = malloc(1000000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_close_ int fd = connect_to(http_endpoint_port(endpoint));

		send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		free(read_all(fd));
	}
	memset(large, 'a', 999999);
	large[999999] = '\0';
	for (size_t i = 0; i < 2; i++) {
		_cleanup_close_ int fd = connect_to(http_endpoint_port(endpoint));
		const char *start_of = i ? "GET / HTTP/1.1\r\nX: " : "GET /";

		send(fd, start_of, strlen(start_of), MSG_NOSIGNAL);
		send(fd, large, strlen(large), MSG_NOSIGNAL);
		free(read_all(fd));
	}
	assert_answer(endpoint, "GET", "/healthz", "200", NULL, "ok\n");
}

static void *trickle(void *context)
{
	const struct timespec pause = {0, 5000000};
	int fd = *(int *)context;

	while (send(fd, "a", 1, MSG_NOSIGNAL) == 1)
		nanosleep(&pause, NULL);
	return NULL;
}

/* Peers that say nothing, that say a byte now and then, and that do not read: all are let go. */
static void test_slow_clients(void **state)
{
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(NULL, 1000);
	_cleanup_close_ int silent = -1, slow = -1, deaf = -1;
	_cleanup_free_ char *nothing = NULL, *also_nothing = NULL;
	static const char start_of[] = "GET /", whole[] = "GET /large HTTP/1.0\r\n\r\n";
	char buffer[4096];
	pthread_t thread;
	size_t got = 0;
	ssize_t length;

	(void)state;
	silent = connect_to(http_endpoint_port(endpoint));
	slow = connect_to(http_endpoint_port(endpoint));
	deaf = connect_to(http_endpoint_port(endpoint));
	send(slow, start_of, strlen(start_of), MSG_NOSIGNAL);
	send(deaf, whole, strlen(whole), MSG_NOSIGNAL);
	assert_int_equal(pthread_create(&thread, NULL, trickle, &slow), 0);
	pthread_join(thread, NULL); /* it is let go */
	nothing = read_all(silent);
	also_nothing = read_all(slow);
	assert_string_equal(nothing, "");
	while ((length = recv(deaf, buffer, sizeof(buffer), 0)) > 0)
		got += (size_t)length;
	assert_true(length == 0 || errno == ECONNRESET);
	assert_true(got < 8000000);
}

/* More silent connections than there may be: whoever comes after them is served once they are
 * over. */
static void test_crowd(void **state)
{
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(NULL, 1000);
	int fds[60];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_to(http_endpoint_port(endpoint));
	assert_answer(endpoint, "GET", "/healthz", "200", NULL, "ok\n");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void *ask_often(void *context)
{
	for (int i = 0; i < 50; i++) {
		_cleanup_free_ char *answer =
			talk(context, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");

		if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
			return answer;
	}
	return NULL;
}

static void test_threads(void **state)
{
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(metrics, 0);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, endpoint), 0);
	for (int i = 0; i < 10000; i++)
		metrics_add(metrics, METRIC_EVENTS_SENT, 1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = {"", ":", "8080", "127.0.0.1", "127.0.0.1:", ":x",
		":80808", ":65536", "::1:80", "[::1]", "[::1]80", "[:80", "]:80", "[]:80",
		"127.0.0.1:80/x", "127.0.0.1:-1", "999.0.0.1:0", "a b:0", "http://127.0.0.1:80"};
	static const char *const right[] = {":0", "127.0.0.1:0", "localhost:0", "0.0.0.0:0"};
	struct error err;
	int fd, port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_case(wrong[i], http_listen(wrong[i], &fd, &port, &err) < 0);
		assert_case(wrong[i], err.kind == ERROR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		assert_case(right[i], http_listen(right[i], &fd, &port, &err) == 0);
		assert_case(right[i], port > 0);
		if (strncmp(right[i], "localhost", 9))
			close(connect_to(port));
		close(fd);
	}
}

/* Where the machine has IPv6, and only there. */
static void test_ipv6(void **state)
{
	const struct sockaddr_in6 loopback = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	_cleanup_close_ int probe = socket(AF_INET6, SOCK_STREAM, 0);
	bool there = probe >= 0 &&
		     bind(probe, (const struct sockaddr *)&loopback, sizeof(loopback)) == 0;
	int fd = -1, port;

	(void)state;
	assert_int_equal(http_listen("[::1]:0", &fd, &port, NULL), there ? 0 : -1);
	if (there)
		close(fd);
}

static void test_address_in_use(void **state)
{
	_cleanup_endpoint_ struct http_endpoint *endpoint = start(NULL, 0);
	struct http_endpoint *second = NULL;
	struct error err;
	char address[32];

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%d", http_endpoint_port(endpoint));
	assert_int_equal(http_endpoint_new(&(struct http_endpoint_options){.address = address},
				 &second, &err),
		-1);
	assert_null(second);
	assert_non_null(strstr(err.text, address));
	assert_int_equal(err.errnum, EADDRINUSE);
}

/* Freed while connections are there, at any point of theirs. */
static void test_end_with_visitors(void **state)
{
	struct http_endpoint *endpoint = start(NULL, 0);
	_cleanup_close_ int silent = connect_to(http_endpoint_port(endpoint));
	_cleanup_close_ int half = connect_to(http_endpoint_port(endpoint));
	_cleanup_free_ char *nothing = NULL;

	(void)state;
	send(half, "GET /hea", 8, MSG_NOSIGNAL);
	assert_answer(endpoint, "GET", "/healthz", "200", NULL, "ok\n");
	http_endpoint_free(endpoint);
	nothing = read_all(half);
	assert_string_equal(nothing, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_address_in_use),
		cmocka_unit_test(test_end_with_visitors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
