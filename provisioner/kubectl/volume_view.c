/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "names.h"
#include "quantity.h"
#include "walk.h"

#define OUR_DOMAIN  ".ordinal.dev"
#define ID_BEGINS   "1:" /* a volume id of ours: version, hash, server, share */
#define HASH_LENGTH 22

static char *copy(const char *text, size_t length)
{
	char *made = strndup(text, length);

	if (!made)
		abort();
	return made;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && !strcmp(text + length - wanted, end);
}

bool volume_view_is_our_driver(const char *name)
{
	return ends_with(name, OUR_DOMAIN);
}

bool volume_view_is_ours(struct json_object *volume)
{
	return volume_view_is_our_driver(walk_text_or_empty(volume, "spec.csi.driver"));
}

/* "server:/path", "[address]:/path" or "/path", as mount(8) has it. */
static void set_place(struct volume_view *view, const char *text)
{
	const char *path = *text == '/' ? text : strstr(text, ":/");
	size_t length = path ? (size_t)(path - text) : 0;
	bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';

	if (length)
		view->server = bracketed ? copy(text + 1, length - 2) : copy(text, length);
	if (!path)
		path = text;
	else if (length)
		path++;
	view->path = copy(path, strlen(path));
}

/* What our driver's volumes are called tells their export, where nothing else tells of the path. */
static void set_export(struct volume_view *view, const char *handle)
{
	size_t fixed = strlen(ID_BEGINS) + HASH_LENGTH;

	if (!strncmp(handle, ID_BEGINS, strlen(ID_BEGINS)) && strlen(handle) > fixed + 1 &&
		handle[fixed] == ':')
		set_place(view, handle[fixed + 1] == ':' ? handle + fixed + 2 : handle + fixed + 1);
	else if (*handle)
		view->path = copy(handle, strlen(handle));
}

/* Drivers for NFS name server and share; of others the handle is all that all have. */
static void set_other(struct volume_view *view, struct json_object *csi)
{
	const char *server = walk_text(csi, "volumeAttributes.server");
	const char *share = walk_text(csi, "volumeAttributes.share");
	const char *folder = walk_text(csi, "volumeAttributes.subdir");

	if (!server || !share) {
		set_export(view, walk_text_or_empty(csi, "volumeHandle"));
		return;
	}
	view->server = copy(server, strlen(server));
	if (asprintf(&view->path, "%s%s%s", share, folder && *folder ? "/" : "",
		    folder ? folder : "") < 0)
		abort();
}

static void look_at_csi(struct volume_view *view, struct json_object *csi)
{
	struct json_object *attributes = walk_to(csi, "volumeAttributes", json_type_object);
	const char *path = json_string(attributes, ORDINAL_KEY_PATH);

	view->driver = walk_text_or_empty(csi, "driver");
	if (path)
		set_place(view, path);
	else
		set_other(view, csi);
}

/* What was there before CSI; what is none of these has a driver by the name of its member. */
static void look_at_source(struct volume_view *view, struct json_object *spec)
{
	static const struct {
		const char *kind, *server, *path;
	} sources[] = {
		{"nfs", "nfs.server", "nfs.path"},
		{"hostPath", NULL, "hostPath.path"},
		{"local", NULL, "local.path"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const char *path = walk_text(spec, sources[i].path);
		const char *server = sources[i].server ? walk_text(spec, sources[i].server) : NULL;

		if (!path)
			continue;
		view->driver = sources[i].kind;
		view->path = copy(path, strlen(path));
		view->server = server ? copy(server, strlen(server)) : NULL;
	}
}

/* The node that an expression names: the only value of a key that stands for nodes. */
static const char *node_of(struct json_object *expression)
{
	const char *key = walk_text_or_empty(expression, "key");
	struct json_object *values = walk_to(expression, "values", json_type_array);

	if (strcmp(walk_text_or_empty(expression, "operator"), "In") || walk_count(values) != 1)
		return NULL;
	if (!ends_with(key, "/hostname") && !ends_with(key, "/node"))
		return NULL;
	return json_text(walk_item(values, 0));
}

static const char *find_node(struct json_object *spec)
{
	struct json_object *terms =
		walk_to(spec, "nodeAffinity.required.nodeSelectorTerms", json_type_array);
	struct json_object *expressions;
	const char *node = NULL;

	if (walk_count(terms) != 1)
		return NULL;
	expressions = walk_to(walk_item(terms, 0), "matchExpressions", json_type_array);
	for (size_t i = 0; i < walk_count(expressions) && !node; i++)
		node = node_of(walk_item(expressions, i));
	return node;
}

void volume_view_init(struct volume_view *view, struct json_object *volume)
{
	struct json_object *spec = walk_to(volume, "spec", json_type_object);
	struct json_object *csi = walk_to(spec, "csi", json_type_object);
	const char *capacity = walk_text(spec, "capacity.storage");

	*view = (struct volume_view){
		.name = walk_text_or_empty(volume, "metadata.name"),
		.driver = "",
		.node = find_node(spec),
		.phase = walk_text_or_empty(volume, "status.phase"),
		.capacity = -1,
	};
	if (capacity && quantity_parse(capacity, &view->capacity, NULL) < 0)
		view->capacity = -1;
	if (csi)
		look_at_csi(view, csi);
	else
		look_at_source(view, spec);
}

void volume_view_done(struct volume_view *view)
{
	free(view->server);
	free(view->path);
}

static bool is_claim_of(const struct volume_view_place *place, const char *ordinal)
{
	_cleanup_free_ char *name = NULL;

	if (asprintf(&name, "%s-%s-%s", place->template, place->statefulset, ordinal) < 0)
		abort();
	return !strcmp(name, place->claim);
}

bool volume_view_place(struct json_object *volume, struct volume_view_place *ret_place)
{
	struct json_object *notes = walk_to(volume, "metadata.annotations", json_type_object);
	const char *ordinal = json_string(notes, ORDINAL_KEY_ORDINAL);
	struct volume_view_place place = {
		.namespace = walk_text(volume, "spec.claimRef.namespace"),
		.claim = walk_text(volume, "spec.claimRef.name"),
		.statefulset = json_string(notes, ORDINAL_KEY_STATEFULSET),
		.template = json_string(notes, ORDINAL_KEY_TEMPLATE),
	};
	char *end = NULL;

	if (!place.namespace || !place.claim || !place.statefulset || !place.template || !ordinal)
		return false;
	errno = 0;
	place.ordinal = strtoll(ordinal, &end, 10);
	if (*ordinal < '0' || *ordinal > '9' || *end || errno || !is_claim_of(&place, ordinal))
		return false;
	*ret_place = place;
	return true;
}
