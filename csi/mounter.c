/* SPDX-License-Identifier: Apache-2.0 */
#include "mounter.h"

#include <fcntl.h>
#include <libmount/libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cleanup.h"
#include "fs_calls.h"

/* More mounts than that on one target are somebody's attack on our patience. */
#define LAYERS_MAX 256

static const struct {
	const char *name;
	unsigned long flag;
	unsigned long long attribute;
} options[] = {
	{"ro", MS_RDONLY, MOUNT_ATTR_RDONLY},
	{"nosuid", MS_NOSUID, MOUNT_ATTR_NOSUID},
	{"nodev", MS_NODEV, MOUNT_ATTR_NODEV},
	{"noexec", MS_NOEXEC, MOUNT_ATTR_NOEXEC},
	{"nodiratime", MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
	{"noatime", MS_NOATIME, MOUNT_ATTR_NOATIME},
	{"relatime", MS_RELATIME, MOUNT_ATTR_RELATIME},
	{"strictatime", MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
	{"rw", 0, 0},
};

/* A mount can have one of them. */
#define ATIME_FLAGS ((unsigned long)(MS_NOATIME | MS_RELATIME | MS_STRICTATIME))

int mounter_add_option(const char *option, unsigned long *flags, struct error *err)
{
	char list[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (!strcmp(options[i].name, option)) {
			if ((options[i].flag & ATIME_FLAGS) &&
				(*flags & ATIME_FLAGS & ~options[i].flag))
				return error_set(err, ERROR_INVALID,
					"mount option \"%s\" contradicts one before it", option);
			*flags |= options[i].flag;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			options[i].name);
	}
	return error_set(err, ERROR_INVALID, "mount option \"%s\" is not understood; known are %s",
		option, list);
}

struct fd_path {
	char text[48];
};

static struct fd_path fd_path(int fd)
{
	struct fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

static void free_context(struct libmnt_context **context)
{
	mnt_free_context(*context);
}

static int open_target(int parent, const char *name, int *ret_fd, struct error *err)
{
	int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "%s does not exist", name);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, ERROR_FAILED_PRECONDITION, "%s is not a directory", name);
	if (fd < 0)
		return error_set_errno(err, errno, "open %s", name);
	*ret_fd = fd;
	return 0;
}

/* One mount(2) by libmount, which is kept from resolving the paths, calling helpers and writing
 * tables. */
static int mount_fd(int source, int target, unsigned long flags, struct error *err)
{
	_cleanup_(free_context) struct libmnt_context *context = mnt_new_context();
	int result;

	if (!context)
		abort();
	if (mnt_context_disable_canonicalize(context, 1) ||
		mnt_context_disable_helpers(context, 1) || mnt_context_disable_mtab(context, 1) ||
		mnt_context_set_mflags(context, flags) ||
		mnt_context_set_source(context, fd_path(source).text) ||
		mnt_context_set_target(context, fd_path(target).text))
		return error_set(err, ERROR_INTERNAL, "libmount refuses its arguments");
	result = mnt_context_mount(context);
	if (result == 0)
		return 0;
	if (mnt_context_syscall_called(context))
		result = -mnt_context_get_syscall_errno(context);
	if (result < 0)
		return error_set_errno(err, -result, "mount");
	return error_set(err, ERROR_INTERNAL, "libmount failed (%d)", result);
}

/* Bind with the flags set before anybody can see the mount. 0, or -1 and errno. */
static int attach_with_flags(int source, int target, unsigned long flags)
{
	_cleanup_close_ int tree = -1;
	struct mount_attr attributes = {0};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].flag & flags) {
			attributes.attr_set |= options[i].attribute;
			if (options[i].flag & (MS_NOATIME | MS_RELATIME | MS_STRICTATIME))
				attributes.attr_clr |= MOUNT_ATTR__ATIME;
		}
	tree = fs_calls->open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return -1;
	return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int bind_and_remount(int source, int parent, const char *name, int target,
	unsigned long flags, struct error *err)
{
	_cleanup_close_ int mounted = -1;

	if (mount_fd(source, target, MS_BIND, err) < 0)
		return -1;
	if (!flags)
		return 0;
	/* The descriptor from before the mount still shows what is below it. */
	if (open_target(parent, name, &mounted, err) == 0 &&
		mount_fd(mounted, mounted, MS_REMOUNT | MS_BIND | flags, err) == 0)
		return 0;
	mounter_unmount(parent, name, NULL);
	return -1;
}

int mounter_bind(int source, int parent, const char *name, unsigned long flags, struct error *err)
{
	_cleanup_close_ int target = -1;

	if (open_target(parent, name, &target, err) < 0)
		return -1;
	if (flags && attach_with_flags(source, target, flags) == 0)
		return 0;
	if (flags && errno != ENOSYS && errno != EPERM)
		return error_set_errno(err, errno, "mount");
	return bind_and_remount(source, parent, name, target, flags, err);
}

/* The kernel's number of the mount that FD is on. */
static int mount_number(int fd, int *ret_number, struct error *err)
{
	_cleanup_fclose_ FILE *info = NULL;
	char path[48], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	if (!info)
		return error_set_errno(err, errno, "open %s: is /proc mounted?", path);
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "mnt_id: %d", ret_number) == 1)
			return 0;
	return error_set(err, ERROR_INTERNAL, "%s has no mnt_id", path);
}

static int open_and_look(
	int parent, const char *name, int *ret_fd, bool *ret_mounted, struct error *err)
{
	_cleanup_close_ int target = -1;
	int above, at;

	if (open_target(parent, name, &target, err) < 0 || mount_number(parent, &above, err) < 0 ||
		mount_number(target, &at, err) < 0)
		return -1;
	*ret_mounted = above != at;
	*ret_fd = take_fd(&target);
	return 0;
}

int mounter_is_mounted(int parent, const char *name, bool *ret_mounted, struct error *err)
{
	_cleanup_close_ int target = -1;

	return open_and_look(parent, name, &target, ret_mounted, err);
}

int mounter_open(int parent, const char *name, int *ret_fd, struct error *err)
{
	_cleanup_close_ int target = -1;
	bool mounted;

	if (open_and_look(parent, name, &target, &mounted, err) < 0)
		return -1;
	if (!mounted)
		return error_set(err, ERROR_NOT_FOUND, "nothing is mounted on %s", name);
	*ret_fd = take_fd(&target);
	return 0;
}

static int is_writable(int fd, bool *ret_writable)
{
	struct statvfs status;

	if (fstatvfs(fd, &status) < 0)
		return -1;
	*ret_writable = !(status.f_flag & ST_RDONLY);
	return 0;
}

/* Which of the flags that keep programs and devices away the mount of FD lacks. */
static int lacking_flags(int fd, unsigned long *ret_flags)
{
	struct statvfs status;

	if (fstatvfs(fd, &status) < 0)
		return -1;
	*ret_flags = (status.f_flag & ST_NOSUID ? 0 : MS_NOSUID) |
		     (status.f_flag & ST_NODEV ? 0 : MS_NODEV) |
		     (status.f_flag & ST_NOEXEC ? 0 : MS_NOEXEC);
	return 0;
}

int mounter_compare(
	int source, int parent, const char *name, struct mounter_target *ret, struct error *err)
{
	_cleanup_close_ int target = -1;
	struct mounter_target seen = {0};
	struct stat wanted, found;
	bool source_writable;

	if (open_target(parent, name, &target, err) < 0)
		return -1;
	if (fstat(source, &wanted) < 0 || fstat(target, &found) < 0 ||
		is_writable(source, &source_writable) < 0 ||
		is_writable(target, &seen.writable) < 0 || lacking_flags(target, &seen.lacking) < 0)
		return error_set_errno(err, errno, "look at %s", name);
	seen.same = wanted.st_dev == found.st_dev && wanted.st_ino == found.st_ino;
	seen.made_readonly = source_writable && !seen.writable;
	*ret = seen;
	return 0;
}

static char *copy_text(const char *text)
{
	char *copy = strdup(text ? text : "");

	if (!copy)
		abort();
	return copy;
}

/* What the kernel has mounted, and a place in it. */
struct table {
	struct libmnt_table *mounts;
	struct libmnt_iter *next;
};

static void table_done(struct table *table)
{
	mnt_free_iter(table->next);
	mnt_unref_table(table->mounts);
}

static int table_read(struct table *table, struct error *err)
{
	table->mounts = mnt_new_table_from_file("/proc/self/mountinfo");
	if (!table->mounts)
		return error_set(err, ERROR_INTERNAL, "cannot read /proc/self/mountinfo");
	table->next = mnt_new_iter(MNT_ITER_FORWARD);
	if (!table->next)
		abort();
	return 0;
}

/* The mount with this number, or NULL. */
static struct libmnt_fs *table_find(struct table *table, int number)
{
	struct libmnt_fs *mount;

	mnt_reset_iter(table->next, MNT_ITER_FORWARD);
	while (mnt_table_next_fs(table->mounts, table->next, &mount) == 0)
		if (mnt_fs_get_id(mount) == number)
			return mount;
	return NULL;
}

/* Read the table, and find the mount that FD was opened through. */
static int table_find_own(
	struct table *table, int fd, struct libmnt_fs **ret_mount, struct error *err)
{
	int number;

	if (mount_number(fd, &number, err) < 0 || table_read(table, err) < 0)
		return -1;
	*ret_mount = table_find(table, number);
	if (!*ret_mount)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the file system of the volume was unmounted meanwhile");
	return 0;
}

static bool shows(const char *path, const struct stat *wanted)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat found;

	return fd >= 0 && fstat(fd, &found) == 0 && found.st_dev == wanted->st_dev &&
	       found.st_ino == wanted->st_ino;
}

int mounter_find_mount(int source, char **ret_path, struct error *err)
{
	_cleanup_(table_done) struct table table = {0};
	struct libmnt_fs *own, *mount;
	struct stat wanted;

	if (fstat(source, &wanted) < 0)
		return error_set_errno(err, errno, "look at the volume");
	if (table_find_own(&table, source, &own, err) < 0)
		return -1;
	mnt_reset_iter(table.next, MNT_ITER_FORWARD);
	while (mnt_table_next_fs(table.mounts, table.next, &mount) == 0) {
		/* Not the device that stat tells: btrfs has one for each subvolume. */
		if (mount == own || mnt_fs_get_devno(mount) != mnt_fs_get_devno(own) ||
			!shows(mnt_fs_get_target(mount), &wanted))
			continue;
		*ret_path = copy_text(mnt_fs_get_target(mount));
		return 0;
	}
	return error_set(err, ERROR_NOT_FOUND, "the volume is not mounted");
}

int mounter_device(int fd, char **ret_device, struct error *err)
{
	_cleanup_(table_done) struct table table = {0};
	struct libmnt_fs *own;

	if (table_find_own(&table, fd, &own, err) < 0)
		return -1;
	if (!mnt_fs_get_source(own))
		return error_set(err, ERROR_NOT_FOUND, "the file system has no device");
	*ret_device = copy_text(mnt_fs_get_source(own));
	return 0;
}

int mounter_root(int fd, char **ret_root, struct error *err)
{
	_cleanup_(table_done) struct table table = {0};
	struct libmnt_fs *own;

	if (table_find_own(&table, fd, &own, err) < 0)
		return -1;
	*ret_root = copy_text(mnt_fs_get_root(own));
	return 0;
}

/* Why umount2() failed: that nothing is mounted on NAME is success, if it is a directory. */
static int not_unmounted(int parent, const char *name, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (errno != EINVAL && errno != ENOENT)
		return error_set_errno(err, errno, "unmount %s", name);
	return open_target(parent, name, &fd, err);
}

int mounter_unmount(int parent, const char *name, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", fd_path(parent).text, name) < 0)
		abort();
	/* What is mounted is not looked at: its server may not answer. */
	for (int layer = 0; layer < LAYERS_MAX; layer++)
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return not_unmounted(parent, name, err);
	return error_set(err, ERROR_INTERNAL, "%s has more than %d mounts on it", name, LAYERS_MAX);
}
