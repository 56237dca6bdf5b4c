/* SPDX-License-Identifier: Apache-2.0 */
#include "exports.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "caller.h"
#include "export_table.h"
#include "helper.h"
#include "log.h"

/* How long a server may take. */
#define MOUNT_MS   30000
#define CHECK_MS   10000
#define UNMOUNT_MS 10000

/* How long an answer of the server is taken for a sign that it will answer the next question. */
#define FRESH_MS 2000

/* Whoever has been inside for as long waits for a server that hangs. */
#define STUCK_MS 3000

/* How often those who wait look whether their callers do. */
#define LOOK_MS 100

/* How long an error is given to those who asked meanwhile, too. */
#define FAILED_MS 1000

/* A place inside. */
struct export_slot {
	struct export *export;
	int holders; /* the thread, and the helper process that works for it */
	int64_t since;
};

struct export
{
	struct exports *exports;
	struct location location;
	char name[LOCATION_NAME_MAX + 1];
	char *path;
	bool given;

	/* Under the mutex of exports. */
	int users;
	struct export_slot slots[EXPORT_INSIDE_MAX];
	bool busy;        /* somebody mounts, looks at or unmounts it */
	int64_t answered; /* when the server did last; 0: look again */
	int64_t failed;   /* when that failed last, and how */
	struct error failure;
	SLIST_ENTRY(export) link;
};

void exports_init(struct exports *exports, const char *dir)
{
	pthread_condattr_t monotonic;

	exports->dir = dir;
	exports->fresh_ms = FRESH_MS;
	pthread_mutex_init(&exports->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&exports->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	SLIST_INIT(&exports->list);
}

static bool is_entered(const struct export *export)
{
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		if (export->slots[i].holders)
			return true;
	return false;
}

static void free_export(struct exports *exports, struct export *export)
{
	SLIST_REMOVE(&exports->list, export, export, link);
	free(export->path);
	free(export);
}

void exports_done(struct exports *exports)
{
	struct export *export, *next;
	bool hangs = false;

	pthread_mutex_lock(&exports->mutex);
	for (export = SLIST_FIRST(&exports->list); export; export = next) {
		next = SLIST_NEXT(export, link);
		if (is_entered(export))
			hangs = true;
		else
			free_export(exports, export);
	}
	pthread_mutex_unlock(&exports->mutex);
	if (hangs) /* a reaper will look for them yet */
		return;
	pthread_cond_destroy(&exports->changed);
	pthread_mutex_destroy(&exports->mutex);
}

/* Where LOCATION is mounted: one directory for each export and options. */
static char *mount_path(const struct exports *exports, const struct location *location)
{
	char name[LOCATION_NAME_MAX + 1], text[LOCATION_NAME_MAX + MOUNT_OPTIONS_MAX + 3], *path;
	struct volume_hash hash;

	location_name(location, name);
	snprintf(text, sizeof(text), "%s\n%s", name, location->options);
	volume_id_hash(text, &hash);
	if (asprintf(&path, "%s/%s", exports->dir ? exports->dir : "", hash.text) < 0)
		abort();
	return path;
}

/* The path of a mount of LOCATION that there is, or NULL. Caller frees. */
static char *find_mounted(const struct exports *exports, const struct location *location)
{
	char name[LOCATION_NAME_MAX + 1], *path = NULL;
	struct export_mount *mounts;
	size_t count;

	location_name(location, name);
	if (!exports->dir || export_table_read(exports->dir, name, &mounts, &count, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < count && !path; i++)
		if (!*location->options || mounts[i].port == mount_options_port(location->options))
			path = take_ptr(mounts[i].path);
	export_table_free(mounts, count);
	return path;
}

static struct export *find_any(const struct exports *exports, const struct location *location)
{
	struct export *export;

	SLIST_FOREACH (export, &exports->list, link)
		if (location_equal(&export->location, location))
			return export;
	return NULL;
}

static struct export *find_path(const struct exports *exports, const char *path)
{
	struct export *export;

	SLIST_FOREACH (export, &exports->list, link)
		if (!strcmp(export->path, path))
			return export;
	return NULL;
}

static struct export *add_export(
	struct exports *exports, const struct location *location, char *path, bool given)
{
	struct export *export = calloc(1, sizeof(*export));

	if (!export)
		abort();
	export->exports = exports;
	export->location = *location;
	export->path = path;
	export->given = given;
	location_name(location, export->name);
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		export->slots[i].export = export;
	SLIST_INSERT_HEAD(&exports->list, export, link);
	return export;
}

/* Under the mutex. */
static struct export *find_or_add(
	struct exports *exports, const struct location *location, const char *given)
{
	struct export *export = location->any_options ? find_any(exports, location) : NULL;
	char *path = NULL;

	if (export)
		return export;
	if (given)
		path = strdup(given);
	else if (location->any_options)
		path = find_mounted(exports, location);
	if (!path)
		path = mount_path(exports, location);
	export = find_path(exports, path);
	if (!export)
		return add_export(exports, location, path, given != NULL);
	free(path);
	if (!location->any_options) {
		export->location = *location; /* what it was found without */
		location_name(location, export->name);
	}
	return export;
}

struct export *exports_use(
	struct exports *exports, const struct location *location, const char *path)
{
	struct export *export;

	pthread_mutex_lock(&exports->mutex);
	export = find_or_add(exports, location, path);
	export->users++;
	pthread_mutex_unlock(&exports->mutex);
	return export;
}

/* Under the mutex. */
static struct export_slot *free_slot(struct export *export)
{
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		if (!export->slots[i].holders)
			return &export->slots[i];
	return NULL;
}

static bool all_are_stuck(const struct export *export, int64_t now)
{
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		if (now - export->slots[i].since < STUCK_MS)
			return false;
	return true;
}

static void wait_until(struct exports *exports, int64_t when)
{
	const struct timespec deadline = {when / 1000, when % 1000 * 1000000};

	pthread_cond_timedwait(&exports->changed, &exports->mutex, &deadline);
}

static int caller_left(const struct export *export, struct error *err)
{
	return error_set(
		err, ERROR_TIMEOUT, "%s does not answer in the caller's time", export->name);
}

static int take_slot(struct export *export, struct export_slot **ret_slot, struct error *err)
{
	int64_t began = caller_now_ms(), now = began;
	struct export_slot *slot;

	while (!(slot = free_slot(export))) {
		if (caller_is_gone())
			return caller_left(export, err);
		if (all_are_stuck(export, now) || now - began >= STUCK_MS)
			return error_set(err, ERROR_UNAVAILABLE,
				"%s does not answer: %d calls wait for it already", export->name,
				EXPORT_INSIDE_MAX);
		wait_until(export->exports, now + LOOK_MS);
		now = caller_now_ms();
	}
	slot->holders = 1;
	slot->since = now;
	*ret_slot = slot;
	return 0;
}

static void leave_slot(void *context)
{
	struct export_slot *slot = context;
	struct exports *exports = slot->export->exports;

	pthread_mutex_lock(&exports->mutex);
	slot->holders--;
	pthread_cond_broadcast(&exports->changed);
	pthread_mutex_unlock(&exports->mutex);
}

/* Let a helper process do something about EXPORT, in SLOT. */
static int help(struct export_slot *slot, const char *verb, const char *first, const char *second,
	int limit_ms, struct error *err)
{
	struct export *export = slot->export;
	const struct helper helper = {
		.verb = verb,
		.arguments = {export->path, first, second},
		.limit_ms = limit_ms,
		.ended = leave_slot,
		.context = slot,
	};

	pthread_mutex_lock(&export->exports->mutex);
	slot->holders++;
	pthread_mutex_unlock(&export->exports->mutex);
	return helper_run(&helper, err);
}

static int make_directory(const struct export *export, struct error *err)
{
	if (!export->exports->dir)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"there is no --export for it, and this driver has no directory to mount it in");
	for (char *slash = strchr(export->path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(export->path, 0755);
		*slash = '/';
	}
	if (mkdir(export->path, 0755) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "make the directory %s", export->path);
	return 0;
}

static int mount_it(struct export_slot *slot, struct error *err)
{
	struct export *export = slot->export;

	if (make_directory(export, err) < 0 ||
		help(slot, "mount", export->name, export->location.options,
			caller_limit_ms(MOUNT_MS), err) < 0)
		return error_prefix(err, "mount %s", export->name);
	log_info("%s is mounted on %s%s%s", export->name, export->path,
		*export->location.options ? " with " : "", export->location.options);
	return 0;
}

/* Without asking the server. */
static bool is_mounted(const struct export *export)
{
	struct export_mount *mounts;
	bool found = false;
	size_t count;

	if (!export->exports->dir ||
		export_table_read(export->exports->dir, export->name, &mounts, &count, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		found = found || !strcmp(mounts[i].path, export->path);
	export_table_free(mounts, count);
	return found;
}

static int explain_check(const struct export *export, struct error *err)
{
	if (err->errnum == EACCES || err->errnum == EPERM)
		return error_set(err, ERROR_FORBIDDEN,
			"server %s refuses root: export it with no_root_squash or set uid/gid",
			export->name);
	if (err->errnum == ENOENT && export->given)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the directory %s, at which --export says that %s is, does not exist",
			export->path, export->name);
	if (err->kind != ERROR_INTERNAL)
		err->kind = ERROR_UNAVAILABLE;
	return error_prefix(err, "%s", export->name);
}

/* The server does not know what is mounted any more: binds that are there keep it, new ones get
 * another mount. */
static int mount_anew(struct export_slot *slot, struct error *err)
{
	log_warn("%s has a stale handle: it is mounted anew; pods that use it must start again",
		slot->export->name);
	if (help(slot, "unmount", "", NULL, UNMOUNT_MS, err) < 0 || mount_it(slot, err) < 0)
		return -1;
	return help(slot, "check", NULL, NULL, caller_limit_ms(CHECK_MS), err);
}

/* Mount it where it is not, and ask the server. */
static int prepare(struct export_slot *slot, struct error *err)
{
	struct export *export = slot->export;

	if (!export->given && !is_mounted(export) && mount_it(slot, err) < 0)
		return -1;
	if (help(slot, "check", NULL, NULL, caller_limit_ms(CHECK_MS), err) == 0)
		return 0;
	if (err->errnum == ESTALE && !export->given && mount_anew(slot, err) == 0)
		return 0;
	return explain_check(export, err);
}

/* Under the mutex, which is given up meanwhile. */
static int look(struct export_slot *slot, struct error *err)
{
	struct export *export = slot->export;
	struct exports *exports = export->exports;
	struct error failure;
	int result;

	while (export->busy) {
		if (caller_is_gone())
			return caller_left(export, err);
		wait_until(exports, caller_now_ms() + LOOK_MS);
	}
	if (export->answered && caller_now_ms() - export->answered < exports->fresh_ms)
		return 0;
	if (export->failed && caller_now_ms() - export->failed < FAILED_MS) {
		*err = export->failure;
		return -1;
	}
	export->busy = true;
	pthread_mutex_unlock(&exports->mutex);
	result = prepare(slot, &failure);
	pthread_mutex_lock(&exports->mutex);
	export->busy = false;
	export->answered = result < 0 ? 0 : caller_now_ms();
	/* That this caller had no time for it is no answer for others. */
	export->failed = result < 0 && !caller_is_gone() ? caller_now_ms() : 0;
	if (result < 0)
		*err = export->failure = failure;
	pthread_cond_broadcast(&exports->changed);
	return result;
}

int export_enter(struct export *export, struct export_pass *pass, struct error *err)
{
	struct exports *exports = export->exports;
	struct export_slot *slot = NULL;
	struct error why;
	int result;

	pthread_mutex_lock(&exports->mutex);
	result = take_slot(export, &slot, &why);
	if (result == 0)
		result = look(slot, &why);
	pthread_mutex_unlock(&exports->mutex);
	if (result < 0) {
		if (slot)
			leave_slot(slot);
		if (err)
			*err = why;
		return -1;
	}
	*pass = (struct export_pass){export, slot};
	return 0;
}

void export_leave(struct export_pass *pass)
{
	if (pass->slot)
		leave_slot(pass->slot);
	pass->slot = NULL;
}

bool export_is_alone(const struct export_pass *pass)
{
	const struct export *export = pass->export;
	int holders = 0;

	pthread_mutex_lock(&export->exports->mutex);
	for (int i = 0; i < EXPORT_INSIDE_MAX; i++)
		holders += export->slots[i].holders;
	pthread_mutex_unlock(&export->exports->mutex);
	return holders == 1;
}

void export_suspect(struct export *export)
{
	pthread_mutex_lock(&export->exports->mutex);
	export->answered = 0;
	pthread_mutex_unlock(&export->exports->mutex);
}

/* Who repeats the call gets a new mount. */
static int doubt(struct export *export, struct error *err)
{
	export_suspect(export);
	if (err)
		err->kind = ERROR_UNAVAILABLE;
	return -1;
}

int export_open(struct export *export, int *ret_fd, struct error *err)
{
	int fd = open(export->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int errnum = errno;

	if (fd < 0) {
		error_set_errno(err, errnum, "open %s", export->name);
		return errnum == ESTALE ? doubt(export, err) : -1;
	}
	*ret_fd = fd;
	return 0;
}

static bool is_bound(struct exports *exports, const struct export *export, bool *ret_shared)
{
	struct export_mount *mounts;
	bool bound = true;
	size_t count;

	if (!exports->dir || export_table_read(exports->dir, NULL, &mounts, &count, NULL) < 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(mounts[i].path, export->path)) {
			bound = mounts[i].bound;
			*ret_shared = mounts[i].shared;
		}
	export_table_free(mounts, count);
	return bound;
}

/* Under the mutex, which is given up meanwhile: unmount EXPORT if nobody needs it. */
static void release(struct exports *exports, struct export *export)
{
	struct export_slot *slot = free_slot(export);
	bool shared = false;
	struct error err;

	if (export->given || export->users || export->busy || !slot ||
		is_bound(exports, export, &shared))
		return;
	export->busy = true;
	slot->holders = 1;
	slot->since = caller_now_ms();
	pthread_mutex_unlock(&exports->mutex);
	/* Whoever waits for a server that hangs is ended, if nobody else's requests are. */
	if (help(slot, "unmount", shared ? "" : "force", NULL, UNMOUNT_MS, &err) < 0)
		log_warn("%s: %s", export->name, err.text);
	else if (rmdir(export->path) == 0)
		log_info("%s is unmounted from %s", export->name, export->path);
	leave_slot(slot);
	pthread_mutex_lock(&exports->mutex);
	export->busy = false;
	export->answered = 0;
	pthread_cond_broadcast(&exports->changed);
}

void export_drop(struct export *export)
{
	struct exports *exports = export->exports;

	pthread_mutex_lock(&exports->mutex);
	if (--export->users == 0)
		release(exports, export);
	pthread_mutex_unlock(&exports->mutex);
}

void exports_sweep(struct exports *exports)
{
	struct export_mount *mounts;
	size_t count;

	if (!exports->dir || export_table_read(exports->dir, NULL, &mounts, &count, NULL) < 0)
		return;
	pthread_mutex_lock(&exports->mutex);
	for (size_t i = 0; i < count; i++) {
		struct export *export = find_path(exports, mounts[i].path);

		if (!export && !mounts[i].bound)
			export = add_export(
				exports, &(struct location){0}, take_ptr(mounts[i].path), false);
		if (export && !mounts[i].bound)
			release(exports, export);
	}
	pthread_mutex_unlock(&exports->mutex);
	export_table_free(mounts, count);
}

static void forget(void *context)
{
	(void)context;
}

int exports_unmount(struct exports *exports, const char *path, struct error *err)
{
	const struct helper helper = {
		.verb = "unmount",
		.arguments = {path, ""},
		.limit_ms = UNMOUNT_MS,
		.ended = forget,
	};
	size_t layers;

	if (!exports->dir || export_table_count_last(exports->dir, path, &layers, err) < 0)
		return exports->dir ? -1 : 0;
	while (layers--)
		if (helper_run(&helper, err) < 0)
			return -1;
	return 0;
}
