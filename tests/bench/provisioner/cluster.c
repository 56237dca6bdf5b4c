/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "manifests.h"
#include "measure.h"
#include "objects.h"
#include "patches.h"
#include "volume_controller.h"

#define PAGE          500
#define CLEAN_SECONDS 300

void cluster_open(struct cluster *cluster, const char *kubeconfig)
{
	struct error err;

	*cluster = (struct cluster){.kubeconfig = kubeconfig};
	errno = 0;
	if (kube_config_load(kubeconfig, &cluster->config, &err) < 0)
		failure_exit("%s", err.text);
	cluster->client = rest_client_new(cluster->config);
	cluster->api = rest_client_api(cluster->client);
}

void cluster_close(struct cluster *cluster)
{
	rest_client_free(cluster->client);
	kube_config_free(cluster->config);
}

/* Make a request; false where there is no such thing. */
static bool request(const struct cluster *cluster, const char *method, const char *path,
	struct json_object *body, const char *type, struct json_object **ret_body)
{
	struct rest_request request = {
		.method = method, .path = path, .body = body, .content_type = type};
	struct error err;

	if (cluster->api.call(cluster->api.self, &request, ret_body, &err) == 0)
		return true;
	errno = 0;
	if (err.kind != ERROR_NOT_FOUND)
		failure_exit("%s", err.text);
	return false;
}

static struct json_object *parse(const char *text)
{
	struct json_object *json = json_tokener_parse(text);

	errno = 0;
	if (!json)
		failure_exit("this is no JSON: %s", text);
	return json;
}

void cluster_post(const struct cluster *cluster, const char *path, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *body;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		abort();
	body = parse(text);
	if (!request(cluster, "POST", path, body, NULL, NULL))
		failure_exit("nothing can be made at %s", path);
	json_object_put(body);
}

void cluster_patch(const struct cluster *cluster, const char *path, const char *patch)
{
	struct json_object *body = parse(patch);

	if (!request(cluster, "PATCH", path, body, "application/merge-patch+json", NULL))
		failure_exit("there is no %s", path);
	json_object_put(body);
}

bool cluster_delete(const struct cluster *cluster, const char *format, ...)
{
	_cleanup_free_ char *path = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&path, format, args);
	va_end(args);
	if (length < 0)
		abort();
	return request(cluster, "DELETE", path, NULL, NULL, NULL);
}

struct json_object *cluster_get(const struct cluster *cluster, const char *path)
{
	struct json_object *body = NULL;

	return request(cluster, "GET", path, NULL, NULL, &body) ? body : NULL;
}

void cluster_prepare(const struct cluster *cluster)
{
	cluster_clean(cluster);
	cluster_post(cluster, "/api/v1/namespaces", MANIFESTS_NAMESPACE);
	cluster_post(cluster, "/apis/storage.k8s.io/v1/storageclasses", MANIFESTS_CLASS);
	cluster_post(cluster, "/api/v1/nodes", MANIFESTS_NODE);
	cluster_post(cluster, "/apis/storage.k8s.io/v1/csinodes", MANIFESTS_CSI_NODE);
}

/* A page of a collection that is being emptied of what CLASS names; NULL: of all. */
struct page {
	const struct cluster *cluster;
	const char *path, *class_name;
	struct json_object *items;
	atomic_ulong removed;
};

static void remove_one(void *context, unsigned long number)
{
	struct page *page = context;
	struct json_object *item = json_object_array_get_idx(page->items, number);
	struct json_object *metadata = json_member(item, "metadata", json_type_object);
	const char *class_name =
		json_string(json_member(item, "spec", json_type_object), "storageClassName");
	_cleanup_free_ char *path = NULL;
	struct error ignored;

	if (page->class_name &&
		(!class_name || strncmp(class_name, page->class_name, strlen(page->class_name))))
		return;
	if (asprintf(&path, "%s/%s", page->path, json_string(metadata, "name")) < 0)
		abort();
	cluster_delete(page->cluster, "%s?gracePeriodSeconds=0", path);
	/* Nobody is there who would. Where it has no such finalizer this says nothing. */
	if (page->class_name)
		patches_finalizer(&page->cluster->api, path, json_string(metadata, "uid"),
			VOLUME_FINALIZER, false, &ignored);
	atomic_fetch_add(&page->removed, 1);
}

/* Go through the collection once; how many were told to go. */
static unsigned long remove_pass(struct page *page)
{
	_cleanup_free_ char *token = NULL;
	unsigned long before = atomic_load(&page->removed);

	do {
		_cleanup_free_ char *path = NULL;
		struct json_object *list;

		if (asprintf(&path, "%s?limit=%d&continue=%s", page->path, PAGE,
			    token ? token : "") < 0)
			abort();
		list = cluster_get(page->cluster, path);
		page->items = json_member(list, "items", json_type_array);
		measure_run(&(struct measure_loop){.threads = CLUSTER_THREADS,
			.limit = page->items ? json_object_array_length(page->items) : 0,
			.step = remove_one,
			.context = page});
		free(token);
		token = cluster_continue(list);
		json_object_put(list);
	} while (token);
	return atomic_load(&page->removed) - before;
}

static void remove_collection(
	const struct cluster *cluster, const char *path, const char *class_name)
{
	struct page page = {.cluster = cluster, .path = path, .class_name = class_name};
	double end = measure_now() + CLEAN_SECONDS;

	errno = 0;
	while (remove_pass(&page))
		if (measure_now() > end)
			failure_exit("%s do not go", path);
}

char *cluster_continue(struct json_object *list)
{
	const char *token =
		json_string(json_member(list, "metadata", json_type_object), "continue");

	return token && *token ? strdup(token) : NULL;
}

void cluster_clean(const struct cluster *cluster)
{
	struct json_object *left;

	remove_collection(cluster, CLUSTER_SETS, NULL);
	remove_collection(cluster, "/api/v1/namespaces/" CLUSTER_NAMESPACE "/pods", NULL);
	remove_collection(cluster, CLUSTER_CLAIMS, NULL);
	remove_collection(cluster, CLUSTER_VOLUMES, CLUSTER_CLASS);
	cluster_delete(cluster, "/apis/storage.k8s.io/v1/storageclasses/" CLUSTER_CLASS);
	cluster_delete(cluster, "/apis/storage.k8s.io/v1/csinodes/" CLUSTER_NODE);
	cluster_delete(cluster, "/api/v1/nodes/" CLUSTER_NODE);
	cluster_delete(cluster, "/api/v1/namespaces/" CLUSTER_NAMESPACE);
	while ((left = cluster_get(cluster, "/api/v1/namespaces/" CLUSTER_NAMESPACE))) {
		json_object_put(left);
		usleep(100000);
	}
}

void cluster_remove_pods(const struct cluster *cluster, const char *path)
{
	cluster_delete(cluster, "%s", path);
	remove_collection(cluster, "/api/v1/namespaces/" CLUSTER_NAMESPACE "/pods", NULL);
}
