/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_client.h"

#include <string.h>

#include "csi.pb-c.h"
#include "map_entry.h"
#include "names.h"
#include "rpc_client.h"

#define PROBE_TIMEOUT_MS 10000
#define ACCESS_MODES_MAX 8

struct csi_client {
	struct rpc_client *rpc;
	int timeout_ms;
	bool single_node_multi_writer; /* what the driver said last */
};

static void message_freep(void *pointer)
{
	ProtobufCMessage *message = *(ProtobufCMessage **)pointer;

	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
}
#define _cleanup_message_ _cleanup_(message_freep)

int csi_client_new(
	const char *endpoint, int timeout_ms, struct csi_client **ret_client, struct error *err)
{
	_cleanup_free_ struct csi_client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->timeout_ms = timeout_ms;
	if (rpc_client_new(endpoint, &client->rpc, err) < 0)
		return -1;
	*ret_client = take_ptr(client);
	return 0;
}

void csi_client_free(struct csi_client *client)
{
	rpc_client_free(client->rpc);
	free(client);
}

static int identity_call(struct csi_client *client, const char *method,
	const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
	void *ret_response, struct error *err)
{
	struct rpc_call call = {method, request, response, PROBE_TIMEOUT_MS, false};

	return rpc_client_call(client->rpc, &call, ret_response, err);
}

static int get_plugin_info(
	struct csi_client *client, struct csi_driver_info *info, struct error *err)
{
	Csi__V1__GetPluginInfoRequest request = CSI__V1__GET_PLUGIN_INFO_REQUEST__INIT;
	_cleanup_message_ Csi__V1__GetPluginInfoResponse *response = NULL;

	if (identity_call(client, "/csi.v1.Identity/GetPluginInfo", &request.base,
		    &csi__v1__get_plugin_info_response__descriptor, &response, err) < 0)
		return -1;
	if (!*response->name || strlen(response->name) >= sizeof(info->name))
		return error_set(err, ERROR_INVALID,
			"the driver's name is empty or longer than 63 characters");
	snprintf(info->name, sizeof(info->name), "%s", response->name);
	snprintf(info->version, sizeof(info->version), "%s", response->vendor_version);
	for (size_t i = 0; i < response->n_manifest; i++)
		if (!strcmp(response->manifest[i]->key, ORDINAL_MANIFEST_KEY))
			info->ours = !strcmp(response->manifest[i]->value, ORDINAL_MANIFEST_VALUE);
	return 0;
}

static int get_plugin_capabilities(
	struct csi_client *client, struct csi_driver_info *info, struct error *err)
{
	Csi__V1__GetPluginCapabilitiesRequest request =
		CSI__V1__GET_PLUGIN_CAPABILITIES_REQUEST__INIT;
	_cleanup_message_ Csi__V1__GetPluginCapabilitiesResponse *response = NULL;

	if (identity_call(client, "/csi.v1.Identity/GetPluginCapabilities", &request.base,
		    &csi__v1__get_plugin_capabilities_response__descriptor, &response, err) < 0)
		return -1;
	for (size_t i = 0; i < response->n_capabilities; i++) {
		const Csi__V1__PluginCapability *capability = response->capabilities[i];

		if (capability->type_case != CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE)
			continue;
		if (capability->service->type ==
			CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__CONTROLLER_SERVICE)
			info->create_delete = true;
		if (capability->service->type ==
			CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__VOLUME_ACCESSIBILITY_CONSTRAINTS)
			info->topology = true;
	}
	return 0;
}

static int get_controller_capabilities(
	struct csi_client *client, struct csi_driver_info *info, struct error *err)
{
	Csi__V1__ControllerGetCapabilitiesRequest request =
		CSI__V1__CONTROLLER_GET_CAPABILITIES_REQUEST__INIT;
	_cleanup_message_ Csi__V1__ControllerGetCapabilitiesResponse *response = NULL;

	/* Without the controller service there is nothing to ask. */
	if (!info->create_delete)
		return 0;
	info->create_delete = false;
	if (identity_call(client, "/csi.v1.Controller/ControllerGetCapabilities", &request.base,
		    &csi__v1__controller_get_capabilities_response__descriptor, &response, err) < 0)
		return -1;
	for (size_t i = 0; i < response->n_capabilities; i++) {
		const Csi__V1__ControllerServiceCapability *capability = response->capabilities[i];

		if (capability->type_case != CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC)
			continue;
		switch ((int)capability->rpc->type) {
		case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__CREATE_DELETE_VOLUME:
			info->create_delete = true;
			break;
		case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__PUBLISH_UNPUBLISH_VOLUME:
			info->attaches = true;
			break;
		case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__SINGLE_NODE_MULTI_WRITER:
			info->single_node_multi_writer = true;
			break;
		default:
			break;
		}
	}
	return 0;
}

static int probe(struct csi_client *client, struct error *err)
{
	Csi__V1__ProbeRequest request = CSI__V1__PROBE_REQUEST__INIT;
	_cleanup_message_ Csi__V1__ProbeResponse *response = NULL;

	if (identity_call(client, "/csi.v1.Identity/Probe", &request.base,
		    &csi__v1__probe_response__descriptor, &response, err) < 0)
		return -1;
	/* Not to say whether it is ready means that it is. */
	if (response->ready && !response->ready->value)
		return error_set(err, ERROR_UNAVAILABLE, "the driver is not ready yet");
	return 0;
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err);
static int delete_volume(void *self, const char *handle, struct error *err);

int csi_client_identify(struct csi_client *client, struct csi_driver *ret_driver, struct error *err)
{
	struct csi_driver driver = {create_volume, delete_volume, client, {.name = ""}};

	if (probe(client, err) < 0 || get_plugin_info(client, &driver.info, err) < 0 ||
		get_plugin_capabilities(client, &driver.info, err) < 0 ||
		get_controller_capabilities(client, &driver.info, err) < 0)
		return -1;
	client->single_node_multi_writer = driver.info.single_node_multi_writer;
	*ret_driver = driver;
	return 0;
}

/* The access modes of a claim as CSI has them. ReadWriteOnce is one node's with any number of
 * writers there, which drivers that know the newer modes are told. */
static int access_mode(const char *name, bool newer)
{
	static const struct {
		const char *name;
		int plain, newer;
	} modes[] = {
		{"ReadWriteOnce", CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER,
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_MULTI_WRITER},
		{"ReadWriteOncePod",
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER,
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER},
		{"ReadOnlyMany",
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY,
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY},
		{"ReadWriteMany",
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER,
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return newer ? modes[i].newer : modes[i].plain;
	return CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__UNKNOWN;
}

/* A capability for each access mode, and the array of pointers that the request wants. */
struct capabilities {
	Csi__V1__VolumeCapability__MountVolume mount;
	Csi__V1__VolumeCapability__BlockVolume block;
	Csi__V1__VolumeCapability *pointers[ACCESS_MODES_MAX];
	Csi__V1__VolumeCapability messages[ACCESS_MODES_MAX];
	Csi__V1__VolumeCapability__AccessMode modes[ACCESS_MODES_MAX];
	size_t count;
};

static void add_capability(struct capabilities *made, int mode, bool is_block)
{
	Csi__V1__VolumeCapability *message = &made->messages[made->count];

	csi__v1__volume_capability__init(message);
	message->access_mode = &made->modes[made->count];
	csi__v1__volume_capability__access_mode__init(message->access_mode);
	message->access_mode->mode = (Csi__V1__VolumeCapability__AccessMode__Mode)mode;
	if (is_block) {
		message->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK;
		message->block = &made->block;
	} else {
		message->access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
		message->mount = &made->mount;
	}
	made->pointers[made->count++] = message;
}

static void init_capabilities(
	struct capabilities *made, const struct csi_create_request *request, bool newer)
{
	made->count = 0;
	csi__v1__volume_capability__mount_volume__init(&made->mount);
	csi__v1__volume_capability__block_volume__init(&made->block);
	made->mount.fs_type = (char *)request->fs_type;
	made->mount.n_mount_flags = request->mount_options->count;
	made->mount.mount_flags = request->mount_options->items;
	for (size_t i = 0; i < request->access_modes->count && i < ACCESS_MODES_MAX; i++)
		add_capability(
			made, access_mode(request->access_modes->items[i], newer), request->block);
}

/* MAP as the array of pointers to entries of TYPE that protobuf-c wants. One allocation, which
 * borrows the strings of MAP. */
static void *make_entries(const struct string_map *map, const ProtobufCMessageDescriptor *type)
{
	struct map_entry **pointers =
		calloc(map->count + 1, sizeof(*pointers) + sizeof(struct map_entry));
	struct map_entry *entries;

	if (!pointers)
		abort();
	entries = (struct map_entry *)(pointers + map->count + 1);
	for (size_t i = 0; i < map->count; i++) {
		protobuf_c_message_init(type, &entries[i].base);
		entries[i].key = map->items[i].key;
		entries[i].value = map->items[i].value;
		pointers[i] = &entries[i];
	}
	return pointers;
}

static void copy_entries(struct string_map *map, void *entries, size_t count)
{
	struct map_entry *const *pointers = entries;

	for (size_t i = 0; i < count; i++)
		string_map_add(map, pointers[i]->key, pointers[i]->value);
}

/* "The volume must be reachable there": one topology, required and preferred at once. */
struct requirement {
	Csi__V1__TopologyRequirement message;
	Csi__V1__Topology topology;
	Csi__V1__Topology *pointer;
};

static void *init_requirement(struct requirement *requirement, const struct string_map *segments)
{
	void *entries = make_entries(segments, &csi__v1__topology__segments_entry__descriptor);

	csi__v1__topology_requirement__init(&requirement->message);
	csi__v1__topology__init(&requirement->topology);
	requirement->topology.n_segments = segments->count;
	requirement->topology.segments = entries;
	requirement->pointer = &requirement->topology;
	requirement->message.n_requisite = 1;
	requirement->message.requisite = &requirement->pointer;
	requirement->message.n_preferred = 1;
	requirement->message.preferred = &requirement->pointer;
	return entries;
}

static void copy_volume(const Csi__V1__Volume *volume, struct csi_volume *ret_volume)
{
	*ret_volume = (struct csi_volume){
		.handle = strdup(volume->volume_id), .capacity_bytes = volume->capacity_bytes};
	ret_volume->topologies.items =
		calloc(volume->n_accessible_topology + 1, sizeof(*ret_volume->topologies.items));
	if (!ret_volume->handle || !ret_volume->topologies.items)
		abort();
	copy_entries(&ret_volume->context, volume->volume_context, volume->n_volume_context);
	for (size_t i = 0; i < volume->n_accessible_topology; i++)
		copy_entries(&ret_volume->topologies.items[i],
			volume->accessible_topology[i]->segments,
			volume->accessible_topology[i]->n_segments);
	ret_volume->topologies.count = volume->n_accessible_topology;
}

void csi_volume_done(struct csi_volume *volume)
{
	free(volume->handle);
	string_map_done(&volume->context);
	for (size_t i = 0; i < volume->topologies.count; i++)
		string_map_done(&volume->topologies.items[i]);
	free(volume->topologies.items);
}

static int call_create_volume(struct csi_client *client,
	const Csi__V1__CreateVolumeRequest *request, struct csi_volume *ret_volume,
	struct error *err)
{
	struct rpc_call call = {"/csi.v1.Controller/CreateVolume", &request->base,
		&csi__v1__create_volume_response__descriptor, client->timeout_ms, false};
	_cleanup_message_ ProtobufCMessage *message = NULL;
	Csi__V1__CreateVolumeResponse *response;

	if (rpc_client_call(client->rpc, &call, &message, err) < 0)
		return -1;
	response = (Csi__V1__CreateVolumeResponse *)message;
	/* It may have made one: not a final answer. */
	if (!response->volume || !*response->volume->volume_id)
		return error_set(err, ERROR_ABORTED, "the driver answered without a volume id");
	copy_volume(response->volume, ret_volume);
	return 0;
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	struct csi_client *client = self;
	Csi__V1__CreateVolumeRequest message = CSI__V1__CREATE_VOLUME_REQUEST__INIT;
	Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;
	struct capabilities capabilities;
	_cleanup_free_ void *parameters = make_entries(
		request->parameters, &csi__v1__create_volume_request__parameters_entry__descriptor);
	_cleanup_free_ void *segments = NULL;
	struct requirement requirement;

	init_capabilities(&capabilities, request, client->single_node_multi_writer);
	message.name = (char *)request->name;
	message.capacity_range = &range;
	range.required_bytes = request->required_bytes;
	message.n_volume_capabilities = capabilities.count;
	message.volume_capabilities = capabilities.pointers;
	message.n_parameters = request->parameters->count;
	message.parameters = parameters;
	if (request->topology) {
		segments = init_requirement(&requirement, request->topology);
		message.accessibility_requirements = &requirement.message;
	}
	return call_create_volume(client, &message, ret_volume, err);
}

static int delete_volume(void *self, const char *handle, struct error *err)
{
	struct csi_client *client = self;
	Csi__V1__DeleteVolumeRequest request = CSI__V1__DELETE_VOLUME_REQUEST__INIT;
	struct rpc_call call = {"/csi.v1.Controller/DeleteVolume", &request.base,
		&csi__v1__delete_volume_response__descriptor, client->timeout_ms, false};
	_cleanup_message_ ProtobufCMessage *response = NULL;

	request.volume_id = (char *)handle;
	return rpc_client_call(client->rpc, &call, &response, err);
}
