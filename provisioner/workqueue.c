/* SPDX-License-Identifier: Apache-2.0 */
#include "workqueue.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)

enum item_state { ITEM_READY, ITEM_PROCESSING, ITEM_WAITING };

#define NEVER INT64_MAX

struct item {
	enum item_state state;
	bool dirty;         /* added while it is worked on */
	unsigned failures;  /* in a row */
	int64_t due_ns;     /* when ITEM_WAITING ends; while it is worked on: NEVER, or what
			       workqueue_add_after() asked for */
	size_t place;       /* in the heap, while ITEM_WAITING */
	int64_t added_ns;   /* since when a worker is wanted */
	int64_t started_ns; /* since when a worker has it */
	struct item *next;  /* in the ready or the processing list */
	struct item **link; /* what points to it in the processing list */
	char key[];
};

struct workqueue {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct lh_table *items; /* key, borrowed from the item -> struct item */
	struct item *ready, **ready_tail;
	struct item *processing;
	struct item **heap; /* those that wait, a binary heap by due_ns */
	size_t waiting, heap_size;
	int64_t watched_ns; /* until when a worker waits at most: one is enough; NEVER: none does */
	size_t wanted;      /* ready, or dirty while worked on */
	struct workqueue_options options;
	bool stopped;
};

static int64_t now_ns(const struct workqueue *queue)
{
	struct timespec now;

	if (queue->options.now_ms)
		return queue->options.now_ms() * NS_PER_MS;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static double read_depth(void *context)
{
	struct workqueue *queue = context;
	size_t wanted;

	pthread_mutex_lock(&queue->lock);
	wanted = queue->wanted;
	pthread_mutex_unlock(&queue->lock);
	return (double)wanted;
}

static void read_processing(struct workqueue *queue, double *ret_sum, double *ret_longest)
{
	int64_t now = now_ns(queue);

	*ret_sum = *ret_longest = 0;
	pthread_mutex_lock(&queue->lock);
	for (const struct item *item = queue->processing; item; item = item->next) {
		double seconds = (double)(now - item->started_ns) / 1e9;

		*ret_sum += seconds;
		if (seconds > *ret_longest)
			*ret_longest = seconds;
	}
	pthread_mutex_unlock(&queue->lock);
}

static double read_unfinished(void *context)
{
	double sum, longest;

	read_processing(context, &sum, &longest);
	return sum;
}

static double read_longest(void *context)
{
	double sum, longest;

	read_processing(context, &sum, &longest);
	return longest;
}

static void register_metrics(struct workqueue *queue)
{
	struct metrics *metrics = queue->options.metrics;
	const char *name = queue->options.name;

	metrics_add(metrics, METRIC_WORKQUEUE_ADDS, 0, name);
	metrics_add(metrics, METRIC_WORKQUEUE_RETRIES, 0, name);
	metrics_gauge(metrics, METRIC_WORKQUEUE_DEPTH, read_depth, queue, name);
	metrics_gauge(metrics, METRIC_WORKQUEUE_UNFINISHED_SECONDS, read_unfinished, queue, name);
	metrics_gauge(metrics, METRIC_WORKQUEUE_LONGEST_SECONDS, read_longest, queue, name);
}

struct workqueue *workqueue_new(const struct workqueue_options *options)
{
	struct workqueue *queue = calloc(1, sizeof(*queue));
	pthread_condattr_t attributes;

	if (!queue)
		abort();
	queue->options = *options;
	queue->items = lh_kchar_table_new(64, NULL);
	if (!queue->items)
		abort();
	queue->ready_tail = &queue->ready;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	queue->watched_ns = NEVER;
	pthread_cond_init(&queue->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&queue->lock, NULL);
	register_metrics(queue);
	return queue;
}

void workqueue_free(struct workqueue *queue)
{
	metrics_forget(queue->options.metrics, queue);
	for (struct lh_entry *slot = queue->items->head; slot; slot = slot->next)
		free(lh_entry_v(slot));
	lh_table_free(queue->items);
	free(queue->heap);
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

/* A worker is wanted for ITEM, from now on. */
static void want(struct workqueue *queue, struct item *item)
{
	item->added_ns = now_ns(queue);
	queue->wanted++;
	metrics_add(queue->options.metrics, METRIC_WORKQUEUE_ADDS, 1, queue->options.name);
}

/* To the end of the ready list. A worker is wanted already. */
static void append_ready(struct workqueue *queue, struct item *item)
{
	item->state = ITEM_READY;
	item->next = NULL;
	*queue->ready_tail = item;
	queue->ready_tail = &item->next;
	pthread_cond_signal(&queue->changed);
}

static void put(struct workqueue *queue, size_t place, struct item *item)
{
	queue->heap[place] = item;
	item->place = place;
}

/* Move ITEM, which belongs at PLACE or above, up to where it belongs. */
static void sift_up(struct workqueue *queue, size_t place, struct item *item)
{
	while (place > 0 && queue->heap[(place - 1) / 2]->due_ns > item->due_ns) {
		put(queue, place, queue->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(queue, place, item);
}

static void sift_down(struct workqueue *queue, size_t place, struct item *item)
{
	for (size_t child; (child = 2 * place + 1) < queue->waiting; place = child) {
		if (child + 1 < queue->waiting &&
			queue->heap[child + 1]->due_ns < queue->heap[child]->due_ns)
			child++;
		if (queue->heap[child]->due_ns >= item->due_ns)
			break;
		put(queue, place, queue->heap[child]);
	}
	put(queue, place, item);
}

/* See to it that some worker wakes when the first back-off ends. */
static void have_watched(struct workqueue *queue)
{
	if (queue->waiting && queue->heap[0]->due_ns < queue->watched_ns)
		pthread_cond_signal(&queue->changed);
}

static void insert_waiting(struct workqueue *queue, struct item *item)
{
	if (queue->waiting == queue->heap_size) {
		queue->heap_size = queue->heap_size ? 2 * queue->heap_size : 64;
		queue->heap = reallocarray(queue->heap, queue->heap_size, sizeof(*queue->heap));
		if (!queue->heap)
			abort();
	}
	item->state = ITEM_WAITING;
	sift_up(queue, queue->waiting++, item);
	metrics_add(queue->options.metrics, METRIC_WORKQUEUE_RETRIES, 1, queue->options.name);
	have_watched(queue);
}

static void remove_waiting(struct workqueue *queue, const struct item *item)
{
	struct item *last = queue->heap[--queue->waiting];

	if (last == item)
		return;
	if (last->due_ns < item->due_ns)
		sift_up(queue, item->place, last);
	else
		sift_down(queue, item->place, last);
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
	if (new) {
		want(queue, item);
		append_ready(queue, item);
	} else if (item->state == ITEM_PROCESSING && !item->dirty) {
		item->dirty = true;
		want(queue, item);
	}
	pthread_mutex_unlock(&queue->lock);
}

void workqueue_add_after(struct workqueue *queue, const char *key, int64_t ms)
{
	int64_t due = now_ns(queue) + ms * NS_PER_MS;
	struct item *item;
	bool new;

	pthread_mutex_lock(&queue->lock);
	item = find_or_make(queue, key, &new);
	if (new) {
		item->due_ns = due;
		insert_waiting(queue, item);
	} else if (item->state != ITEM_READY && due < item->due_ns) {
		item->due_ns = due;
		if (item->state == ITEM_WAITING) {
			sift_up(queue, item->place, item);
			have_watched(queue);
		}
	}
	pthread_mutex_unlock(&queue->lock);
}

/* Move what is due to the ready list. */
static void promote(struct workqueue *queue)
{
	int64_t now = now_ns(queue);

	while (queue->waiting && queue->heap[0]->due_ns <= now) {
		struct item *item = queue->heap[0];

		remove_waiting(queue, item);
		want(queue, item);
		append_ready(queue, item);
	}
}

/* Wait until something changes, or for the end of the first back-off if nobody else does. */
static void wait_for_change(struct workqueue *queue)
{
	int64_t due = queue->waiting ? queue->heap[0]->due_ns : NEVER;
	struct timespec until;
	int64_t ns;

	if (due >= queue->watched_ns) {
		pthread_cond_wait(&queue->changed, &queue->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = until.tv_nsec + due - now_ns(queue);
	until.tv_sec += ns / (1000 * NS_PER_MS);
	until.tv_nsec = ns % (1000 * NS_PER_MS);
	queue->watched_ns = due;
	pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
	/* Another may have begun to wait for something that is due before. */
	if (queue->watched_ns == due)
		queue->watched_ns = NEVER;
}

/* The first of the ready list, which is not empty, for this worker. */
static struct item *start(struct workqueue *queue)
{
	struct item *item = queue->ready;

	queue->ready = item->next;
	if (!queue->ready)
		queue->ready_tail = &queue->ready;
	item->state = ITEM_PROCESSING;
	item->dirty = false;
	item->due_ns = NEVER;
	item->started_ns = now_ns(queue);
	item->next = queue->processing;
	item->link = &queue->processing;
	if (item->next)
		item->next->link = &item->next;
	queue->processing = item;
	queue->wanted--;
	metrics_observe(queue->options.metrics, METRIC_WORKQUEUE_QUEUE_SECONDS,
		(double)(item->started_ns - item->added_ns) / 1e9, queue->options.name);
	return item;
}

const char *workqueue_take(struct workqueue *queue)
{
	struct item *item = NULL;

	pthread_mutex_lock(&queue->lock);
	while (!queue->stopped) {
		promote(queue);
		if (queue->ready)
			break;
		wait_for_change(queue);
	}
	if (!queue->stopped) {
		item = start(queue);
		/* This worker may have been the one that waited for the next back-off to end. */
		have_watched(queue);
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

/* What was taken as KEY is not worked on any more. */
static struct item *finish(struct workqueue *queue, const char *key)
{
	struct item *item = lh_entry_v(lh_table_lookup_entry(queue->items, key));

	*item->link = item->next;
	if (item->next)
		item->next->link = item->link;
	metrics_observe(queue->options.metrics, METRIC_WORKQUEUE_WORK_SECONDS,
		(double)(now_ns(queue) - item->started_ns) / 1e9, queue->options.name);
	return item;
}

/* Where ITEM goes after it was worked on: it comes again at DUE, if not before. */
static void settle(struct workqueue *queue, struct item *item, int64_t due)
{
	if (due < item->due_ns)
		item->due_ns = due;
	if (item->dirty) {
		append_ready(queue, item);
	} else if (item->due_ns != NEVER) {
		insert_waiting(queue, item);
	} else {
		lh_table_delete(queue->items, item->key);
		free(item);
	}
}

void workqueue_done(struct workqueue *queue, const char *key, bool success)
{
	struct item *item;
	int64_t due = NEVER;

	pthread_mutex_lock(&queue->lock);
	item = finish(queue, key);
	item->failures = success ? 0 : item->failures + 1;
	if (!success)
		due = now_ns(queue) + back_off(queue, item->failures) * NS_PER_MS;
	settle(queue, item, due);
	pthread_mutex_unlock(&queue->lock);
}

void workqueue_done_after(struct workqueue *queue, const char *key, int64_t ms)
{
	struct item *item;

	pthread_mutex_lock(&queue->lock);
	item = finish(queue, key);
	item->failures = 0;
	settle(queue, item, now_ns(queue) + ms * NS_PER_MS);
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
