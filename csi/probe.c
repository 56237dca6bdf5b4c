/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "csi.pb-c.h"
#include "rpc_client.h"
#include "unix_socket.h"

#define TIMEOUT_MS 3000

static void free_answer(ProtobufCMessage **message)
{
	if (*message)
		protobuf_c_message_free_unpacked(*message, NULL);
}

int probe_driver(const char *path, struct error *err)
{
	_cleanup_(rpc_client_freep) struct rpc_client *client = NULL;
	_cleanup_(free_answer) ProtobufCMessage *answer = NULL;
	const Csi__V1__ProbeResponse *response;
	Csi__V1__ProbeRequest request = CSI__V1__PROBE_REQUEST__INIT;
	const struct rpc_call call = {
		.method = "/csi.v1.Identity/Probe",
		.request = &request.base,
		.response = &csi__v1__probe_response__descriptor,
		.timeout_ms = TIMEOUT_MS,
		.wait_for_ready = true,
	};

	/* A driver that is there has all the time to answer; one that is not needs none. */
	if (unix_socket_check_served(path, err) < 0 || rpc_client_new(path, &client, err) < 0 ||
		rpc_client_call(client, &call, &answer, err) < 0)
		return -1;
	response = (const Csi__V1__ProbeResponse *)answer;
	/* One that does not say is ready, CSI says. */
	if (response->ready && !response->ready->value)
		return error_set(err, ERROR_UNAVAILABLE, "the driver is not ready");
	return 0;
}
