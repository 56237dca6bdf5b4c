/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "pluginregistration.pb-c.h"
#include "registration.h"

static atomic_int refusals; /* counted by a thread of the server */

static void count_refusal(void)
{
	atomic_fetch_add(&refusals, 1);
}

static void *call(struct rpc_client *client, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response)
{
	struct rpc_call rpc = {method, request, response, 30000, true};
	ProtobufCMessage *answer = NULL;
	struct error err;

	if (rpc_client_call(client, &rpc, &answer, &err) < 0)
		fail_msg("%s: %s", method, err.text);
	return answer;
}

/* What kubelet does: find the socket, ask, tell. */
static void test_registration(void **state)
{
	struct fixture *fixture = *state;
	struct registration registration = {.driver_name = "hostpath.ordinal.dev",
		.endpoint = "/var/lib/kubelet/plugins/x/csi.sock",
		.refused = count_refusal};
	const char *socket = fixture_path(fixture, "hostpath.ordinal.dev-reg.sock");
	Pluginregistration__InfoRequest info_request = PLUGINREGISTRATION__INFO_REQUEST__INIT;
	Pluginregistration__RegistrationStatus status =
		PLUGINREGISTRATION__REGISTRATION_STATUS__INIT;
	Pluginregistration__PluginInfo *info;
	struct rpc_client *client;
	struct stat file;
	struct error err;

	assert_int_equal(registration_start(&registration, fixture->dir, &err), 0);
	assert_int_equal(stat(socket, &file), 0);
	assert_int_equal(file.st_mode & 077, 0);
	assert_int_equal(rpc_client_new(socket, &client, &err), 0);
	info = call(client, "/pluginregistration.Registration/GetInfo", &info_request,
		&pluginregistration__plugin_info__descriptor);
	assert_string_equal(info->type, "CSIPlugin");
	assert_string_equal(info->name, "hostpath.ordinal.dev");
	assert_string_equal(info->endpoint, "/var/lib/kubelet/plugins/x/csi.sock");
	assert_int_equal(info->n_supported_versions, 1);
	assert_string_equal(info->supported_versions[0], "1.0.0");
	fixture_free(info);
	status.plugin_registered = true;
	fixture_free(call(client, "/pluginregistration.Registration/NotifyRegistrationStatus",
		&status, &pluginregistration__registration_status_response__descriptor));
	assert_int_equal(atomic_load(&refusals), 0);
	status.plugin_registered = false;
	status.error = (char *)"as asked";
	fixture_free(call(client, "/pluginregistration.Registration/NotifyRegistrationStatus",
		&status, &pluginregistration__registration_status_response__descriptor));
	rpc_client_free(client);
	registration_stop(&registration);
	assert_int_equal(atomic_load(&refusals), 1);
	assert_false(fixture_exists(socket));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_registration, fixture_scratch, fixture_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
