/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "csi.pb-c.h"
#include "driver.h"
#include "requests.h"
#include "snapshot_server.h"
#include "volume_message.h"

/* Volumes on a page of ListVolumes; clients of gRPC take answers of 4 MiB. */
#define LIST_MAX 1000

static bool is_here(const struct driver *driver, const Csi__V1__Topology *topology)
{
	for (size_t i = 0; i < topology->n_segments; i++)
		if (!strcmp(topology->segments[i]->key, driver->topology_key))
			return !strcmp(topology->segments[i]->value, driver->node_id);
	return false;
}

static int check_topology(
	const struct driver *driver, const Csi__V1__TopologyRequirement *wanted, struct error *err)
{
	if (!driver->backend->ops->node_local || !wanted || !wanted->n_requisite)
		return 0;
	for (size_t i = 0; i < wanted->n_requisite; i++)
		if (is_here(driver, wanted->requisite[i]))
			return 0;
	return error_set(err, ERROR_EXHAUSTED,
		"the volume may not lie on node %s, and this driver can make it nowhere else",
		driver->node_id);
}

static struct volume_size size_of(const Csi__V1__CapacityRange *range)
{
	return range ? (struct volume_size){range->required_bytes, range->limit_bytes}
		     : (struct volume_size){0};
}

/* What is to be copied; empty where SOURCE does not say, NULL without. */
static const char *source_id(const Csi__V1__VolumeContentSource *source)
{
	if (!source)
		return NULL;
	switch (source->type_case) {
	case CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_VOLUME:
		return source->volume->volume_id;
	case CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_SNAPSHOT:
		return source->snapshot->snapshot_id;
	default:
		return "";
	}
}

static int check_source(const Csi__V1__VolumeContentSource *source, struct error *err)
{
	const char *id = source_id(source);
	bool snapshot;

	if (!source)
		return 0;
	snapshot = source->type_case == CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_SNAPSHOT;
	if (requests_check_text(snapshot ? "volume_content_source: snapshot_id"
					 : "volume_content_source: volume_id",
		    id, REQUEST_TEXT_MAX, err) < 0)
		return -1;
	if (volume_id_is_snapshot(id) != snapshot)
		return error_set(err, ERROR_NOT_FOUND, "%s \"%s\" does not exist",
			snapshot ? "snapshot" : "volume", id);
	return 0;
}

static int check_create(const struct driver *driver, const Csi__V1__CreateVolumeRequest *request,
	struct mount_options *ret_options, struct error *err)
{
	if (requests_check_text("name", request->name, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_capabilities(driver->backend->ops, request->volume_capabilities,
			request->n_volume_capabilities, ret_options, err) < 0 ||
		requests_check_map("parameters", request->parameters, request->n_parameters, err) <
			0 ||
		requests_check_map("mutable_parameters", request->mutable_parameters,
			request->n_mutable_parameters, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		requests_check_capacity(request->capacity_range, err) < 0)
		return -1;
	if (check_source(request->volume_content_source, err) < 0)
		return -1;
	return check_topology(driver, request->accessibility_requirements, err);
}

static int create_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__CreateVolumeRequest *request = (const void *)message;
	Csi__V1__CreateVolumeResponse response = CSI__V1__CREATE_VOLUME_RESPONSE__INIT;
	_cleanup_(volume_message_done) struct volume_message answer = {0};
	_cleanup_(volume_done) struct volume volume = {0};
	struct mount_options options;
	struct parameters parameters;
	struct volume_request wanted = {
		.name = request->name,
		.size = size_of(request->capacity_range),
		.parameters = &parameters,
		.cancelled = rpc_reply_cancelled(reply),
		.source = source_id(request->volume_content_source),
	};

	if (check_create(driver, request, &options, err) < 0 ||
		parameters_parse(request->parameters, request->n_parameters, &parameters, err) <
			0 ||
		parameters_parse_mutable(request->mutable_parameters, request->n_mutable_parameters,
			&parameters.on_delete, err) < 0)
		return -1;
	parameters.mount_options = *options.text ? options.text : NULL;
	if (volumes_create(&driver->volumes, &wanted, &volume, err) < 0)
		return -1;
	volume_message_init(&answer, driver, &volume);
	response.volume = &answer.volume;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *create_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__CreateVolumeRequest *)message)->name;
}

static int delete_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__DeleteVolumeRequest *request = (const void *)message;
	Csi__V1__DeleteVolumeResponse response = CSI__V1__DELETE_VOLUME_RESPONSE__INIT;

	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		volumes_delete(
			&driver->volumes, request->volume_id, rpc_reply_cancelled(reply), err) < 0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *delete_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__DeleteVolumeRequest *)message)->volume_id;
}

static int check_context_entry(
	const Csi__V1__Volume *volume, const char *key, const char *value, struct error *err)
{
	for (size_t i = 0; i < volume->n_volume_context; i++) {
		const Csi__V1__Volume__VolumeContextEntry *entry = volume->volume_context[i];

		if (!strcmp(entry->key, key) && strcmp(entry->value, value))
			return error_set(
				err, ERROR_INVALID, "volume_context: %s is %s", key, entry->value);
	}
	return 0;
}

/* The context that the volume was made with; other keys are those of callers on the way. */
static int check_context(const struct driver *driver, const struct volume *volume,
	const Csi__V1__ValidateVolumeCapabilitiesRequest *request, struct error *err)
{
	_cleanup_(volume_message_done) struct volume_message message = {0};

	volume_message_init(&message, driver, volume);
	for (size_t i = 0; i < request->n_volume_context; i++)
		if (check_context_entry(&message.volume, request->volume_context[i]->key,
			    request->volume_context[i]->value, err) < 0)
			return -1;
	return 0;
}

static int check_parameters(const struct driver *driver, const struct volume *volume,
	const Csi__V1__ValidateVolumeCapabilitiesRequest *request, struct error *err)
{
	struct parameters parameters;
	const char *what;

	if (!request->n_parameters)
		return 0;
	if (parameters_parse(request->parameters, request->n_parameters, &parameters, err) < 0 ||
		parameters_parse_mutable(request->mutable_parameters, request->n_mutable_parameters,
			&parameters.on_delete, err) < 0)
		return -1;
	what = volumes_difference(&driver->volumes, volume, &parameters);
	if (what)
		return error_set(err, ERROR_INVALID, "parameters: they say %s", what);
	return 0;
}

static int check_mutable(const struct volume *volume,
	const Csi__V1__ValidateVolumeCapabilitiesRequest *request, struct error *err)
{
	enum on_delete said = volume->record->on_delete;

	if (parameters_parse_mutable(
		    request->mutable_parameters, request->n_mutable_parameters, &said, err) < 0)
		return -1;
	if (said != volume->record->on_delete)
		return error_set(
			err, ERROR_INVALID, "mutable_parameters: they say another onDelete");
	return 0;
}

/* Whether the volume is all that REQUEST says. */
static int check_validated(const struct driver *driver, const struct volume *volume,
	const Csi__V1__ValidateVolumeCapabilitiesRequest *request, struct error *err)
{
	struct mount_options options;

	if (requests_check_capabilities(driver->backend->ops, request->volume_capabilities,
		    request->n_volume_capabilities, &options, err) < 0 ||
		check_context(driver, volume, request, err) < 0 ||
		check_parameters(driver, volume, request, err) < 0)
		return -1;
	return check_mutable(volume, request, err);
}

static int validate_volume_capabilities(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__ValidateVolumeCapabilitiesRequest *request = (const void *)message;
	_cleanup_(volume_done) struct volume volume = {0};
	Csi__V1__ValidateVolumeCapabilitiesResponse__Confirmed confirmed =
		CSI__V1__VALIDATE_VOLUME_CAPABILITIES_RESPONSE__CONFIRMED__INIT;
	Csi__V1__ValidateVolumeCapabilitiesResponse response =
		CSI__V1__VALIDATE_VOLUME_CAPABILITIES_RESPONSE__INIT;
	struct error reason;

	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0)
		return -1;
	if (!request->n_volume_capabilities)
		return error_set(err, ERROR_INVALID, "volume_capabilities is missing");
	if (volumes_find(&driver->volumes, request->volume_id, &volume, err) < 0)
		return -1;
	if (check_validated(driver, &volume, request, &reason) == 0) {
		/* All maps of protobuf-c have one layout. */
		confirmed.volume_context = (void *)request->volume_context;
		confirmed.n_volume_context = request->n_volume_context;
		confirmed.parameters = (void *)request->parameters;
		confirmed.n_parameters = request->n_parameters;
		confirmed.mutable_parameters = (void *)request->mutable_parameters;
		confirmed.n_mutable_parameters = request->n_mutable_parameters;
		confirmed.volume_capabilities = request->volume_capabilities;
		confirmed.n_volume_capabilities = request->n_volume_capabilities;
		response.confirmed = &confirmed;
	} else {
		response.message = reason.text;
	}
	rpc_reply_set(reply, &response.base);
	return 0;
}

/* One line of the answer to ListVolumes. */
struct entry {
	Csi__V1__ListVolumesResponse__Entry entry;
	Csi__V1__ListVolumesResponse__VolumeStatus status;
	Csi__V1__VolumeCondition condition;
	struct volume_message volume;
	struct error reason;
};

static void fill_entry(struct entry *entry, struct driver *driver, const struct volume *volume)
{
	csi__v1__list_volumes_response__entry__init(&entry->entry);
	csi__v1__list_volumes_response__volume_status__init(&entry->status);
	volume_message_init(&entry->volume, driver, volume);
	volume_message_condition(driver, volume, &entry->condition, &entry->reason);
	entry->status.volume_condition = &entry->condition;
	entry->entry.volume = &entry->volume.volume;
	entry->entry.status = &entry->status;
}

static void reply_page(
	struct driver *driver, const struct volume_page *page, struct rpc_reply *reply)
{
	Csi__V1__ListVolumesResponse response = CSI__V1__LIST_VOLUMES_RESPONSE__INIT;
	_cleanup_free_ struct entry *entries = calloc(page->count + 1, sizeof(*entries));
	_cleanup_free_ Csi__V1__ListVolumesResponse__Entry **pointers =
		calloc(page->count + 1, sizeof(*pointers));

	if (!entries || !pointers)
		abort();
	for (size_t i = 0; i < page->count; i++) {
		fill_entry(&entries[i], driver, &page->volumes[i]);
		pointers[i] = &entries[i].entry;
	}
	response.entries = pointers;
	response.n_entries = page->count;
	response.next_token = (char *)page->next;
	rpc_reply_set(reply, &response.base);
	for (size_t i = 0; i < page->count; i++)
		volume_message_done(&entries[i].volume);
}

static int list_volumes(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__ListVolumesRequest *request = (const void *)message;
	_cleanup_(volume_page_done) struct volume_page page = {0};
	int max = request->max_entries;

	if (max < 0)
		return error_set(err, ERROR_INVALID, "max_entries is negative");
	if (!max || max > LIST_MAX)
		max = LIST_MAX;
	if (volumes_list(&driver->volumes, request->starting_token, (size_t)max, &page, err) < 0)
		return err->kind == ERROR_ABORTED ? error_prefix(err, "starting_token") : -1;
	reply_page(driver, &page, reply);
	return 0;
}

static int controller_get_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__ControllerGetVolumeRequest *request = (const void *)message;
	Csi__V1__ControllerGetVolumeResponse__VolumeStatus status =
		CSI__V1__CONTROLLER_GET_VOLUME_RESPONSE__VOLUME_STATUS__INIT;
	Csi__V1__ControllerGetVolumeResponse response =
		CSI__V1__CONTROLLER_GET_VOLUME_RESPONSE__INIT;
	_cleanup_(volume_message_done) struct volume_message answer = {0};
	_cleanup_(volume_done) struct volume volume = {0};
	Csi__V1__VolumeCondition condition;
	struct error reason;

	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		volumes_find(&driver->volumes, request->volume_id, &volume, err) < 0)
		return -1;
	volume_message_init(&answer, driver, &volume);
	volume_message_condition(driver, &volume, &condition, &reason);
	status.volume_condition = &condition;
	response.volume = &answer.volume;
	response.status = &status;
	rpc_reply_set(reply, &response.base);
	return 0;
}

/* Whether a volume as REQUEST describes it could be made here at all; *RET_OPTIONS are its mount
 * options. */
static bool could_be_here(const struct driver *driver, const Csi__V1__GetCapacityRequest *request,
	struct mount_options *ret_options)
{
	if (driver->backend->ops->node_local && request->accessible_topology &&
		!is_here(driver, request->accessible_topology))
		return false;
	return !request->n_volume_capabilities ||
	       requests_check_capabilities(driver->backend->ops, request->volume_capabilities,
		       request->n_volume_capabilities, ret_options, NULL) == 0;
}

static int get_capacity(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__GetCapacityRequest *request = (const void *)message;
	Csi__V1__GetCapacityResponse response = CSI__V1__GET_CAPACITY_RESPONSE__INIT;
	struct mount_options options = {0};
	struct parameters parameters;

	if (requests_check_map("parameters", request->parameters, request->n_parameters, err) < 0 ||
		parameters_parse(request->parameters, request->n_parameters, &parameters, err) < 0)
		return -1;
	parameters.mount_options = options.text;
	if (could_be_here(driver, request, &options) &&
		volumes_capacity(&driver->volumes, &parameters, &response.available_capacity, err) <
			0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int check_expand(const struct driver *driver,
	const Csi__V1__ControllerExpandVolumeRequest *request, struct error *err)
{
	struct mount_options options;

	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0)
		return -1;
	if (!request->capacity_range)
		return error_set(err, ERROR_INVALID, "capacity_range is missing");
	if (requests_check_capacity(request->capacity_range, err) < 0)
		return -1;
	return request->volume_capability ? requests_check_capability(driver->backend->ops,
						    request->volume_capability, &options, err)
					  : 0;
}

static int controller_expand_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__ControllerExpandVolumeRequest *request = (const void *)message;
	Csi__V1__ControllerExpandVolumeResponse response =
		CSI__V1__CONTROLLER_EXPAND_VOLUME_RESPONSE__INIT;
	struct volume_size size = size_of(request->capacity_range);

	if (check_expand(driver, request, err) < 0 ||
		volumes_expand(&driver->volumes, request->volume_id, &size,
			rpc_reply_cancelled(reply), &response.capacity_bytes, err) < 0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *expand_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__ControllerExpandVolumeRequest *)message)->volume_id;
}

static int controller_modify_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__ControllerModifyVolumeRequest *request = (const void *)message;
	Csi__V1__ControllerModifyVolumeResponse response =
		CSI__V1__CONTROLLER_MODIFY_VOLUME_RESPONSE__INIT;
	_cleanup_(volume_done) struct volume volume = {0};
	enum on_delete on_delete = ON_DELETE_DELETE;

	if (requests_check_text("volume_id", request->volume_id, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		requests_check_map("mutable_parameters", request->mutable_parameters,
			request->n_mutable_parameters, err) < 0 ||
		volumes_find(&driver->volumes, request->volume_id, &volume, err) < 0)
		return -1;
	if (!request->n_mutable_parameters)
		return error_set(err, ERROR_INVALID, "mutable_parameters is missing");
	if (parameters_parse_mutable(request->mutable_parameters, request->n_mutable_parameters,
		    &on_delete, err) < 0 ||
		volumes_modify(&driver->volumes, request->volume_id, on_delete,
			rpc_reply_cancelled(reply), err) < 0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *modify_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__ControllerModifyVolumeRequest *)message)->volume_id;
}

#define RPC(name) CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__##name

static int controller_get_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	static const Csi__V1__ControllerServiceCapability__RPC__Type types[] = {
		RPC(CREATE_DELETE_VOLUME),
		RPC(LIST_VOLUMES),
		RPC(GET_CAPACITY),
		RPC(CREATE_DELETE_SNAPSHOT),
		RPC(LIST_SNAPSHOTS),
		RPC(CLONE_VOLUME),
		RPC(EXPAND_VOLUME),
		RPC(VOLUME_CONDITION),
		RPC(GET_VOLUME),
		RPC(SINGLE_NODE_MULTI_WRITER),
		RPC(MODIFY_VOLUME),
	};
	Csi__V1__ControllerServiceCapability__RPC rpcs[ARRAY_SIZE(types)];
	Csi__V1__ControllerServiceCapability capabilities[ARRAY_SIZE(types)];
	Csi__V1__ControllerServiceCapability *pointers[ARRAY_SIZE(types)];
	Csi__V1__ControllerGetCapabilitiesResponse response =
		CSI__V1__CONTROLLER_GET_CAPABILITIES_RESPONSE__INIT;

	(void)context;
	(void)request;
	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		csi__v1__controller_service_capability__rpc__init(&rpcs[i]);
		rpcs[i].type = types[i];
		csi__v1__controller_service_capability__init(&capabilities[i]);
		capabilities[i].type_case = CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC;
		capabilities[i].rpc = &rpcs[i];
		pointers[i] = &capabilities[i];
	}
	response.capabilities = pointers;
	response.n_capabilities = ARRAY_SIZE(types);
	rpc_reply_set(reply, &response.base);
	return 0;
}

const struct rpc_method controller_methods[] = {
	{"/csi.v1.Controller/CreateVolume", &csi__v1__create_volume_request__descriptor,
		create_volume, create_subject},
	{"/csi.v1.Controller/DeleteVolume", &csi__v1__delete_volume_request__descriptor,
		delete_volume, delete_subject},
	{"/csi.v1.Controller/ValidateVolumeCapabilities",
		&csi__v1__validate_volume_capabilities_request__descriptor,
		validate_volume_capabilities, NULL},
	{"/csi.v1.Controller/ListVolumes", &csi__v1__list_volumes_request__descriptor, list_volumes,
		NULL},
	{"/csi.v1.Controller/ControllerGetVolume",
		&csi__v1__controller_get_volume_request__descriptor, controller_get_volume, NULL},
	{"/csi.v1.Controller/GetCapacity", &csi__v1__get_capacity_request__descriptor, get_capacity,
		NULL},
	{"/csi.v1.Controller/ControllerExpandVolume",
		&csi__v1__controller_expand_volume_request__descriptor, controller_expand_volume,
		expand_subject},
	{"/csi.v1.Controller/ControllerModifyVolume",
		&csi__v1__controller_modify_volume_request__descriptor, controller_modify_volume,
		modify_subject},
	{"/csi.v1.Controller/CreateSnapshot", &csi__v1__create_snapshot_request__descriptor,
		snapshot_server_create, snapshot_server_create_subject},
	{"/csi.v1.Controller/DeleteSnapshot", &csi__v1__delete_snapshot_request__descriptor,
		snapshot_server_delete, snapshot_server_delete_subject},
	{"/csi.v1.Controller/ListSnapshots", &csi__v1__list_snapshots_request__descriptor,
		snapshot_server_list, NULL},
	{"/csi.v1.Controller/ControllerGetCapabilities",
		&csi__v1__controller_get_capabilities_request__descriptor,
		controller_get_capabilities, NULL},
	{0},
};
