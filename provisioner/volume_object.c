/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_object.h"

#include <string.h>

#include "names.h"
#include "quantity.h"

#define LABEL_VALUE_MAX 63

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
static void tell_place(struct json_object *map, const struct place *place, bool as_labels)
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

/* For whoever deletes or changes the volume. Empty names say that no secret is needed. */
static void tell_secret(struct json_object *annotations, const char *name_key,
	const char *namespace_key, const struct secret_reference *secret)
{
	json_object_object_add(annotations, name_key, text(secret->name ? secret->name : ""));
	json_object_object_add(
		annotations, namespace_key, text(secret->namespace ? secret->namespace : ""));
}

static struct json_object *metadata_object(const struct provisioning *provisioning)
{
	struct json_object *metadata = json_object_new_object();
	struct json_object *annotations = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	struct json_object *finalizers = json_object_new_array();
	const struct place *place = &provisioning->request->place;
	const char *namespace_uid =
		string_map_get(&provisioning->request->parameters, ORDINAL_KEY_NAMESPACE_UID);

	json_object_object_add(metadata, "name", text(provisioning->request->name));
	json_object_object_add(annotations, "pv.kubernetes.io/provisioned-by",
		text(provisioning->class->provisioner));
	tell_secret(annotations, DELETION_SECRET_NAME, DELETION_SECRET_NAMESPACE,
		&provisioning->secrets[SECRET_PROVISIONER]);
	if (provisioning->secrets[SECRET_CONTROLLER_MODIFY].name)
		tell_secret(annotations, MODIFY_SECRET_NAME, MODIFY_SECRET_NAMESPACE,
			&provisioning->secrets[SECRET_CONTROLLER_MODIFY]);
	if (*place->statefulset) {
		tell_place(annotations, place, false);
		tell_place(labels, place, true);
		if (namespace_uid)
			json_object_object_add(
				annotations, ORDINAL_KEY_NAMESPACE_UID, text(namespace_uid));
	}
	json_object_object_add(metadata, "annotations", annotations);
	json_object_object_add(metadata, "labels", labels);
	if (!strcmp(provisioning->class->reclaim_policy, "Delete"))
		json_object_array_add(finalizers, text(VOLUME_FINALIZER));
	json_object_object_add(metadata, "finalizers", finalizers);
	return metadata;
}

struct json_object *volume_object_claim_reference(const struct claim *claim)
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

/* Secrets that others read: kubelet, the attacher, the resizer. */
static void add_secret_references(struct json_object *csi, const struct provisioning *provisioning)
{
	static const char *const members[SECRET_USES] = {
		[SECRET_CONTROLLER_PUBLISH] = "controllerPublishSecretRef",
		[SECRET_NODE_STAGE] = "nodeStageSecretRef",
		[SECRET_NODE_PUBLISH] = "nodePublishSecretRef",
		[SECRET_CONTROLLER_EXPAND] = "controllerExpandSecretRef",
		[SECRET_NODE_EXPAND] = "nodeExpandSecretRef",
	};

	for (int use = 0; use < SECRET_USES; use++) {
		const struct secret_reference *secret = &provisioning->secrets[use];
		struct json_object *reference;

		if (!members[use] || !secret->name)
			continue;
		reference = json_object_new_object();
		json_object_object_add(reference, "name", text(secret->name));
		json_object_object_add(reference, "namespace", text(secret->namespace));
		json_object_object_add(csi, members[use], reference);
	}
}

static struct json_object *csi_source(const struct provisioning *provisioning, const char *driver,
	const struct csi_volume *volume)
{
	struct json_object *csi = json_object_new_object();
	struct json_object *attributes = json_object_new_object();
	const char *fs_type = provisioning->request->fs_type;

	json_object_object_add(csi, "driver", text(driver));
	json_object_object_add(csi, "volumeHandle", text(volume->handle));
	for (size_t i = 0; i < volume->context.count; i++)
		json_object_object_add(attributes, volume->context.items[i].key,
			text(volume->context.items[i].value));
	json_object_object_add(csi, "volumeAttributes", attributes);
	if (*fs_type && !provisioning->claim->block)
		json_object_object_add(csi, "fsType", text(fs_type));
	add_secret_references(csi, provisioning);
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
	json_object_object_add(spec, "claimRef", volume_object_claim_reference(claim));
	json_object_object_add(spec, "csi", csi_source(provisioning, driver, volume));
	json_object_object_add(
		spec, "persistentVolumeReclaimPolicy", text(provisioning->class->reclaim_policy));
	json_object_object_add(spec, "storageClassName", text(claim->class_name));
	if (*claim->attributes_class)
		json_object_object_add(
			spec, "volumeAttributesClassName", text(claim->attributes_class));
	json_object_object_add(spec, "volumeMode", text(claim->block ? "Block" : "Filesystem"));
	if (provisioning->class->mount_options.count)
		json_object_object_add(
			spec, "mountOptions", text_array(&provisioning->class->mount_options));
	if (volume->topologies.count)
		json_object_object_add(spec, "nodeAffinity", node_affinity(&volume->topologies));
	return spec;
}

struct json_object *volume_object_make(const struct provisioning *provisioning,
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
