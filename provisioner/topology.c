/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include <string.h>

/* The nodes that pods can run on. */
struct schedulable {
	char name[254]; /* of the first by name */
	char list[256]; /* of their names, for the message; may be cut */
	size_t count;
};

static void collect(void *context, const struct object *object)
{
	struct schedulable *found = context;
	size_t length = strlen(found->list);

	if (!((const struct node *)object)->schedulable)
		return;
	if (!found->count || strcmp(object->name, found->name) < 0)
		snprintf(found->name, sizeof(found->name), "%s", object->name);
	snprintf(found->list + length, sizeof(found->list) - length, "%s%s",
		found->count ? ", " : "", object->name);
	found->count++;
}

bool topology_is_ours(const struct controller *controller, const struct claim *claim)
{
	struct schedulable found = {.count = 0};

	if (!controller->node || !controller->driver.info.topology)
		return true;
	if (*claim->selected_node)
		return !strcmp(claim->selected_node, controller->node);
	store_each(controller->nodes, collect, &found);
	return !found.count || !strcmp(found.name, controller->node);
}

bool topology_has_volume(const struct controller *controller, const struct volume *volume)
{
	_cleanup_object_ struct node *node = NULL;

	if (!controller->node || !controller->driver.info.topology)
		return true;
	node = store_get(controller->nodes, controller->node);
	return node && volume_fits_node(volume, &node->labels);
}

/* Our own driver with a topology keeps volumes on one node's disk: the node is the only one there
 * is. For other drivers it is the one that the scheduler chose, or none: they choose themselves. */
static int choose_node(const struct controller *controller, const struct claim *claim,
	char *ret_node, size_t size, struct error *err)
{
	struct schedulable found = {.count = 0};

	snprintf(ret_node, size, "%s", claim->selected_node);
	if (!controller->driver.info.ours)
		return 0;
	store_each(controller->nodes, collect, &found);
	if (found.count > 1)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"%s keeps volumes on one node's disk and serves clusters of one "
			"schedulable node, but this one has %zu (%s): leave one schedulable by "
			"cordoning or tainting the others",
			controller->driver.info.name, found.count, found.list);
	/* The scheduler sticks to its choice until it is given back. */
	if (*claim->selected_node && found.count && strcmp(claim->selected_node, found.name))
		return error_set(err, ERROR_NOT_FOUND,
			"node %s, which the claim was scheduled to, takes no pods now",
			claim->selected_node);
	if (!*claim->selected_node && !found.count)
		return error_set(err, ERROR_UNAVAILABLE, "the cluster has no schedulable node yet");
	if (!*claim->selected_node)
		snprintf(ret_node, size, "%s", found.name);
	return 0;
}

/* The topology keys that kubelet noted in the CSINode when the driver registered. */
static int get_keys(const struct controller *controller, const char *node,
	struct json_object **ret_csi_node, struct json_object **ret_keys, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct json_object *drivers;
	size_t count;

	if (asprintf(&path, "/apis/storage.k8s.io/v1/csinodes/%s", node) < 0)
		abort();
	request.path = path;
	if (controller->api.call(controller->api.self, &request, ret_csi_node, err) < 0)
		return -1;
	drivers = json_member(
		json_member(*ret_csi_node, "spec", json_type_object), "drivers", json_type_array);
	count = drivers ? json_object_array_length(drivers) : 0;
	for (size_t i = 0; i < count; i++) {
		struct json_object *driver = json_object_array_get_idx(drivers, i);
		const char *name = json_string(driver, "name");

		if (name && !strcmp(name, controller->driver.info.name)) {
			*ret_keys = json_member(driver, "topologyKeys", json_type_array);
			return 0;
		}
	}
	json_object_put(*ret_csi_node);
	return error_set(err, ERROR_FAILED_PRECONDITION,
		"driver %s is not registered on node %s: check that its DaemonSet's pod runs there",
		controller->driver.info.name, node);
}

static int copy_segments(struct json_object *keys, const struct node *node,
	struct string_map *segments, struct error *err)
{
	size_t count = keys ? json_object_array_length(keys) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *key = json_object_get_string(json_object_array_get_idx(keys, i));
		const char *value = key ? string_map_get(&node->labels, key) : NULL;

		if (!value)
			return error_set(err, ERROR_UNAVAILABLE,
				"node %s does not carry the topology label %s yet",
				node->object.name, key ? key : "");
		string_map_add(segments, key, value);
	}
	if (!segments->count)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the driver gave no topology for node %s", node->object.name);
	return 0;
}

int topology_of_claim(const struct controller *controller, const struct claim *claim,
	struct string_map *ret_segments, struct error *err)
{
	_cleanup_object_ struct node *node = NULL;
	struct string_map segments = {.count = 0};
	struct json_object *csi_node = NULL, *keys = NULL;
	char name[254];
	int result;

	if (choose_node(controller, claim, name, sizeof(name), err) < 0)
		return -1;
	if (!*name) {
		*ret_segments = segments;
		return 0;
	}
	node = store_get(controller->nodes, name);
	if (!node)
		return error_set(err, ERROR_NOT_FOUND, "node %s is gone", name);
	if (get_keys(controller, name, &csi_node, &keys, err) < 0)
		return -1;
	result = copy_segments(keys, node, &segments, err);
	json_object_put(csi_node);
	if (result < 0)
		string_map_done(&segments);
	else
		*ret_segments = segments;
	return result;
}
