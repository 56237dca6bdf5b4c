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

static int get_plugin_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	static const Csi__V1__PluginCapability__Service__Type types[] = {
		CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__CONTROLLER_SERVICE,
		CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__VOLUME_ACCESSIBILITY_CONSTRAINTS,
	};
	const struct driver *driver = context;
	Csi__V1__PluginCapability__Service services[ARRAY_SIZE(types)];
	Csi__V1__PluginCapability capabilities[ARRAY_SIZE(types)];
	Csi__V1__PluginCapability *pointers[ARRAY_SIZE(types)];
	Csi__V1__GetPluginCapabilitiesResponse response =
		CSI__V1__GET_PLUGIN_CAPABILITIES_RESPONSE__INIT;

	(void)request;
	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		csi__v1__plugin_capability__service__init(&services[i]);
		services[i].type = types[i];
		csi__v1__plugin_capability__init(&capabilities[i]);
		capabilities[i].type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE;
		capabilities[i].service = &services[i];
		pointers[i] = &capabilities[i];
	}
	response.capabilities = pointers;
	response.n_capabilities = driver->backend->ops->node_local ? 2 : 1;
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
