/* SPDX-License-Identifier: Apache-2.0 */
#include "resize_status.h"

#include <time.h>

#include "quantity.h"
#include "resize_fields.h"

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

/* {"storage": BYTES} */
static struct json_object *storage(int64_t bytes)
{
	struct json_object *object = json_object_new_object();
	char size[32];

	quantity_format(bytes, size, sizeof(size));
	json_object_object_add(object, "storage", text(size));
	return object;
}

static struct json_object *metadata_of(const struct object *object)
{
	struct json_object *metadata = json_object_new_object();

	json_object_object_add(metadata, "uid", text(object->uid));
	json_object_object_add(metadata, "resourceVersion", text(object->resource_version));
	return metadata;
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

/* Conditions are a list that a strategic merge patch merges by type. */
static struct json_object *conditions_of(const struct resize_change *change)
{
	struct json_object *list = json_object_new_array();
	const char *type;

	for (size_t bit = 0; (type = resize_fields_condition(bit)); bit++) {
		if (change->condition & 1u << bit)
			json_object_array_add(list, condition_set(type, change->message));
		if (change->drop & 1u << bit)
			json_object_array_add(list, condition_dropped(type));
	}
	return list;
}

static struct json_object *status_of(const struct resize_change *change)
{
	struct json_object *status = json_object_new_object();
	struct json_object *states;
	const char *state;

	if (change->condition || change->drop)
		json_object_object_add(status, "conditions", conditions_of(change));
	if (change->state != RESIZE_STATE_KEEP) {
		states = json_object_new_object();
		state = resize_fields_state_name((enum resize_state)change->state);
		json_object_object_add(states, "storage", state ? text(state) : NULL);
		json_object_object_add(status, "allocatedResourceStatuses", states);
	}
	if (change->allocated)
		json_object_object_add(status, "allocatedResources", storage(change->allocated));
	if (change->capacity)
		json_object_object_add(status, "capacity", storage(change->capacity));
	return status;
}

int resize_status_patch_claim(const struct kube_api *api, const struct claim *claim,
	const struct resize_change *change, struct claim **ret_claim, struct error *err)
{
	struct json_object *body = json_object_new_object(), *answer = NULL;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "PATCH",
		.content_type = "application/strategic-merge-patch+json",
		.body = body};
	struct claim *changed = NULL;

	if (asprintf(&path, "/api/v1/namespaces/%s/persistentvolumeclaims/%s/status",
		    claim->object.namespace, claim->object.name) < 0)
		abort();
	request.path = path;
	json_object_object_add(body, "metadata", metadata_of(&claim->object));
	json_object_object_add(body, "status", status_of(change));
	if (api->call(api->self, &request, &answer, err) == 0)
		changed = (struct claim *)object_parse(&claim_type, answer, err);
	json_object_put(answer);
	json_object_put(body);
	if (!changed)
		return error_prefix(err, "write the claim's status");
	*ret_claim = changed;
	return 0;
}

int resize_status_patch_volume(const struct kube_api *api, const struct volume *volume,
	int64_t bytes, int64_t pre_resize, struct error *err)
{
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = metadata_of(&volume->object);
	struct json_object *spec = json_object_new_object();
	struct json_object *annotations;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {
		.method = "PATCH", .content_type = "application/merge-patch+json", .body = body};
	char size[32];
	int result;

	if (asprintf(&path, "%s/%s", volume_type.path, volume->object.name) < 0)
		abort();
	request.path = path;
	if (pre_resize >= 0) {
		annotations = json_object_new_object();
		quantity_format(pre_resize, size, sizeof(size));
		json_object_object_add(annotations, RESIZE_FIELDS_PRE_RESIZE, text(size));
		json_object_object_add(metadata, "annotations", annotations);
	}
	json_object_object_add(spec, "capacity", storage(bytes));
	json_object_object_add(body, "metadata", metadata);
	json_object_object_add(body, "spec", spec);
	result = api->call(api->self, &request, NULL, err);
	json_object_put(body);
	return result < 0 ? error_prefix(err, "write the size of persistentvolume %s",
				    volume->object.name)
			  : 0;
}
