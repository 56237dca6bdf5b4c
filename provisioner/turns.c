/* SPDX-License-Identifier: Apache-2.0 */
#include "turns.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

struct waiter {
	struct waiter *next;
	char key[];
};

struct turns {
	struct workqueue *queue;
	pthread_mutex_t lock;      /* guards all below */
	struct lh_table *subjects; /* those worked on, owned -> struct waiter, NULL: nobody waits */
};

static void free_entry(struct lh_entry *entry)
{
	struct waiter *waiter = (struct waiter *)lh_entry_v(entry), *next;

	for (; waiter; waiter = next) {
		next = waiter->next;
		free(waiter);
	}
	free(lh_entry_k(entry));
}

struct turns *turns_new(struct workqueue *queue)
{
	struct turns *turns = calloc(1, sizeof(*turns));

	if (!turns)
		abort();
	turns->queue = queue;
	turns->subjects = lh_kchar_table_new(64, free_entry);
	if (!turns->subjects)
		abort();
	pthread_mutex_init(&turns->lock, NULL);
	return turns;
}

void turns_free(struct turns *turns)
{
	lh_table_free(turns->subjects);
	pthread_mutex_destroy(&turns->lock);
	free(turns);
}

static void add_subject(struct turns *turns, const char *subject)
{
	char *name = strdup(subject);

	if (!name || lh_table_insert(turns->subjects, name, NULL) < 0)
		abort();
}

/* Each key is one worker's at a time, and so waits here once. */
static void add_waiter(struct lh_entry *entry, const char *key)
{
	struct waiter *first = (struct waiter *)lh_entry_v(entry), *at = first;
	size_t length = strlen(key) + 1;

	while (at && strcmp(at->key, key))
		at = at->next;
	if (at)
		return;
	at = malloc(sizeof(*at) + length);
	if (!at)
		abort();
	at->next = first;
	memcpy(at->key, key, length);
	lh_entry_set_val(entry, at);
}

bool turns_begin(struct turns *turns, const char *subject, const char *key)
{
	struct lh_entry *entry;

	pthread_mutex_lock(&turns->lock);
	entry = lh_table_lookup_entry(turns->subjects, subject);
	if (entry)
		add_waiter(entry, key);
	else
		add_subject(turns, subject);
	pthread_mutex_unlock(&turns->lock);
	return !entry;
}

void turns_end(struct turns *turns, const char *subject)
{
	struct lh_entry *entry;

	pthread_mutex_lock(&turns->lock);
	entry = lh_table_lookup_entry(turns->subjects, subject);
	for (const struct waiter *at = lh_entry_v(entry); at; at = at->next)
		workqueue_add(turns->queue, at->key);
	lh_table_delete_entry(turns->subjects, entry);
	pthread_mutex_unlock(&turns->lock);
}
