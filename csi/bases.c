/* SPDX-License-Identifier: Apache-2.0 */
#include "bases.h"

#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

void bases_init(struct bases *bases, const struct backend *backend)
{
	bases->backend = backend;
	bases->syncer = syncer_new();
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
	pthread_mutex_destroy(&bases->mutex);
}

static struct base *find(const struct bases *bases, const struct location *location)
{
	struct base *base;

	SLIST_FOREACH (base, &bases->list, link)
		if (location_equal(&base->location, location))
			return base;
	return NULL;
}

static int open_base(struct bases *bases, const struct location *location, bool create,
	struct base **ret_base, struct error *err)
{
	_cleanup_(free_base) struct base *base = calloc(1, sizeof(*base));

	if (!base)
		abort();
	base->location = *location;
	location_name(location, base->name);
	base->fd = -1;
	base->syncer = bases->syncer;
	inventory_init(&base->inventory, NULL);
	pthread_mutex_init(&base->takeover, NULL);
	pthread_mutex_init(&base->mutex, NULL);
	if (bases->backend->ops->open(bases->backend, location, create, &base->fd, err) < 0)
		return -1; // cppcheck-suppress memleak
	if (catalog_open(base->fd, create, bases->syncer, &base->catalog, err) < 0) {
		if (err->kind == ERROR_NOT_FOUND)
			return error_set(err, ERROR_FAILED_PRECONDITION,
				"%s has no directory .ordinal: is its disk mounted?", base->name);
		return error_prefix(err, "%s", base->name);
	}
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

int bases_get(struct bases *bases, const struct location *location, bool create,
	struct base **ret_base, struct error *err)
{
	struct base *base;
	int result = 0;

	pthread_mutex_lock(&bases->mutex);
	base = find(bases, location);
	if (base) {
		result = check_in_place(base, err);
	} else {
		result = open_base(bases, location, create, &base, err);
		if (result == 0)
			SLIST_INSERT_HEAD(&bases->list, base, link);
	}
	pthread_mutex_unlock(&bases->mutex);
	if (result == 0)
		*ret_base = base;
	return result;
}

bool bases_has(struct bases *bases, const struct location *location)
{
	bool found;

	pthread_mutex_lock(&bases->mutex);
	found = find(bases, location) != NULL;
	pthread_mutex_unlock(&bases->mutex);
	return found;
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

int base_become_writer(struct base *base, bool *ret_now, struct error *err)
{
	bool now;
	int result;

	pthread_mutex_lock(&base->mutex);
	now = !base->writer;
	result = now ? become_writer(base, err) : 0;
	base->writer = result == 0;
	pthread_mutex_unlock(&base->mutex);
	if (result < 0)
		return error_prefix(err, "%s", base->name);
	if (ret_now)
		*ret_now = now;
	return 0;
}

bool base_is_writer(struct base *base)
{
	bool writer;

	pthread_mutex_lock(&base->mutex);
	writer = base->writer;
	pthread_mutex_unlock(&base->mutex);
	return writer;
}

struct base *bases_next(struct bases *bases, const struct base *base)
{
	struct base *next;

	pthread_mutex_lock(&bases->mutex);
	next = base ? SLIST_NEXT(base, link) : SLIST_FIRST(&bases->list);
	pthread_mutex_unlock(&bases->mutex);
	return next;
}
