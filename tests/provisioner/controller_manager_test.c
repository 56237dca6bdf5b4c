/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_manager.h"

#include <string.h>

#include "kubectl.h"
#include "testing.h"

#define CLAIM(name, class)                                                                         \
	"{'metadata': {'name': '" name "'}, 'spec': {'storageClassName': '" class                  \
		"', 'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '2Gi'}}}}"
#define VOLUME(name, class, size, more)                                                               \
	"{'metadata': {'name': '" name "'}, 'spec': {'storageClassName': '" class                     \
		"', 'accessModes': ['ReadWriteOnce', 'ReadOnlyMany'], 'capacity': {'storage': '" size \
		"'}" more "}}"

struct fixture {
	struct api_objects *objects;
	struct controller_manager *manager;
};

static void begin(struct fixture *fixture)
{
	fixture->objects = api_objects_new(NULL);
	fixture->manager = controller_manager_new(fixture->objects, NULL);
	kubectl_create(fixture->objects, "storageclasses",
		"{'metadata': {'name': 'now'}, 'provisioner': 'p'}");
	kubectl_create(fixture->objects, "storageclasses",
		"{'metadata': {'name': 'later'}, 'provisioner': 'p', 'volumeBindingMode': "
		"'WaitForFirstConsumer'}");
	kubectl_create(fixture->objects, "nodes", "{'metadata': {'name': 'n1'}}");
	kubectl_create(fixture->objects, "nodes",
		"{'metadata': {'name': 'n2'}, 'spec': {'unschedulable': true}}");
}

static void end(struct fixture *fixture)
{
	controller_manager_free(fixture->manager);
	api_objects_free(fixture->objects);
}

static void check(struct fixture *fixture, const char *plural, const char *name, const char *path,
	const char *wanted)
{
	_cleanup_free_ char *text = kubectl_text(fixture->objects, plural, name, path);

	assert_case_text(path, text, wanted);
}

static void check_claim(
	struct fixture *fixture, const char *name, const char *path, const char *wanted)
{
	check(fixture, "persistentvolumeclaims", name, path, wanted);
}

/* The annotation whose key holds dots. */
static void check_annotation(
	struct fixture *fixture, const char *name, const char *key, const char *wanted)
{
	struct json_object *claim = kubectl_get(fixture->objects, "persistentvolumeclaims", name);
	struct json_object *metadata = json_member(claim, "metadata", json_type_object);
	const char *value =
		json_string(json_member(metadata, "annotations", json_type_object), key);

	assert_case_text(key, value, wanted);
	json_object_put(claim);
}

static void make_for(struct fixture *fixture, const char *volume, const char *claim)
{
	_cleanup_free_ char *uid =
		kubectl_text(fixture->objects, "persistentvolumeclaims", claim, "metadata.uid");

	assert_int_equal(
		kubectl_create(fixture->objects, "persistentvolumes",
			"{'metadata': {'name': '%s', 'annotations': {'pv.kubernetes.io/"
			"provisioned-by': 'p'}}, 'spec': {'capacity': {'storage': '3Gi'}, "
			"'persistentVolumeReclaimPolicy': 'Delete', 'claimRef': {'namespace': "
			"'default', 'name': '%s', 'uid': '%s'}}}",
			volume, strchr(claim, '/') + 1, uid),
		201);
}

/* The whole life of a claim whose volume is made for it. */
static void test_provisioned(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	kubectl_create(fixture.objects, "persistentvolumeclaims", CLAIM("c", "now"));
	controller_manager_settle(fixture.manager);
	check_annotation(&fixture, "default/c", "volume.kubernetes.io/storage-provisioner", "p");
	check_annotation(
		&fixture, "default/c", "volume.beta.kubernetes.io/storage-provisioner", "p");
	make_for(&fixture, "pv", "default/c");
	controller_manager_settle(fixture.manager);
	check_claim(&fixture, "default/c", "spec.volumeName", "pv");
	check_claim(&fixture, "default/c", "status.phase", "Bound");
	check_claim(&fixture, "default/c", "status.capacity.storage", "3Gi");
	check_annotation(&fixture, "default/c", "pv.kubernetes.io/bind-completed", "yes");
	check(&fixture, "persistentvolumes", "pv", "status.phase", "Bound");
	kubectl_delete(fixture.objects, "persistentvolumeclaims", "default/c");
	controller_manager_settle(fixture.manager);
	assert_int_equal(kubectl_count(fixture.objects, "persistentvolumeclaims"), 0);
	check(&fixture, "persistentvolumes", "pv", "status.phase", "Released");
	kubectl_delete(fixture.objects, "persistentvolumes", "pv");
	controller_manager_settle(fixture.manager);
	assert_int_equal(kubectl_count(fixture.objects, "persistentvolumes"), 0);
	end(&fixture);
}

/* The smallest volume that was made by hand and will do wins over the provisioner. */
static void test_static(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	kubectl_create(fixture.objects, "persistentvolumes", VOLUME("big", "now", "9Gi", ""));
	kubectl_create(fixture.objects, "persistentvolumes", VOLUME("fits", "now", "2Gi", ""));
	kubectl_create(fixture.objects, "persistentvolumes", VOLUME("small", "now", "1Gi", ""));
	kubectl_create(fixture.objects, "persistentvolumes", VOLUME("other", "x", "2Gi", ""));
	controller_manager_settle(fixture.manager);
	check(&fixture, "persistentvolumes", "other", "status.phase", "Available");
	kubectl_create(fixture.objects, "persistentvolumeclaims", CLAIM("c", "now"));
	controller_manager_settle(fixture.manager);
	check_claim(&fixture, "default/c", "spec.volumeName", "fits");
	check_claim(&fixture, "default/c", "status.phase", "Bound");
	check_annotation(&fixture, "default/c", "volume.kubernetes.io/storage-provisioner", NULL);
	check(&fixture, "persistentvolumes", "big", "status.phase", "Available");
	end(&fixture);
}

/* A node is chosen, and again when the choice is taken back; only then there is a provisioner. */
static void test_late_binding(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	kubectl_create(fixture.objects, "persistentvolumeclaims", CLAIM("c", "later"));
	for (int i = 0; i < 2; i++) {
		controller_manager_settle(fixture.manager);
		check_annotation(&fixture, "default/c", "volume.kubernetes.io/selected-node", "n1");
		kubectl_patch(fixture.objects, "persistentvolumeclaims", "default/c",
			"{'metadata': {'annotations': {'volume.kubernetes.io/selected-node': "
			"null}}}");
	}
	check_annotation(&fixture, "default/c", "volume.kubernetes.io/storage-provisioner", "p");
	end(&fixture);
}

/* A claim went and came again under the same name; another was bound to a second volume. */
static void test_orphans(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	kubectl_create(fixture.objects, "persistentvolumeclaims", CLAIM("c", "now"));
	make_for(&fixture, "first", "default/c");
	kubectl_delete(fixture.objects, "persistentvolumeclaims", "default/c");
	controller_manager_step(fixture.manager);
	kubectl_create(fixture.objects, "persistentvolumeclaims", CLAIM("c", "now"));
	make_for(&fixture, "second", "default/c");
	controller_manager_settle(fixture.manager);
	check(&fixture, "persistentvolumes", "first", "status.phase", "Released");
	check_claim(&fixture, "default/c", "spec.volumeName", "second");
	make_for(&fixture, "third", "default/c");
	controller_manager_settle(fixture.manager);
	check(&fixture, "persistentvolumes", "second", "status.phase", "Bound");
	check(&fixture, "persistentvolumes", "third", "status.phase", "Released");
	end(&fixture);
}

static bool is_bound(struct api_objects *objects, void *context)
{
	_cleanup_free_ char *phase =
		kubectl_text(objects, "persistentvolumeclaims", context, "status.phase");

	return !strcmp(phase, "Bound");
}

static void test_thread(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	controller_manager_start(fixture.manager);
	for (int i = 0; i < 20; i++) {
		char name[32], volume[32];

		snprintf(name, sizeof(name), "default/c%d", i);
		snprintf(volume, sizeof(volume), "pv%d", i);
		kubectl_create(fixture.objects, "persistentvolumeclaims",
			"{'metadata': {'name': 'c%d'}, 'spec': {'storageClassName': 'later'}}", i);
		make_for(&fixture, volume, name);
	}
	assert_true(kubectl_wait(fixture.objects, is_bound, (void *)"default/c0"));
	assert_true(kubectl_wait(fixture.objects, is_bound, (void *)"default/c19"));
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_provisioned),
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_late_binding),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
