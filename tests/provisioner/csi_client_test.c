/* SPDX-License-Identifier: Apache-2.0 */
#include "csi.pb-c.h"
#include "csi_fixture.h"
#include "names.h"
#include "testing.h"

#define MODE(name) CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__##name

#define ALL                                                                                            \
	"controller,topology,offline,create-delete,attach,list,snapshots,list-snapshots,clone,expand," \
	"single-node-multi-writer,modify,unknown,node,node-expand"

static void check_asked(const char *name, const char *wanted)
{
	_cleanup_free_ char *asked = scripted_driver_asked(csi_fixture.server);

	assert_case_text(name, asked, wanted);
}

static void test_identify(void **state)
{
	static const struct scripted_rule ready = {"Probe", .answer = SCRIPTED_SAYS_READY};
	const struct csi_driver_info *info = &csi_fixture.driver.info;

	(void)state;
	csi_fixture.options.manifest = ORDINAL_MANIFEST_VALUE;
	csi_fixture.options.capabilities = ALL;
	csi_fixture_start(10000);
	scripted_driver_set(csi_fixture.server, &ready, 1);
	assert_int_equal(csi_fixture_identify(), 0);
	assert_string_equal(info->name, "d.example.com");
	assert_string_equal(info->version, "1.2.3");
	assert_true(info->ours && info->create_delete && info->topology && info->attaches);
	assert_true(info->single_node_multi_writer && info->expand && info->node_expand);
	assert_true(info->offline_expand_only && info->clone && info->snapshots);
	assert_true(info->list_volumes && info->modify_volume && info->list_snapshots);
}

static void test_identify_little(void **state)
{
	const struct csi_driver_info *info = &csi_fixture.driver.info;

	(void)state;
	csi_fixture.options.manifest = "something-else";
	csi_fixture.options.capabilities = "controller,attach,node";
	csi_fixture_ready(10000);
	assert_false(info->ours || info->create_delete || info->topology);
	assert_false(info->single_node_multi_writer || info->expand || info->node_expand);
	assert_false(info->offline_expand_only || info->clone || info->snapshots);
	assert_false(info->list_volumes || info->modify_volume || info->list_snapshots);
}

/* Without the controller service its methods need not exist, and are not asked. */
static void test_no_controller_service(void **state)
{
	(void)state;
	csi_fixture.options.capabilities = "create-delete";
	csi_fixture_ready(10000);
	assert_false(csi_fixture.driver.info.create_delete);
	assert_int_equal(scripted_driver_count(csi_fixture.server, "ControllerGetCapabilities"), 0);
}

/* What nodes can do has to be known only of a driver that expands nothing else. */
static void test_node_service(void **state)
{
	static const struct {
		const char *name, *capabilities;
		enum error_kind kind;
		int result;
	} rows[] = {
		{"not served", "controller", ERROR_UNIMPLEMENTED, 0},
		{"broken, and not needed", "controller,expand", ERROR_INTERNAL, 0},
		{"broken, and needed", "controller", ERROR_INTERNAL, -1},
		{"away", "controller", ERROR_UNAVAILABLE, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct scripted_rule rule = {
			"NodeGetCapabilities", .kind = rows[i].kind, .text = "why"};

		csi_fixture.options.capabilities = rows[i].capabilities;
		csi_fixture_start(10000);
		scripted_driver_set(csi_fixture.server, &rule, 1);
		assert_case(rows[i].name, csi_fixture_identify() == rows[i].result);
		assert_case(rows[i].name, !rows[i].result || csi_fixture.err.kind == rows[i].kind);
		csi_client_free(take_ptr(csi_fixture.client));
		scripted_driver_stop(take_ptr(csi_fixture.server));
	}
}

static void test_probe(void **state)
{
	static const struct scripted_rule no = {"Probe", .answer = SCRIPTED_NOT_READY};
	static const struct scripted_rule broken = {
		"Probe", .kind = ERROR_FAILED_PRECONDITION, .text = "no disk"};

	(void)state;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture.driver.probe(csi_fixture.driver.self, &csi_fixture.err), 0);
	scripted_driver_set(csi_fixture.server, &no, 1);
	assert_int_equal(csi_fixture.driver.probe(csi_fixture.driver.self, &csi_fixture.err), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_UNAVAILABLE);
	assert_string_equal(csi_fixture.err.text, "the driver is not ready yet");
	assert_int_equal(csi_fixture_identify(), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_UNAVAILABLE);
	scripted_driver_set(csi_fixture.server, &broken, 1);
	assert_int_equal(csi_fixture.driver.probe(csi_fixture.driver.self, &csi_fixture.err), -1);
	assert_int_equal(csi_fixture.err.kind, ERROR_FAILED_PRECONDITION);
	assert_string_equal(csi_fixture.err.text, "no disk");
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int result;
	} names[] = {
		{"", -1},
		{"a", 0},
		{"a23456789012345678901234567890123456789012345678901234567890123", 0},
		{"a234567890123456789012345678901234567890123456789012345678901234", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		csi_fixture.options.name = names[i].name;
		csi_fixture_start(10000);
		assert_case(names[i].name, csi_fixture_identify() == names[i].result);
		assert_case(
			names[i].name, !names[i].result || csi_fixture.err.kind == ERROR_INVALID);
		csi_client_free(take_ptr(csi_fixture.client));
		scripted_driver_stop(take_ptr(csi_fixture.server));
	}
}

static void test_create(void **state)
{
	struct csi_volume volume;

	(void)state;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
	check_asked("plain",
		"name=pvc-1 capacity_range={required_bytes=1099511627776} volume_capabilities=["
		"{mount={fs_type=xfs mount_flags=[hard,noatime]} access_mode={mode=1}},"
		"{mount={fs_type=xfs mount_flags=[hard,noatime]} access_mode={mode=1}},"
		"{mount={fs_type=xfs mount_flags=[hard,noatime]} access_mode={mode=3}},"
		"{mount={fs_type=xfs mount_flags=[hard,noatime]} access_mode={mode=5}},"
		"{mount={fs_type=xfs mount_flags=[hard,noatime]} access_mode={}}]"
		" parameters=[a:1,b:2]");
	assert_string_equal(volume.handle, "h1");
	assert_int_equal(volume.capacity_bytes, 1LL << 40);
	assert_string_equal(string_map_get(&volume.context, "share"), "/x");
	assert_int_equal(volume.topologies.count, 1);
	assert_string_equal(string_map_get(&volume.topologies.items[0], "host"), "h1");
	assert_false(volume.has_source);
	csi_volume_done(&volume);
}

/* A driver that knows the newer modes is told them. */
static void test_newer_modes(void **state)
{
	struct csi_create_request request = csi_fixture_plain;
	struct csi_volume volume;

	(void)state;
	_Static_assert(MODE(SINGLE_NODE_SINGLE_WRITER) == 6 && MODE(SINGLE_NODE_MULTI_WRITER) == 7,
		"the text below says so");
	csi_fixture.options.capabilities = ALL;
	csi_fixture_ready(10000);
	request.block = true;
	request.parameters = &(struct string_map){.count = 0};
	assert_int_equal(csi_fixture_create(&request, &volume), 0);
	csi_volume_done(&volume);
	check_asked("block",
		"name=pvc-1 capacity_range={required_bytes=1099511627776} volume_capabilities=["
		"{block={} access_mode={mode=7}},{block={} access_mode={mode=6}},"
		"{block={} access_mode={mode=3}},{block={} access_mode={mode=5}},"
		"{block={} access_mode={}}]");
}

#define HEAD "name=pvc-1 capacity_range={required_bytes=1099511627776}"

static void test_what_goes_with_a_create(void **state)
{
	static struct string_pair pairs[] = {
		{(char *)"zone", (char *)"a"}, {(char *)"zone", (char *)"b"}};
	static struct string_map zones[] = {{&pairs[0], 1}, {&pairs[1], 1}};
	static const struct csi_topologies both = {zones, 2}, second = {&zones[1], 1};
	static const struct {
		const char *name;
		const struct csi_topologies *requisite, *preferred;
		const struct string_map *secrets;
		const char *volume, *snapshot, *asked;
		bool has_source;
	} rows[] = {
		{"nothing", NULL, NULL, NULL, NULL, NULL, HEAD, false},
		{"topologies", &both, &second, NULL, NULL, NULL,
			HEAD " accessibility_requirements={requisite=[{segments=[zone:a]},"
			     "{segments=[zone:b]}] preferred=[{segments=[zone:b]}]}",
			false},
		{"only requisite", &second, NULL, NULL, NULL, NULL,
			HEAD " accessibility_requirements={requisite=[{segments=[zone:b]}]}",
			false},
		{"secrets", NULL, NULL, &csi_fixture_secrets, NULL, NULL,
			HEAD " secrets=[user:bob,password:hunter2\n]", false},
		{"a volume", NULL, NULL, NULL, "h9", NULL,
			HEAD " volume_content_source={volume={volume_id=h9}}", true},
		{"a snapshot", NULL, NULL, NULL, NULL, "s9",
			HEAD " volume_content_source={snapshot={snapshot_id=s9}}", true},
	};

	(void)state;
	csi_fixture_ready(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct csi_create_request request = csi_fixture_plain;
		struct csi_volume volume;

		request.access_modes = &(struct strings){.count = 0};
		request.parameters = &(struct string_map){.count = 0};
		request.requisite = rows[i].requisite;
		request.preferred = rows[i].preferred;
		request.secrets = rows[i].secrets;
		request.source_volume = rows[i].volume;
		request.source_snapshot = rows[i].snapshot;
		assert_case(rows[i].name, csi_fixture_create(&request, &volume) == 0);
		check_asked(rows[i].name, rows[i].asked);
		assert_case(rows[i].name, volume.has_source == rows[i].has_source);
		csi_volume_done(&volume);
	}
}

static void test_delete(void **state)
{
	(void)state;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture_delete("h/7", NULL), 0);
	check_asked("plain", "volume_id=h/7");
	assert_int_equal(csi_fixture_delete("h/7", &csi_fixture_secrets), 0);
	check_asked("secrets", "volume_id=h/7 secrets=[user:bob,password:hunter2\n]");
}

static void test_expand(void **state)
{
	static char *once[] = {(char *)"ReadWriteOncePod", (char *)"ReadWriteOnce"};
	static const struct strings once_only = {once, 2};
	static const struct scripted_rule node = {.answer = SCRIPTED_NODE_TOO};
	struct csi_expand_request request = {.handle = "h1",
		.required_bytes = 1LL << 41,
		.access_modes = &csi_fixture_modes,
		.mount_options = &csi_fixture_mount_options,
		.fs_type = "xfs",
		.secrets = &csi_fixture_secrets};
	struct csi_volume volume;
	int64_t bytes = 0;
	bool needs_node = true;

	(void)state;
	csi_fixture.options.capabilities = ALL;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
	csi_volume_done(&volume);
	assert_int_equal(csi_fixture_expand(&request, &bytes, &needs_node), 0);
	check_asked("all",
		"volume_id=h1 capacity_range={required_bytes=2199023255552}"
		" secrets=[user:bob,password:hunter2\n] volume_capability={mount={fs_type=xfs"
		" mount_flags=[hard,noatime]} access_mode={mode=5}}");
	assert_int_equal(bytes, 1LL << 41);
	assert_false(needs_node);
	scripted_driver_set(csi_fixture.server, &node, 1);
	request = (struct csi_expand_request){.handle = "h1",
		.required_bytes = 1LL << 41,
		.access_modes = &once_only,
		.mount_options = &csi_fixture_mount_options,
		.fs_type = "",
		.block = true};
	assert_int_equal(csi_fixture_expand(&request, &bytes, &needs_node), 0);
	check_asked("block", "volume_id=h1 capacity_range={required_bytes=2199023255552}"
			     " volume_capability={block={} access_mode={mode=7}}");
	assert_true(needs_node);
}

static void test_expanded_size(void **state)
{
	static const struct {
		int64_t said, bytes;
		enum error_kind kind;
	} rows[] = {
		{0, 1000, ERROR_NONE},
		{1000, 1000, ERROR_NONE},
		{1024, 1024, ERROR_NONE},
		{999, 0, ERROR_OUT_OF_RANGE},
		{-1, 0, ERROR_OUT_OF_RANGE},
	};
	const struct csi_expand_request request = {.handle = "h1",
		.required_bytes = 1000,
		.access_modes = &csi_fixture_modes,
		.mount_options = &csi_fixture_mount_options,
		.fs_type = ""};
	struct csi_volume volume;

	(void)state;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture_create(&csi_fixture_plain, &volume), 0);
	csi_volume_done(&volume);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct scripted_rule rule = {
			.answer = SCRIPTED_CAPACITY, .size = rows[i].said};
		int64_t bytes = 0;
		bool needs_node;

		scripted_driver_set(csi_fixture.server, &rule, 1);
		csi_fixture.err = (struct error){0};
		assert_int_equal(
			csi_fixture_expand(&request, &bytes, &needs_node), rows[i].kind ? -1 : 0);
		assert_int_equal(csi_fixture.err.kind, rows[i].kind);
		assert_int_equal(bytes, rows[i].bytes);
	}
}

static void test_modify(void **state)
{
	(void)state;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture.driver.modify_volume(csi_fixture.driver.self, "h1",
				 &csi_fixture_parameters, &csi_fixture_secrets, &csi_fixture.err),
		0);
	check_asked("modify", "volume_id=h1 secrets=[user:bob,password:hunter2\n] "
			      "mutable_parameters=[a:1,b:2]");
}

static void test_list(void **state)
{
	struct csi_listing listing = {0, SIZE_MAX, 0};

	(void)state;
	csi_fixture.options.page_entries = 7;
	csi_fixture_ready(10000);
	assert_int_equal(csi_fixture_list(&listing), 0);
	assert_int_equal(listing.count, 0);
	csi_fixture_create_many(23);
	assert_int_equal(csi_fixture_list(&listing), 0);
	assert_int_equal(listing.count, 23);
	assert_int_equal(listing.bytes, 22 * 23 / 2);
	check_asked("the last page", "max_entries=500 starting_token=21");
	listing = (struct csi_listing){0, 5, 0};
	assert_int_equal(csi_fixture_list(&listing), -1);
	assert_string_equal(csi_fixture.err.text, "enough");
}

static int count_snapshot(void *context, const struct csi_snapshot *snapshot, struct error *err)
{
	struct csi_listing *listing = context;

	assert_string_equal(string_map_get(&snapshot->context, ORDINAL_KEY_PATH), snapshot->id);
	assert_true(snapshot->ready && snapshot->has_created);
	if (listing->count == listing->limit)
		return error_set(err, ERROR_EXHAUSTED, "enough");
	listing->count++;
	listing->bytes += snapshot->size_bytes;
	return 0;
}

/* Volumes are their own snapshots there. */
static void test_snapshots(void **state)
{
	struct csi_driver *driver = &csi_fixture.driver;
	struct csi_listing all = {0, SIZE_MAX, 0}, one = {0, SIZE_MAX, 0}, none = {0, SIZE_MAX, 0},
			   few = {0, 5, 0};
	struct error *err = &csi_fixture.err;

	(void)state;
	csi_fixture.options.page_entries = 7;
	csi_fixture_ready(10000);
	csi_fixture_create_many(23);
	assert_int_equal(driver->list_snapshots(driver->self, NULL, count_snapshot, &all, err), 0);
	assert_int_equal(all.count, 23);
	assert_int_equal(all.bytes, 22 * 23 / 2);
	check_asked("the last page", "max_entries=500 starting_token=21");
	assert_int_equal(driver->list_snapshots(driver->self, "h3", count_snapshot, &one, err), 0);
	assert_int_equal(one.count, 1);
	assert_int_equal(one.bytes, 2);
	assert_int_equal(driver->list_snapshots(driver->self, NULL, count_snapshot, &few, err), -1);
	assert_string_equal(err->text, "enough");
	assert_int_equal(driver->delete_snapshot(driver->self, "h3", err), 0);
	check_asked("delete", "snapshot_id=h3");
	assert_int_equal(driver->delete_snapshot(driver->self, "h3", err), 0);
	assert_int_equal(driver->list_snapshots(driver->self, "h3", count_snapshot, &none, err), 0);
	assert_int_equal(none.count, 0);
}

static void test_endpoints(void **state)
{
	static const char *const refused[] = {"", "tcp://127.0.0.1:1", "csi.sock",
		"unix:", "unix:csi.sock", "unix://csi.sock", "http:///x",
		"/01234567890123456789012345678901234567890123456789"
		"01234567890123456789012345678901234567890123456789/csi.sock"};
	static const char *const taken[] = {"/x", "unix:/x", "unix:///x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct csi_client *client = NULL;
		struct error err = {0};

		assert_case(refused[i], csi_client_new(refused[i], 1, &client, &err) == -1);
		assert_case(refused[i], err.kind == ERROR_INVALID && !client);
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		_cleanup_(csi_client_freep) struct csi_client *client = NULL;

		assert_case(taken[i], csi_client_new(taken[i], 1, &client, NULL) == 0);
	}
}

#define TEST(function)                                                                             \
	cmocka_unit_test_setup_teardown(function, csi_fixture_set_up, csi_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identify),
		TEST(test_identify_little),
		TEST(test_no_controller_service),
		TEST(test_node_service),
		TEST(test_probe),
		TEST(test_names),
		TEST(test_create),
		TEST(test_newer_modes),
		TEST(test_what_goes_with_a_create),
		TEST(test_delete),
		TEST(test_expand),
		TEST(test_expanded_size),
		TEST(test_modify),
		TEST(test_list),
		TEST(test_snapshots),
		cmocka_unit_test(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
