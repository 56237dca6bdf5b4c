/* SPDX-License-Identifier: Apache-2.0 */
#include "status_sets.h"

#include <string.h>

#include "ordinals.h"

static const char *const state_names[STATUS_STATES] = {
	[STATUS_BOUND] = "bound",
	[STATUS_KEPT] = "kept",
	[STATUS_PENDING] = "pending",
	[STATUS_FAILED] = "failed",
	[STATUS_LOST] = "lost",
	[STATUS_RELEASED] = "released",
	[STATUS_DELETING] = "deleting",
};

/* References to all objects of a store, taken at once. */
struct snapshot {
	struct object **items;
	size_t count, room;
};

/* What is collected from, and to. */
struct collection {
	const struct controller *controller;
	struct status_notes *notes;
	struct status_sets *sets;
};

const char *status_sets_state_name(enum status_state state)
{
	return state_names[state];
}

static int64_t clamp(int64_t number)
{
	return number < 0 ? 0 : number > INT32_MAX ? INT32_MAX : number;
}

void status_sets_range(const struct status_set *set, int64_t *ret_first, int64_t *ret_end)
{
	*ret_first = set->set ? clamp(set->set->first_ordinal) : 0;
	*ret_end = *ret_first + (set->set ? clamp(set->set->replicas) : 0);
}

/* Room for one more item in an array that grows by doubling. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room ? 2 * *room : 4;
	items = reallocarray(items, *room, size);
	if (!items)
		abort();
	return items;
}

/* Under the store's lock: as little as possible. */
static void keep(void *context, const struct object *object)
{
	struct snapshot *snapshot = context;

	snapshot->items =
		grow(snapshot->items, snapshot->count, &snapshot->room, sizeof(*snapshot->items));
	snapshot->items[snapshot->count++] = object_ref(object);
}

static void snapshot_take(struct snapshot *snapshot, struct store *store)
{
	*snapshot = (struct snapshot){.room = store_count(store) + 16};
	snapshot->items = calloc(snapshot->room, sizeof(*snapshot->items));
	if (!snapshot->items)
		abort();
	store_each(store, keep, snapshot);
}

static void snapshot_done(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++)
		object_unref(snapshot->items[i]);
	free(snapshot->items);
}

static struct status_set *find_or_add_set(
	const struct collection *collection, const char *namespace, const char *name)
{
	struct status_sets *sets = collection->sets;
	_cleanup_free_ char *key = NULL;
	struct status_set *set = NULL;

	if (asprintf(&key, "%s/%s", namespace, name) < 0)
		abort();
	if (lh_table_lookup_ex(sets->index, key, (void **)&set))
		return set;
	set = calloc(1, sizeof(*set));
	if (!set)
		abort();
	set->namespace = strdup(namespace);
	set->name = strdup(name);
	if (!set->namespace || !set->name)
		abort();
	set->set = store_get(collection->controller->sets, key);
	sets->items = grow(sets->items, sets->count, &sets->room, sizeof(struct status_set *));
	sets->items[sets->count++] = set;
	if (lh_table_insert(sets->index, take_ptr(key), set) < 0)
		abort();
	return set;
}

static const char *find_or_add_template(struct status_set *set, const char *name)
{
	for (size_t i = 0; i < set->templates.count; i++)
		if (!strcmp(set->templates.items[i], name))
			return set->templates.items[i];
	strings_add(&set->templates, name);
	return set->templates.items[set->templates.count - 1];
}

/* The place that VOLUME was made for, and whose it is. False where there is none. */
static bool place_of_volume(
	const struct volume *volume, char namespace[static 254], struct place *place)
{
	return volume && volume->place &&
	       sscanf(volume->place->owner, "%253[^\n]\n%253[^\n]\n%253[^\n]\n%11[0-9]", namespace,
		       place->statefulset, place->template, place->ordinal) == 4;
}

static bool find_place(const struct collection *collection, const struct status_cell *cell,
	char namespace[static 254], struct place *place)
{
	if (place_of_volume(cell->volume, namespace, place) &&
		(!cell->claim || !strcmp(namespace, cell->claim->object.namespace)))
		return true;
	if (!cell->claim ||
		!ordinals_find_cached(collection->controller->ordinals, cell->claim, place))
		return false;
	snprintf(namespace, 254, "%s", cell->claim->object.namespace);
	return true;
}

static enum status_state state_of_volume(
	const struct collection *collection, const struct volume *volume)
{
	struct status_note note;

	if (!strcmp(volume->phase, "Failed") ||
		(status_notes_get(collection->notes, volume->object.uid, &note) && note.failed))
		return STATUS_FAILED;
	if (volume->object.deleting ||
		(!strcmp(volume->phase, "Released") && !strcmp(volume->reclaim_policy, "Delete")))
		return STATUS_DELETING;
	return STATUS_RELEASED;
}

static enum status_state state_of(const struct collection *collection,
	const struct status_cell *cell, const struct status_set *set)
{
	const struct claim *claim = cell->claim;
	int64_t first, end;
	struct status_note note;

	if (!claim)
		return state_of_volume(collection, cell->volume);
	if (claim->object.deleting)
		return STATUS_DELETING;
	if (claim->resize.lost || (claim->resize.bound && !cell->volume))
		return STATUS_LOST;
	if (!claim->resize.bound)
		return status_notes_get(collection->notes, claim->object.uid, &note) && note.failed
			       ? STATUS_FAILED
			       : STATUS_PENDING;
	status_sets_range(set, &first, &end);
	return cell->ordinal >= 0 && (cell->ordinal < first || cell->ordinal >= end) ? STATUS_KEPT
										     : STATUS_BOUND;
}

/* Claim and volume of CELL, whose references it takes over. */
static void add_cell(const struct collection *collection, struct status_cell cell)
{
	struct status_set *set = &collection->sets->others;
	char namespace[254];
	struct place place;

	cell.ordinal = -1;
	cell.template = "";
	if (find_place(collection, &cell, namespace, &place)) {
		set = find_or_add_set(collection, namespace, place.statefulset);
		cell.template = find_or_add_template(set, place.template);
		cell.ordinal = strtoll(place.ordinal, NULL, 10);
	}
	cell.state = state_of(collection, &cell, set);
	collection->sets->states[cell.state]++;
	set->cells = grow(set->cells, set->count, &set->room, sizeof(*set->cells));
	set->cells[set->count++] = cell;
}

/* Whether a claim is our driver's to serve, as its class or the controller-manager says. */
static bool is_ours(const struct collection *collection, const struct claim *claim)
{
	const char *driver = collection->controller->driver.info.name;
	_cleanup_object_ struct storage_class *class = NULL;

	if (*claim->provisioner)
		return !strcmp(claim->provisioner, driver);
	class = store_get(collection->controller->classes, claim->class_name);
	return class && !strcmp(class->provisioner, driver);
}

static void add_claim(const struct collection *collection, struct claim *claim)
{
	_cleanup_object_ struct volume *volume = NULL;

	if (*claim->volume_name)
		volume = store_get(collection->controller->volumes, claim->volume_name);
	if (volume ? strcmp(volume->driver, collection->controller->driver.info.name) != 0
		   : !is_ours(collection, claim))
		return;
	add_cell(collection,
		(struct status_cell){.claim = object_ref(claim), .volume = take_ptr(volume)});
}

/* Those with a claim were added with it; one that its claim has not heard of yet is about to be. */
static void add_volume(const struct collection *collection, struct volume *volume)
{
	_cleanup_object_ struct claim *claim = NULL;

	if (strcmp(volume->driver, collection->controller->driver.info.name) != 0)
		return;
	if (volume->resize.claim_uid)
		claim = store_get(collection->controller->claims, volume->resize.claim_uid);
	if (!claim || (*claim->volume_name && strcmp(claim->volume_name, volume->object.name) != 0))
		add_cell(collection, (struct status_cell){.volume = object_ref(volume)});
}

static int compare_cells(const void *a, const void *b)
{
	const struct status_cell *left = a, *right = b;
	int order = strcmp(left->template, right->template);

	if (order == 0)
		order = (left->ordinal > right->ordinal) - (left->ordinal < right->ordinal);
	if (order == 0)
		order = !left->claim - !right->claim;
	if (order == 0 && left->claim)
		order = strcmp(left->claim->object.namespace, right->claim->object.namespace);
	if (order == 0 && left->claim)
		return strcmp(left->claim->object.name, right->claim->object.name);
	return order ? order : strcmp(left->volume->object.name, right->volume->object.name);
}

static int compare_sets(const void *a, const void *b)
{
	const struct status_set *left = *(struct status_set *const *)a,
				*right = *(struct status_set *const *)b;
	int order = strcmp(left->namespace, right->namespace);

	return order ? order : strcmp(left->name, right->name);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_set(struct status_set *set)
{
	if (set->count)
		qsort(set->cells, set->count, sizeof(*set->cells), compare_cells);
	if (set->templates.count)
		qsort(set->templates.items, set->templates.count, sizeof(char *), compare_texts);
}

static void sort(struct status_sets *sets)
{
	if (sets->count)
		qsort(sets->items, sets->count, sizeof(struct status_set *), compare_sets);
	for (size_t i = 0; i < sets->count; i++)
		sort_set(sets->items[i]);
	sort_set(&sets->others);
}

static void free_key(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
}

void status_sets_collect(struct status_sets *ret_sets, const struct controller *controller,
	struct status_notes *notes)
{
	const struct collection collection = {controller, notes, ret_sets};
	struct snapshot claims, volumes;

	*ret_sets = (struct status_sets){.index = lh_kchar_table_new(64, free_key)};
	if (!ret_sets->index)
		abort();
	snapshot_take(&claims, controller->claims);
	for (size_t i = 0; i < claims.count; i++)
		add_claim(&collection, (struct claim *)claims.items[i]);
	snapshot_done(&claims);
	snapshot_take(&volumes, controller->volumes);
	for (size_t i = 0; i < volumes.count; i++)
		add_volume(&collection, (struct volume *)volumes.items[i]);
	snapshot_done(&volumes);
	sort(ret_sets);
}

static void set_done(struct status_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		object_unref(set->cells[i].claim);
		object_unref(set->cells[i].volume);
	}
	free(set->cells);
	strings_done(&set->templates);
	object_unref(set->set);
	free(set->namespace);
	free(set->name);
}

void status_sets_done(struct status_sets *sets)
{
	for (size_t i = 0; i < sets->count; i++) {
		set_done(sets->items[i]);
		free(sets->items[i]);
	}
	set_done(&sets->others);
	free(sets->items);
	lh_table_free(sets->index);
}
