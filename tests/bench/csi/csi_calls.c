/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_calls.h"

#include <stdio.h>
#include <string.h>

#include "csi.pb-c.h"
#include "failure.h"
#include "names.h"

#define TIMEOUT_MS 60000
#define NAMESPACE  "bench"
#define TEMPLATE   "data"
#define TEXT_MAX   96

typedef Csi__V1__CreateVolumeRequest__ParametersEntry parameter;

/* What the provisioner says of a claim of a StatefulSet. */
struct claim {
	char pv[TEXT_MAX], name[TEXT_MAX], set[TEXT_MAX], set_uid[TEXT_MAX], ordinal[TEXT_MAX];
};

/* A volume for one writer, as both CreateVolume and NodePublishVolume say it. */
struct capability {
	Csi__V1__VolumeCapability message;
	Csi__V1__VolumeCapability__AccessMode mode;
	Csi__V1__VolumeCapability__MountVolume mount;
};

static const char *server, *share;

void csi_calls_export(const char *new_server, const char *new_share)
{
	server = new_server;
	share = new_share;
}

/* Call, and end the benchmark unless there is an answer. Caller frees it. */
static void *call(struct rpc_client *client, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response)
{
	struct rpc_call call = {method, request, response, TIMEOUT_MS, true};
	ProtobufCMessage *answer;
	struct error err;

	if (rpc_client_call(client, &call, &answer, &err) < 0) {
		errno = 0;
		failure_exit("%s: %s: %s", method, error_kind_name(err.kind), err.text);
	}
	return answer;
}

static void free_answer(void *answer)
{
	protobuf_c_message_free_unpacked(answer, NULL);
}

void csi_calls_probe(struct rpc_client *client)
{
	Csi__V1__ProbeRequest request = CSI__V1__PROBE_REQUEST__INIT;

	free_answer(call(
		client, "/csi.v1.Identity/Probe", &request, &csi__v1__probe_response__descriptor));
}

static void fill_capability(struct capability *capability)
{
	csi__v1__volume_capability__init(&capability->message);
	csi__v1__volume_capability__access_mode__init(&capability->mode);
	csi__v1__volume_capability__mount_volume__init(&capability->mount);
	capability->mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	capability->message.access_mode = &capability->mode;
	capability->message.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	capability->message.mount = &capability->mount;
}

static void fill_claim(struct claim *claim, unsigned long number)
{
	unsigned long set = number / CSI_CALLS_REPLICAS, ordinal = number % CSI_CALLS_REPLICAS;

	snprintf(claim->pv, TEXT_MAX, "pvc-%08lx-5b1d-4c3e-9f2a-0123456789ab", number);
	snprintf(claim->set, TEXT_MAX, "web-%lu", set);
	snprintf(claim->set_uid, TEXT_MAX, "%08lx-77aa-4d1c-8e5f-ba9876543210", set);
	snprintf(claim->ordinal, TEXT_MAX, "%lu", ordinal);
	snprintf(claim->name, TEXT_MAX, TEMPLATE "-web-%lu-%lu", set, ordinal);
}

void csi_calls_place(unsigned long number, char *path, size_t size)
{
	snprintf(path, size, NAMESPACE "/web-%lu/" TEMPLATE "-%lu", number / CSI_CALLS_REPLICAS,
		number % CSI_CALLS_REPLICAS);
}

void csi_calls_create(
	struct rpc_client *client, unsigned long number, char ret_id[CSI_CALLS_ID_SIZE])
{
	struct claim claim;
	struct capability capability;
	Csi__V1__VolumeCapability *capabilities[] = {&capability.message};
	Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;
	Csi__V1__CreateVolumeRequest request = CSI__V1__CREATE_VOLUME_REQUEST__INIT;
	Csi__V1__CreateVolumeResponse *response;
	const char *const texts[][2] = {
		{CSI_KEY_PVC_NAME, claim.name},
		{CSI_KEY_PVC_NAMESPACE, NAMESPACE},
		{CSI_KEY_PV_NAME, claim.pv},
		{ORDINAL_KEY_STATEFULSET, claim.set},
		{ORDINAL_KEY_STATEFULSET_UID, claim.set_uid},
		{ORDINAL_KEY_TEMPLATE, TEMPLATE},
		{ORDINAL_KEY_ORDINAL, claim.ordinal},
		{"server", server},
		{"share", share},
	};
	parameter entries[ARRAY_SIZE(texts)], *pointers[ARRAY_SIZE(texts)];

	fill_claim(&claim, number);
	fill_capability(&capability);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		csi__v1__create_volume_request__parameters_entry__init(&entries[i]);
		entries[i].key = (char *)texts[i][0];
		entries[i].value = (char *)texts[i][1];
		pointers[i] = &entries[i];
	}
	range.required_bytes = 1 << 20;
	request.name = claim.pv;
	request.capacity_range = &range;
	request.volume_capabilities = capabilities;
	request.n_volume_capabilities = 1;
	request.parameters = pointers;
	request.n_parameters = server ? ARRAY_SIZE(texts) : ARRAY_SIZE(texts) - 2;
	response = call(client, "/csi.v1.Controller/CreateVolume", &request,
		&csi__v1__create_volume_response__descriptor);
	snprintf(ret_id, CSI_CALLS_ID_SIZE, "%s", response->volume->volume_id);
	free_answer(response);
}

void csi_calls_delete(struct rpc_client *client, const char *id)
{
	Csi__V1__DeleteVolumeRequest request = CSI__V1__DELETE_VOLUME_REQUEST__INIT;

	request.volume_id = (char *)id;
	free_answer(call(client, "/csi.v1.Controller/DeleteVolume", &request,
		&csi__v1__delete_volume_response__descriptor));
}

int csi_calls_try_publish(
	struct rpc_client *client, const char *id, const char *target, struct error *err)
{
	Csi__V1__NodePublishVolumeRequest request = CSI__V1__NODE_PUBLISH_VOLUME_REQUEST__INIT;
	struct rpc_call call = {"/csi.v1.Node/NodePublishVolume", &request.base,
		&csi__v1__node_publish_volume_response__descriptor, TIMEOUT_MS, true};
	struct capability capability;
	ProtobufCMessage *answer;

	fill_capability(&capability);
	request.volume_id = (char *)id;
	request.target_path = (char *)target;
	request.volume_capability = &capability.message;
	if (rpc_client_call(client, &call, &answer, err) < 0)
		return -1;
	free_answer(answer);
	return 0;
}

void csi_calls_publish(struct rpc_client *client, const char *id, const char *target)
{
	struct error err;

	if (csi_calls_try_publish(client, id, target, &err) == 0)
		return;
	errno = 0;
	failure_exit("publish: %s: %s", error_kind_name(err.kind), err.text);
}

void csi_calls_unpublish(struct rpc_client *client, const char *id, const char *target)
{
	Csi__V1__NodeUnpublishVolumeRequest request = CSI__V1__NODE_UNPUBLISH_VOLUME_REQUEST__INIT;

	request.volume_id = (char *)id;
	request.target_path = (char *)target;
	free_answer(call(client, "/csi.v1.Node/NodeUnpublishVolume", &request,
		&csi__v1__node_unpublish_volume_response__descriptor));
}
