/* SPDX-License-Identifier: Apache-2.0 */
#include "archives_page.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "api_faults.h"
#include "api_server.h"
#include "csi_fixture.h"
#include "http_talk.h"
#include "json_access.h"
#include "lease_pair.h"
#include "names.h"
#include "testing.h"

#define TOKEN_REVIEW  "/apis/authentication.k8s.io/v1/tokenreviews"
#define ACCESS_REVIEW "/apis/authorization.k8s.io/v1/subjectaccessreviews"
#define LIST          "ListSnapshots"
#define DELETE        "DeleteSnapshot"

/* The endpoint between an API server and a driver. */
static struct stage {
	struct api_objects *objects;
	struct api_server *server;
	struct kube_config config;
	struct rest_client *client;
	struct archives_page *page;
	struct http_endpoint *endpoint;
	pthread_mutex_t lock;          /* guards all below */
	const char *identity, *access; /* what the reviews' status is: JSON with ' for " */
	struct api_fault identity_fault, access_fault;
	char *asked; /* the last access review's spec */
} stage;

static const struct api_fault no_fault = {API_FAULT_NONE, 0};

static void set_reviews(const char *identity, const char *access)
{
	pthread_mutex_lock(&stage.lock);
	stage.identity = identity;
	stage.access = access;
	pthread_mutex_unlock(&stage.lock);
}

static void set_faults(struct api_fault identity, struct api_fault access)
{
	pthread_mutex_lock(&stage.lock);
	stage.identity_fault = identity;
	stage.access_fault = access;
	pthread_mutex_unlock(&stage.lock);
}

/* The last access review's spec is, or holds, TEXT. */
static void check_asked(const char *text)
{
	pthread_mutex_lock(&stage.lock);
	if (!stage.asked || !strstr(stage.asked, text))
		fail_msg("asked was %s", stage.asked ? stage.asked : "nothing");
	pthread_mutex_unlock(&stage.lock);
}

static struct api_answer review(void *context, const struct api_request *request)
{
	bool identifies = strstr(request->path, "tokenreviews") != NULL;
	struct json_object *body = json_tokener_parse(request->body);
	struct json_object *spec = json_member(body, "spec", json_type_object);
	const char *token = json_string(spec, "token");
	struct json_object *answer = json_object_new_object();
	struct api_answer result = {.code = 201};
	const char *status;

	(void)context;
	pthread_mutex_lock(&stage.lock);
	status = identifies ? stage.identity : stage.access;
	if (!identifies) {
		free(stage.asked);
		stage.asked = strdup(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN));
	}
	pthread_mutex_unlock(&stage.lock);
	if (identifies && (!token || strcmp(token, "good") != 0))
		status = "{'authenticated': false, 'user': {'username': 'nobody'}}";
	json_object_object_add(answer, "status", json_of(status));
	result.text = api_text_of(answer);
	json_object_put(answer);
	json_object_put(body);
	return result;
}

static struct api_fault decide(void *context, const struct api_request *request, bool applied)
{
	struct api_fault fault;

	(void)context;
	pthread_mutex_lock(&stage.lock);
	fault = strstr(request->path, "tokenreviews") ? stage.identity_fault : stage.access_fault;
	pthread_mutex_unlock(&stage.lock);
	return applied ? no_fault : fault;
}

/* Serve DRIVER's archives. */
static void open_page(const struct csi_driver *driver, const struct lease *lease)
{
	struct http_endpoint_options options = {.address = "127.0.0.1:0"};
	const struct kube_api api = rest_client_api(stage.client);
	struct error err = {0};

	stage.page = archives_page_new(&api, driver, lease);
	options.routes = archives_page_route(stage.page);
	options.route_count = 1;
	if (http_endpoint_new(&options, &stage.endpoint, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_page(void)
{
	if (stage.endpoint)
		http_endpoint_free(stage.endpoint);
	if (stage.page)
		archives_page_free(stage.page);
	stage.endpoint = NULL;
	stage.page = NULL;
}

static int set_up(void **state)
{
	static const struct api_server_options options = {.decide = decide, .proxy = review};

	stage = (struct stage){
		.identity = "{'authenticated': true, 'user': {'username': 'ann', 'uid': '7',"
			    " 'groups': ['a', 'b'], 'extra': {'k': ['v']}}}",
		.access = "{'allowed': true}"};
	pthread_mutex_init(&stage.lock, NULL);
	stage.objects = api_objects_new(NULL);
	stage.server = api_server_start(stage.objects, &options);
	stage.config.server = (char *)api_server_url(stage.server);
	stage.client = rest_client_new(&stage.config);
	return csi_fixture_set_up(state);
}

static int tear_down(void **state)
{
	close_page();
	rest_client_free(stage.client);
	api_server_stop(stage.server);
	api_objects_free(stage.objects);
	pthread_mutex_destroy(&stage.lock);
	free(stage.asked);
	return csi_fixture_tear_down(state);
}

/* The scripted driver as ours, with COUNT archives: "h1", which has no bytes, "h2", ... */
static void start_driver(int count)
{
	csi_fixture.options.manifest = ORDINAL_MANIFEST_VALUE;
	csi_fixture.options.capabilities = "controller,create-delete,snapshots,list-snapshots";
	csi_fixture.options.page_entries = 3;
	csi_fixture_ready(10000);
	csi_fixture_create_many(count);
}

#define GOOD "X-Ordinal-Token: good\r\n"

static int port(void)
{
	return http_endpoint_port(stage.endpoint);
}

static int status_of(const char *answer)
{
	int status = 0;

	sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

/* That LINE is answered with STATUS, and with TEXT somewhere, which may be NULL. */
static void check(
	const char *name, const char *line, const char *headers, int status, const char *text)
{
	_cleanup_free_ char *answer = http_talk(port(), line, headers);

	if (status_of(answer) != status || (text && !strstr(answer, text)))
		fail_msg("%s: %s", name, answer);
}

static struct json_object *json_in(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	struct json_object *json = body ? json_tokener_parse(body + 4) : NULL;

	assert_non_null(json);
	return json;
}

/* All pages of the driver, in one list. */
static void test_list(void **state)
{
	_cleanup_free_ char *answer = NULL;
	struct json_object *json, *list, *last;

	(void)state;
	start_driver(8);
	open_page(&csi_fixture.driver, NULL);
	answer = http_talk(port(), "GET /archives", GOOD);
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
	json = json_in(answer);
	list = json_member(json, "archives", json_type_array);
	assert_int_equal(json_object_array_length(list), 8);
	last = json_object_array_get_idx(list, 7);
	assert_string_equal(json_object_to_json_string_ext(
				    last, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		"{\"id\":\"h8\",\"volume\":\"h8\",\"size\":7,\"created\":\"2023-11-14T22:13:20Z\","
		"\"ready\":true,\"path\":\"h8\"}");
	json_object_put(json);
	assert_int_equal(scripted_driver_count(csi_fixture.server, LIST), 3);
	check_asked(
		"{\"resourceAttributes\":{\"verb\":\"list\",\"resource\":\"persistentvolumes\"},"
		"\"user\":\"ann\",\"uid\":\"7\",\"groups\":[\"a\",\"b\"],\"extra\":{\"k\":[\"v\"]}}");
}

static void test_empty(void **state)
{
	(void)state;
	start_driver(0);
	open_page(&csi_fixture.driver, NULL);
	check("none", "GET /archives", GOOD, 200, "\r\n\r\n{\"archives\":[]}\n");
	check("bearer", "GET /archives", "authorization: bearer good\r\n", 200, "[]");
	check("head", "HEAD /archives", GOOD, 200, "Content-Length: 16\r\n");
}

static void test_delete(void **state)
{
	static const struct scripted_rule busy = {DELETE, .answer = SCRIPTED_FAIL,
		.kind = ERROR_FAILED_PRECONDITION, .text = "it is copied"};

	(void)state;
	start_driver(3);
	open_page(&csi_fixture.driver, NULL);
	check("there", "DELETE /archives?id=h2", GOOD, 204, NULL);
	assert_int_equal(scripted_driver_volumes(csi_fixture.server), 2);
	check_asked("\"verb\":\"delete\"");
	check("gone", "DELETE /archives?id=h2", GOOD, 404, "{\"message\":\"there is no archive");
	assert_int_equal(scripted_driver_count(csi_fixture.server, DELETE), 1);
	scripted_driver_set(csi_fixture.server, &busy, 1);
	check("in use", "DELETE /archives?id=h3", GOOD, 409, "{\"message\":\"it is copied\"}");
	check("none named", "DELETE /archives", GOOD, 400, "must name");
	check("empty", "DELETE /archives?id=", GOOD, 400, "must name");
	check("a NUL", "DELETE /archives?id=h3%00x", GOOD, 400, "must name");
	check("a line's end", "DELETE /archives?id=h3%0a", GOOD, 400, "must name");
	check("not UTF-8", "DELETE /archives?id=%ff", GOOD, 400, NULL);
	check("a body", "DELETE /archives?id=h3", GOOD "Content-Length: 2\r\n", 413, NULL);
	check("no body", "DELETE /archives?id=h9", GOOD "Content-Length: 0\r\n", 404, NULL);
	check("another method", "POST /archives?id=h3", GOOD, 405, "GET, HEAD, DELETE");
	check("another page", "DELETE /healthz", GOOD, 405, "Allow: GET, HEAD\r\n");
	assert_int_equal(scripted_driver_volumes(csi_fixture.server), 2);
}

/* Who may not never gets as far as the driver. */
static void test_refused(void **state)
{
	static const char ann[] = "{'authenticated': true, 'user': {'username': 'ann'}}";
	static const struct {
		const char *name, *headers, *identity, *access;
		int status;
		const char *text;
	} rows[] = {
		{"no token", "", ann, "{'allowed': true}", 401, "WWW-Authenticate: Bearer"},
		{"an empty one", "X-Ordinal-Token:\r\n", ann, "{'allowed': true}", 401, NULL},
		{"another scheme", "Authorization: Basic good\r\n", ann, "{'allowed': true}", 401,
			NULL},
		{"two words", "X-Ordinal-Token: good good\r\n", ann, "{'allowed': true}", 401,
			NULL},
		{"no valid one", "X-Ordinal-Token: bad\r\n", ann, "{'allowed': true}", 401,
			"not valid"},
		{"the first counts", "X-Ordinal-Token: bad\r\nAuthorization: Bearer good\r\n", ann,
			"{'allowed': true}", 401, NULL},
		{"not allowed", GOOD, ann, "{'allowed': false}", 403, "ann may not"},
		{"allowed and denied", GOOD, ann, "{'allowed': true, 'denied': true}", 403, NULL},
		{"allowed as a text", GOOD, ann, "{'allowed': 'true'}", 403, NULL},
		{"no status", GOOD, ann, "[]", 403, NULL},
		{"authenticated as a number", GOOD,
			"{'authenticated': 1, 'user': {'username': 'x'}}", "{'allowed': true}", 401,
			NULL},
		{"nobody's name", GOOD, "{'authenticated': true, 'user': {'username': ''}}",
			"{'allowed': true}", 503, "whose token"},
		{"no user", GOOD, "{'authenticated': true}", "{'allowed': true}", 503,
			"whose token"},
	};

	(void)state;
	start_driver(1);
	open_page(&csi_fixture.driver, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set_reviews(rows[i].identity, rows[i].access);
		check(rows[i].name, "GET /archives", rows[i].headers, rows[i].status, rows[i].text);
		check(rows[i].name, "DELETE /archives?id=h1", rows[i].headers, rows[i].status,
			"{\"message\":");
	}
	assert_int_equal(scripted_driver_count(csi_fixture.server, LIST), 0);
	assert_int_equal(scripted_driver_count(csi_fixture.server, DELETE), 0);
	assert_int_equal(scripted_driver_volumes(csi_fixture.server), 1);
}

/* What the API server does not say is no. */
static void test_api_server_fails(void **state)
{
	static const struct api_fault faults[] = {{API_FAULT_ERROR, 403}, {API_FAULT_GARBAGE, 0},
		{API_FAULT_PROXY_404, 0}, {API_FAULT_CONFLICT, 0}};

	(void)state;
	start_driver(1);
	open_page(&csi_fixture.driver, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		set_faults(faults[i], no_fault);
		check("identity", "GET /archives", GOOD, 503, TOKEN_REVIEW);
		set_faults(no_fault, faults[i]);
		check("access", "DELETE /archives?id=h1", GOOD, 503, ACCESS_REVIEW);
	}
	api_server_pause(stage.server, true);
	check("away", "GET /archives", GOOD, 503, TOKEN_REVIEW);
	assert_int_equal(scripted_driver_count(csi_fixture.server, LIST), 0);
}

static void test_driver_fails(void **state)
{
	static const struct {
		const char *line;
		struct scripted_rule rule;
		int status;
		const char *text;
	} rows[] = {
		{"GET /archives", {LIST, .answer = SCRIPTED_ENDLESS}, 503, "does not end"},
		{"GET /archives", {LIST, .answer = SCRIPTED_REPEATING}, 503, "repeats itself"},
		{"GET /archives", {LIST, .answer = SCRIPTED_NO_VOLUME}, 503, "without a snapshot"},
		{"GET /archives", {LIST, .answer = SCRIPTED_NO_ID}, 503, "without a snapshot id"},
		{"GET /archives", {LIST, .answer = SCRIPTED_CAPACITY, .size = -1}, 503,
			"a negative size"},
		{"GET /archives",
			{LIST, .answer = SCRIPTED_FAIL, .kind = ERROR_FORBIDDEN, .text = "not us"},
			500, "not us"},
		{"GET /archives",
			{LIST, .answer = SCRIPTED_FAIL, .after = 1, .kind = ERROR_UNAVAILABLE,
				.text = "off"},
			503, "{\"message\":\"off\"}"},
		{"DELETE /archives?id=h1",
			{LIST, .answer = SCRIPTED_FAIL, .kind = ERROR_UNAVAILABLE, .text = "off"},
			503, "{\"message\":\"off\"}"},
		{"DELETE /archives?id=h1",
			{DELETE, .answer = SCRIPTED_FAIL, .kind = ERROR_ABORTED, .text = "busy"},
			409, "busy"},
		{"DELETE /archives?id=h1",
			{DELETE, .answer = SCRIPTED_FAIL, .kind = ERROR_INTERNAL, .text = "broken"},
			500, "broken"},
	};

	(void)state;
	start_driver(7);
	open_page(&csi_fixture.driver, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scripted_driver_set(csi_fixture.server, &rows[i].rule, 1);
		check(rows[i].text, rows[i].line, GOOD, rows[i].status, rows[i].text);
	}
	assert_int_equal(scripted_driver_volumes(csi_fixture.server), 7);
}

/* A driver of somebody else's, and one that cannot list. */
static void test_no_archives(void **state)
{
	(void)state;
	start_driver(1);
	csi_fixture.driver.info.ours = false;
	open_page(&csi_fixture.driver, NULL);
	check("not ours", "DELETE /archives?id=h1", GOOD, 501, "keeps no archives");
	close_page();
	csi_fixture.driver.info.ours = true;
	csi_fixture.driver.info.list_snapshots = false;
	open_page(&csi_fixture.driver, NULL);
	check("no list", "GET /archives", GOOD, 501, "keeps no archives");
	assert_int_equal(scripted_driver_count(csi_fixture.server, LIST), 0);
}

/* Who waits for the lease tells, and changes nothing. */
static void test_standby(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	start_driver(1);
	open_page(&csi_fixture.driver, pair.a.lease);
	check("told", "GET /archives", GOOD, 200, "h1");
	check("not deleted", "DELETE /archives?id=h1", GOOD, 503, "does not hold the lease");
	assert_int_equal(scripted_driver_count(csi_fixture.server, DELETE), 0);
	assert_true(lease_pair_step(&pair.a));
	check("deleted", "DELETE /archives?id=h1", GOOD, 204, NULL);
	close_page();
	lease_pair_done(&pair);
}

/* A driver that says of one archive whatever is in its context. */
static int list_hostile(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	const struct csi_snapshot *snapshot = self;

	(void)id;
	return each(context, snapshot, err);
}

static void test_hostile_texts(void **state)
{
	static const struct {
		const char *text, *wanted; /* wanted: the ordinal, or NULL for none */
	} rows[] = {{"0", "0"}, {"9999999999", "9999999999"}, {"99999999999", NULL}, {"-1", NULL},
		{"1x", NULL}, {"", NULL}, {"1e3", NULL}, {" 1", NULL}};
	static const char evil[] = "\"},{\"id\":\"x\" <script>\\\n\x1b[31m\xc3\xa9";
	struct csi_snapshot snapshot = {.id = (char *)evil,
		.volume = (char *)evil,
		.has_created = true,
		.created_s = -62135596800};
	const struct csi_driver driver = {.list_snapshots = list_hostile,
		.self = &snapshot,
		.info = {.ours = true, .list_snapshots = true}};

	(void)state;
	open_page(&driver, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *answer = NULL;
		struct json_object *json, *list, *ordinal, *archive;

		snapshot.context = (struct string_map){.count = 0};
		string_map_add(&snapshot.context, ORDINAL_KEY_ORDINAL, rows[i].text);
		string_map_add(&snapshot.context, ORDINAL_KEY_PATH, evil);
		string_map_add(&snapshot.context, CSI_KEY_PVC_NAMESPACE, evil);
		string_map_add(&snapshot.context, "id", "other");
		answer = http_talk(port(), "GET /archives", GOOD);
		string_map_done(&snapshot.context);
		json = json_in(answer);
		list = json_member(json, "archives", json_type_array);
		assert_int_equal(json_object_array_length(list), 1);
		archive = json_object_array_get_idx(list, 0);
		assert_string_equal(json_string(archive, "id"), evil);
		assert_string_equal(json_string(archive, "path"), evil);
		assert_string_equal(json_string(archive, "namespace"), evil);
		assert_string_equal(json_string(archive, "created"), "0001-01-01T00:00:00Z");
		assert_null(json_string(archive, "statefulset"));
		ordinal = json_member(archive, "ordinal", json_type_int);
		assert_case_text(rows[i].text, ordinal ? json_object_get_string(ordinal) : NULL,
			rows[i].wanted);
		json_object_put(json);
	}
}

/* More than an answer holds is no answer. */
static int list_many(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	int result = 0;

	while (result == 0)
		result = list_hostile(self, id, each, context, err);
	return result;
}

static void test_many(void **state)
{
	struct csi_snapshot snapshot = {.id = (char *)"an id", .volume = (char *)"a volume"};
	const struct csi_driver driver = {.list_snapshots = list_many,
		.self = &snapshot,
		.info = {.ours = true, .list_snapshots = true}};

	(void)state;
	open_page(&driver, NULL);
	check("too many", "GET /archives", GOOD, 503, "{\"message\":\"there are more archives");
}

#define ASKERS 8

/* Of all but the one under way and four that wait. */
static bool some_are_answered(void *context)
{
	const int *fds = context;
	int answered = 0;
	char byte;

	for (size_t i = 0; i < ASKERS; i++)
		if (recv(fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
			answered++;
	return answered >= ASKERS - 5;
}

/* The API server holds reviews back: health is asked all the same, few may wait, and all end. */
static void test_waiting(void **state)
{
	int fds[ASKERS], refused = 0, served = 0;

	(void)state;
	start_driver(1);
	open_page(&csi_fixture.driver, NULL);
	set_faults((struct api_fault){API_FAULT_STALL, 0}, no_fault);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = http_talk_send(port(), "GET /archives", GOOD);
	assert_true(wait_until(some_are_answered, fds));
	check("health", "GET /healthz", "", 200, "ok");
	set_faults(no_fault, no_fault);
	api_server_release(stage.server);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		_cleanup_close_ int fd = fds[i];
		_cleanup_free_ char *answer = http_talk_read(fd);

		if (status_of(answer) == 503)
			refused++;
		else if (status_of(answer) == 200)
			served++;
	}
	assert_int_equal(refused + served, ARRAY_SIZE(fds));
	assert_true(refused > 0 && served > 0);
}

/* The endpoint ends while requests are under way and wait, and while nobody reads an answer. */
static void test_end(void **state)
{
	int fds[3];

	(void)state;
	start_driver(1);
	open_page(&csi_fixture.driver, NULL);
	set_faults((struct api_fault){API_FAULT_STALL, 20}, no_fault);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = http_talk_send(port(), "DELETE /archives?id=h1", GOOD);
	check("others are served", "GET /healthz", "", 200, NULL);
	close_page();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list),
		TEST(test_empty),
		TEST(test_delete),
		TEST(test_refused),
		TEST(test_api_server_fails),
		TEST(test_driver_fails),
		TEST(test_no_archives),
		TEST(test_standby),
		TEST(test_hostile_texts),
		TEST(test_many),
		TEST(test_waiting),
		TEST(test_end),
	};
	int result;

	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return result;
}
