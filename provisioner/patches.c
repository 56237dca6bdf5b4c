/* SPDX-License-Identifier: Apache-2.0 */
#include "patches.h"

int patches_finalizer(const struct kube_api *api, const char *path, const char *uid,
	const char *finalizer, bool add, struct error *err)
{
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *finalizers = json_object_new_array();
	struct rest_request request = {.method = "PATCH",
		.path = path,
		.content_type = "application/strategic-merge-patch+json",
		.body = body};
	int result;

	json_object_array_add(finalizers, json_object_new_string(finalizer));
	json_object_object_add(metadata, "uid", json_object_new_string(uid));
	json_object_object_add(
		metadata, add ? "finalizers" : "$deleteFromPrimitiveList/finalizers", finalizers);
	json_object_object_add(body, "metadata", metadata);
	result = api->call(api->self, &request, NULL, err);
	json_object_put(body);
	return result < 0 ? error_prefix(err, "%s finalizer", add ? "add" : "remove") : 0;
}
