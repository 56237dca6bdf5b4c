/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "fs_calls.h"
#include "place_index.h"

#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define SUFFIX     ".json"
#define NEW_SUFFIX ".json.new"

/* Far more than a record can be: its strings are bounded by CSI. */
#define RECORD_MAX (64 * 1024)

struct catalog {
	int volumes_fd, trash_fd, lock_fd;

	pthread_mutex_t mutex; /* guards the rest */
	bool writer;
	struct place_index places; /* of all records, and of those about to be written */
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
	_cleanup_close_ int own = -1;

	if (open_dir(base, ".ordinal", create, &own, err) < 0 ||
		open_dir(own, "volumes", create, &catalog->volumes_fd, err) < 0 ||
		open_dir(own, "trash", create, &catalog->trash_fd, err) < 0)
		return -1;
	catalog->lock_fd = openat(own, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (catalog->lock_fd < 0)
		return error_set_errno(err, errno, "open .ordinal/lock");
	return 0;
}

int catalog_open(int base, bool create, struct catalog **ret_catalog, struct error *err)
{
	_cleanup_(catalog_freep) struct catalog *catalog = calloc(1, sizeof(*catalog));

	if (!catalog)
		abort();
	catalog->volumes_fd = catalog->trash_fd = catalog->lock_fd = -1;
	pthread_mutex_init(&catalog->mutex, NULL);
	if (open_all(catalog, base, create, err) < 0)
		return -1;
	*ret_catalog = take_ptr(catalog);
	return 0;
}

void catalog_free(struct catalog *catalog)
{
	cleanup_close(&catalog->volumes_fd);
	cleanup_close(&catalog->trash_fd);
	cleanup_close(&catalog->lock_fd);
	place_index_done(&catalog->places);
	pthread_mutex_destroy(&catalog->mutex);
	free(catalog);
}

static int read_file(int dir, const char *name, char *text, size_t size, size_t *ret_length)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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
	return 0;
}

static int read_record(const struct catalog *catalog, const char *name, struct record **ret_record,
	struct error *err)
{
	_cleanup_free_ char *text = malloc(RECORD_MAX);
	size_t length;

	if (!text)
		abort();
	if (read_file(catalog->volumes_fd, name, text, RECORD_MAX, &length) < 0) {
		if (errno == ENOENT)
			return error_set(err, ERROR_NOT_FOUND, "the volume does not exist");
		return error_set_errno(err, errno, "read .ordinal/volumes/%s", name);
	}
	if (record_decode(text, length, ret_record, err) < 0)
		return error_prefix(err, ".ordinal/volumes/%s", name);
	return 0;
}

int catalog_read(const struct catalog *catalog, const struct volume_hash *hash,
	struct record **ret_record, struct error *err)
{
	return read_record(catalog, file_name(hash, SUFFIX).text, ret_record, err);
}

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool catalog_has_record(const struct catalog *catalog, const struct volume_hash *hash)
{
	return exists(catalog->volumes_fd, file_name(hash, SUFFIX).text);
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
	return fs_calls->fsync(fd);
}

static int replace_file(int dir, const char *name, const char *new_name, const char *text)
{
	_cleanup_close_ int fd = fs_calls->create(dir, new_name);
	int error;

	if (fd < 0)
		return -1;
	if (write_all(fd, text, strlen(text)) < 0 ||
		fs_calls->renameat(dir, new_name, dir, name) < 0) {
		/* On a full disk every name that is tried would leave its file. */
		error = errno;
		fs_calls->unlinkat(dir, new_name, 0);
		errno = error;
		return -1;
	}
	return fs_calls->fsync(dir);
}

int catalog_write(struct catalog *catalog, const struct volume_hash *hash,
	const struct record *record, struct error *err)
{
	_cleanup_free_ char *text = record_encode(record);
	struct file_name name = file_name(hash, SUFFIX);

	if (replace_file(catalog->volumes_fd, name.text, file_name(hash, NEW_SUFFIX).text, text) <
		0)
		return error_set_errno(err, errno, "write .ordinal/volumes/%s", name.text);
	return 0;
}

int catalog_remove(struct catalog *catalog, const struct volume_hash *hash, struct error *err)
{
	struct file_name name = file_name(hash, SUFFIX);

	if ((fs_calls->unlinkat(catalog->volumes_fd, name.text, 0) < 0 && errno != ENOENT) ||
		fs_calls->fsync(catalog->volumes_fd) < 0)
		return error_set_errno(err, errno, "remove .ordinal/volumes/%s", name.text);
	return 0;
}

/* Under the mutex. */
static int reserve(struct catalog *catalog, const char *path, const struct volume_hash *hash,
	struct error *err)
{
	const struct place *other = place_index_find(&catalog->places, path);

	if (!other) {
		place_index_add(&catalog->places, path, hash);
		return 0;
	}
	if (strcmp(other->path, path))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the path %s is above or below %s, which is another volume's: change the "
			"pathPattern of one of their classes",
			path, other->path);
	if (!strcmp(other->hash.text, hash->text))
		return 0;
	if (catalog_in_trash(catalog, &other->hash))
		return error_set(err, ERROR_ABORTED,
			"the path %s is that of a volume that is being deleted: try again", path);
	return error_set(err, ERROR_ALREADY_EXISTS, "the path %s is another volume's", path);
}

int catalog_reserve(struct catalog *catalog, const char *path, const struct volume_hash *hash,
	struct error *err)
{
	int result;

	pthread_mutex_lock(&catalog->mutex);
	result = reserve(catalog, path, hash, err);
	pthread_mutex_unlock(&catalog->mutex);
	return result;
}

void catalog_release(struct catalog *catalog, const char *path)
{
	pthread_mutex_lock(&catalog->mutex);
	place_index_remove(&catalog->places, path);
	pthread_mutex_unlock(&catalog->mutex);
}

int catalog_trash(struct catalog *catalog)
{
	int fd;

	pthread_mutex_lock(&catalog->mutex);
	fd = catalog->writer ? catalog->trash_fd : -1;
	pthread_mutex_unlock(&catalog->mutex);
	return fd;
}

/* Take in the record in the file NAME, or finish the deletion that moved its data away. */
static int load_record(struct catalog *catalog, const char *name, struct error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct volume_hash hash = {0};

	if (strlen(name) != VOLUME_HASH_LENGTH + strlen(SUFFIX) ||
		strcmp(name + VOLUME_HASH_LENGTH, SUFFIX))
		return 0; /* half-written when a crash came, or not ours */
	memcpy(hash.text, name, VOLUME_HASH_LENGTH);
	if (catalog_in_trash(catalog, &hash))
		return catalog_remove(catalog, &hash, err);
	if (read_record(catalog, name, &record, err) < 0 ||
		reserve(catalog, record->path, &hash, err) < 0)
		return error_prefix(err,
			"volume record %s (move it out of .ordinal/volumes, if it "
			"is of no use)",
			name);
	return 0;
}

static int load_all(struct catalog *catalog, struct error *err)
{
	int copy = openat(catalog->volumes_fd, ".", DIR_FLAGS), result = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "read .ordinal/volumes");
	while (result == 0 && (errno = 0, entry = readdir(dir)))
		result = load_record(catalog, entry->d_name, err);
	if (result == 0 && errno)
		result = error_set_errno(err, errno, "read .ordinal/volumes");
	closedir(dir);
	return result;
}

/* Say in the lock file who has it, for the message that others get. */
static void sign_lock(int fd)
{
	char host[64] = "", text[128];
	int length;

	gethostname(host, sizeof(host) - 1);
	length = snprintf(text, sizeof(text), "process %d on %s", (int)getpid(), host);
	/* Only for people: the lock holds without it. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) < 0)
		return;
}

static int take_lock(struct catalog *catalog, struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char holder[128] = "";

	if (fcntl(catalog->lock_fd, F_OFD_SETLK, &lock) == 0) {
		sign_lock(catalog->lock_fd);
		return 0;
	}
	if (errno != EAGAIN && errno != EACCES)
		return error_set_errno(err, errno, "lock .ordinal/lock");
	if (pread(catalog->lock_fd, holder, sizeof(holder) - 1, 0) <= 0)
		strcpy(holder, "another process");
	return error_set(err, ERROR_UNAVAILABLE,
		".ordinal/lock is held by %s: only one ordinal-csi at a time may change what lies "
		"there; this call succeeds once that one has ended",
		holder);
}

static void drop_lock(struct catalog *catalog)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	place_index_done(&catalog->places);
	/* Cannot fail for a lock that we hold. */
	fcntl(catalog->lock_fd, F_OFD_SETLK, &lock);
}

int catalog_become_writer(struct catalog *catalog, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&catalog->mutex);
	if (!catalog->writer) {
		result = take_lock(catalog, err);
		if (result == 0) {
			result = load_all(catalog, err);
			catalog->writer = result == 0;
			if (result < 0)
				drop_lock(catalog);
		}
	}
	pthread_mutex_unlock(&catalog->mutex);
	return result;
}
