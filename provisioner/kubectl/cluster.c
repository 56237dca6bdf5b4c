/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "walk.h"

#define PAGE      "500"
#define PAGES_MAX 2000 /* of a list that ends */
#define TRIES_MAX 3    /* of a list that the server forgot */

/* kubectl's own place for it, which is nobody's where there is none: inside a pod for example. */
static char *default_kubeconfig(void)
{
	const char *home = getenv("HOME"), *paths = getenv("KUBECONFIG");
	_cleanup_free_ char *path = NULL;

	if ((paths && *paths) || !home || !*home)
		return NULL;
	if (asprintf(&path, "%s/.kube/config", home) < 0)
		abort();
	return access(path, F_OK) == 0 ? take_ptr(path) : NULL;
}

int cluster_open(struct cluster *ret_cluster, const struct arguments *arguments, struct error *err)
{
	_cleanup_free_ char *path = arguments->kubeconfig ? NULL : default_kubeconfig();
	struct cluster cluster = {.config = NULL};

	if (kube_config_load_context(arguments->kubeconfig ? arguments->kubeconfig : path,
		    arguments->context, &cluster.config, err) < 0)
		return -1;
	cluster.client = rest_client_new(cluster.config);
	cluster.api = rest_client_api(cluster.client);
	cluster.namespace = arguments->all_namespaces   ? ""
			    : arguments->namespace      ? arguments->namespace
			    : cluster.config->namespace ? cluster.config->namespace
							: "default";
	*ret_cluster = cluster;
	return 0;
}

void cluster_close(struct cluster *cluster)
{
	rest_client_free(cluster->client);
	kube_config_free(cluster->config);
}

char *cluster_path(const char *prefix, const char *namespace, const char *plural)
{
	bool all = !*namespace;
	char *path;

	if (asprintf(&path, "%s%s%s/%s", prefix, all ? "" : "/namespaces/", namespace, plural) < 0)
		abort();
	return path;
}

static char *page_path(const char *path, const char *token)
{
	char *escaped = token ? curl_easy_escape(NULL, token, 0) : NULL, *page;

	if (asprintf(&page, "%s?limit=" PAGE "%s%s", path, escaped ? "&continue=" : "",
		    escaped ? escaped : "") < 0)
		abort();
	curl_free(escaped);
	return page;
}

/* One page, and *TOKEN moved on to the next, or to NULL. */
static int read_page(const struct kube_api *api, const char *path, struct json_object *all,
	char **token, struct error *err)
{
	_cleanup_free_ char *page_of = page_path(path, *token);
	const struct rest_request request = {.method = "GET", .path = page_of};
	struct json_object *page = NULL, *items;
	const char *next;

	if (api->call(api->self, &request, &page, err) < 0)
		return -1;
	items = walk_to(page, "items", json_type_array);
	for (size_t i = 0; i < walk_count(items); i++)
		json_object_array_add(all, json_object_get(walk_item(items, i)));
	next = walk_text(page, "metadata.continue");
	free(*token);
	*token = next && *next ? strdup(next) : NULL;
	if (next && *next && !*token)
		abort();
	json_object_put(page);
	return 0;
}

static int read_pages(
	const struct kube_api *api, const char *path, struct json_object *all, struct error *err)
{
	_cleanup_free_ char *token = NULL;

	for (int i = 0; i < PAGES_MAX; i++) {
		if (read_page(api, path, all, &token, err) < 0)
			return -1;
		if (!token)
			return 0;
	}
	return error_set(err, ERROR_INTERNAL, "%s: the list has no end", path);
}

int cluster_list(const struct kube_api *api, const char *path, struct json_object **ret_items,
	struct error *err)
{
	struct error why = {.kind = ERROR_NONE};

	for (int i = 0; i < TRIES_MAX; i++) {
		struct json_object *all = json_object_new_array();

		if (read_pages(api, path, all, &why) == 0) {
			*ret_items = all;
			return 0;
		}
		json_object_put(all);
		if (why.kind != ERROR_EXPIRED)
			break;
	}
	if (err)
		*err = why;
	return -1;
}
