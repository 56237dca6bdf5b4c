/* SPDX-License-Identifier: Apache-2.0 */
/* The rpcs that tell of volumes, and the one that lets them grow. */
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "map_entry.h"
#include "names.h"

#define MIB      (1024 * 1024)
#define ONE_BASE "an export has no bases below it"

static Csi__V1__ListVolumesResponse *list(
	struct fixture *fixture, int max, const char *token, enum error_kind kind, const char *text)
{
	Csi__V1__ListVolumesRequest request = CSI__V1__LIST_VOLUMES_REQUEST__INIT;

	request.max_entries = max;
	request.starting_token = (char *)token;
	return fixture_expect(fixture, "Controller/ListVolumes", &request,
		&csi__v1__list_volumes_response__descriptor, kind, text);
}

static void create_many(struct fixture *fixture, int count, char **ids)
{
	for (int i = 0; i < count; i++) {
		char name[16], base[160];
		struct create create = {.name = name, .required = MIB, .parameters = {base}};

		snprintf(name, sizeof(name), "pvc-%d", i);
		/* In two bases, one below the other, where there are such. */
		snprintf(base, sizeof(base), "path=%s%s", fixture->root, i % 3 ? "" : "/fast");
		if (fixture_is_nfs())
			create.parameters[0] = NULL;
		ids[i] = fixture_create(fixture, &create, ERROR_NONE, NULL);
	}
}

static void free_ids(char **ids, int count)
{
	for (int i = 0; i < count; i++)
		free(ids[i]);
}

/* Count the pages of MAX that hold all COUNT volumes, each once. */
static void check_pages(struct fixture *fixture, char **ids, int count, int max)
{
	_cleanup_free_ char *token = strdup("");
	int seen[16] = {0}, total = 0, pages = 0;

	do {
		Csi__V1__ListVolumesResponse *page = list(fixture, max, token, ERROR_NONE, NULL);

		pages++;
		assert_true(page->n_entries <= (size_t)max);
		for (size_t i = 0; i < page->n_entries; i++)
			for (int j = 0; j < count; j++)
				if (!strcmp(ids[j], page->entries[i]->volume->volume_id)) {
					seen[j]++;
					total++;
				}
		free(token);
		token = strdup(page->next_token);
		fixture_free(page);
	} while (*token && pages < 100);
	assert_int_equal(total, count);
	for (int i = 0; i < count; i++)
		assert_int_equal(seen[i], 1);
}

static void test_pages(void **state)
{
	struct fixture *fixture = *state;
	char *ids[11];

	create_many(fixture, 11, ids);
	for (int max = 1; max <= 12; max++)
		check_pages(fixture, ids, 11, max);
	/* A new process knows the base below the root too. */
	fixture_stop(fixture);
	fixture_start(fixture);
	check_pages(fixture, ids, 11, 4);
	free_ids(ids, 11);
}

static void test_list_content(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {
		.name = "pvc-1", .required = MIB, .parameters = {"pathPattern=a/b"}};
	struct create gone = {.name = "pvc-2", .parameters = {"onDelete=retain"}};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	_cleanup_free_ char *gone_id = fixture_create(fixture, &gone, ERROR_NONE, NULL);
	char path[LOCATION_NAME_MAX + 5], *base = fixture_base_name(fixture);
	Csi__V1__ListVolumesResponse *all;
	Csi__V1__Volume *volume;

	snprintf(path, sizeof(path), "%s/a/b", base);
	free(base);
	fixture_delete(fixture, gone_id, ERROR_NONE, NULL);
	all = list(fixture, 0, "", ERROR_NONE, NULL);
	assert_int_equal(all->n_entries, 1);
	volume = all->entries[0]->volume;
	assert_string_equal(volume->volume_id, id);
	assert_int_equal(volume->capacity_bytes, MIB);
	assert_string_equal(volume->volume_context[0]->key, ORDINAL_KEY_PATH);
	assert_string_equal(volume->volume_context[0]->value, path);
	assert_int_equal(volume->n_accessible_topology, fixture_is_nfs() ? 0 : 1);
	if (volume->n_accessible_topology)
		assert_string_equal(volume->accessible_topology[0]->segments[0]->value, "node-1");
	assert_false(all->entries[0]->status->volume_condition->abnormal);
	fixture_free(all);
	rmdir(fixture_path(fixture, "root/a/b"));
	all = list(fixture, 0, "", ERROR_NONE, NULL);
	assert_true(all->entries[0]->status->volume_condition->abnormal);
	assert_non_null(strstr(all->entries[0]->status->volume_condition->message, "is gone"));
	fixture_free(all);
}

static void test_list_refusals(void **state)
{
	static const struct {
		int max;
		const char *token;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{-1, "", ERROR_INVALID, "max_entries is negative"},
		{0, "invalid-token", ERROR_ABORTED, "starting_token: \"invalid-token\""},
		{0, "1:aaaaaaaaaaaaaaaaaaaaaa", ERROR_ABORTED, "begin again"},
		{0, "1:aaaaaaaaaaaaaaaaaaaaaa::/gone", ERROR_NONE, NULL},
		{0, "", ERROR_NONE, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fixture_free(
			list(*state, cases[i].max, cases[i].token, cases[i].kind, cases[i].text));
}

/* An unmounted disk must not look like one whose volumes are gone. */
static void test_list_without_a_base(void **state)
{
	struct fixture *fixture = *state;
	char path[160];
	struct create create = {.name = "pvc-1", .parameters = {path}};

	snprintf(path, sizeof(path), "path=%s/fast", fixture->root);
	free(fixture_create(fixture, &create, ERROR_NONE, NULL));
	fixture_stop(fixture);
	assert_int_equal(
		rename(fixture_path(fixture, "root/fast"), fixture_path(fixture, "elsewhere")), 0);
	fixture_start(fixture);
	list(fixture, 0, "", ERROR_FAILED_PRECONDITION, "is its disk mounted?");
	assert_int_equal(
		rename(fixture_path(fixture, "elsewhere"), fixture_path(fixture, "root/fast")), 0);
	fixture_free(list(fixture, 0, "", ERROR_NONE, NULL));
}

static Csi__V1__ControllerGetVolumeResponse *get(
	struct fixture *fixture, const char *id, enum error_kind kind, const char *text)
{
	Csi__V1__ControllerGetVolumeRequest request = CSI__V1__CONTROLLER_GET_VOLUME_REQUEST__INIT;

	request.volume_id = (char *)id;
	return fixture_expect(fixture, "Controller/ControllerGetVolume", &request,
		&csi__v1__controller_get_volume_response__descriptor, kind, text);
}

static void test_get(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {.name = "pvc-1", .required = MIB};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	Csi__V1__ControllerGetVolumeResponse *found = get(fixture, id, ERROR_NONE, NULL);

	assert_string_equal(found->volume->volume_id, id);
	assert_int_equal(found->volume->capacity_bytes, MIB);
	assert_false(found->status->volume_condition->abnormal);
	fixture_free(found);
	get(fixture, "", ERROR_INVALID, "volume_id is missing");
	get(fixture, "unknown", ERROR_NOT_FOUND, "does not exist");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	get(fixture, id, ERROR_NOT_FOUND, "does not exist");
}

static int64_t capacity(struct fixture *fixture, const char *key, const char *value,
	const char *node, enum error_kind kind, const char *text)
{
	struct map_entry entry = {
		.base = PROTOBUF_C_MESSAGE_INIT(
			&csi__v1__get_capacity_request__parameters_entry__descriptor),
		.key = (char *)key,
		.value = (char *)value};
	void *entries[3] = {&entry};
	Csi__V1__Topology__SegmentsEntry segment = CSI__V1__TOPOLOGY__SEGMENTS_ENTRY__INIT;
	Csi__V1__Topology__SegmentsEntry *segments[] = {&segment};
	Csi__V1__Topology topology = CSI__V1__TOPOLOGY__INIT;
	Csi__V1__GetCapacityRequest request = CSI__V1__GET_CAPACITY_REQUEST__INIT;
	Csi__V1__GetCapacityResponse *response;
	int64_t available = -1;

	segment.key = (char *)"topology.hostpath.ordinal.dev/node";
	segment.value = (char *)node;
	topology.segments = segments;
	topology.n_segments = 1;
	request.accessible_topology = node ? &topology : NULL;
	request.parameters = (void *)entries;
	request.n_parameters = fixture_add_location(
		&csi__v1__get_capacity_request__parameters_entry__descriptor, entries, key ? 1 : 0);
	response = fixture_expect(fixture, "Controller/GetCapacity", &request,
		&csi__v1__get_capacity_response__descriptor, kind, text);
	if (response)
		available = response->available_capacity;
	fixture_free(response);
	return available;
}

static void test_capacity(void **state)
{
	struct fixture *fixture = *state;
	struct statvfs status;
	int64_t free_bytes;

	assert_int_equal(statvfs(fixture->root, &status), 0);
	free_bytes = (int64_t)(status.f_bavail * status.f_frsize);
	assert_int_equal(capacity(fixture, NULL, NULL, NULL, ERROR_NONE, NULL), free_bytes);
	assert_int_equal(capacity(fixture, NULL, NULL, "node-1", ERROR_NONE, NULL), free_bytes);
	assert_int_equal(capacity(fixture, NULL, NULL, "node-2", ERROR_NONE, NULL),
		fixture_is_nfs() ? free_bytes : 0);
	capacity(fixture, "path", "/etc", NULL, ERROR_INVALID,
		fixture_is_nfs() ? "is for host paths" : "--hostpath-root");
	capacity(fixture, "speed", "high", NULL, ERROR_INVALID, "unknown parameter \"speed\"");
}

/* Asking makes nothing. */
static void test_capacity_of_a_base_to_be(void **state)
{
	struct fixture *fixture = *state;
	const char *later = fixture_path(fixture, "root/not/there/yet");

	assert_int_equal(capacity(fixture, "path", later, NULL, ERROR_NONE, NULL),
		capacity(fixture, NULL, NULL, NULL, ERROR_NONE, NULL));
	assert_false(fixture_exists(fixture_path(fixture, "root/not")));
}

struct growth {
	int64_t required, limit;
	enum error_kind kind;
	const char *text;
	int64_t result;
};

static void expand(struct fixture *fixture, const char *id, const struct growth *growth)
{
	Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;
	Csi__V1__ControllerExpandVolumeRequest request =
		CSI__V1__CONTROLLER_EXPAND_VOLUME_REQUEST__INIT;
	Csi__V1__ControllerExpandVolumeResponse *response;

	range.required_bytes = growth->required;
	range.limit_bytes = growth->limit;
	request.volume_id = (char *)id;
	request.capacity_range = &range;
	response = fixture_expect(fixture, "Controller/ControllerExpandVolume", &request,
		&csi__v1__controller_expand_volume_response__descriptor, growth->kind,
		growth->text);
	if (response) {
		assert_int_equal(response->capacity_bytes, growth->result);
		assert_false(response->node_expansion_required);
	}
	fixture_free(response);
}

static void test_expand(void **state)
{
	static const struct growth cases[] = {
		{2 * MIB, 0, ERROR_NONE, NULL, 2 * MIB},
		{2 * MIB, 0, ERROR_NONE, NULL, 2 * MIB},
		{MIB, 0, ERROR_OUT_OF_RANGE, "do not shrink", 0},
		{0, MIB, ERROR_OUT_OF_RANGE, "do not shrink", 0},
		{0, 3 * MIB, ERROR_NONE, NULL, 2 * MIB},
		{3 * MIB + 1, 0, ERROR_NONE, NULL, 3 * MIB + 1},
		{65 * MIB, 0, ERROR_OUT_OF_RANGE, "whole file system", 0},
		{-1, 0, ERROR_INVALID, "capacity_range", 0},
		{5 * MIB, 4 * MIB, ERROR_INVALID, "capacity_range", 0},
	};
	struct fixture *fixture = *state;
	struct create create = {.name = "pvc-1", .required = MIB};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	Csi__V1__ControllerExpandVolumeRequest missing =
		CSI__V1__CONTROLLER_EXPAND_VOLUME_REQUEST__INIT;
	Csi__V1__ControllerGetVolumeResponse *found;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expand(fixture, id, &cases[i]);
	expand(fixture, "unknown", &(struct growth){MIB, 0, ERROR_NOT_FOUND, "does not exist", 0});
	expand(fixture, "", &(struct growth){MIB, 0, ERROR_INVALID, "volume_id is missing", 0});
	missing.volume_id = id;
	fixture_expect(fixture, "Controller/ControllerExpandVolume", &missing,
		&csi__v1__controller_expand_volume_response__descriptor, ERROR_INVALID,
		"capacity_range is missing");
	/* It is remembered, and CreateVolume's repetition finds it large enough. */
	fixture_stop(fixture);
	fixture_start(fixture);
	found = get(fixture, id, ERROR_NONE, NULL);
	assert_int_equal(found->volume->capacity_bytes, 3 * MIB + 1);
	fixture_free(found);
}

static void check_validated(struct fixture *fixture, const char *id, const char *context_path,
	const char *parameter, const char *wrong)
{
	struct map_entry context = {
		.base = PROTOBUF_C_MESSAGE_INIT(
			&csi__v1__validate_volume_capabilities_request__volume_context_entry__descriptor),
		.key = (char *)ORDINAL_KEY_PATH,
		.value = (char *)context_path};
	struct map_entry on_delete = {
		.base = PROTOBUF_C_MESSAGE_INIT(
			&csi__v1__validate_volume_capabilities_request__parameters_entry__descriptor),
		.key = (char *)"onDelete",
		.value = (char *)parameter};
	void *contexts[] = {&context}, *parameters[3] = {&on_delete};
	Csi__V1__VolumeCapability__AccessMode mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__VolumeCapability__MountVolume mount_volume =
		CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
	Csi__V1__VolumeCapability *capabilities[] = {&capability};
	Csi__V1__ValidateVolumeCapabilitiesRequest request =
		CSI__V1__VALIDATE_VOLUME_CAPABILITIES_REQUEST__INIT;
	Csi__V1__ValidateVolumeCapabilitiesResponse *response;

	mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_MULTI_WRITER;
	capability.access_mode = &mode;
	capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	capability.mount = &mount_volume;
	request.volume_id = (char *)id;
	request.volume_capabilities = capabilities;
	request.n_volume_capabilities = 1;
	request.volume_context = (void *)contexts;
	request.n_volume_context = context_path ? 1 : 0;
	request.parameters = (void *)parameters;
	if (parameter)
		request.n_parameters =
			fixture_add_location(on_delete.base.descriptor, parameters, 1);
	response = fixture_expect(fixture, "Controller/ValidateVolumeCapabilities", &request,
		&csi__v1__validate_volume_capabilities_response__descriptor, ERROR_NONE, NULL);
	assert_true(!response->confirmed == (wrong != NULL));
	if (wrong)
		assert_non_null(strstr(response->message, wrong));
	else
		assert_int_equal(response->confirmed->n_parameters, request.n_parameters);
	fixture_free(response);
}

static void test_validate(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {.name = "pvc-1", .parameters = {"onDelete=archive"}};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	Csi__V1__ControllerGetVolumeResponse *found = get(fixture, id, ERROR_NONE, NULL);
	const char *path = found->volume->volume_context[0]->value;

	check_validated(fixture, id, NULL, NULL, NULL);
	check_validated(fixture, id, path, "archive", NULL);
	check_validated(fixture, id, "/elsewhere", NULL, "volume_context");
	check_validated(fixture, id, NULL, "retain", "another onDelete");
	check_validated(fixture, id, NULL, "keep", "parameter onDelete");
	fixture_free(found);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_driver, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_pages),
		TEST(test_list_content),
		TEST(test_list_refusals),
		FIXTURE_ONLY(test_list_without_a_base, fixture_driver, FIXTURE_HOSTPATH, ONE_BASE),
		TEST(test_get),
		TEST(test_capacity),
		FIXTURE_ONLY(
			test_capacity_of_a_base_to_be, fixture_driver, FIXTURE_HOSTPATH, ONE_BASE),
		TEST(test_expand),
		TEST(test_validate),
	};

	return fixture_run(tests, ARRAY_SIZE(tests));
}
