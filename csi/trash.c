/* SPDX-License-Identifier: Apache-2.0 */
#include "trash.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "clone.h"
#include "log.h"
#include "reclaim.h"
#include "remove_tree.h"

#define SECOND 1000000000LL

/* How long what failed is left alone, at first and at most. */
#define RETRY_MIN (60 * SECOND)
#define RETRY_MAX (3600 * SECOND)

/* How often the clock is looked at: somebody may set it, and archives expire by it. */
#define CLOCK_CHECK (3600 * SECOND)

/* How often a long removal says how far it is. */
#define REPORT_EVERY (10 * SECOND)

/* How often it looks whether the base is its process' still. */
#define LOCK_CHECK SECOND

/* How often it looks whether another process asks for the base. */
#define WANTED_CHECK (BASE_IDLE * SECOND)

/* A pause shorter than that is saved up. */
#define PAUSE_MIN (SECOND / 100)

/* A thread. Times are nanoseconds of the monotonic clock. */
struct trash_worker {
	struct trash *trash;
	struct base *base; /* which it looks at; NULL: all on disks of this node */
	pthread_t thread;

	/* Its own. */
	struct base *of;         /* what is being removed: of this base, */
	const char *entry;       /* this, */
	struct export_pass pass; /* by which it is inside */
	long removed;            /* files of it */
	int64_t next;            /* when the next file may go */
	int64_t report;          /* when progress is logged again */
	int64_t check;           /* when the base's lock is looked at again */
	int64_t look;            /* when it is looked whether another process asks for it */

	/* Under the mutex of TRASH. */
	bool work; /* somebody put something into a trash since it was last looked at */
	bool running;
	SLIST_ENTRY(trash_worker) link;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* Wait for a wake-up until the time WHEN; false when it has come. Under the mutex. */
static bool wait_until(struct trash *trash, int64_t when)
{
	struct timespec deadline = {when / SECOND, when % SECOND};

	return pthread_cond_timedwait(&trash->changed, &trash->mutex, &deadline) == 0;
}

/* Keep to the rate. */
static void pace(struct trash_worker *worker, int64_t now)
{
	struct trash *trash = worker->trash;

	if (!trash->rate)
		return;
	/* What was not used up lately does not make a burst. */
	if (worker->next < now - PAUSE_MIN)
		worker->next = now - PAUSE_MIN;
	worker->next += SECOND / trash->rate;
	if (worker->next < now + PAUSE_MIN)
		return;
	pthread_mutex_lock(&trash->mutex);
	while (!atomic_load(&trash->stop) && wait_until(trash, worker->next))
		;
	pthread_mutex_unlock(&trash->mutex);
}

static bool is_ours(struct base *base)
{
	struct error err;

	if (base_stay_writer(base, &err) == 0)
		return true;
	log_warn("%s", err.text);
	return false;
}

/* One file was removed: whether to go on. */
static bool step(void *context)
{
	struct trash_worker *worker = context;
	int64_t now = now_ns();

	worker->removed++;
	if (now >= worker->check) {
		worker->check = now + LOCK_CHECK;
		if (!is_ours(worker->of) || base_give_way(worker->of, &worker->pass))
			return false;
	}
	if (now >= worker->report) {
		worker->report = now + REPORT_EVERY;
		log_info("%s/.ordinal/trash/%s: %ld files removed so far", worker->of->name,
			worker->entry, worker->removed);
	}
	pace(worker, now);
	return !atomic_load(&worker->trash->stop);
}

/* Remove NAME, which is in the trash of BASE; whether it is gone. */
static bool remove_entry(struct trash_worker *worker, struct base *base, const char *name)
{
	const struct beneath_watch watch = {step, worker};
	int64_t started = now_ns();
	struct error err;

	worker->of = base;
	worker->entry = name;
	worker->removed = 0;
	worker->report = started + REPORT_EVERY;
	if (remove_tree(catalog_trash(base->catalog), name, &watch, &err) == 0) {
		int64_t took = now_ns() - started;

		/* Small ones are not worth a line each. */
		log_write(took < REPORT_EVERY ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
			"%s/.ordinal/trash/%s: removed, %ld files in %.1f s", worker->of->name,
			name, worker->removed, (double)took / SECOND);
		return true;
	}
	if (err.errnum != ECANCELED)
		log_warn("%s/.ordinal/trash: %s; will be tried again", worker->of->name, err.text);
	return false;
}

static bool is_trash_of(const struct base *base, const char *name)
{
	struct volume_hash hash = {0};

	if (*name == '.' || strlen(name) != VOLUME_HASH_LENGTH)
		return false;
	memcpy(hash.text, name, VOLUME_HASH_LENGTH);
	/* With a record its deletion is not complete: DeleteVolume will be called again. */
	return !catalog_has_record(base->catalog, &hash);
}

/* Remove what is in the trash of BASE; whether all of it went. */
static bool empty_trash(struct trash_worker *worker, struct base *base)
{
	int fd = catalog_trash(base->catalog);
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	bool clean = true;

	while (dir && (entry = readdir(dir)) && !atomic_load(&worker->trash->stop) &&
		base_is_writer(base))
		if (is_trash_of(base, entry->d_name))
			clean = remove_entry(worker, base, entry->d_name) && clean;
	if (dir)
		closedir(dir);
	return clean;
}

/* Go on with what a crash or an error interrupted; whether nothing is left of it. */
static bool finish(struct trash *trash, struct base *base)
{
	struct volume_hash hash;
	struct error err;
	size_t failed = 0;

	while (inventory_unfinished(&base->inventory, failed, &hash)) {
		_cleanup_(keylock_release) struct keylock_holder held = {0};

		if (keylock_acquire(trash->busy, hash.text, &trash->stop, &held, &err) < 0)
			return false;
		if (reclaim_finish(base, &hash, &err) == 0)
			continue;
		log_warn("%s: archive a deleted volume: %s; will be tried again", base->name,
			err.text);
		failed++;
	}
	return failed == 0;
}

/* Move the archives whose time has come to the trash; whether that succeeded. *NEXT becomes the
 * time when another one's comes, if that is sooner. */
static bool expire(struct base *base, int64_t *next)
{
	int64_t wait;
	struct error err;
	int result = reclaim_expire(base, &wait, &err);

	if (result < 0)
		log_warn("%s/.ordinal/archive: remove what is older than its archiveTTL: %s; will "
			 "be tried again",
			base->name, err.text);
	if (wait < (*next - now_ns()) / 1000)
		*next = now_ns() + wait * 1000;
	return result == 0;
}

/* Whether all went well. */
static bool work_inside(struct trash_worker *worker, struct base *base, int64_t *next)
{
	bool clean;

	if (!is_ours(base))
		return true; /* the next call opens it anew */
	worker->check = now_ns() + LOCK_CHECK;
	clean = finish(worker->trash, base);
	clean = expire(base, next) && clean;
	clone_sweep(base);
	return empty_trash(worker, base) && clean;
}

static bool work_on(struct trash_worker *worker, struct base *base, int64_t *next)
{
	struct error err;
	bool clean;

	if (!base_is_writer(base))
		return true;
	if (base_enter(base, &worker->pass, &err) < 0) {
		log_warn("%s: %s; what is deleted there will be removed later", base->name,
			err.text);
		return false;
	}
	clean = work_inside(worker, base, next);
	export_leave(&worker->pass);
	return clean;
}

static void start_worker(struct trash *trash, struct base *base);

static bool has_worker(const struct trash *trash, const struct base *base)
{
	const struct trash_worker *worker;

	SLIST_FOREACH (worker, &trash->workers, link)
		if (worker->base == base)
			return true;
	return false;
}

/* Under the mutex: the exports that were opened meanwhile have threads of their own. */
static void start_workers(struct trash *trash)
{
	for (struct base *base = NULL; (base = bases_next(trash->bases, base));)
		if (base->export && base_is_writer(base) && !has_worker(trash, base))
			start_worker(trash, base);
}

/* Look at every base once; whether all went well. */
static bool work_once(struct trash_worker *worker, int64_t *ret_next)
{
	struct trash *trash = worker->trash;
	int64_t next = now_ns() + CLOCK_CHECK;
	bool clean = true;

	for (struct base *base = NULL; !worker->base && (base = bases_next(trash->bases, base));)
		if (!base->export)
			clean = work_on(worker, base, &next) && clean;
	if (worker->base)
		clean = work_on(worker, worker->base, &next);
	*ret_next = next;
	return clean;
}

/* What it does between looks at the trash: see whether another process asks for its export. */
static void look(struct trash_worker *worker)
{
	_cleanup_(export_leave) struct export_pass pass = {0};

	worker->look = INT64_MAX;
	if (!worker->base || !base_is_writer(worker->base))
		return;
	worker->look = now_ns() + WANTED_CHECK;
	if (base_enter(worker->base, &pass, NULL) == 0)
		base_give_way(worker->base, &pass);
}

static void *run(void *argument)
{
	struct trash_worker *worker = argument;
	struct trash *trash = worker->trash;
	int64_t retry = RETRY_MIN, next = 0;

	if (!worker->base)
		trash->begin(trash->begin_context);
	pthread_mutex_lock(&trash->mutex);
	while (!atomic_load(&trash->stop)) {
		bool clean, due;

		while (!worker->work && !atomic_load(&trash->stop) &&
			wait_until(trash, next < worker->look ? next : worker->look))
			;
		if (atomic_load(&trash->stop))
			break;
		if (!worker->base)
			start_workers(trash);
		due = worker->work || now_ns() >= next;
		worker->work = false;
		worker->running = true;
		pthread_mutex_unlock(&trash->mutex);
		look(worker);
		clean = !due || work_once(worker, &next);
		if (due)
			retry = clean ? RETRY_MIN : retry < RETRY_MAX / 2 ? retry * 2 : RETRY_MAX;
		if (!clean && now_ns() + retry < next)
			next = now_ns() + retry;
		pthread_mutex_lock(&trash->mutex);
		worker->running = false;
		pthread_cond_broadcast(&trash->changed);
	}
	pthread_mutex_unlock(&trash->mutex);
	return NULL;
}

/* Under the mutex. */
static void start_worker(struct trash *trash, struct base *base)
{
	struct trash_worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		abort();
	worker->trash = trash;
	worker->base = base;
	worker->work = true;
	SLIST_INSERT_HEAD(&trash->workers, worker, link);
	if (pthread_create(&worker->thread, NULL, run, worker))
		abort();
}

void trash_start(struct trash *trash, struct bases *bases, struct keylock *busy, long rate,
	void (*begin)(void *context), void *context)
{
	pthread_condattr_t monotonic;

	*trash = (struct trash){
		.bases = bases,
		.begin = begin,
		.begin_context = context,
		.busy = busy,
		.rate = rate,
	};
	pthread_mutex_init(&trash->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&trash->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_lock(&trash->mutex);
	start_worker(trash, NULL);
	pthread_mutex_unlock(&trash->mutex);
}

void trash_stop(struct trash *trash)
{
	pthread_mutex_lock(&trash->mutex);
	atomic_store(&trash->stop, true);
	pthread_cond_broadcast(&trash->changed);
	pthread_mutex_unlock(&trash->mutex);
	keylock_interrupt(trash->busy);
	while (!SLIST_EMPTY(&trash->workers)) { /* nobody starts one any more */
		struct trash_worker *worker = SLIST_FIRST(&trash->workers);

		SLIST_REMOVE_HEAD(&trash->workers, link);
		pthread_join(worker->thread, NULL);
		free(worker);
	}
	pthread_cond_destroy(&trash->changed);
	pthread_mutex_destroy(&trash->mutex);
}

void trash_wake(struct trash *trash)
{
	struct trash_worker *worker;

	pthread_mutex_lock(&trash->mutex);
	start_workers(trash);
	for (worker = SLIST_FIRST(&trash->workers); worker; worker = SLIST_NEXT(worker, link))
		worker->work = true;
	pthread_cond_broadcast(&trash->changed);
	pthread_mutex_unlock(&trash->mutex);
}

static bool is_idle(const struct trash *trash)
{
	const struct trash_worker *worker;

	SLIST_FOREACH (worker, &trash->workers, link)
		if (worker->work || worker->running)
			return false;
	return true;
}

void trash_wait(struct trash *trash)
{
	pthread_mutex_lock(&trash->mutex);
	while (!is_idle(trash))
		pthread_cond_wait(&trash->changed, &trash->mutex);
	pthread_mutex_unlock(&trash->mutex);
}
