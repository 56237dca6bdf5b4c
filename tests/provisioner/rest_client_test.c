/* SPDX-License-Identifier: Apache-2.0 */
#include "rest_client.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "http_server.h"
#include "testing.h"

/* A server with a script, and a client of it. */
struct fixture {
	struct http_server *server;
	struct kube_config config;
	struct rest_client *client;
	struct error err;
};

static void begin(struct fixture *fixture, const struct http_step *steps, size_t count)
{
	*fixture = (struct fixture){.server = http_server_start(steps, count)};
	fixture->config.server = (char *)http_server_url(fixture->server);
	fixture->client = rest_client_new(&fixture->config);
}

static void end(struct fixture *fixture)
{
	rest_client_free(fixture->client);
	http_server_stop(fixture->server);
}

static int request(struct fixture *fixture, const char *method, const char *path,
	struct json_object **ret_body)
{
	struct kube_api api = rest_client_api(fixture->client);
	struct rest_request request = {.method = method, .path = path};

	fixture->err = (struct error){0};
	return api.call(api.self, &request, ret_body, &fixture->err);
}

/* What a server behind the API server's proxy is asked, and answers. */
static void test_through_a_proxy(void **state)
{
	static const struct http_step steps[] = {{"DELETE /p", 204, NULL, "", 0, 0, 0}};
	const struct rest_request request = {
		.method = "DELETE", .path = "/p", .header = "X-Ordinal-Token: t"};
	struct json_object *body = (void *)"untouched";
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 1);
	api = rest_client_api(fixture.client);
	assert_int_equal(api.call(api.self, &request, &body, &fixture.err), 0);
	assert_null(body);
	assert_non_null(strstr(http_server_seen(fixture.server, 0), "\r\nX-Ordinal-Token: t\r\n"));
	end(&fixture);
}

static void test_get(void **state)
{
	static const struct http_step steps[] = {{"GET /a?b=c", 200, NULL, "{'x': 1}", 0, 0, 0}};
	struct json_object *body = NULL;
	struct fixture fixture;
	const char *seen;

	(void)state;
	begin(&fixture, steps, 1);
	assert_int_equal(request(&fixture, "GET", "/a?b=c", &body), 0);
	assert_string_equal(json_object_to_json_string_ext(body, 0), "{\"x\":1}");
	json_object_put(body);
	seen = http_server_seen(fixture.server, 0);
	assert_non_null(strstr(seen, "GET /a?b=c HTTP/1.1\r\n"));
	assert_non_null(strstr(seen, "\r\nUser-Agent: ordinal-provisioner/"));
	assert_null(strstr(seen, "Authorization"));
	assert_null(strstr(seen, "Content-Type"));
	end(&fixture);
}

static void test_write(void **state)
{
	static const struct http_step steps[] = {{"", 201, NULL, "{}", 0, 0, true}};
	struct fixture fixture;
	struct json_object *body = json_of("{'a': '/\303\274'}");
	struct rest_request requests[] = {{.method = "POST", .path = "/x", .body = body},
		{.method = "PATCH",
			.path = "/x",
			.content_type = "application/merge-patch+json",
			.body = body},
		{.method = "DELETE", .path = "/x"}};
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 1);
	api = rest_client_api(fixture.client);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		assert_int_equal(api.call(api.self, &requests[i], NULL, NULL), 0);
	json_object_put(body);
	assert_non_null(strstr(http_server_seen(fixture.server, 0), "POST /x "));
	assert_non_null(strstr(
		http_server_seen(fixture.server, 0), "\r\nContent-Type: application/json\r\n"));
	assert_non_null(
		strstr(http_server_seen(fixture.server, 0), "\r\n\r\n{\"a\":\"\\/\303\274\"}"));
	assert_null(strstr(http_server_seen(fixture.server, 0), "Expect"));
	assert_non_null(strstr(http_server_seen(fixture.server, 1),
		"\r\nContent-Type: application/merge-patch+json\r\n"));
	assert_non_null(strstr(http_server_seen(fixture.server, 2), "DELETE /x "));
	assert_null(strstr(http_server_seen(fixture.server, 2), "Content-"));
	end(&fixture);
}

/* Of an answer that nobody reads, or of which the metadata will do, they are all that is asked
 * for; that to DELETE is short anyhow. */
static void test_short_answer(void **state)
{
	static const struct http_step steps[] = {{"", 200, NULL, "{}", 0, 0, true}};
	static const char wanted[] =
		"\r\nAccept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, "
		"application/json\r\n";
	static const struct {
		const char *method;
		bool reads, metadata_only, asks;
	} cases[] = {{"POST", false, false, true}, {"PATCH", true, true, true},
		{"POST", true, false, false}, {"DELETE", false, true, false}};
	struct json_object *body = json_of("{}"), *answer = NULL;
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 1);
	api = rest_client_api(fixture.client);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rest_request request = {.method = cases[i].method,
			.path = "/x",
			.body = body,
			.metadata_only = cases[i].metadata_only};
		const char *seen;

		assert_int_equal(
			api.call(api.self, &request, cases[i].reads ? &answer : NULL, NULL), 0);
		json_object_put(take_ptr(answer));
		seen = strstr(http_server_seen(fixture.server, i), wanted);
		assert_int_equal(seen != NULL, cases[i].asks);
	}
	json_object_put(body);
	end(&fixture);
}

/* A handle that sent a body before must send none when it is used again, nor its headers. */
static void test_handles_forget(void **state)
{
	static const struct http_step steps[] = {{"", 200, NULL, "{}", 0, 0, true}};
	struct json_object *body = json_of("{'a': 1}");
	struct rest_request post = {
		.method = "POST", .path = "/x", .content_type = "application/a", .body = body};
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 1);
	api = rest_client_api(fixture.client);
	assert_int_equal(api.call(api.self, &post, NULL, NULL), 0);
	json_object_put(body);
	assert_int_equal(request(&fixture, "GET", "/y", NULL), 0);
	assert_null(strstr(http_server_seen(fixture.server, 1), "application/a"));
	assert_null(strstr(http_server_seen(fixture.server, 1), "Content-Length"));
	assert_int_equal(http_server_connections(fixture.server), 1);
	end(&fixture);
}

#define STATUS(reason, message)                                                                    \
	"{'kind': 'Status', 'reason': '" reason "', 'message': '" message "'}"

static const struct {
	const char *name;
	struct http_step step;
	enum error_kind kind;
	const char *text; /* behind "GET /x: " */
} answers[] = {
	{"not found", {"", 404, NULL, STATUS("NotFound", "pv gone"), 0, 0, 0}, ERROR_NOT_FOUND,
		"pv gone"},
	{"a proxy's 404", {"", 404, NULL, "<html>", 0, 0, 0}, ERROR_UNAVAILABLE,
		"the API server answered with HTTP status 404: it does not serve that kind of "
		"object"},
	{"an empty 404", {"", 404, NULL, "", 0, 0, 0}, ERROR_UNAVAILABLE,
		"the API server answered with HTTP status 404: it does not serve that kind of "
		"object"},
	{"404 with another reason", {"", 404, NULL, STATUS("", "no such API"), 0, 0, 0},
		ERROR_UNAVAILABLE, "no such API"},
	{"exists", {"", 409, NULL, STATUS("AlreadyExists", "there"), 0, 0, 0}, ERROR_ALREADY_EXISTS,
		"there"},
	{"conflict", {"", 409, NULL, STATUS("Conflict", "changed"), 0, 0, 0}, ERROR_CONFLICT,
		"changed"},
	{"forbidden", {"", 403, NULL, STATUS("Forbidden", "no"), 0, 0, 0}, ERROR_FORBIDDEN, "no"},
	{"invalid", {"", 422, NULL, STATUS("Invalid", "bad"), 0, 0, 0}, ERROR_INVALID, "bad"},
	{"bad request", {"", 400, NULL, STATUS("BadRequest", "bad"), 0, 0, 0}, ERROR_INVALID,
		"bad"},
	{"expired", {"", 410, NULL, STATUS("Expired", "old"), 0, 0, 0}, ERROR_EXPIRED, "old"},
	{"overloaded",
		{"", 503, "Retry-After: 1\r\n", STATUS("ServiceUnavailable", "later"), 0, 0, 0},
		ERROR_UNAVAILABLE, "later"},
	{"gateway timeout", {"", 504, NULL, STATUS("Timeout", "late"), 0, 0, 0}, ERROR_TIMEOUT,
		"late"},
	{"internal", {"", 500, NULL, "oops", 0, 0, 0}, ERROR_UNAVAILABLE,
		"the API server answered with HTTP status 500"},
	{"proxy error", {"", 502, NULL, "<html>Bad Gateway</html>", 0, 0, 0}, ERROR_UNAVAILABLE,
		"the API server answered with HTTP status 502"},
	{"redirect", {"", 302, "Location: http://127.0.0.1:1/\r\n", "{}", 0, 0, 0}, ERROR_INTERNAL,
		"the API server answered with HTTP status 302"},
	{"message of a wrong type", {"", 403, NULL, "{'message': 7}", 0, 0, 0}, ERROR_FORBIDDEN,
		"the API server answered with HTTP status 403"},
	{"not JSON", {"", 200, NULL, "<html>Welcome</html>", 0, 0, 0}, ERROR_INTERNAL,
		"the API server's answer is not JSON"},
	{"nothing", {"", 200, NULL, "", 0, 0, 0}, ERROR_INTERNAL,
		"the API server's answer is not JSON"},
	{"half of it", {"", 200, NULL, "{'a': [1, 2", 0, 0, 0}, ERROR_INTERNAL,
		"the API server's answer is not JSON"},
	{"text behind it", {"", 200, NULL, "{'a': 1} x", 0, 0, 0}, ERROR_INTERNAL,
		"the API server's answer is not JSON"},
	{"invalid UTF-8", {"", 200, NULL, "{'a': '\xff'}", 0, 0, 0}, ERROR_INTERNAL,
		"the API server's answer is not JSON"},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct json_object *body = NULL;
		struct fixture fixture;
		char text[256];

		begin(&fixture, &answers[i].step, 1);
		assert_case(answers[i].name, request(&fixture, "GET", "/x", &body) == -1);
		assert_case(answers[i].name, fixture.err.kind == answers[i].kind);
		snprintf(text, sizeof(text), "GET /x: %s", answers[i].text);
		assert_case_text(answers[i].name, fixture.err.text, text);
		assert_case(answers[i].name, http_server_requests(fixture.server) == 1 && !body);
		end(&fixture);
	}
}

/* No answer at all, or not to its end: it is not known what happened. */
static void test_no_answer(void **state)
{
	static const struct http_step steps[] = {
		{"", 0, NULL, "{'a': ", HTTP_CUT, 0, 0}, {"", 0, NULL, NULL, HTTP_REFUSE, 0, 0}};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		begin(&fixture, &steps[i], 1);
		assert_int_equal(request(&fixture, "GET", "/x", NULL), -1);
		assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
		assert_non_null(strstr(fixture.err.text, "GET /x: API server http://127.0.0.1:"));
		end(&fixture);
	}
	begin(&fixture, NULL, 0);
	http_server_pause(fixture.server, true);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	http_server_pause(fixture.server, false);
	end(&fixture);
}

static void test_too_long(void **state)
{
	static const struct http_step steps[] = {
		{"", 200, NULL, "                                ", HTTP_ENDLESS, 0, 0}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_INTERNAL);
	assert_non_null(strstr(fixture.err.text, "answer is over 16777216 bytes"));
	end(&fixture);
}

/* Whatever the pieces are, and wherever they cut a character. */
static void test_pieces(void **state)
{
	struct http_step step = {
		"", 200, NULL, "{'a': ['gr\303\274n', '\342\202\254', 7]}\n", HTTP_CHUNKED, 0, 0};

	(void)state;
	for (step.piece = 1; step.piece < 40; step.piece++) {
		struct json_object *body = NULL;
		struct fixture fixture;

		begin(&fixture, &step, 1);
		assert_int_equal(request(&fixture, "GET", "/x", &body), 0);
		assert_string_equal(json_object_to_json_string_ext(body, 0),
			"{\"a\":[\"gr\303\274n\",\"\342\202\254\",7]}");
		json_object_put(body);
		end(&fixture);
	}
}

static void test_connection_is_kept(void **state)
{
	static const struct http_step steps[] = {{"", 200, NULL, "{}", 0, 0, true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(request(&fixture, "GET", "/x", NULL), 0);
	assert_int_equal(http_server_connections(fixture.server), 1);
	/* The server closed it in the meantime. */
	http_server_pause(fixture.server, true);
	http_server_pause(fixture.server, false);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), 0);
	assert_int_equal(http_server_connections(fixture.server), 2);
	end(&fixture);
}

/* Connections that were not used for long are closed; others are not. */
static void test_trim(void **state)
{
	static const struct http_step steps[] = {{"", 200, NULL, "{}", 0, 0, true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), 0);
	rest_client_trim(fixture.client, 3600000);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), 0);
	assert_int_equal(http_server_connections(fixture.server), 1);
	rest_client_trim(fixture.client, 0);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), 0);
	assert_int_equal(http_server_connections(fixture.server), 2);
	end(&fixture);
}

/* A file's token, replaced: asked once more with the new one, and with that from then on. */
static void test_token_is_replaced(void **state)
{
	static const struct http_step steps[] = {{"/a", 200, NULL, "{}", 0, 0, 0},
		{"/b", 401, NULL, STATUS("Unauthorized", "old"), 0, 0, 0},
		{"", 200, NULL, "{}", 0, 0, true}};
	char *folder = make_folder();
	_cleanup_free_ char *token = write_file(folder, "token", "first\n");
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 3);
	fixture.config.token_file = token;
	assert_int_equal(request(&fixture, "GET", "/a", NULL), 0);
	free(write_file(folder, "token", "second\n"));
	assert_int_equal(request(&fixture, "GET", "/b", NULL), 0);
	assert_int_equal(request(&fixture, "GET", "/c", NULL), 0);
	for (size_t i = 0; i < 4; i++)
		assert_non_null(strstr(http_server_seen(fixture.server, i),
			i < 2 ? "\r\nAuthorization: Bearer first\r\n"
			      : "\r\nAuthorization: Bearer second\r\n"));
	end(&fixture);
	remove_folder(folder);
}

static void test_unauthorized(void **state)
{
	static const struct http_step steps[] = {
		{"", 401, NULL, STATUS("Unauthorized", "who"), 0, 0, true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	fixture.config.token = (char *)"wrong";
	assert_int_equal(request(&fixture, "GET", "/x", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAUTHORIZED);
	assert_int_equal(http_server_requests(fixture.server), 2);
	end(&fixture);
}

/* A token file that is missing must not look like an object that is. */
static void test_no_token(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, NULL, 0);
	fixture.config.token_file = (char *)"/nowhere/token";
	assert_int_equal(request(&fixture, "GET", "/x", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_string_equal(
		fixture.err.text, "GET /x: token file /nowhere/token: No such file or directory");
	assert_int_equal(http_server_requests(fixture.server), 0);
	end(&fixture);
}

#define BUSY(seconds)                                                                              \
	{                                                                                          \
		"", 429, "Retry-After: " seconds "\r\n", STATUS("TooManyRequests", "slow"), 0, 0,  \
			0                                                                          \
	}

/* What was refused for now was not begun: it is sent again, whatever it is. */
static void test_busy_is_repeated(void **state)
{
	static const struct http_step steps[] = {
		BUSY("0"), BUSY("1"), BUSY("0"), {"", 200, NULL, "{'x': 1}", 0, 0, 0}};
	struct fixture fixture;
	struct timespec before, after;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(request(&fixture, "POST", "/x", NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(http_server_requests(fixture.server), 4);
	for (size_t i = 0; i < 4; i++)
		assert_non_null(strstr(http_server_seen(fixture.server, i), "POST /x "));
	/* The second that was asked for was waited for: no wait is shorter. */
	assert_true((after.tv_sec - before.tv_sec) * 1000 +
			    (after.tv_nsec - before.tv_nsec) / 1000000 >=
		    999);
	assert_true(rest_client_limits(fixture.client).limit < 8);
	end(&fixture);
}

static void test_busy_for_long(void **state)
{
	static const struct http_step steps[] = {
		{"", 429, "Retry-After: 0\r\n", STATUS("TooManyRequests", "slow"), 0, 0, true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	assert_int_equal(request(&fixture, "DELETE", "/x", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_TOO_MANY_REQUESTS);
	assert_string_equal(fixture.err.text, "DELETE /x: slow");
	assert_int_equal(http_server_requests(fixture.server), 4);
	assert_int_equal(rest_client_limits(fixture.client).under_way, 0);
	end(&fixture);
}

/* While the server wants patience no request starts: one whose time is over before fails, and says
 * that it was not sent. */
static void test_patience(void **state)
{
	static const struct http_step steps[] = {
		{"", 503, "Retry-After: 3600\r\n", STATUS("Down", "later"), 0, 0, 0}};
	struct rest_request soon = {.method = "GET", .path = "/y", .timeout_ms = 20};
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 1);
	api = rest_client_api(fixture.client);
	assert_int_equal(request(&fixture, "GET", "/x", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(api.call(api.self, &soon, NULL, &fixture.err), -1);
	assert_int_equal(fixture.err.kind, ERROR_TOO_MANY_REQUESTS);
	assert_non_null(strstr(fixture.err.text, "GET /y: not sent: "));
	soon.low_priority = true;
	assert_int_equal(api.call(api.self, &soon, NULL, &fixture.err), -1);
	assert_int_equal(http_server_requests(fixture.server), 1);
	end(&fixture);
}

/* The limit of the whole call, and not of each attempt. */
static void test_timeout(void **state)
{
	static const struct http_step steps[] = {{"", 0, NULL, NULL, HTTP_SILENT, 0, 0}};
	struct rest_request soon = {.method = "GET", .path = "/x", .timeout_ms = 50};
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 1);
	api = rest_client_api(fixture.client);
	assert_int_equal(api.call(api.self, &soon, NULL, &fixture.err), -1);
	assert_int_equal(fixture.err.kind, ERROR_TIMEOUT);
	assert_int_equal(http_server_requests(fixture.server), 1);
	end(&fixture);
}

/* What the observer was told: "GET 200 POST 0 ". */
struct observed {
	char text[256];
	bool negative;
};

static void note(void *context, const char *method, int status, double seconds)
{
	struct observed *observed = context;
	size_t length = strlen(observed->text);

	snprintf(
		observed->text + length, sizeof(observed->text) - length, "%s %d ", method, status);
	observed->negative |= seconds < 0;
}

static void test_observer(void **state)
{
	static const struct http_step steps[] = {{"GET", 200, NULL, "{}", 0, 0, 0},
		{"POST", 409, NULL, "{}", 0, 0, 0}, {"PATCH", 0, NULL, NULL, HTTP_REFUSE, 0, 0},
		{"DELETE", 401, NULL, "{}", 0, 0, 0}, {"DELETE", 200, NULL, "{}", 0, 0, 0}};
	static const char *const methods[] = {"PATCH", "GET", "POST", "DELETE"};
	struct observed observed = {.text = ""};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	rest_client_observe(fixture.client, note, &observed);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		request(&fixture, methods[i], "/x", NULL);
	assert_string_equal(observed.text, "PATCH 0 GET 200 POST 409 DELETE 401 DELETE 200 ");
	assert_false(observed.negative);
	end(&fixture);
}

static void test_ipv6(void **state)
{
	static const struct http_step steps[] = {{"GET /x", 200, NULL, "{}", 0, 0, 0}};
	struct http_server *server = http_server_start_ipv6(steps, 1);
	struct kube_config config = {.server = (char *)http_server_url(server)};
	struct rest_client *client = rest_client_new(&config);
	struct kube_api api = rest_client_api(client);
	struct rest_request get = {.method = "GET", .path = "/x"};

	(void)state;
	assert_non_null(strstr(config.server, "http://[::1]:"));
	assert_int_equal(api.call(api.self, &get, NULL, NULL), 0);
	assert_non_null(strstr(http_server_seen(server, 0), "Host: [::1]:"));
	rest_client_free(client);
	http_server_stop(server);
}

static void *request_often(void *context)
{
	struct kube_api api = rest_client_api(context);
	struct rest_request get = {.method = "GET", .path = "/x"};
	intptr_t failures = 0;

	for (int i = 0; i < 20; i++)
		failures += api.call(api.self, &get, NULL, NULL) < 0;
	return (void *)failures;
}

static void test_many_threads(void **state)
{
	static const struct http_step steps[] = {{"", 200, NULL, "{}", 0, 0, true}};
	struct fixture fixture;
	pthread_t threads[8];
	void *failures;

	(void)state;
	begin(&fixture, steps, 1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, request_often, fixture.client);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &failures);
		assert_null(failures);
	}
	assert_int_equal(http_server_requests(fixture.server), 160);
	assert_true(http_server_connections(fixture.server) <= 8);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_through_a_proxy),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_short_answer),
		cmocka_unit_test(test_handles_forget),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_token_is_replaced),
		cmocka_unit_test(test_unauthorized),
		cmocka_unit_test(test_no_token),
		cmocka_unit_test(test_busy_is_repeated),
		cmocka_unit_test(test_busy_for_long),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_observer),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_many_threads),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
