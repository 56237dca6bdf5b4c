/* SPDX-License-Identifier: Apache-2.0 */
#include "event_queue.h"

#include <stdio.h>
#include <string.h>

#include "testing.h"

#define _cleanup_queue_ _cleanup_(queue_freep)

static void queue_freep(struct event_queue **queue)
{
	event_queue_free(*queue);
}

static struct event *make(enum event_type type, const char *reason, const char *message)
{
	const struct event_reference on = {"v1", "PersistentVolumeClaim", "shop", "c", "u1", "5"};

	return event_queue_make(&on, type, reason, message);
}

static size_t put(struct event_queue *queue, enum event_type type, const char *message)
{
	return event_queue_put(queue, make(type, "Reason", message));
}

/* The next is MESSAGE, COUNT times; NULL: there is none. */
static void assert_next(struct event_queue *queue, const char *message, int count)
{
	struct event *event = event_queue_take(queue);

	assert_int_equal(event == NULL, message == NULL);
	if (!event)
		return;
	assert_string_equal(event->message, message);
	assert_int_equal(event->count, count);
	free(event);
}

static void test_make(void **state)
{
	struct event *event = make(EVENT_WARNING, "Reason", "text");

	(void)state;
	assert_string_equal(event->on.api_version, "v1");
	assert_string_equal(event->on.kind, "PersistentVolumeClaim");
	assert_string_equal(event->on.namespace, "shop");
	assert_string_equal(event->on.name, "c");
	assert_string_equal(event->on.uid, "u1");
	assert_string_equal(event->on.resource_version, "5");
	assert_string_equal(event->message, "text");
	assert_string_equal(event->group, "u1 1 Reason");
	assert_string_equal(event->key, "u1 1 Reason text");
	assert_int_equal(event->count, 1);
	assert_int_equal(event->first.tv_nsec, event->last.tv_nsec);
	assert_true(event->size < sizeof(*event) + 150);
	free(event);
}

/* Whatever a driver says becomes text that the API server takes. */
static void test_messages(void **state)
{
	static const struct {
		const char *given, *wanted;
	} rows[] = {
		{"", ""},
		{"a\nb \303\274", "a\nb \303\274"},
		{"\377a\303", "?a?"},
		{"\355\240\200", "???"},
	};
	char text[5000];
	struct event *event;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		event = make(EVENT_NORMAL, "R", rows[i].given);
		assert_string_equal(event->message, rows[i].wanted);
		free(event);
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	event = make(EVENT_NORMAL, "R", text);
	assert_int_equal(strlen(event->message), 1023);
	free(event);
	/* A character is not cut in two. */
	memcpy(text + 1022, "\303\274", 2);
	event = make(EVENT_NORMAL, "R", text);
	assert_int_equal(strlen(event->message), 1022);
	free(event);
}

static void test_order(void **state)
{
	_cleanup_queue_ struct event_queue *queue = event_queue_new(10, 10000);

	(void)state;
	assert_true(event_queue_is_empty(queue));
	put(queue, EVENT_NORMAL, "1");
	put(queue, EVENT_WARNING, "2");
	put(queue, EVENT_WARNING, "3");
	put(queue, EVENT_NORMAL, "4");
	assert_false(event_queue_is_empty(queue));
	assert_next(queue, "1", 1);
	assert_next(queue, "2", 1);
	put(queue, EVENT_WARNING, "5");
	assert_next(queue, "3", 1);
	assert_next(queue, "4", 1);
	assert_next(queue, "5", 1);
	assert_next(queue, NULL, 0);
}

static void test_merge(void **state)
{
	_cleanup_queue_ struct event_queue *queue = event_queue_new(2, 10000);
	struct event *other;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(put(queue, EVENT_WARNING, "full"), 0);
	assert_int_equal(put(queue, EVENT_NORMAL, "full"), 0); /* another type */
	assert_int_equal(put(queue, EVENT_WARNING, "full"), 0);
	other = make(EVENT_WARNING, "Other", "full");
	assert_int_equal(event_queue_put(queue, other), 1); /* the normal one */
	assert_next(queue, "full", 1001);
	/* One that was taken is not merged with. */
	put(queue, EVENT_WARNING, "full");
	assert_next(queue, "full", 1);
	assert_next(queue, "full", 1);
	assert_next(queue, NULL, 0);
}

static void test_full(void **state)
{
	_cleanup_queue_ struct event_queue *queue = event_queue_new(3, 100000);

	(void)state;
	put(queue, EVENT_NORMAL, "n1");
	put(queue, EVENT_NORMAL, "n1");
	put(queue, EVENT_WARNING, "w1");
	put(queue, EVENT_NORMAL, "n2");
	assert_int_equal(put(queue, EVENT_NORMAL, "n3"), 1);
	assert_int_equal(put(queue, EVENT_WARNING, "w2"), 2); /* n1 came twice */
	assert_int_equal(put(queue, EVENT_WARNING, "w3"), 1);
	assert_int_equal(put(queue, EVENT_WARNING, "w4"), 1); /* itself */
	assert_next(queue, "w1", 1);
	assert_next(queue, "w2", 1);
	assert_next(queue, "w3", 1);
	assert_next(queue, NULL, 0);
}

/* Few large ones fill it as many small ones do. */
static void test_bytes(void **state)
{
	_cleanup_queue_ struct event_queue *queue = event_queue_new(1000, 100000);
	size_t dropped = 0, taken = 0;
	struct event *event;
	char text[900];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 500; i++) {
		text[0] = (char)('a' + i % 26);
		text[1] = (char)('a' + i / 26);
		dropped += put(queue, EVENT_NORMAL, text);
	}
	assert_int_equal(put(queue, EVENT_WARNING, text), 1);
	dropped++;
	for (; (event = event_queue_take(queue)); taken++)
		free(event);
	assert_int_equal(taken + dropped, 501);
	assert_in_range(taken, 30, 60);
}

/* Whether it is told that something began, which waits, once it is said that it ended. */
static const struct {
	const char *name;
	size_t others; /* that wait as well */
	const char *began, *ended;
	bool told;
} courses[] = {
	{"nothing else waits", 0, "Provisioning", "ProvisioningSucceeded", true},
	{"few others wait", 14, "Provisioning", "ProvisioningSucceeded", true},
	{"many others wait", 15, "Provisioning", "ProvisioningSucceeded", false},
	{"it grows, few others wait", 14, "Resizing", "VolumeResizeSuccessful", true},
	{"it grows, many others wait", 15, "Resizing", "VolumeResizeSuccessful", false},
	{"it failed", 15, "Provisioning", "ProvisioningFailed", true},
	{"something else ended", 15, "Provisioning", "VolumeResizeSuccessful", true},
};

static void test_courses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(courses); i++) {
		_cleanup_queue_ struct event_queue *queue = event_queue_new(100, 100000);
		char text[32];

		event_queue_put(queue, make(EVENT_NORMAL, courses[i].began, courses[i].name));
		for (size_t j = 0; j < courses[i].others; j++) {
			snprintf(text, sizeof(text), "%zu", j);
			put(queue, EVENT_NORMAL, text);
		}
		event_queue_put(queue, make(EVENT_NORMAL, courses[i].ended, courses[i].name));
		if (courses[i].told)
			assert_next(queue, courses[i].name, 1);
		for (size_t j = 0; j < courses[i].others; j++) {
			snprintf(text, sizeof(text), "%zu", j);
			assert_next(queue, text, 1);
		}
		assert_next(queue, courses[i].name, 1);
		assert_next(queue, NULL, 0);
	}
}

static void test_freed_with_events(void **state)
{
	_cleanup_queue_ struct event_queue *queue = event_queue_new(10, 10000);

	(void)state;
	put(queue, EVENT_NORMAL, "1");
	put(queue, EVENT_WARNING, "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_courses),
		cmocka_unit_test(test_freed_with_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
