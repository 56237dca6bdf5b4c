/* SPDX-License-Identifier: Apache-2.0 */
#include "workqueue.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum item_state { ITEM_READY, ITEM_PROCESSING, ITEM_WAITING };

struct item {
	enum item_state state;
	bool dirty;        /* added while it is worked on */
	unsigned failures; /* in a row */
	int64_t due_ms;    /* when ITEM_WAITING ends */
	struct item *next; /* in the list of its state */
	char key[];
};

struct workqueue {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct lh_table *items; /* key, borrowed from the item -> struct item */
	struct item *ready, **ready_tail;
	struct item *waiting; /* sorted by due_ms */
	struct workqueue_options options;
	bool stopped;
};

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct workqueue *workqueue_new(const struct workqueue_options *options)
{
	struct workqueue *queue = calloc(1, sizeof(*queue));
	pthread_condattr_t attributes;

	if (!queue)
		abort();
	queue->options = *options;
	if (!queue->options.now_ms)
		queue->options.now_ms = monotonic_ms;
	queue->items = lh_kchar_table_new(64, NULL);
	if (!queue->items)
		abort();
	queue->ready_tail = &queue->ready;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&queue->lock, NULL);
	return queue;
}

void workqueue_free(struct workqueue *queue)
{
	for (struct lh_entry *slot = queue->items->head; slot; slot = slot->next)
		free(lh_entry_v(slot));
	lh_table_free(queue->items);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static struct item *find_or_make(struct workqueue *queue, const char *key, bool *ret_new)
{
	struct lh_entry *slot = lh_table_lookup_entry(queue->items, key);
	size_t length = strlen(key) + 1;
	struct item *item;

	*ret_new = !slot;
	if (slot)
		return lh_entry_v(slot);
	item = calloc(1, sizeof(*item) + length);
	if (!item)
		abort();
	memcpy(item->key, key, length);
	if (lh_table_insert(queue->items, item->key, item) < 0)
		abort();
	return item;
}

static void append_ready(struct workqueue *queue, struct item *item)
{
	item->state = ITEM_READY;
	item->next = NULL;
	*queue->ready_tail = item;
	queue->ready_tail = &item->next;
	pthread_cond_signal(&queue->changed);
}

static void insert_waiting(struct workqueue *queue, struct item *item)
{
	struct item **at = &queue->waiting;

	while (*at && (*at)->due_ms <= item->due_ms)
		at = &(*at)->next;
	item->state = ITEM_WAITING;
	item->next = *at;
	*at = item;
	pthread_cond_signal(&queue->changed);
}

static void remove_waiting(struct workqueue *queue, struct item *item)
{
	struct item **at = &queue->waiting;

	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
}

void workqueue_add(struct workqueue *queue, const char *key)
{
	struct item *item;
	bool new;

	pthread_mutex_lock(&queue->lock);
	item = find_or_make(queue, key, &new);
	if (!new && item->state == ITEM_WAITING) {
		remove_waiting(queue, item);
		new = true;
	}
	if (new)
		append_ready(queue, item);
	else if (item->state == ITEM_PROCESSING)
		item->dirty = true;
	pthread_mutex_unlock(&queue->lock);
}

/* Move what is due to the ready list; the milliseconds until the next is, or -1 for none. */
static int64_t promote(struct workqueue *queue)
{
	int64_t now = queue->options.now_ms();

	while (queue->waiting && queue->waiting->due_ms <= now) {
		struct item *item = queue->waiting;

		queue->waiting = item->next;
		append_ready(queue, item);
	}
	return queue->waiting ? queue->waiting->due_ms - now : -1;
}

static void wait_for_change(struct workqueue *queue, int64_t ms)
{
	struct timespec until;

	if (ms < 0) {
		pthread_cond_wait(&queue->changed, &queue->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
}

const char *workqueue_take(struct workqueue *queue)
{
	struct item *item = NULL;

	pthread_mutex_lock(&queue->lock);
	while (!queue->stopped) {
		int64_t next = promote(queue);

		if (queue->ready)
			break;
		wait_for_change(queue, next);
	}
	if (!queue->stopped) {
		item = queue->ready;
		queue->ready = item->next;
		if (!queue->ready)
			queue->ready_tail = &queue->ready;
		item->state = ITEM_PROCESSING;
		item->dirty = false;
		/* This worker may have been the one that waited for the next back-off to end: while
		 * it is busy, another has to. */
		if (queue->waiting)
			pthread_cond_signal(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	return item ? item->key : NULL;
}

/* Doubling from the minimum to the maximum; up to a quarter less, so that keys that failed
 * together do not come again together. */
static int64_t back_off(const struct workqueue *queue, unsigned failures)
{
	int64_t delay = queue->options.retry_min_ms;
	uint32_t dice = 0;

	while (--failures && delay < queue->options.retry_max_ms)
		delay *= 2;
	if (delay > queue->options.retry_max_ms)
		delay = queue->options.retry_max_ms;
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = 0;
	return delay - delay * (dice % 256) / 1024;
}

void workqueue_done(struct workqueue *queue, const char *key, bool success)
{
	struct item *item;

	pthread_mutex_lock(&queue->lock);
	item = lh_entry_v(lh_table_lookup_entry(queue->items, key));
	item->failures = success ? 0 : item->failures + 1;
	if (item->dirty) {
		append_ready(queue, item);
	} else if (!success) {
		item->due_ms = queue->options.now_ms() + back_off(queue, item->failures);
		insert_waiting(queue, item);
	} else {
		lh_table_delete(queue->items, item->key);
		free(item);
	}
	pthread_mutex_unlock(&queue->lock);
}

void workqueue_stop(struct workqueue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->stopped = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

size_t workqueue_count(struct workqueue *queue)
{
	size_t count;

	pthread_mutex_lock(&queue->lock);
	count = (size_t)lh_table_length(queue->items);
	pthread_mutex_unlock(&queue->lock);
	return count;
}
