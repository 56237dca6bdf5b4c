/* SPDX-License-Identifier: Apache-2.0 */
/* What the reflector says of itself: resources that are absent, connections, failures and their
 * reasons. */
#include "reflector.h"

#include <string.h>

#include "reflector_fixture.h"
#include "tls_server.h"

static struct reflector_state state_of(struct fixture *fixture)
{
	struct reflector_state reflected = {.plural = ""};

	assert_int_equal(reflector_states(fixture->reflector, &reflected, 1), 1);
	assert_true(reflected.quiet_s >= 0);
	return reflected;
}

static bool is_connected(void *context)
{
	return state_of(context).connected;
}

static bool is_disconnected(void *context)
{
	return !state_of(context).connected;
}

/* How a server says that it has no such resource, or that we may not see it; and other answers,
 * which do not say so. */
static const struct {
	const char *name;
	struct http_step list;
	bool absent;
} optionals[] = {
	{"no such API", {LIST, 404, NULL, "404 page not found\n", 0, 0, true}, true},
	{"no such resource",
		{LIST, 404, NULL, "{'reason': 'NotFound', 'message': 'what?'}", 0, 0, true}, true},
	{"forbidden", {LIST, 403, NULL, "{'reason': 'Forbidden', 'message': 'no'}", 0, 0, true},
		true},
	{"unavailable", {LIST, 503, NULL, "{'message': 'later'}", 0, 0, true}, false},
	{"unauthorized", {LIST, 401, NULL, "{'message': 'who'}", 0, 0, true}, false},
};

static bool has_failed_twice(void *context)
{
	return state_of(context).failures >= 2;
}

static void test_optional(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(optionals); i++) {
		struct reflector_state reflected;
		struct fixture fixture;

		begin_with(&fixture, &optionals[i].list, 1, &quick, &volume_type, true);
		if (optionals[i].absent)
			assert_true(reflector_wait_synced(fixture.reflector));
		else
			assert_true(wait_until(has_failed_twice, &fixture));
		reflected = state_of(&fixture);
		assert_case(optionals[i].name, reflected.absent == optionals[i].absent);
		assert_case(optionals[i].name, reflected.synced == optionals[i].absent);
		assert_case(optionals[i].name, !reflected.connected && *reflected.error);
		assert_case(optionals[i].name, !optionals[i].absent || !reflected.failures);
		assert_case(optionals[i].name,
			!optionals[i].absent || http_server_requests(fixture.server) == 1);
		end(&fixture);
	}
}

/* It is installed later. */
static void test_optional_comes(void **state)
{
	static const struct reflector_limits limits = {.absent_ms = 20};
	static const struct http_step steps[] = {
		{LIST, 404, NULL, "404 page not found\n", 0, 0, 0},
		{LIST, 404, NULL, "404 page not found\n", 0, 0, 0},
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "b", "11"), HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin_with(&fixture, steps, ARRAY_SIZE(steps), &limits, &volume_type, true);
	expect(&fixture, "+a1 +b11 ", 4);
	assert_true(wait_until(is_connected, &fixture));
	assert_false(state_of(&fixture).absent);
	end(&fixture);
}

/* The same answers are a failure where the resource must be there. */
static void test_not_optional(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 403, NULL, "{'message': 'no'}", 0, 0, true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	assert_true(wait_until(has_failed_twice, &fixture));
	assert_false(state_of(&fixture).synced);
	assert_string_equal(state_of(&fixture).error, "no");
	end(&fixture);
}

static bool has_settled(void *context)
{
	struct reflector_state reflected = state_of(context);

	return reflected.connected && !reflected.failures && !*reflected.error;
}

static void test_state(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", ", 'continue': 't'", OBJECT("a", "1")), 0, 0, 0},
		{NEXT "t", 0, NULL, PAGE("10", "", OBJECT("b", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "c", "11") BOOKMARK("12"), HTTP_HOLD, 0, 0},
		{WATCH "12&", 0, NULL, "", HTTP_HOLD, 0, 0},
	};
	struct reflector_state reflected;
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b1 +c11 ", 3);
	assert_true(wait_until(is_connected, &fixture));
	reflected = state_of(&fixture);
	assert_string_equal(reflected.plural, "persistentvolumes");
	assert_true(reflected.synced && !reflected.absent);
	assert_int_equal(reflected.lists, 2);
	assert_int_equal(reflected.watches, 1);
	assert_in_range(reflected.events, 1, 2);
	/* The server goes away: not connected, with the reason; and comes back. */
	http_server_pause(fixture.server, true);
	assert_true(wait_until(is_disconnected, &fixture));
	assert_true(wait_until(has_failed_twice, &fixture));
	reflected = state_of(&fixture);
	assert_true(reflected.synced);
	assert_non_null(strstr(reflected.error, "Couldn't connect to server"));
	http_server_pause(fixture.server, false);
	assert_true(wait_until(has_settled, &fixture));
	assert_int_equal(state_of(&fixture).watches, 2);
	end(&fixture);
}

/* No more than there is room for. */
static void test_states(void **state)
{
	_cleanup_(store_freep) struct store *store = store_new(NULL, NULL);
	struct kube_config config = {.server = (char *)"http://127.0.0.1:1"};
	struct rest_client *client = rest_client_new(&config);
	struct reflector *reflector = reflector_new(client);
	struct reflector_state states[2] = {{.plural = ""}, {.plural = "untouched"}};

	(void)state;
	assert_int_equal(reflector_states(reflector, states, 2), 0);
	reflector_add(reflector, &volume_type, store);
	reflector_add_optional(reflector, &node_type, store);
	assert_int_equal(reflector_states(reflector, states, 1), 2);
	assert_string_equal(states[0].plural, "persistentvolumes");
	assert_string_equal(states[1].plural, "untouched");
	assert_int_equal(reflector_states(reflector, states, 2), 2);
	assert_string_equal(states[1].plural, "nodes");
	reflector_free(reflector);
	rest_client_free(client);
}

/* TLS that fails: each says which side was not content, and none ends the reflector. */
static const struct {
	const char *name, *ca, *certificate, *key, *says;
} tls_failures[] = {
	{"untrusted", "other.crt", "client.crt", "client.key", "its certificate is not trusted"},
	{"no client certificate", "ca.crt", NULL, NULL, "alert certificate required"},
	{"no CA", "missing.crt", "client.crt", "client.key", "the CA cannot be read"},
};

static void test_tls(void **state)
{
	struct tls_server *server = tls_server_start();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tls_failures); i++) {
		struct fixture fixture = {.text = ""};

		assert_true(asprintf(&fixture.config.server, "https://127.0.0.1:%d",
				    tls_server_port(server)) > 0);
		fixture.config.ca.file = tls_server_file(tls_failures[i].ca);
		if (tls_failures[i].key) {
			fixture.config.certificate.file =
				tls_server_file(tls_failures[i].certificate);
			fixture.config.key.file = tls_server_file(tls_failures[i].key);
		}
		fixture.client = rest_client_new(&fixture.config);
		fixture.store = store_new(NULL, NULL);
		fixture.reflector = reflector_new(fixture.client);
		reflector_add(fixture.reflector, &volume_type, fixture.store);
		reflector_limit(fixture.reflector, &quick);
		reflector_start(fixture.reflector);
		assert_true(wait_until(has_failed_twice, &fixture));
		if (!strstr(state_of(&fixture).error, tls_failures[i].says))
			assert_case_text(tls_failures[i].name, state_of(&fixture).error,
				tls_failures[i].says);
		reflector_stop(fixture.reflector);
		reflector_free(fixture.reflector);
		store_free(fixture.store);
		rest_client_free(fixture.client);
		free(fixture.config.server);
		free(fixture.config.ca.file);
		free(fixture.config.certificate.file);
		free(fixture.config.key.file);
	}
	tls_server_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_optional_comes),
		cmocka_unit_test(test_not_optional),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_tls),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
