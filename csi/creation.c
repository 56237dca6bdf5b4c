/* SPDX-License-Identifier: Apache-2.0 */
#include "creation.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "fs_calls.h"
#include "reclaim.h"
#include "text.h"
#include "volume_quota.h"

static int64_t id_number(uid_t id)
{
	return id == (uid_t)-1 ? -1 : (int64_t)id;
}

static struct record *new_record(const struct creation *creation)
{
	const struct parameters *parameters = creation->parameters;
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		abort();
	*record = (struct record){
		.state = RECORD_CREATING,
		.on_delete = parameters->on_delete,
		.capacity = creation->required,
		.mode = parameters->mode,
		.uid = id_number(parameters->uid),
		.gid = id_number(parameters->gid),
		.reuse = parameters->reuse,
		.archive_ttl = parameters->archive_ttl,
		.name = text_copy(creation->name),
		.place = text_copy(creation->place),
		.path = text_copy(creation->place),
		.source = text_copy(creation->source ? creation->source->id : NULL),
		.namespace = text_copy(parameters->namespace),
		.namespace_uid = text_copy(parameters->namespace_uid),
		.claim = text_copy(parameters->claim),
		.pv = text_copy(parameters->pv),
		.statefulset = text_copy(parameters->statefulset),
		.statefulset_uid = text_copy(parameters->statefulset_uid),
		.template = text_copy(parameters->template),
		.ordinal = text_copy(parameters->ordinal),
		.cluster_uid = text_copy(parameters->cluster_uid),
		.mount_options = text_copy(parameters->mount_options),
		.id_options = text_copy(*creation->id_options ? creation->id_options : NULL),
	};
	return record;
}

const char *creation_difference(
	const struct record *record, const char *place, const struct parameters *parameters)
{
	if (strcmp(record->place, place))
		return "another path";
	if (record->mode != parameters->mode || record->uid != id_number(parameters->uid) ||
		record->gid != id_number(parameters->gid))
		return "another mode, uid or gid";
	/* ControllerModifyVolume does not make another volume of it. */
	if ((record->on_delete != parameters->on_delete && !record->modified) ||
		record->archive_ttl != parameters->archive_ttl)
		return "another onDelete or archiveTTL";
	/* Records of before clusters were told apart fit any, and so do callers who do not say. */
	if (record->cluster_uid && parameters->cluster_uid &&
		strcmp(record->cluster_uid, parameters->cluster_uid))
		return "another cluster's UID";
	if (volume_quota_differs(record, parameters))
		return "another quota";
	return record->reuse != parameters->reuse ? "another reuse" : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

static const char *difference(const struct creation *creation, const struct record *record)
{
	if (record->capacity < creation->required ||
		(creation->limit && record->capacity > creation->limit))
		return "another size";
	if (!same_text(record->source, creation->source ? creation->source->id : NULL))
		return "another volume_content_source";
	return creation_difference(record, creation->place, creation->parameters);
}

static int check_existing(
	const struct creation *creation, const struct record *record, struct error *err)
{
	const char *what;
	bool there;

	if (strcmp(record->name, creation->name))
		return error_set(err, ERROR_INTERNAL, "the names %s and %s have the same hash",
			record->name, creation->name);
	what = difference(creation, record);
	if (what)
		return error_set(err, ERROR_ALREADY_EXISTS, "the volume exists with %s (%s/%s)",
			what, creation->base->name, record->path);
	if (beneath_look(creation->base->fd, record->path, &there, err) < 0)
		return -1;
	if (!there)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the volume exists, but its directory %s/%s is gone: restore it, or delete "
			"the volume",
			creation->base->name, record->path);
	return 0;
}

/* The path lies in a base of its own, which another StorageClass names. */
static int check_no_base_above(const struct creation *creation, const char *path, struct error *err)
{
	_cleanup_free_ char *part = text_copy(path);

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
				path, creation->base->name, part);
		*slash = '/';
	}
	return 0;
}

/* Take another path beside the one that is occupied; the volume never gets what lies there. */
static int move_aside(const struct creation *creation, struct record *record, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	const char *pv = creation->parameters->pv;

	if (strcmp(record->path, record->place))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"%s and %s in %s are both taken, by data that are no volume's or by "
			"something that is no directory: move them away",
			record->place, record->path, creation->base->name);
	if (asprintf(&path, "%s@%s", record->place, pv ? pv : creation->hash.text) < 0)
		abort();
	if (beneath_check_path(path, err) < 0)
		return -1;
	if (inventory_reserve(&creation->base->inventory, path, &creation->hash, err) < 0) {
		/* ALREADY_EXISTS would speak of the volume that is to be made. */
		if (err->kind == ERROR_ALREADY_EXISTS)
			err->kind = ERROR_FAILED_PRECONDITION;
		return -1;
	}
	free(record->path);
	record->path = take_ptr(path);
	return 0;
}

/* Reserve a path for a volume without a record. */
static int choose_path(const struct creation *creation, struct record *record, struct error *err)
{
	struct base *base = creation->base;

	if (check_no_base_above(creation, record->place, err) < 0)
		return -1;
	while (inventory_reserve(&base->inventory, record->path, &creation->hash, err) < 0) {
		if (err->kind != ERROR_ALREADY_EXISTS)
			return -1;
		if (!reclaim_free_removed(base, record->path))
			return move_aside(creation, record, err);
	}
	return 0;
}

/* Claim the data of the predecessor, if the class wants that and there are any. Retained ones bring
 * their path, in place of the one that was RESERVED, if any was. */
static int claim(const struct creation *creation, struct record *record, const char *reserved,
	struct error *err)
{
	const struct parameters *parameters = creation->parameters;
	struct inventory *inventory = &creation->base->inventory;

	if (!parameters->reuse || creation->source)
		return 0;
	if (reclaim_claim(creation->base, &creation->hash, record,
		    parameters->reuse_across_namespaces, err) < 0)
		return -1;
	if (reserved && strcmp(reserved, record->path))
		inventory_release(inventory, reserved, &creation->hash);
	return 0;
}

/* Where the volume will lie: at the path of its predecessor, or at one of its own. */
static int find_place(const struct creation *creation, struct record *record, struct error *err)
{
	_cleanup_free_ char *reserved = NULL;

	if (claim(creation, record, NULL, err) < 0)
		return -1;
	if (record->predecessor &&
		inventory_owns(&creation->base->inventory, record->path, &creation->hash))
		return 0;
	if (choose_path(creation, record, err) < 0)
		return -1;
	if (record->predecessor)
		return 0;
	/* It may have been deleted meanwhile: then the path is free for that reason. */
	reserved = text_copy(record->path);
	return claim(creation, record, reserved, err);
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
	return 0;
}

/* Bring data from elsewhere: those of the predecessor, or a copy, as they are. */
static int bring_data(
	const struct creation *creation, struct record *record, int *ret_fd, struct error *err)
{
	struct base *base = creation->base;
	bool occupied;

	if ((record->predecessor ? reclaim_take_up(base, record, &occupied, err)
				 : clone_make(creation->clones, base, &creation->hash, record,
					   creation->source, &occupied, err)) < 0)
		return -1;
	return occupied ? 0 : beneath_open_dir(base->fd, record->path, O_RDONLY, ret_fd, err);
}

/* Put the data where the record says; a new directory gets the owner that the class wants. *RET_FD
 * stays -1 when somebody else's data are there. */
static int make_data(
	const struct creation *creation, struct record *record, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (record->predecessor || record->source)
		return bring_data(creation, record, ret_fd, err);
	if (make_directory(creation, record, &fd, err) < 0)
		return -1;
	if (fd >= 0 && (volume_quota_begin(record, fd, err) < 0 || set_owner(fd, record, err) < 0))
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The same, beside what is there already if need be. */
static int find_room(
	const struct creation *creation, struct record *record, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *occupied = text_copy(record->path);

	if (make_data(creation, record, ret_fd, err) < 0)
		return -1;
	if (*ret_fd >= 0)
		return 0;
	if (move_aside(creation, record, err) < 0 ||
		catalog_intend(creation->base->catalog, &creation->hash, record, NULL, err) < 0)
		return -1;
	inventory_release(&creation->base->inventory, occupied, &creation->hash);
	if (make_data(creation, record, ret_fd, err) < 0)
		return -1;
	return *ret_fd < 0 ? move_aside(creation, record, err) : 0;
}

/* Open the directory above PATH. */
static int open_parent(const struct base *base, const char *path, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *parent = text_copy(path);
	char *slash = strrchr(parent, '/');

	if (slash) {
		*slash = '\0';
		return beneath_open_dir(base->fd, parent, O_RDONLY, ret_fd, err);
	}
	*ret_fd = openat(base->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? error_set_errno(err, errno, "open the base") : 0;
}

/* Wait until the volume is on disk: INTENT, where that is not -1, the directory DATA, and its name.
 * Of the directory above, which many share, one fsync does for all of them. */
static int sync_volume(const struct base *base, const struct record *record, int intent, int data,
	struct error *err)
{
	_cleanup_close_ int parent = -1;

	if (open_parent(base, record->path, &parent, err) < 0)
		return -1;
	if ((intent >= 0 && fs_calls->fsync(intent) < 0) || fs_calls->fsync(data) < 0 ||
		syncer_sync(base->syncer, parent) < 0)
		return error_set_errno(err, errno, "sync %s", record->path);
	return 0;
}

/* The data at FD have no more room than the volume. */
static int limit(const struct creation *creation, struct record *record, int fd, struct error *err)
{
	bool changed;

	if (volume_quota_apply(creation->base, creation->parameters, record, fd,
		    &creation->clones->stop, &changed, err) < 0)
		return -1;
	return changed ? catalog_intend(creation->base->catalog, &creation->hash, record, NULL, err)
		       : 0;
}

/* From the intent to the ready volume. Every step may have been done by an earlier call. The disk
 * is waited for twice: for the volume, and for the name that says that it is ready. Data that are
 * there already are not touched before the intent is on disk. */
static int complete(const struct creation *creation, struct record *record, struct error *err)
{
	struct base *base = creation->base;
	bool brings_data = record->predecessor || record->source;
	_cleanup_close_ int intent = -1, fd = -1;

	if (volume_quota_plan(base, creation->parameters, record, err) < 0 ||
		catalog_intend(base->catalog, &creation->hash, record, brings_data ? NULL : &intent,
			err) < 0 ||
		find_room(creation, record, &fd, err) < 0 || limit(creation, record, fd, err) < 0 ||
		sync_volume(base, record, intent, fd, err) < 0 ||
		catalog_complete(base->catalog, &creation->hash, err) < 0 ||
		catalog_sync(base->catalog, err) < 0)
		return -1;
	record->state = RECORD_READY;
	if (record->predecessor)
		reclaim_taken_up(base, record);
	return 0;
}

int creation_forget(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err)
{
	if (record->predecessor)
		return reclaim_put_back(base, hash, record, err);
	if (catalog_has_record(base->catalog, hash) &&
		inventory_owns(&base->inventory, record->path, hash))
		volume_quota_lift(base, base->fd, record->path, record);
	if (record->source && clone_forget(base, hash, record, err) < 0)
		return -1;
	/* What is there and is not empty, or no directory, is not ours. */
	if (catalog_has_record(base->catalog, hash)) {
		if (beneath_remove_empty(base->fd, record->path, err) < 0 &&
			err->errnum != ENOTEMPTY && !beneath_is_absent(err))
			return -1;
		if (catalog_remove(base->catalog, hash, err) < 0)
			return -1;
		beneath_prune_parents(base->fd, record->path);
	}
	inventory_forget(&base->inventory, hash);
	return 0;
}

static int forget(const struct creation *creation, const struct record *record, struct error *err)
{
	return creation_forget(creation->base, &creation->hash, record, err);
}

/* A failed creation must leave nothing that its caller, told that there is no volume, would never
 * come back for. What cannot be taken back is ABORTED: the call is to be repeated. */
static int take_back(
	const struct creation *creation, const struct record *record, struct error *err)
{
	struct error why;

	if ((base_stay_writer(creation->base, &why) < 0 || forget(creation, record, &why) < 0) &&
		err)
		err->kind = ERROR_ABORTED;
	return -1;
}

static int create_new(
	const struct creation *creation, struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = new_record(creation);

	if (find_place(creation, record, err) < 0 || complete(creation, record, err) < 0)
		return take_back(creation, record, err);
	*ret_record = take_ptr(record);
	return 0;
}

/* What is there of the volume, if anything, is not known or stays: a caller that takes the error
 * for the end of it would never come back for that. */
static int not_final(struct error *err)
{
	if (err)
		err->kind = ERROR_ABORTED;
	return -1;
}

/* Go on with a creation that was interrupted, or begin anew where it was for another request. */
static int resume(const struct creation *creation, struct record *record,
	struct record **ret_record, struct error *err)
{
	if (difference(creation, record) || inventory_reserve(&creation->base->inventory,
						    record->path, &creation->hash, NULL) < 0) {
		if (forget(creation, record, err) < 0)
			return not_final(err);
		return create_new(creation, ret_record, err);
	}
	return complete(creation, record, err) < 0 ? take_back(creation, record, err) : 0;
}

int creation_run(const struct creation *creation, struct record **ret_record, struct error *err)
{
	struct catalog *catalog = creation->base->catalog;
	_cleanup_(record_freep) struct record *record = NULL, *begun_anew = NULL;
	int found = catalog_read(catalog, &creation->hash, &record, err);

	/* After the record: one that is swept goes to the trash first, and then its record. */
	if (catalog_in_trash(catalog, &creation->hash))
		return error_set(err, ERROR_ABORTED,
			"a volume of this name is still being removed: try again");
	if (found < 0)
		return err->kind == ERROR_NOT_FOUND ? create_new(creation, ret_record, err)
						    : not_final(err);
	switch (record->state) {
	case RECORD_RETAINED:
	case RECORD_ARCHIVED:
		if (reclaim_set_aside(creation->base, &creation->hash, record, err) < 0)
			return -1;
		return create_new(creation, ret_record, err);
	case RECORD_CREATING:
		if (resume(creation, record, &begun_anew, err) < 0)
			return -1;
		break;
	default:
		if (check_existing(creation, record, err) < 0)
			return -1;
	}
	*ret_record = begun_anew ? take_ptr(begun_anew) : take_ptr(record);
	return 0;
}

/* Whether the base has a volume of the name. Deleted ones, whose data are kept, are none. */
static int look_for_name(const struct creation *creation, bool *ret_there, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct catalog *catalog = creation->base->catalog;
	int found = catalog_read(catalog, &creation->hash, &record, err);

	if (found < 0 && err->kind != ERROR_NOT_FOUND)
		return -1;
	*ret_there =
		catalog_in_trash(catalog, &creation->hash) ||
		(record && (record->state == RECORD_CREATING || record->state == RECORD_READY));
	return 0;
}

int creation_look(
	const struct creation *creation, bool reuse, struct creation_trace *ret, struct error *err)
{
	_cleanup_(record_freep) struct record *record = new_record(creation);
	struct base *base = creation->base;
	struct creation_trace trace = {0};

	if (look_for_name(creation, &trace.named, err) < 0)
		return -1;
	if (reuse && !trace.named) {
		if (inventory_is_leaving(&base->inventory, record->path))
			return error_set(err, ERROR_ABORTED,
				"the volume at %s/%s is still being deleted: try again", base->name,
				record->path);
		if (reclaim_look(base, record, creation->parameters->reuse_across_namespaces,
			    &trace.retired, err) < 0)
			return -1;
	}
	*ret = trace;
	return 0;
}
