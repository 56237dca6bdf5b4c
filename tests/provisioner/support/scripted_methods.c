/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_methods.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names.h"

#define CAPABILITIES_MAX 16
#define OVERSIZED        (17 * 1024 * 1024)
#define TOKEN_SIZE       24

/* A field of raw bytes behind what MESSAGE holds: NUMBER is of a string or message. */
static void add_raw(ProtobufCMessage *message, ProtobufCMessageUnknownField *field, uint32_t number,
	const void *bytes, size_t size)
{
	uint8_t length[10];
	size_t used = 0, rest = size;

	do {
		length[used++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
		rest >>= 7;
	} while (rest);
	*field = (ProtobufCMessageUnknownField){
		.tag = number, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED};
	field->len = used + size;
	field->data = malloc(field->len);
	if (!field->data)
		abort();
	memcpy(field->data, length, used);
	memcpy(field->data + used, bytes, size);
	message->unknown_fields = field;
	message->n_unknown_fields = 1;
}

/* Only bytes, which are no message of any type. */
static void reply_bytes(struct scripted_call *call, size_t size)
{
	Csi__V1__DeleteVolumeResponse message = CSI__V1__DELETE_VOLUME_RESPONSE__INIT;
	ProtobufCMessageUnknownField field;
	_cleanup_free_ char *bytes = malloc(size);

	if (!bytes)
		abort();
	memset(bytes, 0xff, size);
	add_raw(&message.base, &field, 1, bytes, size);
	rpc_reply_set(call->reply, &message.base);
	free(field.data);
}

void scripted_methods_log(const struct scripted_call *call, const char *subject, const char *result)
{
	FILE *log = call->driver->options.log;

	if (!log)
		return;
	fprintf(log, "%s %s %s\n", call->method, subject, result);
	fflush(log);
}

static bool answers(const struct scripted_call *call, enum scripted_answer answer)
{
	return call->rule && call->rule->answer == answer;
}

/* Answer with MESSAGE, or as the rule has it. */
static int reply(struct scripted_call *call, const char *subject, ProtobufCMessage *message)
{
	const struct scripted_options *options = &call->driver->options;

	if (options->decide)
		options->decide(options->context, call->method, true);
	switch (call->rule ? call->rule->answer : SCRIPTED_FAIL) {
	case SCRIPTED_CRASH:
		scripted_methods_log(call, subject, "crash");
		_exit(1);
	case SCRIPTED_LOSE:
		scripted_methods_log(call, subject, error_kind_name(call->rule->kind));
		return error_set(call->err, call->rule->kind, "%s", call->rule->text);
	case SCRIPTED_EMPTY:
		message->descriptor->message_init(message);
		break;
	case SCRIPTED_GARBAGE:
	case SCRIPTED_OVERSIZED:
		scripted_methods_log(call, subject, "garbage");
		reply_bytes(call, answers(call, SCRIPTED_GARBAGE) ? 16 : OVERSIZED);
		return 0;
	default:
		break;
	}
	scripted_methods_log(call, subject, "OK");
	rpc_reply_set(call->reply, message);
	return 0;
}

/* Where a driver's capabilities are told. */
enum place { OF_PLUGIN, OF_EXPANSION, OF_CONTROLLER, OF_NODE };

static const struct {
	const char *name;
	enum place place;
	int value;
} capabilities[] = {
#define CONTROLLER(value) OF_CONTROLLER, CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__##value
#define PLUGIN(value)     OF_PLUGIN, CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__##value
	{"controller", PLUGIN(CONTROLLER_SERVICE)},
	{"topology", PLUGIN(VOLUME_ACCESSIBILITY_CONSTRAINTS)},
	{"offline", OF_EXPANSION, CSI__V1__PLUGIN_CAPABILITY__VOLUME_EXPANSION__TYPE__OFFLINE},
	{"create-delete", CONTROLLER(CREATE_DELETE_VOLUME)},
	{"attach", CONTROLLER(PUBLISH_UNPUBLISH_VOLUME)},
	{"list", CONTROLLER(LIST_VOLUMES)},
	{"snapshots", CONTROLLER(CREATE_DELETE_SNAPSHOT)},
	{"list-snapshots", CONTROLLER(LIST_SNAPSHOTS)},
	{"clone", CONTROLLER(CLONE_VOLUME)},
	{"expand", CONTROLLER(EXPAND_VOLUME)},
	{"single-node-multi-writer", CONTROLLER(SINGLE_NODE_MULTI_WRITER)},
	{"modify", CONTROLLER(MODIFY_VOLUME)},
	{"unknown", OF_CONTROLLER, 999},
	{"node", OF_NODE, 0},
	{"node-expand", OF_NODE, CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__EXPAND_VOLUME},
};

static bool has_capability(const struct scripted_call *call, size_t index)
{
	const char *name = capabilities[index].name;
	size_t length = strlen(name);

	for (const char *at = call->driver->options.capabilities; *at;) {
		size_t part = strcspn(at, ",");

		if (part == length && !strncmp(at, name, length))
			return true;
		at += part + (at[part] == ',');
	}
	return false;
}

static int get_plugin_info(struct scripted_call *call, const ProtobufCMessage *request)
{
	Csi__V1__GetPluginInfoResponse response = CSI__V1__GET_PLUGIN_INFO_RESPONSE__INIT;
	Csi__V1__GetPluginInfoResponse__ManifestEntry entry =
		CSI__V1__GET_PLUGIN_INFO_RESPONSE__MANIFEST_ENTRY__INIT;
	Csi__V1__GetPluginInfoResponse__ManifestEntry *entries = &entry;

	(void)request;
	response.name = (char *)call->driver->options.name;
	response.vendor_version = (char *)"1.2.3";
	entry.key = (char *)ORDINAL_MANIFEST_KEY;
	entry.value = (char *)call->driver->options.manifest;
	response.n_manifest = entry.value ? 1 : 0;
	response.manifest = &entries;
	return reply(call, "-", &response.base);
}

static int get_plugin_capabilities(struct scripted_call *call, const ProtobufCMessage *request)
{
	Csi__V1__GetPluginCapabilitiesResponse response =
		CSI__V1__GET_PLUGIN_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__PluginCapability messages[CAPABILITIES_MAX], *pointers[CAPABILITIES_MAX];
	Csi__V1__PluginCapability__Service services[CAPABILITIES_MAX];
	Csi__V1__PluginCapability__VolumeExpansion expansion =
		CSI__V1__PLUGIN_CAPABILITY__VOLUME_EXPANSION__INIT;

	(void)request;
	response.capabilities = pointers;
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (capabilities[i].place > OF_EXPANSION || !has_capability(call, i))
			continue;
		csi__v1__plugin_capability__init(&messages[i]);
		csi__v1__plugin_capability__service__init(&services[i]);
		if (capabilities[i].place == OF_PLUGIN) {
			messages[i].type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE;
			messages[i].service = &services[i];
			services[i].type =
				(Csi__V1__PluginCapability__Service__Type)capabilities[i].value;
		} else {
			messages[i].type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_VOLUME_EXPANSION;
			messages[i].volume_expansion = &expansion;
			expansion.type =
				(Csi__V1__PluginCapability__VolumeExpansion__Type)capabilities[i]
					.value;
		}
		pointers[response.n_capabilities++] = &messages[i];
	}
	return reply(call, "-", &response.base);
}

static int get_controller_capabilities(struct scripted_call *call, const ProtobufCMessage *request)
{
	Csi__V1__ControllerGetCapabilitiesResponse response =
		CSI__V1__CONTROLLER_GET_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__ControllerServiceCapability messages[CAPABILITIES_MAX],
		*pointers[CAPABILITIES_MAX];
	Csi__V1__ControllerServiceCapability__RPC rpcs[CAPABILITIES_MAX];

	(void)request;
	response.capabilities = pointers;
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (capabilities[i].place != OF_CONTROLLER || !has_capability(call, i))
			continue;
		csi__v1__controller_service_capability__init(&messages[i]);
		csi__v1__controller_service_capability__rpc__init(&rpcs[i]);
		rpcs[i].type =
			(Csi__V1__ControllerServiceCapability__RPC__Type)capabilities[i].value;
		messages[i].type_case = CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC;
		messages[i].rpc = &rpcs[i];
		pointers[response.n_capabilities++] = &messages[i];
	}
	return reply(call, "-", &response.base);
}

static int get_node_capabilities(struct scripted_call *call, const ProtobufCMessage *request)
{
	Csi__V1__NodeGetCapabilitiesResponse response =
		CSI__V1__NODE_GET_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__NodeServiceCapability message = CSI__V1__NODE_SERVICE_CAPABILITY__INIT,
				       *pointer = &message;
	Csi__V1__NodeServiceCapability__RPC rpc = CSI__V1__NODE_SERVICE_CAPABILITY__RPC__INIT;
	bool served = false;

	(void)request;
	response.capabilities = &pointer;
	message.type_case = CSI__V1__NODE_SERVICE_CAPABILITY__TYPE_RPC;
	message.rpc = &rpc;
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (capabilities[i].place != OF_NODE || !has_capability(call, i))
			continue;
		served = true;
		rpc.type = (Csi__V1__NodeServiceCapability__RPC__Type)capabilities[i].value;
		response.n_capabilities = 1;
	}
	if (!served)
		return error_set(call->err, ERROR_UNIMPLEMENTED, "no Node service here");
	return reply(call, "-", &response.base);
}

static int probe(struct scripted_call *call, const ProtobufCMessage *request)
{
	Csi__V1__ProbeResponse response = CSI__V1__PROBE_RESPONSE__INIT;
	Google__Protobuf__BoolValue ready = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;

	(void)request;
	ready.value = answers(call, SCRIPTED_SAYS_READY);
	if (ready.value || answers(call, SCRIPTED_NOT_READY))
		response.ready = &ready;
	return reply(call, "-", &response.base);
}

/* A volume as the driver tells of it, and all that this needs. */
struct told {
	Csi__V1__Volume volume;
	Csi__V1__Volume__VolumeContextEntry entry, **entries;
	Csi__V1__VolumeContentSource source;
	Csi__V1__Topology topology, *topologies;
	Csi__V1__Topology__SegmentsEntry segment, *segments;
	ProtobufCMessageUnknownField raw, raw_entry;
	char *id, *key;
};

static void tell_context(struct told *told, const struct scripted_rule *rule)
{
	size_t count = rule && rule->answer == SCRIPTED_MANY ? (size_t)rule->size : 1;

	csi__v1__volume__volume_context_entry__init(&told->entry);
	told->entry.key = (char *)"share";
	told->entry.value = (char *)"/x";
	told->entries = malloc(count * sizeof(*told->entries));
	if (!told->entries)
		abort();
	for (size_t i = 0; i < count; i++)
		told->entries[i] = &told->entry;
	if (rule && rule->answer == SCRIPTED_RAW_VALUE)
		add_raw(&told->entry.base, &told->raw_entry, 2, rule->text, (size_t)rule->size);
	told->volume.n_volume_context = count;
	told->volume.volume_context = told->entries;
}

static void tell_topology(struct told *told, const char *pair)
{
	char *equals;

	if (!pair)
		return;
	csi__v1__topology__init(&told->topology);
	csi__v1__topology__segments_entry__init(&told->segment);
	told->key = strdup(pair);
	equals = told->key ? strchr(told->key, '=') : NULL;
	if (!equals)
		abort();
	*equals = '\0';
	told->segment.key = told->key;
	told->segment.value = equals + 1;
	told->segments = &told->segment;
	told->topology.n_segments = 1;
	told->topology.segments = &told->segments;
	told->topologies = &told->topology;
	told->volume.n_accessible_topology = 1;
	told->volume.accessible_topology = &told->topologies;
}

static void tell_id(struct told *told, const char *handle, const struct scripted_rule *rule)
{
	size_t size = rule && rule->answer == SCRIPTED_LONG_ID ? (size_t)rule->size : 0;

	told->id = size ? malloc(size + 1) : strdup(handle);
	if (!told->id)
		abort();
	if (size) {
		memset(told->id, 'x', size);
		told->id[size] = '\0';
	}
	told->volume.volume_id = told->id;
	if (rule && rule->answer == SCRIPTED_NO_ID)
		told->volume.volume_id = (char *)"";
	if (rule && rule->answer == SCRIPTED_RAW_ID)
		add_raw(&told->volume.base, &told->raw, 2, rule->text, (size_t)rule->size);
}

static void tell_volume(
	struct told *told, const struct scripted_call *call, const char *handle, int64_t bytes)
{
	*told = (struct told){.id = NULL};
	csi__v1__volume__init(&told->volume);
	tell_id(told, handle, call->rule);
	tell_context(told, call->rule);
	told->volume.capacity_bytes = answers(call, SCRIPTED_CAPACITY) ? call->rule->size : bytes;
}

static void told_done(struct told *told)
{
	free(told->id);
	free(told->key);
	free(told->entries);
	free(told->raw.data);
	free(told->raw_entry.data);
}

/* Where it was asked to be, or else where all are. */
static void tell_place(struct told *told, const struct scripted_call *call,
	const Csi__V1__CreateVolumeRequest *request)
{
	Csi__V1__TopologyRequirement *wanted = request->accessibility_requirements;

	if (wanted && wanted->n_preferred) {
		told->volume.n_accessible_topology = 1;
		told->volume.accessible_topology = wanted->preferred;
	} else {
		tell_topology(told, call->driver->options.topology);
	}
}

static void log_source(const struct scripted_call *call, const Csi__V1__VolumeContentSource *source)
{
	if (source && source->type_case == CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_VOLUME)
		scripted_methods_log(call, "source", source->volume->volume_id);
}

static int create_volume(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__CreateVolumeRequest *request = (const Csi__V1__CreateVolumeRequest *)message;
	Csi__V1__CreateVolumeResponse response = CSI__V1__CREATE_VOLUME_RESPONSE__INIT;
	int64_t bytes = request->capacity_range ? request->capacity_range->required_bytes : 0;
	struct scripted_driver *driver = call->driver;
	const struct scripted_volume *volume;
	struct told told;
	int result;

	pthread_mutex_lock(&driver->lock);
	volume = scripted_volumes_make(&driver->volumes, request->name, bytes, call->err);
	if (volume)
		tell_volume(&told, call, volume->handle, volume->bytes);
	pthread_mutex_unlock(&driver->lock);
	if (!volume) {
		scripted_methods_log(call, request->name, "ALREADY_EXISTS");
		return -1;
	}
	tell_place(&told, call, request);
	told.volume.content_source = request->volume_content_source;
	log_source(call, request->volume_content_source);
	response.volume = &told.volume;
	result = reply(call, request->name, &response.base);
	told_done(&told);
	return result;
}

static int delete_volume(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__DeleteVolumeRequest *request = (const Csi__V1__DeleteVolumeRequest *)message;
	Csi__V1__DeleteVolumeResponse response = CSI__V1__DELETE_VOLUME_RESPONSE__INIT;

	pthread_mutex_lock(&call->driver->lock);
	scripted_volumes_delete(&call->driver->volumes, request->volume_id);
	pthread_mutex_unlock(&call->driver->lock);
	return reply(call, request->volume_id, &response.base);
}

static int expand_volume(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__ControllerExpandVolumeRequest *request =
		(const Csi__V1__ControllerExpandVolumeRequest *)message;
	Csi__V1__ControllerExpandVolumeResponse response =
		CSI__V1__CONTROLLER_EXPAND_VOLUME_RESPONSE__INIT;
	int64_t bytes = request->capacity_range ? request->capacity_range->required_bytes : 0;
	int result;

	pthread_mutex_lock(&call->driver->lock);
	result =
		scripted_volumes_grow(&call->driver->volumes, request->volume_id, bytes, call->err);
	pthread_mutex_unlock(&call->driver->lock);
	if (result < 0) {
		scripted_methods_log(call, request->volume_id, "NOT_FOUND");
		return -1;
	}
	response.capacity_bytes = answers(call, SCRIPTED_CAPACITY) ? call->rule->size : bytes;
	response.node_expansion_required = answers(call, SCRIPTED_NODE_TOO);
	return reply(call, request->volume_id, &response.base);
}

static int modify_volume(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__ControllerModifyVolumeRequest *request =
		(const Csi__V1__ControllerModifyVolumeRequest *)message;
	Csi__V1__ControllerModifyVolumeResponse response =
		CSI__V1__CONTROLLER_MODIFY_VOLUME_RESPONSE__INIT;

	return reply(call, request->volume_id, &response.base);
}

/* One page of volumes from the one that the token counts to. */
static void tell_page(struct scripted_call *call, const Csi__V1__ListVolumesRequest *request,
	struct told *told, Csi__V1__ListVolumesResponse *response)
{
	const struct scripted_volumes *volumes = &call->driver->volumes;
	size_t limit = (size_t)request->max_entries, at = (size_t)atol(request->starting_token);

	if (call->driver->options.page_entries)
		limit = (size_t)call->driver->options.page_entries;
	for (; at < volumes->count && response->n_entries < limit; at++) {
		Csi__V1__ListVolumesResponse__Entry *entry = response->entries[response->n_entries];

		csi__v1__list_volumes_response__entry__init(entry);
		tell_volume(&told[response->n_entries++], call, volumes->items[at].handle,
			volumes->items[at].bytes);
		if (!answers(call, SCRIPTED_NO_VOLUME))
			entry->volume = &told[response->n_entries - 1].volume;
	}
	if (at < volumes->count)
		snprintf(response->next_token, TOKEN_SIZE, "%zu", at);
	if (answers(call, SCRIPTED_ENDLESS))
		snprintf(
			response->next_token, TOKEN_SIZE, "%ld", atol(request->starting_token) + 1);
	if (answers(call, SCRIPTED_REPEATING))
		snprintf(response->next_token, TOKEN_SIZE, "1");
}

static int list_volumes(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__ListVolumesRequest *request = (const Csi__V1__ListVolumesRequest *)message;
	Csi__V1__ListVolumesResponse response = CSI__V1__LIST_VOLUMES_RESPONSE__INIT;
	char token[TOKEN_SIZE] = "";
	struct told *told;
	Csi__V1__ListVolumesResponse__Entry *entries;
	size_t count;
	int result;

	response.next_token = token;
	pthread_mutex_lock(&call->driver->lock);
	count = call->driver->volumes.count + 1;
	told = calloc(count, sizeof(*told));
	entries = calloc(count, sizeof(*entries));
	response.entries = calloc(count, sizeof(*response.entries));
	if (!told || !entries || !response.entries)
		abort();
	for (size_t i = 0; i < count; i++)
		response.entries[i] = &entries[i];
	tell_page(call, request, told, &response);
	pthread_mutex_unlock(&call->driver->lock);
	result = reply(
		call, *request->starting_token ? request->starting_token : "-", &response.base);
	for (size_t i = 0; i < count; i++)
		told_done(&told[i]);
	free(told);
	free(entries);
	free(response.entries);
	return result;
}

/* A volume as a snapshot of itself, which is how it shows here, and all that this needs. */
struct shown {
	Csi__V1__ListSnapshotsResponse__Entry entry;
	Csi__V1__Snapshot snapshot;
	Google__Protobuf__Timestamp created;
	Csi__V1__Snapshot__SnapshotContextEntry context, *contexts;
	char *id;
};

static void show(
	struct shown *shown, const struct scripted_call *call, const char *handle, int64_t bytes)
{
	csi__v1__list_snapshots_response__entry__init(&shown->entry);
	csi__v1__snapshot__init(&shown->snapshot);
	google__protobuf__timestamp__init(&shown->created);
	csi__v1__snapshot__snapshot_context_entry__init(&shown->context);
	shown->id = strdup(answers(call, SCRIPTED_NO_ID) ? "" : handle);
	if (!shown->id)
		abort();
	shown->context.key = (char *)ORDINAL_KEY_PATH;
	shown->context.value = shown->id;
	shown->contexts = &shown->context;
	shown->created.seconds = 1700000000;
	shown->snapshot.snapshot_id = shown->snapshot.source_volume_id = shown->id;
	shown->snapshot.size_bytes = answers(call, SCRIPTED_CAPACITY) ? call->rule->size : bytes;
	shown->snapshot.creation_time = &shown->created;
	shown->snapshot.ready_to_use = true;
	shown->snapshot.n_snapshot_context = 1;
	shown->snapshot.snapshot_context = &shown->contexts;
	if (!answers(call, SCRIPTED_NO_VOLUME))
		shown->entry.snapshot = &shown->snapshot;
}

/* One page of snapshots from the one that the token counts to, or the one that is asked for. */
static void show_page(struct scripted_call *call, const Csi__V1__ListSnapshotsRequest *request,
	struct shown *shown, Csi__V1__ListSnapshotsResponse *response)
{
	const struct scripted_volumes *volumes = &call->driver->volumes;
	size_t limit = (size_t)request->max_entries, at = (size_t)atol(request->starting_token);

	if (call->driver->options.page_entries)
		limit = (size_t)call->driver->options.page_entries;
	for (; at < volumes->count && response->n_entries < limit; at++) {
		const struct scripted_volume *volume = &volumes->items[at];

		if (*request->snapshot_id && strcmp(volume->handle, request->snapshot_id) != 0)
			continue;
		show(&shown[response->n_entries], call, volume->handle, volume->bytes);
		response->entries[response->n_entries] = &shown[response->n_entries].entry;
		response->n_entries++;
	}
	if (at < volumes->count)
		snprintf(response->next_token, TOKEN_SIZE, "%zu", at);
	if (answers(call, SCRIPTED_ENDLESS))
		snprintf(
			response->next_token, TOKEN_SIZE, "%ld", atol(request->starting_token) + 1);
	if (answers(call, SCRIPTED_REPEATING))
		snprintf(response->next_token, TOKEN_SIZE, "1");
}

static int list_snapshots(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__ListSnapshotsRequest *request =
		(const Csi__V1__ListSnapshotsRequest *)message;
	Csi__V1__ListSnapshotsResponse response = CSI__V1__LIST_SNAPSHOTS_RESPONSE__INIT;
	char token[TOKEN_SIZE] = "";
	struct shown *shown;
	size_t count;
	int result;

	response.next_token = token;
	pthread_mutex_lock(&call->driver->lock);
	count = call->driver->volumes.count + 1;
	shown = calloc(count, sizeof(*shown));
	response.entries = calloc(count, sizeof(*response.entries));
	if (!shown || !response.entries)
		abort();
	show_page(call, request, shown, &response);
	pthread_mutex_unlock(&call->driver->lock);
	result = reply(
		call, *request->starting_token ? request->starting_token : "-", &response.base);
	for (size_t i = 0; i < count; i++)
		free(shown[i].id);
	free(shown);
	free(response.entries);
	return result;
}

static int delete_snapshot(struct scripted_call *call, const ProtobufCMessage *message)
{
	const Csi__V1__DeleteSnapshotRequest *request =
		(const Csi__V1__DeleteSnapshotRequest *)message;
	Csi__V1__DeleteSnapshotResponse response = CSI__V1__DELETE_SNAPSHOT_RESPONSE__INIT;

	pthread_mutex_lock(&call->driver->lock);
	scripted_volumes_delete(&call->driver->volumes, request->snapshot_id);
	pthread_mutex_unlock(&call->driver->lock);
	return reply(call, request->snapshot_id, &response.base);
}

const struct scripted_method scripted_methods[] = {
	{"/csi.v1.Identity/GetPluginInfo", &csi__v1__get_plugin_info_request__descriptor,
		get_plugin_info},
	{"/csi.v1.Identity/GetPluginCapabilities",
		&csi__v1__get_plugin_capabilities_request__descriptor, get_plugin_capabilities},
	{"/csi.v1.Identity/Probe", &csi__v1__probe_request__descriptor, probe},
	{"/csi.v1.Controller/ControllerGetCapabilities",
		&csi__v1__controller_get_capabilities_request__descriptor,
		get_controller_capabilities},
	{"/csi.v1.Controller/CreateVolume", &csi__v1__create_volume_request__descriptor,
		create_volume},
	{"/csi.v1.Controller/DeleteVolume", &csi__v1__delete_volume_request__descriptor,
		delete_volume},
	{"/csi.v1.Controller/ControllerExpandVolume",
		&csi__v1__controller_expand_volume_request__descriptor, expand_volume},
	{"/csi.v1.Controller/ListVolumes", &csi__v1__list_volumes_request__descriptor,
		list_volumes},
	{"/csi.v1.Controller/ListSnapshots", &csi__v1__list_snapshots_request__descriptor,
		list_snapshots},
	{"/csi.v1.Controller/DeleteSnapshot", &csi__v1__delete_snapshot_request__descriptor,
		delete_snapshot},
	{"/csi.v1.Controller/ControllerModifyVolume",
		&csi__v1__controller_modify_volume_request__descriptor, modify_volume},
	{"/csi.v1.Node/NodeGetCapabilities", &csi__v1__node_get_capabilities_request__descriptor,
		get_node_capabilities},
	{.path = NULL},
};
