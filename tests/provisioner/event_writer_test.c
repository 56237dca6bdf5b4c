/* SPDX-License-Identifier: Apache-2.0 */
#include "event_writer.h"

#include <string.h>

#include "fake_api.h"
#include "testing.h"

#define COLLECTION "/api/v1/namespaces/shop/events"
#define EVERY_MS   5000
#define RETRY_MS   1000

struct fixture {
	struct fake_api fake;
	struct kube_api api;
	bool low, timed; /* of all requests */
	struct metrics *metrics;
	struct event_writer *writer;
	int64_t now;
};

/* The scripted API server, behind a look at what only the client sees. */
static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct fixture *fixture = self;

	fixture->low = fixture->low && request->low_priority;
	fixture->timed = fixture->timed && request->timeout_ms == 777;
	return fixture->api.call(fixture->api.self, request, ret_body, err);
}

static void begin(struct fixture *fixture, const struct api_step *steps, size_t count)
{
	struct kube_api api = {.call = call};

	*fixture = (struct fixture){.low = true, .timed = true, .now = 1000};
	api.self = fixture;
	fake_api_init(&fixture->fake, steps, count);
	fixture->api = fake_api_table(&fixture->fake);
	fixture->metrics = metrics_new();
	fixture->writer = event_writer_new(&api,
		&(struct event_writer_options){"tester", EVERY_MS, RETRY_MS, fixture->metrics});
}

static void end(struct fixture *fixture)
{
	assert_true(fixture->low && fixture->timed);
	event_writer_free(fixture->writer);
	metrics_free(fixture->metrics);
	fake_api_done(&fixture->fake);
}

static void add_on(struct fixture *fixture, const char *uid, const char *message)
{
	const struct event_reference on = {"v1", "PersistentVolumeClaim", "shop", "c", uid, ""};

	event_writer_add(fixture->writer, event_queue_make(&on, EVENT_WARNING, "Reason", message),
		fixture->now);
}

static void add(struct fixture *fixture, const char *message)
{
	add_on(fixture, "u1", message);
}

/* Do all that is due; how many were given up. */
static int run(struct fixture *fixture)
{
	int failures = 0;

	while (event_writer_due(fixture->writer) <= fixture->now) {
		struct error err = {0};

		if (event_writer_step(fixture->writer, fixture->now, 777, &err) == 0)
			continue;
		assert_non_null(strstr(err.text, "event Reason on c: "));
		failures++;
	}
	return failures;
}

static const char *seen(struct fixture *fixture, size_t index)
{
	return fake_api_seen(&fixture->fake, index);
}

static double metric_of(struct fixture *fixture, const char *name)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	metrics_write(fixture->metrics, out);
	fclose(out);
	assert_true(asprintf(&line, "\nordinal_events_%s_total ", name) > 0);
	assert_non_null(strstr(text, line));
	return strtod(strstr(text, line) + strlen(line), NULL);
}

static const struct api_step agree[] = {{.match = "*", .repeat = true}};

/* At once, then collected: a storm of one event is two writes in the time. */
static void test_counts_are_collected(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	assert_true(event_writer_due(fixture.writer) == INT64_MAX);
	add(&fixture, "full");
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 1);
	for (int i = 0; i < 100; i++) {
		fixture.now += 10;
		add(&fixture, "full");
		run(&fixture);
	}
	assert_int_equal(fake_api_count(&fixture.fake), 1);
	assert_int_equal(event_writer_due(fixture.writer), 1000 + EVERY_MS);
	fixture.now = 1000 + EVERY_MS;
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 2);
	assert_non_null(strstr(seen(&fixture, 1), "PATCH " COLLECTION "/c."));
	assert_non_null(strstr(seen(&fixture, 1),
		" application/merge-patch+json {\"count\":101,\"lastTimestamp\":\""));
	assert_null(strstr(seen(&fixture, 1), "message"));
	assert_true(event_writer_due(fixture.writer) == INT64_MAX);
	/* After a while of rest: at once again. */
	fixture.now += 2 * EVERY_MS;
	add(&fixture, "full");
	run(&fixture);
	assert_non_null(strstr(seen(&fixture, 2), "{\"count\":102,"));
	assert_true(metric_of(&fixture, "sent") == 3);
	assert_true(metric_of(&fixture, "dropped") == 0);
	end(&fixture);
}

static void test_hurry(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	add(&fixture, "full");
	add(&fixture, "empty");
	run(&fixture);
	add(&fixture, "full");
	add(&fixture, "empty");
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 2);
	event_writer_hurry(fixture.writer, false);
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 2);
	event_writer_hurry(fixture.writer, true);
	event_writer_hurry(fixture.writer, true);
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 4);
	assert_true(event_writer_due(fixture.writer) == INT64_MAX);
	end(&fixture);
}

/* Messages that differ by a number: ten are told, the rest is one event. */
static void test_similar(void **state)
{
	struct fixture fixture;
	char text[32];

	(void)state;
	begin(&fixture, agree, 1);
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof(text), "error %d", i);
		add(&fixture, text);
		run(&fixture);
	}
	add(&fixture, "error 3"); /* is known */
	add_on(&fixture, "u2", "error 99");
	run(&fixture);
	/* 10, the combined, and that of another object. */
	assert_int_equal(fake_api_count(&fixture.fake), 12);
	assert_non_null(strstr(seen(&fixture, 9), "\"message\":\"error 9\""));
	assert_non_null(strstr(
		seen(&fixture, 10), "\"message\":\"(combined from similar events): error 10\""));
	assert_non_null(strstr(seen(&fixture, 11), "\"message\":\"error 99\""));
	fixture.now += EVERY_MS;
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 14);
	/* That which waits for longest is the first. */
	assert_non_null(strstr(seen(&fixture, 12), "{\"count\":20,"));
	assert_non_null(strstr(
		seen(&fixture, 12), "\"message\":\"(combined from similar events): error 29\""));
	assert_non_null(strstr(seen(&fixture, 13), "{\"count\":2,"));
	/* After ten quiet minutes messages are told again. */
	fixture.now += 600001;
	add(&fixture, "error 77");
	run(&fixture);
	assert_non_null(strstr(seen(&fixture, 14), "\"message\":\"error 77\""));
	end(&fixture);
}

/* The API server keeps events for an hour: then it is a new one, whose count starts afresh. */
static void test_expired(void **state)
{
	static const struct api_step steps[] = {{"POST *", ERROR_NONE, "{}", true},
		{"PATCH *", ERROR_NOT_FOUND, "gone", false}, {"PATCH *", ERROR_NONE, "{}", true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 3);
	for (int i = 0; i < 3; i++) {
		add(&fixture, "full");
		assert_int_equal(run(&fixture), 0);
		fixture.now += EVERY_MS;
	}
	assert_int_equal(fake_api_count(&fixture.fake), 4);
	assert_non_null(strstr(seen(&fixture, 1), "PATCH "));
	assert_non_null(strstr(seen(&fixture, 2), "\"count\":1,"));
	assert_non_null(strstr(seen(&fixture, 3), "{\"count\":2,"));
	end(&fixture);
}

/* What is refused is not asked for again. */
static void test_refused(void **state)
{
	static const enum error_kind kinds[] = {
		ERROR_FORBIDDEN, ERROR_NOT_FOUND, ERROR_INVALID, ERROR_INTERNAL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct api_step steps[] = {
			{"POST *", kinds[i], "no", false}, {"POST *", ERROR_NONE, "{}", true}};
		struct fixture fixture;

		begin(&fixture, steps, 2);
		add(&fixture, "full");
		assert_int_equal(run(&fixture), 1);
		fixture.now += 100000;
		assert_int_equal(run(&fixture), 0);
		assert_int_equal(fake_api_count(&fixture.fake), 1);
		assert_true(metric_of(&fixture, "dropped") == 1);
		add(&fixture, "full");
		assert_int_equal(run(&fixture), 0);
		assert_non_null(strstr(seen(&fixture, 1), "\"count\":1,"));
		end(&fixture);
	}
}

/* An API server that is away for a while: nothing is lost, and it is not stormed. */
static void test_away(void **state)
{
	static const struct api_step steps[] = {{"POST *", ERROR_UNAVAILABLE, "away", false},
		{"POST *", ERROR_TIMEOUT, "away", false},
		{"POST *", ERROR_TOO_MANY_REQUESTS, "slowly", false},
		{"POST *", ERROR_NONE, "{}", true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 4);
	add(&fixture, "full");
	assert_int_equal(run(&fixture), 0);
	assert_int_equal(fake_api_count(&fixture.fake), 1);
	assert_false(event_writer_accepts(fixture.writer, fixture.now));
	assert_int_equal(event_writer_due(fixture.writer), fixture.now + RETRY_MS);
	add(&fixture, "full"); /* is merged all the same */
	add(&fixture, "empty");
	fixture.now += RETRY_MS;
	run(&fixture);
	assert_int_equal(event_writer_due(fixture.writer), fixture.now + 2 * RETRY_MS);
	fixture.now += 2 * RETRY_MS;
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 3);
	fixture.now += 4 * RETRY_MS;
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 5);
	assert_non_null(strstr(seen(&fixture, 3), "\"count\":2,"));
	assert_non_null(strstr(seen(&fixture, 4), "\"count\":1,"));
	assert_true(event_writer_accepts(fixture.writer, fixture.now));
	assert_true(metric_of(&fixture, "dropped") == 0);
	end(&fixture);
}

/* One that is busy for minutes, too. */
static void test_busy(void **state)
{
	static const struct api_step steps[] = {
		{"POST *", ERROR_TOO_MANY_REQUESTS, "slowly", true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	add(&fixture, "full");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(run(&fixture), 0);
		assert_in_range(
			event_writer_due(fixture.writer), fixture.now + 1, fixture.now + 30000);
		fixture.now = event_writer_due(fixture.writer);
	}
	assert_int_equal(fake_api_count(&fixture.fake), 20);
	assert_true(metric_of(&fixture, "dropped") == 0);
	event_writer_hurry(fixture.writer, false);
	assert_int_equal(run(&fixture), 1);
	end(&fixture);
}

static void test_given_up(void **state)
{
	static const struct api_step steps[] = {{"POST *", ERROR_UNAVAILABLE, "away", true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 1);
	add(&fixture, "full");
	add(&fixture, "full");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(run(&fixture), 0);
		fixture.now += 30000;
	}
	assert_int_equal(run(&fixture), 1);
	assert_int_equal(fake_api_count(&fixture.fake), 5);
	assert_true(metric_of(&fixture, "dropped") == 2);
	/* In a hurry there is one attempt each. */
	add(&fixture, "1");
	add(&fixture, "2");
	event_writer_hurry(fixture.writer, false);
	assert_int_equal(run(&fixture), 2);
	assert_int_equal(fake_api_count(&fixture.fake), 7);
	end(&fixture);
}

/* The answer was lost: the event is there, under the same name, with an older count. */
static void test_answer_lost(void **state)
{
	static const struct api_step steps[] = {{"POST *", ERROR_TIMEOUT, "lost", false},
		{"POST *", ERROR_ALREADY_EXISTS, "there", true},
		{"PATCH *", ERROR_NONE, "{}", true}};
	struct fixture fixture;
	const char *name;

	(void)state;
	begin(&fixture, steps, 3);
	add(&fixture, "full");
	run(&fixture);
	add(&fixture, "full");
	fixture.now += RETRY_MS;
	assert_int_equal(run(&fixture), 0);
	assert_int_equal(fake_api_count(&fixture.fake), 3);
	name = strstr(seen(&fixture, 0), "\"name\":\"c.");
	assert_non_null(name);
	assert_int_equal(strncmp(strstr(seen(&fixture, 1), "\"name\":\"c."), name,
				 strlen("'name':'c.") + 16),
		0);
	assert_non_null(strstr(seen(&fixture, 2), "{\"count\":2,"));
	end(&fixture);
}

/* A patch that fails for a while is made later, with all that came meanwhile. */
static void test_patch_fails(void **state)
{
	static const struct api_step steps[] = {{"POST *", ERROR_NONE, "{}", true},
		{"PATCH *", ERROR_UNAVAILABLE, "away", false}, {"PATCH *", ERROR_NONE, "{}", false},
		{"PATCH *", ERROR_FORBIDDEN, "no", true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 4);
	add(&fixture, "full");
	run(&fixture);
	fixture.now += EVERY_MS;
	add(&fixture, "full");
	run(&fixture);
	add(&fixture, "full");
	fixture.now += RETRY_MS;
	assert_int_equal(run(&fixture), 0);
	assert_non_null(strstr(seen(&fixture, 2), "{\"count\":3,"));
	fixture.now += EVERY_MS;
	add(&fixture, "full");
	assert_int_equal(run(&fixture), 1);
	assert_true(metric_of(&fixture, "dropped") == 1);
	end(&fixture);
}

/* More different events than are remembered for their counts: the first is new again. */
static void test_forgets_the_oldest(void **state)
{
	struct fixture fixture;
	char uid[32];

	(void)state;
	begin(&fixture, agree, 1);
	for (int i = 0; i <= 1025; i++) {
		snprintf(uid, sizeof(uid), "%d", i % 1025);
		add_on(&fixture, uid, "full");
		run(&fixture);
	}
	assert_int_equal(fake_api_count(&fixture.fake), 1026);
	assert_int_equal(strncmp(fixture.fake.last, "POST ", 5), 0);
	assert_true(metric_of(&fixture, "dropped") == 0);
	end(&fixture);
}

/* Even of those that could not be written yet no more are kept. */
static void test_bounded(void **state)
{
	static const struct api_step steps[] = {{"*", ERROR_UNAVAILABLE, "away", true}};
	struct fixture fixture;
	char uid[32];

	(void)state;
	begin(&fixture, steps, 1);
	for (int i = 0; i < 2000; i++) {
		snprintf(uid, sizeof(uid), "%d", i);
		add_on(&fixture, uid, "full");
	}
	assert_true(metric_of(&fixture, "dropped") == 2000 - 1024);
	run(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 1);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_collected),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_similar),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_answer_lost),
		cmocka_unit_test(test_patch_fails),
		cmocka_unit_test(test_forgets_the_oldest),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
