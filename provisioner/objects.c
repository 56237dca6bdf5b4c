/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include <string.h>
#include <time.h>

#include "resize_fields.h"

static char *copy(const char *text)
{
	char *made = strdup(text ? text : "");

	if (!made)
		abort();
	return made;
}

/* The first of two annotations that is set; "" if none is. */
static char *copy_annotation(struct json_object *metadata, const char *key, const char *old_key)
{
	struct json_object *annotations = json_member(metadata, "annotations", json_type_object);
	const char *value = json_string(annotations, key);

	if (!value && old_key)
		value = json_string(annotations, old_key);
	return copy(value);
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
static void claim_parse_source(struct claim *claim, struct json_object *spec)
{
	struct json_object *source = json_member(spec, "dataSourceRef", json_type_object);
	const char *kind, *name;

	if (!source)
		source = json_member(spec, "dataSource", json_type_object);
	kind = json_string(source, "kind");
	name = json_string(source, "name");
	claim->data_source_kind = copy(kind);
	claim->data_source = NULL;
	if (!source) {
		claim->data_source = copy("");
		return;
	}
	if (asprintf(&claim->data_source, "%s %s", kind ? kind : "", name ? name : "") < 0)
		abort();
	claim->data_source_group = copy(json_string(source, "apiGroup"));
	claim->data_source_name = copy(name);
	claim->data_source_namespace = copy(json_string(source, "namespace"));
}

static int claim_parse(struct object *object, struct json_object *json, struct error *err)
{
	struct claim *claim = (struct claim *)object;
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *resources = json_member(spec, "resources", json_type_object);
	const char *mode = json_string(spec, "volumeMode");

	(void)err;
	claim->class_name =
		copy_annotation(metadata, "volume.beta.kubernetes.io/storage-class", NULL);
	if (!*claim->class_name) {
		free(claim->class_name);
		claim->class_name = copy(json_string(spec, "storageClassName"));
	}
	claim->provisioner = copy_annotation(metadata, "volume.kubernetes.io/storage-provisioner",
		"volume.beta.kubernetes.io/storage-provisioner");
	claim->selected_node =
		copy_annotation(metadata, "volume.kubernetes.io/selected-node", NULL);
	claim->volume_name = copy(json_string(spec, "volumeName"));
	claim->requested =
		copy(json_string(json_member(resources, "requests", json_type_object), "storage"));
	claim_parse_source(claim, spec);
	strings_copy(&claim->access_modes, json_member(spec, "accessModes", json_type_array), NULL);
	string_map_copy(&claim->labels, json_member(metadata, "labels", json_type_object));
	strings_copy(&claim->owner_uids, json_member(metadata, "ownerReferences", json_type_array),
		"uid");
	claim->block = mode && !strcmp(mode, "Block");
	claim->has_selector = json_member(spec, "selector", json_type_object) != NULL;
	claim->cloning_protected = array_contains(
		json_member(metadata, "finalizers", json_type_array), CLONING_FINALIZER);
	resize_fields_of_claim(&claim->resize, json);
	return 0;
}

static void claim_done(struct object *object)
{
	struct claim *claim = (struct claim *)object;

	free(claim->class_name);
	free(claim->provisioner);
	free(claim->selected_node);
	free(claim->volume_name);
	free(claim->requested);
	free(claim->data_source);
	free(claim->data_source_kind);
	free(claim->data_source_group);
	free(claim->data_source_name);
	free(claim->data_source_namespace);
	strings_done(&claim->access_modes);
	string_map_done(&claim->labels);
	strings_done(&claim->owner_uids);
}

/* Zeroed memory for what ARRAY, which may be NULL, holds. */
static void *array_new(struct json_object *array, size_t size, size_t *ret_count)
{
	void *items;

	*ret_count = array ? json_object_array_length(array) : 0;
	items = calloc(*ret_count + 1, size);
	if (!items)
		abort();
	return items;
}

static void requirement_parse(struct node_requirement *requirement, struct json_object *json)
{
	requirement->key = copy(json_string(json, "key"));
	strings_copy(&requirement->values, json_member(json, "values", json_type_array), NULL);
}

static void term_parse(struct node_term *term, struct json_object *json)
{
	struct json_object *expressions = json_member(json, "matchExpressions", json_type_array);

	term->requirements = array_new(expressions, sizeof(*term->requirements), &term->count);
	term->other = json_member(json, "matchFields", json_type_array) != NULL || !term->count;
	for (size_t i = 0; i < term->count; i++) {
		struct json_object *expression = json_object_array_get_idx(expressions, i);
		const char *verb = json_string(expression, "operator");

		if (!verb || strcmp(verb, "In"))
			term->other = true;
		requirement_parse(&term->requirements[i], expression);
	}
}

static void volume_parse_affinity(struct volume *volume, struct json_object *spec)
{
	struct json_object *affinity = json_member(spec, "nodeAffinity", json_type_object);
	struct json_object *required = json_member(affinity, "required", json_type_object);
	struct json_object *terms = json_member(required, "nodeSelectorTerms", json_type_array);

	volume->node_terms =
		array_new(terms, sizeof(*volume->node_terms), &volume->node_term_count);
	for (size_t i = 0; i < volume->node_term_count; i++)
		term_parse(&volume->node_terms[i], json_object_array_get_idx(terms, i));
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

static void term_done(struct node_term *term)
{
	for (size_t i = 0; i < term->count; i++) {
		free(term->requirements[i].key);
		strings_done(&term->requirements[i].values);
	}
	free(term->requirements);
}

/* external-provisioner writes both annotations, empty where there is no secret. */
static void volume_parse_secret(
	struct volume *volume, struct json_object *metadata, struct json_object *spec)
{
	struct json_object *annotations = json_member(metadata, "annotations", json_type_object);
	struct json_object *claim = json_member(spec, "claimRef", json_type_object);
	const char *name = json_string(annotations, DELETION_SECRET_NAME);
	const char *namespace = json_string(annotations, DELETION_SECRET_NAMESPACE);

	volume->deletion_secret_told = name && namespace;
	if (!volume->deletion_secret_told) {
		volume->claim_namespace = copy(json_string(claim, "namespace"));
		volume->claim_name = copy(json_string(claim, "name"));
	} else if (*name && *namespace) {
		volume->deletion_secret_name = copy(name);
		volume->deletion_secret_namespace = copy(namespace);
	}
}

static int volume_parse(struct object *object, struct json_object *json, struct error *err)
{
	struct volume *volume = (struct volume *)object;
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *csi = json_member(spec, "csi", json_type_object);

	(void)err;
	volume->phase = copy(json_string(json_member(json, "status", json_type_object), "phase"));
	volume->reclaim_policy = copy(json_string(spec, "persistentVolumeReclaimPolicy"));
	volume->provisioned_by = copy_annotation(metadata, "pv.kubernetes.io/provisioned-by", NULL);
	volume->migrated_to = copy_annotation(metadata, "pv.kubernetes.io/migrated-to", NULL);
	volume->driver = copy(json_string(csi, "driver"));
	volume->handle = copy(json_string(csi, "volumeHandle"));
	volume->class_name = copy(json_string(spec, "storageClassName"));
	strings_copy(
		&volume->finalizers, json_member(metadata, "finalizers", json_type_array), NULL);
	volume_parse_secret(volume, metadata, spec);
	volume_parse_affinity(volume, spec);
	resize_fields_of_volume(&volume->resize, json);
	strings_copy(&volume->resize.mount_options,
		json_member(spec, "mountOptions", json_type_array), NULL);
	return 0;
}

static void volume_done(struct object *object)
{
	struct volume *volume = (struct volume *)object;

	free(volume->phase);
	free(volume->reclaim_policy);
	free(volume->provisioned_by);
	free(volume->migrated_to);
	free(volume->driver);
	free(volume->handle);
	strings_done(&volume->finalizers);
	free(volume->deletion_secret_name);
	free(volume->deletion_secret_namespace);
	free(volume->class_name);
	free(volume->claim_namespace);
	free(volume->claim_name);
	for (size_t i = 0; i < volume->node_term_count; i++)
		term_done(&volume->node_terms[i]);
	free(volume->node_terms);
	strings_done(&volume->resize.mount_options);
	resize_fields_done(&volume->resize);
}

static void class_parse_allowed(struct storage_class *class, struct json_object *terms)
{
	class->allowed = array_new(terms, sizeof(*class->allowed), &class->allowed_count);
	for (size_t i = 0; i < class->allowed_count; i++) {
		struct node_term *term = &class->allowed[i];
		struct json_object *expressions = json_member(json_object_array_get_idx(terms, i),
			"matchLabelExpressions", json_type_array);

		term->requirements =
			array_new(expressions, sizeof(*term->requirements), &term->count);
		for (size_t j = 0; j < term->count; j++)
			requirement_parse(
				&term->requirements[j], json_object_array_get_idx(expressions, j));
	}
}

static int storage_class_parse(struct object *object, struct json_object *json, struct error *err)
{
	struct storage_class *class = (struct storage_class *)object;
	const char *policy = json_string(json, "reclaimPolicy");
	const char *binding = json_string(json, "volumeBindingMode");

	class->provisioner = copy(json_string(json, "provisioner"));
	class->reclaim_policy = copy(policy ? policy : "Delete");
	string_map_copy(&class->parameters, json_member(json, "parameters", json_type_object));
	strings_copy(
		&class->mount_options, json_member(json, "mountOptions", json_type_array), NULL);
	class_parse_allowed(class, json_member(json, "allowedTopologies", json_type_array));
	class->wait_for_first_consumer = binding && !strcmp(binding, "WaitForFirstConsumer");
	if (!*class->provisioner)
		return error_set(err, ERROR_INVALID, "a storage class without a provisioner");
	return 0;
}

static void storage_class_done(struct object *object)
{
	struct storage_class *class = (struct storage_class *)object;

	free(class->provisioner);
	free(class->reclaim_policy);
	string_map_done(&class->parameters);
	strings_done(&class->mount_options);
	for (size_t i = 0; i < class->allowed_count; i++)
		term_done(&class->allowed[i]);
	free(class->allowed);
}

static void set_parse_templates(struct stateful_set *set, struct json_object *templates)
{
	set->templates = array_new(templates, sizeof(*set->templates), &set->template_count);
	for (size_t i = 0; i < set->template_count; i++) {
		struct json_object *metadata = json_member(
			json_object_array_get_idx(templates, i), "metadata", json_type_object);

		set->templates[i].name = copy(json_string(metadata, "name"));
		string_map_copy(&set->templates[i].labels,
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

static void set_parse_expressions(struct stateful_set *set, struct json_object *expressions)
{
	set->expressions =
		array_new(expressions, sizeof(*set->expressions), &set->expression_count);
	for (size_t i = 0; i < set->expression_count; i++) {
		struct json_object *json = json_object_array_get_idx(expressions, i);

		set->expressions[i].key = copy(json_string(json, "key"));
		set->expressions[i].verb = verb_parse(json_string(json, "operator"));
		strings_copy(&set->expressions[i].values,
			json_member(json, "values", json_type_array), NULL);
	}
}

static int stateful_set_parse(struct object *object, struct json_object *json, struct error *err)
{
	struct stateful_set *set = (struct stateful_set *)object;
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *selector = json_member(spec, "selector", json_type_object);
	struct json_object *ordinals = json_member(spec, "ordinals", json_type_object);

	(void)err;
	set_parse_templates(set, json_member(spec, "volumeClaimTemplates", json_type_array));
	set_parse_expressions(set, json_member(selector, "matchExpressions", json_type_array));
	string_map_copy(&set->match_labels, json_member(selector, "matchLabels", json_type_object));
	set->first_ordinal = json_object_get_int64(json_member(ordinals, "start", json_type_int));
	return 0;
}

static void stateful_set_done(struct object *object)
{
	struct stateful_set *set = (struct stateful_set *)object;

	for (size_t i = 0; i < set->template_count; i++) {
		free(set->templates[i].name);
		string_map_done(&set->templates[i].labels);
	}
	free(set->templates);
	for (size_t i = 0; i < set->expression_count; i++) {
		free(set->expressions[i].key);
		strings_done(&set->expressions[i].values);
	}
	free(set->expressions);
	string_map_done(&set->match_labels);
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

static int node_parse(struct object *object, struct json_object *json, struct error *err)
{
	struct node *node = (struct node *)object;
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *taints = json_member(spec, "taints", json_type_array);
	size_t count = taints ? json_object_array_length(taints) : 0;

	(void)err;
	string_map_copy(&node->labels, json_member(metadata, "labels", json_type_object));
	node->schedulable =
		!json_object_get_boolean(json_member(spec, "unschedulable", json_type_boolean));
	for (size_t i = 0; i < count; i++)
		if (taint_keeps_pods_away(json_object_array_get_idx(taints, i)))
			node->schedulable = false;
	return 0;
}

static void node_done(struct object *object)
{
	string_map_done(&((struct node *)object)->labels);
}

static int csi_node_parse(struct object *object, struct json_object *json, struct error *err)
{
	struct csi_node *node = (struct csi_node *)object;
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *drivers = json_member(spec, "drivers", json_type_array);

	(void)err;
	node->drivers = array_new(drivers, sizeof(*node->drivers), &node->driver_count);
	for (size_t i = 0; i < node->driver_count; i++) {
		struct json_object *driver = json_object_array_get_idx(drivers, i);

		node->drivers[i].name = copy(json_string(driver, "name"));
		strings_copy(&node->drivers[i].topology_keys,
			json_member(driver, "topologyKeys", json_type_array), NULL);
	}
	return 0;
}

static void csi_node_done(struct object *object)
{
	struct csi_node *node = (struct csi_node *)object;

	for (size_t i = 0; i < node->driver_count; i++) {
		free(node->drivers[i].name);
		strings_done(&node->drivers[i].topology_keys);
	}
	free(node->drivers);
}

const struct object_type claim_type = {
	.plural = "persistentvolumeclaims",
	.path = "/api/v1/persistentvolumeclaims",
	.size = sizeof(struct claim),
	.parse = claim_parse,
	.done = claim_done,
	.key_is_uid = true,
};
const struct object_type volume_type = {
	.plural = "persistentvolumes",
	.path = "/api/v1/persistentvolumes",
	.size = sizeof(struct volume),
	.parse = volume_parse,
	.done = volume_done,
};
const struct object_type storage_class_type = {
	.plural = "storageclasses",
	.path = "/apis/storage.k8s.io/v1/storageclasses",
	.size = sizeof(struct storage_class),
	.parse = storage_class_parse,
	.done = storage_class_done,
};
const struct object_type stateful_set_type = {
	.plural = "statefulsets",
	.path = "/apis/apps/v1/statefulsets",
	.size = sizeof(struct stateful_set),
	.parse = stateful_set_parse,
	.done = stateful_set_done,
};
const struct object_type node_type = {
	.plural = "nodes",
	.path = "/api/v1/nodes",
	.size = sizeof(struct node),
	.parse = node_parse,
	.done = node_done,
};
const struct object_type csi_node_type = {
	.plural = "csinodes",
	.path = "/apis/storage.k8s.io/v1/csinodes",
	.size = sizeof(struct csi_node),
	.parse = csi_node_parse,
	.done = csi_node_done,
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static char *make_key(const struct object *object)
{
	char *key;

	if (object->type->key_is_uid)
		return copy(object->uid);
	if (!*object->namespace)
		return copy(object->name);
	if (asprintf(&key, "%s/%s", object->namespace, object->name) < 0)
		abort();
	return key;
}

struct object *object_parse(
	const struct object_type *type, struct json_object *json, struct error *err)
{
	struct json_object *metadata = json_member(json, "metadata", json_type_object);
	_cleanup_object_ struct object *object = calloc(1, type->size);

	if (!object)
		abort();
	object->type = type;
	object->refs = 1;
	object->seen_ns = now_ns();
	object->uid = copy(json_string(metadata, "uid"));
	object->name = copy(json_string(metadata, "name"));
	object->namespace = copy(json_string(metadata, "namespace"));
	object->resource_version = copy(json_string(metadata, "resourceVersion"));
	object->deleting = json_string(metadata, "deletionTimestamp") != NULL;
	object->key = make_key(object);
	if (type->parse(object, json, err) < 0) {
		error_prefix(err, "%s %s", type->plural, object->name);
		return NULL;
	}
	if (!*object->name || !*object->uid) {
		error_set(err, ERROR_INVALID, "one of %s lacks a name or UID", type->plural);
		return NULL;
	}
	return take_ptr(object);
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
	shared->type->done(shared);
	free(shared->key);
	free(shared->uid);
	free(shared->name);
	free(shared->namespace);
	free(shared->resource_version);
	free(shared);
}
