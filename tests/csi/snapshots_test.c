/* SPDX-License-Identifier: Apache-2.0 */
/* Archives as CSI's snapshots, and snapshots of volumes that live. */
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "map_entry.h"
#include "names.h"
#include "snapshot.h"

#define MIB (1024 * 1024)

/* A claim of a StatefulSet, as ordinal-provisioner describes it. */
#define OWNER(ordinal)                                                                             \
	"csi.storage.k8s.io/pvc/namespace=shop", "ordinal.dev/namespace-uid=uid-1",                \
		"ordinal.dev/statefulset=web", "ordinal.dev/template=data",                        \
		"ordinal.dev/ordinal=" ordinal, "csi.storage.k8s.io/pv/name=pv-" ordinal

static const struct create archived = {
	.name = "pvc-1", .required = MIB, .parameters = {"onDelete=archive", OWNER("0")}};

static Csi__V1__ListSnapshotsResponse *list(struct fixture *fixture, int max, const char *token,
	const char *id, const char *volume, enum error_kind kind, const char *text)
{
	Csi__V1__ListSnapshotsRequest request = CSI__V1__LIST_SNAPSHOTS_REQUEST__INIT;

	request.max_entries = max;
	request.starting_token = (char *)token;
	request.snapshot_id = (char *)id;
	request.source_volume_id = (char *)volume;
	return fixture_expect(fixture, "Controller/ListSnapshots", &request,
		&csi__v1__list_snapshots_response__descriptor, kind, text);
}

/* How many snapshots there are, and the id of the only one. Caller frees *RET_ID. */
static size_t count(struct fixture *fixture, char **ret_id)
{
	Csi__V1__ListSnapshotsResponse *all = list(fixture, 0, "", "", "", ERROR_NONE, NULL);
	size_t entries = all->n_entries;

	assert_string_equal(all->next_token, "");
	if (ret_id) {
		assert_int_equal(entries, 1);
		*ret_id = strdup(all->entries[0]->snapshot->snapshot_id);
	}
	fixture_free(all);
	return entries;
}

static void delete_snapshot(
	struct fixture *fixture, const char *id, enum error_kind kind, const char *text)
{
	Csi__V1__DeleteSnapshotRequest request = CSI__V1__DELETE_SNAPSHOT_REQUEST__INIT;

	request.snapshot_id = (char *)id;
	fixture_free(fixture_expect(fixture, "Controller/DeleteSnapshot", &request,
		&csi__v1__delete_snapshot_response__descriptor, kind, text));
}

/* CreateSnapshot with one parameter, or NULL; the answer's id, or NULL. Caller frees. */
static char *take(struct fixture *fixture, const char *name, const char *volume, const char *key,
	const char *value, enum error_kind kind, const char *text)
{
	Csi__V1__CreateSnapshotRequest request = CSI__V1__CREATE_SNAPSHOT_REQUEST__INIT;
	Csi__V1__CreateSnapshotRequest__ParametersEntry entry =
		CSI__V1__CREATE_SNAPSHOT_REQUEST__PARAMETERS_ENTRY__INIT;
	Csi__V1__CreateSnapshotRequest__ParametersEntry *entries[] = {&entry};
	Csi__V1__CreateSnapshotResponse *response;
	char *id = NULL;

	request.name = (char *)name;
	request.source_volume_id = (char *)volume;
	entry.key = (char *)key;
	entry.value = (char *)value;
	request.parameters = entries;
	request.n_parameters = key ? 1 : 0;
	response = fixture_expect(fixture, "Controller/CreateSnapshot", &request,
		&csi__v1__create_snapshot_response__descriptor, kind, text);
	if (response) {
		assert_string_equal(response->snapshot->source_volume_id, volume);
		assert_true(response->snapshot->ready_to_use);
		id = strdup(response->snapshot->snapshot_id);
	}
	fixture_free(response);
	return id;
}

/* Make the volume of CREATE with a file, and delete it; its id. Caller frees. */
static char *make_archive(struct fixture *fixture, const struct create *create, const char *path)
{
	char *id = fixture_create(fixture, create, ERROR_NONE, NULL);

	fixture_write_file(fixture_path(fixture, "root/%s/file", path), "precious");
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	return id;
}

static const char *context_of(const Csi__V1__Snapshot *snapshot, const char *key)
{
	for (size_t i = 0; i < snapshot->n_snapshot_context; i++)
		if (!strcmp(snapshot->snapshot_context[i]->key, key))
			return snapshot->snapshot_context[i]->value;
	return "";
}

static void check_archive(struct fixture *fixture, const char *id, const char *volume, time_t since)
{
	Csi__V1__ListSnapshotsResponse *all = list(fixture, 0, "", id, volume, ERROR_NONE, NULL);
	_cleanup_free_ char *base = fixture_base_name(fixture);
	char prefix[512];
	const Csi__V1__Snapshot *snapshot;

	assert_int_equal(all->n_entries, 1);
	snapshot = all->entries[0]->snapshot;
	assert_string_equal(snapshot->source_volume_id, volume);
	assert_int_equal(snapshot->size_bytes, MIB);
	assert_true(snapshot->ready_to_use);
	assert_in_range(snapshot->creation_time->seconds, since, time(NULL));
	assert_string_equal(context_of(snapshot, CSI_KEY_PVC_NAMESPACE), "shop");
	assert_string_equal(context_of(snapshot, ORDINAL_KEY_STATEFULSET), "web");
	assert_string_equal(context_of(snapshot, ORDINAL_KEY_TEMPLATE), "data");
	assert_string_equal(context_of(snapshot, ORDINAL_KEY_ORDINAL), "0");
	assert_string_equal(context_of(snapshot, CSI_KEY_PV_NAME), "pv-0");
	snprintf(prefix, sizeof(prefix), "%s/.ordinal/archive/shop/web/data-0/", base);
	assert_memory_equal(context_of(snapshot, ORDINAL_KEY_PATH), prefix, strlen(prefix));
	fixture_free(all);
}

/* What a snapshot says does not change with a new process, nor when its volume's name comes back.
 */
static void test_archive(void **state)
{
	struct fixture *fixture = *state;
	time_t since = time(NULL);
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	_cleanup_free_ char *id = NULL, *again = NULL;

	count(fixture, &id);
	assert_true(strlen(id) == strlen(volume));
	check_archive(fixture, id, volume, since);
	fixture_stop(fixture);
	fixture_start(fixture);
	check_archive(fixture, id, volume, since);
	again = fixture_create(fixture, &archived, ERROR_NONE, NULL);
	assert_string_equal(again, volume);
	check_archive(fixture, id, volume, since);
	fixture_stop(fixture);
	fixture_start(fixture);
	check_archive(fixture, id, volume, since);
	fixture_delete(fixture, volume, ERROR_NONE, NULL);
	assert_int_equal(count(fixture, NULL), 2);
	delete_snapshot(fixture, id, ERROR_NONE, NULL);
	assert_int_equal(count(fixture, NULL), 1);
	/* Removed by hand. */
	assert_int_equal(rename(fixture_path(fixture, "root/.ordinal/archive/shop"),
				 fixture_path(fixture, "root/elsewhere")),
		0);
	assert_int_equal(count(fixture, NULL), 0);
}

static void test_filters(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	_cleanup_free_ char *id = NULL;
	char unknown[VOLUME_ID_MAX + 1];
	const struct {
		const char *id, *volume, *token;
		size_t count;
	} cases[] = {
		{"", "", "", 1},
		{NULL, "", "", 1},
		{NULL, volume, "", 1},
		{"", volume, "", 1},
		{"", "no-id", "", 0},
		{"no-id", "", "", 0},
		{volume, "", "", 0},
		{unknown, "", "", 0},
		{NULL, "", NULL, 0},
		{"", "", NULL, 0},
	};

	count(fixture, &id);
	strcpy(unknown, id);
	memset(unknown + 2, 'x', VOLUME_HASH_LENGTH);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		Csi__V1__ListSnapshotsResponse *some =
			list(fixture, 0, cases[i].token ? cases[i].token : id,
				cases[i].id ? cases[i].id : id, cases[i].volume, ERROR_NONE, NULL);

		if (some->n_entries != cases[i].count)
			fail_msg("case %zu: %zu entries", i, some->n_entries);
		fixture_free(some);
	}
	list(fixture, -1, "", "", "", ERROR_INVALID, "max_entries");
	list(fixture, 0, "no-token", "", "", ERROR_ABORTED, "starting_token");
	list(fixture, 0, volume, "", "", ERROR_ABORTED, "starting_token");
}

/* Count the pages of MAX that hold all SIZE snapshots, each once and in order. */
static void check_pages(struct fixture *fixture, size_t size, int max)
{
	_cleanup_free_ char *token = strdup(""), *last = strdup("");
	size_t seen = 0, pages = 0;

	do {
		Csi__V1__ListSnapshotsResponse *page =
			list(fixture, max, token, "", "", ERROR_NONE, NULL);

		pages++;
		assert_true(page->n_entries <= (size_t)max);
		for (size_t i = 0; i < page->n_entries; i++, seen++) {
			assert_true(strcmp(page->entries[i]->snapshot->snapshot_id, last) > 0);
			free(last);
			last = strdup(page->entries[i]->snapshot->snapshot_id);
		}
		free(token);
		token = strdup(page->next_token);
		fixture_free(page);
	} while (*token && pages < 100);
	assert_int_equal(seen, size);
	assert_int_equal(pages, (size + (size_t)max - 1) / (size_t)max);
}

static void test_pages(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 7; i++) {
		char name[16], base[160], pattern[32];
		struct create create = {.name = name,
			.required = MIB,
			.parameters = {"onDelete=archive", pattern, base}};
		_cleanup_free_ char *id = NULL;

		snprintf(name, sizeof(name), "pvc-%d", i);
		snprintf(pattern, sizeof(pattern), "pathPattern=v%d", i);
		/* In two bases, one below the other; an export has none below it. */
		snprintf(base, sizeof(base), "path=%s%s", fixture->root, i % 3 ? "" : "/fast");
		if (fixture_is_nfs())
			create.parameters[2] = NULL;
		id = fixture_create(fixture, &create, ERROR_NONE, NULL);
		fixture_delete(fixture, id, ERROR_NONE, NULL);
	}
	for (int max = 1; max <= 8; max++)
		check_pages(fixture, 7, max);
	fixture_stop(fixture);
	fixture_start(fixture);
	check_pages(fixture, 7, 3);
}

/* The archive stays, and can be restored again. */
static void test_restore(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	_cleanup_free_ char *id = NULL, *one = NULL, *two = NULL, *again = NULL;
	struct create restored = {.name = "pvc-2", .required = MIB, .parameters = {OWNER("0")}};
	struct create other = {.name = "pvc-3", .required = 2 * MIB, .parameters = {OWNER("1")}};

	count(fixture, &id);
	restored.source = other.source = id;
	one = fixture_create(fixture, &restored, ERROR_NONE, NULL);
	fixture_check_file(fixture_path(fixture, "root/shop/web/data-0/file"), "precious");
	fixture_write_file(fixture_path(fixture, "root/shop/web/data-0/file"), "changed");
	two = fixture_create(fixture, &other, ERROR_NONE, NULL);
	fixture_check_file(fixture_path(fixture, "root/shop/web/data-1/file"), "precious");
	assert_int_equal(count(fixture, NULL), 1);
	/* They need it no more. */
	delete_snapshot(fixture, id, ERROR_NONE, NULL);
	again = fixture_create(fixture, &restored, ERROR_NONE, NULL);
	assert_string_equal(again, one);
	fixture_stop(fixture);
	fixture_start(fixture);
	free(take_ptr(again));
	again = fixture_create(fixture, &restored, ERROR_NONE, NULL);
	assert_string_equal(again, one);
	restored.name = "pvc-4";
	fixture_create(fixture, &restored, ERROR_NOT_FOUND, "there is no such snapshot");
}

static void test_restore_refusals(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	_cleanup_free_ char *id = NULL;
	char unknown[VOLUME_ID_MAX + 1];
	const char *refused = "holds data of the namespace shop (UID uid-1)";
	const struct {
		const char *source;
		int64_t required;
		const char *parameters[8];
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{id, MIB - 1, {OWNER("0")}, ERROR_OUT_OF_RANGE, "a copy cannot have less"},
		{id, MIB,
			{"csi.storage.k8s.io/pvc/namespace=shop",
				"ordinal.dev/namespace-uid=uid-2"},
			ERROR_FAILED_PRECONDITION, refused},
		{id, MIB, {"csi.storage.k8s.io/pvc/namespace=other"}, ERROR_FAILED_PRECONDITION,
			refused},
		{id, MIB, {NULL}, ERROR_FAILED_PRECONDITION, refused},
		{id, MIB, {"reuseAcrossNamespaces=false"}, ERROR_FAILED_PRECONDITION, refused},
		{unknown, MIB, {NULL}, ERROR_NOT_FOUND, "there is no such snapshot"},
		{"a:nonsense", MIB, {NULL}, ERROR_NOT_FOUND, "does not exist"},
	};

	count(fixture, &id);
	strcpy(unknown, id);
	memset(unknown + 2, 'x', VOLUME_HASH_LENGTH);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct create create = {.name = "pvc-2",
			.required = cases[i].required,
			.source = cases[i].source ? cases[i].source : id};

		memcpy(create.parameters, cases[i].parameters, sizeof(cases[i].parameters));
		fixture_create(fixture, &create, cases[i].kind, cases[i].text);
	}
	assert_int_equal(count(fixture, NULL), 1);
	assert_false(fixture_exists(fixture_path(fixture, "root/shop")));
}

/* By name where the caller knows no UID, and to anybody where the class says so. */
static void test_restore_elsewhere(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	_cleanup_free_ char *id = NULL;
	struct create cases[] = {
		{.parameters = {"csi.storage.k8s.io/pvc/namespace=shop"}},
		{.parameters = {"csi.storage.k8s.io/pvc/namespace=other",
			 "ordinal.dev/namespace-uid=uid-2", "reuseAcrossNamespaces=true"}},
		{.parameters = {"reuseAcrossNamespaces=true"}},
	};

	count(fixture, &id);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[16];

		snprintf(name, sizeof(name), "pvc-%zu", i + 10);
		cases[i].name = name;
		cases[i].required = MIB;
		cases[i].source = id;
		free(fixture_create(fixture, &cases[i], ERROR_NONE, NULL));
	}
}

static void test_delete(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	_cleanup_free_ char *id = NULL;

	count(fixture, &id);
	delete_snapshot(fixture, "", ERROR_INVALID, "snapshot_id is missing");
	delete_snapshot(fixture, "no-id", ERROR_NONE, NULL);
	/* No volume's id is a snapshot's, nor the other way round. */
	delete_snapshot(fixture, volume, ERROR_NONE, NULL);
	fixture_delete(fixture, id, ERROR_NONE, NULL);
	assert_int_equal(count(fixture, NULL), 1);
	delete_snapshot(fixture, id, ERROR_NONE, NULL);
	delete_snapshot(fixture, id, ERROR_NONE, NULL);
	assert_int_equal(count(fixture, NULL), 0);
	trash_wait(&fixture->driver.volumes.trash);
	assert_false(fixture_exists(fixture_path(fixture, "root/.ordinal/archive/shop")));
	assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/trash")), 0);
}

/* While it is copied an archive neither goes nor becomes a volume. */
static void test_pinned(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = make_archive(fixture, &archived, "shop/web/data-0");
	struct base *base = bases_next(&fixture->driver.volumes.bases, NULL);
	struct clone_source source = {.fd = -1};
	struct create successor = {
		.name = "pvc-2", .required = MIB, .parameters = {"reuse=ordinal", OWNER("0")}};
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_free_ char *id = NULL;
	struct volume_id snapshot;
	struct error err;

	count(fixture, &id);
	assert_int_equal(volume_id_parse_snapshot(id, &snapshot, &err), 0);
	assert_int_equal(snapshot_open(base, &snapshot.hash, &source, &record, &err), 0);
	delete_snapshot(fixture, id, ERROR_ABORTED, "being copied");
	fixture_create(fixture, &successor, ERROR_ABORTED, "being copied");
	fixture_create(fixture, &archived, ERROR_ABORTED, "are on their way");
	assert_int_equal(count(fixture, NULL), 1);
	clone_source_done(&source);
	free(fixture_create(fixture, &successor, ERROR_NONE, NULL));
	fixture_check_file(fixture_path(fixture, "root/shop/web/data-0/file"), "precious");
	assert_int_equal(count(fixture, NULL), 0);
}

static const struct create living = {.name = "pvc-1", .required = MIB, .parameters = {OWNER("0")}};

static void test_take(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = fixture_create(fixture, &living, ERROR_NONE, NULL);
	struct create other = {.name = "pvc-9", .parameters = {"pathPattern=nine"}};
	struct create reusing = {
		.name = "pvc-2", .required = MIB, .parameters = {"reuse=ordinal", OWNER("0")}};
	struct create restored = {.name = "pvc-3", .required = MIB, .parameters = {OWNER("1")}};
	_cleanup_free_ char *nine = fixture_create(fixture, &other, ERROR_NONE, NULL);
	_cleanup_free_ char *id = NULL, *again = NULL, *listed = NULL;

	fixture_write_file(fixture_path(fixture, "root/shop/web/data-0/file"), "precious");
	id = take(fixture, "snap-1", volume, NULL, NULL, ERROR_NONE, NULL);
	fixture_write_file(fixture_path(fixture, "root/shop/web/data-0/file"), "changed");
	again = take(fixture, "snap-1", volume, NULL, NULL, ERROR_NONE, NULL);
	assert_string_equal(id, again);
	assert_null(take(fixture, "snap-1", nine, NULL, NULL, ERROR_ALREADY_EXISTS, "of volume"));
	check_archive(fixture, id, volume, 0);
	/* It outlives its volume and the process, and is no successor's. */
	fixture_delete(fixture, volume, ERROR_NONE, NULL);
	fixture_stop(fixture);
	fixture_start(fixture);
	count(fixture, &listed);
	assert_string_equal(listed, id);
	free(take_ptr(again));
	again = take(fixture, "snap-1", volume, NULL, NULL, ERROR_NONE, NULL);
	assert_string_equal(id, again);
	free(fixture_create(fixture, &reusing, ERROR_NONE, NULL));
	assert_false(fixture_exists(fixture_path(fixture, "root/shop/web/data-0/file")));
	restored.source = id;
	free(fixture_create(fixture, &restored, ERROR_NONE, NULL));
	fixture_check_file(fixture_path(fixture, "root/shop/web/data-1/file"), "precious");
	delete_snapshot(fixture, id, ERROR_NONE, NULL);
	assert_int_equal(count(fixture, NULL), 0);
	trash_wait(&fixture->driver.volumes.trash);
	assert_null(take(fixture, "snap-1", volume, NULL, NULL, ERROR_NOT_FOUND, NULL));
}

static void test_take_refusals(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *volume = fixture_create(fixture, &living, ERROR_NONE, NULL);
	static const char live[] = "ordinal.dev/allow-live-copy";
	const struct {
		const char *name, *volume, *key, *value;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{"", volume, NULL, NULL, ERROR_INVALID, "name is missing"},
		{"s", "", NULL, NULL, ERROR_INVALID, "source_volume_id is missing"},
		{"s", "no-id", NULL, NULL, ERROR_NOT_FOUND, "does not exist"},
		{"s", volume, "fast", "yes", ERROR_INVALID, "unknown parameter \"fast\""},
		{"s", volume, live, "yes", ERROR_INVALID, "is not one of false, true"},
		{"s", volume, live, "false", ERROR_FAILED_PRECONDITION, "it is in use"},
		{"s", volume, "csi.storage.k8s.io/volumesnapshot/name", "x",
			ERROR_FAILED_PRECONDITION, "it is in use"},
	};
	const char *target = fixture_path(fixture, "target");

	fixture_publish(fixture, volume, target);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_null(take(fixture, cases[i].name, cases[i].volume, cases[i].key,
			cases[i].value, cases[i].kind, cases[i].text));
	assert_int_equal(count(fixture, NULL), 0);
	trash_wait(&fixture->driver.volumes.trash);
	assert_int_equal(rmdir(fixture_path(fixture, "root/.ordinal/unfinished")), 0);
	free(take(fixture, "s", volume, live, "true", ERROR_NONE, NULL));
	fixture_unpublish(fixture, volume, target);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_driver, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_archive),
		TEST(test_filters),
		TEST(test_pages),
		TEST(test_restore),
		TEST(test_restore_refusals),
		TEST(test_restore_elsewhere),
		TEST(test_delete),
		TEST(test_pinned),
		TEST(test_take),
		TEST(test_take_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
