/* SPDX-License-Identifier: Apache-2.0 */
#include "heartbeat.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define KEY_WORDS 12 /* 95 bytes of a key, and a NUL */

struct heartbeat {
	struct heartbeat *next; /* set before it can be seen */
	struct heartbeats *group;
	int64_t limit_ms;
	/* The key and the time belong together while VERSION is even and has not changed. */
	atomic_uint version;
	_Atomic int64_t begun_ms; /* 0: it waits for work */
	_Atomic uint64_t key[KEY_WORDS];
	char name[];
};

struct heartbeats {
	int64_t (*now_ms)(void);
	struct heartbeat *_Atomic first;
};

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct heartbeats *heartbeat_group_new(int64_t (*now_ms)(void))
{
	struct heartbeats *group = calloc(1, sizeof(*group));

	if (!group)
		abort();
	group->now_ms = now_ms ? now_ms : monotonic_ms;
	return group;
}

void heartbeat_group_free(struct heartbeats *group)
{
	struct heartbeat *heartbeat = group->first;

	while (heartbeat) {
		struct heartbeat *next = heartbeat->next;

		free(heartbeat);
		heartbeat = next;
	}
	free(group);
}

struct heartbeat *heartbeat_add(struct heartbeats *group, const char *name, int64_t limit_ms)
{
	size_t length = strlen(name) + 1;
	struct heartbeat *heartbeat = calloc(1, sizeof(*heartbeat) + length);

	if (!heartbeat)
		abort();
	memcpy(heartbeat->name, name, length);
	heartbeat->group = group;
	heartbeat->limit_ms = limit_ms;
	heartbeat->next = atomic_load(&group->first);
	while (!atomic_compare_exchange_weak(&group->first, &heartbeat->next, heartbeat))
		;
	return heartbeat;
}

static void note(struct heartbeat *heartbeat, int64_t begun_ms, const char *key)
{
	uint64_t words[KEY_WORDS] = {0};

	memcpy(words, key, strnlen(key, sizeof(words) - 1));
	atomic_fetch_add(&heartbeat->version, 1);
	for (size_t i = 0; i < KEY_WORDS; i++)
		atomic_store(&heartbeat->key[i], words[i]);
	atomic_store(&heartbeat->begun_ms, begun_ms);
	atomic_fetch_add(&heartbeat->version, 1);
}

void heartbeat_begin(struct heartbeat *heartbeat, const char *key)
{
	if (heartbeat)
		note(heartbeat, heartbeat->group->now_ms(), key ? key : "");
}

void heartbeat_end(struct heartbeat *heartbeat)
{
	if (heartbeat)
		atomic_store(&heartbeat->begun_ms, 0);
}

/* When the work that is under way began, and its key; 0 for none. A begin that is under way as we
 * look is no piece of work that is stuck. */
static int64_t read_beat(struct heartbeat *heartbeat, uint64_t key[KEY_WORDS])
{
	unsigned version = atomic_load(&heartbeat->version);
	int64_t begun = atomic_load(&heartbeat->begun_ms);

	for (size_t i = 0; i < KEY_WORDS; i++)
		key[i] = atomic_load(&heartbeat->key[i]);
	return version % 2 == 0 && atomic_load(&heartbeat->version) == version ? begun : 0;
}

int heartbeat_check(void *context, struct error *err)
{
	struct heartbeats *group = context;
	struct heartbeat *heartbeat = atomic_load(&group->first);
	int64_t longest = 0;
	int result = 0;

	for (; heartbeat; heartbeat = heartbeat->next) {
		uint64_t key[KEY_WORDS];
		int64_t begun = read_beat(heartbeat, key);
		int64_t since = group->now_ms() - begun;

		if (!begun || since < heartbeat->limit_ms || since <= longest)
			continue;
		longest = since;
		result = error_set(err, ERROR_TIMEOUT, "%s has worked on %s for %lld s",
			heartbeat->name, *(char *)key ? (const char *)key : "one thing",
			(long long)(since / 1000));
	}
	return result;
}
