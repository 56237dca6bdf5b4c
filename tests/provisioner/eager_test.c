/* SPDX-License-Identifier: Apache-2.0 */
#include "claim_controller.h"
#include "testing.h"
#include "world.h"

#define CLAIM                                                                                      \
	"{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1', 'resourceVersion': '5'},"    \
	" 'spec': {'storageClassName': 'fast', 'resources': {'requests': {'storage': '1Gi'}}}}"
#define CLASS(more)                                                                                \
	"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd.example.com'" more "}"
#define VOLUME(annotations, class, spec, phase)                                                    \
	"{'metadata': {'name': 'v', 'uid': 'v1', 'annotations': {" annotations                     \
	"}}, 'spec': {'storageClassName': '" class "'" spec "}, 'status': {'phase': '" phase "'}}"
/* As external-provisioner has them on every volume. */
#define TOLD                                                                                       \
	"'volume.kubernetes.io/provisioner-deletion-secret-name': '',"                             \
	" 'volume.kubernetes.io/provisioner-deletion-secret-namespace': ''"

/* Whether a volume is made for a claim that the controller-manager has not yet looked at. */
static const struct {
	const char *name, *class, *volume;
	bool eager, ours, made;
} cases[] = {
	{"no volume is there", CLASS(""), NULL, true, true, true},
	{"not wanted", CLASS(""), NULL, false, true, false},
	{"another driver's", CLASS(""), NULL, true, false, false},
	{"waits for a pod", CLASS(", 'volumeBindingMode': 'WaitForFirstConsumer'"), NULL, true,
		true, false},
	{"a volume that may do", CLASS(""), VOLUME("", "fast", "", "Available"), true, true, false},
	{"one that somebody provisioned, and somebody freed", CLASS(""),
		VOLUME(TOLD, "fast", "", "Available"), true, true, false},
	{"one that was made this moment", CLASS(""), VOLUME("", "fast", "", ""), true, true, false},
	{"a volume of another class", CLASS(""), VOLUME("", "slow", "", "Available"), true, true,
		true},
	{"a volume of no class", CLASS(""), VOLUME(TOLD, "", "", "Available"), true, true, true},
	{"a claimed volume", CLASS(""),
		VOLUME("", "fast", ", 'claimRef': {'uid': 'u2', 'name': 'd'}", "Bound"), true, true,
		true},
	{"a released volume", CLASS(""), VOLUME("", "fast", "", "Released"), true, true, true},
};

static void check_case(size_t i)
{
	static const struct driver_step made = {ERROR_NONE, "h1", 1LL << 30, {NULL}, {NULL}};
	const size_t unclaimed = cases[i].volume != NULL;
	struct claim_controller *claims;
	struct world world;
	struct error err;
	int64_t again_ms;

	world_init(&world, &made, 1, NULL, 0);
	world.controller.eager = cases[i].eager;
	world.controller.driver.info.ours = cases[i].ours;
	world.controller.unclaimed = &unclaimed;
	world_set(world.controller.claims, &claim_type, CLAIM);
	world_set(world.controller.classes, &storage_class_type, cases[i].class);
	if (cases[i].volume)
		world_set(world.controller.volumes, &volume_type, cases[i].volume);
	claims = claim_controller_new(&world.controller);
	claim_controller_sync(claims, "u1", &again_ms, &err);
	assert_case(cases[i].name, world.call_count == cases[i].made);
	claim_controller_free(claims);
	world_done(&world);
}

static void test_eager(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_case(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
