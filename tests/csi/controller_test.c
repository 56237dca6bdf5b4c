/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>

#include "names.h"

#define OF_SET                                                                                     \
	"csi.storage.k8s.io/pvc/name=data-web-0", "csi.storage.k8s.io/pvc/namespace=shop",         \
		"ordinal.dev/statefulset=web", "ordinal.dev/statefulset-uid=u-1",                  \
		"ordinal.dev/template=data", "ordinal.dev/ordinal=0"
#define MIB (1024 * 1024)

static void test_identity(void **state)
{
	struct fixture *fixture = *state;
	Csi__V1__GetPluginInfoRequest info_request = CSI__V1__GET_PLUGIN_INFO_REQUEST__INIT;
	Csi__V1__ProbeRequest probe_request = CSI__V1__PROBE_REQUEST__INIT;
	Csi__V1__GetPluginCapabilitiesRequest capabilities_request =
		CSI__V1__GET_PLUGIN_CAPABILITIES_REQUEST__INIT;
	Csi__V1__GetPluginInfoResponse *info = fixture_expect(fixture, "Identity/GetPluginInfo",
		&info_request, &csi__v1__get_plugin_info_response__descriptor, ERROR_NONE, NULL);
	Csi__V1__ProbeResponse *probe = fixture_expect(fixture, "Identity/Probe", &probe_request,
		&csi__v1__probe_response__descriptor, ERROR_NONE, NULL);
	Csi__V1__GetPluginCapabilitiesResponse *capabilities =
		fixture_expect(fixture, "Identity/GetPluginCapabilities", &capabilities_request,
			&csi__v1__get_plugin_capabilities_response__descriptor, ERROR_NONE, NULL);

	assert_string_equal(info->name, fixture_driver_name());
	assert_string_equal(info->vendor_version, ORDINAL_VERSION);
	assert_string_equal(info->manifest[0]->key, ORDINAL_MANIFEST_KEY);
	assert_string_equal(info->manifest[0]->value, ORDINAL_MANIFEST_VALUE);
	assert_true(probe->ready->value);
	/* The third says that volumes are not reachable from everywhere. */
	assert_int_equal(capabilities->n_capabilities, fixture_is_nfs() ? 2 : 3);
	fixture_free(info);
	fixture_free(probe);
	fixture_free(capabilities);
}

static void test_refusals(void **state)
{
	static char long_name[130], long_value[4200];
	static const struct {
		struct create create;
		enum error_kind kind;
		const char *text;
		unsigned backends;
	} cases[] = {
		{{.name = ""}, ERROR_INVALID, "name is missing", 0},
		{{.name = long_name}, ERROR_INVALID, "name is longer than 128", 0},
		{{.name = "a\nb"}, ERROR_INVALID, "control character", 0},
		{{.name = "v", .no_capability = true}, ERROR_INVALID, "volume_capabilities", 0},
		{{.name = "v", .block = true}, ERROR_INVALID, "volumeMode Filesystem", 0},
		{{.name = "v", .shared = true}, ERROR_INVALID, "ReadWriteOnce", FIXTURE_HOSTPATH},
		{{.name = "shared", .shared = true}, ERROR_NONE, NULL, FIXTURE_NFS},
		{{.name = "v", .required = -1}, ERROR_INVALID, "negative", 0},
		{{.name = "v", .required = 2, .limit = 1}, ERROR_INVALID, "less than", 0},
		{{.name = "v", .required = 65 * MIB}, ERROR_OUT_OF_RANGE, "whole file system", 0},
		{{.name = "v", .required = INT64_MAX}, ERROR_OUT_OF_RANGE, "whole file system", 0},
		{{.name = "v", .parameters = {"serverr=x"}}, ERROR_INVALID,
			"\"serverr\" in the StorageClass; known are path, pathPattern", 0},
		{{.name = "v", .parameters = {"path=/etc"}}, ERROR_INVALID, "--hostpath-root",
			FIXTURE_HOSTPATH},
		{{.name = "v", .parameters = {"server=a", "share=/b"}}, ERROR_INVALID,
			"are for NFS", FIXTURE_HOSTPATH},
		{{.name = "v", .parameters = {"path=/etc"}}, ERROR_INVALID, "is for host paths",
			FIXTURE_NFS},
		{{.name = "v", .parameters = {"server=a"}}, ERROR_INVALID,
			"parameter share is missing", FIXTURE_NFS},
		{{.name = "v", .parameters = {"server=a", "share=b/../c"}}, ERROR_INVALID,
			"parameter share", FIXTURE_NFS},
		{{.name = "v", .parameters = {"onDelete=keep"}}, ERROR_INVALID,
			"parameter onDelete: \"keep\" is not one of delete, archive, retain", 0},
		{{.name = "v", .parameters = {"quota=yes"}}, ERROR_INVALID,
			"parameter quota: \"yes\" is not one of auto, required, none", 0},
		{{.name = "v", .parameters = {"quota=required"}}, ERROR_FAILED_PRECONDITION,
			"its file system has no project quotas: only ext4 and XFS on a disk of the "
			"driver's own machine",
			0},
		{{.name = "v", .parameters = {long_value}}, ERROR_INVALID, "larger than 4096", 0},
	};

	memset(long_name, 'n', sizeof(long_name) - 1);
	memset(long_value, 'v', sizeof(long_value) - 1);
	memcpy(long_value, "path=", 5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (fixture_is(cases[i].backends))
			free(fixture_create(
				*state, &cases[i].create, cases[i].kind, cases[i].text));
}

static void test_create_of_a_set(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {"pvc-1", MIB, 0, {OF_SET, "mode=02750", "uid=1000", "gid=1001"},
		false, false, false, NULL, NULL};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	_cleanup_free_ char *again = fixture_create(fixture, &create, ERROR_NONE, NULL);
	struct stat status;

	assert_string_equal(id, again);
	assert_true(strlen(id) <= VOLUME_ID_MAX);
	assert_int_equal(stat(fixture_path(fixture, "root/shop/web/data-0"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 02750);
	assert_int_equal(status.st_uid, 1000);
	assert_int_equal(status.st_gid, 1001);

	create.required = 2 * MIB;
	fixture_create(fixture, &create, ERROR_ALREADY_EXISTS, "another size");
	create.required = MIB;
	create.parameters[6] = "mode=0700";
	fixture_create(fixture, &create, ERROR_ALREADY_EXISTS, "another mode");
	create.parameters[6] = "pathPattern=x/${pvc.metadata.name}";
	fixture_create(fixture, &create, ERROR_ALREADY_EXISTS, "another path");
}

static void test_other_base(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct create create = {.name = "pvc-1", .parameters = {path}};
	struct create inside = {.name = "pvc-2", .parameters = {"pathPattern=fast/x"}};
	_cleanup_free_ char *id = NULL;

	snprintf(path, sizeof(path), "path=%s/fast", fixture->root);
	id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	assert_true(fixture_exists(fixture_path(fixture, "root/fast/.ordinal/volumes")));
	create.parameters[0] = NULL;
	fixture_create(fixture, &create, ERROR_ALREADY_EXISTS, "parameter path");
	fixture_create(fixture, &inside, ERROR_FAILED_PRECONDITION, "base of its own");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
}

static void test_base_inside_a_volume(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct create outer = {.name = "pvc-1", .parameters = {"pathPattern=a/b"}};
	struct create inner = {.name = "pvc-2", .parameters = {path}};

	snprintf(path, sizeof(path), "path=%s/a/b/c", fixture->root);
	free(fixture_create(fixture, &outer, ERROR_NONE, NULL));
	fixture_create(fixture, &inner, ERROR_FAILED_PRECONDITION, "another volume's");
	assert_false(fixture_exists(fixture_path(fixture, "root/a/b/c")));
}

/* A base that could not be made is not looked for ever after; one that was moved away, or that
 * another directory has taken the place of, is noticed. */
static void test_base_that_cannot_be(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct create create = {.name = "pvc-1", .parameters = {path}};
	struct create plain = {.name = "pvc-2"};
	Csi__V1__ListVolumesRequest list = CSI__V1__LIST_VOLUMES_REQUEST__INIT;
	_cleanup_free_ char *id = NULL;

	fixture_write_file(fixture_path(fixture, "root/file"), "x");
	snprintf(path, sizeof(path), "path=%s/file", fixture->root);
	fixture_create(fixture, &create, ERROR_FAILED_PRECONDITION, "is no directory");
	fixture_stop(fixture);
	fixture_start(fixture);
	fixture_free(fixture_expect(fixture, "Controller/ListVolumes", &list,
		&csi__v1__list_volumes_response__descriptor, ERROR_NONE, NULL));

	id = fixture_create(fixture, &plain, ERROR_NONE, NULL);
	rename(fixture->root, fixture_path(fixture, "moved"));
	mkdir(fixture->root, 0755);
	fixture_delete(fixture, id, ERROR_FAILED_PRECONDITION, "is not the directory that it was");
	fixture_create(fixture, &plain, ERROR_FAILED_PRECONDITION, "restart the driver");
	rmdir(fixture->root);
	rename(fixture_path(fixture, "moved"), fixture->root);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
}

/* The name of a deleted volume is free, wherever its data were kept. */
static void test_name_of_a_deleted_volume(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct create kept = {.name = "pvc-1", .parameters = {"onDelete=retain"}};
	struct create other = {.name = "pvc-1", .parameters = {path}};
	_cleanup_free_ char *id = fixture_create(fixture, &kept, ERROR_NONE, NULL);

	fixture_delete(fixture, id, ERROR_NONE, NULL);
	snprintf(path, sizeof(path), "path=%s/fast", fixture->root);
	free(fixture_create(fixture, &other, ERROR_NONE, NULL));
}

/* A creation that is refused touches nobody's directory. */
static void test_refused_below_another(void **state)
{
	struct fixture *fixture = *state;
	struct create first = {.name = "pvc-1",
		.parameters = {OF_SET, "ordinal.dev/namespace-uid=n", "onDelete=archive"}};
	struct create above = {.name = "pvc-2", .parameters = {"pathPattern=shop/web"}};
	struct create again = {.name = "pvc-3",
		.parameters = {OF_SET, "ordinal.dev/namespace-uid=n", "reuse=ordinal"}};
	_cleanup_free_ char *id = fixture_create(fixture, &first, ERROR_NONE, NULL);

	fixture_delete(fixture, id, ERROR_NONE, NULL);
	free(fixture_create(fixture, &above, ERROR_NONE, NULL));
	fixture_create(fixture, &again, ERROR_FAILED_PRECONDITION, "above or below");
	assert_true(fixture_exists(fixture_path(fixture, "root/shop/web")));
}

static void test_overlapping_paths(void **state)
{
	static const struct {
		const char *pattern;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{"pathPattern=a/b", ERROR_NONE, NULL},
		{"pathPattern=a", ERROR_FAILED_PRECONDITION, "above or below a/b"},
		{"pathPattern=a/b/c", ERROR_FAILED_PRECONDITION, "above or below a/b"},
		{"pathPattern=a/b-c", ERROR_NONE, NULL},
		{"pathPattern=a/bc", ERROR_NONE, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[16];
		struct create create = {.name = name, .parameters = {cases[i].pattern}};

		snprintf(name, sizeof(name), "pvc-%zu", i);
		free(fixture_create(*state, &create, cases[i].kind, cases[i].text));
	}
}

static void test_occupied(void **state)
{
	struct fixture *fixture = *state;
	struct create first = {"pvc-1", 0, 0, {OF_SET, "csi.storage.k8s.io/pv/name=pvc-1"}, false,
		false, false, NULL, NULL};
	struct create second = {"pvc-2", 0, 0, {OF_SET, "csi.storage.k8s.io/pv/name=pvc-2"}, false,
		false, false, NULL, NULL};
	struct create third = {.name = "pvc-3", .parameters = {"pathPattern=old/data"}};

	free(fixture_create(fixture, &first, ERROR_NONE, NULL));
	free(fixture_create(fixture, &second, ERROR_NONE, NULL));
	assert_true(fixture_exists(fixture_path(fixture, "root/shop/web/data-0@pvc-2")));

	/* Data that are no volume's. */
	mkdir(fixture_path(fixture, "root/old"), 0755);
	mkdir(fixture_path(fixture, "root/old/data"), 0700);
	fixture_write_file(fixture_path(fixture, "root/old/data/file"), "somebody's");
	free(fixture_create(fixture, &third, ERROR_NONE, NULL));
	assert_true(fixture_exists(fixture_path(fixture, "root/old/data/file")));
}

static void test_delete(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {"pvc-1", 0, 0, {OF_SET}, false, false, false, NULL, NULL};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	_cleanup_free_ char *again = NULL;

	fixture_write_file(fixture_path(fixture, "root/shop/web/data-0/file"), "x");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	assert_false(fixture_exists(fixture_path(fixture, "root/shop")));
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	trash_wait(&fixture->driver.volumes.trash);
	again = fixture_create(fixture, &create, ERROR_NONE, NULL);
	assert_string_equal(id, again);
	assert_false(fixture_exists(fixture_path(fixture, "root/shop/web/data-0/file")));

	fixture_delete(fixture, "", ERROR_INVALID, "volume_id is missing");
	fixture_delete(fixture, "no-such-volume", ERROR_NONE, NULL);
	if (fixture_is_nfs())
		fixture_delete(fixture, "1:aaaaaaaaaaaaaaaaaaaaaa:no.invalid:/elsewhere",
			ERROR_UNAVAILABLE, "has no address");
	else
		fixture_delete(fixture, "1:aaaaaaaaaaaaaaaaaaaaaa::/elsewhere",
			ERROR_FAILED_PRECONDITION, "--hostpath-root");
}

static void test_delete_needs_the_base(void **state)
{
	struct fixture *fixture = *state;
	char id[VOLUME_ID_MAX + 1];

	fixture_id(fixture, "pvc-1", id);
	fixture_delete(fixture, id, ERROR_FAILED_PRECONDITION, "is its disk mounted?");
}

static void test_delete_needs_the_base_below(void **state)
{
	struct fixture *fixture = *state;
	char id[160];

	snprintf(id, sizeof(id), "1:aaaaaaaaaaaaaaaaaaaaaa::%s/unmounted", fixture->root);
	fixture_delete(fixture, id, ERROR_FAILED_PRECONDITION, "is its disk mounted?");
	mkdir(fixture_path(fixture, "root/unmounted"), 0755);
	fixture_delete(fixture, id, ERROR_FAILED_PRECONDITION, "is its disk mounted?");
}

static void test_one_writer(void **state)
{
	struct fixture *fixture = *state;
	static struct driver other;
	struct parameters parameters = {.mode = 0777, .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct volume_request request = {.name = "pvc-9", .parameters = &parameters};
	struct create create = {.name = "pvc-1"};
	struct volume volume;
	struct error err;

	free(fixture_create(fixture, &create, ERROR_NONE, NULL));
	fixture_locate(&parameters);
	driver_start(&other, fixture_driver_name(), "node-1", &fixture->backend);
	assert_int_equal(volumes_create(&other.volumes, &request, &volume, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "held by process"));
	fixture_stop(fixture);
	assert_int_equal(volumes_create(&other.volumes, &request, &volume, &err), 0);
	volume_done(&volume);
	driver_stop(&other);
}

static void test_topology(void **state)
{
	static const struct {
		const char *key, *node;
		enum error_kind kind;
	} cases[] = {
		{"topology.hostpath.ordinal.dev/node", "node-1", ERROR_NONE},
		{"topology.hostpath.ordinal.dev/node", "node-2", ERROR_EXHAUSTED},
		{"topology.kubernetes.io/zone", "node-1", ERROR_EXHAUSTED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		Csi__V1__Topology__SegmentsEntry segment = CSI__V1__TOPOLOGY__SEGMENTS_ENTRY__INIT;
		Csi__V1__Topology__SegmentsEntry *segments[] = {&segment};
		Csi__V1__Topology topology = CSI__V1__TOPOLOGY__INIT;
		Csi__V1__Topology *requisite[] = {&topology};
		Csi__V1__TopologyRequirement wanted = CSI__V1__TOPOLOGY_REQUIREMENT__INIT;
		Csi__V1__VolumeCapability__AccessMode mode =
			CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
		Csi__V1__VolumeCapability__MountVolume mount_volume =
			CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
		Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
		Csi__V1__VolumeCapability *capabilities[] = {&capability};
		Csi__V1__CreateVolumeRequest request = CSI__V1__CREATE_VOLUME_REQUEST__INIT;

		segment.key = (char *)cases[i].key;
		segment.value = (char *)cases[i].node;
		topology.segments = segments;
		topology.n_segments = 1;
		wanted.requisite = requisite;
		wanted.n_requisite = 1;
		mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
		capability.access_mode = &mode;
		capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
		capability.mount = &mount_volume;
		request.name = (char *)"pvc-1";
		request.volume_capabilities = capabilities;
		request.n_volume_capabilities = 1;
		request.accessibility_requirements = &wanted;
		fixture_free(fixture_expect(*state, "Controller/CreateVolume", &request,
			&csi__v1__create_volume_response__descriptor, cases[i].kind,
			cases[i].kind ? "node-1" : NULL));
	}
}

static void test_validate(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {.name = "pvc-1"};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	Csi__V1__VolumeCapability__AccessMode mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__VolumeCapability__MountVolume mount_volume =
		CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
	Csi__V1__VolumeCapability *capabilities[] = {&capability};
	Csi__V1__ValidateVolumeCapabilitiesRequest request =
		CSI__V1__VALIDATE_VOLUME_CAPABILITIES_REQUEST__INIT;
	Csi__V1__ValidateVolumeCapabilitiesResponse *response;
	const ProtobufCMessageDescriptor *type =
		&csi__v1__validate_volume_capabilities_response__descriptor;
	const char *method = "Controller/ValidateVolumeCapabilities";

	fixture_expect(fixture, method, &request, type, ERROR_INVALID, "volume_id");
	request.volume_id = id;
	fixture_expect(fixture, method, &request, type, ERROR_INVALID, "volume_capabilities");
	mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	capability.access_mode = &mode;
	capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	capability.mount = &mount_volume;
	request.volume_capabilities = capabilities;
	request.n_volume_capabilities = 1;
	response = fixture_expect(fixture, method, &request, type, ERROR_NONE, NULL);
	assert_non_null(response->confirmed);
	assert_int_equal(response->confirmed->n_volume_capabilities, 1);
	fixture_free(response);
	mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER;
	response = fixture_expect(fixture, method, &request, type, ERROR_NONE, NULL);
	assert_true(!response->confirmed == !fixture_is_nfs());
	assert_true(fixture_is_nfs() || strstr(response->message, "ReadWriteOnce"));
	fixture_free(response);
	request.volume_id = (char *)"unknown";
	fixture_expect(fixture, method, &request, type, ERROR_NOT_FOUND, "does not exist");
}

int main(void)
{
#define TEST(name)          cmocka_unit_test_setup_teardown(name, fixture_driver, fixture_done)
#define HOSTPATH(name, why) FIXTURE_ONLY(name, fixture_driver, FIXTURE_HOSTPATH, why)
#define ONE_BASE            "an export has no bases below it, and is no path of the node"
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_refusals),
		TEST(test_create_of_a_set),
		HOSTPATH(test_other_base, ONE_BASE),
		HOSTPATH(test_base_inside_a_volume, ONE_BASE),
		HOSTPATH(test_base_that_cannot_be, ONE_BASE),
		HOSTPATH(test_name_of_a_deleted_volume, ONE_BASE),
		TEST(test_refused_below_another),
		TEST(test_overlapping_paths),
		TEST(test_occupied),
		TEST(test_delete),
		TEST(test_delete_needs_the_base),
		HOSTPATH(test_delete_needs_the_base_below, ONE_BASE),
		TEST(test_one_writer),
		HOSTPATH(test_topology, "NFS volumes are reachable from every node"),
		TEST(test_validate),
	};

	return fixture_run(tests, ARRAY_SIZE(tests));
}
