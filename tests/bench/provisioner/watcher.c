/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher.h"

#include <pthread.h>
#include <string.h>

#include "failure.h"
#include "measure.h"
#include "reflector.h"

#define WAIT_SECONDS 300

struct watcher {
	struct store *claims, *volumes;
	struct reflector *reflector;
	unsigned long limit;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct watcher_times *times;
	unsigned long counts[EVENTS];
	double last[EVENTS];
};

static bool phase_is(struct json_object *json, const char *phase)
{
	const char *is = json_string(json_member(json, "status", json_type_object), "phase");

	return is && !strcmp(is, phase);
}

static int parse_claim(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct watched_claim *claim = (struct watched_claim *)object;
	struct json_object *annotations = json_member(
		json_member(json, "metadata", json_type_object), "annotations", json_type_object);

	(void)pack;
	(void)err;
	claim->annotated =
		json_string(annotations, "volume.kubernetes.io/storage-provisioner") ||
		json_string(annotations, "volume.beta.kubernetes.io/storage-provisioner");
	claim->bound = phase_is(json, "Bound");
	return 0;
}

static int parse_volume(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct watched_volume *volume = (struct watched_volume *)object;
	struct json_object *spec = json_member(json, "spec", json_type_object);

	(void)err;
	pack_string(pack, &volume->claim,
		json_string(json_member(spec, "claimRef", json_type_object), "name"));
	pack_string(pack, &volume->class_name, json_string(spec, "storageClassName"));
	volume->available = phase_is(json, "Available");
	volume->released = phase_is(json, "Released");
	return 0;
}

const struct object_type watcher_claim_type = {
	.plural = "persistentvolumeclaims",
	.path = CLUSTER_CLAIMS,
	.size = sizeof(struct watched_claim),
	.parse = parse_claim,
	.key_is_uid = true,
};
const struct object_type watcher_volume_type = {
	.plural = "persistentvolumes",
	.path = CLUSTER_VOLUMES,
	.size = sizeof(struct watched_volume),
	.parse = parse_volume,
};

/* The last number in NAME. */
static unsigned long number_of(const char *name)
{
	const char *end = name + strlen(name);

	while (end > name && (end[-1] < '0' || end[-1] > '9'))
		end--;
	while (end > name && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return strtoul(end, NULL, 10);
}

static void note(struct watcher *watcher, enum watcher_event event, const char *name)
{
	double now = measure_now();
	unsigned long number = number_of(name);

	pthread_mutex_lock(&watcher->lock);
	watcher->counts[event]++;
	watcher->last[event] = now;
	if (number < watcher->limit)
		watcher->times[number].at[event] = now;
	pthread_cond_broadcast(&watcher->changed);
	pthread_mutex_unlock(&watcher->lock);
}

static void on_claim(void *context, const struct object *old, const struct object *new)
{
	const struct watched_claim *was = (const struct watched_claim *)old;
	const struct watched_claim *is = (const struct watched_claim *)new;
	struct watcher *watcher = context;

	if (!is) {
		note(watcher, CLAIM_GONE, old->name);
		return;
	}
	if (!was)
		note(watcher, CLAIM_ADDED, new->name);
	if (is->annotated && !(was && was->annotated))
		note(watcher, CLAIM_ANNOTATED, new->name);
	if (is->bound && !(was && was->bound))
		note(watcher, CLAIM_BOUND, new->name);
}

static void on_volume(void *context, const struct object *old, const struct object *new)
{
	const struct object *object = new ? new : old;
	const struct watched_volume *volume = (const struct watched_volume *)object;
	const struct watched_volume *was = (const struct watched_volume *)old;
	struct watcher *watcher = context;

	if (new && volume->available && !(was && was->available))
		note(watcher, VOLUME_AVAILABLE, volume->claim);
	if (strcmp(volume->class_name, CLUSTER_CLASS))
		return;
	if (!new)
		note(watcher, VOLUME_GONE, volume->claim);
	else if (!old)
		note(watcher, VOLUME_ADDED, volume->claim);
}

struct watcher *watcher_new(const struct cluster *cluster, unsigned long limit)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	if (!watcher)
		abort();
	watcher->limit = limit;
	watcher->times = calloc(limit, sizeof(*watcher->times));
	if (!watcher->times)
		abort();
	pthread_mutex_init(&watcher->lock, NULL);
	pthread_cond_init(&watcher->changed, NULL);
	watcher->claims = store_new(on_claim, watcher);
	watcher->volumes = store_new(on_volume, watcher);
	watcher->reflector = reflector_new(cluster->client);
	reflector_add(watcher->reflector, &watcher_claim_type, watcher->claims);
	reflector_add(watcher->reflector, &watcher_volume_type, watcher->volumes);
	reflector_start(watcher->reflector);
	reflector_wait_synced(watcher->reflector);
	return watcher;
}

void watcher_free(struct watcher *watcher)
{
	reflector_stop(watcher->reflector);
	reflector_free(watcher->reflector);
	store_free(watcher->claims);
	store_free(watcher->volumes);
	pthread_cond_destroy(&watcher->changed);
	pthread_mutex_destroy(&watcher->lock);
	free(watcher->times);
	free(watcher);
}

void watcher_reset(struct watcher *watcher)
{
	pthread_mutex_lock(&watcher->lock);
	memset(watcher->times, 0, watcher->limit * sizeof(*watcher->times));
	memset(watcher->counts, 0, sizeof(watcher->counts));
	memset(watcher->last, 0, sizeof(watcher->last));
	pthread_mutex_unlock(&watcher->lock);
}

void watcher_wait(struct watcher *watcher, enum watcher_event event, unsigned long count)
{
	static const char *const names[] = {"claims were made", "claims were annotated",
		"claims were bound", "claims went", "volumes were made", "volumes became available",
		"volumes went"};
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&watcher->lock);
	while (watcher->counts[event] < count)
		if (pthread_cond_timedwait(&watcher->changed, &watcher->lock, &end)) {
			errno = 0;
			failure_exit("only %lu of %lu %s in %d s", watcher->counts[event], count,
				names[event], WAIT_SECONDS);
		}
	pthread_mutex_unlock(&watcher->lock);
}

struct watcher_times watcher_times(struct watcher *watcher, unsigned long number)
{
	struct watcher_times times;

	pthread_mutex_lock(&watcher->lock);
	times = watcher->times[number];
	pthread_mutex_unlock(&watcher->lock);
	return times;
}

double watcher_last(struct watcher *watcher, enum watcher_event event)
{
	double last;

	pthread_mutex_lock(&watcher->lock);
	last = watcher->last[event];
	pthread_mutex_unlock(&watcher->lock);
	return last;
}
