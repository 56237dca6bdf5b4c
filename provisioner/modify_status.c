/* SPDX-License-Identifier: Apache-2.0 */
#include "modify_status.h"

#include "modify_fields.h"
#include "status_patch.h"

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static struct json_object *state_of(const struct modify_change *change)
{
	const char *name = modify_fields_state_name((enum modify_state)change->state);
	struct json_object *state;

	if (!name)
		return NULL;
	state = json_object_new_object();
	json_object_object_add(state, "targetVolumeAttributesClassName", text(change->target));
	json_object_object_add(state, "status", text(name));
	return state;
}

int modify_status_patch_claim(const struct kube_api *api, const struct claim *claim,
	const struct modify_change *change, struct claim **ret_claim, struct error *err)
{
	struct json_object *status = json_object_new_object();

	if (change->condition || change->drop)
		json_object_object_add(status, "conditions",
			status_patch_conditions(modify_fields_condition, change->condition,
				change->drop, change->message));
	if (change->state != MODIFY_STATE_KEEP)
		json_object_object_add(status, "modifyVolumeStatus", state_of(change));
	if (change->current)
		json_object_object_add(
			status, "currentVolumeAttributesClassName", text(change->current));
	return status_patch_claim(api, claim, status, ret_claim, err);
}

int modify_status_patch_volume(const struct kube_api *api, const struct volume *volume,
	const char *class, struct error *err)
{
	struct json_object *spec = json_object_new_object();

	json_object_object_add(spec, "volumeAttributesClassName", text(class));
	if (status_patch_volume(api, volume, spec, NULL, err) == 0)
		return 0;
	return error_prefix(
		err, "write the VolumeAttributesClass of persistentvolume %s", volume->object.name);
}
