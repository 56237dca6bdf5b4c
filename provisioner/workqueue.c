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

/* A worker that waits. It stays the queue's, because it is told of work when the lock is free
 * again, and may have found out by itself before. */
struct idler {
	pthread_cond_t told;
	bool called;
	struct idler *next; /* that has waited for longer; or another spare one */
};

struct workqueue {
	pthread_mutex_t lock; /* guards all below */
	/* Those that wait, the last that came first: work goes to the worker whose memory is warm,
	 * and is done by no more of them than it needs. The one that has waited for longest sees
	 * to it that back-offs end. */
	struct idler *idle, *watcher;
	struct idler *spare;
	struct lh_table *items; /* key, borrowed from the item -> struct item */
	struct item *ready, **ready_tail;
	struct item *processing;
	struct item **heap; /* those that wait, a binary heap by due_ns */
	size_t waiting, heap_size;
	int64_t watched_ns;               /* until when the watcher waits */
	size_t ready_count, called_count; /* those called have not come for theirs yet */
	size_t wanted;                    /* ready, or dirty while worked on */
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

	if (!queue)
		abort();
	queue->options = *options;
	queue->items = lh_kchar_table_new(64, NULL);
	if (!queue->items)
		abort();
	queue->ready_tail = &queue->ready;
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
	while (queue->spare) {
		struct idler *idler = queue->spare;

		queue->spare = idler->next;
		pthread_cond_destroy(&idler->told);
		free(idler);
	}
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
	queue->ready_count++;
}

/* Take a worker away from those that wait, if there is work for one; it is to be told. */
static struct idler *call(struct workqueue *queue)
{
	struct idler *idler = queue->idle;

	if (!idler || queue->ready_count <= queue->called_count)
		return NULL;
	queue->idle = idler->next;
	if (idler == queue->watcher)
		queue->watcher = NULL;
	idler->called = true;
	queue->called_count++;
	return idler;
}

/* Each calls one worker at most; where there is work for more, that one calls the next. Told only
 * now, it does not wake to a lock that is taken. */
static void unlock(struct workqueue *queue)
{
	struct idler *idler = call(queue);

	pthread_mutex_unlock(&queue->lock);
	if (idler)
		pthread_cond_signal(&idler->told);
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

/* See to it that the watcher wakes when the first back-off ends. */
static void have_watched(struct workqueue *queue)
{
	if (queue->watcher && queue->heap[0]->due_ns < queue->watched_ns)
		pthread_cond_signal(&queue->watcher->told);
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
	unlock(queue);
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

/* Wait until told, or until the first back-off ends. */
static void watch(struct workqueue *queue, struct idler *watcher)
{
	struct timespec until;
	int64_t ns;

	queue->watched_ns = queue->waiting ? queue->heap[0]->due_ns : NEVER;
	if (queue->watched_ns == NEVER) {
		pthread_cond_wait(&watcher->told, &queue->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = until.tv_nsec + queue->watched_ns - now_ns(queue);
	until.tv_sec += ns / (1000 * NS_PER_MS);
	until.tv_nsec = ns % (1000 * NS_PER_MS);
	pthread_cond_timedwait(&watcher->told, &queue->lock, &until);
}

static struct idler *take_idler(struct workqueue *queue)
{
	struct idler *idler = queue->spare;
	pthread_condattr_t attributes;

	if (idler) {
		queue->spare = idler->next;
		return idler;
	}
	idler = calloc(1, sizeof(*idler));
	if (!idler)
		abort();
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&idler->told, &attributes);
	pthread_condattr_destroy(&attributes);
	return idler;
}

/* Wait until called. The first that waits watches over the back-offs: what is due is ready then,
 * and whoever came last is called for it, which may be itself. */
static void wait_for_call(struct workqueue *queue)
{
	struct idler *idler = take_idler(queue), *called;
	bool watches = !queue->idle;

	if (watches)
		queue->watcher = idler;
	idler->called = false;
	idler->next = queue->idle;
	queue->idle = idler;
	while (!idler->called && !queue->stopped) {
		if (!watches) {
			pthread_cond_wait(&idler->told, &queue->lock);
			continue;
		}
		watch(queue, idler);
		promote(queue);
		called = call(queue);
		if (called && called != idler)
			pthread_cond_signal(&called->told);
	}
	queue->called_count -= idler->called;
	idler->next = queue->spare;
	queue->spare = idler;
}

/* The first of the ready list, which is not empty, for this worker. */
static struct item *start(struct workqueue *queue)
{
	struct item *item = queue->ready;

	queue->ready = item->next;
	queue->ready_count--;
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
		wait_for_call(queue);
	}
	if (!queue->stopped)
		item = start(queue);
	unlock(queue);
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
	for (struct idler *idler = queue->idle; idler; idler = idler->next)
		pthread_cond_signal(&idler->told);
	queue->idle = queue->watcher = NULL;
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
