/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lease_record.h"
#include "log.h"

#define POLL_MS           1000 /* while another holds it */
#define CONFLICT_PAUSE_MS 50   /* before reading what was written in between */
#define LOG_INTERVAL_MS   60000
#define IDLE_MS           60000 /* there is nothing to do any more */

struct lease {
	struct lease_options options;
	struct kube_api api;
	char *key, *collection, *path;
	_Atomic int64_t held_until_ms; /* by boottime(); written under the lock; 0: not held */

	/* Touched by the lease's thread alone, and after it by lease_release(). */
	struct json_object *seen; /* what the record was when we last saw it; or NULL */
	int64_t seen_ms;          /* when that, or that it is gone, was seen first */
	bool missing;             /* it is gone since */
	bool current;             /* nobody is known to have written since */
	bool attempted;           /* the record may say our name */
	int limit_ms;             /* of a request */
	char *waiting_for;        /* the holder that was logged */
	enum error_kind logged;   /* the last failure that was logged */
	int64_t logged_ms;

	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool leading; /* written by the thread alone, which reads it without the lock */
	bool stopped, released, lost;
};

static int64_t system_boottime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t boottime(const struct lease *lease)
{
	return lease->options.boottime_ms();
}

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		abort();
	return made;
}

struct lease *lease_new(const struct kube_api *api, const struct lease_options *options)
{
	struct lease *lease = calloc(1, sizeof(*lease));
	pthread_condattr_t attributes;

	if (!lease)
		abort();
	lease->api = *api;
	lease->options = *options;
	lease->options.identity = copy(options->identity);
	if (asprintf(&lease->key, "%s/%s", options->namespace, options->name) < 0 ||
		asprintf(&lease->collection, "/apis/coordination.k8s.io/v1/namespaces/%s/leases",
			options->namespace) < 0 ||
		asprintf(&lease->path, "%s/%s", lease->collection, options->name) < 0)
		abort();
	lease->options.namespace = copy(options->namespace);
	lease->options.name = copy(options->name);
	lease->options.duration_ms = options->duration_ms ? options->duration_ms : 15000;
	lease->options.renew_deadline_ms =
		options->renew_deadline_ms ? options->renew_deadline_ms : 10000;
	lease->options.retry_period_ms = options->retry_period_ms ? options->retry_period_ms : 2000;
	if (!options->boottime_ms)
		lease->options.boottime_ms = system_boottime_ms;
	lease->limit_ms = lease->options.renew_deadline_ms / 2;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lease->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&lease->lock, NULL);
	return lease;
}

void lease_free(struct lease *lease)
{
	lease_release(lease);
	json_object_put(lease->seen);
	pthread_cond_destroy(&lease->changed);
	pthread_mutex_destroy(&lease->lock);
	free((char *)lease->options.namespace);
	free((char *)lease->options.name);
	free((char *)lease->options.identity);
	free(lease->waiting_for);
	free(lease->collection);
	free(lease->path);
	free(lease->key);
	free(lease);
}

bool lease_is_held(const struct lease *lease)
{
	/* A thread that stops here and goes on later must find the clock, not its limit, moved. */
	int64_t until = atomic_load(&lease->held_until_ms);

	return boottime(lease) < until;
}

static bool is_ours(const struct lease *lease)
{
	return !strcmp(lease_record_holder(lease->seen), lease->options.identity);
}

static bool is_others(const struct lease *lease)
{
	return *lease_record_holder(lease->seen) && !is_ours(lease);
}

/* When the record that we saw expires, unless it changes: its duration, or ours where that is
 * longer, from when we saw it first, which was after it was written. */
static int64_t expiry_ms(const struct lease *lease)
{
	int64_t duration = lease_record_duration_ms(lease->seen);

	if (duration < lease->options.duration_ms)
		duration = lease->options.duration_ms;
	return lease->seen_ms + duration;
}

/* A renewal that has not been answered when the lease ends has come too late. */
static int time_limit(const struct lease *lease)
{
	int64_t until = atomic_load(&lease->held_until_ms), left = until - boottime(lease);

	if (!lease->leading || !until || left > lease->limit_ms)
		return lease->limit_ms;
	return left > 0 ? (int)left : 1;
}

static int send_request(struct lease *lease, const char *method, const char *verb,
	struct json_object *body, struct json_object **ret_json, struct error *err)
{
	const struct rest_request request = {
		.method = method,
		.path = !strcmp(method, "POST") ? lease->collection : lease->path,
		.body = body,
		.timeout_ms = time_limit(lease),
	};

	if (lease->api.call(lease->api.self, &request, ret_json, err) == 0)
		return 0;
	if (err->kind == ERROR_FORBIDDEN)
		error_prefix(err,
			"the verb \"%s\" on leases.coordination.k8s.io in namespace %s is missing",
			verb, lease->options.namespace);
	return -1;
}

/* Take RECORD, as the API server has it now. */
static int observe(struct lease *lease, struct json_object *record, struct error *err)
{
	const char *version = lease_record_version(record);

	if (!version || !*version) {
		json_object_put(record);
		return error_set(err, ERROR_INVALID, "the answer has no resourceVersion");
	}
	if (!lease->seen || lease->missing || strcmp(version, lease_record_version(lease->seen)))
		lease->seen_ms = boottime(lease);
	json_object_put(lease->seen);
	lease->seen = record;
	lease->missing = false;
	return 0;
}

static int read_record(struct lease *lease, struct error *err)
{
	struct json_object *record = NULL;

	if (send_request(lease, "GET", "get", NULL, &record, err) == 0)
		return observe(lease, record, err);
	if (err->kind != ERROR_NOT_FOUND)
		return -1;
	if (!lease->missing)
		lease->seen_ms = boottime(lease);
	lease->missing = true;
	return 0;
}

/* Refused, by the precondition, where somebody wrote since we looked. */
static int write_record(struct lease *lease, const char *holder, struct error *err)
{
	struct json_object *old = lease->missing ? NULL : lease->seen, *answer = NULL;
	struct json_object *record = lease_record_make(old, lease->options.namespace,
		lease->options.name, holder, lease->options.duration_ms);
	int result = send_request(
		lease, old ? "PUT" : "POST", old ? "update" : "create", record, &answer, err);

	json_object_put(record);
	if (result == 0)
		result = observe(lease, answer, err);
	lease->current = result == 0;
	return result;
}

static void hold_from(struct lease *lease, int64_t sent_ms)
{
	pthread_mutex_lock(&lease->lock);
	if (!lease->released)
		atomic_store(&lease->held_until_ms, sent_ms + lease->options.renew_deadline_ms);
	pthread_mutex_unlock(&lease->lock);
}

/* Whether the record may be ours now. One that was deleted is no hand-over: whoever held it, taken
 * or renewed since we looked, may do so for its duration. */
static bool may_write(const struct lease *lease)
{
	bool expired = boottime(lease) >= expiry_ms(lease);

	if (lease->missing && lease->seen)
		return lease->leading || expired;
	return !is_others(lease) || expired;
}

/* One try to get the lease, or to keep it. 0 also where another holds it. */
static int try_to_hold(struct lease *lease, struct error *err)
{
	int64_t sent;

	if (!lease->current && read_record(lease, err) < 0)
		return -1;
	sent = boottime(lease);
	if (!may_write(lease))
		return 0;
	lease->attempted = true;
	if (write_record(lease, lease->options.identity, err) < 0)
		return -1;
	hold_from(lease, sent);
	return 0;
}

static void acquire(struct lease *lease)
{
	_cleanup_object_ struct object *object = object_parse(&lease_type, lease->seen, NULL);

	log_info("lease %s: %s became leader", lease->key, lease->options.identity);
	pthread_mutex_lock(&lease->lock);
	lease->leading = true;
	pthread_cond_broadcast(&lease->changed);
	pthread_mutex_unlock(&lease->lock);
	if (lease->options.acquired)
		lease->options.acquired(lease->options.context, object);
}

static void lose(struct lease *lease, const struct error *err)
{
	bool released;

	pthread_mutex_lock(&lease->lock);
	atomic_store(&lease->held_until_ms, 0);
	lease->lost = true;
	released = lease->released;
	pthread_cond_broadcast(&lease->changed);
	pthread_mutex_unlock(&lease->lock);
	if (released)
		return;
	if (is_others(lease))
		log_error("lease %s: lost: %s holds it", lease->key,
			lease_record_holder(lease->seen));
	else
		log_error("lease %s: lost: not renewed within %d ms%s%s", lease->key,
			lease->options.renew_deadline_ms, err->kind ? ": " : "", err->text);
	if (lease->options.lost)
		lease->options.lost(lease->options.context);
}

/* Somebody wrote since we looked: to be read again. */
static bool is_conflict(enum error_kind kind)
{
	return kind == ERROR_CONFLICT || kind == ERROR_ALREADY_EXISTS;
}

/* One line for a failure, and then one a minute while it lasts. */
static void log_failure(struct lease *lease, const struct error *err)
{
	int64_t now = boottime(lease);

	if (is_conflict(err->kind) ||
		(lease->logged == err->kind && now - lease->logged_ms < LOG_INTERVAL_MS))
		return;
	lease->logged = err->kind;
	lease->logged_ms = now;
	log_warn("lease %s: %s; trying again", lease->key, err->text);
}

static void log_holder(struct lease *lease)
{
	const char *holder = lease_record_holder(lease->seen);

	if (lease->leading || (lease->waiting_for && !strcmp(lease->waiting_for, holder)))
		return;
	free(lease->waiting_for);
	lease->waiting_for = copy(holder);
	log_info("lease %s: %s leads; standing by", lease->key, holder);
}

/* Up to a quarter less, so that those who wait do not all come together. */
static int64_t jitter(int64_t ms)
{
	uint32_t dice = 0;

	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		return ms;
	return ms - ms * (dice % 256) / 1024;
}

/* How long to wait after a turn that began at STARTED and failed with ERR, or did not. */
static int next_delay(const struct lease *lease, int64_t started, const struct error *err)
{
	int64_t period = lease->options.retry_period_ms, now = boottime(lease), delay, end = 0;

	if (lease->leading) {
		delay = started + period - now; /* a renewal comes each period */
		if (delay < period / 4)
			delay = period / 4;
		if (is_conflict(err->kind) && delay > CONFLICT_PAUSE_MS)
			delay = CONFLICT_PAUSE_MS;
		end = atomic_load(&lease->held_until_ms);
	} else if (err->kind) {
		delay = jitter(period);
	} else {
		delay = jitter(period < POLL_MS ? period : POLL_MS);
		end = expiry_ms(lease);
	}
	if (end && delay > end - now)
		delay = end - now;
	return delay < 1 ? 1 : (int)delay;
}

static bool is_over_locked(const struct lease *lease)
{
	return lease->released || lease->lost || (lease->stopped && !lease->leading);
}

static bool is_over(struct lease *lease)
{
	bool over;

	pthread_mutex_lock(&lease->lock);
	over = is_over_locked(lease);
	pthread_mutex_unlock(&lease->lock);
	return over;
}

int lease_step(struct lease *lease)
{
	int64_t started = boottime(lease);
	struct error err = {0};
	int result = 0;

	if (is_over(lease))
		return IDLE_MS;
	/* One that ran out, while the machine or we were stopped, is not taken up again. */
	if (!lease->leading || lease_is_held(lease))
		result = try_to_hold(lease, &err);
	if (result == 0)
		lease->logged = err.kind = ERROR_NONE;
	if (lease->leading && (is_others(lease) || !lease_is_held(lease))) {
		lose(lease, &err);
		return IDLE_MS;
	}
	if (result < 0)
		log_failure(lease, &err);
	else if (is_others(lease))
		log_holder(lease);
	else if (!lease->leading && lease_is_held(lease))
		acquire(lease);
	return next_delay(lease, started, &err);
}

static void pause_for(struct lease *lease, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&lease->lock);
	if (!is_over_locked(lease))
		pthread_cond_timedwait(&lease->changed, &lease->lock, &until);
	pthread_mutex_unlock(&lease->lock);
}

static void *run(void *context)
{
	struct lease *lease = context;

	while (!is_over(lease))
		pause_for(lease, lease_step(lease));
	return NULL;
}

void lease_start(struct lease *lease)
{
	lease->started = true;
	if (pthread_create(&lease->thread, NULL, run, lease))
		abort();
}

bool lease_wait(struct lease *lease)
{
	bool held;

	pthread_mutex_lock(&lease->lock);
	while (!lease->leading && !lease->stopped)
		pthread_cond_wait(&lease->changed, &lease->lock);
	held = lease->leading && !lease->stopped && !lease->lost;
	pthread_mutex_unlock(&lease->lock);
	return held;
}

void lease_stop(struct lease *lease)
{
	pthread_mutex_lock(&lease->lock);
	lease->stopped = true;
	pthread_cond_broadcast(&lease->changed);
	pthread_mutex_unlock(&lease->lock);
}

static int give_back(struct lease *lease, struct error *err)
{
	if (read_record(lease, err) < 0)
		return -1;
	return lease->missing || !is_ours(lease) ? 0 : write_record(lease, "", err);
}

void lease_release(struct lease *lease)
{
	struct error err = {0};
	bool again;
	int result;

	pthread_mutex_lock(&lease->lock);
	again = lease->released;
	lease->stopped = lease->released = true;
	atomic_store(&lease->held_until_ms, 0);
	pthread_cond_broadcast(&lease->changed);
	pthread_mutex_unlock(&lease->lock);
	if (again)
		return;
	if (lease->started)
		pthread_join(lease->thread, NULL);
	if (!lease->attempted)
		return;
	lease->limit_ms = lease->options.retry_period_ms;
	result = give_back(lease, &err);
	/* A renewal that nobody answered was written after all: once more. */
	if (result < 0 && is_conflict(err.kind))
		result = give_back(lease, &err);
	if (result < 0)
		log_warn("lease %s: not given back, so that it must expire: %s", lease->key,
			err.text);
}
