/* SPDX-License-Identifier: Apache-2.0 */
#include "measured_driver.h"

#include <string.h>

#include "testing.h"
#include "world.h"

static char *scrape(struct metrics *metrics)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	metrics_write(metrics, out);
	fclose(out);
	return text;
}

static int each(void *context, const struct csi_volume *volume, struct error *err)
{
	(void)context;
	(void)volume;
	(void)err;
	return 0;
}

static int each_snapshot(void *context, const struct csi_snapshot *snapshot, struct error *err)
{
	(void)context;
	(void)snapshot;
	(void)err;
	return 0;
}

/* Make one call of each kind; how many failed. */
static int call_all(const struct csi_driver *driver, struct error *err)
{
	const struct strings none = {.count = 0};
	const struct string_map nothing = {.count = 0};
	const struct csi_create_request create = {.name = "v",
		.fs_type = "",
		.parameters = &nothing,
		.access_modes = &none,
		.mount_options = &none};
	const struct csi_expand_request expand = {
		.handle = "h", .fs_type = "", .access_modes = &none, .mount_options = &none};
	struct csi_volume volume;
	int64_t bytes;
	bool node;
	int failed = 0;

	failed += driver->create_volume(driver->self, &create, &volume, err) < 0 ? 1 : 0;
	failed += driver->delete_volume(driver->self, "h", NULL, err) < 0 ? 1 : 0;
	failed += driver->expand_volume(driver->self, &expand, &bytes, &node, err) < 0 ? 1 : 0;
	failed += driver->list_volumes(driver->self, each, NULL, err) < 0 ? 1 : 0;
	failed += driver->modify_volume(driver->self, "h", &nothing, NULL, err) < 0 ? 1 : 0;
	failed += driver->list_snapshots(driver->self, NULL, each_snapshot, NULL, err) < 0 ? 1 : 0;
	failed += driver->delete_snapshot(driver->self, "s", err) < 0 ? 1 : 0;
	failed += driver->probe(driver->self, err) < 0 ? 1 : 0;
	return failed;
}

/* Each call is counted under its method and code, whether its error is wanted or not. */
static void test_failures(void **state)
{
	static const char *const methods[] = {"Controller/CreateVolume", "Controller/DeleteVolume",
		"Controller/ControllerExpandVolume", "Controller/ListVolumes",
		"Controller/ControllerModifyVolume", "Controller/ListSnapshots",
		"Controller/DeleteSnapshot", "Identity/Probe"};
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;
	struct measured_driver measured;
	struct csi_driver driver;
	struct error err = {0};
	struct world world;

	(void)state;
	world_init(&world, NULL, 0, NULL, 0);
	measured = (struct measured_driver){world.controller.driver, metrics};
	driver = measured_driver_table(&measured);
	assert_int_equal(call_all(&driver, &err), 8);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_string_equal(err.text, "not in the script");
	assert_int_equal(call_all(&driver, NULL), 8);
	text = scrape(metrics);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line,
			    "csi_sidecar_operations_seconds_count{driver_name=\"d.example.com\","
			    "method_name=\"/csi.v1.%s\",grpc_status_code=\"Unavailable\"} 2\n",
			    methods[i]) < 0)
			abort();
		assert_case(methods[i], strstr(text, line));
	}
	world_done(&world);
}

static void test_success(void **state)
{
	static const struct driver_step step = {ERROR_NONE, NULL, 0, {NULL}, {NULL}};
	_cleanup_(metrics_freep) struct metrics *metrics = metrics_new();
	_cleanup_free_ char *text = NULL;
	struct measured_driver measured;
	struct csi_driver driver;
	struct error err = {ERROR_IO, 0, "kept"};
	struct world world;

	(void)state;
	world_init(&world, &step, 1, NULL, 0);
	measured = (struct measured_driver){world.controller.driver, metrics};
	driver = measured_driver_table(&measured);
	assert_string_equal(driver.info.name, "d.example.com");
	assert_int_equal(driver.delete_volume(driver.self, "h", NULL, &err), 0);
	assert_string_equal(err.text, "kept");
	text = scrape(metrics);
	assert_non_null(strstr(text, "DeleteVolume\",grpc_status_code=\"OK\"} 1\n"));
	world_done(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
