/* SPDX-License-Identifier: Apache-2.0 */
#include "resize_fields.h"

#include <string.h>

#include "names.h"
#include "quantity.h"

static const struct {
	const char *name;
	enum resize_state state;
} states[] = {
	{"ControllerResizeInProgress", RESIZE_CONTROLLER_IN_PROGRESS},
	{"ControllerResizeInfeasible", RESIZE_CONTROLLER_INFEASIBLE},
	{"NodeResizePending", RESIZE_NODE_PENDING},
	{"NodeResizeInProgress", RESIZE_NODE_IN_PROGRESS},
	{"NodeResizeInfeasible", RESIZE_NODE_INFEASIBLE},
	/* As Kubernetes 1.28 to 1.30 called them. */
	{"ControllerResizeFailed", RESIZE_CONTROLLER_INFEASIBLE},
	{"NodeResizeFailed", RESIZE_NODE_INFEASIBLE},
};

static const char *const conditions[] = {
	"Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError"};

static const char *const access_modes[] = {
	"ReadWriteMany", "ReadOnlyMany", "ReadWriteOnce", "ReadWriteOncePod"};

const char *resize_fields_state_name(enum resize_state state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].state == state)
			return states[i].name;
	return NULL;
}

const char *resize_fields_access_mode(size_t bit)
{
	return bit < ARRAY_SIZE(access_modes) ? access_modes[bit] : NULL;
}

const char *resize_fields_condition(size_t bit)
{
	return bit < ARRAY_SIZE(conditions) ? conditions[bit] : NULL;
}

static int64_t storage_of(struct json_object *object, const char *key)
{
	const char *text = json_string(json_member(object, key, json_type_object), "storage");
	int64_t bytes;

	return text && quantity_parse(text, &bytes, NULL) == 0 ? bytes : -1;
}

static uint8_t bit_of(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; name && i < count; i++)
		if (!strcmp(names[i], name))
			return (uint8_t)(1u << i);
	return 0;
}

static void read_condition(struct claim_resize *resize, struct json_object *condition)
{
	const char *status = json_string(condition, "status");
	uint8_t bit = bit_of(conditions, ARRAY_SIZE(conditions), json_string(condition, "type"));
	int64_t time = json_time(condition, "lastTransitionTime");

	if (!status || strcmp(status, "True"))
		return;
	resize->conditions |= bit;
	if (bit & (RESIZE_CONTROLLER_ERROR | RESIZE_NODE_ERROR) && time > resize->failed_at)
		resize->failed_at = time;
}

void resize_fields_of_claim(struct claim_resize *resize, struct json_object *claim)
{
	struct json_object *status = json_member(claim, "status", json_type_object);
	struct json_object *list = json_member(status, "conditions", json_type_array);
	const char *phase = json_string(status, "phase");
	const char *state = json_string(
		json_member(status, "allocatedResourceStatuses", json_type_object), "storage");
	size_t count = list ? json_object_array_length(list) : 0;

	*resize = (struct claim_resize){.bound = phase && !strcmp(phase, "Bound"),
		.lost = phase && !strcmp(phase, "Lost"),
		.capacity = storage_of(status, "capacity"),
		.allocated = storage_of(status, "allocatedResources")};
	for (size_t i = 0; state && i < ARRAY_SIZE(states); i++)
		if (!strcmp(states[i].name, state))
			resize->state = (uint8_t)states[i].state;
	for (size_t i = 0; i < count; i++)
		read_condition(resize, json_object_array_get_idx(list, i));
}

void resize_fields_of_volume(
	struct volume_resize *resize, struct pack *pack, struct json_object *volume)
{
	struct json_object *spec = json_member(volume, "spec", json_type_object);
	struct json_object *csi = json_member(spec, "csi", json_type_object);
	struct json_object *secret =
		json_member(csi, "controllerExpandSecretRef", json_type_object);
	struct json_object *modes = json_member(spec, "accessModes", json_type_array);
	struct json_object *annotations = json_member(
		json_member(volume, "metadata", json_type_object), "annotations", json_type_object);
	const char *quota = json_string(
		json_member(csi, "volumeAttributes", json_type_object), ORDINAL_KEY_QUOTA);
	const char *mode = json_string(spec, "volumeMode"), *fs_type = json_string(csi, "fsType");
	size_t count = modes ? json_object_array_length(modes) : 0;

	resize->capacity = storage_of(spec, "capacity");
	resize->block = mode && !strcmp(mode, "Block");
	resize->is_marked = json_string(annotations, RESIZE_FIELDS_PRE_RESIZE) != NULL;
	resize->unenforced = quota && !strcmp(quota, ORDINAL_QUOTA_NONE);
	pack_optional(pack, &resize->claim_uid,
		json_string(json_member(spec, "claimRef", json_type_object), "uid"));
	pack_optional(pack, &resize->fs_type, fs_type && *fs_type ? fs_type : NULL);
	pack_optional(pack, &resize->secret_namespace, json_string(secret, "namespace"));
	pack_optional(pack, &resize->secret_name, json_string(secret, "name"));
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(modes, i);

		if (json_object_is_type(item, json_type_string))
			resize->access_modes |= bit_of(access_modes, ARRAY_SIZE(access_modes),
				json_object_get_string(item));
	}
}
