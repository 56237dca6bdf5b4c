/* SPDX-License-Identifier: Apache-2.0 */
#include "annotations.h"

#include <string.h>

void annotations_init(
	struct annotations *annotations, const struct kube_api *api, const struct claim *claim)
{
	*annotations = (struct annotations){api, claim, NULL};
}

void annotations_done(struct annotations *annotations)
{
	json_object_put(annotations->json);
}

static int read_claim(struct annotations *annotations, struct error *err)
{
	const struct object *claim = &annotations->claim->object;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct json_object *json;
	const char *uid;

	if (asprintf(&path, "/api/v1/namespaces/%s/persistentvolumeclaims/%s", claim->namespace,
		    claim->name) < 0)
		abort();
	request.path = path;
	if (annotations->api->call(annotations->api->self, &request, &json, err) < 0) {
		/* NOT_FOUND is for nodes. */
		if (err && err->kind == ERROR_NOT_FOUND)
			err->kind = ERROR_FAILED_PRECONDITION;
		return error_prefix(err, "annotations");
	}
	uid = json_string(json_member(json, "metadata", json_type_object), "uid");
	if (uid && !strcmp(uid, claim->uid)) {
		annotations->json = json;
		return 0;
	}
	json_object_put(json);
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"annotations: claim %s/%s is another one by now", claim->namespace, claim->name);
}

int annotations_get(
	struct annotations *annotations, const char *key, const char **ret_value, struct error *err)
{
	struct json_object *metadata;

	if (!annotations->json && read_claim(annotations, err) < 0)
		return -1;
	metadata = json_member(annotations->json, "metadata", json_type_object);
	*ret_value = json_string(json_member(metadata, "annotations", json_type_object), key);
	return 0;
}
