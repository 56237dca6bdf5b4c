/* SPDX-License-Identifier: Apache-2.0 */
#include "volumes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "beneath.h"
#include "cleanup.h"
#include "fs_calls.h"

/* One call of CreateVolume. */
struct creation {
	const struct volume_request *request;
	struct base *base;
	struct volume_hash hash;
	const char *place; /* the path that the class wants */
};

void volumes_start(struct volumes *volumes, const struct backend *backend)
{
	volumes->backend = backend;
	bases_init(&volumes->bases, backend);
	keylock_init(&volumes->busy);
	for (int i = 0; i < backend->roots->count; i++) {
		struct parameters parameters = {.path = backend->roots->values[i]};
		struct location location;
		struct base *base;
		struct error later;

		/* What cannot be opened now is reported by the call that needs it. */
		if (backend->ops->locate(backend, &parameters, &location, &later) == 0 &&
			bases_get(&volumes->bases, &location, false, &base, &later) == 0)
			(void)catalog_become_writer(base->catalog, &later);
	}
	reclaim_start(&volumes->reclaim, &volumes->bases);
}

void volumes_stop(struct volumes *volumes)
{
	reclaim_stop(&volumes->reclaim);
	keylock_done(&volumes->busy);
	bases_done(&volumes->bases);
}

void volume_done(struct volume *volume)
{
	if (volume->record)
		record_free(volume->record);
}

static int become_writer(struct volumes *volumes, struct base *base, struct error *err)
{
	bool was_writer = catalog_trash(base->catalog) >= 0;

	if (catalog_become_writer(base->catalog, err) < 0)
		return error_prefix(err, "%s", base->location.share);
	if (!was_writer)
		reclaim_wake(&volumes->reclaim);
	return 0;
}

static int check_size(const struct creation *creation, struct error *err)
{
	struct statvfs status;

	if (fstatvfs(creation->base->fd, &status) < 0)
		return error_set_errno(
			err, errno, "ask for the size of %s", creation->base->location.share);
	if ((uint64_t)creation->request->required / status.f_frsize > status.f_blocks)
		return error_set(err, ERROR_OUT_OF_RANGE,
			"%lld bytes are asked for, and the whole file system of %s has only %llu: ask for less",
			(long long)creation->request->required, creation->base->location.share,
			(unsigned long long)status.f_blocks * status.f_frsize);
	return 0;
}

static char *copy_text(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		abort();
	return copy;
}

/* An id of chown's, where "unchanged" is all ones. */
static int64_t id_number(unsigned id)
{
	return id == (unsigned)-1 ? -1 : (int64_t)id;
}

static struct record *new_record(const struct creation *creation)
{
	const struct parameters *parameters = creation->request->parameters;
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		abort();
	*record = (struct record){
		.state = RECORD_CREATING,
		.capacity = creation->request->required,
		.mode = parameters->mode,
		.uid = id_number(parameters->uid),
		.gid = id_number(parameters->gid),
		.name = copy_text(creation->request->name),
		.place = copy_text(creation->place),
		.path = copy_text(creation->place),
		.namespace = copy_text(parameters->namespace),
		.claim = copy_text(parameters->claim),
		.pv = copy_text(parameters->pv),
		.statefulset = copy_text(parameters->statefulset),
		.statefulset_uid = copy_text(parameters->statefulset_uid),
		.template = copy_text(parameters->template),
		.ordinal = copy_text(parameters->ordinal),
	};
	return record;
}

/* What of the request the volume RECORD does not fit, or NULL. */
static const char *difference(const struct creation *creation, const struct record *record)
{
	const struct volume_request *request = creation->request;

	if (record->capacity < request->required ||
		(request->limit && record->capacity > request->limit))
		return "another size";
	if (strcmp(record->place, creation->place))
		return "another path";
	if (record->mode != request->parameters->mode ||
		record->uid != id_number(request->parameters->uid) ||
		record->gid != id_number(request->parameters->gid))
		return "another mode, uid or gid";
	return NULL;
}

static int check_existing(
	const struct creation *creation, const struct record *record, struct error *err)
{
	const char *what;

	if (strcmp(record->name, creation->request->name))
		return error_set(err, ERROR_INTERNAL, "the names %s and %s have the same hash",
			record->name, creation->request->name);
	what = difference(creation, record);
	if (what)
		return error_set(err, ERROR_ALREADY_EXISTS, "the volume exists with %s (%s/%s)",
			what, creation->base->location.share, record->path);
	return 0;
}

/* The path lies in a base of its own, which another StorageClass names. */
static int check_no_base_above(const struct creation *creation, const char *path, struct error *err)
{
	_cleanup_free_ char *part = copy_text(path);

	for (char *slash = part; slash; slash = strchr(slash + 1, '/')) {
		_cleanup_close_ int fd = -1;

		if (slash == part)
			continue;
		*slash = '\0';
		if (beneath_open_dir(creation->base->fd, part, O_PATH, &fd, NULL) < 0)
			return 0;
		if (faccessat(fd, ".ordinal", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return error_set(err, ERROR_FAILED_PRECONDITION,
				"the path %s lies in %s/%s, which is a base of its own: change the "
				"pathPattern, or the path parameter of one of the classes",
				path, creation->base->location.share, part);
		*slash = '/';
	}
	return 0;
}

/* Take another path beside the one that is occupied; the volume never gets what lies there. */
static int move_aside(const struct creation *creation, struct record *record, struct error *err)
{
	struct catalog *catalog = creation->base->catalog;
	_cleanup_free_ char *path = NULL;
	const char *pv = creation->request->parameters->pv;

	if (strcmp(record->path, record->place))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"%s and %s in %s both hold data that are no volume's: move them away",
			record->place, record->path, creation->base->location.share);
	if (asprintf(&path, "%s@%s", record->place, pv ? pv : creation->hash.text) < 0)
		abort();
	if (beneath_check_path(path, err) < 0 ||
		catalog_reserve(catalog, path, &creation->hash, err) < 0)
		return -1;
	free(record->path);
	record->path = take_ptr(path);
	return 0;
}

/* Reserve a path for a volume without a record. */
static int choose_path(const struct creation *creation, struct record *record, struct error *err)
{
	if (check_no_base_above(creation, record->place, err) < 0)
		return -1;
	if (catalog_reserve(creation->base->catalog, record->path, &creation->hash, err) == 0)
		return 0;
	return err->kind == ERROR_ALREADY_EXISTS ? move_aside(creation, record, err) : -1;
}

/* Make the directory at the record's path, or take an empty one that is there: an earlier call
 * made it before it died. *RET_FD stays -1 when there are data. */
static int make_directory(const struct creation *creation, const struct record *record, int *ret_fd,
	struct error *err)
{
	_cleanup_close_ int fd = -1;
	bool created, empty = true;

	if (beneath_make_dir(creation->base->fd, record->path, &fd, &created, err) < 0) {
		if (err->errnum == ENOTDIR || err->errnum == ELOOP)
			return 0;
		return -1;
	}
	if (!created && beneath_is_empty(fd, &empty, err) < 0)
		return -1;
	if (empty)
		*ret_fd = take_fd(&fd);
	return 0;
}

static int set_owner(int fd, const struct record *record, struct error *err)
{
	if ((record->uid >= 0 || record->gid >= 0) &&
		fs_calls->fchown(fd, (uid_t)record->uid, (gid_t)record->gid) < 0)
		return error_set_errno(err, errno, "change the owner of %s", record->path);
	/* After the owner, whose change clears the set-id bits. */
	if (fs_calls->fchmod(fd, (mode_t)record->mode) < 0)
		return error_set_errno(err, errno, "change the mode of %s", record->path);
	if (fs_calls->fsync(fd) < 0)
		return error_set_errno(err, errno, "sync %s", record->path);
	return 0;
}

/* From the intent to the ready volume. Every step may have been done by an earlier call. */
static int complete(const struct creation *creation, struct record *record, struct error *err)
{
	struct catalog *catalog = creation->base->catalog;
	_cleanup_close_ int fd = -1;

	if (catalog_write(catalog, &creation->hash, record, err) < 0 ||
		make_directory(creation, record, &fd, err) < 0)
		return -1;
	if (fd < 0) {
		_cleanup_free_ char *occupied = copy_text(record->path);

		if (move_aside(creation, record, err) < 0 ||
			catalog_write(catalog, &creation->hash, record, err) < 0)
			return -1;
		catalog_release(catalog, occupied);
		if (make_directory(creation, record, &fd, err) < 0)
			return -1;
		if (fd < 0)
			return move_aside(creation, record, err);
	}
	if (set_owner(fd, record, err) < 0)
		return -1;
	record->state = RECORD_READY;
	return catalog_write(catalog, &creation->hash, record, err);
}

/* Forget a volume that never became ready: nobody has been told of it. */
static int forget(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err)
{
	/* What is there and is not empty, or no directory, is not ours. */
	if (beneath_remove_empty(base->fd, record->path, err) < 0 && err->errnum != ENOTEMPTY &&
		err->errnum != ENOTDIR)
		return -1;
	if (catalog_remove(base->catalog, hash, err) < 0)
		return -1;
	catalog_release(base->catalog, record->path);
	beneath_prune_parents(base->fd, record->path);
	return 0;
}

/* A failed creation must leave nothing that its caller, told that there is no volume, would never
 * come back for. What cannot be taken back is ABORTED: the call is to be repeated. */
static int take_back(
	const struct creation *creation, const struct record *record, struct error *err)
{
	struct catalog *catalog = creation->base->catalog;
	struct error why;

	if (!catalog_has_record(catalog, &creation->hash))
		catalog_release(catalog, record->path);
	else if (forget(creation->base, &creation->hash, record, &why) < 0 && err)
		err->kind = ERROR_ABORTED;
	return -1;
}

static int create_new(
	const struct creation *creation, struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = new_record(creation);

	if (check_size(creation, err) < 0 || choose_path(creation, record, err) < 0)
		return -1;
	if (complete(creation, record, err) < 0)
		return take_back(creation, record, err);
	*ret_record = take_ptr(record);
	return 0;
}

static int create(const struct creation *creation, struct record **ret_record, struct error *err)
{
	struct catalog *catalog = creation->base->catalog;
	_cleanup_(record_freep) struct record *record = NULL;

	if (catalog_in_trash(catalog, &creation->hash))
		return error_set(err, ERROR_ABORTED,
			"a volume of this name is still being removed: try again");
	if (catalog_read(catalog, &creation->hash, &record, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? create_new(creation, ret_record, err) : -1;
	if (record->state == RECORD_CREATING && difference(creation, record)) {
		if (forget(creation->base, &creation->hash, record, err) < 0)
			return -1;
		return create_new(creation, ret_record, err);
	}
	if (check_existing(creation, record, err) < 0)
		return -1;
	if (record->state == RECORD_CREATING && complete(creation, record, err) < 0)
		return take_back(creation, record, err);
	*ret_record = take_ptr(record);
	return 0;
}

/* A name means one volume, in whichever base it lies. */
static int check_other_bases(
	struct volumes *volumes, const struct creation *creation, struct error *err)
{
	for (struct base *base = NULL; (base = bases_next(&volumes->bases, base));)
		if (base != creation->base && catalog_has_record(base->catalog, &creation->hash))
			return error_set(err, ERROR_ALREADY_EXISTS,
				"the volume exists with another parameter path (%s)",
				base->location.share);
	return 0;
}

/* Where the base lies below another one, keep that one's volumes away from it. */
static int check_enclosing_bases(
	struct volumes *volumes, const struct location *location, struct error *err)
{
	static const struct volume_hash none = {"a base of its own"};

	for (struct base *base = NULL; (base = bases_next(&volumes->bases, base));) {
		size_t length = strlen(base->location.share);

		if (strcmp(base->location.server, location->server) ||
			strncmp(base->location.share, location->share, length) ||
			location->share[length] != '/')
			continue;
		if (become_writer(volumes, base, err) < 0 ||
			catalog_reserve(base->catalog, location->share + length + 1, &none, err) <
				0)
			return error_prefix(err, "parameter path %s lies in the base %s",
				location->share, base->location.share);
	}
	return 0;
}

static int format_id(const struct location *location, const struct volume_hash *hash,
	char ret_id[VOLUME_ID_MAX + 1], struct error *err)
{
	struct volume_id id = {.hash = *hash};

	strcpy(id.server, location->server);
	strcpy(id.share, location->share);
	return volume_id_format(&id, ret_id, err);
}

int volumes_create(struct volumes *volumes, const struct volume_request *request,
	struct volume *ret, struct error *err)
{
	_cleanup_free_ char *place = NULL;
	struct creation creation = {.request = request};
	struct volume volume = {0};
	_cleanup_(keylock_release) struct keylock_holder held = {0};

	volume_id_hash(request->name, &creation.hash);
	if (volumes->backend->ops->locate(
		    volumes->backend, request->parameters, &volume.location, err) < 0 ||
		format_id(&volume.location, &creation.hash, volume.id, err) < 0 ||
		parameters_place(request->parameters, &creation.hash, &place, err) < 0)
		return -1;
	creation.place = place;
	if (keylock_acquire(&volumes->busy, creation.hash.text, NULL, &held, err) < 0 ||
		check_enclosing_bases(volumes, &volume.location, err) < 0 ||
		bases_get(&volumes->bases, &volume.location, true, &creation.base, err) < 0 ||
		become_writer(volumes, creation.base, err) < 0 ||
		check_other_bases(volumes, &creation, err) < 0 ||
		create(&creation, &volume.record, err) < 0)
		return -1;
	*ret = volume;
	return 0;
}

static int find_base(struct volumes *volumes, const struct volume_id *id, struct base **ret_base,
	struct error *err)
{
	struct location location = {0};

	strcpy(location.server, id->server);
	strcpy(location.share, id->share);
	return bases_get(&volumes->bases, &location, false, ret_base, err);
}

/* The rename into the trash is what decides: it needs no room on a full disk, and a record whose
 * data lie there is finished by whoever reads it next. */
static int delete_record(struct base *base, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	if (record->state == RECORD_CREATING)
		return forget(base, hash, record, err);
	if (beneath_rename(base->fd, record->path, catalog_trash(base->catalog), hash->text, err) <
			0 &&
		err->errnum != ENOENT)
		return -1;
	if (catalog_remove(base->catalog, hash, err) < 0)
		return -1;
	catalog_release(base->catalog, record->path);
	beneath_prune_parents(base->fd, record->path);
	return 0;
}

static int delete_volume(struct volumes *volumes, struct base *base, const struct volume_hash *hash,
	struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	if (become_writer(volumes, base, err) < 0)
		return -1;
	if (catalog_read(base->catalog, hash, &record, err) < 0)
		return err->kind == ERROR_NOT_FOUND ? 0 : -1;
	if (catalog_in_trash(base->catalog, hash)) {
		/* The call before this one moved the data and could not finish. */
		if (catalog_remove(base->catalog, hash, err) < 0)
			return -1;
		catalog_release(base->catalog, record->path);
	} else if (delete_record(base, hash, record, err) < 0) {
		return -1;
	}
	reclaim_wake(&volumes->reclaim);
	return 0;
}

int volumes_delete(struct volumes *volumes, const char *text, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	struct volume_id id;
	struct base *base;

	if (volume_id_parse(text, &id, err) < 0)
		return 0; /* not ours, so it does not exist */
	if (keylock_acquire(&volumes->busy, id.hash.text, NULL, &held, err) < 0 ||
		find_base(volumes, &id, &base, err) < 0)
		return -1;
	return delete_volume(volumes, base, &id.hash, err);
}

static int find_ready(struct volumes *volumes, const char *text, struct base **ret_base,
	struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_id id;

	if (volume_id_parse(text, &id, err) < 0 || find_base(volumes, &id, ret_base, err) < 0)
		return -1;
	if (catalog_read((*ret_base)->catalog, &id.hash, &record, err) < 0)
		return err->kind == ERROR_NOT_FOUND
			       ? error_set(err, ERROR_NOT_FOUND, "volume %s does not exist", text)
			       : -1;
	if (record->state != RECORD_READY || catalog_in_trash((*ret_base)->catalog, &id.hash))
		return error_set(err, ERROR_NOT_FOUND, "volume %s is being %s", text,
			record->state == RECORD_READY ? "deleted" : "created");
	*ret_record = take_ptr(record);
	return 0;
}

int volumes_find(struct volumes *volumes, const char *id, struct volume *ret, struct error *err)
{
	struct volume volume = {0};
	struct base *base;

	if (find_ready(volumes, id, &base, &volume.record, err) < 0)
		return -1;
	snprintf(volume.id, sizeof(volume.id), "%s", id);
	volume.location = base->location;
	*ret = volume;
	return 0;
}

int volumes_open(struct volumes *volumes, const char *id, int *ret_fd, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct base *base;

	if (find_ready(volumes, id, &base, &record, err) < 0)
		return -1;
	if (beneath_open_dir(base->fd, record->path, O_PATH, ret_fd, err) == 0)
		return 0;
	if (err->errnum == ENOENT)
		return error_set(err, ERROR_NOT_FOUND,
			"the directory %s/%s of volume %s is gone: restore it, or delete the volume",
			base->location.share, record->path, id);
	return -1;
}
