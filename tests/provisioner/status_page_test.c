/* SPDX-License-Identifier: Apache-2.0 */
#include "status_page.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "controller.h"
#include "http_talk.h"
#include "testing.h"

#define DRIVER "d.example.com"
#define CLAIMS 5000 /* their JSON fits into no socket's buffer */

struct fixture {
	struct kube_config config;
	struct rest_client *client;
	struct options options;
	struct csi_driver driver;
	struct status_notes *notes;
	struct manager *manager;
	struct status_page *page;
	struct http_endpoint *endpoint;
};

/* A manager that is not started, and its page. */
static void begin(struct fixture *fixture)
{
	struct http_endpoint_options options = {.address = "127.0.0.1:0"};
	struct error err = {0};

	*fixture = (struct fixture){.options = {.workers = 1,
					    .retry_interval_start_ms = 1,
					    .retry_interval_max_ms = 1,
					    .volume_name_prefix = "pvc",
					    .status_page = true}};
	fixture->config.server = (char *)"http://127.0.0.1:1";
	fixture->client = rest_client_new(&fixture->config);
	fixture->driver = (struct csi_driver){.info = {.name = DRIVER}};
	fixture->notes = status_notes_new(STATUS_PAGE_NOTES);
	fixture->manager = manager_new(fixture->client, &fixture->driver,
		&(struct manager_options){.options = &fixture->options,
			.component = "tester",
			.holder = "tester",
			.namespace = "ns",
			.journal = "journal",
			.notes = fixture->notes});
	fixture->page = status_page_new(fixture->manager, fixture->notes, "host_1");
	options.routes = status_page_routes(fixture->page, &options.route_count);
	if (http_endpoint_new(&options, &fixture->endpoint, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(struct fixture *fixture)
{
	http_endpoint_free(fixture->endpoint);
	status_page_free(fixture->page);
	manager_free(fixture->manager);
	status_notes_free(fixture->notes);
	rest_client_free(fixture->client);
}

static void add_claims(struct fixture *fixture, int count)
{
	const struct controller *controller = manager_controller(fixture->manager);

	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_object_ struct object *claim = NULL;

		if (asprintf(&text,
			    "{'metadata': {'name': 'data-web-%d', 'namespace': 'shop', 'uid': "
			    "'u%d', 'annotations': {'volume.kubernetes.io/storage-provisioner': "
			    "'" DRIVER "'}}}",
			    i, i) < 0)
			abort();
		claim = object_of(&claim_type, text);
		store_set(controller->claims, claim);
	}
}

static char *get(const struct fixture *fixture, const char *line)
{
	return http_talk(http_endpoint_port(fixture->endpoint), line, "");
}

static struct json_object *json_in(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	struct json_object *json = body ? json_tokener_parse(body + 4) : NULL;

	assert_non_null(json);
	return json;
}

static void test_page(void **state)
{
	static const char *const wanted[] = {"HTTP/1.1 200 ",
		"\r\nContent-Type: text/html; charset=utf-8\r\n",
		"\r\nContent-Security-Policy: default-src 'none'; script-src 'sha256-",
		"; style-src 'sha256-", "; connect-src 'self'; base-uri 'none'; ",
		"\r\nX-Content-Type-Options: nosniff\r\n", "\r\nReferrer-Policy: no-referrer\r\n"};
	static const char *const unwanted[] = {"unsafe-", "http://", "https://", "innerHTML",
		"insertAdjacent", "document.write", "eval(", " style=", " onclick="};
	_cleanup_free_ char *answer = NULL, *head = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	answer = get(&fixture, "GET /status");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_case(wanted[i], strstr(answer, wanted[i]));
	for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
		assert_case(unwanted[i], !strstr(answer, unwanted[i]));
	assert_string_equal(answer + strlen(answer) - strlen("</html>\n"), "</html>\n");
	head = get(&fixture, "HEAD /status");
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_case(wanted[i], strstr(head, wanted[i]));
	assert_null(strstr(head, "<html"));
	end(&fixture);
}

static void test_json(void **state)
{
	_cleanup_free_ char *answer = NULL, *head = NULL, *page = NULL;
	struct json_object *json;
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	add_claims(&fixture, 3);
	answer = get(&fixture, "GET /status.json");
	assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	json = json_in(answer);
	assert_false(json_object_get_boolean(json_member(json, "synced", json_type_boolean)));
	assert_false(json_object_get_boolean(json_member(json, "working", json_type_boolean)));
	assert_string_equal(json_string(json, "instance"), "host_1");
	assert_int_equal(json_object_array_length(json_member(json, "others", json_type_array)), 3);
	json_object_put(json);
	head = get(&fixture, "HEAD /status.json");
	assert_non_null(strstr(head, "HTTP/1.1 200 "));
	page = get(&fixture, "POST /status.json");
	assert_non_null(strstr(page, "HTTP/1.1 405 "));
	end(&fixture);
}

static bool counts_all(void *context)
{
	_cleanup_free_ char *answer = get(context, "GET /status.json");
	struct json_object *json = json_in(answer);
	size_t count = json_object_array_length(json_member(json, "others", json_type_array));

	json_object_put(json);
	return count == CLAIMS;
}

/* It is asked for often, and made now and then: what changed is told soon all the same. */
static void test_comes_to_tell(void **state)
{
	_cleanup_free_ char *first = NULL;
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	first = get(&fixture, "GET /status.json");
	assert_null(strstr(first, "data-web"));
	add_claims(&fixture, CLAIMS);
	assert_true(wait_until(counts_all, &fixture));
	end(&fixture);
}

/* Many who ask and do not read are given the same, and are let go when it ends. */
static void test_deaf_readers(void **state)
{
	struct fixture fixture;
	_cleanup_free_ char *answer = NULL;
	struct json_object *json;
	int fds[20];

	(void)state;
	begin(&fixture);
	add_claims(&fixture, CLAIMS);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = http_talk_send(
			http_endpoint_port(fixture.endpoint), "GET /status.json", "");
	answer = get(&fixture, "GET /status.json");
	json = json_in(answer);
	assert_int_equal(
		json_object_array_length(json_member(json, "others", json_type_array)), CLAIMS);
	json_object_put(json);
	end(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_comes_to_tell),
		cmocka_unit_test(test_deaf_readers),
	};

	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
