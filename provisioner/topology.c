/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include <string.h>

#define TERMS_MAX 1000 /* that a class may allow: the product of its lists of values */

static void topologies_done(struct csi_topologies *list)
{
	for (size_t i = 0; i < list->count; i++)
		string_map_done(&list->items[i]);
	free(list->items);
}
#define _cleanup_topologies_ _cleanup_(topologies_done)

static struct csi_topologies take_topologies(struct csi_topologies *list)
{
	struct csi_topologies taken = *list;

	*list = (struct csi_topologies){.count = 0};
	return taken;
}

void topology_requirement_done(struct topology_requirement *requirement)
{
	topologies_done(&requirement->requisite);
	topologies_done(&requirement->preferred);
}

/* Add TERM, which is the list's from then on. */
static void add_term(struct csi_topologies *list, struct string_map term)
{
	struct string_map *items = reallocarray(list->items, list->count + 1, sizeof(*items));

	if (!items)
		abort();
	list->items = items;
	list->items[list->count++] = term;
}

static struct string_map copy_term(const struct string_map *term)
{
	struct string_map made = {.count = 0};

	for (size_t i = 0; i < term->count; i++)
		string_map_add(&made, term->items[i].key, term->items[i].value);
	return made;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct string_pair *)a)->key, ((const struct string_pair *)b)->key);
}

static int compare_terms(const void *a, const void *b)
{
	const struct string_map *one = a, *other = b;

	for (size_t i = 0; i < one->count && i < other->count; i++) {
		int order = strcmp(one->items[i].key, other->items[i].key);

		if (!order)
			order = strcmp(one->items[i].value, other->items[i].value);
		if (order)
			return order;
	}
	return (one->count > other->count) - (one->count < other->count);
}

/* Sort the terms, and the segments of each, and leave one of each kind. */
static void sort_terms(struct csi_topologies *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		qsort(list->items[i].items, list->items[i].count, sizeof(struct string_pair),
			compare_pairs);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_terms);
	for (size_t i = 0; i < list->count; i++) {
		if (kept && !compare_terms(&list->items[kept - 1], &list->items[i]))
			string_map_done(&list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

/* Whether what TERM asks for holds for a node with these SEGMENTS. */
static bool term_holds(const struct string_map *term, const struct string_map *segments)
{
	for (size_t i = 0; i < term->count; i++) {
		const char *value = string_map_get(segments, term->items[i].key);

		if (!value || strcmp(value, term->items[i].value))
			return false;
	}
	return true;
}

/* The first of LIST that holds for SEGMENTS, or its count. */
static size_t find_term(const struct csi_topologies *list, const struct string_map *segments)
{
	size_t i = 0;

	while (i < list->count && !term_holds(&list->items[i], segments))
		i++;
	return i;
}

/* Each of TERMS once with each of the requirement's values. */
static struct csi_topologies multiply(
	const struct csi_topologies *terms, const struct node_requirement *requirement)
{
	struct csi_topologies product = {.count = 0};

	for (size_t i = 0; i < terms->count; i++)
		for (size_t j = 0; j < requirement->values.count; j++) {
			struct string_map term = copy_term(&terms->items[i]);

			string_map_add(&term, requirement->key, requirement->values.items[j]);
			add_term(&product, term);
			if (product.count > TERMS_MAX)
				return product;
		}
	return product;
}

static void flatten_term(const struct node_term *term, struct csi_topologies *allowed)
{
	struct csi_topologies terms = {.count = 0};

	if (!term->count)
		return;
	add_term(&terms, (struct string_map){.count = 0});
	for (size_t i = 0; i < term->count && terms.count <= TERMS_MAX; i++) {
		struct csi_topologies product = multiply(&terms, &term->requirements[i]);

		topologies_done(&terms);
		terms = product;
	}
	for (size_t i = 0; i < terms.count; i++)
		add_term(allowed, terms.items[i]);
	free(terms.items);
}

/* The topologies that CLASS allows, one by one; none where it does not say. */
static int flatten(
	const struct storage_class *class, struct csi_topologies *ret_allowed, struct error *err)
{
	struct csi_topologies allowed = {.count = 0};

	for (size_t i = 0; i < class->allowed_count && allowed.count <= TERMS_MAX; i++)
		flatten_term(&class->allowed[i], &allowed);
	if (allowed.count > TERMS_MAX) {
		topologies_done(&allowed);
		return error_set(err, ERROR_INVALID,
			"storage class %s: allowedTopologies has more than %d combinations",
			class->object.name, TERMS_MAX);
	}
	sort_terms(&allowed);
	*ret_allowed = allowed;
	return 0;
}

/* The keys that the driver gave kubelet when it registered, or NULL. */
static const struct strings *find_keys(const struct csi_node *node, const char *driver)
{
	for (size_t i = 0; i < node->driver_count; i++)
		if (!strcmp(node->drivers[i].name, driver))
			return &node->drivers[i].topology_keys;
	return NULL;
}

/* What the node's labels say for these KEYS. */
static int copy_segments(const struct strings *keys, const struct node *node,
	struct string_map *ret_segments, struct error *err)
{
	struct string_map segments = {.count = 0};

	if (!keys->count)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the driver gave no topology for node %s", node->object.name);
	for (size_t i = 0; i < keys->count; i++) {
		const char *value = string_map_get(&node->labels, keys->items[i]);

		if (!value) {
			string_map_done(&segments);
			return error_set(err, ERROR_UNAVAILABLE,
				"node %s does not carry the topology label %s yet",
				node->object.name, keys->items[i]);
		}
		string_map_add(&segments, keys->items[i], value);
	}
	*ret_segments = segments;
	return 0;
}

static int registered_segments(const struct controller *controller, const struct csi_node *csi_node,
	const struct node *node, struct string_map *ret_segments, struct error *err)
{
	const struct strings *keys = find_keys(csi_node, controller->driver.info.name);

	if (!keys)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"driver %s is not registered on node %s: check that its DaemonSet's pod "
			"runs there",
			controller->driver.info.name, node->object.name);
	return copy_segments(keys, node, ret_segments, err);
}

static int node_segments(const struct controller *controller, const char *name,
	struct string_map *ret_segments, struct error *err)
{
	_cleanup_object_ struct node *node = store_get(controller->nodes, name);
	_cleanup_object_ struct csi_node *csi_node = store_get(controller->csi_nodes, name);

	if (!node)
		return error_set(err, ERROR_NOT_FOUND, "node %s is gone", name);
	if (!csi_node)
		return error_set(err, ERROR_NOT_FOUND,
			"node %s has no CSINode: no CSI driver is registered there", name);
	return registered_segments(controller, csi_node, node, ret_segments, err);
}

/* What is gone through for all CSINodes. */
struct survey {
	const struct controller *controller;
	const struct csi_topologies *allowed; /* of candidates */
	const struct string_map *like;        /* NULL, or the keys that a topology must have */
	struct csi_topologies terms;
	struct strings names;
};

static bool same_keys(const struct string_map *a, const struct string_map *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!string_map_get(b, a->items[i].key))
			return false;
	return true;
}

/* Both are called with the lock of the CSINodes held: they ask only the nodes. */
static void add_topology(void *context, const struct object *object)
{
	struct survey *survey = context;
	_cleanup_object_ struct node *node = store_get(survey->controller->nodes, object->name);
	struct string_map segments;

	if (!node || registered_segments(survey->controller, (const struct csi_node *)object, node,
			     &segments, NULL) < 0)
		return;
	if (!survey->like || same_keys(survey->like, &segments))
		add_term(&survey->terms, segments);
	else
		string_map_done(&segments);
}

static void add_candidate(void *context, const struct object *object)
{
	struct survey *survey = context;
	_cleanup_object_ struct node *node = store_get(survey->controller->nodes, object->name);
	struct string_map segments;

	if (!node || !node->schedulable ||
		registered_segments(survey->controller, (const struct csi_node *)object, node,
			&segments, NULL) < 0)
		return;
	if (!survey->allowed->count ||
		find_term(survey->allowed, &segments) < survey->allowed->count)
		strings_add(&survey->names, object->name);
	string_map_done(&segments);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct strings topology_candidates(
	const struct controller *controller, const struct storage_class *class)
{
	_cleanup_topologies_ struct csi_topologies allowed = {.count = 0};
	struct survey survey = {.controller = controller, .allowed = &allowed};

	if (flatten(class, &allowed, NULL) < 0)
		return survey.names;
	store_each(controller->csi_nodes, add_candidate, &survey);
	if (survey.names.count)
		qsort(survey.names.items, survey.names.count, sizeof(char *), compare_names);
	return survey.names;
}

/* FNV-1a, as external-provisioner uses it for the same end. */
static uint32_t hash(const char *text)
{
	uint32_t value = 2166136261;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 16777619;
	return value;
}

uint32_t topology_offset(const struct claim *claim, const struct place *place)
{
	if (!place)
		return hash(claim->object.uid);
	return hash(place->statefulset) + (uint32_t)strtoul(place->ordinal, NULL, 10);
}

/* The one node that can be meant by a claim without a selected node, for our own driver. */
static int choose_only_node(const struct controller *controller, const struct storage_class *class,
	char *ret_node, size_t size, struct error *err)
{
	struct strings names = topology_candidates(controller, class);
	int result = 0;

	if (!names.count)
		result = error_set(err, ERROR_UNAVAILABLE,
			"there is no schedulable node with driver %s yet",
			controller->driver.info.name);
	else if (names.count > 1)
		result = error_set(err, ERROR_FAILED_PRECONDITION,
			"%s keeps volumes on a node's own disk, and of %zu nodes (%s, %s, ...) none "
			"is selected: use a storage class with volumeBindingMode "
			"WaitForFirstConsumer, or run the provisioner beside the driver on each "
			"node with --node-deployment",
			controller->driver.info.name, names.count, names.items[0], names.items[1]);
	else
		snprintf(ret_node, size, "%s", names.items[0]);
	strings_done(&names);
	return result;
}

/* The node that the volume is for, "" where there is none: the driver chooses. */
static int choose_node(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, char *ret_node, size_t size, struct error *err)
{
	const char *name = *claim->selected_node ? claim->selected_node : controller->node;

	if (!name && controller->driver.info.ours)
		return choose_only_node(controller, class, ret_node, size, err);
	snprintf(ret_node, size, "%s", name ? name : "");
	return 0;
}

/* PREFERRED gets the terms of REQUISITE, from FIRST on round. */
static void prefer(struct topology_requirement *requirement, size_t first)
{
	const struct csi_topologies *requisite = &requirement->requisite;

	for (size_t i = 0; i < requisite->count; i++)
		add_term(&requirement->preferred,
			copy_term(&requisite->items[(first + i) % requisite->count]));
}

/* The topologies of the cluster, all or those with the keys of LIKE. */
static struct csi_topologies survey_cluster(
	const struct controller *controller, const struct string_map *like)
{
	struct survey survey = {.controller = controller, .like = like};

	store_each(controller->csi_nodes, add_topology, &survey);
	sort_terms(&survey.terms);
	return survey.terms;
}

static int require_node(const struct controller *controller, const char *node,
	struct csi_topologies *allowed, struct topology_requirement *requirement, struct error *err)
{
	bool strict =
		controller->strict_topology || controller->node || controller->driver.info.ours;
	struct string_map segments;
	size_t first = 0;

	if (node_segments(controller, node, &segments, err) < 0)
		return -1;
	if (allowed->count && find_term(allowed, &segments) == allowed->count) {
		string_map_done(&segments);
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"node %s is not in the allowedTopologies of the storage class", node);
	}
	if (strict)
		add_term(&requirement->requisite, copy_term(&segments));
	else if (allowed->count)
		requirement->requisite = take_topologies(allowed);
	else
		requirement->requisite = survey_cluster(controller, &segments);
	if (!strict)
		first = find_term(&requirement->requisite, &segments);
	string_map_done(&segments);
	sort_terms(&requirement->requisite);
	prefer(requirement, first);
	return 0;
}

int topology_of_claim(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, const struct place *place,
	struct topology_requirement *ret_requirement, struct error *err)
{
	_cleanup_topologies_ struct csi_topologies allowed = {.count = 0};
	struct topology_requirement made = {.requisite.count = 0};
	char node[254];

	if (flatten(class, &allowed, err) < 0 ||
		choose_node(controller, claim, class, node, sizeof(node), err) < 0)
		return -1;
	if (*node) {
		if (require_node(controller, node, &allowed, &made, err) < 0)
			return -1;
	} else {
		if (allowed.count)
			made.requisite = take_topologies(&allowed);
		else if (controller->immediate_topology)
			made.requisite = survey_cluster(controller, NULL);
		if (made.requisite.count)
			prefer(&made, topology_offset(claim, place) % made.requisite.count);
	}
	*ret_requirement = made;
	return 0;
}

bool topology_has_volume(const struct controller *controller, const struct volume *volume)
{
	_cleanup_object_ struct node *node = NULL;

	if (!controller->node || !controller->driver.info.topology)
		return true;
	node = store_get(controller->nodes, controller->node);
	return node && volume_fits_node(volume, &node->labels);
}

struct host {
	const struct volume *volume;
	bool found;
};

static void look_for_host(void *context, const struct object *object)
{
	struct host *host = context;

	if (volume_fits_node(host->volume, &((const struct node *)object)->labels))
		host->found = true;
}

int topology_check_volume(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	struct host host = {.volume = volume};
	const struct node_term *term = volume->node_terms;
	const char *name = "";

	if (!controller->driver.info.ours || !controller->driver.info.topology ||
		!volume->node_term_count)
		return 0;
	store_each(controller->nodes, look_for_host, &host);
	if (host.found)
		return 0;
	if (term->count && term->requirements[0].values.count)
		name = term->requirements[0].values.items[0];
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"node %s, which has the data, is gone: bring it back, or, if its disk is lost, remove "
		"the finalizer " VOLUME_FINALIZER " from this PersistentVolume",
		name);
}
