/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_request.h"

#include <string.h>

#include "log.h"
#include "quantity.h"

/* Of the JSON. A later version's request must not be half understood. */
#define FORMAT 1

static char *copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	if (text && !made)
		abort();
	return made;
}

struct volume_request *volume_request_new(const struct claim *claim, const char *name)
{
	struct volume_request *request = calloc(1, sizeof(*request));

	if (!request)
		abort();
	request->refs = 1;
	request->claim_uid = copy(claim->object.uid);
	request->claim_namespace = copy(claim->object.namespace);
	request->claim_name = copy(claim->object.name);
	request->name = copy(name);
	request->fs_type = copy("");
	return request;
}

struct volume_request *volume_request_ref(struct volume_request *request)
{
	if (request)
		__atomic_add_fetch(&request->refs, 1, __ATOMIC_RELAXED);
	return request;
}

void volume_request_unref(struct volume_request *request)
{
	if (!request || __atomic_sub_fetch(&request->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(request->claim_uid);
	free(request->claim_namespace);
	free(request->claim_name);
	free(request->name);
	string_map_done(&request->parameters);
	string_map_done(&request->mutable_parameters);
	strings_done(&request->access_modes);
	strings_done(&request->mount_options);
	free(request->fs_type);
	csi_topologies_done(&request->requisite);
	csi_topologies_done(&request->preferred);
	free(request->source_volume);
	free(request->source_snapshot);
	secret_reference_done(&request->secret);
	free(request);
}

static void put_text(struct json_object *json, const char *key, const char *value)
{
	if (value && *value)
		json_object_object_add(json, key, json_object_new_string(value));
}

static struct json_object *map_json(const struct string_map *map)
{
	struct json_object *json = json_object_new_object();

	for (size_t i = 0; i < map->count; i++)
		json_object_object_add(
			json, map->items[i].key, json_object_new_string(map->items[i].value));
	return json;
}

static void put_strings(struct json_object *json, const char *key, const struct strings *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, json_object_new_string(list->items[i]));
	json_object_object_add(json, key, array);
}

static void put_topologies(
	struct json_object *json, const char *key, const struct csi_topologies *topologies)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < topologies->count; i++)
		json_object_array_add(array, map_json(&topologies->items[i]));
	json_object_object_add(json, key, array);
}

/* The parts that are structs of texts, by the names that their texts have in the JSON. */
static void put_place(struct json_object *json, const struct place *place)
{
	put_text(json, "statefulset", place->statefulset);
	put_text(json, "statefulsetUID", place->statefulset_uid);
	put_text(json, "template", place->template);
	put_text(json, "ordinal", place->ordinal);
}

char *volume_request_encode(const struct volume_request *request)
{
	struct json_object *json = json_object_new_object();
	char *text;

	json_object_object_add(json, "format", json_object_new_int(FORMAT));
	put_text(json, "claimUID", request->claim_uid);
	put_text(json, "claimNamespace", request->claim_namespace);
	put_text(json, "claimName", request->claim_name);
	put_text(json, "name", request->name);
	json_object_object_add(json, "bytes", json_object_new_int64(request->required_bytes));
	json_object_object_add(json, "parameters", map_json(&request->parameters));
	if (request->mutable_parameters.count)
		json_object_object_add(
			json, "mutableParameters", map_json(&request->mutable_parameters));
	put_strings(json, "accessModes", &request->access_modes);
	put_strings(json, "mountOptions", &request->mount_options);
	put_text(json, "fsType", request->fs_type);
	json_object_object_add(json, "block", json_object_new_boolean(request->block));
	put_topologies(json, "requisite", &request->requisite);
	put_topologies(json, "preferred", &request->preferred);
	put_text(json, "sourceVolume", request->source_volume);
	put_text(json, "sourceSnapshot", request->source_snapshot);
	put_text(json, "secretNamespace", request->secret.namespace);
	put_text(json, "secretName", request->secret.name);
	put_place(json, &request->place);
	text = copy(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	json_object_put(json);
	return text;
}

static char *get_text(struct json_object *json, const char *key)
{
	return copy(json_string(json, key));
}

static void get_topologies(
	struct json_object *json, const char *key, struct csi_topologies *topologies)
{
	struct json_object *array = json_member(json, key, json_type_array);
	size_t count = array ? json_object_array_length(array) : 0;

	topologies->items = calloc(count + 1, sizeof(*topologies->items));
	if (!topologies->items)
		abort();
	for (; topologies->count < count; topologies->count++) {
		struct json_object *item = json_object_array_get_idx(array, topologies->count);

		if (json_object_is_type(item, json_type_object))
			string_map_copy(&topologies->items[topologies->count], item);
	}
}

static void get_word(struct json_object *json, const char *key, char *out, size_t size)
{
	const char *text = json_string(json, key);

	snprintf(out, size, "%s", text ? text : "");
}

static void get_place(struct json_object *json, struct place *place)
{
	get_word(json, "statefulset", place->statefulset, sizeof(place->statefulset));
	get_word(json, "statefulsetUID", place->statefulset_uid, sizeof(place->statefulset_uid));
	get_word(json, "template", place->template, sizeof(place->template));
	get_word(json, "ordinal", place->ordinal, sizeof(place->ordinal));
}

static void fill(struct volume_request *request, struct json_object *json)
{
	request->claim_uid = get_text(json, "claimUID");
	request->claim_namespace = get_text(json, "claimNamespace");
	request->claim_name = get_text(json, "claimName");
	request->name = get_text(json, "name");
	request->required_bytes = json_object_get_int64(json_member(json, "bytes", json_type_int));
	string_map_copy(&request->parameters, json_member(json, "parameters", json_type_object));
	string_map_copy(&request->mutable_parameters,
		json_member(json, "mutableParameters", json_type_object));
	strings_copy(
		&request->access_modes, json_member(json, "accessModes", json_type_array), NULL);
	strings_copy(
		&request->mount_options, json_member(json, "mountOptions", json_type_array), NULL);
	request->fs_type = get_text(json, "fsType");
	if (!request->fs_type)
		request->fs_type = copy("");
	request->block = json_object_get_boolean(json_member(json, "block", json_type_boolean));
	get_topologies(json, "requisite", &request->requisite);
	get_topologies(json, "preferred", &request->preferred);
	request->source_volume = get_text(json, "sourceVolume");
	request->source_snapshot = get_text(json, "sourceSnapshot");
	request->secret.namespace = get_text(json, "secretNamespace");
	request->secret.name = get_text(json, "secretName");
	get_place(json, &request->place);
}

struct volume_request *volume_request_decode(const char *text, struct error *err)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		calloc(1, sizeof(*request));
	struct json_object *json = json_tokener_parse(text);
	struct json_object *format = json_member(json, "format", json_type_int);
	bool known = format && json_object_get_int(format) == FORMAT;

	if (!request)
		abort();
	request->refs = 1;
	if (known)
		fill(request, json);
	json_object_put(json);
	if (!known || !request->claim_uid || !request->claim_namespace || !request->claim_name ||
		!request->name) {
		error_set(err, ERROR_INVALID, "not a request that this version understands");
		return NULL;
	}
	return take_ptr(request);
}

int volume_request_secret(const struct volume_request *request, const struct controller *controller,
	struct string_map *ret_secret, struct error *err)
{
	*ret_secret = (struct string_map){.count = 0};
	if (!request->secret.name ||
		secrets_read(&controller->api, &request->secret, ret_secret, err) == 0)
		return 0;
	if (err)
		err->kind = ERROR_UNAVAILABLE;
	return -1;
}

/* Whether VOLUME is what was asked for; ERROR_OUT_OF_RANGE says what it is not. */
static int check_volume(
	const struct volume_request *request, const struct csi_volume *volume, struct error *err)
{
	char size[32];

	quantity_format(request->required_bytes, size, sizeof(size));
	if (volume->capacity_bytes && volume->capacity_bytes < request->required_bytes)
		return error_set(err, ERROR_OUT_OF_RANGE,
			"the driver made a volume that is smaller than the %s asked for", size);
	if ((request->source_volume || request->source_snapshot) && !volume->has_source)
		return error_set(err, ERROR_OUT_OF_RANGE,
			"the driver made an empty volume where a copy was asked for");
	return 0;
}

/* Nobody may come to rely on that volume. Only when it is deleted there is none. */
static void reject(const struct controller *controller, struct csi_volume *volume,
	const struct string_map *secret, struct error *err)
{
	struct error ignored;

	if (controller->driver.delete_volume(
		    controller->driver.self, volume->handle, secret, &ignored) < 0)
		err->kind = ERROR_ABORTED;
	csi_volume_done(volume);
}

int volume_request_send(const struct volume_request *request, const struct controller *controller,
	const struct string_map *secret, struct csi_volume *ret_volume, struct error *err)
{
	const struct string_map *given = secret && secret->count ? secret : NULL;
	bool placed = request->requisite.count > 0;
	const struct csi_create_request message = {
		.name = request->name,
		.required_bytes = request->required_bytes,
		.parameters = &request->parameters,
		.mutable_parameters = &request->mutable_parameters,
		.access_modes = &request->access_modes,
		.mount_options = &request->mount_options,
		.fs_type = request->fs_type,
		.block = request->block,
		.requisite = placed ? &request->requisite : NULL,
		.preferred = placed ? &request->preferred : NULL,
		.source_volume = request->source_volume,
		.source_snapshot = request->source_snapshot,
		.secrets = given,
	};
	struct csi_volume volume;

	if (controller->driver.create_volume(controller->driver.self, &message, &volume, err) < 0)
		return -1;
	if (check_volume(request, &volume, err) < 0) {
		reject(controller, &volume, given, err);
		return -1;
	}
	if (!volume.capacity_bytes)
		volume.capacity_bytes = request->required_bytes;
	*ret_volume = volume;
	return 0;
}

bool volume_request_is_final(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CANCELLED:
	case ERROR_TIMEOUT:
	case ERROR_UNAVAILABLE:
	case ERROR_ABORTED:
		return false;
	default:
		return true;
	}
}

static int undo(const struct volume_request *request, const struct controller *controller,
	const char *keep, const struct string_map *secret, struct error *err)
{
	struct csi_volume volume;
	int result = 0;

	if (volume_request_send(request, controller, secret, &volume, err) < 0)
		return volume_request_is_final(err->kind) ? 0 : -1;
	if (!keep || strcmp(volume.handle, keep)) {
		result = controller->driver.delete_volume(
			controller->driver.self, volume.handle, secret->count ? secret : NULL, err);
		if (result == 0)
			log_event(LOG_LEVEL_INFO,
				"deleted volume: the claim needs no volume any more",
				LOG_STR("namespace", request->claim_namespace),
				LOG_STR("claim", request->claim_name),
				LOG_STR("volume", request->name), LOG_STR("handle", volume.handle));
	}
	csi_volume_done(&volume);
	return result;
}

int volume_request_undo(const struct volume_request *request, const struct controller *controller,
	const char *keep, struct error *err)
{
	struct string_map secret;
	int result;

	if (volume_request_secret(request, controller, &secret, err) < 0)
		return -1;
	result = undo(request, controller, keep, &secret, err);
	string_map_wipe(&secret);
	return result;
}
