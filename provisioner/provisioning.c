/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning.h"

#include <string.h>

#include "attributes_class.h"
#include "names.h"
#include "quantity.h"
#include "topology.h"

#define FS_TYPE_KEY CSI_KEY_PREFIX "fstype"

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static void set_text(char **at, const char *text)
{
	free(*at);
	*at = strdup(text);
	if (!*at)
		abort();
}

/* The class's parameters go to the driver as they are, but for the keys that speak to us. */
static int add_class_parameters(struct provisioning *provisioning, struct error *err)
{
	const struct string_map *parameters = &provisioning->class->parameters;
	const char *name = provisioning->class->object.name;

	for (size_t i = 0; i < parameters->count; i++) {
		const char *key = parameters->items[i].key, *value = parameters->items[i].value;

		if (!strcmp(key, FS_TYPE_KEY))
			set_text(&provisioning->request->fs_type, value);
		else if (secrets_is_key(key))
			continue;
		else if (has_prefix(key, CSI_KEY_PREFIX))
			return error_set(err, ERROR_INVALID,
				"storage class %s: parameter %s is not known; of %s... known are " FS_TYPE_KEY
				", %s",
				name, key, CSI_KEY_PREFIX, secrets_known_keys());
		else if (has_prefix(key, ORDINAL_KEY_PREFIX))
			return error_set(err, ERROR_INVALID,
				"storage class %s: parameter %s is not for classes: %s... keys "
				"are set by the provisioner itself",
				name, key, ORDINAL_KEY_PREFIX);
		else
			string_map_add(&provisioning->request->parameters, key, value);
	}
	return 0;
}

static void add_metadata(struct provisioning *provisioning, const struct controller *controller)
{
	struct string_map *parameters = &provisioning->request->parameters;
	const struct place *place = &provisioning->request->place;

	if (controller->extra_create_metadata) {
		string_map_add(parameters, CSI_KEY_PVC_NAME, provisioning->claim->object.name);
		string_map_add(
			parameters, CSI_KEY_PVC_NAMESPACE, provisioning->claim->object.namespace);
		string_map_add(parameters, CSI_KEY_PV_NAME, provisioning->request->name);
	}
	if (!controller->driver.info.ours)
		return;
	if (controller->cluster_uid)
		string_map_add(parameters, ORDINAL_KEY_CLUSTER_UID, controller->cluster_uid);
	if (!*place->statefulset)
		return;
	string_map_add(parameters, ORDINAL_KEY_STATEFULSET, place->statefulset);
	string_map_add(parameters, ORDINAL_KEY_STATEFULSET_UID, place->statefulset_uid);
	string_map_add(parameters, ORDINAL_KEY_TEMPLATE, place->template);
	string_map_add(parameters, ORDINAL_KEY_ORDINAL, place->ordinal);
}

/* Whether data may outlive their volume, so that it matters in which life of a namespace they came
 * to be. */
static bool may_outlive(const struct volume_request *request)
{
	static const char *const keys[] = {"onDelete", "archiveOnDelete", "reuse"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (string_map_get(&request->parameters, keys[i]) ||
			string_map_get(&request->mutable_parameters, keys[i]))
			return true;
	return false;
}

/* Asked for anew with every claim: a cache may be that of a namespace before, of the same name,
 * whose data are nobody else's. */
static int add_namespace_uid(
	struct provisioning *provisioning, const struct controller *controller, struct error *err)
{
	const char *namespace = provisioning->claim->object.namespace, *uid;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct json_object *answer = NULL;

	if (asprintf(&path, "/api/v1/namespaces/%s", namespace) < 0)
		abort();
	request.path = path;
	if (controller->api.call(controller->api.self, &request, &answer, err) < 0) {
		/* NOT_FOUND is for nodes. */
		if (err && err->kind == ERROR_NOT_FOUND)
			err->kind = ERROR_FAILED_PRECONDITION;
		return error_prefix(err, "namespace %s", namespace);
	}
	uid = json_string(json_member(answer, "metadata", json_type_object), "uid");
	if (uid)
		string_map_add(&provisioning->request->parameters, ORDINAL_KEY_NAMESPACE_UID, uid);
	json_object_put(answer);
	return uid ? 0 : error_set(err, ERROR_INTERNAL, "namespace %s has no uid", namespace);
}

void provisioning_volume_name(const struct controller *controller, const struct claim *claim,
	char out[static VOLUME_NAME_MAX])
{
	snprintf(out, VOLUME_NAME_MAX, "%s-%s", controller->volume_name_prefix, claim->object.uid);
}

static void copy_strings(struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->count; i++)
		strings_add(to, from->items[i]);
}

/* What the claim itself asks for. */
static int add_claim(struct provisioning *provisioning, struct error *err)
{
	struct volume_request *request = provisioning->request;
	const struct claim *claim = provisioning->claim;

	if (claim->has_selector)
		return error_set(err, ERROR_INVALID,
			"claim Selector is not supported: volumes are made for the claim; remove "
			"spec.selector, or use a class without a provisioner");
	copy_strings(&request->access_modes, &claim->access_modes);
	copy_strings(&request->mount_options, &provisioning->class->mount_options);
	request->block = claim->block;
	return quantity_parse(claim->requested, &request->required_bytes, err);
}

static int add_attributes_class(
	struct provisioning *provisioning, const struct controller *controller, struct error *err)
{
	const char *name = provisioning->claim->attributes_class;

	return *name ? attributes_class_read(
			       controller, name, &provisioning->request->mutable_parameters, err)
		     : 0;
}

static int add_place(struct provisioning *provisioning, const struct controller *controller,
	const struct place *earlier, struct error *err)
{
	struct place *place = &provisioning->request->place;
	bool found;

	if (earlier) {
		*place = *earlier;
		return 0;
	}
	return ordinals_resolve(controller->ordinals, provisioning->claim, place, &found, err);
}

static int add_secrets(struct provisioning *provisioning, struct error *err)
{
	const struct object *claim = &provisioning->claim->object;
	const struct secrets_context context = {
		.volume_name = provisioning->request->name,
		.claim_namespace = claim->namespace,
		.claim_name = claim->name,
		.annotations = &provisioning->annotations,
	};
	struct secret_reference *own = &provisioning->secrets[SECRET_PROVISIONER];

	for (int use = 0; use < SECRET_USES; use++)
		if (secrets_resolve(provisioning->class, (enum secret_use)use, &context,
			    &provisioning->secrets[use], err) < 0)
			return -1;
	if (own->name) {
		set_text(&provisioning->request->secret.namespace, own->namespace);
		set_text(&provisioning->request->secret.name, own->name);
	}
	return 0;
}

/* A copy of another claim's volume, or of a snapshot. */
static int add_source(
	struct provisioning *provisioning, const struct controller *controller, struct error *err)
{
	struct volume_request *request = provisioning->request;
	const char *live = NULL;

	if (!*provisioning->claim->data_source && !*provisioning->claim->restore_from)
		return 0;
	if (data_source_resolve(controller, provisioning->claim, request->required_bytes,
		    &provisioning->source, err) < 0)
		return -1;
	if (provisioning->source.volume_handle)
		set_text(&request->source_volume, provisioning->source.volume_handle);
	if (provisioning->source.snapshot_handle)
		set_text(&request->source_snapshot, provisioning->source.snapshot_handle);
	if (!controller->driver.info.ours)
		return 0;
	/* The driver looks whether the snapshot is of this life of the namespace. */
	if (request->source_snapshot &&
		!string_map_get(&request->parameters, ORDINAL_KEY_NAMESPACE_UID))
		return add_namespace_uid(provisioning, controller, err);
	if (!request->source_volume)
		return 0;
	if (annotations_get(&provisioning->annotations, ORDINAL_KEY_ALLOW_LIVE_COPY, &live, err) <
		0)
		return -1;
	if (live)
		string_map_add(&request->parameters, ORDINAL_KEY_ALLOW_LIVE_COPY, live);
	return 0;
}

static int add_topology(
	struct provisioning *provisioning, const struct controller *controller, struct error *err)
{
	const struct place *place = &provisioning->request->place;
	struct topology_requirement requirement;

	if (!controller->driver.info.topology)
		return 0;
	if (topology_of_claim(controller, provisioning->claim, provisioning->class,
		    *place->statefulset ? place : NULL, &requirement, err) < 0)
		return -1;
	provisioning->request->requisite = requirement.requisite;
	provisioning->request->preferred = requirement.preferred;
	return 0;
}

int provisioning_init(struct provisioning *provisioning, const struct controller *controller,
	const struct claim *claim, const struct storage_class *class, const struct place *place,
	struct error *err)
{
	char name[VOLUME_NAME_MAX];

	provisioning_volume_name(controller, claim, name);
	*provisioning = (struct provisioning){
		.claim = claim, .class = class, .request = volume_request_new(claim, name)};
	annotations_init(&provisioning->annotations, &controller->api, claim);
	if (add_claim(provisioning, err) < 0 || add_class_parameters(provisioning, err) < 0 ||
		add_attributes_class(provisioning, controller, err) < 0 ||
		add_place(provisioning, controller, place, err) < 0)
		return -1;
	add_metadata(provisioning, controller);
	if (controller->driver.info.ours && may_outlive(provisioning->request) &&
		add_namespace_uid(provisioning, controller, err) < 0)
		return -1;
	if (add_secrets(provisioning, err) < 0 || add_source(provisioning, controller, err) < 0)
		return -1;
	return add_topology(provisioning, controller, err);
}

void provisioning_done(struct provisioning *provisioning)
{
	volume_request_unref(provisioning->request);
	annotations_done(&provisioning->annotations);
	data_source_done(&provisioning->source);
	for (int use = 0; use < SECRET_USES; use++)
		secret_reference_done(&provisioning->secrets[use]);
}
