/* SPDX-License-Identifier: Apache-2.0 */
/* What deleting a volume does to its data, changed while it lives; and whose a volume is. */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#include "base_check.h"
#include "killer.h"
#include "map_entry.h"
#include "names.h"
#include "scene.h"
#include "story.h"

#define PLACE     "shop/web/data-0"
#define CONTENT   "root/" PLACE "/content"
#define LIST_TYPE &csi__v1__list_volumes_response__descriptor

static struct map_entry entry_of(const ProtobufCMessageDescriptor *type, const char *pair[2])
{
	struct map_entry entry;

	protobuf_c_message_init(type, &entry.base);
	entry.key = (char *)pair[0];
	entry.value = (char *)pair[1];
	return entry;
}

/* KEY may be NULL, for no parameter. */
static void modify(struct fixture *fixture, const char *id, const char *key, const char *value,
	enum error_kind kind, const char *text)
{
	struct map_entry entry = entry_of(
		&csi__v1__controller_modify_volume_request__mutable_parameters_entry__descriptor,
		(const char *[2]){key, value});
	void *entries[] = {&entry};
	Csi__V1__ControllerModifyVolumeRequest request =
		CSI__V1__CONTROLLER_MODIFY_VOLUME_REQUEST__INIT;

	request.volume_id = (char *)id;
	request.mutable_parameters = (void *)entries;
	request.n_mutable_parameters = key ? 1 : 0;
	fixture_free(fixture_expect(fixture, "Controller/ControllerModifyVolume", &request,
		&csi__v1__controller_modify_volume_response__descriptor, kind, text));
}

static void test_announced(void **state)
{
	Csi__V1__ControllerGetCapabilitiesRequest request =
		CSI__V1__CONTROLLER_GET_CAPABILITIES_REQUEST__INIT;
	Csi__V1__ControllerGetCapabilitiesResponse *response = fixture_expect(*state,
		"Controller/ControllerGetCapabilities", &request,
		&csi__v1__controller_get_capabilities_response__descriptor, ERROR_NONE, NULL);
	int found = 0;

	for (size_t i = 0; i < response->n_capabilities; i++)
		if (response->capabilities[i]->rpc->type ==
			CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__MODIFY_VOLUME)
			found++;
	assert_int_equal(found, 1);
	fixture_free(response);
}

static void test_refusals(void **state)
{
	struct fixture *fixture = *state;
	struct create create = {.name = "pvc-1"};
	_cleanup_free_ char *id = fixture_create(fixture, &create, ERROR_NONE, NULL);
	static char large[4200];

	memset(large, 'v', sizeof(large) - 1);
	modify(fixture, "", "onDelete", "archive", ERROR_INVALID, "volume_id is missing");
	modify(fixture, "unknown", "onDelete", "archive", ERROR_NOT_FOUND, "does not exist");
	/* csi-sanity asks so where it is told of no parameters. */
	modify(fixture, "unknown", NULL, NULL, ERROR_NOT_FOUND, "does not exist");
	modify(fixture, id, NULL, NULL, ERROR_INVALID, "mutable_parameters is missing");
	modify(fixture, id, "speed", "high", ERROR_INVALID,
		"unknown mutable parameter \"speed\" in the VolumeAttributesClass; the only one known "
		"is onDelete");
	/* A class may say that, but it cannot be changed. */
	modify(fixture, id, "mode", "0700", ERROR_INVALID, "the only one known is onDelete");
	modify(fixture, id, "onDelete", "keep", ERROR_INVALID,
		"mutable parameter onDelete: \"keep\" is not one of delete, archive, retain");
	modify(fixture, id, "onDelete", large, ERROR_INVALID, "larger than 4096");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	modify(fixture, id, "onDelete", "archive", ERROR_NOT_FOUND, "does not exist");
}

/* What becomes of the data is what was said last. */
static void test_last_word(void **state)
{
	static const struct {
		const char *made, *first, *last;
		bool stays, archived;
	} cases[] = {
		{"onDelete=delete", "retain", "archive", false, true},
		{"onDelete=archive", "archive", "delete", false, false},
		{"onDelete=delete", "archive", "retain", true, false},
		{"onDelete=retain", "delete", "archive", false, true},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[16], pattern[32];
		struct create create = {.name = name, .parameters = {cases[i].made, pattern}};
		_cleanup_free_ char *id = NULL, *again = NULL;

		snprintf(name, sizeof(name), "pvc-%zu", i);
		snprintf(pattern, sizeof(pattern), "pathPattern=v%zu", i);
		id = fixture_create(fixture, &create, ERROR_NONE, NULL);
		fixture_write_file(fixture_path(fixture, "root/v%zu/content", i), name);
		modify(fixture, id, "onDelete", cases[i].first, ERROR_NONE, NULL);
		modify(fixture, id, "onDelete", cases[i].last, ERROR_NONE, NULL);
		modify(fixture, id, "onDelete", cases[i].last, ERROR_NONE, NULL);
		/* A new process knows, and to its maker it is the volume that it was. */
		fixture_stop(fixture);
		fixture_start(fixture);
		again = fixture_create(fixture, &create, ERROR_NONE, NULL);
		assert_string_equal(id, again);
		fixture_delete(fixture, id, ERROR_NONE, NULL);
		trash_wait(&fixture->driver.volumes.trash);
		assert_int_equal(base_count(fixture->root, name, NULL, 0),
			cases[i].stays || cases[i].archived);
		assert_int_equal(fixture_exists(fixture_path(fixture, "root/v%zu/content", i)),
			cases[i].stays);
	}
}

/* CreateVolume, or ValidateVolumeCapabilities, with what a VolumeAttributesClass says beside the
 * StorageClass. */
struct said {
	const char *on_delete, *mutable_key, *mutable_value;
	enum error_kind kind;
	const char *text;
};

static char *create_with(struct fixture *fixture, const char *name, const struct said *said)
{
	struct map_entry parameter =
		entry_of(&csi__v1__create_volume_request__parameters_entry__descriptor,
			(const char *[2]){"onDelete", said->on_delete});
	struct map_entry changing =
		entry_of(&csi__v1__create_volume_request__mutable_parameters_entry__descriptor,
			(const char *[2]){said->mutable_key, said->mutable_value});
	void *parameters[3] = {&parameter}, *changings[] = {&changing};
	Csi__V1__VolumeCapability__AccessMode mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__VolumeCapability__MountVolume mount_volume =
		CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
	Csi__V1__VolumeCapability *capabilities[] = {&capability};
	Csi__V1__CreateVolumeRequest request = CSI__V1__CREATE_VOLUME_REQUEST__INIT;
	Csi__V1__CreateVolumeResponse *response;
	char *id = NULL;

	mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	capability.access_mode = &mode;
	capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	capability.mount = &mount_volume;
	request.name = (char *)name;
	request.volume_capabilities = capabilities;
	request.n_volume_capabilities = 1;
	request.parameters = (void *)parameters;
	request.n_parameters =
		fixture_add_location(&csi__v1__create_volume_request__parameters_entry__descriptor,
			parameters, said->on_delete ? 1 : 0);
	request.mutable_parameters = (void *)changings;
	request.n_mutable_parameters = said->mutable_key ? 1 : 0;
	response = fixture_expect(fixture, "Controller/CreateVolume", &request,
		&csi__v1__create_volume_response__descriptor, said->kind, said->text);
	if (response)
		id = strdup(response->volume->volume_id);
	fixture_free(response);
	return id;
}

static void test_create(void **state)
{
	static const struct said cases[] = {
		{NULL, "speed", "high", ERROR_INVALID, "unknown mutable parameter \"speed\""},
		{NULL, "onDelete", "keep", ERROR_INVALID, "mutable parameter onDelete"},
		/* The mutable parameters come before the class's. */
		{"delete", "onDelete", "archive", ERROR_NONE, NULL},
		{"delete", "onDelete", "archive", ERROR_NONE, NULL},
		{"archive", NULL, NULL, ERROR_NONE, NULL},
		{"delete", NULL, NULL, ERROR_ALREADY_EXISTS, "another onDelete"},
		{"archive", "onDelete", "retain", ERROR_ALREADY_EXISTS, "another onDelete"},
	};
	struct fixture *fixture = *state;
	_cleanup_free_ char *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *id = create_with(fixture, "pvc-1", &cases[i]);

		if (id && first)
			assert_string_equal(id, first);
		if (!first)
			first = take_ptr(id);
	}
}

static void validate_with(struct fixture *fixture, const char *id, const struct said *said)
{
	struct map_entry parameter = entry_of(
		&csi__v1__validate_volume_capabilities_request__parameters_entry__descriptor,
		(const char *[2]){"onDelete", said->on_delete});
	struct map_entry changing = entry_of(
		&csi__v1__validate_volume_capabilities_request__mutable_parameters_entry__descriptor,
		(const char *[2]){said->mutable_key, said->mutable_value});
	void *parameters[3] = {&parameter}, *changings[] = {&changing};
	Csi__V1__VolumeCapability__AccessMode mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__VolumeCapability__MountVolume mount_volume =
		CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
	Csi__V1__VolumeCapability *capabilities[] = {&capability};
	Csi__V1__ValidateVolumeCapabilitiesRequest request =
		CSI__V1__VALIDATE_VOLUME_CAPABILITIES_REQUEST__INIT;
	Csi__V1__ValidateVolumeCapabilitiesResponse *response;

	mode.mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	capability.access_mode = &mode;
	capability.access_type_case = CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	capability.mount = &mount_volume;
	request.volume_id = (char *)id;
	request.volume_capabilities = capabilities;
	request.n_volume_capabilities = 1;
	request.parameters = (void *)parameters;
	request.n_parameters =
		fixture_add_location(&csi__v1__create_volume_request__parameters_entry__descriptor,
			parameters, said->on_delete ? 1 : 0);
	request.mutable_parameters = (void *)changings;
	request.n_mutable_parameters = said->mutable_key ? 1 : 0;
	response = fixture_expect(fixture, "Controller/ValidateVolumeCapabilities", &request,
		&csi__v1__validate_volume_capabilities_response__descriptor, ERROR_NONE, NULL);
	if (said->text)
		assert_non_null(strstr(response->message, said->text));
	else
		assert_int_equal(
			response->confirmed->n_mutable_parameters, request.n_mutable_parameters);
	assert_true(!response->confirmed == (said->text != NULL));
	fixture_free(response);
}

static void test_validate(void **state)
{
	static const struct said made = {"delete", "onDelete", "archive", ERROR_NONE, NULL};
	static const struct said before[] = {
		{NULL, "onDelete", "archive", ERROR_NONE, NULL},
		{"delete", "onDelete", "archive", ERROR_NONE, NULL},
		{"delete", NULL, NULL, ERROR_NONE, "another onDelete"},
		{NULL, "onDelete", "retain", ERROR_NONE, "another onDelete"},
		{NULL, "speed", "high", ERROR_NONE, "unknown mutable parameter"},
	};
	static const struct said after[] = {
		{"delete", NULL, NULL, ERROR_NONE, NULL},
		{"delete", "onDelete", "retain", ERROR_NONE, NULL},
		{NULL, "onDelete", "archive", ERROR_NONE, "another onDelete"},
	};
	struct fixture *fixture = *state;
	_cleanup_free_ char *id = create_with(fixture, "pvc-1", &made);

	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		validate_with(fixture, id, &before[i]);
	modify(fixture, id, "onDelete", "retain", ERROR_NONE, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		validate_with(fixture, id, &after[i]);
}

/* "key=value,..." of a volume's context, in its order. */
static char *context_text(const Csi__V1__Volume *volume)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < volume->n_volume_context; i++)
		fprintf(out, "%s%s=%s", i ? "," : "", volume->volume_context[i]->key,
			volume->volume_context[i]->value);
	fclose(out);
	return text;
}

#define CLAIM                                                                                      \
	"csi.storage.k8s.io/pvc/name=c", "csi.storage.k8s.io/pvc/namespace=n",                     \
		"csi.storage.k8s.io/pv/name=pvc-1"

#define NO_QUOTA ",ordinal.dev/quota=none"

/* It is the same wherever a volume is told of, and one that names no cluster tells no owner. */
static void test_owner(void **state)
{
	static const struct {
		struct create create;
		const char *context; /* after the path */
	} cases[] = {
		{{.name = "a", .parameters = {CLAIM}}, NO_QUOTA},
		{{.name = "b", .parameters = {CLAIM, ORDINAL_KEY_CLUSTER_UID "=u1"}},
			NO_QUOTA ",ordinal.dev/cluster-uid=u1,csi.storage.k8s.io/pvc/namespace=n,"
				 "csi.storage.k8s.io/pvc/name=c,csi.storage.k8s.io/pv/name=pvc-1"},
		{{.name = "c", .parameters = {ORDINAL_KEY_CLUSTER_UID "=u1"}},
			NO_QUOTA ",ordinal.dev/cluster-uid=u1"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *id =
			fixture_create(fixture, &cases[i].create, ERROR_NONE, NULL);
		_cleanup_free_ char *listed = NULL, *got = NULL;
		Csi__V1__ListVolumesRequest list = CSI__V1__LIST_VOLUMES_REQUEST__INIT;
		Csi__V1__ControllerGetVolumeRequest get =
			CSI__V1__CONTROLLER_GET_VOLUME_REQUEST__INIT;
		Csi__V1__ListVolumesResponse *all = fixture_expect(
			fixture, "Controller/ListVolumes", &list, LIST_TYPE, ERROR_NONE, NULL);
		Csi__V1__ControllerGetVolumeResponse *one;

		get.volume_id = id;
		one = fixture_expect(fixture, "Controller/ControllerGetVolume", &get,
			&csi__v1__controller_get_volume_response__descriptor, ERROR_NONE, NULL);
		listed = context_text(all->entries[0]->volume);
		got = context_text(one->volume);
		assert_string_equal(listed, got);
		assert_non_null(strstr(listed, ORDINAL_KEY_PATH "="));
		assert_string_equal(listed + strcspn(listed, ","), cases[i].context);
		fixture_free(all);
		fixture_free(one);
		fixture_delete(fixture, id, ERROR_NONE, NULL);
		trash_wait(&fixture->driver.volumes.trash);
	}
}

/* Whether a repeated CreateVolume finds the volume, by what each says of its cluster. */
static void test_repeated_by_another_cluster(void **state)
{
	static const struct {
		const char *made, *repeated;
		enum error_kind kind;
	} cases[] = {
		{NULL, NULL, ERROR_NONE},
		{NULL, ORDINAL_KEY_CLUSTER_UID "=u1", ERROR_NONE},
		{ORDINAL_KEY_CLUSTER_UID "=u1", NULL, ERROR_NONE},
		{ORDINAL_KEY_CLUSTER_UID "=u1", ORDINAL_KEY_CLUSTER_UID "=u1", ERROR_NONE},
		{ORDINAL_KEY_CLUSTER_UID "=u1", ORDINAL_KEY_CLUSTER_UID "=u2",
			ERROR_ALREADY_EXISTS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[16];
		struct create create = {.name = name, .parameters = {cases[i].made}};

		snprintf(name, sizeof(name), "pvc-%zu", i);
		free(fixture_create(*state, &create, ERROR_NONE, NULL));
		create.parameters[0] = cases[i].repeated;
		free(fixture_create(
			*state, &create, cases[i].kind, cases[i].kind ? "another cluster" : NULL));
	}
}

/* A file system call that fails: the volume is as it was or as it was to be, and repeating helps.
 */
static void test_failures(void **state)
{
	static const struct wish plain = {.name = "pvc-1"};
	struct fixture *fixture = *state;
	struct volumes *volumes = calloc(1, sizeof(*volumes));
	bool reached = true;
	int point;

	assert_non_null(volumes);
	killer_fail(-1, 0);
	scene_start(fixture, volumes);
	scene_fill(volumes, &plain, "one");
	for (point = 0; reached; point += killer_stride(1)) {
		enum on_delete wanted = point % 2 ? ON_DELETE_RETAIN : ON_DELETE_ARCHIVE;
		const char *id = scene_id(volumes, &plain);
		struct volume volume;
		struct error err = {0};

		killer_fail(point, ENOSPC);
		(void)volumes_modify(volumes, id, wanted, NULL, &err);
		reached = killer_fail(-1, 0);
		assert_true(!reached == !err.kind);
		assert_int_equal(volumes_modify(volumes, id, wanted, NULL, &err), 0);
		assert_int_equal(volumes_find(volumes, id, &volume, &err), 0);
		assert_int_equal(volume.record->on_delete, wanted);
		volume_done(&volume);
	}
	assert_true(point > 3);
	base_check(fixture->root, &(struct base_check){.records = 1});
	volumes_stop(volumes);
	free(volumes);
}

/* The sweep's way to put a volume away, killed at any point. */

static const struct wish orphan = {.name = "pvc-1"};

static void fill_orphan(struct fixture *fixture, struct volumes *volumes)
{
	(void)fixture;
	scene_fill(volumes, &orphan, "one");
}

static int put_away(struct volumes *volumes, struct error *err)
{
	const char *id = scene_id(volumes, &orphan);

	/* One that is gone already is what a repetition finds. */
	if (volumes_modify(volumes, id, ON_DELETE_ARCHIVE, NULL, err) < 0 &&
		err->kind != ERROR_NOT_FOUND)
		return -1;
	return scene_try_delete(volumes, &orphan, err);
}

static void is_archived(struct fixture *fixture, struct volumes *volumes)
{
	(void)volumes;
	assert_int_equal(base_count(fixture->root, "one", NULL, 0), 1);
	assert_false(fixture_exists(fixture_path(fixture, CONTENT)));
}

static int do_nothing(struct volumes *volumes, struct error *err)
{
	(void)volumes;
	(void)err;
	return 0;
}

static void is_somewhere(struct fixture *fixture, struct volumes *volumes)
{
	(void)volumes;
	assert_int_equal(base_count(fixture->root, "one", NULL, 0), 1);
}

static void test_put_away(void **state)
{
	static const struct story story = {
		.prepare = fill_orphan,
		.operation = put_away,
		.then = is_archived,
		.check = {.records = 1},
		.otherwise = do_nothing,
		.then_otherwise = is_somewhere,
		.check_otherwise = {.records = 1},
	};

	story_run(*state, &story);
}

int main(void)
{
#define TEST(name)    cmocka_unit_test_setup_teardown(name, fixture_driver, fixture_done)
#define SCRATCH(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_announced),
		TEST(test_refusals),
		TEST(test_last_word),
		TEST(test_create),
		TEST(test_validate),
		TEST(test_owner),
		TEST(test_repeated_by_another_cluster),
		SCRATCH(test_failures),
		SCRATCH(test_put_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
