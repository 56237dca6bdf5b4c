/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning.h"

#include <string.h>

#include "names.h"
#include "quantity.h"

#define FS_TYPE_KEY     CSI_KEY_PREFIX "fstype"
#define LABEL_VALUE_MAX 63

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static int check_claim(const struct claim *claim, struct error *err)
{
	if (claim->has_selector)
		return error_set(err, ERROR_INVALID,
			"claim Selector is not supported: volumes are made for the claim; remove "
			"spec.selector, or use a class without a provisioner");
	if (*claim->data_source)
		return error_set(err, ERROR_INVALID,
			"data source %s is not supported: make the claim without one",
			claim->data_source);
	return 0;
}

/* The class's parameters go to the driver as they are, but for the keys that speak to us. */
static int add_class_parameters(struct provisioning *provisioning, struct error *err)
{
	const struct string_map *parameters = &provisioning->class->parameters;
	const char *name = provisioning->class->object.name;

	for (size_t i = 0; i < parameters->count; i++) {
		const char *key = parameters->items[i].key, *value = parameters->items[i].value;

		if (!strcmp(key, FS_TYPE_KEY))
			provisioning->fs_type = value;
		else if (has_prefix(key, CSI_KEY_PREFIX))
			return error_set(err, ERROR_INVALID,
				"storage class %s: parameter %s is not known; the only %s... "
				"parameter is " FS_TYPE_KEY,
				name, key, CSI_KEY_PREFIX);
		else if (has_prefix(key, ORDINAL_KEY_PREFIX))
			return error_set(err, ERROR_INVALID,
				"storage class %s: parameter %s is not for classes: %s... keys "
				"are set by the provisioner itself",
				name, key, ORDINAL_KEY_PREFIX);
		else
			string_map_add(&provisioning->parameters, key, value);
	}
	return 0;
}

static void add_metadata(struct provisioning *provisioning, const struct controller *controller)
{
	struct string_map *parameters = &provisioning->parameters;
	const struct place *place = &provisioning->place;

	if (controller->extra_create_metadata) {
		string_map_add(parameters, CSI_KEY_PVC_NAME, provisioning->claim->object.name);
		string_map_add(
			parameters, CSI_KEY_PVC_NAMESPACE, provisioning->claim->object.namespace);
		string_map_add(parameters, CSI_KEY_PV_NAME, provisioning->volume_name);
	}
	if (!controller->driver.info.ours)
		return;
	if (controller->cluster_uid)
		string_map_add(parameters, ORDINAL_KEY_CLUSTER_UID, controller->cluster_uid);
	if (!provisioning->has_place)
		return;
	string_map_add(parameters, ORDINAL_KEY_STATEFULSET, place->statefulset);
	string_map_add(parameters, ORDINAL_KEY_STATEFULSET_UID, place->statefulset_uid);
	string_map_add(parameters, ORDINAL_KEY_TEMPLATE, place->template);
	string_map_add(parameters, ORDINAL_KEY_ORDINAL, place->ordinal);
}

/* Whether data may outlive their volume, so that it matters in which life of a namespace they came
 * to be. */
static bool may_outlive(const struct storage_class *class)
{
	static const char *const keys[] = {"onDelete", "archiveOnDelete", "reuse"};

	for (size_t i = 0; i < class->parameters.count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(keys); j++)
			if (!strcmp(class->parameters.items[i].key, keys[j]))
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
		string_map_add(&provisioning->parameters, ORDINAL_KEY_NAMESPACE_UID, uid);
	json_object_put(answer);
	return uid ? 0 : error_set(err, ERROR_INTERNAL, "namespace %s has no uid", namespace);
}

void provisioning_volume_name(const struct controller *controller, const struct claim *claim,
	char out[static VOLUME_NAME_MAX])
{
	snprintf(out, VOLUME_NAME_MAX, "%s-%s", controller->volume_name_prefix, claim->object.uid);
}

int provisioning_init(struct provisioning *provisioning, const struct controller *controller,
	const struct claim *claim, const struct storage_class *class, const struct place *place,
	struct error *err)
{
	*provisioning = (struct provisioning){.claim = claim, .class = class, .fs_type = ""};
	provisioning_volume_name(controller, claim, provisioning->volume_name);
	if (check_claim(claim, err) < 0 ||
		quantity_parse(claim->requested, &provisioning->required_bytes, err) < 0 ||
		add_class_parameters(provisioning, err) < 0)
		return -1;
	if (place) {
		provisioning->place = *place;
		provisioning->has_place = *place->statefulset != '\0';
	} else if (ordinals_resolve(controller->ordinals, claim, &provisioning->place,
			   &provisioning->has_place, err) < 0) {
		return -1;
	}
	add_metadata(provisioning, controller);
	if (controller->driver.info.ours && may_outlive(class) &&
		add_namespace_uid(provisioning, controller, err) < 0)
		return -1;
	if (!controller->driver.info.topology)
		return 0;
	if (topology_of_claim(controller, claim, class,
		    provisioning->has_place ? &provisioning->place : NULL, &provisioning->topology,
		    err) < 0)
		return -1;
	provisioning->has_topology = provisioning->topology.requisite.count > 0;
	return 0;
}

void provisioning_done(struct provisioning *provisioning)
{
	string_map_done(&provisioning->parameters);
	topology_requirement_done(&provisioning->topology);
}

int provisioning_create(const struct provisioning *provisioning,
	const struct controller *controller, struct csi_volume *ret_volume, struct error *err)
{
	const struct csi_create_request request = {
		.name = provisioning->volume_name,
		.required_bytes = provisioning->required_bytes,
		.parameters = &provisioning->parameters,
		.access_modes = &provisioning->claim->access_modes,
		.mount_options = &provisioning->class->mount_options,
		.fs_type = provisioning->fs_type,
		.block = provisioning->claim->block,
		.requisite = provisioning->has_topology ? &provisioning->topology.requisite : NULL,
		.preferred = provisioning->has_topology ? &provisioning->topology.preferred : NULL,
	};
	struct csi_volume volume;
	enum error_kind kind;

	if (controller->driver.create_volume(controller->driver.self, &request, &volume, err) < 0)
		return -1;
	if (!volume.capacity_bytes)
		volume.capacity_bytes = provisioning->required_bytes;
	if (volume.capacity_bytes >= provisioning->required_bytes) {
		*ret_volume = volume;
		return 0;
	}
	/* A driver that gives less than it was asked for: nobody may come to rely on that volume.
	 * Only when it is deleted there is none. */
	kind = controller->driver.delete_volume(
		       controller->driver.self, volume.handle, NULL, NULL) < 0
		       ? ERROR_ABORTED
		       : ERROR_OUT_OF_RANGE;
	csi_volume_done(&volume);
	return error_set(err, kind,
		"the driver made a volume that is smaller than the %s asked for",
		provisioning->claim->requested);
}

static struct json_object *text(const char *value)
{
	return json_object_new_string(value);
}

static struct json_object *text_array(const struct strings *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, text(list->items[i]));
	return array;
}

/* Names may be longer than a label's value, and a template's may end in a dash: the API server
 * would refuse the PersistentVolume. */
static bool is_label_value(const char *value)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char others[] = "-_.";
	size_t length = strlen(value);

	if (!length || length > LABEL_VALUE_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr(letters, value[i]) &&
			(i == 0 || i == length - 1 || !strchr(others, value[i])))
			return false;
	return true;
}

/* kubectl get pv -l ordinal.dev/statefulset=web -L ordinal.dev/ordinal answers what people ask. */
static void add_place(struct json_object *map, const struct place *place, bool as_labels)
{
	const struct string_pair pairs[] = {
		{(char *)ORDINAL_KEY_STATEFULSET, (char *)place->statefulset},
		{(char *)ORDINAL_KEY_TEMPLATE, (char *)place->template},
		{(char *)ORDINAL_KEY_ORDINAL, (char *)place->ordinal},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (!as_labels || is_label_value(pairs[i].value))
			json_object_object_add(map, pairs[i].key, text(pairs[i].value));
}

static struct json_object *metadata_object(const struct provisioning *provisioning)
{
	struct json_object *metadata = json_object_new_object();
	struct json_object *annotations = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	struct json_object *finalizers = json_object_new_array();

	json_object_object_add(metadata, "name", text(provisioning->volume_name));
	json_object_object_add(annotations, "pv.kubernetes.io/provisioned-by",
		text(provisioning->class->provisioner));
	if (provisioning->has_place) {
		add_place(annotations, &provisioning->place, false);
		add_place(labels, &provisioning->place, true);
	}
	json_object_object_add(metadata, "annotations", annotations);
	json_object_object_add(metadata, "labels", labels);
	if (!strcmp(provisioning->class->reclaim_policy, "Delete"))
		json_object_array_add(finalizers, text(VOLUME_FINALIZER));
	json_object_object_add(metadata, "finalizers", finalizers);
	return metadata;
}

static struct json_object *claim_reference(const struct claim *claim)
{
	struct json_object *reference = json_object_new_object();

	json_object_object_add(reference, "apiVersion", text("v1"));
	json_object_object_add(reference, "kind", text("PersistentVolumeClaim"));
	json_object_object_add(reference, "namespace", text(claim->object.namespace));
	json_object_object_add(reference, "name", text(claim->object.name));
	json_object_object_add(reference, "uid", text(claim->object.uid));
	json_object_object_add(reference, "resourceVersion", text(claim->object.resource_version));
	return reference;
}

static struct json_object *csi_source(const struct provisioning *provisioning, const char *driver,
	const struct csi_volume *volume)
{
	struct json_object *csi = json_object_new_object();
	struct json_object *attributes = json_object_new_object();

	json_object_object_add(csi, "driver", text(driver));
	json_object_object_add(csi, "volumeHandle", text(volume->handle));
	for (size_t i = 0; i < volume->context.count; i++)
		json_object_object_add(attributes, volume->context.items[i].key,
			text(volume->context.items[i].value));
	json_object_object_add(csi, "volumeAttributes", attributes);
	if (*provisioning->fs_type && !provisioning->claim->block)
		json_object_object_add(csi, "fsType", text(provisioning->fs_type));
	return csi;
}

static struct json_object *selector_term(const struct string_map *segments)
{
	struct json_object *term = json_object_new_object();
	struct json_object *expressions = json_object_new_array();

	for (size_t i = 0; i < segments->count; i++) {
		struct json_object *expression = json_object_new_object();
		struct json_object *values = json_object_new_array();

		json_object_array_add(values, text(segments->items[i].value));
		json_object_object_add(expression, "key", text(segments->items[i].key));
		json_object_object_add(expression, "operator", text("In"));
		json_object_object_add(expression, "values", values);
		json_object_array_add(expressions, expression);
	}
	json_object_object_add(term, "matchExpressions", expressions);
	return term;
}

/* Topologies are alternatives: one term each; the segments of one must all hold. */
static struct json_object *node_affinity(const struct csi_topologies *topologies)
{
	struct json_object *affinity = json_object_new_object();
	struct json_object *required = json_object_new_object();
	struct json_object *terms = json_object_new_array();

	for (size_t i = 0; i < topologies->count; i++)
		json_object_array_add(terms, selector_term(&topologies->items[i]));
	json_object_object_add(required, "nodeSelectorTerms", terms);
	json_object_object_add(affinity, "required", required);
	return affinity;
}

static struct json_object *spec_object(const struct provisioning *provisioning, const char *driver,
	const struct csi_volume *volume)
{
	const struct claim *claim = provisioning->claim;
	struct json_object *spec = json_object_new_object();
	struct json_object *capacity = json_object_new_object();
	char size[32];

	quantity_format(volume->capacity_bytes, size, sizeof(size));
	json_object_object_add(capacity, "storage", text(size));
	json_object_object_add(spec, "capacity", capacity);
	json_object_object_add(spec, "accessModes", text_array(&claim->access_modes));
	json_object_object_add(spec, "claimRef", claim_reference(claim));
	json_object_object_add(spec, "csi", csi_source(provisioning, driver, volume));
	json_object_object_add(
		spec, "persistentVolumeReclaimPolicy", text(provisioning->class->reclaim_policy));
	json_object_object_add(spec, "storageClassName", text(claim->class_name));
	json_object_object_add(spec, "volumeMode", text(claim->block ? "Block" : "Filesystem"));
	if (provisioning->class->mount_options.count)
		json_object_object_add(
			spec, "mountOptions", text_array(&provisioning->class->mount_options));
	if (volume->topologies.count)
		json_object_object_add(spec, "nodeAffinity", node_affinity(&volume->topologies));
	return spec;
}

struct json_object *provisioning_volume_object(const struct provisioning *provisioning,
	const struct controller *controller, const struct csi_volume *volume)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "apiVersion", text("v1"));
	json_object_object_add(object, "kind", text("PersistentVolume"));
	json_object_object_add(object, "metadata", metadata_object(provisioning));
	json_object_object_add(
		object, "spec", spec_object(provisioning, controller->driver.info.name, volume));
	return object;
}
