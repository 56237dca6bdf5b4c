/* SPDX-License-Identifier: Apache-2.0 */
#include "export_table.h"

#include <libmount/libmount.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "mount_options.h"

static void unref_table(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void free_iter(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
}

static bool is_directly_below(const char *dir, const char *path)
{
	size_t length = strlen(dir);

	return path && !strncmp(path, dir, length) && path[length] == '/' &&
	       !strchr(path + length + 1, '/');
}

static bool is_export(struct libmnt_fs *mount, const char *dir, const char *name)
{
	const char *type = mnt_fs_get_fstype(mount), *source = mnt_fs_get_srcpath(mount);

	return type && !strncmp(type, "nfs", 3) &&
	       is_directly_below(dir, mnt_fs_get_target(mount)) &&
	       (!name || (source && !strcmp(source, name)));
}

static bool is_at_or_below(const char *inner, const char *outer)
{
	size_t length = strcmp(outer, "/") ? strlen(outer) : 0;

	return !strncmp(inner, outer, length) && (!inner[length] || inner[length] == '/');
}

/* Look for what else is mounted of the file system of MOUNT. */
static void look_at_others(struct libmnt_table *table, const char *dir, struct libmnt_fs *mount,
	struct export_mount *ret)
{
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *other;

	if (!iter)
		abort();
	while (mnt_table_next_fs(table, iter, &other) == 0) {
		if (other == mount || mnt_fs_get_devno(other) != mnt_fs_get_devno(mount))
			continue;
		ret->shared = true;
		if (!is_directly_below(dir, mnt_fs_get_target(other)) &&
			is_at_or_below(mnt_fs_get_root(other), mnt_fs_get_root(mount)))
			ret->bound = true;
	}
}

void export_table_free(struct export_mount *mounts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(mounts[i].path);
	free(mounts);
}

static void append(struct export_mount **mounts, size_t count, const struct export_mount *added)
{
	*mounts = reallocarray(*mounts, count + 1, sizeof(**mounts));
	if (!*mounts)
		abort();
	(*mounts)[count] = *added;
}

int export_table_read(const char *dir, const char *name, struct export_mount **ret_mounts,
	size_t *ret_count, struct error *err)
{
	_cleanup_(unref_table) struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct export_mount *mounts = NULL;
	struct libmnt_fs *mount;
	size_t count = 0;

	if (!table)
		return error_set(err, ERROR_INTERNAL, "cannot read /proc/self/mountinfo");
	while (mnt_table_next_fs(table, iter, &mount) == 0) {
		struct export_mount found = {0};

		if (!is_export(mount, dir, name))
			continue;
		look_at_others(table, dir, mount, &found);
		if (mnt_fs_get_fs_options(mount))
			found.port = mount_options_port(mnt_fs_get_fs_options(mount));
		found.path = strdup(mnt_fs_get_target(mount));
		if (!found.path)
			abort();
		append(&mounts, count++, &found);
	}
	*ret_mounts = mounts;
	*ret_count = count;
	return 0;
}

/* Whether another mount keeps the file system of MOUNT. */
static bool is_kept(struct libmnt_table *table, const char *dir, struct libmnt_fs *mount)
{
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *other;

	if (!iter)
		abort();
	while (mnt_table_next_fs(table, iter, &other) == 0)
		if (mnt_fs_get_devno(other) == mnt_fs_get_devno(mount) &&
			is_directly_below(dir, mnt_fs_get_target(other)))
			return true;
	return false;
}

int export_table_count_last(const char *dir, const char *path, size_t *ret_count, struct error *err)
{
	_cleanup_(unref_table) struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *mount;
	bool last = false;
	size_t count = 0;

	if (!table)
		return error_set(err, ERROR_INTERNAL, "cannot read /proc/self/mountinfo");
	while (mnt_table_next_fs(table, iter, &mount) == 0) {
		const char *target = mnt_fs_get_target(mount), *type = mnt_fs_get_fstype(mount);

		if (!target || strcmp(target, path))
			continue;
		count++;
		last = last || (type && !strncmp(type, "nfs", 3) && !is_kept(table, dir, mount));
	}
	*ret_count = last ? count : 0;
	return 0;
}

/* An option of the file system, so that every mount of it says the same. */
static bool is_local(struct libmnt_fs *mount)
{
	const char *type = mnt_fs_get_fstype(mount), *options = mnt_fs_get_fs_options(mount);

	return type && options && !strncmp(type, "nfs", 3) &&
	       (strstr(options, "local_lock=all") || strstr(options, "local_lock=posix"));
}

int export_table_locks_locally(int fd, bool *ret, struct error *err)
{
	_cleanup_(unref_table) struct libmnt_table *table =
		mnt_new_table_from_file("/proc/self/mountinfo");
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *mount;
	struct stat status;
	bool local = false;

	if (!table || fstat(fd, &status) < 0)
		return error_set(err, ERROR_INTERNAL, "cannot read /proc/self/mountinfo");
	while (!local && mnt_table_next_fs(table, iter, &mount) == 0)
		local = mnt_fs_get_devno(mount) == status.st_dev && is_local(mount);
	*ret = local;
	return 0;
}
