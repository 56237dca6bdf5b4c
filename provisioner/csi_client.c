/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_client.h"

#include <ctype.h>
#include <string.h>

#include "csi_messages.h"
#include "names.h"
#include "rpc_client.h"

#define IDENTIFY_TIMEOUT_MS 10000
#define PROBE_TIMEOUT_MS    3000

#define LIST_PAGE_ENTRIES 500
#define LIST_PAGES_MAX    10000

#define SECRET_LENGTH_MIN 4 /* below, it would blot out ordinary words */

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
	struct rpc_call call = {method, request, response, IDENTIFY_TIMEOUT_MS, false};

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

		if (capability->type_case == CSI__V1__PLUGIN_CAPABILITY__TYPE_VOLUME_EXPANSION)
			info->offline_expand_only =
				capability->volume_expansion->type ==
				CSI__V1__PLUGIN_CAPABILITY__VOLUME_EXPANSION__TYPE__OFFLINE;
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

static void note_controller_capability(struct csi_driver_info *info, int type)
{
	switch (type) {
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__CREATE_DELETE_VOLUME:
		info->create_delete = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__PUBLISH_UNPUBLISH_VOLUME:
		info->attaches = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__LIST_VOLUMES:
		info->list_volumes = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__CREATE_DELETE_SNAPSHOT:
		info->snapshots = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__LIST_SNAPSHOTS:
		info->list_snapshots = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__CLONE_VOLUME:
		info->clone = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__EXPAND_VOLUME:
		info->expand = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__SINGLE_NODE_MULTI_WRITER:
		info->single_node_multi_writer = true;
		break;
	case CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__MODIFY_VOLUME:
		info->modify_volume = true;
		break;
	default:
		break;
	}
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
	for (size_t i = 0; i < response->n_capabilities; i++)
		if (response->capabilities[i]->type_case ==
			CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC)
			note_controller_capability(info, (int)response->capabilities[i]->rpc->type);
	return 0;
}

/* Many a driver does not serve its Node service beside its Controller. What nodes can do matters
 * to us only where the Controller cannot expand: then only a clear answer will do. */
static int get_node_capabilities(
	struct csi_client *client, struct csi_driver_info *info, struct error *err)
{
	Csi__V1__NodeGetCapabilitiesRequest request = CSI__V1__NODE_GET_CAPABILITIES_REQUEST__INIT;
	_cleanup_message_ Csi__V1__NodeGetCapabilitiesResponse *response = NULL;
	struct error why = {0};

	if (identity_call(client, "/csi.v1.Node/NodeGetCapabilities", &request.base,
		    &csi__v1__node_get_capabilities_response__descriptor, &response, &why) < 0) {
		if (info->expand || why.kind == ERROR_UNIMPLEMENTED)
			return 0;
		return error_set(err, why.kind, "%s", why.text);
	}
	for (size_t i = 0; i < response->n_capabilities; i++)
		if (response->capabilities[i]->type_case ==
				CSI__V1__NODE_SERVICE_CAPABILITY__TYPE_RPC &&
			response->capabilities[i]->rpc->type ==
				CSI__V1__NODE_SERVICE_CAPABILITY__RPC__TYPE__EXPAND_VOLUME)
			info->node_expand = true;
	return 0;
}

static int probe_within(struct csi_client *client, int timeout_ms, struct error *err)
{
	Csi__V1__ProbeRequest request = CSI__V1__PROBE_REQUEST__INIT;
	struct rpc_call call = {"/csi.v1.Identity/Probe", &request.base,
		&csi__v1__probe_response__descriptor, timeout_ms, false};
	_cleanup_message_ ProtobufCMessage *message = NULL;
	Csi__V1__ProbeResponse *response;

	if (rpc_client_call(client->rpc, &call, &message, err) < 0)
		return -1;
	response = (Csi__V1__ProbeResponse *)message;
	/* Not to say whether it is ready means that it is. */
	if (response->ready && !response->ready->value)
		return error_set(err, ERROR_UNAVAILABLE, "the driver is not ready yet");
	return 0;
}

static int probe(void *self, struct error *err)
{
	return probe_within(self, PROBE_TIMEOUT_MS, err);
}

/* How much of VALUE stands at TEXT, where its control characters were replaced. */
static size_t common_length(const char *text, const char *value, size_t length)
{
	size_t same = 0;

	while (same < length && text[same] &&
		(text[same] == value[same] || iscntrl((unsigned char)value[same])))
		same++;
	return same;
}

/* Blot out VALUE, also where the end of the text cut it short. */
static void hide_secret(char *text, const char *value)
{
	size_t length = strlen(value);

	while (length && isspace((unsigned char)value[length - 1]))
		length--;
	if (length < SECRET_LENGTH_MIN)
		return;
	for (; *text; text++) {
		size_t same = common_length(text, value, length);

		if (same == length || (same >= SECRET_LENGTH_MIN && !text[same]))
			memset(text, '*', same);
	}
}

/* Call a method of the Controller service. A driver's error may quote the SECRETS that it was
 * given, and becomes an event that more people read than may read the secret. */
static int controller_call(struct csi_client *client, struct rpc_call *call,
	const struct string_map *secrets, void *ret_response, struct error *err)
{
	struct error why = {0};

	call->timeout_ms = client->timeout_ms;
	if (rpc_client_call(client->rpc, call, ret_response, &why) == 0)
		return 0;
	for (size_t i = 0; secrets && i < secrets->count; i++)
		hide_secret(why.text, secrets->items[i].value);
	if (err)
		*err = why;
	return -1;
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	struct csi_client *client = self;
	_cleanup_parts_ struct csi_parts parts = {NULL};
	struct rpc_call call = {.method = "/csi.v1.Controller/CreateVolume",
		.request = csi_messages_create(&parts, request, client->single_node_multi_writer),
		.response = &csi__v1__create_volume_response__descriptor};
	_cleanup_message_ Csi__V1__CreateVolumeResponse *response = NULL;

	if (controller_call(client, &call, request->secrets, &response, err) < 0)
		return -1;
	/* It may have made one: not a final answer. */
	if (!response->volume)
		return error_set(err, ERROR_ABORTED, "the driver answered without a volume");
	return csi_messages_read_volume(response->volume, ret_volume, err);
}

static int delete_volume(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	_cleanup_parts_ struct csi_parts parts = {NULL};
	Csi__V1__DeleteVolumeRequest request = CSI__V1__DELETE_VOLUME_REQUEST__INIT;
	struct rpc_call call = {.method = "/csi.v1.Controller/DeleteVolume",
		.request = &request.base,
		.response = &csi__v1__delete_volume_response__descriptor};
	_cleanup_message_ ProtobufCMessage *response = NULL;

	request.volume_id = (char *)handle;
	request.secrets = csi_messages_entries(&parts, secrets,
		&csi__v1__delete_volume_request__secrets_entry__descriptor, &request.n_secrets);
	return controller_call(self, &call, secrets, &response, err);
}

static int expand_volume(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	struct csi_client *client = self;
	_cleanup_parts_ struct csi_parts parts = {NULL};
	struct rpc_call call = {.method = "/csi.v1.Controller/ControllerExpandVolume",
		.request = csi_messages_expand(&parts, request, client->single_node_multi_writer),
		.response = &csi__v1__controller_expand_volume_response__descriptor};
	_cleanup_message_ Csi__V1__ControllerExpandVolumeResponse *response = NULL;
	int64_t bytes;

	if (controller_call(client, &call, request->secrets, &response, err) < 0)
		return -1;
	/* Not to say how large it is now means that it is as large as asked for. */
	bytes = response->capacity_bytes ? response->capacity_bytes : request->required_bytes;
	if (bytes < request->required_bytes)
		return error_set(err, ERROR_OUT_OF_RANGE,
			"the driver made the volume %lld bytes large, less than the %lld asked for",
			(long long)bytes, (long long)request->required_bytes);
	*ret_bytes = bytes;
	*ret_node_expansion = response->node_expansion_required;
	return 0;
}

static int tell_volume(const Csi__V1__Volume *message,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	struct csi_volume volume;
	int result;

	if (!message)
		return error_set(err, ERROR_ABORTED, "the driver listed an entry without a volume");
	if (csi_messages_read_volume(message, &volume, err) < 0)
		return -1;
	result = each(context, &volume, err);
	csi_volume_done(&volume);
	return result;
}

/* One page; its next token, or "" after the last, replaces *TOKEN. */
static int list_page(struct csi_client *client, char **token,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	Csi__V1__ListVolumesRequest request = CSI__V1__LIST_VOLUMES_REQUEST__INIT;
	struct rpc_call call = {.method = "/csi.v1.Controller/ListVolumes",
		.request = &request.base,
		.response = &csi__v1__list_volumes_response__descriptor};
	_cleanup_message_ Csi__V1__ListVolumesResponse *response = NULL;

	request.max_entries = LIST_PAGE_ENTRIES;
	request.starting_token = *token;
	if (controller_call(client, &call, NULL, &response, err) < 0)
		return -1;
	for (size_t i = 0; i < response->n_entries; i++)
		if (tell_volume(response->entries[i]->volume, each, context, err) < 0)
			return -1;
	if (**token && !strcmp(*token, response->next_token))
		return error_set(err, ERROR_ABORTED, "the driver's list of volumes repeats itself");
	free(*token);
	*token = strdup(response->next_token);
	if (!*token)
		abort();
	return 0;
}

static int list_volumes(void *self,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	_cleanup_free_ char *token = strdup("");

	if (!token)
		abort();
	for (int i = 0; i < LIST_PAGES_MAX; i++) {
		if (list_page(self, &token, each, context, err) < 0)
			return -1;
		if (!*token)
			return 0;
	}
	return error_set(err, ERROR_ABORTED, "the driver's list of volumes does not end");
}

static int tell_snapshot(
	const Csi__V1__Snapshot *message, csi_snapshot_fn *each, void *context, struct error *err)
{
	struct csi_snapshot snapshot;
	int result;

	if (!message)
		return error_set(
			err, ERROR_ABORTED, "the driver listed an entry without a snapshot");
	if (csi_messages_read_snapshot(message, &snapshot, err) < 0)
		return -1;
	result = each(context, &snapshot, err);
	csi_snapshot_done(&snapshot);
	return result;
}

/* One page of all, or of ID; its next token, or "" after the last, replaces *TOKEN. */
static int list_snapshot_page(struct csi_client *client, const char *id, char **token,
	csi_snapshot_fn *each, void *context, struct error *err)
{
	Csi__V1__ListSnapshotsRequest request = CSI__V1__LIST_SNAPSHOTS_REQUEST__INIT;
	struct rpc_call call = {.method = "/csi.v1.Controller/ListSnapshots",
		.request = &request.base,
		.response = &csi__v1__list_snapshots_response__descriptor};
	_cleanup_message_ Csi__V1__ListSnapshotsResponse *response = NULL;

	request.max_entries = LIST_PAGE_ENTRIES;
	request.starting_token = *token;
	if (id)
		request.snapshot_id = (char *)id;
	if (controller_call(client, &call, NULL, &response, err) < 0)
		return -1;
	for (size_t i = 0; i < response->n_entries; i++)
		if (tell_snapshot(response->entries[i]->snapshot, each, context, err) < 0)
			return -1;
	if (**token && !strcmp(*token, response->next_token))
		return error_set(
			err, ERROR_ABORTED, "the driver's list of snapshots repeats itself");
	free(*token);
	*token = strdup(response->next_token);
	if (!*token)
		abort();
	return 0;
}

static int list_snapshots(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	_cleanup_free_ char *token = strdup("");

	if (!token)
		abort();
	for (int i = 0; i < LIST_PAGES_MAX; i++) {
		if (list_snapshot_page(self, id, &token, each, context, err) < 0)
			return -1;
		if (!*token)
			return 0;
	}
	return error_set(err, ERROR_ABORTED, "the driver's list of snapshots does not end");
}

static int delete_snapshot(void *self, const char *id, struct error *err)
{
	Csi__V1__DeleteSnapshotRequest request = CSI__V1__DELETE_SNAPSHOT_REQUEST__INIT;
	struct rpc_call call = {.method = "/csi.v1.Controller/DeleteSnapshot",
		.request = &request.base,
		.response = &csi__v1__delete_snapshot_response__descriptor};
	_cleanup_message_ ProtobufCMessage *response = NULL;

	request.snapshot_id = (char *)id;
	return controller_call(self, &call, NULL, &response, err);
}

static int modify_volume(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	_cleanup_parts_ struct csi_parts parts = {NULL};
	Csi__V1__ControllerModifyVolumeRequest request =
		CSI__V1__CONTROLLER_MODIFY_VOLUME_REQUEST__INIT;
	struct rpc_call call = {.method = "/csi.v1.Controller/ControllerModifyVolume",
		.request = &request.base,
		.response = &csi__v1__controller_modify_volume_response__descriptor};
	_cleanup_message_ ProtobufCMessage *response = NULL;

	request.volume_id = (char *)handle;
	request.mutable_parameters = csi_messages_entries(&parts, parameters,
		&csi__v1__controller_modify_volume_request__mutable_parameters_entry__descriptor,
		&request.n_mutable_parameters);
	request.secrets = csi_messages_entries(&parts, secrets,
		&csi__v1__controller_modify_volume_request__secrets_entry__descriptor,
		&request.n_secrets);
	return controller_call(self, &call, secrets, &response, err);
}

int csi_client_identify(struct csi_client *client, struct csi_driver *ret_driver, struct error *err)
{
	struct csi_driver driver = {.create_volume = create_volume,
		.delete_volume = delete_volume,
		.expand_volume = expand_volume,
		.list_volumes = list_volumes,
		.modify_volume = modify_volume,
		.list_snapshots = list_snapshots,
		.delete_snapshot = delete_snapshot,
		.probe = probe,
		.self = client};

	if (probe_within(client, IDENTIFY_TIMEOUT_MS, err) < 0 ||
		get_plugin_info(client, &driver.info, err) < 0 ||
		get_plugin_capabilities(client, &driver.info, err) < 0 ||
		get_controller_capabilities(client, &driver.info, err) < 0 ||
		get_node_capabilities(client, &driver.info, err) < 0)
		return -1;
	client->single_node_multi_writer = driver.info.single_node_multi_writer;
	*ret_driver = driver;
	return 0;
}

void csi_topologies_done(struct csi_topologies *topologies)
{
	for (size_t i = 0; i < topologies->count; i++)
		string_map_done(&topologies->items[i]);
	free(topologies->items);
}

void csi_volume_done(struct csi_volume *volume)
{
	free(volume->handle);
	string_map_done(&volume->context);
	csi_topologies_done(&volume->topologies);
}

void csi_snapshot_done(struct csi_snapshot *snapshot)
{
	free(snapshot->id);
	free(snapshot->volume);
	string_map_done(&snapshot->context);
}
