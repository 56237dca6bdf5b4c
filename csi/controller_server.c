/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "csi.pb-c.h"
#include "driver.h"
#include "names.h"
#include "requests.h"

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

static int check_capacity(const Csi__V1__CapacityRange *range, struct error *err)
{
	if (!range)
		return 0;
	if (range->required_bytes < 0 || range->limit_bytes < 0)
		return error_set(err, ERROR_INVALID, "capacity_range is negative");
	if (range->limit_bytes && range->limit_bytes < range->required_bytes)
		return error_set(err, ERROR_INVALID,
			"capacity_range: limit_bytes is less than required_bytes");
	return 0;
}

static int check_create(
	const struct driver *driver, const Csi__V1__CreateVolumeRequest *request, struct error *err)
{
	if (requests_check_text("name", request->name, REQUEST_TEXT_MAX, err) < 0 ||
		requests_check_capabilities(
			request->volume_capabilities, request->n_volume_capabilities, err) < 0 ||
		requests_check_map("parameters", request->parameters, request->n_parameters, err) <
			0 ||
		requests_check_map("secrets", request->secrets, request->n_secrets, err) < 0 ||
		check_capacity(request->capacity_range, err) < 0)
		return -1;
	if (request->volume_content_source)
		return error_set(err, ERROR_INVALID,
			"volume_content_source: volumes of this driver start empty");
	if (request->n_mutable_parameters)
		return error_set(err, ERROR_INVALID,
			"mutable_parameters: this driver knows none (VolumeAttributesClass)");
	return check_topology(driver, request->accessibility_requirements, err);
}

static void reply_volume(
	const struct driver *driver, const struct volume *volume, struct rpc_reply *reply)
{
	_cleanup_free_ char *path = NULL;
	Csi__V1__Volume__VolumeContextEntry entry = CSI__V1__VOLUME__VOLUME_CONTEXT_ENTRY__INIT;
	Csi__V1__Volume__VolumeContextEntry *context[] = {&entry};
	Csi__V1__Topology__SegmentsEntry segment = CSI__V1__TOPOLOGY__SEGMENTS_ENTRY__INIT;
	Csi__V1__Topology__SegmentsEntry *segments[] = {&segment};
	Csi__V1__Topology topology = CSI__V1__TOPOLOGY__INIT;
	Csi__V1__Topology *topologies[] = {&topology};
	Csi__V1__Volume answer = CSI__V1__VOLUME__INIT;
	Csi__V1__CreateVolumeResponse response = CSI__V1__CREATE_VOLUME_RESPONSE__INIT;

	if (asprintf(&path, "%s/%s", volume->location.share, volume->record->path) < 0)
		abort();
	entry.key = (char *)ORDINAL_KEY_PATH;
	entry.value = path;
	segment.key = (char *)driver->topology_key;
	segment.value = (char *)driver->node_id;
	topology.segments = segments;
	topology.n_segments = ARRAY_SIZE(segments);
	answer.volume_id = (char *)volume->id;
	answer.capacity_bytes = volume->record->capacity;
	answer.volume_context = context;
	answer.n_volume_context = ARRAY_SIZE(context);
	answer.accessible_topology = topologies;
	answer.n_accessible_topology = driver->backend->ops->node_local ? 1 : 0;
	response.volume = &answer;
	rpc_reply_set(reply, &response.base);
}

static int create_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	struct driver *driver = context;
	const Csi__V1__CreateVolumeRequest *request = (const void *)message;
	_cleanup_(volume_done) struct volume volume = {0};
	struct parameters parameters;
	struct volume_request wanted = {.name = request->name, .parameters = &parameters};

	if (check_create(driver, request, err) < 0 ||
		parameters_parse(request->parameters, request->n_parameters, &parameters, err) < 0)
		return -1;
	if (request->capacity_range) {
		wanted.required = request->capacity_range->required_bytes;
		wanted.limit = request->capacity_range->limit_bytes;
	}
	if (volumes_create(&driver->volumes, &wanted, &volume, err) < 0)
		return -1;
	reply_volume(driver, &volume, reply);
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
		volumes_delete(&driver->volumes, request->volume_id, err) < 0)
		return -1;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const char *delete_subject(const ProtobufCMessage *message)
{
	return ((const Csi__V1__DeleteVolumeRequest *)message)->volume_id;
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
	if (requests_check_capabilities(
		    request->volume_capabilities, request->n_volume_capabilities, &reason) == 0) {
		confirmed.volume_capabilities = request->volume_capabilities;
		confirmed.n_volume_capabilities = request->n_volume_capabilities;
		response.confirmed = &confirmed;
	} else {
		response.message = reason.text;
	}
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int controller_get_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	Csi__V1__ControllerServiceCapability__RPC rpc =
		CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__INIT;
	Csi__V1__ControllerServiceCapability capability =
		CSI__V1__CONTROLLER_SERVICE_CAPABILITY__INIT;
	Csi__V1__ControllerServiceCapability *capabilities[] = {&capability};
	Csi__V1__ControllerGetCapabilitiesResponse response =
		CSI__V1__CONTROLLER_GET_CAPABILITIES_RESPONSE__INIT;

	(void)context;
	(void)request;
	(void)err;
	rpc.type = CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__CREATE_DELETE_VOLUME;
	capability.type_case = CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC;
	capability.rpc = &rpc;
	response.capabilities = capabilities;
	response.n_capabilities = ARRAY_SIZE(capabilities);
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
	{"/csi.v1.Controller/ControllerGetCapabilities",
		&csi__v1__controller_get_capabilities_request__descriptor,
		controller_get_capabilities, NULL},
	{0},
};
