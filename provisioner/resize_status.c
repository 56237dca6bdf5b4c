/* SPDX-License-Identifier: Apache-2.0 */
#include "resize_status.h"

#include "quantity.h"
#include "resize_fields.h"
#include "status_patch.h"

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

static struct json_object *status_of(const struct resize_change *change)
{
	struct json_object *status = json_object_new_object();
	struct json_object *states;
	const char *state;

	if (change->condition || change->drop)
		json_object_object_add(status, "conditions",
			status_patch_conditions(resize_fields_condition, change->condition,
				change->drop, change->message));
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
	return status_patch_claim(api, claim, status_of(change), ret_claim, err);
}

int resize_status_patch_volume(const struct kube_api *api, const struct volume *volume,
	int64_t bytes, int64_t pre_resize, struct error *err)
{
	struct json_object *spec = json_object_new_object();
	struct json_object *annotations = NULL;
	char size[32];

	if (pre_resize >= 0) {
		annotations = json_object_new_object();
		quantity_format(pre_resize, size, sizeof(size));
		json_object_object_add(annotations, RESIZE_FIELDS_PRE_RESIZE, text(size));
	}
	json_object_object_add(spec, "capacity", storage(bytes));
	return status_patch_volume(api, volume, spec, annotations, err) < 0
		       ? error_prefix(
				 err, "write the size of persistentvolume %s", volume->object.name)
		       : 0;
}
