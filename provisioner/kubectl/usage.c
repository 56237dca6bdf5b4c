/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"

#include <stdio.h>
#include <stdlib.h>

#include "dns_name.h"
#include "walk.h"

#define TIMEOUT_MS 10000 /* of a kubelet that may be gone */

struct usage {
	struct json_object *bytes; /* by "NAMESPACE/CLAIM" */
};

struct usage *usage_new(void)
{
	struct usage *usage = calloc(1, sizeof(*usage));

	if (!usage)
		abort();
	usage->bytes = json_object_new_object();
	return usage;
}

void usage_free(struct usage *usage)
{
	json_object_put(usage->bytes);
	free(usage);
}

static void add_volume(struct usage *usage, struct json_object *volume)
{
	const char *namespace = walk_text(volume, "pvcRef.namespace");
	const char *claim = walk_text(volume, "pvcRef.name");
	int64_t used = walk_number(volume, "usedBytes", -1);
	_cleanup_free_ char *key = NULL;

	if (!namespace || !claim || used < 0)
		return;
	if (asprintf(&key, "%s/%s", namespace, claim) < 0)
		abort();
	json_object_object_add(usage->bytes, key, json_object_new_int64(used));
}

void usage_add(struct usage *usage, struct json_object *summary)
{
	struct json_object *pods = walk_to(summary, "pods", json_type_array);

	for (size_t i = 0; i < walk_count(pods); i++) {
		struct json_object *volumes =
			walk_to(walk_item(pods, i), "volume", json_type_array);

		for (size_t j = 0; j < walk_count(volumes); j++)
			add_volume(usage, walk_item(volumes, j));
	}
}

int usage_ask(struct usage *usage, const struct kube_api *api, const char *node, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct json_object *summary = NULL;
	struct rest_request request = {.method = "GET", .timeout_ms = TIMEOUT_MS};

	if (!dns_name_is_subdomain(node))
		return error_set(err, ERROR_INVALID, "\"%s\" is not the name of a node", node);
	if (asprintf(&path, "/api/v1/nodes/%s/proxy/stats/summary", node) < 0)
		abort();
	request.path = path;
	if (api->call(api->self, &request, &summary, err) < 0)
		return -1;
	usage_add(usage, summary);
	json_object_put(summary);
	return 0;
}

int64_t usage_of(const struct usage *usage, const char *namespace, const char *claim)
{
	_cleanup_free_ char *key = NULL;
	struct json_object *bytes;

	if (asprintf(&key, "%s/%s", namespace, claim) < 0)
		abort();
	bytes = json_member(usage->bytes, key, json_type_int);
	return bytes ? json_object_get_int64(bytes) : -1;
}
