/* SPDX-License-Identifier: Apache-2.0 */
#include "status_patch.h"

#include <time.h>

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static struct json_object *condition_set(const char *type, const char *message)
{
	struct json_object *condition = json_object_new_object();
	time_t now = time(NULL);
	struct tm utc;
	char stamp[32];

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	json_object_object_add(condition, "type", text(type));
	json_object_object_add(condition, "status", text("True"));
	json_object_object_add(condition, "lastTransitionTime", text(stamp));
	if (message)
		json_object_object_add(condition, "message", text(message));
	return condition;
}

static struct json_object *condition_dropped(const char *type)
{
	struct json_object *condition = json_object_new_object();

	json_object_object_add(condition, "$patch", text("delete"));
	json_object_object_add(condition, "type", text(type));
	return condition;
}

struct json_object *status_patch_conditions(
	const char *(*name_of)(size_t bit), unsigned set, unsigned drop, const char *message)
{
	struct json_object *list = json_object_new_array();
	const char *type;

	for (size_t bit = 0; (type = name_of(bit)); bit++) {
		if (set & 1u << bit)
			json_object_array_add(list, condition_set(type, message));
		if (drop & 1u << bit)
			json_object_array_add(list, condition_dropped(type));
	}
	return list;
}

/* A patch that holds for this version of OBJECT only. Caller puts. */
static struct json_object *patch_of(const struct object *object, struct json_object *annotations)
{
	struct json_object *patch = json_object_new_object();
	struct json_object *metadata = json_object_new_object();

	json_object_object_add(metadata, "uid", text(object->uid));
	json_object_object_add(metadata, "resourceVersion", text(object->resource_version));
	if (annotations)
		json_object_object_add(metadata, "annotations", annotations);
	json_object_object_add(patch, "metadata", metadata);
	return patch;
}

int status_patch_claim(const struct kube_api *api, const struct claim *claim,
	struct json_object *status, struct claim **ret_claim, struct error *err)
{
	struct json_object *body = patch_of(&claim->object, NULL), *answer = NULL;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "PATCH",
		.content_type = "application/strategic-merge-patch+json",
		.body = body};
	struct claim *changed = NULL;

	if (asprintf(&path, "/api/v1/namespaces/%s/persistentvolumeclaims/%s/status",
		    claim->object.namespace, claim->object.name) < 0)
		abort();
	request.path = path;
	json_object_object_add(body, "status", status);
	if (api->call(api->self, &request, &answer, err) == 0)
		changed = (struct claim *)object_parse(&claim_type, answer, err);
	json_object_put(answer);
	json_object_put(body);
	if (!changed)
		return error_prefix(err, "write the claim's status");
	*ret_claim = changed;
	return 0;
}

int status_patch_volume(const struct kube_api *api, const struct volume *volume,
	struct json_object *spec, struct json_object *annotations, struct error *err)
{
	struct json_object *body = patch_of(&volume->object, annotations);
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {
		.method = "PATCH", .content_type = "application/merge-patch+json", .body = body};
	int result;

	if (asprintf(&path, "%s/%s", volume_type.path, volume->object.name) < 0)
		abort();
	request.path = path;
	json_object_object_add(body, "spec", spec);
	result = api->call(api->self, &request, NULL, err);
	json_object_put(body);
	return result;
}
