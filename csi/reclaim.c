/* SPDX-License-Identifier: Apache-2.0 */
#include "reclaim.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "remove_tree.h"

/* How long something that cannot be removed is left alone. */
#define RETRY_SECONDS 60

static bool is_trash_of(const struct catalog *catalog, const char *name)
{
	struct volume_hash hash = {0};

	if (*name == '.' || strlen(name) != VOLUME_HASH_LENGTH)
		return false;
	memcpy(hash.text, name, VOLUME_HASH_LENGTH);
	/* With a record its deletion is not complete: DeleteVolume will be called again. */
	return !catalog_has_record(catalog, &hash);
}

static bool may_go_on(void *context)
{
	const struct reclaim *reclaim = context;

	return !atomic_load(&reclaim->stop);
}

/* Remove what is in the trash of BASE; whether nothing is left that should be tried again. */
static bool empty_trash(struct reclaim *reclaim, const struct base *base)
{
	int trash = catalog_trash(base->catalog);
	int copy = trash < 0 ? -1 : openat(trash, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct beneath_watch watch = {may_go_on, reclaim};
	struct dirent *entry;
	struct error err;
	bool clean = true;

	while (dir && (entry = readdir(dir)) && !atomic_load(&reclaim->stop)) {
		if (!is_trash_of(base->catalog, entry->d_name))
			continue;
		if (remove_tree(trash, entry->d_name, &watch, &err) == 0) {
			log_debug("%s/.ordinal/trash/%s: removed", base->location.share,
				entry->d_name);
			continue;
		}
		clean = false;
		if (err.errnum != ECANCELED)
			log_warn("%s/.ordinal/trash: %s; will be tried again in %d s",
				base->location.share, err.text, RETRY_SECONDS);
	}
	if (dir)
		closedir(dir);
	return clean;
}

static bool empty_all(struct reclaim *reclaim)
{
	bool clean = true;

	for (struct base *base = NULL; (base = bases_next(reclaim->bases, base));)
		clean = empty_trash(reclaim, base) && clean;
	return clean;
}

/* Wait for work, or for the time to try again what could not be removed. Under the mutex. */
static void wait_for_work(struct reclaim *reclaim, bool clean)
{
	struct timespec retry;

	clock_gettime(CLOCK_MONOTONIC, &retry);
	retry.tv_sec += RETRY_SECONDS;
	while (!reclaim->work && !atomic_load(&reclaim->stop))
		if (clean)
			pthread_cond_wait(&reclaim->changed, &reclaim->mutex);
		else if (pthread_cond_timedwait(&reclaim->changed, &reclaim->mutex, &retry))
			return;
}

static void *run(void *argument)
{
	struct reclaim *reclaim = argument;
	bool clean = true;

	pthread_mutex_lock(&reclaim->mutex);
	while (wait_for_work(reclaim, clean), !atomic_load(&reclaim->stop)) {
		reclaim->work = false;
		reclaim->busy = true;
		pthread_mutex_unlock(&reclaim->mutex);
		clean = empty_all(reclaim);
		pthread_mutex_lock(&reclaim->mutex);
		reclaim->busy = false;
		pthread_cond_broadcast(&reclaim->changed);
	}
	pthread_mutex_unlock(&reclaim->mutex);
	return NULL;
}

void reclaim_start(struct reclaim *reclaim, struct bases *bases)
{
	pthread_condattr_t monotonic;

	*reclaim = (struct reclaim){.bases = bases, .work = true};
	pthread_mutex_init(&reclaim->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&reclaim->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&reclaim->thread, NULL, run, reclaim))
		abort();
}

void reclaim_stop(struct reclaim *reclaim)
{
	pthread_mutex_lock(&reclaim->mutex);
	atomic_store(&reclaim->stop, true);
	pthread_cond_broadcast(&reclaim->changed);
	pthread_mutex_unlock(&reclaim->mutex);
	pthread_join(reclaim->thread, NULL);
	pthread_cond_destroy(&reclaim->changed);
	pthread_mutex_destroy(&reclaim->mutex);
}

void reclaim_wake(struct reclaim *reclaim)
{
	pthread_mutex_lock(&reclaim->mutex);
	reclaim->work = true;
	pthread_cond_broadcast(&reclaim->changed);
	pthread_mutex_unlock(&reclaim->mutex);
}

void reclaim_wait(struct reclaim *reclaim)
{
	pthread_mutex_lock(&reclaim->mutex);
	while (reclaim->work || reclaim->busy)
		pthread_cond_wait(&reclaim->changed, &reclaim->mutex);
	pthread_mutex_unlock(&reclaim->mutex);
}
