/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership.h"

#include <string.h>
#include <time.h>

#include "log.h"
#include "recent.h"
#include "topology.h"

#define SELECTED_NODE "volume.kubernetes.io/selected-node"
#define TURN_S        1200 /* how long one is remembered */

struct ownership {
	struct ownership_options options;
	struct recent *turns; /* claims that we took: of one that comes back without a node, others
				 go first */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct ownership *ownership_new(const struct ownership_options *options)
{
	struct ownership *ownership = calloc(1, sizeof(*ownership));

	if (!ownership)
		abort();
	ownership->options = *options;
	ownership->turns = recent_new(TURN_S);
	return ownership;
}

void ownership_free(struct ownership *ownership)
{
	recent_free(ownership->turns);
	free(ownership);
}

int ownership_select_node(const struct controller *controller, const struct claim *claim,
	const char *node, struct error *err)
{
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *annotations = json_object_new_object();
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {
		.method = "PATCH", .content_type = "application/merge-patch+json", .body = body};
	int result;

	if (asprintf(&path, "/api/v1/namespaces/%s/persistentvolumeclaims/%s",
		    claim->object.namespace, claim->object.name) < 0)
		abort();
	request.path = path;
	json_object_object_add(
		annotations, SELECTED_NODE, node ? json_object_new_string(node) : NULL);
	json_object_object_add(metadata, "annotations", annotations);
	json_object_object_add(metadata, "uid", json_object_new_string(claim->object.uid));
	json_object_object_add(metadata, "resourceVersion",
		json_object_new_string(claim->object.resource_version));
	json_object_object_add(body, "metadata", metadata);
	result = controller->api.call(controller->api.self, &request, NULL, err);
	json_object_put(body);
	return result;
}

/* The place of our node in the order in which instances take CLAIM, 0 the preferred; -1 where the
 * volume could not be made there. All instances come to the same order, if they see the same nodes.
 */
static int find_rank(const struct controller *controller, const struct claim *claim,
	const struct strings *names, ssize_t *ret_rank, struct error *err)
{
	struct place place;
	bool found;
	size_t own = 0, first;

	*ret_rank = -1;
	while (own < names->count && strcmp(names->items[own], controller->node))
		own++;
	if (own == names->count)
		return 0;
	if (ordinals_resolve(controller->ordinals, claim, &place, &found, err) < 0)
		return -1;
	first = topology_offset(claim, found ? &place : NULL) % names->count;
	*ret_rank = (ssize_t)((own + names->count - first) % names->count);
	return 0;
}

/* Instances that are not preferred follow from the base delay to the longest, evenly, so that few
 * patches meet. Who had its turn waits for all others. */
static int64_t delay_ms(const struct ownership *ownership, ssize_t rank, size_t count, bool again)
{
	int64_t base = ownership->options.base_delay_ms, max = ownership->options.max_delay_ms;

	if (again)
		return max;
	if (rank <= 0)
		return 0;
	return base + (max - base) * (rank - 1) / (ssize_t)(count - 1);
}

/* Whether the API server, and not just a cache, says that NODE, a text of the user's, is gone. */
static int check_gone(
	const struct controller *controller, const char *node, bool *ret_gone, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct error why = {0};

	*ret_gone = true;
	/* Not a name that a node can have. */
	if (strspn(node, "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(node) || *node == '.')
		return 0;
	if (asprintf(&path, "%s/%s", node_type.path, node) < 0)
		abort();
	request.path = path;
	*ret_gone = controller->api.call(controller->api.self, &request, NULL, &why) < 0;
	if (!*ret_gone || why.kind == ERROR_NOT_FOUND)
		return 0;
	*err = why;
	return -1;
}

static int take(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, struct error *err)
{
	const char *node = class->wait_for_first_consumer ? NULL : controller->node;
	bool gone = true;

	if (*claim->selected_node && check_gone(controller, claim->selected_node, &gone, err) < 0)
		return -1;
	if (!gone)
		return 0;
	if (ownership_select_node(controller, claim, node, err) == 0) {
		recent_add(controller->ownership->turns, claim->object.uid);
		log_event(LOG_LEVEL_INFO,
			node ? "took claim for a node" : "gave claim back to the scheduler",
			LOG_STR("namespace", claim->object.namespace),
			LOG_STR("claim", claim->object.name), LOG_STR("node", node));
		return 0;
	}
	/* Another was faster, or the claim is gone. */
	return err->kind == ERROR_CONFLICT || err->kind == ERROR_NOT_FOUND ? 0 : -1;
}

static int wait_or_take(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, int64_t *ret_wait_ms, struct error *err)
{
	struct ownership *ownership = controller->ownership;
	struct strings names = topology_candidates(controller, class);
	int64_t delay, left_ns;
	ssize_t rank = -1;
	int result = find_rank(controller, claim, &names, &rank, err);

	delay = delay_ms(
		ownership, rank, names.count, recent_has(ownership->turns, claim->object.uid));
	strings_done(&names);
	if (result < 0 || rank < 0)
		return result;
	/* That node may only be new here. */
	if (*claim->selected_node && delay < ownership->options.base_delay_ms)
		delay = ownership->options.base_delay_ms;
	left_ns = claim->object.seen_ns + delay * 1000000 - now_ns();
	if (left_ns > 0) {
		*ret_wait_ms = left_ns / 1000000 + 1;
		return 0;
	}
	return take(controller, claim, class, err);
}

struct first {
	char name[254]; /* of the schedulable nodes, by name; "" where there is none */
};

static void look_for_first(void *context, const struct object *object)
{
	struct first *first = context;

	if (((const struct node *)object)->schedulable &&
		(!*first->name || strcmp(object->name, first->name) < 0))
		snprintf(first->name, sizeof(first->name), "%s", object->name);
}

/* Without node deployment it is agreed on without a word: the first node's. */
static bool is_first_node(const struct controller *controller)
{
	struct first first = {.name = ""};

	store_each(controller->nodes, look_for_first, &first);
	return !*first.name || !strcmp(first.name, controller->node);
}

bool ownership_speaks(const struct controller *controller, const struct claim *claim)
{
	if (!controller->node || !controller->driver.info.topology)
		return true;
	return *claim->selected_node ? !strcmp(claim->selected_node, controller->node)
				     : is_first_node(controller);
}

/* Whether nobody speaks for CLAIM, so that it is anybody's to take. */
static bool is_free(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class)
{
	_cleanup_object_ struct node *node = NULL;

	if (claim->object.deleting)
		return false;
	if (!class->wait_for_first_consumer && !controller->ownership->options.immediate_binding)
		return false;
	if (!*claim->selected_node)
		return !class->wait_for_first_consumer;
	node = store_get(controller->nodes, claim->selected_node);
	return !node;
}

int ownership_of_claim(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class, bool *ret_ours, int64_t *ret_wait_ms, struct error *err)
{
	*ret_wait_ms = 0;
	*ret_ours = true;
	if (!controller->node || !controller->driver.info.topology)
		return 0;
	*ret_ours = !strcmp(claim->selected_node, controller->node);
	if (!controller->ownership)
		*ret_ours = ownership_speaks(controller, claim);
	else if (!*ret_ours && is_free(controller, claim, class))
		return wait_or_take(controller, claim, class, ret_wait_ms, err);
	return 0;
}
