/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots.h"

#include <fcntl.h>
#include <string.h>

#include "base_tree.h"
#include "beneath.h"
#include "reclaim.h"
#include "snapshot.h"

void snapshot_done(struct snapshot *snapshot)
{
	if (snapshot->record)
		record_free(snapshot->record);
}

void snapshot_page_done(struct snapshot_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		snapshot_done(&page->snapshots[i]);
	free(page->snapshots);
}

static struct volume_id id_at(const struct base *base, const struct volume_hash *hash)
{
	struct volume_id id = {.hash = *hash};

	strcpy(id.server, base->location.server);
	strcpy(id.share, base->location.share);
	return id;
}

/* Fill *RET but for its record, which is RECORD. */
static int describe(const struct base *base, const struct volume_hash *hash,
	const struct record *record, struct snapshot *ret, struct error *err)
{
	struct volume_id id = id_at(base, hash);

	snprintf(
		id.options, sizeof(id.options), "%s", record->id_options ? record->id_options : "");
	ret->location = base->location;
	if (volume_id_format_snapshot(&id, ret->id, err) < 0)
		return -1;
	if (record->snapshot) {
		snprintf(ret->volume_id, sizeof(ret->volume_id), "%s", record->source);
		return 0;
	}
	volume_id_hash(record->name, &id.hash);
	return volume_id_format(&id, ret->volume_id, err);
}

/* Read a snapshot that BASE has. */
static int read_snapshot(struct volumes *volumes, struct base *base, const struct volume_hash *hash,
	struct snapshot *ret, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_(record_freep) struct record *record = NULL;

	if (volumes_enter(volumes, base, &pass, err) < 0)
		return -1;
	if (snapshot_read(base, hash, &record, err) < 0)
		return base_explain(base, err);
	if (describe(base, hash, record, ret, err) < 0)
		return -1;
	ret->record = take_ptr(record);
	return 0;
}

/* The name of a snapshot means one, in whichever base it lies. */
static int check_other_bases(struct volumes *volumes, const struct base *base,
	const struct volume_hash *hash, struct error *err)
{
	if (base->export)
		return 0; /* as for volumes: other servers are not asked */
	for (struct base *other = NULL; (other = bases_next(&volumes->bases, other));)
		if (other != base && catalog_has_record(other->catalog, hash))
			return error_set(err, ERROR_ALREADY_EXISTS,
				"the snapshot exists, of a volume in %s", other->name);
	return 0;
}

/* Copy the volume, which is kept from being deleted meanwhile. */
static int make(struct volumes *volumes, const struct snapshot_request *request, struct base *base,
	const struct volume_hash *hash, struct record **ret_record, struct error *err)
{
	_cleanup_(clone_source_done) struct clone_source source = {
		.id = request->source,
		.fd = -1,
		.allow_live = request->allow_live,
	};
	_cleanup_(record_freep) struct record *volume = NULL, *record = NULL;
	struct volume_id id;

	if (volume_id_parse(request->source, &id, err) < 0 ||
		keylock_share(&volumes->busy, id.hash.text, &source.held, err) < 0 ||
		volumes_read(volumes, request->source, base, &source.pass, &base, &volume, err) <
			0 ||
		beneath_open_dir(base->fd, volume->path, O_RDONLY, &source.fd, err) < 0)
		return -1;
	record = snapshot_record(request->name, request->source, volume);
	if (snapshot_make(&volumes->clones, base, hash, record, &source, err) < 0)
		return -1;
	*ret_record = take_ptr(record);
	return 0;
}

/* What there is of the snapshot, whole: or *RET_RECORD stays NULL, and nothing is left of it. */
static int find_made(struct base *base, const struct volume_hash *hash, const char *source,
	struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	int found = catalog_read(base->catalog, hash, &record, err), result;

	if (catalog_in_trash(base->catalog, hash))
		return error_set(err, ERROR_ABORTED,
			"a snapshot of this name is still being removed: try again");
	if (found < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1;
	if (inventory_is_retired(&base->inventory, hash)) {
		if (strcmp(record->source, source))
			return error_set(err, ERROR_ALREADY_EXISTS,
				"the snapshot exists, of volume %s", record->source);
		*ret_record = take_ptr(record);
		return 0;
	}
	pthread_mutex_lock(&base->takeover);
	result = reclaim_drop(base, hash, err);
	pthread_mutex_unlock(&base->takeover);
	return result;
}

static int create(struct volumes *volumes, const struct snapshot_request *request,
	struct base *base, const struct volume_hash *hash, struct record **ret_record,
	struct error *err)
{
	if (check_other_bases(volumes, base, hash, err) < 0 ||
		find_made(base, hash, request->source, ret_record, err) < 0)
		return -1;
	return *ret_record ? 0 : make(volumes, request, base, hash, ret_record, err);
}

int snapshots_create(struct volumes *volumes, const struct snapshot_request *request,
	struct snapshot *ret, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_hash hash;
	struct volume_id id;
	struct base *base;
	int result;

	snapshot_hash(request->name, &hash);
	if (volume_id_parse(request->source, &id, err) < 0 ||
		keylock_acquire(&volumes->busy, hash.text, request->cancelled, &held, err) < 0 ||
		volumes_enter_at(volumes, &id, &pass, &base, err) < 0)
		return -1;
	result = create(volumes, request, base, &hash, &record, err);
	/* What there is of a copy that was begun goes at once: the disk may be full of it. */
	trash_wake(&volumes->trash);
	if (result < 0)
		return base_explain(base, err);
	if (describe(base, &hash, record, ret, err) < 0)
		return -1;
	ret->record = take_ptr(record);
	return 0;
}

int snapshots_delete(struct volumes *volumes, const char *text, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	struct volume_id id;
	struct base *base;
	int result;

	if (volume_id_parse_snapshot(text, &id, NULL) < 0)
		return 0; /* not ours, so it does not exist */
	if (volumes_enter_at(volumes, &id, &pass, &base, err) < 0)
		return -1;
	result = snapshot_delete(base, &id.hash, err);
	trash_wake(&volumes->trash);
	return result < 0 ? base_explain(base, err) : 0;
}

/* Data of another namespace, also of an earlier one of the same name, are somebody else's. */
static bool is_of_namespace(const struct record *record, const struct parameters *parameters)
{
	if (!record->namespace && !record->namespace_uid)
		return true; /* nobody said whose they are */
	if (record->namespace_uid && parameters->namespace_uid)
		return !strcmp(record->namespace_uid, parameters->namespace_uid);
	return record->namespace && parameters->namespace &&
	       !strcmp(record->namespace, parameters->namespace);
}

static int check_namespace(const char *id, const struct record *record,
	const struct parameters *parameters, struct error *err)
{
	if (parameters->reuse_across_namespaces || is_of_namespace(record, parameters))
		return 0;
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"snapshot %s holds data of the namespace %s (UID %s), and not of the claim's: only "
		"a StorageClass with reuseAcrossNamespaces: \"true\" may hand them over",
		id, record->namespace ? record->namespace : "?",
		record->namespace_uid ? record->namespace_uid : "unknown");
}

int snapshots_open(struct volumes *volumes, const struct base *target,
	const struct parameters *parameters, struct clone_source *source, int64_t *ret_capacity,
	struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_id id;
	struct base *base;

	if (volume_id_parse_snapshot(source->id, &id, err) < 0)
		return -1;
	if (!strcmp(id.server, target->location.server) &&
		!strcmp(id.share, target->location.share))
		base = (struct base *)target;
	else if (volumes_enter_at(volumes, &id, &source->pass, &base, err) < 0)
		return error_prefix(err, "snapshot %s", source->id);
	if (snapshot_open(base, &id.hash, source, &record, err) < 0)
		return error_prefix(err, "snapshot %s", source->id);
	*ret_capacity = record->capacity;
	return check_namespace(source->id, record, parameters, err);
}

/* What snapshots_list() sorts: the order is that of the ids. */
struct listed {
	char id[VOLUME_ID_MAX + 1];
	struct volume_hash hash;
	struct base *base;
};

struct list {
	struct listed *items;
	size_t count;
};

static int compare_listed(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->id, ((const struct listed *)b)->id);
}

/* Append those of BASE that come after the id AFTER. */
static int add_base(struct volumes *volumes, struct base *base, const char *after,
	struct list *list, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_free_ struct volume_hash *hashes = NULL;
	size_t count;

	if (volumes_enter(volumes, base, &pass, err) < 0)
		return -1;
	inventory_snapshots(&base->inventory, &hashes, &count);
	list->items = reallocarray(list->items, list->count + count + 1, sizeof(*list->items));
	if (!list->items)
		abort();
	for (size_t i = 0; i < count; i++) {
		struct listed *item = &list->items[list->count];
		struct volume_id id = id_at(base, &hashes[i]);

		if (volume_id_format_snapshot(&id, item->id, err) < 0)
			return -1;
		item->hash = hashes[i];
		item->base = base;
		list->count += strcmp(item->id, after) > 0;
	}
	return 0;
}

/* Only the base that the id names is looked into. */
static int list_one(struct volumes *volumes, const char *text, const char *after, struct list *list,
	struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	struct volume_id id;
	struct base *base;

	if (volume_id_parse_snapshot(text, &id, NULL) < 0 || strcmp(text, after) <= 0)
		return 0;
	if (volumes_enter_at(volumes, &id, &pass, &base, err) < 0)
		return -1;
	list->items = calloc(1, sizeof(*list->items));
	if (!list->items)
		abort();
	*list->items = (struct listed){.hash = id.hash, .base = base};
	strcpy(list->items->id, text);
	list->count = 1;
	return 0;
}

static int list_all(
	struct volumes *volumes, const char *after, struct list *list, struct error *err)
{
	/* A base that is away must not look like one without snapshots. */
	if (base_tree_open(&volumes->bases, err) < 0)
		return -1;
	for (struct base *base = NULL; (base = bases_next(&volumes->bases, base));)
		if (add_base(volumes, base, after, list, err) < 0)
			return -1;
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_listed);
	return 0;
}

/* Add ITEM, if it is there and of the volume VOLUME, to PAGE, which has room. */
static int add_snapshot(struct volumes *volumes, const struct listed *item, const char *volume,
	struct snapshot_page *page, struct error *err)
{
	struct snapshot *snapshot = &page->snapshots[page->count];

	if (read_snapshot(volumes, item->base, &item->hash, snapshot, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1;
	if (*volume && strcmp(volume, snapshot->volume_id)) {
		snapshot_done(snapshot);
		*snapshot = (struct snapshot){0};
	} else {
		page->count++;
	}
	return 0;
}

static int fill_page(struct volumes *volumes, const struct list *list, const char *volume,
	size_t max, struct snapshot_page *page, struct error *err)
{
	page->snapshots = calloc(max, sizeof(*page->snapshots));
	if (!page->snapshots)
		abort();
	for (size_t i = 0; i < list->count; i++) {
		if (page->count == max) {
			strcpy(page->next, page->snapshots[max - 1].id);
			return 0;
		}
		if (add_snapshot(volumes, &list->items[i], volume, page, err) < 0)
			return -1;
	}
	return 0;
}

int snapshots_list(struct volumes *volumes, const struct snapshot_filter *filter, const char *after,
	size_t max, struct snapshot_page *ret, struct error *err)
{
	_cleanup_(snapshot_page_done) struct snapshot_page page = {0};
	struct list list = {0};
	struct volume_id id;
	int result;

	if (*after && volume_id_parse_snapshot(after, &id, NULL) < 0)
		return error_set(err, ERROR_ABORTED,
			"\"%s\" is not where an earlier list ended: begin again", after);
	result = *filter->snapshot ? list_one(volumes, filter->snapshot, after, &list, err)
				   : list_all(volumes, after, &list, err);
	if (result == 0)
		result = fill_page(volumes, &list, filter->volume, max, &page, err);
	free(list.items);
	if (result < 0)
		return -1;
	*ret = page;
	page = (struct snapshot_page){0};
	return 0;
}
