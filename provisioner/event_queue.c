/* SPDX-License-Identifier: Apache-2.0 */
#include "event_queue.h"

#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "utf8.h"

/* The waiting of one type, oldest first. */
struct list {
	struct event *first, **last;
};

struct event_queue {
	struct list lists[2];   /* by type */
	struct lh_table *known; /* key, borrowed from the event -> struct event */
	struct lh_table *begun; /* UID, the same, of what began -> struct event */
	size_t count, count_max, bytes, bytes_max;
	unsigned long long puts;
};

#define LONG 16 /* so many that wait are a storm */

/* What began and ended while both waited: in a storm only the end is worth telling. */
static const struct {
	const char *begin, *end;
} courses[] = {
	{"Provisioning", "ProvisioningSucceeded"},
	{"Resizing", "VolumeResizeSuccessful"},
	{"VolumeModify", "VolumeModifySuccessful"},
};

static bool begins(const struct event *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(courses); i++)
		if (!strcmp(event->reason, courses[i].begin))
			return true;
	return false;
}

static bool ends(const struct event *event, const struct event *begun)
{
	for (size_t i = 0; i < ARRAY_SIZE(courses); i++)
		if (!strcmp(event->reason, courses[i].end) &&
			!strcmp(begun->reason, courses[i].begin))
			return true;
	return false;
}

/* Copy TEXT to *AT, which moves behind it. */
static const char *store(char **at, const char *text)
{
	char *copy = *at;

	*at = stpcpy(copy, text) + 1;
	return copy;
}

struct event *event_queue_make(const struct event_reference *on, enum event_type type,
	const char *reason, const char *message)
{
	char clean[EVENT_MESSAGE_MAX];
	struct event *event;
	size_t size, names;
	char *at;

	utf8_copy(clean, sizeof(clean), message);
	names = strlen(on->api_version) + strlen(on->kind) + strlen(on->namespace) +
		strlen(on->name) + strlen(on->uid) + strlen(on->resource_version) + 6;
	/* The names, the message, and twice the group: "uid type reason". */
	size = sizeof(*event) + names + 2 * strlen(clean) + 2 * (strlen(on->uid) + strlen(reason)) +
	       16;
	event = calloc(1, size);
	if (!event)
		abort();
	*event = (struct event){.type = type, .reason = reason, .count = 1, .size = size};
	clock_gettime(CLOCK_REALTIME, &event->last);
	event->first = event->last;
	at = event->text;
	event->on = (struct event_reference){store(&at, on->api_version), store(&at, on->kind),
		store(&at, on->namespace), store(&at, on->name), store(&at, on->uid),
		store(&at, on->resource_version)};
	event->message = store(&at, clean);
	event->group = at;
	at += sprintf(at, "%s %d %s", on->uid, (int)type, reason) + 1;
	event->key = at;
	sprintf(at, "%s %s", event->group, clean);
	return event;
}

void event_queue_merge(struct event *event, struct event *more)
{
	event->count += more->count;
	event->last = more->last;
	free(more);
}

struct event_queue *event_queue_new(size_t count_max, size_t bytes_max)
{
	struct event_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		abort();
	queue->known = lh_kchar_table_new(64, NULL);
	queue->begun = lh_kchar_table_new(64, NULL);
	if (!queue->known || !queue->begun)
		abort();
	for (size_t i = 0; i < 2; i++)
		queue->lists[i].last = &queue->lists[i].first;
	queue->count_max = count_max;
	queue->bytes_max = bytes_max;
	return queue;
}

void event_queue_free(struct event_queue *queue)
{
	struct event *event;

	while ((event = event_queue_take(queue)))
		free(event);
	lh_table_free(queue->known);
	lh_table_free(queue->begun);
	free(queue);
}

/* Nobody looks for EVENT any more. */
static void forget(struct event_queue *queue, struct event *event)
{
	struct lh_entry *slot = lh_table_lookup_entry(queue->begun, event->on.uid);

	lh_table_delete(queue->known, event->key);
	if (slot && lh_entry_v(slot) == event)
		lh_table_delete_entry(queue->begun, slot);
	queue->count--;
	queue->bytes -= event->size;
}

/* What EVENT ends need not be told. It stays in its list until its turn comes. */
static void drop_begun(struct event_queue *queue, const struct event *event)
{
	struct lh_entry *slot = lh_table_lookup_entry(queue->begun, event->on.uid);
	struct event *begun = slot ? (struct event *)lh_entry_v(slot) : NULL;

	if (queue->count < LONG || !begun || !ends(event, begun))
		return;
	forget(queue, begun);
	begun->count = 0;
}

/* The first of LIST, which is not empty. */
static struct event *take_first(struct event_queue *queue, struct list *list)
{
	struct event *event = list->first;

	list->first = event->next;
	if (!list->first)
		list->last = &list->first;
	forget(queue, event);
	return event;
}

/* Free what is at the head of the lists and need not be told. */
static void skip_dropped(struct event_queue *queue)
{
	struct list *list = &queue->lists[EVENT_NORMAL];

	while (list->first && !list->first->count) {
		struct event *event = list->first;

		list->first = event->next;
		if (!list->first)
			list->last = &list->first;
		free(event);
	}
}

static bool fits(const struct event_queue *queue, const struct event *event)
{
	return queue->count < queue->count_max && queue->bytes + event->size <= queue->bytes_max;
}

static void append(struct event_queue *queue, struct event *event)
{
	struct list *list = &queue->lists[event->type];

	event->next = NULL;
	event->order = queue->puts++;
	*list->last = event;
	list->last = &event->next;
	if (lh_table_insert(queue->known, event->key, event) < 0)
		abort();
	if (begins(event) && !lh_table_lookup_entry(queue->begun, event->on.uid) &&
		lh_table_insert(queue->begun, event->on.uid, event) < 0)
		abort();
	queue->count++;
	queue->bytes += event->size;
}

size_t event_queue_put(struct event_queue *queue, struct event *event)
{
	struct lh_entry *slot = lh_table_lookup_entry(queue->known, event->key);
	struct list *normals = &queue->lists[EVENT_NORMAL];
	size_t dropped = 0;

	if (slot) {
		event_queue_merge(lh_entry_v(slot), event);
		return 0;
	}
	drop_begun(queue, event);
	skip_dropped(queue);
	while (!fits(queue, event) && event->type == EVENT_WARNING && normals->first) {
		struct event *oldest = take_first(queue, normals);

		dropped += (size_t)oldest->count;
		free(oldest);
		skip_dropped(queue);
	}
	if (fits(queue, event)) {
		append(queue, event);
		return dropped;
	}
	dropped += (size_t)event->count;
	free(event);
	return dropped;
}

struct event *event_queue_take(struct event_queue *queue)
{
	struct list *normals = &queue->lists[EVENT_NORMAL];
	struct list *warnings = &queue->lists[EVENT_WARNING];

	skip_dropped(queue);
	if (event_queue_is_empty(queue))
		return NULL;
	if (!warnings->first || (normals->first && normals->first->order < warnings->first->order))
		return take_first(queue, normals);
	return take_first(queue, warnings);
}

bool event_queue_is_empty(const struct event_queue *queue)
{
	return queue->count == 0;
}
