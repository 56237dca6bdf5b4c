/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "http_server.h"
#include "lease_pair.h"
#include "testing.h"

static void test_first(void **state)
{
	_cleanup_free_ char *acquired = NULL, *again = NULL;
	struct lease_pair pair;
	int delay;

	(void)state;
	lease_pair_init(&pair);
	assert_false(lease_is_held(pair.a.lease));
	delay = lease_step(pair.a.lease);
	assert_true(lease_is_held(pair.a.lease));
	assert_true(lease_wait(pair.a.lease));
	assert_int_equal(delay, PERIOD);
	assert_int_equal(pair.a.acquired, 1);
	assert_string_equal(pair.a.event_name, "ns/l 1 101");
	lease_pair_check_spec(&pair, "holderIdentity", "\"a\"");
	lease_pair_check_spec(&pair, "leaseDurationSeconds", "15");
	lease_pair_check_spec(&pair, "leaseTransitions", "0");
	acquired = lease_pair_spec(&pair, "acquireTime");
	/* Kept by one request each. */
	pair.a.requests = 0;
	for (int i = 0; i < 10; i++) {
		lease_pair_ms += PERIOD;
		assert_true(lease_pair_step(&pair.a));
	}
	assert_int_equal(pair.a.requests, 10);
	assert_int_equal(pair.a.acquired, 1);
	again = lease_pair_spec(&pair, "acquireTime");
	assert_string_equal(acquired, again);
	lease_pair_check_spec(&pair, "leaseTransitions", "0");
	lease_pair_done(&pair);
}

/* Who waits takes it when it expires by its own clock, counted from when it saw the last change. */
static void test_expiry(void **state)
{
	struct lease_pair pair;
	int delay;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	lease_pair_ms += 5000;
	delay = lease_step(pair.b.lease);
	assert_in_range(delay, 700, 1000);
	lease_pair_ms += 4999;
	assert_true(lease_is_held(pair.a.lease));
	lease_pair_ms++;
	assert_false(lease_is_held(pair.a.lease));
	assert_int_equal(pair.a.lost, 0);
	lease_pair_ms += DURATION - 5000 - 1;
	assert_int_equal(lease_step(pair.b.lease), 1); /* then it is due */
	assert_false(lease_is_held(pair.b.lease));
	lease_pair_ms++;
	assert_true(lease_pair_step(&pair.b));
	lease_pair_check_holder(&pair, "b");
	lease_pair_check_spec(&pair, "leaseTransitions", "1");
	assert_false(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.lost, 1);
	lease_pair_done(&pair);
}

static void test_release(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	assert_false(lease_pair_step(&pair.b));
	/* Somebody writes at the worst moment. */
	pair.a.meddle = true;
	lease_release(pair.a.lease);
	assert_false(lease_is_held(pair.a.lease));
	assert_int_equal(pair.a.lost, 0);
	assert_int_equal(pair.a.limit_ms, PERIOD);
	lease_pair_check_holder(&pair, "");
	lease_pair_check_spec(&pair, "leaseDurationSeconds", "1");
	lease_pair_check_spec(&pair, "strategy", "\"x\"");
	assert_true(lease_pair_step(&pair.b));
	lease_pair_check_spec(&pair, "leaseTransitions", "1");
	lease_pair_check_spec(&pair, "leaseDurationSeconds", "15");
	/* Once is enough, and nothing of it comes back. */
	pair.a.requests = 0;
	lease_release(pair.a.lease);
	assert_false(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.requests, 0);
	lease_pair_done(&pair);
}

/* What is not ours is not given back. */
static void test_release_of_others(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	assert_false(lease_pair_step(&pair.b));
	lease_release(pair.b.lease);
	lease_pair_check_holder(&pair, "a");
	fake_lease_edit(&pair.server, "holderIdentity", "'c'");
	lease_release(pair.a.lease);
	lease_pair_check_holder(&pair, "c");
	lease_pair_done(&pair);
}

static const enum error_kind failures[] = {ERROR_UNAVAILABLE, ERROR_TIMEOUT, ERROR_FORBIDDEN,
	ERROR_UNAUTHORIZED, ERROR_TOO_MANY_REQUESTS, ERROR_INTERNAL, ERROR_CONFLICT};

static void test_recovery(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct lease_pair pair;

		lease_pair_init(&pair);
		assert_true(lease_pair_step(&pair.a));
		pair.a.fail = failures[i];
		for (int n = 0; n < 4; n++) {
			lease_pair_ms += PERIOD;
			assert_true(lease_pair_step(&pair.a));
		}
		pair.a.fail = ERROR_NONE;
		lease_pair_ms += PERIOD - 1;
		assert_true(lease_pair_step(&pair.a));
		lease_pair_ms += DEADLINE - 1;
		assert_true(lease_is_held(pair.a.lease));
		assert_int_equal(pair.a.lost, 0);
		lease_pair_done(&pair);
	}
}

static void test_deadline(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct lease_pair pair;
		int64_t sent = 0;

		lease_pair_init(&pair);
		assert_true(lease_pair_step(&pair.a));
		sent = lease_pair_ms;
		pair.a.fail = failures[i];
		while (lease_pair_ms < sent + DEADLINE) {
			assert_true(lease_is_held(pair.a.lease));
			lease_pair_ms += lease_step(pair.a.lease);
		}
		/* Turns come when they are due, and so the last one when it ended. */
		assert_int_equal(lease_pair_ms, sent + DEADLINE);
		assert_false(lease_is_held(pair.a.lease));
		pair.a.requests = 0;
		pair.a.fail = ERROR_NONE;
		for (int n = 0; n < 3; n++)
			assert_false(lease_pair_step(&pair.a));
		assert_int_equal(pair.a.lost, 1);
		assert_false(pair.a.held_at_end);
		assert_int_equal(pair.a.requests, 0);
		assert_false(lease_wait(pair.a.lease));
		lease_pair_done(&pair);
	}
}

/* Requests that hang use up their limits, and none outlives the lease. */
static void test_hanging(void **state)
{
	struct lease_pair pair;
	int64_t sent;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	sent = lease_pair_ms;
	pair.a.fail = ERROR_TIMEOUT;
	lease_pair_ms += PERIOD;
	while (!pair.a.lost) {
		int64_t left = sent + DEADLINE - lease_pair_ms;
		int64_t limit = left < DEADLINE / 2 ? left : DEADLINE / 2;

		pair.a.before_ms = limit;
		lease_pair_ms += lease_step(pair.a.lease);
		assert_int_equal(pair.a.limit_ms, limit);
	}
	assert_in_range(pair.a.requests, 3, 5);
	lease_pair_done(&pair);
}

/* What counts is when the renewal was sent, not when the answer came. */
static void test_sent_counts(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	lease_pair_ms += PERIOD;
	pair.a.before_ms = 3000;
	pair.a.after_ms = 4000;
	assert_true(lease_pair_step(&pair.a));
	lease_pair_ms += DEADLINE - 7000 - 1;
	assert_true(lease_is_held(pair.a.lease));
	lease_pair_ms++;
	assert_false(lease_is_held(pair.a.lease));
	lease_pair_done(&pair);
}

/* An answer that says too late that the lease is ours: while waiting, to be asked for again; while
 * leading, the end. */
static void test_late_answer(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	pair.a.after_ms = DEADLINE;
	assert_false(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.acquired, 0);
	pair.a.after_ms = 0;
	assert_true(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.limit_ms, DEADLINE / 2);
	assert_int_equal(pair.a.acquired, 1);
	lease_pair_check_spec(&pair, "leaseTransitions", "0");
	pair.a.after_ms = 60000;
	assert_false(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.lost, 1);
	lease_pair_done(&pair);
}

/* Stopped past the lease, as by SIGSTOP or by closing a lid: what comes first is not the thread. */
static void test_paused(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	pair.a.requests = 0;
	lease_pair_ms += 60000;
	assert_false(lease_is_held(pair.a.lease));
	assert_int_equal(pair.a.lost, 0);
	assert_false(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.lost, 1);
	assert_int_equal(pair.a.requests, 0);
	lease_pair_done(&pair);
}

/* Others may write what they like beside the holder. */
static void test_conflict(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	lease_pair_ms += DEADLINE - 1000;
	fake_lease_edit(&pair.server, "strategy", "'x'");
	assert_int_equal(lease_step(pair.a.lease), 50);
	lease_pair_ms += 50;
	assert_true(lease_pair_step(&pair.a));
	lease_pair_ms += DEADLINE - 1;
	assert_true(lease_is_held(pair.a.lease));
	lease_pair_check_spec(&pair, "strategy", "\"x\"");
	/* Taken by an administrator's hand. */
	fake_lease_edit(&pair.server, "holderIdentity", "'c'");
	lease_step(pair.a.lease);
	assert_false(lease_pair_step(&pair.a));
	assert_int_equal(pair.a.lost, 1);
	assert_false(pair.a.held_at_end);
	lease_pair_check_holder(&pair, "c");
	lease_pair_done(&pair);
}

/* Two that see at once that it is free. */
static void test_both_at_once(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	pair.a.fail = pair.b.fail = ERROR_UNAVAILABLE;
	pair.a.fail_method = pair.b.fail_method = "POST";
	assert_false(lease_pair_step(&pair.a));
	assert_false(lease_pair_step(&pair.b));
	pair.a.fail = ERROR_ALREADY_EXISTS;
	pair.b.fail = ERROR_NONE;
	assert_true(lease_pair_step(&pair.b));
	assert_false(lease_pair_step(&pair.a));
	assert_false(lease_pair_step(&pair.a));
	lease_pair_check_holder(&pair, "b");
	lease_pair_done(&pair);
}

/* As long as its holder renews it, whatever its clock says, it is not taken. */
static void test_living_holder(void **state)
{
	static const char *const times[] = {"'2026-01-01T07:00:00.000000Z'",
		"'2026-01-01T09:00:00.000000Z'", "'2026-01-01T01:00:00.000000Z'"};
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	fake_lease_edit(&pair.server, NULL, "{'holderIdentity': 'x'}");
	for (size_t i = 0; i < 30; i++) {
		assert_false(lease_pair_step(&pair.a));
		lease_pair_ms += DURATION - 1;
		fake_lease_edit(&pair.server, "renewTime", times[i % ARRAY_SIZE(times)]);
	}
	assert_false(lease_pair_step(&pair.a));
	lease_pair_ms += DURATION;
	assert_true(lease_pair_step(&pair.a));
	lease_pair_done(&pair);
}

/* Deleted under its holder, who makes it again. Others must not take the gap for a hand-over. */
static void test_deleted(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	assert_false(lease_pair_step(&pair.b));
	lease_pair_ms += DURATION - 6000;
	assert_true(lease_pair_step(&pair.a)); /* which b does not see */
	lease_pair_ms += 6000;
	fake_lease_delete(&pair.server);
	assert_false(lease_pair_step(&pair.b));
	assert_true(lease_pair_step(&pair.a)); /* finds it gone */
	assert_true(lease_pair_step(&pair.a));
	lease_pair_check_holder(&pair, "a");
	assert_false(lease_pair_step(&pair.b));
	/* And where the holder is gone as well, it expires. */
	fake_lease_delete(&pair.server);
	assert_false(lease_pair_step(&pair.b));
	lease_pair_ms += DURATION - 1;
	assert_false(lease_pair_step(&pair.b));
	lease_pair_ms++;
	assert_true(lease_pair_step(&pair.b));
	lease_pair_done(&pair);
}

/* Taken and deleted since we saw that nobody held it. */
static void test_deleted_unseen(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	fake_lease_edit(&pair.server, NULL, "{'holderIdentity': ''}");
	pair.b.fail = ERROR_UNAVAILABLE;
	pair.b.fail_method = "PUT";
	assert_false(lease_pair_step(&pair.b));
	assert_true(lease_pair_step(&pair.a));
	fake_lease_delete(&pair.server);
	pair.b.fail = ERROR_NONE;
	assert_false(lease_pair_step(&pair.b));
	lease_pair_ms += DURATION;
	assert_true(lease_pair_step(&pair.b));
	lease_pair_done(&pair);
}

/* Missing rights: a line a minute that says which, and no end of trying. */
static void test_forbidden(void **state)
{
	int log = memfd_create("log", MFD_CLOEXEC), standard_error = dup(STDERR_FILENO);
	struct lease_pair pair;
	char text[8192] = "";
	int lines = 0;

	(void)state;
	dup2(log, STDERR_FILENO);
	lease_pair_init(&pair);
	pair.a.fail = ERROR_FORBIDDEN;
	pair.a.fail_method = "POST";
	for (int64_t start = lease_pair_ms; lease_pair_ms < start + 130000;)
		lease_pair_ms += lease_step(pair.a.lease);
	pair.a.fail = ERROR_NONE;
	assert_true(lease_pair_step(&pair.a));
	pair.a.fail = ERROR_FORBIDDEN;
	pair.a.fail_method = "PUT";
	assert_true(lease_pair_step(&pair.a));
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
	lease_pair_done(&pair);
}

static void test_stop(void **state)
{
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	assert_true(lease_pair_step(&pair.a));
	assert_false(lease_pair_step(&pair.b));
	lease_stop(pair.b.lease);
	lease_stop(pair.a.lease);
	assert_false(lease_wait(pair.a.lease));
	assert_false(lease_wait(pair.b.lease));
	/* Kept until it is released; not taken any more. */
	for (int i = 0; i < 10; i++) {
		lease_pair_ms += PERIOD;
		assert_true(lease_pair_step(&pair.a));
	}
	lease_release(pair.a.lease);
	assert_false(lease_pair_step(&pair.b));
	lease_pair_check_holder(&pair, "");
	lease_pair_done(&pair);
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
	{"PUT " LEASES "/l", 0, NULL, RECORD("a", "8"), 0, 0, true},
	{"GET " LEASES "/l", 0, NULL, RECORD("a", "8"), 0, 0, 0},
};

/* Over HTTP, by the system's clock, on a thread of its own. */
static void test_http(void **state)
{
	struct http_server *server = http_server_start(http_steps, ARRAY_SIZE(http_steps));
	struct kube_config config = {.server = (char *)http_server_url(server)};
	struct rest_client *client = rest_client_new(&config);
	struct kube_api api = rest_client_api(client);
	struct lease *lease =
		lease_new(&api, &(struct lease_options){"ns", "l", "a", .duration_ms = 90000,
					.renew_deadline_ms = 60000, .retry_period_ms = 100});
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
	put = http_server_seen(server, http_server_requests(server) - 1);
	assert_int_equal(strncmp(put, "PUT ", 4), 0);
	assert_non_null(strstr(put, "\"holderIdentity\":\"\""));
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
		cmocka_unit_test(test_living_holder),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_deleted_unseen),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_http),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
