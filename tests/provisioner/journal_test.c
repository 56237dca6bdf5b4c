/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <pthread.h>
#include <string.h>

#include "map_server.h"
#include "testing.h"

static struct journal *new_journal(struct map_server *server, const char *holder, size_t max_bytes)
{
	const struct kube_api api = map_server_api(server);
	const struct journal_options options = {
		.namespace = "ours", .name = "journal", .holder = holder, .max_bytes = max_bytes};

	return journal_new(&api, &options);
}

static struct journal *open_journal(struct map_server *server, const char *holder)
{
	struct journal *journal = new_journal(server, holder, 0);
	struct error err;

	assert_int_equal(journal_open(journal, &err), 0);
	return journal;
}

static struct volume_request *request_of(const char *uid, int64_t bytes)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_object_ struct claim *claim = NULL;
	struct volume_request *request;

	if (asprintf(&text, "{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': '%s'}}", uid) <
		0)
		abort();
	claim = object_of(&claim_type, text);
	request = volume_request_new(claim, uid);
	request->required_bytes = bytes;
	return request;
}

/* Begin for UID, and give the reference away. */
static int begin(struct journal *journal, const char *uid, int64_t bytes, struct error *err)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request = request_of(uid, bytes);

	return journal_begin(journal, request, err);
}

static bool holds(struct journal *journal, const char *uid, int64_t bytes)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		journal_find(journal, uid);

	return request && request->required_bytes == bytes;
}

static void test_kept(void **state)
{
	struct map_server server;
	struct journal *journal, *next;
	struct error err;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	assert_int_equal(begin(journal, "u1", 7, &err), 0);
	assert_non_null(map_server_value(&server, "u1"));
	assert_true(holds(journal, "u1", 7));
	assert_true(journal_has_volume(journal, "u1"));
	assert_int_equal(journal_count(journal), 1);

	next = open_journal(&server, "second");
	assert_true(holds(next, "u1", 7));
	journal_settle(next, "u1");
	assert_false(journal_has(next, "u1"));
	assert_int_equal(journal_count(next), 0);
	assert_non_null(map_server_value(&server, "u1"));
	assert_int_equal(journal_flush(next, &err), 0);
	assert_null(map_server_value(&server, "u1"));
	journal_free(next);
	journal_free(journal);
	map_server_done(&server);
}

static void test_same_again_is_not_written(void **state)
{
	struct map_server server;
	struct journal *journal;
	struct error err;
	int writes;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	assert_int_equal(begin(journal, "u1", 7, &err), 0);
	writes = server.writes;
	assert_int_equal(begin(journal, "u1", 7, &err), 0);
	assert_int_equal(server.writes, writes);
	assert_int_equal(begin(journal, "u1", 8, &err), 0);
	assert_int_equal(server.writes, writes + 1);
	assert_true(holds(journal, "u1", 8));
	assert_int_equal(journal_flush(journal, &err), 0);
	assert_int_equal(server.writes, writes + 1);
	journal_free(journal);
	map_server_done(&server);
}

/* Settled requests ride with the next one that begins. */
static void test_settled_rides_along(void **state)
{
	struct map_server server;
	struct journal *journal;
	struct error err;
	int writes;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	assert_int_equal(begin(journal, "u1", 1, &err), 0);
	writes = server.writes;
	journal_settle(journal, "u1");
	assert_int_equal(begin(journal, "u2", 1, &err), 0);
	assert_int_equal(server.writes, writes + 1);
	assert_null(map_server_value(&server, "u1"));
	assert_int_equal(journal_forget(journal, "u1", &err), 0);
	assert_int_equal(server.writes, writes + 1);
	assert_int_equal(journal_forget(journal, "u2", &err), 0);
	assert_null(map_server_value(&server, "u2"));
	journal_free(journal);
	map_server_done(&server);
}

#define THREADS 12

struct beginner {
	struct journal *journal;
	char uid[8];
	int result;
};

static void *begin_one(void *context)
{
	struct beginner *beginner = context;
	struct error err;

	beginner->result = begin(beginner->journal, beginner->uid, 1, &err);
	return NULL;
}

static bool all_begun(void *context)
{
	return journal_count(context) == THREADS;
}

static void begin_together(struct map_server *server, struct journal *journal, int expected)
{
	struct beginner beginners[THREADS];
	pthread_t threads[THREADS];

	map_server_hold(server, true);
	for (int i = 0; i < THREADS; i++) {
		beginners[i] = (struct beginner){.journal = journal};
		snprintf(beginners[i].uid, sizeof(beginners[i].uid), "u%d", i);
		assert_int_equal(pthread_create(&threads[i], NULL, begin_one, &beginners[i]), 0);
	}
	assert_true(wait_until(map_server_waits, server));
	assert_true(wait_until(all_begun, journal));
	map_server_hold(server, false);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(beginners[i].result, expected);
	}
}

/* One write that was under way, and one for all that came meanwhile. */
static void test_written_together(void **state)
{
	struct map_server server;
	struct journal *journal;
	int writes;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	writes = server.writes;
	begin_together(&server, journal, 0);
	assert_true(server.writes - writes <= 2);
	for (int i = 0; i < THREADS; i++) {
		char uid[8];

		snprintf(uid, sizeof(uid), "u%d", i);
		assert_non_null(map_server_value(&server, uid));
	}
	journal_free(journal);
	map_server_done(&server);
}

/* What a write that failed leaves: nothing that is wanted, and no reason to fail again. */
static const struct {
	const char *name;
	enum error_kind before, after, expected;
	bool begins;
} failures[] = {
	{"refused", ERROR_FORBIDDEN, ERROR_NONE, ERROR_UNAVAILABLE, false},
	{"too large", ERROR_INVALID, ERROR_NONE, ERROR_UNAVAILABLE, false},
	{"no answer", ERROR_UNAVAILABLE, ERROR_NONE, ERROR_UNAVAILABLE, false},
	{"answer lost", ERROR_NONE, ERROR_UNAVAILABLE, ERROR_UNAVAILABLE, false},
	{"late answer", ERROR_NONE, ERROR_TIMEOUT, ERROR_UNAVAILABLE, false},
	{"conflict with nobody", ERROR_CONFLICT, ERROR_NONE, ERROR_NONE, true},
	{"conflict with itself", ERROR_NONE, ERROR_CONFLICT, ERROR_NONE, true},
};

static void test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct map_server server;
		struct journal *journal;
		struct error err = {0};

		map_server_init(&server);
		journal = open_journal(&server, "first");
		server.before = failures[i].before;
		server.after = failures[i].after;
		assert_case(failures[i].name,
			begin(journal, "u1", 1, &err) == (failures[i].begins ? 0 : -1));
		assert_case(
			failures[i].name, err.kind == failures[i].expected || failures[i].begins);
		assert_case(failures[i].name, journal_has(journal, "u1") == failures[i].begins);
		assert_case(failures[i].name, begin(journal, "u2", 1, &err) == 0);
		assert_case(failures[i].name, journal_flush(journal, &err) == 0);
		assert_case(
			failures[i].name, !!map_server_value(&server, "u1") == failures[i].begins);
		assert_case(failures[i].name, map_server_value(&server, "u2"));
		journal_free(journal);
		map_server_done(&server);
	}
}

/* Of a request that was there, a failed change leaves what was there before. */
static void test_failed_change(void **state)
{
	struct map_server server;
	struct journal *journal;
	struct error err;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	assert_int_equal(begin(journal, "u1", 1, &err), 0);
	server.after = ERROR_TIMEOUT;
	assert_int_equal(begin(journal, "u1", 2, &err), -1);
	assert_true(holds(journal, "u1", 1));
	assert_int_equal(journal_flush(journal, &err), 0);
	assert_non_null(strstr(map_server_value(&server, "u1"), "\"bytes\":1"));
	journal_free(journal);
	map_server_done(&server);
}

static void test_taken_over(void **state)
{
	struct map_server server;
	struct journal *journal, *next;
	struct error err;
	int writes;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	assert_int_equal(begin(journal, "u1", 1, &err), 0);
	next = open_journal(&server, "second");
	writes = server.writes;
	assert_int_equal(begin(journal, "u2", 1, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	assert_non_null(strstr(err.text, "second"));
	assert_int_equal(begin(journal, "u3", 1, &err), -1);
	assert_int_equal(err.kind, ERROR_ABORTED);
	journal_settle(journal, "u1");
	assert_int_equal(journal_flush(journal, &err), -1);
	assert_int_equal(server.writes, writes);
	assert_non_null(map_server_value(&server, "u1"));
	assert_int_equal(begin(next, "u4", 1, &err), 0);
	journal_free(next);
	journal_free(journal);
	map_server_done(&server);
}

static void test_removed(void **state)
{
	struct map_server server;
	struct journal *journal;
	struct error err;

	(void)state;
	map_server_init(&server);
	journal = open_journal(&server, "first");
	assert_int_equal(begin(journal, "u1", 1, &err), 0);
	json_object_put(server.map);
	server.map = NULL;
	assert_int_equal(begin(journal, "u2", 1, &err), 0);
	assert_non_null(map_server_value(&server, "u1"));
	assert_non_null(map_server_value(&server, "u2"));
	journal_settle(journal, "u1");
	assert_int_equal(journal_flush(journal, &err), 0);
	assert_null(map_server_value(&server, "u1"));
	journal_free(journal);
	map_server_done(&server);
}

static void test_full(void **state)
{
	struct map_server server;
	struct journal *journal;
	struct error err;
	int begun = 0;
	char uid[8];

	(void)state;
	map_server_init(&server);
	journal = new_journal(&server, "first", 2000);
	assert_int_equal(journal_open(journal, &err), 0);
	do {
		snprintf(uid, sizeof(uid), "u%d", begun++);
	} while (begin(journal, uid, 1, &err) == 0 && begun < 100);
	assert_in_range(begun, 3, 20);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "ours/journal"));
	assert_int_equal(journal_count(journal), begun - 1);
	journal_settle(journal, "u0");
	assert_int_equal(begin(journal, uid, 1, &err), 0);
	journal_free(journal);
	map_server_done(&server);
}

/* What we do not understand is another version's, or a person's. */
static void test_foreign_entries(void **state)
{
	static const char *const entries[] = {"", "{}", "nonsense", "{'format':2,'name':'x'}",
		"{'format':1,'name':'x'}",
		"{'format':1,'claimUID':'other','claimNamespace':'n','claimName':'c','name':'x'}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		_cleanup_free_ char *text = strdup(entries[i]);
		struct map_server server;
		struct journal *journal;
		struct error err;

		for (char *at = text; *at; at++)
			if (*at == '\'')
				*at = '"';
		map_server_init(&server);
		journal_free(open_journal(&server, "first"));
		map_server_put(&server, "u1", text);
		journal = open_journal(&server, "second");
		assert_case(entries[i], journal_count(journal) == 0);
		assert_case(entries[i], begin(journal, "u2", 1, &err) == 0);
		assert_case(entries[i], map_server_value(&server, "u1"));
		journal_free(journal);
		map_server_done(&server);
	}
}

static void fill(struct volume_request *request)
{
	struct string_map *topologies = calloc(2, sizeof(*topologies));

	request->required_bytes = 1LL << 40;
	string_map_add(&request->parameters, "path", "/a \"b\"");
	strings_add(&request->access_modes, "ReadWriteOnce");
	strings_add(&request->mount_options, "ro");
	free(request->fs_type);
	request->fs_type = strdup("ext4");
	request->block = true;
	string_map_add(&request->mutable_parameters, "iops", "100");
	string_map_add(&topologies[0], "zone", "a");
	string_map_add(&topologies[1], "zone", "b");
	request->requisite = (struct csi_topologies){topologies, 2};
	request->source_volume = strdup("v1");
	request->secret.namespace = strdup("ns");
	request->secret.name = strdup("key");
	snprintf(request->place.statefulset, sizeof(request->place.statefulset), "web");
	snprintf(request->place.ordinal, sizeof(request->place.ordinal), "3");
}

/* All of a request is there again after it was written and read. */
static void test_whole_request(void **state)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request = request_of("u1", 1);
	_cleanup_(volume_request_unrefp) struct volume_request *read = NULL;
	_cleanup_free_ char *text = NULL, *again = NULL;
	struct error err;

	(void)state;
	fill(request);
	text = volume_request_encode(request);
	read = volume_request_decode(text, &err);
	assert_non_null(read);
	again = volume_request_encode(read);
	assert_string_equal(text, again);
	assert_string_equal(read->requisite.items[1].items[0].value, "b");
	assert_string_equal(read->place.ordinal, "3");
	assert_string_equal(string_map_get(&read->mutable_parameters, "iops"), "100");
	assert_null(read->source_snapshot);
	assert_string_equal(read->secret.name, "key");
	assert_int_equal(read->required_bytes, 1LL << 40);
	assert_true(read->block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_same_again_is_not_written),
		cmocka_unit_test(test_settled_rides_along),
		cmocka_unit_test(test_written_together),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_failed_change),
		cmocka_unit_test(test_taken_over),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_foreign_entries),
		cmocka_unit_test(test_whole_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
