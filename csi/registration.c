/* SPDX-License-Identifier: Apache-2.0 */
#include "registration.h"

#include "log.h"
#include "pluginregistration.pb-c.h"

#define STOP_GRACE_MS 1000

static int get_info(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	const struct registration *registration = context;
	char *versions[] = {(char *)"1.0.0"};
	Pluginregistration__PluginInfo info = PLUGINREGISTRATION__PLUGIN_INFO__INIT;

	(void)request;
	(void)err;
	info.type = (char *)"CSIPlugin";
	info.name = (char *)registration->driver_name;
	info.endpoint = (char *)registration->endpoint;
	info.supported_versions = versions;
	info.n_supported_versions = ARRAY_SIZE(versions);
	rpc_reply_set(reply, &info.base);
	return 0;
}

static int notify_registration_status(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	const struct registration *registration = context;
	const Pluginregistration__RegistrationStatus *status = (const void *)message;
	Pluginregistration__RegistrationStatusResponse response =
		PLUGINREGISTRATION__REGISTRATION_STATUS_RESPONSE__INIT;

	(void)err;
	rpc_reply_set(reply, &response.base);
	if (status->plugin_registered) {
		log_info("kubelet has registered %s", registration->driver_name);
		return 0;
	}
	log_error("kubelet refuses to register %s: %s", registration->driver_name, status->error);
	registration->refused();
	return 0;
}

static const struct rpc_method methods[] = {
	{"/pluginregistration.Registration/GetInfo", &pluginregistration__info_request__descriptor,
		get_info, NULL},
	{"/pluginregistration.Registration/NotifyRegistrationStatus",
		&pluginregistration__registration_status__descriptor, notify_registration_status,
		NULL},
	{0},
};

int registration_start(struct registration *registration, const char *directory, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rpc_server_options options = {
		.socket_mode = 0700,
		.socket_gid = (gid_t)-1,
		.services = registration->services,
		.workers = 1,
	};

	if (asprintf(&path, "%s/%s-reg.sock", directory, registration->driver_name) < 0)
		abort();
	registration->services[0] = (struct rpc_service){methods, registration};
	registration->services[1] = (struct rpc_service){0};
	options.socket_path = path;
	return rpc_server_start(&options, &registration->server, err);
}

void registration_stop(struct registration *registration)
{
	rpc_server_stop(registration->server, STOP_GRACE_MS);
}
