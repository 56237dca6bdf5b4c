/* SPDX-License-Identifier: Apache-2.0 */
#include "bases.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "caller.h"
#include "cleanup.h"
#include "log.h"

void bases_init(struct bases *bases, const struct backend *backend)
{
	bases->backend = backend;
	bases->syncer = syncer_new();
	keylock_init(&bases->opening);
	pthread_mutex_init(&bases->mutex, NULL);
	SLIST_INIT(&bases->list);
}

static void free_base(struct base **pointer)
{
	struct base *base = *pointer;

	if (!base)
		return;
	if (base->catalog)
		catalog_free(base->catalog);
	inventory_done(&base->inventory);
	pthread_mutex_destroy(&base->takeover);
	pthread_mutex_destroy(&base->mutex);
	cleanup_close(&base->fd);
	if (base->export)
		export_drop(base->export);
	free(base);
}

void bases_done(struct bases *bases)
{
	while (!SLIST_EMPTY(&bases->list)) {
		struct base *base = SLIST_FIRST(&bases->list);

		SLIST_REMOVE_HEAD(&bases->list, link);
		free_base(&base);
	}
	syncer_free(bases->syncer);
	keylock_done(&bases->opening);
	pthread_mutex_destroy(&bases->mutex);
}

static struct base *find(const struct bases *bases, const struct location *location)
{
	struct base *base;

	SLIST_FOREACH (base, &bases->list, link)
		if (location_equal(&base->location, location) && !atomic_load(&base->lost))
			return base;
	return NULL;
}

int base_enter(struct base *base, struct export_pass *pass, struct error *err)
{
	return base->export ? export_enter(base->export, pass, err) : 0;
}

/* Another one is opened in its place, which must get the lock. */
static void lose(struct base *base)
{
	atomic_store(&base->lost, true);
	catalog_unlock(base->catalog);
}

/* Whether the server does not know the base any more: not only a file below it, which somebody has
 * removed. */
static bool is_stale(const struct base *base)
{
	struct statx status;

	return statx(base->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_INO, &status) < 0 &&
	       errno == ESTALE;
}

int base_explain(struct base *base, struct error *err)
{
	struct error said = *err;

	if (base->export && said.errnum == ESTALE) {
		if (is_stale(base)) {
			if (base->catalog)
				lose(base);
			export_suspect(base->export);
		}
		err->kind = ERROR_UNAVAILABLE;
	}
	if (base->export && (said.errnum == EACCES || said.errnum == EPERM))
		return error_set(err, ERROR_FORBIDDEN,
			"server %s refuses root: export it with no_root_squash or set uid/gid (%s)",
			base->name, said.text);
	return said.errnum ? error_prefix(err, "%s", base->name) : -1;
}

static int open_root(
	const struct backend *backend, struct base *base, bool create, struct error *err)
{
	if (base->export)
		return export_open(base->export, &base->fd, err);
	return backend->ops->open(backend, &base->location, create, &base->fd, err);
}

static int open_catalog(struct base *base, bool create, struct error *err)
{
	if (catalog_open(base->fd, create, base->syncer, &base->catalog, err) == 0)
		return 0;
	if (err->kind == ERROR_NOT_FOUND)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"%s has no directory .ordinal: is its disk mounted?", base->name);
	return base->export ? base_explain(base, err) : error_prefix(err, "%s", base->name);
}

static int open_base(struct bases *bases, const struct location *location, bool create,
	struct base **ret_base, struct error *err)
{
	_cleanup_(free_base) struct base *base = calloc(1, sizeof(*base));
	_cleanup_(export_leave) struct export_pass pass = {0};

	if (!base)
		abort();
	base->location = *location;
	location_name(location, base->name);
	base->fd = -1;
	base->syncer = bases->syncer;
	inventory_init(&base->inventory, NULL);
	pthread_mutex_init(&base->takeover, NULL);
	pthread_mutex_init(&base->mutex, NULL);
	if (bases->backend->ops->use)
		base->export = bases->backend->ops->use(bases->backend, location);
	if (base_enter(base, &pass, err) < 0 || open_root(bases->backend, base, create, err) < 0 ||
		open_catalog(base, create, err) < 0)
		return -1; // cppcheck-suppress memleak
	base->inventory.catalog = base->catalog;
	*ret_base = take_ptr(base);
	return 0;
}

/* Volumes made in, or looked for in, a directory that is not there any more would be lost. */
static int check_in_place(const struct base *base, struct error *err)
{
	struct stat opened, now;

	if (*base->location.server)
		return 0; /* a share is no path of this node */
	if (fstat(base->fd, &opened) < 0)
		return error_set_errno(err, errno, "%s", base->name);
	if (stat(base->location.share, &now) == 0 && now.st_dev == opened.st_dev &&
		now.st_ino == opened.st_ino)
		return 0;
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"%s is not the directory that it was when the driver began to use it: something was "
		"mounted there, or it was moved or removed; undo that, or restart the driver",
		base->name);
}

static struct base *find_open(struct bases *bases, const struct location *location)
{
	struct base *base;

	pthread_mutex_lock(&bases->mutex);
	base = find(bases, location);
	pthread_mutex_unlock(&bases->mutex);
	return base;
}

int bases_get(struct bases *bases, const struct location *location, bool create,
	struct base **ret_base, struct error *err)
{
	_cleanup_(keylock_release) struct keylock_holder held = {0};
	char name[LOCATION_NAME_MAX + 1];
	struct base *base = find_open(bases, location);

	if (!base) {
		/* Not under the mutex: the disk or the server may take its time. */
		location_name(location, name);
		if (keylock_acquire(&bases->opening, name, caller_flag(), &held, err) < 0)
			return -1;
		base = find_open(bases, location);
	}
	if (!base) {
		if (open_base(bases, location, create, &base, err) < 0)
			return -1;
		pthread_mutex_lock(&bases->mutex);
		SLIST_INSERT_HEAD(&bases->list, base, link);
		pthread_mutex_unlock(&bases->mutex);
	} else if (check_in_place(base, err) < 0) {
		return -1;
	}
	*ret_base = base;
	return 0;
}

bool bases_has(struct bases *bases, const struct location *location)
{
	return find_open(bases, location) != NULL;
}

static int become_writer(struct base *base, struct error *err)
{
	if (catalog_lock(base->catalog, err) < 0)
		return -1;
	if (inventory_load(&base->inventory, base->catalog, err) < 0) {
		catalog_unlock(base->catalog);
		/* It says nothing of the volume that a caller asks for, which may be there. */
		err->kind = ERROR_UNAVAILABLE;
		return -1;
	}
	return 0;
}

int base_stay_writer(struct base *base, struct error *err)
{
	if (catalog_check_lock(base->catalog, err) == 0)
		return 0;
	lose(base);
	error_prefix(err, "%s", base->name);
	err->errnum = 0; /* nothing is left to explain */
	return -1;
}

static long long seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

bool base_give_way(struct base *base, const struct export_pass *pass)
{
	bool alone;

	if (!base->export || !base_is_writer(base) ||
		seconds() - atomic_load(&base->used) < BASE_IDLE ||
		!catalog_lock_wanted(base->catalog))
		return false;
	/* Who changes something is inside; who comes now waits, and takes the lock again. */
	pthread_mutex_lock(&base->mutex);
	alone = export_is_alone(pass);
	if (alone) {
		log_info(
			"%s: another process has asked for .ordinal/lock, and gets it", base->name);
		atomic_store(&base->writer, false);
		catalog_unlock(base->catalog);
		inventory_clear(&base->inventory);
	}
	pthread_mutex_unlock(&base->mutex);
	return alone;
}

int base_become_writer(struct base *base, bool *ret_now, struct error *err)
{
	bool now;
	int result;

	atomic_store(&base->used, seconds());
	pthread_mutex_lock(&base->mutex);
	now = !atomic_load(&base->writer);
	result = now ? become_writer(base, err) : 0;
	atomic_store(&base->writer, result == 0);
	pthread_mutex_unlock(&base->mutex);
	if (result < 0)
		return error_prefix(err, "%s", base->name);
	if (!now && base_stay_writer(base, err) < 0)
		return -1;
	if (ret_now)
		*ret_now = now;
	return 0;
}

bool base_is_writer(struct base *base)
{
	return atomic_load(&base->writer) && !atomic_load(&base->lost);
}

struct base *bases_next(struct bases *bases, const struct base *base)
{
	struct base *next;

	pthread_mutex_lock(&bases->mutex);
	next = base ? SLIST_NEXT(base, link) : SLIST_FIRST(&bases->list);
	while (next && atomic_load(&next->lost))
		next = SLIST_NEXT(next, link);
	pthread_mutex_unlock(&bases->mutex);
	return next;
}
