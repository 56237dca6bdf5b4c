/* SPDX-License-Identifier: Apache-2.0 */
#include "ideal.h"

#include <pthread.h>
#include <string.h>

#include "failure.h"
#include "manifests.h"
#include "patches.h"
#include "reflector.h"
#include "watcher.h"
#include "workqueue.h"

struct ideal {
	struct cluster cluster; /* a connection of its own */
	struct store *claims, *volumes;
	struct reflector *reflector;
	struct workqueue *queue;
	pthread_t threads[CLUSTER_THREADS];
};

static void enqueue(struct ideal *ideal, char kind, const char *key)
{
	_cleanup_free_ char *tagged = NULL;

	if (asprintf(&tagged, "%c%s", kind, key) < 0)
		abort();
	workqueue_add(ideal->queue, tagged);
}

static void on_claim(void *context, const struct object *old, const struct object *new)
{
	if (new && ((const struct watched_claim *)new)->annotated &&
		!(old && ((const struct watched_claim *)old)->annotated))
		enqueue(context, 'c', new->key);
}

static void on_volume(void *context, const struct object *old, const struct object *new)
{
	if (new && ((const struct watched_volume *)new)->released &&
		!(old && ((const struct watched_volume *)old)->released))
		enqueue(context, 'v', new->key);
}

static void make_volume(struct ideal *ideal, const char *uid)
{
	_cleanup_object_ struct object *claim = store_get(ideal->claims, uid);
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ char *reference = NULL;

	if (!claim)
		return;
	if (asprintf(&name, "pvc-%s", uid) < 0 ||
		asprintf(&reference,
			", \"claimRef\": {\"apiVersion\": \"v1\", \"kind\": "
			"\"PersistentVolumeClaim\", \"namespace\": \"%s\", \"name\": \"%s\", "
			"\"uid\": \"%s\", \"resourceVersion\": \"%s\"}",
			claim->namespace, claim->name, uid, claim->resource_version) < 0)
		abort();
	cluster_post(&ideal->cluster, CLUSTER_VOLUMES, MANIFESTS_VOLUME, name, MANIFESTS_FINALIZERS,
		name, 0ul, "Delete", CLUSTER_CLASS, reference);
}

static void remove_volume(struct ideal *ideal, const char *name)
{
	_cleanup_object_ struct object *volume = store_get(ideal->volumes, name);
	_cleanup_free_ char *path = NULL;
	struct error err;

	if (!volume)
		return;
	if (asprintf(&path, CLUSTER_VOLUMES "/%s", name) < 0)
		abort();
	cluster_delete(&ideal->cluster, "%s", path);
	if (patches_finalizer(
		    &ideal->cluster.api, path, volume->uid, VOLUME_FINALIZER, false, &err) < 0 &&
		err.kind != ERROR_NOT_FOUND)
		failure_exit("%s", err.text);
}

static void *work(void *context)
{
	struct ideal *ideal = context;
	const char *key;

	while ((key = workqueue_take(ideal->queue))) {
		if (*key == 'c')
			make_volume(ideal, key + 1);
		else
			remove_volume(ideal, key + 1);
		workqueue_done(ideal->queue, key, true);
	}
	return NULL;
}

struct ideal *ideal_start(const struct cluster *cluster)
{
	struct ideal *ideal = calloc(1, sizeof(*ideal));

	if (!ideal)
		abort();
	cluster_open(&ideal->cluster, cluster->kubeconfig);
	ideal->queue = workqueue_new(&(struct workqueue_options){.retry_min_ms = 1000});
	ideal->claims = store_new(on_claim, ideal);
	ideal->volumes = store_new(on_volume, ideal);
	ideal->reflector = reflector_new(ideal->cluster.client);
	reflector_add(ideal->reflector, &watcher_claim_type, ideal->claims);
	reflector_add(ideal->reflector, &watcher_volume_type, ideal->volumes);
	reflector_start(ideal->reflector);
	reflector_wait_synced(ideal->reflector);
	for (int i = 0; i < CLUSTER_THREADS; i++)
		if (pthread_create(&ideal->threads[i], NULL, work, ideal))
			failure_exit("start a thread");
	return ideal;
}

void ideal_stop(struct ideal *ideal)
{
	workqueue_stop(ideal->queue);
	for (int i = 0; i < CLUSTER_THREADS; i++)
		pthread_join(ideal->threads[i], NULL);
	reflector_stop(ideal->reflector);
	reflector_free(ideal->reflector);
	store_free(ideal->claims);
	store_free(ideal->volumes);
	workqueue_free(ideal->queue);
	cluster_close(&ideal->cluster);
	free(ideal);
}
