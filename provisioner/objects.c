/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include <string.h>
#include <time.h>

#include "modify_fields.h"
#include "names.h"
#include "resize_fields.h"

/* The first of two annotations that is set, or NULL. */
static const char *annotation(struct json_object *metadata, const char *key, const char *old_key)
{
	struct json_object *annotations = json_member(metadata, "annotations", json_type_object);
	const char *value = json_string(annotations, key);

	return value || !old_key ? value : json_string(annotations, old_key);
}

static bool array_contains(struct json_object *array, const char *text)
{
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *item = json_text(json_object_array_get_idx(array, i));

		if (item && !strcmp(item, text))
			return true;
	}
	return false;
}

/* dataSourceRef says more than dataSource, and the API server keeps them in step. */
static void claim_parse_source(struct claim *claim, struct pack *pack, struct json_object *spec)
{
	struct json_object *source = json_member(spec, "dataSourceRef", json_type_object);
	_cleanup_free_ char *source_text = NULL;
	const char *kind, *name;

	if (!source)
		source = json_member(spec, "dataSource", json_type_object);
	kind = json_string(source, "kind");
	name = json_string(source, "name");
	pack_string(pack, &claim->data_source_kind, kind);
	pack_string(pack, &claim->data_source, NULL);
	if (!source)
		return;
	if (asprintf(&source_text, "%s %s", kind ? kind : "", name ? name : "") < 0)
		abort();
	pack_string(pack, &claim->data_source, source_text);
	pack_string(pack, &claim->data_source_group, json_string(source, "apiGroup"));
	pack_string(pack, &claim->data_source_name, name);
	pack_string(pack, &claim->data_source_namespace, json_string(source, "namespace"));
}

static void claim_parse_annotations(
	struct claim *claim, struct pack *pack, struct json_object *metadata)
{
	pack_string(pack, &claim->provisioner,
		annotation(metadata, "volume.kubernetes.io/storage-provisioner",
			"volume.beta.kubernetes.io/storage-provisioner"));
	pack_string(pack, &claim->selected_node,
		annotation(metadata, "volume.kubernetes.io/selected-node", NULL));
	pack_string(
		pack, &claim->restore_from, annotation(metadata, ORDINAL_KEY_RESTORE_FROM, NULL));
}

static int claim_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct claim *claim = (struct claim *)object;
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *resources = json_member(spec, "resources", json_type_object);
	const char *mode = json_string(spec, "volumeMode");
	const char *class = annotation(metadata, "volume.beta.kubernetes.io/storage-class", NULL);

	(void)err;
	pack_string(pack, &claim->class_name,
		class && *class ? class : json_string(spec, "storageClassName"));
	claim_parse_annotations(claim, pack, metadata);
	pack_string(pack, &claim->volume_name, json_string(spec, "volumeName"));
	pack_string(pack, &claim->requested,
		json_string(json_member(resources, "requests", json_type_object), "storage"));
	pack_string(pack, &claim->attributes_class, json_string(spec, "volumeAttributesClassName"));
	claim_parse_source(claim, pack, spec);
	pack_strings(pack, &claim->access_modes, json_member(spec, "accessModes", json_type_array),
		NULL);
	pack_map(pack, &claim->labels, json_member(metadata, "labels", json_type_object));
	pack_strings(pack, &claim->owner_uids,
		json_member(metadata, "ownerReferences", json_type_array), "uid");
	claim->block = mode && !strcmp(mode, "Block");
	claim->has_selector = json_member(spec, "selector", json_type_object) != NULL;
	claim->cloning_protected = array_contains(
		json_member(metadata, "finalizers", json_type_array), CLONING_FINALIZER);
	resize_fields_of_claim(&claim->resize, json);
	modify_fields_of_claim(&claim->modify, pack, json);
	return 0;
}

/* Point FIELD to zeroed memory for what ARRAY, which may be NULL, holds; how much that is. */
static size_t parse_array(struct pack *pack, void *field, struct json_object *array, size_t size)
{
	size_t count = array ? json_object_array_length(array) : 0;

	pack_point(pack, field, pack_take(pack, count, size));
	return count;
}

static void requirement_parse(
	struct node_requirement *requirement, struct pack *pack, struct json_object *json)
{
	pack_string(pack, &requirement->key, json_string(json, "key"));
	pack_strings(
		pack, &requirement->values, json_member(json, "values", json_type_array), NULL);
}

static void term_parse(struct node_term *term, struct pack *pack, struct json_object *json)
{
	struct json_object *expressions = json_member(json, "matchExpressions", json_type_array);

	term->count =
		parse_array(pack, &term->requirements, expressions, sizeof(*term->requirements));
	term->other = json_member(json, "matchFields", json_type_array) != NULL || !term->count;
	for (size_t i = 0; i < term->count; i++) {
		struct json_object *expression = json_object_array_get_idx(expressions, i);
		const char *verb = json_string(expression, "operator");

		if (!verb || strcmp(verb, "In"))
			term->other = true;
		requirement_parse(&term->requirements[i], pack, expression);
	}
}

static void volume_parse_affinity(
	struct volume *volume, struct pack *pack, struct json_object *spec)
{
	struct json_object *affinity = json_member(spec, "nodeAffinity", json_type_object);
	struct json_object *required = json_member(affinity, "required", json_type_object);
	struct json_object *terms = json_member(required, "nodeSelectorTerms", json_type_array);

	volume->node_term_count =
		parse_array(pack, &volume->node_terms, terms, sizeof(*volume->node_terms));
	for (size_t i = 0; i < volume->node_term_count; i++)
		term_parse(&volume->node_terms[i], pack, json_object_array_get_idx(terms, i));
}

static bool term_matches(const struct node_term *term, const struct string_map *labels)
{
	for (size_t i = 0; i < term->count; i++) {
		const struct node_requirement *requirement = &term->requirements[i];
		const char *value = string_map_get(labels, requirement->key);

		if (!value || !strings_contain(&requirement->values, value))
			return false;
	}
	return !term->other;
}

bool volume_fits_node(const struct volume *volume, const struct string_map *labels)
{
	for (size_t i = 0; i < volume->node_term_count; i++)
		if (term_matches(&volume->node_terms[i], labels))
			return true;
	return volume->node_term_count == 0;
}

bool volume_is_unclaimed(const struct volume *volume)
{
	/* One that is reserved for a claim by name has no UID, and waits for that claim. */
	return !volume->resize.claim_uid && strcmp(volume->phase, "Released") &&
	       strcmp(volume->phase, "Failed");
}

/* external-provisioner writes both annotations, empty where there is no secret. */
static void volume_parse_secret(struct volume *volume, struct pack *pack,
	struct json_object *metadata, struct json_object *spec)
{
	struct json_object *annotations = json_member(metadata, "annotations", json_type_object);
	struct json_object *claim = json_member(spec, "claimRef", json_type_object);
	const char *name = json_string(annotations, DELETION_SECRET_NAME);
	const char *namespace = json_string(annotations, DELETION_SECRET_NAMESPACE);

	volume->deletion_secret_told = name && namespace;
	if (!volume->deletion_secret_told) {
		pack_string(pack, &volume->claim_namespace, json_string(claim, "namespace"));
		pack_string(pack, &volume->claim_name, json_string(claim, "name"));
	} else if (*name && *namespace) {
		pack_string(pack, &volume->deletion_secret_name, name);
		pack_string(pack, &volume->deletion_secret_namespace, namespace);
	}
}

static int volume_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct volume *volume = (struct volume *)object;
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *csi = json_member(spec, "csi", json_type_object);

	(void)err;
	pack_string(pack, &volume->phase,
		json_string(json_member(json, "status", json_type_object), "phase"));
	pack_string(
		pack, &volume->reclaim_policy, json_string(spec, "persistentVolumeReclaimPolicy"));
	pack_string(pack, &volume->provisioned_by,
		annotation(metadata, "pv.kubernetes.io/provisioned-by", NULL));
	pack_string(pack, &volume->migrated_to,
		annotation(metadata, "pv.kubernetes.io/migrated-to", NULL));
	pack_string(pack, &volume->driver, json_string(csi, "driver"));
	pack_string(pack, &volume->handle, json_string(csi, "volumeHandle"));
	pack_string(pack, &volume->class_name, json_string(spec, "storageClassName"));
	pack_string(
		pack, &volume->attributes_class, json_string(spec, "volumeAttributesClassName"));
	pack_strings(pack, &volume->finalizers,
		json_member(metadata, "finalizers", json_type_array), NULL);
	volume_parse_secret(volume, pack, metadata, spec);
	volume_parse_affinity(volume, pack, spec);
	volume_place_parse(&volume->place, pack, json);
	resize_fields_of_volume(&volume->resize, pack, json);
	modify_fields_of_volume(&volume->modify, pack, json);
	pack_strings(pack, &volume->resize.mount_options,
		json_member(spec, "mountOptions", json_type_array), NULL);
	return 0;
}

static int volume_with_path_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *csi = json_member(spec, "csi", json_type_object);
	struct json_object *context = json_member(csi, "volumeAttributes", json_type_object);

	pack_string(pack, &((struct volume *)object)->path, json_string(context, ORDINAL_KEY_PATH));
	return volume_parse(object, pack, json, err);
}

static void class_parse_allowed(
	struct storage_class *class, struct pack *pack, struct json_object *terms)
{
	class->allowed_count = parse_array(pack, &class->allowed, terms, sizeof(*class->allowed));
	for (size_t i = 0; i < class->allowed_count; i++) {
		struct node_term *term = &class->allowed[i];
		struct json_object *expressions = json_member(json_object_array_get_idx(terms, i),
			"matchLabelExpressions", json_type_array);

		term->count = parse_array(
			pack, &term->requirements, expressions, sizeof(*term->requirements));
		for (size_t j = 0; j < term->count; j++)
			requirement_parse(&term->requirements[j], pack,
				json_object_array_get_idx(expressions, j));
	}
}

static int storage_class_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct storage_class *class = (struct storage_class *)object;
	const char *policy = json_string(json, "reclaimPolicy");
	const char *binding = json_string(json, "volumeBindingMode");

	pack_string(pack, &class->provisioner, json_string(json, "provisioner"));
	pack_string(pack, &class->reclaim_policy, policy ? policy : "Delete");
	pack_map(pack, &class->parameters, json_member(json, "parameters", json_type_object));
	pack_strings(pack, &class->mount_options,
		json_member(json, "mountOptions", json_type_array), NULL);
	class_parse_allowed(class, pack, json_member(json, "allowedTopologies", json_type_array));
	class->wait_for_first_consumer = binding && !strcmp(binding, "WaitForFirstConsumer");
	if (!*class->provisioner)
		return error_set(err, ERROR_INVALID, "a storage class without a provisioner");
	return 0;
}

static void set_parse_templates(
	struct stateful_set *set, struct pack *pack, struct json_object *templates)
{
	set->template_count =
		parse_array(pack, &set->templates, templates, sizeof(*set->templates));
	for (size_t i = 0; i < set->template_count; i++) {
		struct json_object *metadata = json_member(
			json_object_array_get_idx(templates, i), "metadata", json_type_object);

		pack_string(pack, &set->templates[i].name, json_string(metadata, "name"));
		pack_map(pack, &set->templates[i].labels,
			json_member(metadata, "labels", json_type_object));
	}
}

static enum label_verb verb_parse(const char *name)
{
	static const char *const names[] = {"In", "NotIn", "Exists", "DoesNotExist"};

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return (enum label_verb)i;
	return LABEL_UNKNOWN;
}

static void set_parse_expressions(
	struct stateful_set *set, struct pack *pack, struct json_object *expressions)
{
	set->expression_count =
		parse_array(pack, &set->expressions, expressions, sizeof(*set->expressions));
	for (size_t i = 0; i < set->expression_count; i++) {
		struct json_object *json = json_object_array_get_idx(expressions, i);

		pack_string(pack, &set->expressions[i].key, json_string(json, "key"));
		set->expressions[i].verb = verb_parse(json_string(json, "operator"));
		pack_strings(pack, &set->expressions[i].values,
			json_member(json, "values", json_type_array), NULL);
	}
}

static int stateful_set_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct stateful_set *set = (struct stateful_set *)object;
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *selector = json_member(spec, "selector", json_type_object);
	struct json_object *ordinals = json_member(spec, "ordinals", json_type_object);
	struct json_object *replicas = json_member(spec, "replicas", json_type_int);

	(void)err;
	set_parse_templates(set, pack, json_member(spec, "volumeClaimTemplates", json_type_array));
	set_parse_expressions(
		set, pack, json_member(selector, "matchExpressions", json_type_array));
	pack_map(pack, &set->match_labels, json_member(selector, "matchLabels", json_type_object));
	set->first_ordinal = json_object_get_int64(json_member(ordinals, "start", json_type_int));
	set->replicas = replicas ? json_object_get_int64(replicas) : 1;
	if (set->replicas < 0)
		set->replicas = 0;
	return 0;
}

/* Taints below node.kubernetes.io/ report a passing condition (not ready, disk pressure): the node
 * is still one that pods will run on. A cordon is told by spec.unschedulable. */
static bool taint_keeps_pods_away(struct json_object *taint)
{
	const char *key = json_string(taint, "key");
	const char *effect = json_string(taint, "effect");

	if (!key || !effect || !strncmp(key, "node.kubernetes.io/", 19))
		return false;
	return !strcmp(effect, "NoSchedule") || !strcmp(effect, "NoExecute");
}

static int node_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct node *node = (struct node *)object;
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *taints = json_member(spec, "taints", json_type_array);
	size_t count = taints ? json_object_array_length(taints) : 0;

	(void)err;
	pack_map(pack, &node->labels, json_member(metadata, "labels", json_type_object));
	node->schedulable =
		!json_object_get_boolean(json_member(spec, "unschedulable", json_type_boolean));
	for (size_t i = 0; i < count; i++)
		if (taint_keeps_pods_away(json_object_array_get_idx(taints, i)))
			node->schedulable = false;
	return 0;
}

static int csi_node_parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct csi_node *node = (struct csi_node *)object;
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *drivers = json_member(spec, "drivers", json_type_array);

	(void)err;
	node->driver_count = parse_array(pack, &node->drivers, drivers, sizeof(*node->drivers));
	for (size_t i = 0; i < node->driver_count; i++) {
		struct json_object *driver = json_object_array_get_idx(drivers, i);

		pack_string(pack, &node->drivers[i].name, json_string(driver, "name"));
		pack_strings(pack, &node->drivers[i].topology_keys,
			json_member(driver, "topologyKeys", json_type_array), NULL);
	}
	return 0;
}

const struct object_type claim_type = {
	.plural = "persistentvolumeclaims",
	.path = "/api/v1/persistentvolumeclaims",
	.size = sizeof(struct claim),
	.parse = claim_parse,
	.key_is_uid = true,
};
const struct object_type volume_type = {
	.plural = "persistentvolumes",
	.path = "/api/v1/persistentvolumes",
	.size = sizeof(struct volume),
	.parse = volume_parse,
};
const struct object_type volume_with_path_type = {
	.plural = "persistentvolumes",
	.path = "/api/v1/persistentvolumes",
	.size = sizeof(struct volume),
	.parse = volume_with_path_parse,
};
const struct object_type storage_class_type = {
	.plural = "storageclasses",
	.path = "/apis/storage.k8s.io/v1/storageclasses",
	.size = sizeof(struct storage_class),
	.parse = storage_class_parse,
};
const struct object_type stateful_set_type = {
	.plural = "statefulsets",
	.path = "/apis/apps/v1/statefulsets",
	.size = sizeof(struct stateful_set),
	.parse = stateful_set_parse,
};
const struct object_type node_type = {
	.plural = "nodes",
	.path = "/api/v1/nodes",
	.size = sizeof(struct node),
	.parse = node_parse,
};
const struct object_type csi_node_type = {
	.plural = "csinodes",
	.path = "/apis/storage.k8s.io/v1/csinodes",
	.size = sizeof(struct csi_node),
	.parse = csi_node_parse,
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void make_key(struct object *object, struct pack *pack)
{
	_cleanup_free_ char *key = NULL;

	if (object->type->key_is_uid || !*object->namespace) {
		object->key = object->type->key_is_uid ? object->uid : object->name;
		if (*object->key)
			pack_point(pack, &object->key, object->key);
		return;
	}
	if (asprintf(&key, "%s/%s", object->namespace, object->name) < 0)
		abort();
	pack_string(pack, &object->key, key);
}

static int parse(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	int64_t created;

	object->refs = 1;
	created = json_time(metadata, "creationTimestamp");
	object->created = created > 0 && created <= UINT32_MAX ? (uint32_t)created : 0;
	object->seen_ns = now_ns();
	pack_string(pack, &object->uid, json_string(metadata, "uid"));
	pack_string(pack, &object->name, json_string(metadata, "name"));
	pack_string(pack, &object->namespace, json_string(metadata, "namespace"));
	pack_string(pack, &object->resource_version, json_string(metadata, "resourceVersion"));
	object->deleting = json_string(metadata, "deletionTimestamp") != NULL;
	make_key(object, pack);
	if (object->type->parse(object, pack, json, err) < 0)
		return error_prefix(err, "%s %s", object->type->plural, object->name);
	if (!*object->name || !*object->uid)
		return error_set(
			err, ERROR_INVALID, "one of %s lacks a name or UID", object->type->plural);
	return 0;
}

struct object *object_parse(
	const struct object_type *type, struct json_object *json, struct error *err)
{
	_cleanup_(pack_done) struct pack pack;
	struct object *object;

	pack_init(&pack);
	object = pack_take(&pack, 1, type->size);
	object->type = type;
	return parse(object, &pack, json, err) < 0 ? NULL : pack_seal(&pack);
}

char *object_label(const struct object *object)
{
	char *label;

	if (asprintf(&label, "%s%s%s", object->namespace, *object->namespace ? "/" : "",
		    object->name) < 0)
		abort();
	return label;
}

void *object_ref(const void *object)
{
	struct object *shared = (struct object *)object;

	if (shared)
		__atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
	return shared;
}

void object_unref(const void *object)
{
	struct object *shared = (struct object *)object;

	if (!shared || __atomic_sub_fetch(&shared->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(shared);
}
