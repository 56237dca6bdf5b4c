/* SPDX-License-Identifier: Apache-2.0 */
#include "inherit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "beneath.h"
#include "mounter.h"

/* Its cluster may not be gone after all. */
static int check_not_mounted(
	const struct base *base, const struct record *volume, struct error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *path = NULL;

	if (beneath_open_dir(base->fd, volume->path, O_RDONLY, &fd, err) < 0)
		return beneath_is_absent(err) ? 0 : -1;
	if (mounter_find_mount(fd, &path, err) == 0)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the data that this replica had in another cluster (%s, of %s) are in use "
			"(%s): end what uses them",
			volume->path, volume->pv ? volume->pv : volume->name, path);
	return err->kind == ERROR_NOT_FOUND ? 0 : -1;
}

static int check_size(const struct record *record, const struct record *volume, struct error *err)
{
	if (!record->capacity || volume->capacity <= record->capacity)
		return 0;
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"the data that this replica had in another cluster (of %s) are those of a volume "
		"of %lld bytes, and only %lld are asked for: ask for as many",
		volume->pv ? volume->pv : volume->name, (long long)volume->capacity,
		(long long)record->capacity);
}

static bool is_of_another_cluster(const struct record *volume, const struct record *record)
{
	return volume->state == RECORD_READY && volume->cluster_uid &&
	       strcmp(volume->cluster_uid, record->cluster_uid) != 0;
}

static int retain(
	struct base *base, const struct volume_hash *hash, struct record *volume, struct error *err)
{
	volume->state = RECORD_RETAINED;
	volume->retired = inventory_now(&base->inventory);
	if (catalog_write(base->catalog, hash, volume, err) < 0)
		return -1;
	inventory_add_retired(&base->inventory, hash, volume);
	return 0;
}

int inherit_place(struct base *base, const struct record *record, struct error *err)
{
	struct inventory *inventory = &base->inventory;
	struct volume_hash hash;

	while (record->cluster_uid && inventory_inherited(inventory, record, &hash)) {
		_cleanup_(record_freep) struct record *volume = NULL;
		bool there = catalog_read(base->catalog, &hash, &volume, err) == 0;

		if (!there && err->kind != ERROR_NOT_FOUND)
			return error_prefix(err, "look for data to take up");
		if (there && is_of_another_cluster(volume, record) &&
			(check_size(record, volume, err) < 0 ||
				check_not_mounted(base, volume, err) < 0 ||
				retain(base, &hash, volume, err) < 0))
			return -1;
		inventory_remove_inherited(inventory, &hash);
	}
	return 0;
}
