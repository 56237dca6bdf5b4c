/* SPDX-License-Identifier: Apache-2.0 */
#include "infeasible.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct entry {
	int64_t until_ms;
	char *class_uid;
	char uid[];
};

struct infeasible {
	pthread_mutex_t lock;     /* guards all below */
	struct lh_table *entries; /* UID, borrowed from the entry -> struct entry */
};

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct infeasible *infeasible_new(void)
{
	struct infeasible *infeasible = calloc(1, sizeof(*infeasible));

	if (!infeasible)
		abort();
	infeasible->entries = lh_kchar_table_new(16, NULL);
	if (!infeasible->entries)
		abort();
	pthread_mutex_init(&infeasible->lock, NULL);
	return infeasible;
}

static void drop(struct infeasible *infeasible, struct lh_entry *slot)
{
	struct entry *entry = (struct entry *)lh_entry_v(slot);

	lh_table_delete_entry(infeasible->entries, slot);
	free(entry->class_uid);
	free(entry);
}

void infeasible_free(struct infeasible *infeasible)
{
	while (infeasible->entries->head)
		drop(infeasible, infeasible->entries->head);
	lh_table_free(infeasible->entries);
	pthread_mutex_destroy(&infeasible->lock);
	free(infeasible);
}

void infeasible_set(
	struct infeasible *infeasible, const char *uid, const char *class_uid, int64_t wait_ms)
{
	size_t length = strlen(uid) + 1;
	struct entry *entry = calloc(1, sizeof(*entry) + length);

	if (!entry)
		abort();
	memcpy(entry->uid, uid, length);
	entry->until_ms = monotonic_ms() + wait_ms;
	entry->class_uid = strdup(class_uid);
	infeasible_clear(infeasible, uid);
	pthread_mutex_lock(&infeasible->lock);
	if (!entry->class_uid || lh_table_insert(infeasible->entries, entry->uid, entry) < 0)
		abort();
	pthread_mutex_unlock(&infeasible->lock);
}

int64_t infeasible_wait(struct infeasible *infeasible, const char *uid, const char *class_uid)
{
	struct lh_entry *slot;
	int64_t wait = 0;

	pthread_mutex_lock(&infeasible->lock);
	slot = lh_table_lookup_entry(infeasible->entries, uid);
	if (slot) {
		const struct entry *entry = lh_entry_v(slot);

		wait = entry->until_ms - monotonic_ms();
		if (wait < 0 || strcmp(entry->class_uid, class_uid))
			wait = 0;
	}
	pthread_mutex_unlock(&infeasible->lock);
	return wait;
}

void infeasible_clear(struct infeasible *infeasible, const char *uid)
{
	struct lh_entry *slot;

	pthread_mutex_lock(&infeasible->lock);
	slot = lh_table_lookup_entry(infeasible->entries, uid);
	if (slot)
		drop(infeasible, slot);
	pthread_mutex_unlock(&infeasible->lock);
}
