/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base_lock.h"
#include "fs_calls.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Of a record, of one whose volume is not ready, and of one that is being replaced. */
#define SUFFIX        ".json"
#define INTENT_SUFFIX ".intent"
#define NEW_SUFFIX    ".json.new"

/* Far more than a record can be: its strings are bounded by CSI. */
#define RECORD_MAX (64 * 1024)

/* How often a record is opened that another machine keeps replacing. */
#define READ_ATTEMPTS 64

struct catalog {
	int own_fd; /* .ordinal */
	int volumes_fd, trash_fd;
	int archive_fd, unfinished_fd; /* opened with the lock: readers need not write */
	struct base_lock lock;
	atomic_bool writer; /* nobody else changes anything */
	struct syncer *syncer;
};

struct file_name {
	char text[VOLUME_HASH_LENGTH + sizeof(NEW_SUFFIX)];
};

static struct file_name file_name(const struct volume_hash *hash, const char *suffix)
{
	struct file_name name;

	snprintf(name.text, sizeof(name.text), "%s%s", hash->text, suffix);
	return name;
}

static int open_dir(int parent, const char *name, bool create, int *ret_fd, struct error *err)
{
	int fd;

	if (create && fs_calls->mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "make directory %s", name);
	fd = openat(parent, name, DIR_FLAGS);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "there is no directory %s", name);
	if (fd < 0)
		return error_set_errno(err, errno, "open directory %s", name);
	if (create && fs_calls->fsync(parent) < 0) {
		close(fd);
		return error_set_errno(err, errno, "sync the directory above %s", name);
	}
	*ret_fd = fd;
	return 0;
}

static int open_all(struct catalog *catalog, int base, bool create, struct error *err)
{
	if (open_dir(base, ".ordinal", create, &catalog->own_fd, err) < 0 ||
		open_dir(catalog->own_fd, "volumes", create, &catalog->volumes_fd, err) < 0)
		return -1;
	return open_dir(catalog->own_fd, "trash", create, &catalog->trash_fd, err);
}

int catalog_open(int base, bool create, struct syncer *syncer, struct catalog **ret_catalog,
	struct error *err)
{
	_cleanup_(catalog_freep) struct catalog *catalog = calloc(1, sizeof(*catalog));

	if (!catalog)
		abort();
	catalog->own_fd = catalog->volumes_fd = catalog->trash_fd = -1;
	catalog->syncer = syncer;
	catalog->archive_fd = catalog->unfinished_fd = -1;
	base_lock_init(&catalog->lock);
	if (open_all(catalog, base, create, err) < 0)
		return -1;
	*ret_catalog = take_ptr(catalog);
	return 0;
}

void catalog_free(struct catalog *catalog)
{
	cleanup_close(&catalog->own_fd);
	cleanup_close(&catalog->volumes_fd);
	cleanup_close(&catalog->trash_fd);
	cleanup_close(&catalog->archive_fd);
	cleanup_close(&catalog->unfinished_fd);
	base_lock_done(&catalog->lock);
	free(catalog);
}

/* What this machine remembers of the directory FD on NFS, for up to a minute, is compared with what
 * the server says. */
static void look_again(int fd)
{
	struct statx status;

	(void)statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_CTIME, &status);
}

/* For writing, too, which is asked of the server each time. A server of NFSv4 lends a file to who
 * reads it (a delegation), and this machine then opens it for reading without asking what the name
 * stands for. Before another one replaces the file it is called back; where that fails the server
 * goes on after the time of a lease, and by NFSv4.0 this machine does not learn of it. */
static int open_file(int dir, const char *name)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dir, name, O_RDWR | flags);

	if (fd < 0 &&
		(errno == EROFS || errno == EACCES)) /* who only reads does not change it either */
		fd = openat(dir, name, O_RDONLY | flags);
	return fd;
}

static int read_once(int dir, const char *name, char *text, size_t size, size_t *ret_length)
{
	_cleanup_close_ int fd = open_file(dir, name);
	size_t length = 0;
	ssize_t got = 1;

	while (fd >= 0 && got > 0 && length < size) {
		got = read(fd, text + length, size - length);
		if (got > 0)
			length += (size_t)got;
	}
	if (fd < 0 || got < 0)
		return -1;
	*ret_length = length;
	errno = 0;
	return 0;
}

/* NFSv3 keeps no file for its readers: one that was replaced is stale, and there is a new one. */
static int read_file(int dir, const char *name, char *text, size_t size, size_t *ret_length)
{
	int result, attempts = 0;

	do
		result = read_once(dir, name, text, size, ret_length);
	while (result < 0 && errno == ESTALE && ++attempts < READ_ATTEMPTS);
	return result;
}

static int read_record(const struct catalog *catalog, const char *name, bool intent,
	struct record **ret_record, struct error *err)
{
	_cleanup_free_ char *text = malloc(RECORD_MAX);
	size_t length;

	if (!text)
		abort();
	if (read_file(catalog->volumes_fd, name, text, RECORD_MAX, &length) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "read .ordinal/volumes/%s", name);
	/* An intent that a crash has torn says that no more than an empty directory was made. */
	if (errno == ENOENT || (intent && (!length || text[length - 1] != '}')))
		return error_set(err, ERROR_NOT_FOUND, "the volume does not exist");
	if (record_decode(text, length, ret_record, err) < 0)
		return error_prefix(err, ".ordinal/volumes/%s", name);
	return 0;
}

static int read_any(const struct catalog *catalog, const struct volume_hash *hash,
	struct record **ret_record, struct error *err)
{
	if (read_record(catalog, file_name(hash, SUFFIX).text, false, ret_record, err) == 0)
		return 0;
	if (err->kind != ERROR_NOT_FOUND ||
		read_record(catalog, file_name(hash, INTENT_SUFFIX).text, true, ret_record, err) <
			0)
		return -1;
	(*ret_record)->state = RECORD_CREATING;
	return 0;
}

int catalog_read(const struct catalog *catalog, const struct volume_hash *hash,
	struct record **ret_record, struct error *err)
{
	struct error none;

	if (!err)
		err = &none;
	if (read_any(catalog, hash, ret_record, err) == 0)
		return 0;
	if (err->kind != ERROR_NOT_FOUND || atomic_load(&catalog->writer))
		return -1;
	/* This machine may remember that there was none. */
	look_again(catalog->volumes_fd);
	return read_any(catalog, hash, ret_record, err);
}

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool catalog_has_record(const struct catalog *catalog, const struct volume_hash *hash)
{
	return exists(catalog->volumes_fd, file_name(hash, SUFFIX).text) ||
	       exists(catalog->volumes_fd, file_name(hash, INTENT_SUFFIX).text);
}

bool catalog_in_trash(const struct catalog *catalog, const struct volume_hash *hash)
{
	return exists(catalog->trash_fd, hash->text);
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t written = fs_calls->write(fd, text, length);

		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

/* Write the file NAME; it is on disk on return, or, with RET_FD, once *RET_FD is. */
static int write_file(int dir, const char *name, const char *text, int *ret_fd)
{
	_cleanup_close_ int fd = fs_calls->create(dir, name);
	int error;

	if (fd >= 0 && write_all(fd, text, strlen(text)) == 0 &&
		(ret_fd || fs_calls->fsync(fd) == 0)) {
		if (ret_fd)
			*ret_fd = take_fd(&fd);
		return 0;
	}
	/* On a full disk every name that is tried would leave its file. */
	error = errno;
	if (fd >= 0)
		fs_calls->unlinkat(dir, name, 0);
	errno = error;
	return -1;
}

static int sync_dir(const struct catalog *catalog)
{
	return catalog->syncer ? syncer_sync(catalog->syncer, catalog->volumes_fd)
			       : fs_calls->fsync(catalog->volumes_fd);
}

int catalog_sync(struct catalog *catalog, struct error *err)
{
	if (sync_dir(catalog) < 0)
		return error_set_errno(err, errno, "sync .ordinal/volumes");
	return 0;
}

static int rename_record(
	struct catalog *catalog, struct file_name from, struct file_name to, struct error *err)
{
	int dir = catalog->volumes_fd;

	if (fs_calls->renameat(dir, from.text, dir, to.text) < 0)
		return error_set_errno(err, errno, "rename .ordinal/volumes/%s", from.text);
	return 0;
}

/* Put RECORD in the place of the file NAME, of which a crash leaves the old or the new. */
static int replace_file(struct catalog *catalog, const struct volume_hash *hash,
	struct file_name name, const struct record *record, struct error *err)
{
	_cleanup_free_ char *text = record_encode(record);
	struct file_name new_name = file_name(hash, NEW_SUFFIX);

	if (write_file(catalog->volumes_fd, new_name.text, text, NULL) < 0)
		return error_set_errno(err, errno, "write .ordinal/volumes/%s", name.text);
	if (rename_record(catalog, new_name, name, err) < 0)
		return -1;
	return catalog_sync(catalog, err);
}

int catalog_intend(struct catalog *catalog, const struct volume_hash *hash,
	const struct record *record, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct file_name name = file_name(hash, INTENT_SUFFIX);

	/* There may be data already that only the intent of before speaks of. */
	if (exists(catalog->volumes_fd, name.text))
		return replace_file(catalog, hash, name, record, err);
	text = record_encode(record);
	if (write_file(catalog->volumes_fd, name.text, text, ret_fd) < 0)
		return error_set_errno(err, errno, "write .ordinal/volumes/%s", name.text);
	return 0;
}

int catalog_complete(struct catalog *catalog, const struct volume_hash *hash, struct error *err)
{
	return rename_record(catalog, file_name(hash, INTENT_SUFFIX), file_name(hash, SUFFIX), err);
}

int catalog_rename(struct catalog *catalog, const struct volume_hash *from,
	const struct volume_hash *to, struct error *err)
{
	if (rename_record(catalog, file_name(from, SUFFIX), file_name(to, SUFFIX), err) < 0)
		return -1;
	return catalog_sync(catalog, err);
}

int catalog_write(struct catalog *catalog, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	return replace_file(catalog, hash, file_name(hash, SUFFIX), record, err);
}

static int remove_file(struct catalog *catalog, struct file_name name, struct error *err)
{
	if (fs_calls->unlinkat(catalog->volumes_fd, name.text, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "remove .ordinal/volumes/%s", name.text);
	return 0;
}

int catalog_remove(struct catalog *catalog, const struct volume_hash *hash, struct error *err)
{
	if (remove_file(catalog, file_name(hash, SUFFIX), err) < 0 ||
		remove_file(catalog, file_name(hash, INTENT_SUFFIX), err) < 0)
		return -1;
	return catalog_sync(catalog, err);
}

/* Whether somebody has removed the directory FD: on NFS its handle is stale. */
static bool is_removed(int fd)
{
	struct stat status;

	return fstat(fd, &status) < 0 ? errno == ESTALE : status.st_nlink == 0;
}

/* FD, which stays what it is; a directory that somebody has removed is made again under it. */
static int still_there(const struct catalog *catalog, const char *name, int fd)
{
	_cleanup_close_ int again = -1;
	struct error later;

	if (!is_removed(fd) || open_dir(catalog->own_fd, name, true, &again, &later) < 0)
		return fd;
	/* At once for all who use it, and for those who do so at this moment. */
	(void)dup3(again, fd, O_CLOEXEC);
	return fd;
}

int catalog_trash(const struct catalog *catalog)
{
	return still_there(catalog, "trash", catalog->trash_fd);
}

int catalog_archive(const struct catalog *catalog)
{
	return still_there(catalog, "archive", catalog->archive_fd);
}

int catalog_unfinished(const struct catalog *catalog)
{
	return still_there(catalog, "unfinished", catalog->unfinished_fd);
}

/* Whether NAME is that of a record, or of an intent. */
static bool is_record(const char *name, struct volume_hash *ret_hash)
{
	if (strlen(name) <= VOLUME_HASH_LENGTH ||
		(strcmp(name + VOLUME_HASH_LENGTH, SUFFIX) &&
			strcmp(name + VOLUME_HASH_LENGTH, INTENT_SUFFIX)))
		return false;
	*ret_hash = (struct volume_hash){0};
	memcpy(ret_hash->text, name, VOLUME_HASH_LENGTH);
	return true;
}

static void add_hash(struct volume_hash **hashes, size_t count, const struct volume_hash *hash)
{
	/* Room grows at powers of two. */
	if ((count & (count - 1)) == 0) {
		*hashes = reallocarray(*hashes, count ? count * 2 : 1, sizeof(**hashes));
		if (!*hashes)
			abort();
	}
	(*hashes)[count] = *hash;
}

int catalog_list(const struct catalog *catalog, struct volume_hash **ret_hashes, size_t *ret_count,
	struct error *err)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	_cleanup_free_ struct volume_hash *hashes = NULL;
	int copy = openat(catalog->volumes_fd, ".", DIR_FLAGS);
	struct volume_hash hash;
	struct dirent *entry;
	size_t count = 0;

	if (copy < 0 || !(dir = fdopendir(copy)))
		return error_set_errno(err, errno, "read .ordinal/volumes");
	look_again(copy);
	while (errno = 0, (entry = readdir(dir)))
		if (is_record(entry->d_name, &hash))
			add_hash(&hashes, count++, &hash);
	if (errno)
		return error_set_errno(err, errno, "read .ordinal/volumes");
	*ret_hashes = take_ptr(hashes);
	*ret_count = count;
	return 0;
}

int catalog_clean(struct catalog *catalog, struct error *err)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	int copy = openat(catalog->volumes_fd, ".", DIR_FLAGS);
	struct dirent *entry;

	if (copy < 0 || !(dir = fdopendir(copy)))
		return error_set_errno(err, errno, "read .ordinal/volumes");
	while ((entry = readdir(dir))) {
		struct file_name name;

		if (strlen(entry->d_name) + 1 != sizeof(name.text) ||
			strcmp(entry->d_name + VOLUME_HASH_LENGTH, NEW_SUFFIX))
			continue;
		strcpy(name.text, entry->d_name);
		if (remove_file(catalog, name, err) < 0)
			return -1;
	}
	return 0;
}

static int open_writers_dirs(struct catalog *catalog, struct error *err)
{
	if (catalog->archive_fd < 0 &&
		open_dir(catalog->own_fd, "archive", true, &catalog->archive_fd, err) < 0)
		return -1;
	if (catalog->unfinished_fd < 0 &&
		open_dir(catalog->own_fd, "unfinished", true, &catalog->unfinished_fd, err) < 0)
		return -1;
	return 0;
}

int catalog_lock(struct catalog *catalog, struct error *err)
{
	if (open_writers_dirs(catalog, err) < 0 ||
		base_lock_take(&catalog->lock, catalog->own_fd, err) < 0)
		return -1;
	/* What this machine remembers may be older than what the holder before has done. */
	look_again(catalog->volumes_fd);
	look_again(catalog->trash_fd);
	look_again(catalog->archive_fd);
	look_again(catalog->unfinished_fd);
	atomic_store(&catalog->writer, true);
	return 0;
}

int catalog_check_lock(struct catalog *catalog, struct error *err)
{
	if (base_lock_check(&catalog->lock, err) == 0)
		return 0;
	atomic_store(&catalog->writer, false);
	return -1;
}

void catalog_unlock(struct catalog *catalog)
{
	atomic_store(&catalog->writer, false);
	base_lock_release(&catalog->lock);
}

bool catalog_lock_wanted(struct catalog *catalog)
{
	return base_lock_wanted(catalog->own_fd);
}
