/* SPDX-License-Identifier: Apache-2.0 */
#include "reuse.h"

#include <string.h>

#include "log.h"
#include "names.h"
#include "quantity.h"
#include "resize_fields.h"
#include "volume_object.h"

/* What the cache has of volumes at the claim's place. */
struct search {
	const struct controller *controller;
	const struct claim *claim;
	const char *name; /* of the volume that would be made for it */
	const char *owner, *namespace_uid;
	bool any_namespace;
	bool served;                   /* one is the claim's already */
	const struct volume *released; /* the newest; a reference is held */
	const struct volume *leaving;  /* one that is not released yet, or not deleted; the same */
	size_t released_count;
};

static bool has_parameter(
	const struct provisioning *provisioning, const char *key, const char *wanted)
{
	const char *value = string_map_get(&provisioning->class->parameters, key);

	return value && !strcmp(value, wanted);
}

static bool is_of_place(const struct search *search, const struct volume *volume)
{
	const struct volume_place *place = volume->place;

	if (!place || strcmp(place->owner, search->owner) ||
		!strcmp(volume->object.name, search->name) ||
		strcmp(volume->driver, search->controller->driver.info.name) ||
		strcmp(volume->class_name, search->claim->class_name))
		return false;
	return search->any_namespace ||
	       (place->namespace_uid && search->namespace_uid &&
		       !strcmp(place->namespace_uid, search->namespace_uid));
}

static bool is_newer(const struct volume *volume, const struct volume *than)
{
	const char *created = volume->place->created ? volume->place->created : "";
	const char *other = than->place->created ? than->place->created : "";

	return strcmp(created, other) > 0;
}

static void replace(const struct volume **at, const struct volume *volume)
{
	object_unref(*at);
	*at = object_ref(volume);
}

/* The claim has the name of the volume's claim: where the UID is another, that one is gone,
 * whatever the phase is, and the volume will be released. */
static void consider(void *context, const struct object *object)
{
	const struct volume *volume = (const struct volume *)object;
	struct search *search = context;

	if (!is_of_place(search, volume))
		return;
	/* Without a UID the controller-manager binds it to the claim of that name: this one. */
	if (!volume->resize.claim_uid ||
		!strcmp(volume->resize.claim_uid, search->claim->object.uid)) {
		search->served = true;
	} else if (!strcmp(volume->reclaim_policy, "Delete")) {
		if (strcmp(volume->phase, "Failed"))
			replace(&search->leaving, volume);
	} else if (strcmp(volume->reclaim_policy, "Retain") || volume->object.deleting) {
		return;
	} else if (strcmp(volume->phase, "Released")) {
		replace(&search->leaving, volume);
	} else {
		search->released_count++;
		if (!search->released || is_newer(volume, search->released))
			replace(&search->released, volume);
	}
}

static int check_size(const struct volume *volume, int64_t wanted, struct error *err)
{
	char has[32], asked[32];

	if (volume->resize.capacity == wanted || volume->resize.capacity < 0)
		return 0;
	quantity_format(volume->resize.capacity, has, sizeof(has));
	quantity_format(wanted, asked, sizeof(asked));
	if (wanted < volume->resize.capacity)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the data that this replica had are in volume %s, which has %s, and the "
			"claim asks for only %s: let it ask for %s, or delete that volume to begin "
			"anew",
			volume->object.name, has, asked, has);
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"the data that this replica had are in volume %s, which has only %s, and the claim "
		"asks for %s: let it ask for %s, and grow when it has them, or delete that volume "
		"to begin anew",
		volume->object.name, has, asked, has);
}

static bool has_modes(const struct volume *volume, const struct strings *modes)
{
	const char *name;

	for (size_t i = 0; i < modes->count; i++) {
		bool found = false;

		for (size_t bit = 0; (name = resize_fields_access_mode(bit)); bit++)
			found |= (volume->resize.access_modes >> bit & 1) &&
				 !strcmp(name, modes->items[i]);
		if (!found)
			return false;
	}
	return true;
}

/* What does not fit is never bound by the controller-manager, and never says why. */
static int check_fits(
	const struct volume *volume, const struct provisioning *provisioning, struct error *err)
{
	if (volume->resize.block != provisioning->claim->block)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the data that this replica had are in volume %s, whose volumeMode is %s: "
			"let the claim ask for that, or delete that volume to begin anew",
			volume->object.name, volume->resize.block ? "Block" : "Filesystem");
	if (!has_modes(volume, &provisioning->claim->access_modes))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the data that this replica had are in volume %s, which lacks an access "
			"mode that the claim asks for: let it ask for those of the volume, or "
			"delete that volume to begin anew",
			volume->object.name);
	if (strcmp(volume->attributes_class, provisioning->claim->attributes_class))
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the data that this replica had are in volume %s, whose "
			"VolumeAttributesClass is \"%s\": let the claim name that one, and another "
			"when it has them, or delete that volume to begin anew",
			volume->object.name, volume->attributes_class);
	return check_size(volume, provisioning->request->required_bytes, err);
}

static int patch_claim_ref(const struct search *search, struct error *err)
{
	const struct object *volume = &search->released->object;
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *notes = json_object_new_object();
	struct json_object *spec = json_object_new_object();
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {
		.method = "PATCH", .content_type = "application/merge-patch+json", .body = body};
	int result;

	if (asprintf(&path, "%s/%s", volume_type.path, volume->name) < 0)
		abort();
	request.path = path;
	json_object_object_add(metadata, "uid", json_object_new_string(volume->uid));
	json_object_object_add(
		metadata, "resourceVersion", json_object_new_string(volume->resource_version));
	if (search->namespace_uid)
		json_object_object_add(notes, ORDINAL_KEY_NAMESPACE_UID,
			json_object_new_string(search->namespace_uid));
	json_object_object_add(metadata, "annotations", notes);
	json_object_object_add(spec, "claimRef", volume_object_claim_reference(search->claim));
	json_object_object_add(body, "metadata", metadata);
	json_object_object_add(body, "spec", spec);
	result = search->controller->api.call(search->controller->api.self, &request, NULL, err);
	json_object_put(body);
	return result < 0 ? error_prefix(err, "bind volume %s again", volume->name) : 0;
}

static int bind_released(
	const struct search *search, const struct provisioning *provisioning, struct error *err)
{
	const struct controller *controller = search->controller;
	const struct object *claim = &search->claim->object;
	const char *name = search->released->object.name,
		   *created = search->released->place->created;
	_cleanup_free_ char *label = object_label(claim);

	if (check_fits(search->released, provisioning, err) < 0 || patch_claim_ref(search, err) < 0)
		return -1;
	event_record(controller->events, claim, EVENT_NORMAL, "VolumeReused",
		"The claim gets volume %s of %s with its data, which an earlier claim of the same "
		"replica left%s",
		name, created ? created : "an unknown time",
		search->released_count > 1 ? "; older ones of that replica stay Released" : "");
	log_event(LOG_LEVEL_INFO, "bound a released volume again", LOG_STR("claim", label),
		LOG_STR("volume", name));
	return 0;
}

/* A volume made now would be empty, beside the data. */
static int wait_for(const struct search *search, struct error *err)
{
	const char *name = search->leaving->object.name;
	bool deleted = !strcmp(search->leaving->reclaim_policy, "Delete");

	event_record(search->controller->events, &search->claim->object, EVENT_NORMAL,
		"WaitForEarlierVolume",
		"Volume %s of an earlier claim of the same replica is about to be %s; this claim "
		"waits for that",
		name, deleted ? "deleted" : "released");
	return error_set(err, ERROR_ABORTED, "volume %s is not %s yet", name,
		deleted ? "deleted" : "released");
}

int reuse_volume(const struct controller *controller, const struct provisioning *provisioning,
	bool *ret_served, struct error *err)
{
	const struct place *place = &provisioning->request->place;
	const struct claim *claim = provisioning->claim;
	_cleanup_free_ char *owner = volume_place_owner(claim->object.namespace, place);
	struct search search = {
		.controller = controller,
		.claim = claim,
		.name = provisioning->request->name,
		.owner = owner,
		.namespace_uid = string_map_get(
			&provisioning->request->parameters, ORDINAL_KEY_NAMESPACE_UID),
		.any_namespace = has_parameter(provisioning, "reuseAcrossNamespaces", "true"),
	};
	int result = 0;

	*ret_served = false;
	if (!controller->driver.info.ours || !*place->statefulset || *claim->data_source ||
		*claim->restore_from || !has_parameter(provisioning, "reuse", "ordinal"))
		return 0;
	store_each(controller->volumes, consider, &search);
	if (search.served)
		*ret_served = true;
	else if (search.leaving)
		result = wait_for(&search, err);
	else if (search.released) {
		result = bind_released(&search, provisioning, err);
		*ret_served = result == 0;
	}
	object_unref(search.leaving);
	object_unref(search.released);
	return result;
}

void reuse_report(const struct controller *controller, const struct provisioning *provisioning,
	const struct csi_volume *volume)
{
	const char *whose = string_map_get(&volume->context, ORDINAL_KEY_PREDECESSOR);

	if (controller->driver.info.ours && whose)
		event_record(controller->events, &provisioning->claim->object, EVENT_NORMAL,
			"DataTakenUp",
			"The volume has the data of the same replica's earlier one, %s", whose);
}
