/* SPDX-License-Identifier: Apache-2.0 */
#include "modify_fields.h"

#include <string.h>

static const char *const states[] = {
	[MODIFY_PENDING] = "Pending",
	[MODIFY_IN_PROGRESS] = "InProgress",
	[MODIFY_INFEASIBLE] = "Infeasible",
};

static const char *const conditions[] = {"ModifyingVolume", "ModifyVolumeError"};

static const struct claim_modify nothing = {.current = (char *)"", .target = (char *)""};

const char *modify_fields_state_name(enum modify_state state)
{
	return states[state];
}

const char *modify_fields_condition(size_t bit)
{
	return bit < ARRAY_SIZE(conditions) ? conditions[bit] : NULL;
}

static uint8_t state_of(struct json_object *status)
{
	const char *name = json_string(status, "status");

	for (uint8_t i = MODIFY_PENDING; name && i < ARRAY_SIZE(states); i++)
		if (!strcmp(states[i], name))
			return i;
	return MODIFY_NONE;
}

static void read_condition(struct claim_modify *modify, struct json_object *condition)
{
	const char *type = json_string(condition, "type");
	const char *status = json_string(condition, "status");

	if (!type || !status || strcmp(status, "True"))
		return;
	for (size_t bit = 0; bit < ARRAY_SIZE(conditions); bit++)
		if (!strcmp(conditions[bit], type))
			modify->conditions |= (uint8_t)(1u << bit);
	if (!strcmp(type, "ModifyVolumeError"))
		modify->failed_at = json_time(condition, "lastTransitionTime");
}

static void read_conditions(struct claim_modify *modify, struct json_object *list)
{
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++)
		read_condition(modify, json_object_array_get_idx(list, i));
}

void modify_fields_of_claim(
	const struct claim_modify **field, struct pack *pack, struct json_object *claim)
{
	struct json_object *status = json_member(claim, "status", json_type_object);
	struct json_object *begun = json_member(status, "modifyVolumeStatus", json_type_object);
	const char *current = json_string(status, "currentVolumeAttributesClassName");
	struct claim_modify said = {.state = state_of(begun)}, *modify;

	read_conditions(&said, json_member(status, "conditions", json_type_array));
	*field = &nothing;
	if (!current && !begun && !said.conditions)
		return;
	modify = pack_take(pack, 1, sizeof(*modify));
	*modify = said;
	pack_point(pack, field, modify);
	pack_string(pack, &modify->current, current);
	pack_string(pack, &modify->target, json_string(begun, "targetVolumeAttributesClassName"));
}

/* external-provisioner notes the secret in annotations: a PersistentVolume has no field for it. */
void modify_fields_of_volume(
	struct volume_modify **field, struct pack *pack, struct json_object *volume)
{
	struct json_object *annotations = json_member(
		json_member(volume, "metadata", json_type_object), "annotations", json_type_object);
	const char *namespace = json_string(annotations, MODIFY_SECRET_NAMESPACE);
	const char *name = json_string(annotations, MODIFY_SECRET_NAME);
	struct volume_modify *modify;

	*field = NULL;
	if (!namespace || !name || (!*namespace && !*name))
		return;
	modify = pack_take(pack, 1, sizeof(*modify));
	pack_point(pack, field, modify);
	pack_string(pack, &modify->secret_namespace, namespace);
	pack_string(pack, &modify->secret_name, name);
}
