/* SPDX-License-Identifier: Apache-2.0 */
#include "recent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES  256
#define UID_SIZE 64

struct entry {
	char uid[UID_SIZE];
	time_t since;
};

struct recent {
	int max_age_s;        /* constant */
	pthread_mutex_t lock; /* guards all below */
	struct entry entries[ENTRIES];
	size_t next;
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

struct recent *recent_new(int max_age_s)
{
	struct recent *recent = calloc(1, sizeof(*recent));

	if (!recent)
		abort();
	recent->max_age_s = max_age_s;
	pthread_mutex_init(&recent->lock, NULL);
	return recent;
}

void recent_free(struct recent *recent)
{
	pthread_mutex_destroy(&recent->lock);
	free(recent);
}

void recent_add(struct recent *recent, const char *uid)
{
	size_t size = strlen(uid) + 1;
	struct entry *entry;

	if (!recent || size > UID_SIZE)
		return; /* nothing depends on it */
	pthread_mutex_lock(&recent->lock);
	entry = &recent->entries[recent->next++ % ENTRIES];
	memcpy(entry->uid, uid, size);
	entry->since = now_s();
	pthread_mutex_unlock(&recent->lock);
}

void recent_remove(struct recent *recent, const char *uid)
{
	if (!recent || !*uid)
		return;
	pthread_mutex_lock(&recent->lock);
	for (size_t i = 0; i < ENTRIES; i++)
		if (!strcmp(recent->entries[i].uid, uid))
			*recent->entries[i].uid = '\0';
	pthread_mutex_unlock(&recent->lock);
}

bool recent_has(struct recent *recent, const char *uid)
{
	time_t oldest;
	bool found = false;

	if (!recent || !*uid)
		return false;
	oldest = now_s() - recent->max_age_s;
	pthread_mutex_lock(&recent->lock);
	for (size_t i = 0; i < ENTRIES && !found; i++) {
		const struct entry *entry = &recent->entries[i];

		found = !strcmp(entry->uid, uid) && entry->since >= oldest;
	}
	pthread_mutex_unlock(&recent->lock);
	return found;
}
