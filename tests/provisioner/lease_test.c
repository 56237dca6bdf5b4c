/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_lease.h"
#include "http_server.h"
#include "lease_guard.h"
#include "lease_record.h"
#include "testing.h"

#define DURATION 15000
#define DEADLINE 10000
#define PERIOD   2000

static _Atomic int64_t clock_ms;

static int64_t fake_boottime(void)
{
	return clock_ms;
}

/* One that wants the lease, and how the API server treats it. */
struct party {
	struct fake_lease *server;
	struct lease *lease;
	enum error_kind fail;        /* of every request, or ERROR_NONE */
	const char *fail_method;     /* only of these; NULL: all */
	int64_t before_ms, after_ms; /* what a request takes until it is done, and answered */
	const char *answer;          /* of every request, instead of what is so; or NULL */
	bool meddle;                 /* once, write after it has read */
	size_t requests;
	int limit_ms; /* of the last request */
	int acquired, lost;
	bool held_at_end; /* while lost() ran */
	char event_name[64];
};

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct party *party = self;
	int result;

	party->requests++;
	party->limit_ms = request->timeout_ms;
	clock_ms += party->before_ms;
	if (party->fail && (!party->fail_method || !strcmp(party->fail_method, request->method)))
		return error_set(err, party->fail, "as the test wants");
	result = fake_lease_call(party->server, request, ret_body, err);
	if (party->meddle && !strcmp(request->method, "GET")) {
		fake_lease_edit(party->server, "strategy", "'x'");
		party->meddle = false;
	}
	clock_ms += party->after_ms;
	if (result == 0 && party->answer) {
		json_object_put(*ret_body);
		*ret_body = json_of(party->answer);
	}
	return result;
}

static void on_acquired(void *context, const struct object *object)
{
	struct party *party = context;

	party->acquired++;
	if (object)
		snprintf(party->event_name, sizeof(party->event_name), "%s %s %s", object->key,
			object->uid, object->resource_version);
}

static void on_lost(void *context)
{
	struct party *party = context;

	party->lost++;
	party->held_at_end = lease_is_held(party->lease);
}

static void join(struct party *party, struct fake_lease *server, const char *identity)
{
	const struct kube_api api = {call, party};

	*party = (struct party){.server = server};
	party->lease = lease_new(&api, &(struct lease_options){
					       .namespace = "ns",
					       .name = "l",
					       .identity = identity,
					       .acquired = on_acquired,
					       .lost = on_lost,
					       .context = party,
					       .boottime_ms = fake_boottime,
				       });
}

struct fixture {
	struct fake_lease server;
	struct party a, b;
};

static void begin(struct fixture *fixture)
{
	clock_ms = 1000000;
	fake_lease_init(&fixture->server);
	join(&fixture->a, &fixture->server, "a");
	join(&fixture->b, &fixture->server, "b");
}

static void end(struct fixture *fixture)
{
	lease_free(fixture->a.lease);
	lease_free(fixture->b.lease);
	fake_lease_done(&fixture->server);
}

static bool step(struct party *party)
{
	lease_step(party->lease);
	return lease_is_held(party->lease);
}

static void check_holder(struct fixture *fixture, const char *wanted)
{
	_cleanup_free_ char *holder = fake_lease_holder(&fixture->server);

	assert_string_equal(holder, wanted);
}

/* Member KEY of the record's spec as JSON text. Caller frees. */
static char *spec_text(struct fixture *fixture, const char *key)
{
	struct json_object *record = fake_lease_read(&fixture->server), *value = NULL;
	char *text;

	json_object_object_get_ex(json_member(record, "spec", json_type_object), key, &value);
	text = strdup(json_object_to_json_string(value));
	json_object_put(record);
	return text;
}

static void check_spec(struct fixture *fixture, const char *key, const char *wanted)
{
	_cleanup_free_ char *text = spec_text(fixture, key);

	assert_case_text(key, text, wanted);
}

static void test_first(void **state)
{
	_cleanup_free_ char *acquired = NULL, *again = NULL;
	struct fixture fixture;
	int delay;

	(void)state;
	begin(&fixture);
	assert_false(lease_is_held(fixture.a.lease));
	delay = lease_step(fixture.a.lease);
	assert_true(lease_is_held(fixture.a.lease));
	assert_true(lease_wait(fixture.a.lease));
	assert_int_equal(delay, PERIOD);
	assert_int_equal(fixture.a.acquired, 1);
	assert_string_equal(fixture.a.event_name, "ns/l 1 101");
	check_spec(&fixture, "holderIdentity", "\"a\"");
	check_spec(&fixture, "leaseDurationSeconds", "15");
	check_spec(&fixture, "leaseTransitions", "0");
	acquired = spec_text(&fixture, "acquireTime");
	/* Kept by one request each, which leaves alone what others wrote. */
	fixture.a.requests = 0;
	for (int i = 0; i < 10; i++) {
		clock_ms += PERIOD;
		assert_true(step(&fixture.a));
	}
	assert_int_equal(fixture.a.requests, 10);
	assert_int_equal(fixture.a.acquired, 1);
	again = spec_text(&fixture, "acquireTime");
	assert_string_equal(acquired, again);
	check_spec(&fixture, "leaseTransitions", "0");
	end(&fixture);
}

/* Who waits takes it when it expires by its own clock, counted from when it saw the last change. */
static void test_expiry(void **state)
{
	struct fixture fixture;
	int delay;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	clock_ms += 5000;
	delay = lease_step(fixture.b.lease);
	assert_in_range(delay, 700, 1000);
	clock_ms += 4999;
	assert_true(lease_is_held(fixture.a.lease));
	clock_ms++;
	assert_false(lease_is_held(fixture.a.lease));
	assert_int_equal(fixture.a.lost, 0);
	clock_ms += DURATION - 5000 - 1;
	assert_int_equal(lease_step(fixture.b.lease), 1); /* then it is due */
	assert_false(lease_is_held(fixture.b.lease));
	clock_ms++;
	assert_true(step(&fixture.b));
	check_holder(&fixture, "b");
	check_spec(&fixture, "leaseTransitions", "1");
	assert_false(step(&fixture.a));
	assert_int_equal(fixture.a.lost, 1);
	end(&fixture);
}

static void test_release(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	assert_false(step(&fixture.b));
	/* Somebody writes at the worst moment. */
	fixture.a.meddle = true;
	lease_release(fixture.a.lease);
	assert_false(lease_is_held(fixture.a.lease));
	assert_int_equal(fixture.a.lost, 0);
	assert_int_equal(fixture.a.limit_ms, PERIOD);
	check_holder(&fixture, "");
	check_spec(&fixture, "leaseDurationSeconds", "1");
	check_spec(&fixture, "strategy", "\"x\"");
	assert_true(step(&fixture.b));
	check_spec(&fixture, "leaseTransitions", "1");
	check_spec(&fixture, "leaseDurationSeconds", "15");
	/* Once is enough, and nothing of it comes back. */
	fixture.a.requests = 0;
	lease_release(fixture.a.lease);
	assert_false(step(&fixture.a));
	assert_int_equal(fixture.a.requests, 0);
	end(&fixture);
}

/* What is not ours is not given back. */
static void test_release_of_others(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	assert_false(step(&fixture.b));
	lease_release(fixture.b.lease);
	check_holder(&fixture, "a");
	fake_lease_edit(&fixture.server, "holderIdentity", "'c'");
	lease_release(fixture.a.lease);
	check_holder(&fixture, "c");
	end(&fixture);
}

static const enum error_kind failures[] = {ERROR_UNAVAILABLE, ERROR_TIMEOUT, ERROR_FORBIDDEN,
	ERROR_UNAUTHORIZED, ERROR_TOO_MANY_REQUESTS, ERROR_INTERNAL, ERROR_CONFLICT};

static void test_recovery(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct fixture fixture;

		begin(&fixture);
		assert_true(step(&fixture.a));
		fixture.a.fail = failures[i];
		for (int n = 0; n < 4; n++) {
			clock_ms += PERIOD;
			assert_true(step(&fixture.a));
		}
		fixture.a.fail = ERROR_NONE;
		clock_ms += PERIOD - 1;
		assert_true(step(&fixture.a));
		clock_ms += DEADLINE - 1;
		assert_true(lease_is_held(fixture.a.lease));
		assert_int_equal(fixture.a.lost, 0);
		end(&fixture);
	}
}

static void test_deadline(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct fixture fixture;
		int64_t sent = 0;

		begin(&fixture);
		assert_true(step(&fixture.a));
		sent = clock_ms;
		fixture.a.fail = failures[i];
		while (clock_ms < sent + DEADLINE) {
			assert_true(lease_is_held(fixture.a.lease));
			clock_ms += lease_step(fixture.a.lease);
		}
		/* Turns come when they are due, and so the last one when it ended. */
		assert_int_equal(clock_ms, sent + DEADLINE);
		assert_false(lease_is_held(fixture.a.lease));
		fixture.a.requests = 0;
		fixture.a.fail = ERROR_NONE;
		for (int n = 0; n < 3; n++)
			assert_false(step(&fixture.a));
		assert_int_equal(fixture.a.lost, 1);
		assert_false(fixture.a.held_at_end);
		assert_int_equal(fixture.a.requests, 0);
		assert_false(lease_wait(fixture.a.lease));
		end(&fixture);
	}
}

/* Requests that hang use up their limits, and none outlives the lease. */
static void test_hanging(void **state)
{
	struct fixture fixture;
	int64_t sent;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	sent = clock_ms;
	fixture.a.fail = ERROR_TIMEOUT;
	clock_ms += PERIOD;
	while (!fixture.a.lost) {
		int64_t left = sent + DEADLINE - clock_ms;
		int64_t limit = left < DEADLINE / 2 ? left : DEADLINE / 2;

		fixture.a.before_ms = limit;
		clock_ms += lease_step(fixture.a.lease);
		assert_int_equal(fixture.a.limit_ms, limit);
	}
	assert_in_range(fixture.a.requests, 3, 5);
	end(&fixture);
}

/* What counts is when the renewal was sent, not when the answer came. */
static void test_sent_counts(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	clock_ms += PERIOD;
	fixture.a.before_ms = 3000;
	fixture.a.after_ms = 4000;
	assert_true(step(&fixture.a));
	clock_ms += DEADLINE - 7000 - 1;
	assert_true(lease_is_held(fixture.a.lease));
	clock_ms++;
	assert_false(lease_is_held(fixture.a.lease));
	end(&fixture);
}

/* An answer that says too late that the lease is ours: while waiting, to be asked for again; while
 * leading, the end. */
static void test_late_answer(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	fixture.a.after_ms = DEADLINE;
	assert_false(step(&fixture.a));
	assert_int_equal(fixture.a.acquired, 0);
	fixture.a.after_ms = 0;
	assert_true(step(&fixture.a));
	assert_int_equal(fixture.a.limit_ms, DEADLINE / 2);
	assert_int_equal(fixture.a.acquired, 1);
	check_spec(&fixture, "leaseTransitions", "0");
	fixture.a.after_ms = 60000;
	assert_false(step(&fixture.a));
	assert_int_equal(fixture.a.lost, 1);
	end(&fixture);
}

/* Stopped past the lease, as by SIGSTOP or by closing a lid: what comes first is not the thread. */
static void test_paused(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	fixture.a.requests = 0;
	clock_ms += 60000;
	assert_false(lease_is_held(fixture.a.lease));
	assert_int_equal(fixture.a.lost, 0);
	assert_false(step(&fixture.a));
	assert_int_equal(fixture.a.lost, 1);
	assert_int_equal(fixture.a.requests, 0);
	end(&fixture);
}

/* Others may write what they like beside the holder. */
static void test_conflict(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	clock_ms += DEADLINE - 1000;
	fake_lease_edit(&fixture.server, "strategy", "'x'");
	assert_int_equal(lease_step(fixture.a.lease), 50);
	clock_ms += 50;
	assert_true(step(&fixture.a));
	clock_ms += DEADLINE - 1;
	assert_true(lease_is_held(fixture.a.lease));
	check_spec(&fixture, "strategy", "\"x\"");
	/* Taken by an administrator's hand. */
	fake_lease_edit(&fixture.server, "holderIdentity", "'c'");
	lease_step(fixture.a.lease);
	assert_false(step(&fixture.a));
	assert_int_equal(fixture.a.lost, 1);
	assert_false(fixture.a.held_at_end);
	check_holder(&fixture, "c");
	end(&fixture);
}

/* Two that see at once that it is free. */
static void test_both_at_once(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	fixture.a.fail = fixture.b.fail = ERROR_UNAVAILABLE;
	fixture.a.fail_method = fixture.b.fail_method = "POST";
	assert_false(step(&fixture.a));
	assert_false(step(&fixture.b));
	fixture.a.fail = ERROR_ALREADY_EXISTS;
	fixture.b.fail = ERROR_NONE;
	assert_true(step(&fixture.b));
	assert_false(step(&fixture.a));
	assert_false(step(&fixture.a));
	check_holder(&fixture, "b");
	end(&fixture);
}

/* Records that others left, and after how long they are ours; wall clocks are as they like. */
static const struct {
	const char *name, *spec;
	int64_t wait_ms;
} records[] = {
	{"nothing", "{}", 0},
	{"no spec", "7", 0},
	{"a list", "[{'holderIdentity': 'x'}]", 0},
	{"nobody", "{'holderIdentity': ''}", 0},
	{"null", "{'holderIdentity': null, 'leaseDurationSeconds': null}", 0},
	{"ours", "{'holderIdentity': 'a'}", 0},
	{"no duration", "{'holderIdentity': 'x'}", DURATION},
	{"ordinary", "{'holderIdentity': 'x', 'leaseDurationSeconds': 15}", DURATION},
	{"short", "{'holderIdentity': 'x', 'leaseDurationSeconds': 1}", DURATION},
	{"long", "{'holderIdentity': 'x', 'leaseDurationSeconds': 137}", 137000},
	{"zero", "{'holderIdentity': 'x', 'leaseDurationSeconds': 0}", DURATION},
	{"negative", "{'holderIdentity': 'x', 'leaseDurationSeconds': -5}", DURATION},
	{"beyond the API", "{'holderIdentity': 'x', 'leaseDurationSeconds': 2147483647}", DURATION},
	{"huge", "{'holderIdentity': 'x', 'leaseDurationSeconds': 9223372036854775807}", DURATION},
	{"text", "{'holderIdentity': 'x', 'leaseDurationSeconds': '137'}", DURATION},
	{"fraction", "{'holderIdentity': 'x', 'leaseDurationSeconds': 137.5}", DURATION},
	{"holder of another type", "{'holderIdentity': 7, 'leaseDurationSeconds': 137}", 137000},
	{"holder with a NUL", "{'holderIdentity': 'a\\u0000b'}", DURATION},
	{"renewed in the future",
		"{'holderIdentity': 'x', 'leaseDurationSeconds': 15,"
		" 'renewTime': '2999-01-01T00:00:00.000000Z'}",
		DURATION},
	{"renewed long ago",
		"{'holderIdentity': 'x', 'leaseDurationSeconds': 15,"
		" 'renewTime': '1999-01-01T00:00:00.000000Z'}",
		DURATION},
	{"times of other types",
		"{'holderIdentity': 'x', 'leaseDurationSeconds': 15, 'renewTime': {},"
		" 'acquireTime': 5, 'leaseTransitions': 'many'}",
		DURATION},
	{"ours, broken",
		"{'holderIdentity': 'a', 'leaseDurationSeconds': 'x', 'renewTime': {},"
		" 'acquireTime': 5, 'leaseTransitions': -7}",
		0},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		const char *name = records[i].name;
		struct fixture fixture;

		begin(&fixture);
		fake_lease_edit(&fixture.server, NULL, records[i].spec);
		if (records[i].wait_ms) {
			assert_case(name, !step(&fixture.a));
			clock_ms += records[i].wait_ms - 1;
			assert_case(name, !step(&fixture.a));
			clock_ms++;
		}
		assert_case(name, step(&fixture.a)); /* what we write is valid */
		check_holder(&fixture, "a");
		end(&fixture);
	}
}

/* As long as its holder renews it, whatever its clock says, it is not taken. */
static void test_living_holder(void **state)
{
	static const char *const times[] = {"'2026-01-01T07:00:00.000000Z'",
		"'2026-01-01T09:00:00.000000Z'", "'2026-01-01T01:00:00.000000Z'"};
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	fake_lease_edit(&fixture.server, NULL, "{'holderIdentity': 'x'}");
	for (size_t i = 0; i < 30; i++) {
		assert_false(step(&fixture.a));
		clock_ms += DURATION - 1;
		fake_lease_edit(&fixture.server, "renewTime", times[i % ARRAY_SIZE(times)]);
	}
	assert_false(step(&fixture.a));
	clock_ms += DURATION;
	assert_true(step(&fixture.a));
	end(&fixture);
}

/* Deleted under its holder, who makes it again. Others must not take the gap for a hand-over. */
static void test_deleted(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	assert_false(step(&fixture.b));
	clock_ms += DURATION - 6000;
	assert_true(step(&fixture.a)); /* which b does not see */
	clock_ms += 6000;
	fake_lease_delete(&fixture.server);
	assert_false(step(&fixture.b));
	assert_true(step(&fixture.a)); /* finds it gone */
	assert_true(step(&fixture.a));
	check_holder(&fixture, "a");
	assert_false(step(&fixture.b));
	/* And where the holder is gone as well, it expires. */
	fake_lease_delete(&fixture.server);
	assert_false(step(&fixture.b));
	clock_ms += DURATION - 1;
	assert_false(step(&fixture.b));
	clock_ms++;
	assert_true(step(&fixture.b));
	end(&fixture);
}

/* Taken and deleted since we saw that nobody held it. */
static void test_deleted_unseen(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	fake_lease_edit(&fixture.server, NULL, "{'holderIdentity': ''}");
	fixture.b.fail = ERROR_UNAVAILABLE;
	fixture.b.fail_method = "PUT";
	assert_false(step(&fixture.b));
	assert_true(step(&fixture.a));
	fake_lease_delete(&fixture.server);
	fixture.b.fail = ERROR_NONE;
	assert_false(step(&fixture.b));
	clock_ms += DURATION;
	assert_true(step(&fixture.b));
	end(&fixture);
}

/* Answers with success that say nothing are no renewals. */
static void test_strange_answers(void **state)
{
	static const char *const answers[] = {"{}", "7", "[]", "{'metadata': 7}",
		"{'metadata': {}}", "{'metadata': {'resourceVersion': 5}}",
		"{'metadata': {'resourceVersion': ''}}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct fixture fixture;

		begin(&fixture);
		fixture.a.answer = answers[i];
		assert_case(answers[i], !step(&fixture.a));
		assert_case(answers[i], !step(&fixture.a));
		fixture.a.answer = NULL;
		assert_case(answers[i], step(&fixture.a));
		fixture.a.answer = answers[i];
		clock_ms += DEADLINE - 1;
		assert_case(answers[i], step(&fixture.a));
		clock_ms++;
		assert_case(answers[i], !lease_is_held(fixture.a.lease));
		fixture.a.answer = NULL;
		end(&fixture);
	}
}

/* Missing rights: a line a minute that says which, and no end of trying. */
static void test_forbidden(void **state)
{
	int log = memfd_create("log", MFD_CLOEXEC), standard_error = dup(STDERR_FILENO);
	struct fixture fixture;
	char text[8192] = "";
	int lines = 0;

	(void)state;
	dup2(log, STDERR_FILENO);
	begin(&fixture);
	fixture.a.fail = ERROR_FORBIDDEN;
	fixture.a.fail_method = "POST";
	for (int64_t start = clock_ms; clock_ms < start + 130000;)
		clock_ms += lease_step(fixture.a.lease);
	fixture.a.fail = ERROR_NONE;
	assert_true(step(&fixture.a));
	fixture.a.fail = ERROR_FORBIDDEN;
	fixture.a.fail_method = "PUT";
	assert_true(step(&fixture.a));
	dup2(standard_error, STDERR_FILENO);
	close(standard_error);
	assert_true(pread(log, text, sizeof(text) - 1, 0) > 0);
	close(log);
	for (const char *at = text; (at = strstr(at, "the verb \"create\" on leases.coordination."
						     "k8s.io in namespace ns is missing"));
		at++)
		lines++;
	assert_int_equal(lines, 3);
	assert_non_null(strstr(text, "the verb \"update\" on leases.coordination.k8s.io"));
	end(&fixture);
}

static void test_stop(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	assert_true(step(&fixture.a));
	assert_false(step(&fixture.b));
	lease_stop(fixture.b.lease);
	lease_stop(fixture.a.lease);
	assert_false(lease_wait(fixture.a.lease));
	assert_false(lease_wait(fixture.b.lease));
	/* Kept until it is released; not taken any more. */
	for (int i = 0; i < 10; i++) {
		clock_ms += PERIOD;
		assert_true(step(&fixture.a));
	}
	lease_release(fixture.a.lease);
	assert_false(step(&fixture.b));
	check_holder(&fixture, "");
	end(&fixture);
}

struct calls {
	int api, create, delete, expand, modify, probe;
};

static int count_api(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	(void)request;
	(void)ret_body;
	(void)err;
	((struct calls *)self)->api++;
	return 0;
}

static int count_create(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	(void)request;
	(void)ret_volume;
	(void)err;
	((struct calls *)self)->create++;
	return 0;
}

static int count_delete(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	(void)handle;
	(void)secrets;
	(void)err;
	((struct calls *)self)->delete ++;
	return 0;
}

static int count_expand(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	(void)request;
	(void)ret_bytes;
	(void)ret_node_expansion;
	(void)err;
	((struct calls *)self)->expand++;
	return 0;
}

static int count_modify(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	(void)handle;
	(void)parameters;
	(void)secrets;
	(void)err;
	((struct calls *)self)->modify++;
	return 0;
}

static int count_probe(void *self, struct error *err)
{
	(void)err;
	((struct calls *)self)->probe++;
	return 0;
}

/* Only the holder changes anything. */
static void test_guard(void **state)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "get", ""};
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	for (int held = 0; held <= 1; held++) {
		struct calls calls = {0};
		struct lease_guard guard = {fixture.a.lease, {count_api, &calls},
			{.create_volume = count_create,
				.delete_volume = count_delete,
				.expand_volume = count_expand,
				.modify_volume = count_modify,
				.probe = count_probe,
				.self = &calls,
				.info = {.name = "d"}}};
		struct kube_api api = lease_guard_api(&guard);
		struct csi_driver driver = lease_guard_driver(&guard);
		int passed = 0, wanted = held ? 0 : -1;
		struct error err = {0};

		assert_int_equal(held, held && step(&fixture.a));
		for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
			struct rest_request request = {.method = methods[i], .path = "/"};

			if (api.call(api.self, &request, NULL, &err) == 0)
				passed++;
		}
		assert_int_equal(passed, held ? ARRAY_SIZE(methods) : 1);
		assert_int_equal(calls.api, passed);
		assert_int_equal(driver.create_volume(driver.self, NULL, NULL, &err), wanted);
		assert_int_equal(driver.delete_volume(driver.self, "h", NULL, &err), wanted);
		assert_int_equal(driver.expand_volume(driver.self, NULL, NULL, NULL, &err), wanted);
		assert_int_equal(driver.modify_volume(driver.self, "h", NULL, NULL, &err), wanted);
		assert_int_equal(driver.probe(driver.self, NULL), 0);
		assert_int_equal(
			calls.create + calls.delete + calls.expand + calls.modify, held ? 4 : 0);
		assert_int_equal(calls.probe, 1);
		assert_int_equal(err.kind, held ? ERROR_NONE : ERROR_ABORTED);
		assert_string_equal(driver.info.name, "d");
	}
	clock_ms += DEADLINE;
	assert_false(lease_is_held(fixture.a.lease));
	end(&fixture);
}

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
#define RECORD(holder, version)                                                                    \
	"{'metadata': {'name': 'l', 'namespace': 'ns', 'uid': 'u', 'resourceVersion': '" version   \
	"', 'labels': {'k': 'v'}}, 'spec': {'holderIdentity': '" holder "'}}"

static const struct http_step http_steps[] = {
	{"GET " LEASES "/l", 404, NULL, "{'reason': 'NotFound', 'message': 'no'}", 0, 0, 0},
	{"POST " LEASES " ", 201, NULL, RECORD("a", "5"), 0, 0, 0},
	{"PUT " LEASES "/l", 409, NULL, "{'reason': 'Conflict', 'message': 'no'}", 0, 0, 0},
	{"GET " LEASES "/l", 0, NULL, RECORD("a", "7"), 0, 0, 0},
	{"PUT " LEASES "/l", 0, NULL, RECORD("a", "8"), 0, 0, 0},
	{"GET " LEASES "/l", 0, NULL, RECORD("a", "8"), 0, 0, 0},
	{"PUT " LEASES "/l", 0, NULL, RECORD("", "9"), 0, 0, 0},
};

/* Over HTTP, by the system's clock, on a thread of its own. */
static void test_http(void **state)
{
	struct http_server *server = http_server_start(http_steps, ARRAY_SIZE(http_steps));
	struct kube_config config = {.server = (char *)http_server_url(server)};
	struct rest_client *client = rest_client_new(&config);
	struct kube_api api = rest_client_api(client);
	struct lease *lease =
		lease_new(&api, &(struct lease_options){"ns", "l", "a", .retry_period_ms = 20});
	const char *put;

	(void)state;
	lease_start(lease);
	assert_true(lease_wait(lease));
	assert_true(http_server_wait(server, 5));
	assert_true(lease_is_held(lease));
	put = http_server_seen(server, 4);
	assert_non_null(strstr(put, "\"resourceVersion\":\"7\""));
	assert_non_null(strstr(put, "\"uid\":\"u\""));
	assert_non_null(strstr(put, "\"labels\":{\"k\":\"v\"}"));
	lease_release(lease);
	assert_false(lease_is_held(lease));
	lease_free(lease);
	rest_client_free(client);
	http_server_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_of_others),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_hanging),
		cmocka_unit_test(test_sent_counts),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_both_at_once),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_living_holder),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_deleted_unseen),
		cmocka_unit_test(test_strange_answers),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_http),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
