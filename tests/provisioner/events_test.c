/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <pthread.h>
#include <string.h>

#include "fake_api.h"
#include "testing.h"

#define COLLECTION "/api/v1/namespaces/shop/events"

struct fixture {
	struct fake_api fake;
	struct event_recorder *recorder;
	struct claim *claim;
};

static void begin(struct fixture *fixture, const struct api_step *steps, size_t count)
{
	struct kube_api api;

	fake_api_init(&fixture->fake, steps, count);
	api = fake_api_table(&fixture->fake);
	fixture->recorder = event_recorder_new(&api, "d.example.com_host");
	fixture->claim = object_of(&claim_type,
		"{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1',"
		" 'resourceVersion': '5'}}");
}

/* Send what waits, and end the recorder. */
static void drain(struct fixture *fixture)
{
	if (fixture->recorder)
		event_recorder_free(take_ptr(fixture->recorder));
}

static void end(struct fixture *fixture)
{
	drain(fixture);
	fake_api_done(&fixture->fake);
	object_unref(fixture->claim);
}

static void record(struct fixture *fixture, const char *message)
{
	event_record(
		fixture->recorder, &fixture->claim->object, EVENT_WARNING, "Reason", "%s", message);
}

static struct json_object *body_of(struct fixture *fixture, size_t index)
{
	return json_tokener_parse(strchr(fake_api_seen(&fixture->fake, index), '{'));
}

/* A string that differs from run to run is checked for its form, and taken out. */
static void take_string(struct json_object *object, const char *key, const char *form)
{
	const char *text = json_string(object, key);

	assert_non_null(text);
	for (; *form; form++, text++)
		assert_true(
			*form == '9' ? strchr("0123456789abcdef", *text) != NULL : *form == *text);
	json_object_object_del(object, key);
}

static const struct api_step agree[] = {{.match = "*", .repeat = true}};

static void test_event(void **state)
{
	struct json_object *event, *wanted;
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	event_record(fixture.recorder, &fixture.claim->object, EVENT_NORMAL, "Provisioning",
		"\"%s\" \303\274 %d", "quoted", 7);
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 1);
	assert_int_equal(strncmp(fake_api_seen(&fixture.fake, 0), "POST " COLLECTION " {",
				 strlen("POST " COLLECTION " {")),
		0);
	event = body_of(&fixture, 0);
	take_string(json_member(event, "metadata", json_type_object), "name", "c.999999999999");
	take_string(event, "firstTimestamp", "9999-99-99T99:99:99Z");
	take_string(event, "lastTimestamp", "9999-99-99T99:99:99Z");
	assert_true(*json_string(event, "reportingInstance"));
	json_object_object_del(event, "reportingInstance");
	wanted = json_of("{'apiVersion': 'v1', 'kind': 'Event', 'metadata': {'namespace': 'shop'},"
			 "'involvedObject': {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim',"
			 " 'name': 'c', 'namespace': 'shop', 'uid': 'u1', 'resourceVersion': '5'},"
			 "'type': 'Normal', 'reason': 'Provisioning',"
			 "'message': '\\\"quoted\\\" \303\274 7',"
			 "'source': {'component': 'd.example.com_host'}, 'count': 1,"
			 "'reportingComponent': 'd.example.com_host'}");
	if (!json_object_equal(event, wanted))
		assert_string_equal(
			json_object_to_json_string(event), json_object_to_json_string(wanted));
	json_object_put(event);
	json_object_put(wanted);
	end(&fixture);
}

static void test_cluster_scoped(void **state)
{
	_cleanup_object_ struct object *volume =
		object_of(&volume_type, "{'metadata': {'name': 'v', 'uid': 'u2'}}");
	struct json_object *event, *reference;
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	event_record(fixture.recorder, volume, EVENT_WARNING, "VolumeFailedDelete", "busy");
	drain(&fixture);
	assert_non_null(
		strstr(fake_api_seen(&fixture.fake, 0), "POST /api/v1/namespaces/default/events "));
	event = body_of(&fixture, 0);
	assert_string_equal(json_string(event, "type"), "Warning");
	reference = json_member(event, "involvedObject", json_type_object);
	assert_string_equal(json_string(reference, "kind"), "PersistentVolume");
	assert_null(json_string(reference, "namespace"));
	json_object_put(event);
	end(&fixture);
}

/* What each kind of object is called, and what is no object of ours. */
static void test_references(void **state)
{
	static const struct {
		const struct object_type *type;
		const char *wanted;
	} rows[] = {
		{&claim_type, "\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\","},
		{&volume_type, "\"apiVersion\":\"v1\",\"kind\":\"PersistentVolume\","},
		{&node_type, "\"apiVersion\":\"v1\",\"kind\":\"Node\","},
		{&storage_class_type,
			"\"apiVersion\":\"storage.k8s.io/v1\",\"kind\":\"StorageClass\","},
		{&stateful_set_type, "\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\","},
	};
	const struct event_reference lease = {
		"coordination.k8s.io/v1", "Lease", "kube-system", "l", "u9", ""};
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_object_ struct object *object = object_of(rows[i].type,
			"{'metadata': {'name': 'x', 'namespace': 'n', 'uid': 'u2'},"
			" 'provisioner': 'p'}");

		event_record(fixture.recorder, object, EVENT_NORMAL, "Reason", "%zu", i);
	}
	event_record_on(fixture.recorder, &lease, EVENT_NORMAL, "LeaderElection",
		"%s became leader", "host");
	drain(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_case(rows[i].wanted,
			strstr(fake_api_seen(&fixture.fake, i), rows[i].wanted) != NULL);
	assert_non_null(strstr(fixture.fake.last, "POST /api/v1/namespaces/kube-system/events "));
	assert_non_null(strstr(fixture.fake.last,
		"\"involvedObject\":{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
		"\"name\":\"l\",\"namespace\":\"kube-system\",\"uid\":\"u9\"}"));
	assert_non_null(strstr(fixture.fake.last, "\"message\":\"host became leader\""));
	end(&fixture);
}

static bool one_is_being_sent(void *context)
{
	return fake_api_count(context) == 1;
}

/* A storm of one error is one event with its count: what waits is merged, and what is there is
 * patched once. Nothing is lost at the end. */
static void test_storm(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	fake_api_hold(&fixture.fake, true);
	record(&fixture, "full");
	assert_true(wait_until(one_is_being_sent, &fixture.fake));
	for (int i = 0; i < 10000; i++)
		record(&fixture, "full");
	record(&fixture, "empty");
	for (int i = 0; i < 10000; i++)
		record(&fixture, "empty");
	fake_api_hold(&fixture.fake, false);
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 3);
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 0), "\"count\":1,"));
	for (size_t i = 1; i < 3; i++) {
		const char *seen = fake_api_seen(&fixture.fake, i);

		assert_non_null(strstr(seen,
			strncmp(seen, "PATCH ", 6) ? "\"count\":10001," : "{\"count\":10001,"));
	}
	end(&fixture);
}

static bool three_were_sent(void *context)
{
	return fake_api_count(context) == 3;
}

/* Counts that were collected are sent when their time has come, though nothing else happens. */
static void test_patches_by_time(void **state)
{
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, agree, 1);
	drain(&fixture);
	api = fake_api_table(&fixture.fake);
	fixture.recorder = event_recorder_new_with(&api,
		&(struct event_recorder_options){.component = "tester", .patch_every_ms = 20});
	record(&fixture, "full");
	assert_true(wait_until(one_is_being_sent, &fixture.fake));
	record(&fixture, "full");
	record(&fixture, "other");
	assert_true(wait_until(three_were_sent, &fixture.fake));
	assert_int_equal(fake_api_count(&fixture.fake), 3);
	end(&fixture);
}

/* An API server that comes back gets what it missed. */
static void test_away(void **state)
{
	static const struct api_step steps[] = {{"POST *", ERROR_UNAVAILABLE, "away", false},
		{"POST *", ERROR_UNAVAILABLE, "away", false}, {"POST *", ERROR_NONE, "{}", true}};
	_cleanup_(heartbeat_group_freep) struct heartbeats *beats = heartbeat_group_new(NULL);
	struct fixture fixture;
	struct kube_api api;

	(void)state;
	begin(&fixture, steps, 3);
	drain(&fixture);
	api = fake_api_table(&fixture.fake);
	fixture.recorder = event_recorder_new_with(
		&api, &(struct event_recorder_options){.component = "tester",
			      .retry_min_ms = 10,
			      .heartbeat = heartbeat_add(beats, "events", 600000)});
	record(&fixture, "full");
	assert_true(wait_until(three_were_sent, &fixture.fake));
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 3);
	assert_int_equal(heartbeat_check(beats, NULL), 0);
	end(&fixture);
}

/* One that stays away does not keep the program from ending: one attempt each. */
static void test_end_while_away(void **state)
{
	static const struct api_step steps[] = {{"*", ERROR_UNAVAILABLE, "away", true}};
	struct fixture fixture;
	char text[32];

	(void)state;
	begin(&fixture, steps, 1);
	record(&fixture, "full");
	assert_true(wait_until(one_is_being_sent, &fixture.fake));
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "event %d", i);
		record(&fixture, text);
	}
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 7);
	end(&fixture);
}

/* An API server that takes nothing: no caller waits, what is kept is bounded, and warnings push
 * normal events out. */
static void test_overflow(void **state)
{
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	_cleanup_free_ char *scraped = NULL;
	struct fixture fixture;
	struct kube_api api;
	size_t size;
	FILE *out;

	(void)state;
	begin(&fixture, agree, 1);
	drain(&fixture);
	api = fake_api_table(&fixture.fake);
	fixture.recorder = event_recorder_new_with(
		&api, &(struct event_recorder_options){.component = "tester", .metrics = metrics});
	fake_api_hold(&fixture.fake, true);
	record(&fixture, "first");
	assert_true(wait_until(one_is_being_sent, &fixture.fake));
	for (int i = 0; i < 5000; i++)
		event_record(fixture.recorder, &fixture.claim->object, EVENT_NORMAL, "Reason",
			"event %d", i);
	record(&fixture, "a warning");
	fake_api_hold(&fixture.fake, false);
	drain(&fixture);
	assert_int_equal(fixture.claim->object.refs, 1);
	out = open_memstream(&scraped, &size);
	metrics_write(metrics, out);
	fclose(out);
	/* 4096 wait, and one of them makes room for the warning. */
	assert_non_null(strstr(scraped, "\nordinal_events_dropped_total 905\n"));
	/* The first, ten alike, the rest of them, and the warning; one may be patched at the end.
	 */
	assert_in_range(fake_api_count(&fixture.fake), 13, 14);
	end(&fixture);
}

struct writer {
	struct event_recorder *recorder;
	const struct object *object;
	int number;
};

static void *write_events(void *context)
{
	static const char *const reasons[] = {"One", "Two", "Three", "Four"};
	const struct writer *writer = context;

	for (int i = 0; i < 100; i++)
		event_record(writer->recorder, writer->object, EVENT_NORMAL,
			reasons[writer->number], "%d", i % 10);
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture fixture;
	struct writer writers[4];
	pthread_t threads[4];
	int sum = 0;

	(void)state;
	begin(&fixture, agree, 1);
	for (int i = 0; i < 4; i++) {
		writers[i] = (struct writer){fixture.recorder, &fixture.claim->object, i};
		pthread_create(&threads[i], NULL, write_events, &writers[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	drain(&fixture);
	/* The last count of each is what it came to: 4 reasons, 10 messages, 10 times. */
	for (size_t i = 0; i < fake_api_count(&fixture.fake); i++) {
		struct json_object *body = body_of(&fixture, i);

		if (!strncmp(fake_api_seen(&fixture.fake, i), "POST ", 5))
			sum++;
		json_object_put(body);
	}
	assert_int_equal(sum, 40);
	end(&fixture);
}

static void test_nothing_to_send(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture, agree, 1);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_cluster_scoped),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_patches_by_time),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_end_while_away),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_nothing_to_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
