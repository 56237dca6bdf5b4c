/* SPDX-License-Identifier: Apache-2.0 */
#include "reflector.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "reflector_fixture.h"

#define OTHER(name, version)                                                                       \
	"{'metadata': {'name': '" name "', 'uid': 'v', 'resourceVersion': '" version "'}}"
#define OTHER_EVENT(type, name, version)                                                           \
	"{'type': '" type "', 'object': " OTHER(name, version) "}\n"
#define FAILURE(code)                                                                              \
	"{'type': 'ERROR', 'object': {'kind': 'Status', 'code': " code ", 'message': 'why'}}\n"

/* Request INDEX, counting from 0, is this one. */
static void check_request(struct fixture *fixture, size_t index, const char *start)
{
	const char *seen = http_server_seen(fixture->server, index);

	if (strncmp(seen, start, strlen(start)))
		assert_string_equal(seen, start);
}

static void test_pages_then_watch(void **state)
{
	static const struct http_step steps[] = {
		{NEXT "b%2Fc%3D", 0, NULL, PAGE("10", "", OBJECT("c", "3")), 0, 0, 0},
		{NEXT "tok", 0, NULL, PAGE("10", ", 'continue': 'b/c='", OBJECT("b", "2")),
			HTTP_CHUNKED, 7, 0},
		{LIST, 0, NULL, PAGE("10", ", 'continue': 'tok'", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&timeoutSeconds=", 0, NULL,
			EVENT("ADDED", "d", "11") EVENT("MODIFIED", "a", "12") BOOKMARK("13")
				EVENT("DELETED", "b", "14") EVENT("NEWTYPE", "c", "15"),
			HTTP_HOLD, 5, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	assert_true(reflector_wait_synced(fixture.reflector));
	expect(&fixture, "+a1 +b2 +c3 +d11 ~a1>12 -b2 ", 4);
	assert_int_equal(store_count(fixture.store), 3);
	end(&fixture);
}

/* A watch that ends as it should goes on where it was: after the last bookmark or event. */
static void test_clean_end(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", "", ""), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "a", "11"), HTTP_CHUNKED, 0, 0},
		{WATCH "11&", 0, NULL, BOOKMARK("20"), HTTP_CHUNKED, 0, 0},
		{WATCH "20&", 0, NULL, EVENT("ADDED", "b", "21"), HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a11 +b21 ", 4);
	end(&fixture);
}

/* Cut in the middle of a line: what was whole counts, and the rest comes again. */
static void test_cut(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", "", ""), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "a", "11") "{'type': 'ADDED', 'obj", HTTP_CUT,
			9, 0},
		{WATCH "11&", 0, NULL, EVENT("ADDED", "b", "12") "{'type': 'ADD", HTTP_CHUNKED, 9,
			0},
		{WATCH "12&", 0, NULL, EVENT("ADDED", "c", "13"), HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a11 +b12 +c13 ", 4);
	end(&fixture);
}

/* Ways in which a watch says that it cannot go on: each leads to a new list, which deletes what
 * vanished in the meantime. */
static const struct {
	const char *name;
	struct http_step watch;
} relists[] = {
	{"ERROR event with 410", {WATCH "10&", 0, NULL, FAILURE("410"), HTTP_HOLD, 0, 0}},
	{"HTTP status 410",
		{WATCH "10&", 410, NULL,
			"{'kind': 'Status', 'reason': 'Expired', 'message': 'old'}", 0, 0, 0}},
	{"ERROR event of another kind", {WATCH "10&", 0, NULL, FAILURE("400"), HTTP_HOLD, 0, 0}},
	{"garbage", {WATCH "10&", 0, NULL, "garbage\n", HTTP_HOLD, 0, 0}},
	{"refused", {WATCH "10&", 400, NULL, "{'message': 'what?'}", 0, 0, 0}},
};

static void test_relist(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(relists); i++) {
		const struct http_step steps[] = {
			{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1") "," OBJECT("b", "2")), 0, 0,
				0},
			relists[i].watch,
			{LIST, 0, NULL, PAGE("30", "", OBJECT("b", "2") "," OBJECT("c", "3")), 0, 0,
				0},
			{WATCH "30&", 0, NULL, EVENT("ADDED", "d", "31"), HTTP_HOLD, 0, 0},
		};
		struct fixture fixture;

		begin(&fixture, steps, ARRAY_SIZE(steps));
		expect(&fixture, "+a1 +b2 ~b2>2 +c3 -a1 +d31 ", 4);
		end(&fixture);
	}
}

/* Ways in which a watch fails that say nothing against our resourceVersion. */
static const struct {
	const char *name;
	struct http_step watch;
} resumes[] = {
	{"ERROR event with 500", {WATCH "10&", 0, NULL, FAILURE("500"), HTTP_HOLD, 0, 0}},
	{"ERROR event without a code",
		{WATCH "10&", 0, NULL, "{'type': 'ERROR', 'object': {}}\n", HTTP_HOLD, 0, 0}},
	{"too many requests",
		{WATCH "10&", 429, "Retry-After: 1\r\n", "{'message': 'slow'}", 0, 0, 0}},
	{"unavailable", {WATCH "10&", 503, NULL, "<html>", 0, 0, 0}},
	{"unauthorized", {WATCH "10&", 401, NULL, "{'message': 'who'}", 0, 0, 0}},
	{"no answer", {WATCH "10&", 0, NULL, NULL, HTTP_REFUSE, 0, 0}},
	{"ends at once", {WATCH "10&", 0, NULL, "", HTTP_CHUNKED, 0, 0}},
};

static void test_resume(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(resumes); i++) {
		const struct http_step steps[] = {
			{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
			resumes[i].watch,
			{WATCH "10&", 0, NULL, EVENT("ADDED", "d", "31"), HTTP_HOLD, 0, 0},
		};
		struct fixture fixture;

		begin(&fixture, steps, ARRAY_SIZE(steps));
		expect(&fixture, "+a1 +d31 ", 3);
		end(&fixture);
	}
}

/* Half a list is no list: neither its objects' absence nor its resourceVersion count. */
static void test_list_fails_half_way(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", ", 'continue': 't'", OBJECT("a", "1")), 0, 0, 0},
		{NEXT "t", 410, NULL, "{'message': 'too slow'}", 0, 0, 0},
		{LIST, 0, NULL, PAGE("20", ", 'continue': 'u'", OBJECT("b", "1")), 0, 0, 0},
		{NEXT "u", 503, NULL, "", 0, 0, 0},
		{LIST, 0, NULL, PAGE("30", ", 'continue': 'v'", OBJECT("c", "1")), 0, 0, 0},
		{NEXT "v", 0, NULL, PAGE("30", "", OBJECT("d", "1")), 0, 0, 0},
		{WATCH "30&", 0, NULL, EVENT("ADDED", "e", "31"), HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b1 +c1 +d1 -a1 -b1 +e31 ", 7);
	end(&fixture);
}

/* Lists that make no sense are asked for again, and change nothing. */
static void test_strange_lists(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, "{}", 0, 0, 0},
		{LIST, 0, NULL, "<html>", 0, 0, 0},
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, "", HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 ", 4);
	end(&fixture);
}

/* Objects that make no sense are left out, and stop no others. */
static void test_malformed_objects(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", "", "7, null, {}, {'metadata': []}," OBJECT("a", "1")),
			0, 0, 0},
		{WATCH "10&", 0, NULL,
			"{'type': 'ADDED', 'object': {'metadata': {'resourceVersion': '11'}}}\n"
			"{'type': 'DELETED', 'object': {}}\n" EVENT("DELETED", "nobody", "12")
				EVENT("ADDED", "b", "13"),
			HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b13 ", 2);
	end(&fixture);
}

/* The API server goes away and comes back. */
static void test_refused_connection(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "b", "11"), HTTP_HOLD, 0, 0},
		{WATCH "11&", 0, NULL, EVENT("ADDED", "c", "12"), HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b11 ", 2);
	http_server_pause(fixture.server, true);
	http_server_pause(fixture.server, false);
	expect(&fixture, "+a1 +b11 +c12 ", 3);
	end(&fixture);
}

/* One line for a failure that lasts, although its words tell of another number each time. */
static void test_one_line(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 500, NULL, "{'message': 'no answer after 7 ms'}", 0, 0, 0},
		{LIST, 500, NULL, "{'message': 'no answer after 1234 ms'}", 0, 0, 0},
		{LIST, 500, NULL, "{'message': 'no disk'}", 0, 0, 0},
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "b", "11"), HTTP_HOLD, 0, 0},
	};
	int log = memfd_create("log", MFD_CLOEXEC), standard_error = dup(STDERR_FILENO);
	struct fixture fixture;
	char text[4096] = "";

	(void)state;
	dup2(log, STDERR_FILENO);
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b11 ", 5);
	end(&fixture);
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	assert_true(pread(log, text, sizeof(text) - 1, 0) > 0);
	close(log);
	assert_non_null(strstr(text, "no answer after 7 ms"));
	assert_null(strstr(text, "1234"));
	assert_non_null(strstr(text, "no disk"));
	assert_non_null(strstr(text, "works again"));
}

/* A token that is refused between two pages must not turn half a list into a whole one. */
static void test_unauthorized_between_pages(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 401, NULL, "{'message': 'who'}", 0, 0, 0},
		{LIST, 0, NULL, PAGE("10", ", 'continue': 't'", OBJECT("a", "1")), 0, 0, 0},
		{NEXT "t", 401, NULL, "{'message': 'who'}", 0, 0, 0},
		{LIST, 0, NULL, PAGE("20", "", OBJECT("b", "1")), 0, 0, 0},
		{WATCH "20&", 0, NULL, "", HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b1 -a1 ", 5);
	end(&fixture);
}

static void test_stop(void **state)
{
	static const struct http_step hold[] = {{LIST, 0, NULL, "{'metadata': ", HTTP_HOLD, 0, 0}};
	static const struct http_step fails[] = {{LIST, 503, NULL, "", 0, 0, true}};
	struct fixture fixture;

	(void)state;
	/* While a list is under way. */
	begin(&fixture, hold, 1);
	assert_true(http_server_wait(fixture.server, 1));
	reflector_stop(fixture.reflector);
	assert_false(reflector_wait_synced(fixture.reflector));
	fixture.reflector = (reflector_free(fixture.reflector), reflector_new(fixture.client));
	reflector_start(fixture.reflector);
	end(&fixture);
	/* While it backs off. */
	begin(&fixture, fails, 1);
	assert_true(http_server_wait(fixture.server, 1));
	end(&fixture);
}

/* What a server that repeats itself or mixes up its events does to the cache: nothing that lasts.
 * "told" is all that the handlers heard, after a new list where there is one. */
static const struct {
	const char *name, *events, *told;
	bool relists;
} disorders[] = {
	{"ADDED for what is known", EVENT("ADDED", "a", "11"), "+a1 ~a1>11 ", false},
	{"the same event twice", EVENT("MODIFIED", "a", "11") EVENT("MODIFIED", "a", "11"),
		"+a1 ~a1>11 ~a11>11 ", false},
	{"DELETED for what is unknown", EVENT("DELETED", "b", "11"), "+a1 ", false},
	{"DELETED twice", EVENT("DELETED", "a", "11") EVENT("DELETED", "a", "11"), "+a1 -a1 ",
		false},
	{"MODIFIED for what is unknown", EVENT("MODIFIED", "b", "11"), "+a1 +b11 ", false},
	{"deleted and made again", EVENT("DELETED", "a", "11") OTHER_EVENT("ADDED", "a", "12"),
		"+a1 -a1 +a12 ", false},
	{"made again, its end not told", OTHER_EVENT("ADDED", "a", "12"), "+a1 -a1 +a12 ", false},
	{"versions that are no numbers", EVENT("MODIFIED", "a", "b") EVENT("MODIFIED", "a", "a"),
		"+a1 ~a1>b ~ab>a ", false},
	{"older than the list", EVENT("MODIFIED", "a", "9"), "+a1 ~a1>1 ", true},
	{"an older ADDED of what is gone", EVENT("DELETED", "a", "12") EVENT("ADDED", "a", "11"),
		"+a1 -a1 +a1 ", true},
	{"two states in the wrong order",
		EVENT("MODIFIED", "a", "100") EVENT("MODIFIED", "a", "99"), "+a1 ~a1>100 ~a100>1 ",
		true},
	{"the end of the first told after the second's beginning",
		OTHER_EVENT("ADDED", "a", "12") EVENT("DELETED", "a", "11"),
		"+a1 -a1 +a12 -a12 +a1 ", true},
	{"older than a bookmark", BOOKMARK("20") EVENT("DELETED", "a", "15"), "+a1 ~a1>1 ", true},
};

static void test_disorder(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(disorders); i++) {
		const struct http_step steps[] = {
			{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
			{WATCH "10&", 0, NULL, disorders[i].events, HTTP_HOLD, 0, 0},
			{LIST, 0, NULL, PAGE("200", "", OBJECT("a", "1")), 0, 0, 0},
			{WATCH "200&", 0, NULL, BOOKMARK("201"), HTTP_HOLD, 0, 0},
		};
		struct fixture fixture;

		begin(&fixture, steps, ARRAY_SIZE(steps));
		fixture.wanted = disorders[i].told;
		if (!wait_until(has_told, &fixture))
			assert_case_text(disorders[i].name, fixture.text, disorders[i].told);
		assert_case(disorders[i].name,
			http_server_wait(fixture.server, disorders[i].relists ? 4 : 2));
		end(&fixture);
	}
}

/* A relist finds another object under the name of one that it knew. */
static void test_relist_other_uid(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 410, NULL, "{}", 0, 0, 0},
		{LIST, 0, NULL, PAGE("20", "", OTHER("a", "15")), 0, 0, 0},
		{WATCH "20&", 0, NULL, "", HTTP_HOLD, 0, 0},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 -a1 +a15 ", 4);
	end(&fixture);
}

/* Peers that fall silent: in a list, in a page of one, before and in the watch. Each is given up,
 * and gone on from. */
static const struct {
	const char *name;
	struct http_step first, second;
	const char *told;
} silences[] = {
	{"before a list", {LIST, 0, NULL, NULL, HTTP_SILENT, 0, 0},
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0}, "+a1 +z99 "},
	{"in a list", {LIST, 0, NULL, "{'metadata': {", HTTP_HOLD, 0, 0},
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0}, "+a1 +z99 "},
	{"before a watch", {LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, NULL, HTTP_SILENT, 0, 0}, "+a1 +z99 "},
	{"in a watch", {LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "b", "11") "{'ty", HTTP_HOLD, 0, 0},
		"+a1 +b11 +z99 "},
};

static void test_silence(void **state)
{
	static const struct reflector_limits limits = {
		.list_s = 20, .stall_s = 1, .watch_s = 1, .watch_grace_s = 1, .back_off_ms = 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(silences); i++) {
		const struct http_step steps[] = {
			silences[i].first,
			silences[i].second,
			{"&resourceVersion=1", 0, NULL, EVENT("ADDED", "z", "99"), HTTP_HOLD, 0, 0},
			{"&resourceVersion=99&", 0, NULL, "", HTTP_HOLD, 0, true},
		};
		struct fixture fixture;

		begin_with(&fixture, steps, ARRAY_SIZE(steps), &limits, &volume_type, false);
		fixture.wanted = silences[i].told;
		if (!wait_until(has_told, &fixture))
			assert_case_text(silences[i].name, fixture.text, silences[i].told);
		end(&fixture);
	}
}

/* The next try comes not before the server wants it, though the back-off is far shorter. */
static void test_retry_after(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 429, "Retry-After: 1\r\n", "{'message': 'slow'}", 0, 0, 0},
		{LIST, 503, "Retry-After: 1\r\n", "{'message': 'slow'}", 0, 0, 0},
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 429, "Retry-After: 1\r\n", "{'message': 'slow'}", 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "b", "11"), HTTP_HOLD, 0, 0},
	};
	struct timespec before, after;
	struct fixture fixture;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	begin(&fixture, steps, ARRAY_SIZE(steps));
	expect(&fixture, "+a1 +b11 ", 5);
	clock_gettime(CLOCK_MONOTONIC, &after);
	/* No wait is shorter than it should be. */
	assert_true((after.tv_sec - before.tv_sec) * 1000 +
			    (after.tv_nsec - before.tv_nsec) / 1000000 >=
		    2999);
	end(&fixture);
}

/* A path that has a query of its own. */
static void test_path_with_query(void **state)
{
	static const struct http_step steps[] = {
		{"GET /api/v1/x?fieldSelector=a%3Db&limit=500 ", 0, NULL,
			PAGE("10", ", 'continue': 't'", OBJECT("a", "1")), 0, 0, 0},
		{"GET /api/v1/x?fieldSelector=a%3Db&limit=500&continue=t ", 0, NULL,
			PAGE("10", "", OBJECT("b", "1")), 0, 0, 0},
		{"GET /api/v1/x?fieldSelector=a%3Db&watch=true&allowWatchBookmarks=true&"
		 "resourceVersion=10&",
			0, NULL, EVENT("ADDED", "c", "11"), HTTP_HOLD, 0, 0},
	};
	struct object_type type = volume_type;
	struct fixture fixture;

	(void)state;
	type.path = "/api/v1/x?fieldSelector=a%3Db";
	begin_with(&fixture, steps, ARRAY_SIZE(steps), &quick, &type, false);
	expect(&fixture, "+a1 +b1 +c11 ", 3);
	end(&fixture);
}

static void *wait_synced(void *context)
{
	return reflector_wait_synced(context) ? context : NULL;
}

/* Who waits for the caches is let go. */
static void test_stop_while_waiting(void **state)
{
	static const struct http_step steps[] = {{LIST, 0, NULL, "", HTTP_HOLD, 0, 0}};
	struct fixture fixture;
	pthread_t thread;
	void *synced;

	(void)state;
	begin(&fixture, steps, 1);
	pthread_create(&thread, NULL, wait_synced, fixture.reflector);
	assert_true(http_server_wait(fixture.server, 1));
	reflector_stop(fixture.reflector);
	pthread_join(thread, &synced);
	assert_null(synced);
	reflector_free(fixture.reflector);
	fixture.reflector = reflector_new(fixture.client);
	reflector_start(fixture.reflector);
	end(&fixture);
}

/* Each resource has a connection and a life of its own. */
static void test_two_resources(void **state)
{
	static const struct http_step steps[] = {
		{LIST, 0, NULL, PAGE("10", "", OBJECT("a", "1")), 0, 0, 0},
		{WATCH "10&", 0, NULL, EVENT("ADDED", "b", "11"), HTTP_HOLD, 0, 0},
		{"GET /api/v1/nodes?limit=500", 403, NULL, "{'message': 'no'}", 0, 0, 0},
		{"GET /api/v1/nodes?limit=500", 0, NULL, PAGE("7", "", OBJECT("n", "1")), 0, 0, 0},
		{"GET /api/v1/nodes?watch", 0, NULL, EVENT("DELETED", "n", "8"), HTTP_HOLD, 0, 0},
	};
	struct fixture fixture = {.server = http_server_start(steps, ARRAY_SIZE(steps))};
	_cleanup_(store_freep) struct store *nodes = store_new(NULL, NULL);

	(void)state;
	pthread_mutex_init(&fixture.lock, NULL);
	fixture.config.server = (char *)http_server_url(fixture.server);
	fixture.client = rest_client_new(&fixture.config);
	fixture.store = store_new(tell, &fixture);
	fixture.reflector = reflector_new(fixture.client);
	reflector_add(fixture.reflector, &volume_type, fixture.store);
	reflector_add(fixture.reflector, &node_type, nodes);
	reflector_start(fixture.reflector);
	assert_true(reflector_wait_synced(fixture.reflector));
	expect(&fixture, "+a1 +b11 ", 5);
	check_request(&fixture, 0, "GET /api/v1/");
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_then_watch),
		cmocka_unit_test(test_clean_end),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_relist),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_list_fails_half_way),
		cmocka_unit_test(test_strange_lists),
		cmocka_unit_test(test_malformed_objects),
		cmocka_unit_test(test_refused_connection),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_unauthorized_between_pages),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_while_waiting),
		cmocka_unit_test(test_two_resources),
		cmocka_unit_test(test_disorder),
		cmocka_unit_test(test_relist_other_uid),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_path_with_query),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
