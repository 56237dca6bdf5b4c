/* SPDX-License-Identifier: Apache-2.0 */
#include "clone.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "copy_tree.h"
#include "fs_calls.h"
#include "mounter.h"
#include "names.h"
#include "volume_quota.h"

void clone_source_done(struct clone_source *source)
{
	cleanup_close(&source->fd);
	if (source->pinned_in)
		inventory_unpin(take_ptr(source->pinned_in), &source->pinned);
	export_leave(&source->pass);
	keylock_release(&source->held);
}

static bool may_go_on(void *context)
{
	return !atomic_load((const atomic_bool *)context);
}

/* A copy of a running database is torn. */
static int check_not_live(const struct clone_source *source, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct error none;

	if (source->allow_live)
		return 0;
	if (mounter_find_mount(source->fd, &path, &none) == 0)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"it is in use (%s), and a copy of what somebody writes to would be torn: "
			"end the pods that use it, or allow it by " ORDINAL_KEY_ALLOW_LIVE_COPY
			": \"true\"",
			path);
	if (none.kind == ERROR_NOT_FOUND)
		return 0;
	*err = none;
	return error_prefix(err, "is it in use?");
}

/* Rename FROM below DIR into the trash, under a name that is no volume's. */
static int discard(struct base *base, int dir, const char *from, struct error *err)
{
	struct volume_hash name;
	char text[64];

	snprintf(text, sizeof(text), "\ncopy %lld", (long long)inventory_now(&base->inventory));
	volume_id_hash(text, &name);
	if (beneath_rename(dir, from, catalog_trash(base->catalog), name.text, err) < 0 &&
		err->errnum != ENOENT)
		return -1;
	return 0;
}

/* The top directory is as the source's is: a database would not start on another owner's. */
static int copy_owner(int from, int to, struct error *err)
{
	struct stat status;

	if (fstat(from, &status) < 0 || fs_calls->fchown(to, status.st_uid, status.st_gid) < 0 ||
		fs_calls->fchmod(to, status.st_mode & 07777) < 0)
		return error_set_errno(err, errno, "owner and mode of the copy");
	return 0;
}

static int copy(struct clones *clones, int to, const struct clone_source *source, struct error *err)
{
	const struct beneath_watch watch = {may_go_on, &clones->stop};

	if (check_not_live(source, err) < 0 || copy_tree(source->fd, to, &watch, err) < 0 ||
		copy_owner(source->fd, to, err) < 0 || check_not_live(source, err) < 0)
		return -1;
	if (syncfs(to) < 0)
		return error_set_errno(err, errno, "sync the copy");
	return 0;
}

static int copy_bounded(struct clones *clones, struct base *base, int to,
	const struct clone_source *source, struct error *err)
{
	/* Of those that may be inside an export some are for others; and one that hangs keeps no
	 * copies from the others. */
	int result, max = base->export ? EXPORT_INSIDE_MAX / 2 : CLONES_MAX;
	atomic_int *running = base->export ? &base->copies : &clones->running;

	if (atomic_fetch_add(running, 1) >= max)
		result = error_set(err, ERROR_ABORTED, "%d copies are under way: try again", max);
	else
		result = copy(clones, to, source, err);
	atomic_fetch_sub(running, 1);
	if (result < 0 && err && err->errnum == ECANCELED)
		return error_set(err, ERROR_UNAVAILABLE,
			"the driver stops, and the copy is made again when it is back");
	return result;
}

/* Make the copy in the place for unfinished ones, anew. */
static int make_copy(struct clones *clones, struct base *base, const struct volume_hash *hash,
	const struct clone_source *source, const struct record *record, struct error *err)
{
	int unfinished = catalog_unfinished(base->catalog);
	_cleanup_close_ int fd = -1;

	if (discard(base, unfinished, hash->text, err) < 0)
		return -1;
	if (fs_calls->mkdirat(unfinished, hash->text, 0700) < 0)
		return error_set_errno(err, errno, "make a directory for the copy");
	if (beneath_open_dir(unfinished, hash->text, O_RDONLY, &fd, err) < 0 ||
		volume_quota_begin(record, fd, err) < 0)
		return -1;
	return copy_bounded(clones, base, fd, source, err);
}

int clone_copy(struct clones *clones, struct base *base, const struct volume_hash *hash,
	const struct clone_source *source, const struct record *record, struct error *err)
{
	if (make_copy(clones, base, hash, source, record, err) == 0)
		return base_stay_writer(base, err); /* that may have taken long */
	return error_prefix(err, "copy %s %s",
		volume_id_is_snapshot(source->id) ? "snapshot" : "volume", source->id);
}

/* Whether an earlier call moved the copy. */
static int check_moved(struct base *base, const struct record *record, struct error *err)
{
	struct error why = *err;
	bool there;

	if (beneath_look(base->fd, record->path, &there, err) < 0)
		return -1;
	if (there)
		return 0;
	*err = why;
	return -1;
}

int clone_make(struct clones *clones, struct base *base, const struct volume_hash *hash,
	struct record *record, const struct clone_source *source, bool *ret_occupied,
	struct error *err)
{
	*ret_occupied = false;
	if (!record->copied) {
		if (clone_copy(clones, base, hash, source, record, err) < 0)
			return -1;
		record->copied = 1;
		if (catalog_intend(base->catalog, hash, record, NULL, err) < 0)
			return -1;
	}
	if (beneath_move(catalog_unfinished(base->catalog), hash->text, base->fd, record->path,
		    err) == 0)
		return 0;
	if (err->errnum == ENOTEMPTY || err->errnum == EEXIST || err->errnum == ENOTDIR) {
		*ret_occupied = true;
		return 0;
	}
	return err->errnum == ENOENT ? check_moved(base, record, err) : -1;
}

int clone_forget(struct base *base, const struct volume_hash *hash, const struct record *record,
	struct error *err)
{
	int unfinished = catalog_unfinished(base->catalog);
	bool waits;

	if (beneath_look(unfinished, hash->text, &waits, err) < 0)
		return -1;
	/* One that still waits goes when its record has gone: that it is not there has to mean that
	 * it was moved, and not that what lies at the path is somebody else's. */
	return !waits && record->copied && inventory_owns(&base->inventory, record->path, hash)
		       ? discard(base, base->fd, record->path, err)
		       : 0;
}

void clone_sweep(struct base *base)
{
	int unfinished = catalog_unfinished(base->catalog);
	int copy_fd = openat(unfinished, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy_fd < 0 ? NULL : fdopendir(copy_fd);
	struct dirent *entry;
	struct volume_hash hash = {0};
	struct error later;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || strlen(entry->d_name) != VOLUME_HASH_LENGTH)
			continue;
		memcpy(hash.text, entry->d_name, VOLUME_HASH_LENGTH);
		if (!catalog_has_record(base->catalog, &hash))
			(void)discard(base, unfinished, hash.text, &later);
	}
	if (dir)
		closedir(dir);
}
