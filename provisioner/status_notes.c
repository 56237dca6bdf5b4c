/* SPDX-License-Identifier: Apache-2.0 */
#include "status_notes.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "utf8.h"

#define UID_MAX 64

struct slot {
	char uid[UID_MAX]; /* "": empty */
	struct status_note note;
};

struct status_notes {
	pthread_mutex_t lock;   /* guards all below */
	struct lh_table *table; /* uid, borrowed from the slot -> struct slot */
	struct slot *slots;     /* a ring */
	size_t max, next;
};

struct status_notes *status_notes_new(size_t max)
{
	struct status_notes *notes = calloc(1, sizeof(*notes));

	if (!notes)
		abort();
	notes->slots = calloc(max, sizeof(*notes->slots));
	notes->table = lh_kchar_table_new(64, NULL);
	if (!notes->slots || !notes->table)
		abort();
	notes->max = max;
	pthread_mutex_init(&notes->lock, NULL);
	return notes;
}

void status_notes_free(struct status_notes *notes)
{
	lh_table_free(notes->table);
	pthread_mutex_destroy(&notes->lock);
	free(notes->slots);
	free(notes);
}

static struct slot *find(struct status_notes *notes, const char *uid)
{
	struct lh_entry *entry = lh_table_lookup_entry(notes->table, uid);

	return entry ? (struct slot *)lh_entry_v(entry) : NULL;
}

static void empty(struct status_notes *notes, struct slot *slot)
{
	if (!*slot->uid)
		return;
	lh_table_delete(notes->table, slot->uid);
	*slot->uid = '\0';
}

static struct slot *find_or_add(struct status_notes *notes, const char *uid)
{
	struct slot *slot = find(notes, uid);

	if (slot)
		return slot;
	slot = &notes->slots[notes->next++ % notes->max];
	empty(notes, slot);
	snprintf(slot->uid, sizeof(slot->uid), "%s", uid);
	if (lh_table_insert(notes->table, slot->uid, slot) < 0)
		abort();
	return slot;
}

/* A try that begins says nothing of how the one before ended. */
static bool says_nothing(enum event_type type, const char *reason)
{
	return type == EVENT_NORMAL && !strcmp(reason, "Provisioning");
}

void status_notes_observe(void *context, const struct event_reference *on, enum event_type type,
	const char *reason, const char *message)
{
	bool waits = !strncmp(reason, "WaitFor", strlen("WaitFor"));
	struct status_notes *notes = context;
	struct slot *slot;

	if (says_nothing(type, reason) || !*on->uid || strlen(on->uid) >= UID_MAX)
		return;
	pthread_mutex_lock(&notes->lock);
	if (type == EVENT_WARNING || waits) {
		slot = find_or_add(notes, on->uid);
		slot->note.failed = type == EVENT_WARNING;
		slot->note.at = time(NULL);
		utf8_copy(slot->note.text, sizeof(slot->note.text), message);
	} else if ((slot = find(notes, on->uid))) {
		empty(notes, slot);
	}
	pthread_mutex_unlock(&notes->lock);
}

bool status_notes_get(struct status_notes *notes, const char *uid, struct status_note *ret_note)
{
	const struct slot *slot;

	if (!notes)
		return false;
	pthread_mutex_lock(&notes->lock);
	slot = find(notes, uid);
	if (slot)
		*ret_note = slot->note;
	pthread_mutex_unlock(&notes->lock);
	return slot != NULL;
}
