/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base_tree.h"
#include "beneath.h"
#include "cleanup.h"
#include "copies.h"
#include "creation.h"
#include "log.h"
#include "reclaim.h"
#include "spread.h"
#include "volume_quota.h"

/* In a thread of its own: catalogs may be large, and nobody who publishes a volume needs them. */
static void begin(void *context)
{
	struct volumes *volumes = context;
	struct error err;

	if (base_tree_open(&volumes->bases, &err) < 0)
		log_warn("%s", err.text);
}

void volumes_start(struct volumes *volumes, const struct backend *backend, long trash_rate)
{
	volumes->backend = backend;
	bases_init(&volumes->bases, backend);
	keylock_init(&volumes->busy);
	volumes->clones = (struct clones){0};
	trash_start(&volumes->trash, &volumes->bases, &volumes->busy, trash_rate, begin, volumes);
}

void volumes_stop(struct volumes *volumes)
{
	trash_stop(&volumes->trash);
	keylock_done(&volumes->busy);
	bases_done(&volumes->bases);
}

void volumes_interrupt(struct volumes *volumes)
{
	atomic_store(&volumes->clones.stop, true);
}

void volume_done(struct volume *volume)
{
	if (volume->record)
		record_free(volume->record);
}

static int become_writer(struct volumes *volumes, struct base *base, struct error *err)
{
	struct error later;
	bool now;

	if (base_become_writer(base, &now, err) < 0)
		return -1;
	if (!now)
		return 0;
	if (base_tree_open_below(&volumes->bases, base, &later) < 0)
		log_warn("%s", later.text);
	trash_wake(&volumes->trash);
	return 0;
}

static int ask_size(const struct base *base, struct statvfs *ret, struct error *err)
{
	if (fstatvfs(base->fd, ret) < 0)
		return error_set_errno(err, errno, "ask for the size of %s", base->name);
	return 0;
}

static int check_size(const struct base *base, int64_t bytes, struct error *err)
{
	struct statvfs status;

	if (ask_size(base, &status, err) < 0)
		return -1;
	if ((uint64_t)bytes / status.f_frsize > status.f_blocks)
		return error_set(err, ERROR_OUT_OF_RANGE,
			"%lld bytes are asked for, and the whole file system of %s has only %llu: ask for less",
			(long long)bytes, base->name,
			(unsigned long long)status.f_blocks * status.f_frsize);
	return 0;
}

static bool has_volume(const struct base *base, const struct volume_hash *hash)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct error later;

	return catalog_read(base->catalog, hash, &record, &later) == 0 &&
	       (record->state == RECORD_CREATING || record->state == RECORD_READY);
}

/* A name means one volume, in whichever base it lies. */
static int check_other_bases(
	struct volumes *volumes, const struct creation *creation, struct error *err)
{
	/* Other servers are not asked: one that hangs must not keep this one's volumes waiting. */
	if (creation->base->export)
		return 0;
	for (struct base *base = NULL; (base = bases_next(&volumes->bases, base));)
		if (base != creation->base && has_volume(base, &creation->hash))
			return error_set(err, ERROR_ALREADY_EXISTS,
				"the volume exists with another parameter path (%s)", base->name);
	return 0;
}

/* OPTIONS are those of its record; NULL: none. */
static int format_id(const struct location *location, const struct volume_hash *hash,
	const char *options, char ret_id[VOLUME_ID_MAX + 1], struct error *err)
{
	struct volume_id id = {.hash = *hash};

	strcpy(id.server, location->server);
	strcpy(id.share, location->share);
	snprintf(id.options, sizeof(id.options), "%s", options ? options : "");
	return volume_id_format(&id, ret_id, err);
}

/* Its record, which says how it is to be mounted, lies on the export itself: where that is not
 * mounted yet, it is by the options that the id has. */
static void locate_id(const struct volume_id *id, struct location *ret)
{
	*ret = (struct location){.any_options = true};
	strcpy(ret->server, id->server);
	strcpy(ret->share, id->share);
	strcpy(ret->options, id->options);
}

static int find_base(struct volumes *volumes, const struct volume_id *id, struct base **ret_base,
	struct error *err)
{
	struct location location = {0};

	locate_id(id, &location);
	return bases_get(&volumes->bases, &location, false, ret_base, err);
}

/* Read the record of the volume with the id TEXT, whose hash is HASH, and which is ready. */
static int read_ready(struct catalog *catalog, const char *text, const struct volume_hash *hash,
	struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	if (catalog_read(catalog, hash, &record, err) < 0)
		return err->kind == ERROR_NOT_FOUND
			       ? error_set(err, ERROR_NOT_FOUND, "volume %s does not exist", text)
			       : -1;
	if (record->state != RECORD_READY || catalog_in_trash(catalog, hash))
		return error_set(err, ERROR_NOT_FOUND, "volume %s is %s", text,
			record->state == RECORD_CREATING ? "being created" : "deleted");
	*ret_record = take_ptr(record);
	return 0;
}

int volumes_read(struct volumes *volumes, const char *text, const struct base *inside,
	struct export_pass *pass, struct base **ret_base, struct record **ret_record,
	struct error *err)
{
	struct volume_id id;

	if (volume_id_parse(text, &id, err) < 0 || find_base(volumes, &id, ret_base, err) < 0 ||
		(*ret_base != inside && base_enter(*ret_base, pass, err) < 0))
		return -1;
	return read_ready((*ret_base)->catalog, text, &id.hash, ret_record, err);
}

int volumes_enter(
	struct volumes *volumes, struct base *base, struct export_pass *pass, struct error *err)
{
	if (base_enter(base, pass, err) < 0)
		return -1;
	return become_writer(volumes, base, err);
}

int volumes_enter_at(struct volumes *volumes, const struct volume_id *id, struct export_pass *pass,
	struct base **ret_base, struct error *err)
{
	if (find_base(volumes, id, ret_base, err) < 0)
		return -1;
	return volumes_enter(volumes, *ret_base, pass, err);
}

int volumes_enter_location(struct volumes *volumes, const struct location *location,
	struct export_pass *pass, struct base **ret_base, struct error *err)
{
	_cleanup_(export_dropp) struct export *export = NULL; /* so that it is mounted once */
	struct base *base;

	if (volumes->backend->ops->use)
		export = volumes->backend->ops->use(volumes->backend, location);
	if (base_tree_make(&volumes->bases, location, &base, err) < 0 ||
		base_enter(base, pass, err) < 0)
		return -1;
	if (become_writer(volumes, base, err) < 0)
		return base->export ? base_explain(base, err) : -1;
	*ret_base = base;
	return 0;
}

/* Where the volume may come to lie, each of which can be in an id, and at which path there. Caller
 * calls locations_done(RET) and frees *RET_PLACE. */
static int plan(const struct volumes *volumes, const struct volume_request *request,
	struct creation *creation, struct locations *ret, char **ret_place, struct error *err)
{
	char id[VOLUME_ID_MAX + 1];

	volume_id_hash(request->name, &creation->hash);
	if (volumes->backend->ops->locate(volumes->backend, request->parameters, ret, err) < 0)
		return -1;
	mount_options_reaching(ret->items[0].options, creation->id_options); /* all have the same */
	for (size_t i = 0; i < ret->count; i++)
		if (format_id(&ret->items[i], &creation->hash, creation->id_options, id, err) < 0)
			return -1;
	if (parameters_place(request->parameters, &creation->hash, ret_place, err) < 0)
		return -1;
	creation->place = *ret_place;
	return 0;
}

int volumes_create(struct volumes *volumes, const struct volume_request *request,
	struct volume *ret, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	_cleanup_(locations_done) struct locations locations = {0};
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_free_ char *place = NULL;
	struct creation creation = {
		.name = request->name,
		.required = request->size.required,
		.limit = request->size.limit,
		.parameters = request->parameters,
		.clones = &volumes->clones,
	};
	_cleanup_(volume_done) struct volume volume = {0};
	int result;

	if (plan(volumes, request, &creation, &locations, &place, err) < 0)
		return -1;
	if (keylock_acquire(&volumes->busy, creation.hash.text, request->cancelled, &held, err) <
			0 ||
		spread_find(volumes, &locations, &creation, request, &volume.location, err) < 0 ||
		volumes_enter_location(volumes, &volume.location, &pass, &creation.base, err) < 0)
		return -1;
	if (check_other_bases(volumes, &creation, err) < 0 ||
		check_size(creation.base, creation.required, err) < 0)
		return creation.base->export ? base_explain(creation.base, err) : -1;
	if (request->source)
		result = copies_create(volumes, request, &creation, &volume.record, err);
	else
		result = creation_run(&creation, &volume.record, err);
	/* What there is of a copy that was begun goes at once: the disk may be full of it. */
	if (result < 0 || request->source)
		trash_wake(&volumes->trash);
	if (result < 0)
		return base_explain(creation.base, err);
	/* One that was made before ids had options keeps the id that it had. */
	if (format_id(&volume.location, &creation.hash, volume.record->id_options, volume.id, err) <
		0)
		return -1;
	*ret = volume;
	volume.record = NULL;
	return 0;
}

const char *volumes_difference(const struct volumes *volumes, const struct volume *volume,
	const struct parameters *parameters)
{
	_cleanup_(locations_done) struct locations locations = {0};
	_cleanup_free_ char *place = NULL;
	struct location where = volume->location;
	struct volume_hash hash;

	where.any_options = true; /* those are no parameters */
	volume_id_hash(volume->record->name, &hash);
	if (volumes->backend->ops->locate(volumes->backend, parameters, &locations, NULL) < 0 ||
		!locations_have(&locations, &where) ||
		parameters_place(parameters, &hash, &place, NULL) < 0)
		return "another path";
	return creation_difference(volume->record, place, parameters);
}

static int delete_volume(struct volumes *volumes, struct base *base, const struct volume_hash *hash,
	struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	if (become_writer(volumes, base, err) < 0)
		return -1;
	if (catalog_read(base->catalog, hash, &record, err) < 0) {
		if (err->kind != ERROR_NOT_FOUND)
			return -1;
		/* A call before this one may have removed the record and failed then. */
		inventory_forget(&base->inventory, hash);
		return 0;
	}
	if (record->snapshot)
		return 0; /* which has no volume's id */
	return record->state == RECORD_CREATING ? creation_forget(base, hash, record, err)
						: reclaim_volume(base, hash, record, err);
}

int volumes_delete(
	struct volumes *volumes, const char *text, const atomic_bool *cancelled, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	_cleanup_(export_leave) struct export_pass pass = {0};
	struct volume_id id;
	struct base *base;
	int result;

	if (volume_id_parse(text, &id, err) < 0)
		return 0; /* not ours, so it does not exist */
	if (keylock_acquire(&volumes->busy, id.hash.text, cancelled, &held, err) < 0 ||
		find_base(volumes, &id, &base, err) < 0 || base_enter(base, &pass, err) < 0)
		return -1;
	result = delete_volume(volumes, base, &id.hash, err);
	trash_wake(&volumes->trash);
	return result < 0 ? base_explain(base, err) : 0;
}

static int check_new_size(const struct base *base, const struct record *record,
	const struct volume_size *size, struct error *err)
{
	int64_t wanted = size->required ? size->required : record->capacity;

	if (wanted < record->capacity || (size->limit && record->capacity > size->limit))
		return error_set(err, ERROR_OUT_OF_RANGE,
			"the volume has %lld bytes, and volumes do not shrink: ask for as many or more",
			(long long)record->capacity);
	return check_size(base, wanted, err);
}

/* A volume's record that is to be changed. It is read when nobody else can change it any more: what
 * another process was about to delete must not come back. */
static int find_to_change(struct volumes *volumes, const char *text, struct export_pass *pass,
	struct base **ret_base, struct record **ret_record, struct error *err)
{
	struct volume_id id;

	if (volume_id_parse(text, &id, err) < 0 ||
		volumes_enter_at(volumes, &id, pass, ret_base, err) < 0)
		return -1;
	return read_ready((*ret_base)->catalog, text, &id.hash, ret_record, err);
}

static int expand(struct volumes *volumes, const char *text, const struct volume_size *size,
	int64_t *ret_capacity, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_(record_freep) struct record *record = NULL;
	int64_t project, wanted;
	struct volume_hash hash;
	struct base *base;

	if (find_to_change(volumes, text, &pass, &base, &record, err) < 0 ||
		check_new_size(base, record, size, err) < 0)
		return -1;
	volume_id_hash(record->name, &hash);
	project = record->project;
	/* Before the record, which brings it to the disk; and again where an earlier call failed in
	 * between. */
	wanted = size->required > record->capacity ? size->required : record->capacity;
	if (volume_quota_grow(base, record, wanted, &volumes->clones.stop, err) < 0)
		return -1;
	if (wanted > record->capacity || record->project != project) {
		record->capacity = wanted;
		if (catalog_write(base->catalog, &hash, record, err) < 0)
			return -1;
	} else if (catalog_sync(base->catalog, err) < 0) {
		return -1; /* an earlier call may have written it, and failed to wait for the disk
			    */
	}
	*ret_capacity = record->capacity;
	return 0;
}

int volumes_expand(struct volumes *volumes, const char *text, const struct volume_size *size,
	const atomic_bool *cancelled, int64_t *ret_capacity, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	struct volume_id id;

	if (volume_id_parse(text, &id, err) < 0 ||
		keylock_acquire(&volumes->busy, id.hash.text, cancelled, &held, err) < 0)
		return -1;
	return expand(volumes, text, size, ret_capacity, err);
}

static int modify(
	struct volumes *volumes, const char *text, enum on_delete on_delete, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_hash hash;
	struct base *base;

	if (find_to_change(volumes, text, &pass, &base, &record, err) < 0)
		return -1;
	volume_id_hash(record->name, &hash);
	if (record->on_delete != on_delete)
		record->modified = 1;
	record->on_delete = on_delete;
	/* Also where that is nothing new: an earlier call may not have brought it to the disk. */
	return catalog_write(base->catalog, &hash, record, err);
}

int volumes_modify(struct volumes *volumes, const char *text, enum on_delete on_delete,
	const atomic_bool *cancelled, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	struct volume_id id;

	if (volume_id_parse(text, &id, err) < 0 ||
		keylock_acquire(&volumes->busy, id.hash.text, cancelled, &held, err) < 0)
		return -1;
	return modify(volumes, text, on_delete, err);
}

int volumes_find(struct volumes *volumes, const char *id, struct volume *ret, struct error *err)
{
	_cleanup_(reached_done) struct reached reached = {.fd = -1};

	if (volumes_reach(volumes, id, NULL, &reached, err) < 0)
		return -1;
	*ret = reached.volume;
	reached.volume.record = NULL;
	return 0;
}

void reached_done(struct reached *reached)
{
	volume_done(&reached->volume);
	cleanup_close(&reached->fd);
	export_leave(&reached->pass);
	if (reached->export)
		export_drop(reached->export);
}

/* Find the record of ID and open its directory below the base BASE. */
static int reach_below(int base, struct catalog *catalog, const struct volume_id *id,
	struct reached *ret, struct error *err)
{
	char name[LOCATION_NAME_MAX + 1];
	struct record *record;

	if (read_ready(catalog, ret->volume.id, &id->hash, &ret->volume.record, err) < 0)
		return -1;
	record = ret->volume.record;
	if (beneath_open_dir(base, record->path, O_PATH, &ret->fd, &ret->lost) == 0)
		return 0;
	if (ret->lost.errnum == ESTALE) {
		*err = ret->lost;
		return -1;
	}
	location_name(&ret->volume.location, name);
	if (ret->lost.errnum == ENOENT)
		error_set(&ret->lost, ERROR_NOT_FOUND,
			"the directory %s/%s of the volume is gone: restore it, or delete the volume",
			name, record->path);
	error_prefix(&ret->lost, "volume %s", ret->volume.id);
	return 0;
}

/* By the base that this process has open. */
static int reach_in_base(
	struct volumes *volumes, const struct volume_id *id, struct reached *ret, struct error *err)
{
	struct base *base;

	if (bases_get(&volumes->bases, &ret->volume.location, false, &base, err) < 0 ||
		base_enter(base, &ret->pass, err) < 0)
		return -1;
	if (reach_below(base->fd, base->catalog, id, ret, err) == 0)
		return 0;
	return base->export ? base_explain(base, err) : -1;
}

/* By a mount of the export, which nodes keep only as long as something is bound from it. */
static int reach_in_export(const struct volume_id *id, struct reached *ret, struct error *err)
{
	_cleanup_(catalog_freep) struct catalog *catalog = NULL;
	_cleanup_close_ int fd = -1;

	if (export_enter(ret->export, &ret->pass, err) < 0)
		return -1;
	if (export_open(ret->export, &fd, err) == 0 &&
		catalog_open(fd, false, NULL, &catalog, err) == 0)
		return reach_below(fd, catalog, id, ret, err);
	if (err->kind == ERROR_NOT_FOUND)
		error_set(err, ERROR_FAILED_PRECONDITION,
			"it has no directory .ordinal: is it the share that it was?");
	return -1;
}

/* The same; where the server has forgotten what is mounted, once more by a new mount. */
static int reach_in_export_anew(
	struct volumes *volumes, const struct volume_id *id, struct reached *ret, struct error *err)
{
	char name[LOCATION_NAME_MAX + 1];

	ret->export = volumes->backend->ops->use(volumes->backend, &ret->volume.location);
	if (reach_in_export(id, ret, err) == 0)
		return 0;
	if (err->errnum == ESTALE) {
		export_suspect(ret->export);
		export_leave(&ret->pass);
		if (reach_in_export(id, ret, err) == 0)
			return 0;
	}
	if (err->errnum == ESTALE)
		err->kind = ERROR_UNAVAILABLE;
	if (!ret->pass.slot || (!err->errnum && err->kind == ERROR_NOT_FOUND))
		return -1;
	location_name(&ret->volume.location, name);
	return error_prefix(err, "%s", name);
}

int volumes_reach(struct volumes *volumes, const char *text, const char *options,
	struct reached *ret, struct error *err)
{
	struct location *location = &ret->volume.location;
	struct volume_id id;
	struct error none;

	if (!err)
		err = &none;
	if (volume_id_parse(text, &id, err) < 0)
		return -1;
	snprintf(ret->volume.id, sizeof(ret->volume.id), "%s", text);
	locate_id(&id, location);
	location->any_options = !options;
	if (options && *options)
		snprintf(location->options, sizeof(location->options), "%s", options);
	/* Nodes do not keep bases on NFS: that would keep their mounts. */
	if (!volumes->backend->ops->use || (!options && bases_has(&volumes->bases, location)))
		return reach_in_base(volumes, &id, ret, err);
	return reach_in_export_anew(volumes, &id, ret, err);
}

int volumes_check(struct volumes *volumes, const struct volume *volume, struct error *err)
{
	_cleanup_(reached_done) struct reached reached = {.fd = -1};

	if (volumes_reach(volumes, volume->id, NULL, &reached, err) < 0)
		return -1;
	if (reached.fd >= 0)
		return 0;
	*err = reached.lost;
	return -1;
}

/* What volumes_list() sorts: the order is that of volume ids, because they begin with the hash. */
struct listed {
	struct volume_hash hash;
	struct base *base;
};

static int compare_listed(const void *a, const void *b)
{
	const struct listed *left = a, *right = b;
	int order = strcmp(left->hash.text, right->hash.text);

	return order ? order : strcmp(left->base->location.share, right->base->location.share);
}

/* Append the records of BASE that come at AFTER or later to the COUNT at *LIST. */
static int add_base(struct base *base, const struct volume_id *after, struct listed **list,
	size_t *count, struct error *err)
{
	_cleanup_(export_leave) struct export_pass pass = {0};
	_cleanup_free_ struct volume_hash *hashes = NULL;
	size_t found;

	if (base_enter(base, &pass, err) < 0)
		return -1;
	if (catalog_list(base->catalog, &hashes, &found, err) < 0)
		return error_prefix(err, "%s", base->name);
	*list = reallocarray(*list, *count + found + 1, sizeof(**list));
	if (!*list)
		abort();
	for (size_t i = 0; i < found; i++)
		if (strcmp(hashes[i].text, after->hash.text) >= 0)
			(*list)[(*count)++] = (struct listed){hashes[i], base};
	return 0;
}

/* Add the volume ITEM to PAGE, which has room, if it is ready and comes after the id AFTER. */
static int add_volume(struct volumes *volumes, const struct listed *item, const char *after,
	struct volume_page *page, struct error *err)
{
	_cleanup_(volume_done) struct volume volume = {0};
	char id[VOLUME_ID_MAX + 1];

	if (format_id(&item->base->location, &item->hash, NULL, id, err) < 0)
		return -1;
	if (volumes_find(volumes, id, &volume, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1; /* deleted, or being made */
	if (format_id(&volume.location, &item->hash, volume.record->id_options, volume.id, err) < 0)
		return -1;
	if (strcmp(volume.id, after) <= 0)
		return 0;
	page->volumes[page->count++] = volume;
	volume.record = NULL;
	return 0;
}

static int fill_page(struct volumes *volumes, const struct listed *list, size_t count,
	const char *after, size_t max, struct volume_page *page, struct error *err)
{
	page->volumes = calloc(max, sizeof(*page->volumes));
	if (!page->volumes)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (page->count == max) {
			strcpy(page->next, page->volumes[max - 1].id);
			return 0;
		}
		if (add_volume(volumes, &list[i], after, page, err) < 0)
			return -1;
	}
	return 0;
}

void volume_page_done(struct volume_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		volume_done(&page->volumes[i]);
	free(page->volumes);
}

int volumes_list(struct volumes *volumes, const char *after, size_t max, struct volume_page *ret,
	struct error *err)
{
	_cleanup_(volume_page_done) struct volume_page page = {0};
	_cleanup_free_ struct listed *list = NULL;
	struct volume_id first = {0};
	size_t count = 0;

	if (*after && volume_id_parse(after, &first, NULL) < 0)
		return error_set(err, ERROR_ABORTED,
			"\"%s\" is not where an earlier list ended: begin again", after);
	/* A base that is away must not look like one without volumes. */
	if (base_tree_open(&volumes->bases, err) < 0)
		return -1;
	for (struct base *base = NULL; (base = bases_next(&volumes->bases, base));)
		if (add_base(base, &first, &list, &count, err) < 0)
			return -1;
	if (count)
		qsort(list, count, sizeof(*list), compare_listed);
	if (fill_page(volumes, list, count, after, max, &page, err) < 0)
		return -1;
	*ret = page;
	page = (struct volume_page){0};
	return 0;
}

int volumes_capacity(struct volumes *volumes, const struct parameters *parameters,
	int64_t *ret_bytes, struct error *err)
{
	_cleanup_(locations_done) struct locations locations = {0};

	if (volumes->backend->ops->locate(volumes->backend, parameters, &locations, err) < 0)
		return -1;
	return spread_capacity(volumes->backend, &locations, ret_bytes, err);
}
