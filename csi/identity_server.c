/* SPDX-License-Identifier: Apache-2.0 */
#include "csi.pb-c.h"
#include "driver.h"
#include "names.h"

static int get_plugin_info(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	const struct driver *driver = context;
	Csi__V1__GetPluginInfoResponse__ManifestEntry entry =
		CSI__V1__GET_PLUGIN_INFO_RESPONSE__MANIFEST_ENTRY__INIT;
	Csi__V1__GetPluginInfoResponse__ManifestEntry *manifest[] = {&entry};
	Csi__V1__GetPluginInfoResponse response = CSI__V1__GET_PLUGIN_INFO_RESPONSE__INIT;

	(void)request;
	(void)err;
	entry.key = (char *)ORDINAL_MANIFEST_KEY;
	entry.value = (char *)ORDINAL_MANIFEST_VALUE;
	response.name = (char *)driver->name;
	response.vendor_version = (char *)ORDINAL_VERSION;
	response.manifest = manifest;
	response.n_manifest = ARRAY_SIZE(manifest);
	rpc_reply_set(reply, &response.base);
	return 0;
}

#define SERVICE(name) CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__##name

static void fill_service(Csi__V1__PluginCapability *capability,
	Csi__V1__PluginCapability__Service *service, Csi__V1__PluginCapability__Service__Type type)
{
	csi__v1__plugin_capability__init(capability);
	csi__v1__plugin_capability__service__init(service);
	service->type = type;
	capability->type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE;
	capability->service = service;
}

static int get_plugin_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	const struct driver *driver = context;
	Csi__V1__PluginCapability__VolumeExpansion expansion =
		CSI__V1__PLUGIN_CAPABILITY__VOLUME_EXPANSION__INIT;
	Csi__V1__PluginCapability__Service services[2];
	Csi__V1__PluginCapability capabilities[3];
	Csi__V1__PluginCapability *pointers[] = {
		&capabilities[0], &capabilities[1], &capabilities[2]};
	Csi__V1__GetPluginCapabilitiesResponse response =
		CSI__V1__GET_PLUGIN_CAPABILITIES_RESPONSE__INIT;

	(void)request;
	(void)err;
	csi__v1__plugin_capability__init(&capabilities[0]);
	expansion.type = CSI__V1__PLUGIN_CAPABILITY__VOLUME_EXPANSION__TYPE__ONLINE;
	capabilities[0].type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_VOLUME_EXPANSION;
	capabilities[0].volume_expansion = &expansion;
	fill_service(&capabilities[1], &services[0], SERVICE(CONTROLLER_SERVICE));
	fill_service(&capabilities[2], &services[1], SERVICE(VOLUME_ACCESSIBILITY_CONSTRAINTS));
	response.capabilities = pointers;
	response.n_capabilities = driver->backend->ops->node_local ? 3 : 2;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int probe(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	Google__Protobuf__BoolValue ready = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;
	Csi__V1__ProbeResponse response = CSI__V1__PROBE_RESPONSE__INIT;

	(void)context;
	(void)request;
	(void)err;
	ready.value = true;
	response.ready = &ready;
	rpc_reply_set(reply, &response.base);
	return 0;
}

const struct rpc_method identity_methods[] = {
	{"/csi.v1.Identity/GetPluginInfo", &csi__v1__get_plugin_info_request__descriptor,
		get_plugin_info, NULL},
	{"/csi.v1.Identity/GetPluginCapabilities",
		&csi__v1__get_plugin_capabilities_request__descriptor, get_plugin_capabilities,
		NULL},
	{"/csi.v1.Identity/Probe", &csi__v1__probe_request__descriptor, probe, NULL},
	{0},
};
