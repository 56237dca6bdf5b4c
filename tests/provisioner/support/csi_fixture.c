/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_fixture.h"

#include <string.h>

#include "testing.h"

struct csi_fixture csi_fixture;

int csi_fixture_set_up(void **state)
{
	(void)state;
	csi_fixture = (struct csi_fixture){.folder = make_folder()};
	if (asprintf(&csi_fixture.socket, "%s/csi.sock", csi_fixture.folder) < 0)
		abort();
	csi_fixture.options = (struct scripted_options){.socket_path = csi_fixture.socket,
		.name = "d.example.com",
		.capabilities = "controller,create-delete",
		.topology = "host=h1"};
	return 0;
}

int csi_fixture_tear_down(void **state)
{
	(void)state;
	csi_client_freep(&csi_fixture.client);
	if (csi_fixture.server)
		scripted_driver_stop(csi_fixture.server);
	remove_folder(csi_fixture.folder);
	free(csi_fixture.socket);
	return 0;
}

void csi_fixture_start(int timeout_ms)
{
	assert_int_equal(
		scripted_driver_start(&csi_fixture.options, &csi_fixture.server, &csi_fixture.err),
		0);
	if (!csi_fixture.client)
		assert_int_equal(csi_client_new(csi_fixture.socket, timeout_ms, &csi_fixture.client,
					 &csi_fixture.err),
			0);
}

int csi_fixture_identify(void)
{
	csi_fixture.err = (struct error){0};
	return csi_client_identify(csi_fixture.client, &csi_fixture.driver, &csi_fixture.err);
}

void csi_fixture_ready(int timeout_ms)
{
	csi_fixture_start(timeout_ms);
	assert_int_equal(csi_fixture_identify(), 0);
}

static char *mode_names[] = {(char *)"ReadWriteOnce", (char *)"ReadWriteOncePod",
	(char *)"ReadOnlyMany", (char *)"ReadWriteMany", (char *)"Odd"};
static char *flags[] = {(char *)"hard", (char *)"noatime"};
static struct string_pair parameter_pairs[] = {
	{(char *)"a", (char *)"1"}, {(char *)"b", (char *)"2"}};
static struct string_pair secret_pairs[] = {
	{(char *)"user", (char *)"bob"}, {(char *)"password", (char *)"hunter2\n"}};
const struct strings csi_fixture_modes = {mode_names, ARRAY_SIZE(mode_names)};
const struct strings csi_fixture_mount_options = {flags, ARRAY_SIZE(flags)};
const struct string_map csi_fixture_parameters = {parameter_pairs, ARRAY_SIZE(parameter_pairs)};
const struct string_map csi_fixture_secrets = {secret_pairs, ARRAY_SIZE(secret_pairs)};

const struct csi_create_request csi_fixture_plain = {.name = "pvc-1",
	.required_bytes = 1LL << 40,
	.parameters = &csi_fixture_parameters,
	.access_modes = &csi_fixture_modes,
	.mount_options = &csi_fixture_mount_options,
	.fs_type = "xfs"};

int csi_fixture_create(const struct csi_create_request *request, struct csi_volume *ret_volume)
{
	return csi_fixture.driver.create_volume(
		csi_fixture.driver.self, request, ret_volume, &csi_fixture.err);
}

int csi_fixture_delete(const char *handle, const struct string_map *with)
{
	return csi_fixture.driver.delete_volume(
		csi_fixture.driver.self, handle, with, &csi_fixture.err);
}

int csi_fixture_expand(const struct csi_expand_request *request, int64_t *ret_bytes, bool *ret_node)
{
	return csi_fixture.driver.expand_volume(
		csi_fixture.driver.self, request, ret_bytes, ret_node, &csi_fixture.err);
}

static int count_volume(void *context, const struct csi_volume *volume, struct error *err)
{
	struct csi_listing *listing = context;

	if (listing->count == listing->limit)
		return error_set(err, ERROR_EXHAUSTED, "enough");
	listing->count++;
	listing->bytes += volume->capacity_bytes;
	return 0;
}

int csi_fixture_list(struct csi_listing *listing)
{
	csi_fixture.err = (struct error){0};
	return csi_fixture.driver.list_volumes(
		csi_fixture.driver.self, count_volume, listing, &csi_fixture.err);
}

void csi_fixture_create_many(int count)
{
	for (int i = 0; i < count; i++) {
		struct csi_create_request request = csi_fixture_plain;
		struct csi_volume volume;
		char name[16];

		snprintf(name, sizeof(name), "pvc-%d", i);
		request.name = name;
		request.required_bytes = i;
		assert_int_equal(csi_fixture_create(&request, &volume), 0);
		csi_volume_done(&volume);
	}
}
