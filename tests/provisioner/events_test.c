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
	wanted = json_of("{'apiVersion': 'v1', 'kind': 'Event', 'metadata': {'namespace': 'shop'},"
			 "'involvedObject': {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim',"
			 " 'name': 'c', 'namespace': 'shop', 'uid': 'u1', 'resourceVersion': '5'},"
			 "'type': 'Normal', 'reason': 'Provisioning',"
			 "'message': '\\\"quoted\\\" \303\274 7',"
			 "'source': {'component': 'd.example.com_host'}, 'count': 1}");
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

/* The same again raises the count of the first, and another text is another event. */
static void test_repeats(void **state)
{
	struct fixture fixture;
	const char *seen;

	(void)state;
	begin(&fixture, agree, 1);
	record(&fixture, "full");
	record(&fixture, "full");
	record(&fixture, "empty");
	record(&fixture, "full");
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 4);
	seen = fake_api_seen(&fixture.fake, 1);
	assert_non_null(strstr(seen, "PATCH " COLLECTION "/c."));
	assert_non_null(
		strstr(seen, " application/merge-patch+json {\"count\":2,\"lastTimestamp\":"));
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 2), "POST "));
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 3), "{\"count\":3,"));
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
	for (int i = 0; i < 3; i++)
		record(&fixture, "full");
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 4);
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 1), "PATCH "));
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 2), "POST "));
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 3), "{\"count\":2,"));
	end(&fixture);
}

/* One that is refused is dropped, and the next is new. */
static void test_refused(void **state)
{
	static const struct api_step steps[] = {
		{"POST *", ERROR_FORBIDDEN, "no", false}, {"POST *", ERROR_NONE, "{}", false}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, steps, 2);
	record(&fixture, "full");
	record(&fixture, "full");
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 2);
	assert_non_null(strstr(fake_api_seen(&fixture.fake, 1), "\"count\":1}"));
	end(&fixture);
}

/* A text from the driver may be of any length; the API server takes 1024 bytes. */
static void test_long_message(void **state)
{
	struct json_object *event;
	struct fixture fixture;
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin(&fixture, agree, 1);
	record(&fixture, text);
	drain(&fixture);
	event = body_of(&fixture, 0);
	assert_int_equal(strlen(json_string(event, "message")), 1023);
	json_object_put(event);
	end(&fixture);
}

static bool one_is_being_sent(void *context)
{
	return fake_api_count(context) == 1;
}

/* An API server that takes nothing: no caller waits, and what is kept is bounded. */
static void test_overflow(void **state)
{
	struct fixture fixture;
	char text[32];

	(void)state;
	begin(&fixture, agree, 1);
	fake_api_hold(&fixture.fake, true);
	record(&fixture, "first");
	assert_true(wait_until(one_is_being_sent, &fixture.fake));
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "event %d", i);
		record(&fixture, text);
	}
	/* One that is being sent, 1024 that wait, and the test's own. */
	assert_int_equal(fixture.claim->object.refs, 1026);
	fake_api_hold(&fixture.fake, false);
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 1025);
	assert_int_equal(fixture.claim->object.refs, 1);
	end(&fixture);
}

static bool all_are_sent(void *context)
{
	const struct fixture *fixture = context;

	return __atomic_load_n(&fixture->claim->object.refs, __ATOMIC_SEQ_CST) == 1;
}

/* More different events than are remembered for their counts: the first is new again. */
static void test_forgets_the_oldest(void **state)
{
	struct fixture fixture;
	char text[32];

	(void)state;
	begin(&fixture, agree, 1);
	for (int i = 0; i <= 1025; i++) {
		snprintf(text, sizeof(text), "event %d", i % 1025);
		record(&fixture, text);
		if (i % 500 == 0)
			assert_true(wait_until(all_are_sent, &fixture));
	}
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 1026);
	assert_non_null(strstr(fixture.fake.last, "\"count\":1}"));
	end(&fixture);
}

struct writer {
	struct event_recorder *recorder;
	const struct object *object;
	int number;
};

static void *write_events(void *context)
{
	const struct writer *writer = context;

	for (int i = 0; i < 100; i++)
		event_record(writer->recorder, writer->object, EVENT_NORMAL, "Reason", "%d %d",
			writer->number, i % 10);
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture fixture;
	struct writer writers[4];
	pthread_t threads[4];

	(void)state;
	begin(&fixture, agree, 1);
	for (int i = 0; i < 4; i++) {
		writers[i] = (struct writer){fixture.recorder, &fixture.claim->object, i};
		pthread_create(&threads[i], NULL, write_events, &writers[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	drain(&fixture);
	assert_int_equal(fake_api_count(&fixture.fake), 400);
	assert_int_equal(fixture.claim->object.refs, 1);
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
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_forgets_the_oldest),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_nothing_to_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
