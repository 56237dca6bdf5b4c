/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <string.h>

#include "ordinals.h"
#include "testing.h"

static const struct api_step events_steps[] = {{.match = "*", .repeat = true}};

static void note_call(struct world *world, char *call)
{
	if (world->call_count == WORLD_CALLS_MAX)
		abort();
	world->calls[world->call_count++] = call;
}

static void print_map(FILE *out, const char *title, const struct string_map *map)
{
	fprintf(out, " %s{", title);
	for (size_t i = 0; map && i < map->count; i++)
		fprintf(out, "%s%s=%s", i ? "," : "", map->items[i].key, map->items[i].value);
	fputc('}', out);
}

static void print_strings(FILE *out, const char *title, const struct strings *list)
{
	fprintf(out, " %s[", title);
	for (size_t i = 0; i < list->count; i++)
		fprintf(out, "%s%s", i ? "," : "", list->items[i]);
	fputc(']', out);
}

static void print_topologies(FILE *out, const char *title, const struct csi_topologies *topologies)
{
	for (size_t i = 0; topologies && i < topologies->count; i++)
		print_map(out, title, &topologies->items[i]);
}

static void note_create(struct world *world, const struct csi_create_request *request)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "create %s %lld", request->name, (long long)request->required_bytes);
	print_map(out, "parameters", request->parameters);
	if (request->mutable_parameters && request->mutable_parameters->count)
		print_map(out, "mutable", request->mutable_parameters);
	print_strings(out, "modes", request->access_modes);
	print_strings(out, "options", request->mount_options);
	if (*request->fs_type)
		fprintf(out, " fs=%s", request->fs_type);
	if (request->block)
		fputs(" block", out);
	print_topologies(out, "topology", request->requisite);
	if (request->preferred && request->preferred->count > 1)
		print_topologies(out, "preferred", request->preferred);
	if (request->source_volume)
		fprintf(out, " volume=%s", request->source_volume);
	if (request->source_snapshot)
		fprintf(out, " snapshot=%s", request->source_snapshot);
	if (request->secrets)
		print_map(out, "secrets", request->secrets);
	fclose(out);
	note_call(world, text);
}

static void note_expand(struct world *world, const struct csi_expand_request *request)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "expand %s %lld", request->handle, (long long)request->required_bytes);
	print_strings(out, "modes", request->access_modes);
	print_strings(out, "options", request->mount_options);
	if (*request->fs_type)
		fprintf(out, " fs=%s", request->fs_type);
	if (request->block)
		fputs(" block", out);
	if (request->secrets)
		print_map(out, "secrets", request->secrets);
	fclose(out);
	note_call(world, text);
}

/* A call that names a volume, and what goes with it where it is given. */
static void note_volume(struct world *world, const char *verb, const char *handle,
	const struct string_map *parameters, const struct string_map *secrets)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "%s %s", verb, handle);
	if (parameters)
		print_map(out, "parameters", parameters);
	if (secrets)
		print_map(out, "secrets", secrets);
	fclose(out);
	note_call(world, text);
}

static const struct driver_step *next_step(struct world *world)
{
	static const struct driver_step none = {
		ERROR_UNAVAILABLE, "not in the script", 0, {0}, {0}};

	return world->step < world->step_count ? &world->steps[world->step++] : &none;
}

static void fill_volume(const struct driver_step *step, struct csi_volume *volume)
{
	*volume = (struct csi_volume){.handle = strdup(step->text),
		.capacity_bytes = step->capacity & ~WORLD_HAS_SOURCE,
		.has_source = (step->capacity & WORLD_HAS_SOURCE) != 0};
	if (step->context[0])
		string_map_add(&volume->context, step->context[0], step->context[1]);
	if (!step->topology[0])
		return;
	volume->topologies.items = calloc(1, sizeof(*volume->topologies.items));
	volume->topologies.count = 1;
	string_map_add(&volume->topologies.items[0], step->topology[0], step->topology[1]);
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	const struct driver_step *step = next_step(self);

	note_create(self, request);
	if (step->kind)
		return error_set(err, step->kind, "%s", step->text);
	fill_volume(step, ret_volume);
	return 0;
}

static int delete_volume(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	const struct driver_step *step = next_step(self);

	note_volume(self, "delete", handle, NULL, secrets);
	return step->kind ? error_set(err, step->kind, "%s", step->text) : 0;
}

static int expand_volume(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	const struct driver_step *step = next_step(self);

	note_expand(self, request);
	if (step->kind)
		return error_set(err, step->kind, "%s", step->text);
	*ret_bytes = step->capacity & ~WORLD_NODE_EXPANSION;
	*ret_node_expansion = (step->capacity & WORLD_NODE_EXPANSION) != 0;
	return 0;
}

static int list_volumes(void *self,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	const struct driver_step *step = next_step(self);
	_cleanup_free_ char *handles = strdup(step->text ? step->text : "");
	int result = 0;

	note_call(self, strdup("list"));
	if (step->kind)
		return error_set(err, step->kind, "%s", step->text);
	for (char *at = handles, *handle; result == 0 && (handle = strsep(&at, " "));) {
		const struct csi_volume volume = {
			.handle = handle, .capacity_bytes = step->capacity};

		if (*handle)
			result = each(context, &volume, err);
	}
	return result;
}

static int modify_volume(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	const struct driver_step *step = next_step(self);

	note_volume(self, "modify", handle, parameters, secrets);
	return step->kind ? error_set(err, step->kind, "%s", step->text) : 0;
}

static int list_snapshots(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	const struct driver_step *step = next_step(self);

	(void)id;
	(void)each;
	(void)context;
	note_call(self, strdup("list snapshots"));
	return step->kind ? error_set(err, step->kind, "%s", step->text) : 0;
}

static int delete_snapshot(void *self, const char *id, struct error *err)
{
	const struct driver_step *step = next_step(self);
	char *call = NULL;

	if (asprintf(&call, "delete snapshot %s", id) < 0)
		abort();
	note_call(self, call);
	return step->kind ? error_set(err, step->kind, "%s", step->text) : 0;
}

static int probe(void *self, struct error *err)
{
	const struct driver_step *step = next_step(self);

	note_call(self, strdup("probe"));
	return step->kind ? error_set(err, step->kind, "%s", step->text) : 0;
}

void world_init(struct world *world, const struct driver_step *driver, size_t driver_count,
	const struct api_step *api, size_t api_count)
{
	struct controller *controller = &world->controller;
	struct kube_api events, map;
	struct error err;

	*world = (struct world){.steps = driver, .step_count = driver_count};
	fake_api_init(&world->api, api, api_count);
	fake_api_init(&world->events, events_steps, ARRAY_SIZE(events_steps));
	map_server_init(&world->map);
	events = fake_api_table(&world->events);
	map = map_server_api(&world->map);
	*controller = (struct controller){
		.api = fake_api_table(&world->api),
		.driver = {.create_volume = create_volume,
			.delete_volume = delete_volume,
			.expand_volume = expand_volume,
			.list_volumes = list_volumes,
			.modify_volume = modify_volume,
			.list_snapshots = list_snapshots,
			.delete_snapshot = delete_snapshot,
			.probe = probe,
			.self = world,
			.info = {.name = "d.example.com"}},
		.events = event_recorder_new(&events, "tester"),
		.claims = store_new(NULL, NULL),
		.volumes = store_new(NULL, NULL),
		.classes = store_new(NULL, NULL),
		.sets = store_new(NULL, NULL),
		.nodes = store_new(NULL, NULL),
		.csi_nodes = store_new(NULL, NULL),
		.volume_name_prefix = "pvc",
		.extra_create_metadata = true,
		.immediate_topology = true,
		.journal =
			journal_new(&map, &(struct journal_options){"ns", "journal", "tester", 0}),
		.retry_max_ms = 300000,
	};
	controller->ordinals = ordinals_new(controller->sets, &controller->api);
	if (journal_open(controller->journal, &err) < 0)
		abort();
}

void world_done(struct world *world)
{
	struct controller *controller = &world->controller;

	if (controller->events)
		event_recorder_free(controller->events);
	ordinals_free(controller->ordinals);
	store_free(controller->claims);
	store_free(controller->volumes);
	store_free(controller->classes);
	store_free(controller->sets);
	store_free(controller->nodes);
	store_free(controller->csi_nodes);
	journal_free(controller->journal);
	map_server_done(&world->map);
	fake_api_done(&world->api);
	fake_api_done(&world->events);
	for (size_t i = 0; i < world->call_count; i++)
		free(world->calls[i]);
}

void world_set(struct store *store, const struct object_type *type, const char *text)
{
	_cleanup_object_ struct object *object = object_of(type, text);

	store_set(store, object);
}

char *world_calls(const struct world *world)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < world->call_count; i++)
		fprintf(out, "%s%s", i ? "; " : "", world->calls[i]);
	fclose(out);
	return text;
}

void world_simplify(char *text)
{
	static const char key[] = "'lastTransitionTime':'";
	char *to = text;

	for (char *at = text; *at; at++)
		if (*at == '"')
			*at = '\'';
	for (const char *from = text; *from;) {
		if (!strncmp(from, key, sizeof(key) - 1)) {
			memmove(to, from, sizeof(key) - 1);
			to += sizeof(key) - 1;
			*to++ = 'T';
			from = strchr(from + sizeof(key) - 1, '\'');
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

char *world_sent(struct world *world)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < world->api.seen_count; i++)
		fprintf(out, "%s\n", fake_api_seen(&world->api, i));
	fclose(out);
	world_simplify(text);
	return text;
}

/* The count that the event of POST number INDEX had in the end. How often it was patched depends
 * on time, and what it came to does not. */
static int last_count(const struct world *world, size_t index, struct json_object *event)
{
	const char *name = json_string(json_member(event, "metadata", json_type_object), "name");
	int count = json_object_get_int(json_member(event, "count", json_type_int));
	_cleanup_free_ char *mark = NULL;

	if (asprintf(&mark, "/%s ", name) < 0)
		abort();
	for (size_t i = index + 1; i < FAKE_API_MAX && world->events.seen[i]; i++) {
		const char *seen = world->events.seen[i];
		struct json_object *patch;

		if (strncmp(seen, "PATCH ", 6) != 0 || !strstr(seen, mark))
			continue;
		patch = json_tokener_parse(strchr(seen, '{'));
		count = json_object_get_int(json_member(patch, "count", json_type_int));
		json_object_put(patch);
	}
	return count;
}

/* The event of request INDEX, if that is a POST. */
static void print_event(FILE *out, const struct world *world, size_t index)
{
	const char *seen = world->events.seen[index];
	struct json_object *event;
	int count;

	if (strncmp(seen, "POST ", 5) != 0)
		return;
	event = json_tokener_parse(strchr(seen, '{'));
	count = last_count(world, index, event);
	fprintf(out, "%s %s: %s\n", json_string(event, "type"), json_string(event, "reason"),
		json_string(event, "message"));
	if (count != 1)
		fprintf(out, "count %d\n", count);
	json_object_put(event);
}

char *world_events(struct world *world)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	event_recorder_free(take_ptr(world->controller.events));
	for (size_t i = 0; i < FAKE_API_MAX && world->events.seen[i]; i++)
		print_event(out, world, i);
	fclose(out);
	return text;
}
