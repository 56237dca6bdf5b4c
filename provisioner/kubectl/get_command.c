/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "figures.h"
#include "replica_list.h"
#include "table.h"
#include "usage.h"
#include "volume_view.h"
#include "walk.h"

static const char *const headings[] = {"SET", "ORDINAL", "POD", "NODE", "CLAIM", "VOLUME", "ON",
	"PATH", "SIZE", "USED", "STATE", NULL};
static const char *const wide_headings[] = {"NAMESPACE", "SET", "ORDINAL", "POD", "NODE", "CLAIM",
	"VOLUME", "ON", "PATH", "SIZE", "USED", "STATE", NULL};

/* All that is shown, fetched. */
struct view {
	const struct command_context *context;
	struct replica_sources sources;
	struct replica_list list;
	struct usage *usage;
};

static int fetch(struct view *view, struct error *err)
{
	const struct cluster *cluster = view->context->cluster;
	const struct {
		const char *prefix, *plural;
		struct json_object **items;
		bool everywhere;
	} collections[] = {
		{"/apis/apps/v1", "statefulsets", &view->sources.sets, false},
		{"/api/v1", "pods", &view->sources.pods, false},
		{"/api/v1", "persistentvolumeclaims", &view->sources.claims, false},
		/* Behind the claims: then what a claim is bound to is there. */
		{"/api/v1", "persistentvolumes", &view->sources.volumes, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(collections); i++) {
		_cleanup_free_ char *path = cluster_path(collections[i].prefix,
			collections[i].everywhere ? "" : cluster->namespace, collections[i].plural);

		if (cluster_list(&cluster->api, path, collections[i].items, err) < 0)
			return -1;
	}
	return 0;
}

/* Only replicas of what was asked for: volumes are of the whole cluster. */
static bool is_shown(const struct view *view, const struct replica *replica)
{
	const char *namespace = view->context->cluster->namespace;
	const char *set = view->context->arguments->operand;

	return (!*namespace || !strcmp(namespace, replica->namespace)) &&
	       (!set || !strcmp(set, replica->set));
}

/* Ask the kubelet of each pod that is shown, once. One that does not answer costs its figures. */
static void measure(struct view *view)
{
	const struct screen notes = screen_on(stderr);
	struct json_object *asked = json_object_new_object();

	for (size_t i = 0; i < view->list.count; i++) {
		const char *node = walk_text(view->list.items[i].pod, "spec.nodeName");
		struct error err;

		if (!node || !is_shown(view, &view->list.items[i]) ||
			json_object_object_get_ex(asked, node, NULL))
			continue;
		json_object_object_add(asked, node, NULL);
		if (usage_ask(view->usage, &view->context->cluster->api, node, &err) == 0)
			continue;
		screen_write(&notes, SCREEN_PLAIN, "no used space of node ");
		screen_write(&notes, SCREEN_PLAIN, node);
		screen_write(&notes, SCREEN_PLAIN, ": ");
		screen_write(&notes, SCREEN_PLAIN, err.text);
		fputc('\n', stderr);
	}
	json_object_put(asked);
}

static enum screen_colour colour_of(enum replica_state state)
{
	static const enum screen_colour colours[] = {
		[REPLICA_READY] = SCREEN_GREEN,
		[REPLICA_NOT_READY] = SCREEN_YELLOW,
		[REPLICA_NO_POD] = SCREEN_YELLOW,
		[REPLICA_KEPT] = SCREEN_PLAIN,
		[REPLICA_RELEASED] = SCREEN_PLAIN,
		[REPLICA_MISSING] = SCREEN_RED,
		[REPLICA_PENDING] = SCREEN_YELLOW,
		[REPLICA_LOST] = SCREEN_RED,
		[REPLICA_TERMINATING] = SCREEN_YELLOW,
	};

	return colours[state];
}

static int64_t used_by(const struct view *view, const struct replica *replica)
{
	return replica->claim ? usage_of(view->usage, replica->namespace, replica->claim_name) : -1;
}

static void add_row(const struct view *view, struct table *table, const struct replica *replica)
{
	char ordinal[24], size[FIGURES_MAX], used[FIGURES_MAX];
	struct volume_view volume;

	volume_view_init(&volume, replica->volume);
	snprintf(ordinal, sizeof(ordinal), "%" PRId64, replica->ordinal);
	figures_bytes(volume.capacity, size);
	figures_bytes(used_by(view, replica), used);
	if (!*view->context->cluster->namespace)
		table_add(table, replica->namespace);
	table_add(table, replica->set);
	table_add(table, ordinal);
	table_add(table, replica->pod_name);
	table_add(table, walk_text(replica->pod, "spec.nodeName"));
	table_add(table, replica->claim ? replica->claim_name : NULL);
	table_add(table, volume.name);
	table_add(table, volume.server ? volume.server : volume.node);
	table_add(table, volume.path);
	table_add(table, size);
	table_add(table, used);
	table_add_coloured(table, replica_list_state(replica->state), colour_of(replica->state));
	volume_view_done(&volume);
}

static void print_table(const struct view *view)
{
	bool wide = !*view->context->cluster->namespace;
	_cleanup_(table_freep) struct table *table = table_new(wide ? wide_headings : headings);

	for (size_t i = 0; i < view->list.count; i++)
		if (is_shown(view, &view->list.items[i]))
			add_row(view, table, &view->list.items[i]);
	table_print(table, &view->context->screen);
}

static void tell_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text && *text ? json_object_new_string(text) : NULL);
}

static void tell_bytes(struct json_object *object, const char *key, int64_t bytes)
{
	json_object_object_add(object, key, bytes < 0 ? NULL : json_object_new_int64(bytes));
}

static struct json_object *replica_object(const struct view *view, const struct replica *replica)
{
	struct json_object *object = json_object_new_object();
	struct volume_view volume;

	volume_view_init(&volume, replica->volume);
	tell_text(object, "namespace", replica->namespace);
	tell_text(object, "statefulset", replica->set);
	tell_text(object, "template", replica->template);
	json_object_object_add(object, "ordinal", json_object_new_int64(replica->ordinal));
	tell_text(object, "pod", replica->pod_name);
	tell_text(object, "podNode", walk_text(replica->pod, "spec.nodeName"));
	tell_text(object, "claim", replica->claim ? replica->claim_name : NULL);
	tell_text(object, "volume", volume.name);
	tell_text(object, "driver", volume.driver);
	tell_text(object, "server", volume.server);
	tell_text(object, "node", volume.node);
	tell_text(object, "path", volume.path);
	tell_bytes(object, "sizeBytes", volume.capacity);
	tell_bytes(object, "usedBytes", used_by(view, replica));
	tell_text(object, "state", replica_list_state(replica->state));
	volume_view_done(&volume);
	return object;
}

static void print_json(const struct view *view)
{
	struct json_object *all = json_object_new_object(), *replicas = json_object_new_array();

	json_object_object_add(all, "replicas", replicas);
	for (size_t i = 0; i < view->list.count; i++)
		if (is_shown(view, &view->list.items[i]))
			json_object_array_add(replicas, replica_object(view, &view->list.items[i]));
	screen_write_json(&view->context->screen, all);
	json_object_put(all);
}

static bool has_set(const struct view *view, const char *name)
{
	for (size_t i = 0; i < walk_count(view->sources.sets); i++)
		if (!strcmp(walk_text_or_empty(walk_item(view->sources.sets, i), "metadata.name"),
			    name))
			return true;
	return false;
}

static size_t count_shown(const struct view *view)
{
	size_t count = 0;

	for (size_t i = 0; i < view->list.count; i++)
		count += is_shown(view, &view->list.items[i]);
	return count;
}

/* Nothing to show: a set without templates is as it should be, a name that none has is not. */
static int say_none(const struct view *view, struct error *err)
{
	const char *set = view->context->arguments->operand;
	const char *namespace = view->context->cluster->namespace;

	if (set && !has_set(view, set))
		return error_set(err, ERROR_NOT_FOUND, "there is no StatefulSet \"%s\" in %s%s",
			set, *namespace ? "namespace " : "any namespace", namespace);
	fprintf(stderr, set ? "The set has no volumeClaimTemplates.\n"
			    : "No StatefulSet with volumeClaimTemplates found.\n");
	return 0;
}

static int show(struct view *view, struct error *err)
{
	size_t count = count_shown(view);

	if (!count && say_none(view, err) < 0)
		return -1;
	measure(view);
	if (view->context->arguments->json)
		print_json(view);
	else if (count)
		print_table(view);
	return 0;
}

int get_command_run(const struct command_context *context, int *ret_code, struct error *err)
{
	struct view view = {.context = context, .usage = usage_new()};
	_cleanup_(store_freep) struct store *sets = store_new(NULL, NULL);
	_cleanup_(ordinals_freep) struct ordinals *ordinals =
		ordinals_new(sets, &context->cluster->api);
	int result = fetch(&view, err);

	(void)ret_code;
	if (result == 0)
		result = replica_list_fill(&view.list, &view.sources, ordinals, err);
	if (result == 0)
		result = show(&view, err);
	replica_list_done(&view.list);
	usage_free(view.usage);
	json_object_put(view.sources.sets);
	json_object_put(view.sources.pods);
	json_object_put(view.sources.claims);
	json_object_put(view.sources.volumes);
	return result;
}
