/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <string.h>

#include "kubectl.h"
#include "testing.h"

/* The check finds what it is there for. */
static void test_check(void **state)
{
	const struct schedule_options options = {.seed = 1, .actions = 1};
	_cleanup_(schedule_freep) struct schedule *schedule = schedule_new(&options);
	const struct csi_driver table = fake_driver_table(schedule_driver(schedule, 0));
	const struct csi_create_request request = {.name = "pv"};
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct csi_volume volume;
	struct error err;

	(void)state;
	before = schedule_check(schedule);
	assert_string_equal(before, "");
	assert_int_equal(kubectl_create(schedule_objects(schedule), "persistentvolumes",
				 "{'metadata': {'name': 'lost'}, 'spec': {'csi': {'volumeHandle': "
				 "'h'}}}"),
		201);
	assert_int_equal(kubectl_create(schedule_objects(schedule), "persistentvolumeclaims",
				 "{'metadata': {'name': 'c'}, 'spec': {'storageClassName': 'x'}}"),
		201);
	assert_int_equal(table.create_volume(table.self, &request, &volume, &err), 0);
	csi_volume_done(&volume);
	assert_int_equal(table.create_volume(table.self, &(struct csi_create_request){.name = "p2"},
				 &volume, &err),
		0);
	csi_volume_done(&volume);
	after = schedule_check(schedule);
	assert_string_equal(after, "claim c has no volume, or several\n"
				   "volume lost is nobody's\n"
				   "volume lost is \"\" at the driver, and has handle h\n"
				   "there are 1 volumes, and the driver has 2:\npv\np2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
