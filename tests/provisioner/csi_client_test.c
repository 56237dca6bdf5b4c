/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_client.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "csi.pb-c.h"
#include "names.h"
#include "scripted_driver.h"
#include "testing.h"

#define MODE(name) CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__##name

#define ALL                                                                                        \
	"controller,topology,offline,create-delete,attach,list,snapshots,clone,expand,"            \
	"single-node-multi-writer,modify,unknown,node,node-expand"

/* A scripted driver on a socket, and a client of it. */
static struct fixture {
	char *folder, *socket;
	struct scripted_options options;
	struct scripted_driver *server;
	struct csi_client *client;
	struct csi_driver driver;
	struct error err;
} fixture;

static int set_up(void **state)
{
	(void)state;
	fixture = (struct fixture){.folder = make_folder()};
	if (asprintf(&fixture.socket, "%s/csi.sock", fixture.folder) < 0)
		abort();
	fixture.options = (struct scripted_options){.socket_path = fixture.socket,
		.name = "d.example.com",
		.capabilities = "controller,create-delete",
		.topology = "host=h1"};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	csi_client_freep(&fixture.client);
	if (fixture.server)
		scripted_driver_stop(fixture.server);
	remove_folder(fixture.folder);
	free(fixture.socket);
	return 0;
}

static void start(int timeout_ms)
{
	assert_int_equal(scripted_driver_start(&fixture.options, &fixture.server, &fixture.err), 0);
	if (!fixture.client)
		assert_int_equal(
			csi_client_new(fixture.socket, timeout_ms, &fixture.client, &fixture.err),
			0);
}

static int identify(void)
{
	fixture.err = (struct error){0};
	return csi_client_identify(fixture.client, &fixture.driver, &fixture.err);
}

static void start_and_identify(int timeout_ms)
{
	start(timeout_ms);
	assert_int_equal(identify(), 0);
}

static void check_asked(const char *name, const char *wanted)
{
	_cleanup_free_ char *asked = scripted_driver_asked(fixture.server);

	assert_case_text(name, asked, wanted);
}

static void test_identify(void **state)
{
	static const struct scripted_rule ready = {"Probe", .answer = SCRIPTED_SAYS_READY};
	const struct csi_driver_info *info = &fixture.driver.info;

	(void)state;
	fixture.options.manifest = ORDINAL_MANIFEST_VALUE;
	fixture.options.capabilities = ALL;
	start(10000);
	scripted_driver_set(fixture.server, &ready, 1);
	assert_int_equal(identify(), 0);
	assert_string_equal(info->name, "d.example.com");
	assert_string_equal(info->version, "1.2.3");
	assert_true(info->ours && info->create_delete && info->topology && info->attaches);
	assert_true(info->single_node_multi_writer && info->expand && info->node_expand);
	assert_true(info->offline_expand_only && info->clone && info->snapshots);
	assert_true(info->list_volumes && info->modify_volume);
}

static void test_identify_little(void **state)
{
	const struct csi_driver_info *info = &fixture.driver.info;

	(void)state;
	fixture.options.manifest = "something-else";
	fixture.options.capabilities = "controller,attach,node";
	start_and_identify(10000);
	assert_false(info->ours || info->create_delete || info->topology);
	assert_false(info->single_node_multi_writer || info->expand || info->node_expand);
	assert_false(info->offline_expand_only || info->clone || info->snapshots);
	assert_false(info->list_volumes || info->modify_volume);
}

/* Without the controller service its methods need not exist, and are not asked. */
static void test_no_controller_service(void **state)
{
	(void)state;
	fixture.options.capabilities = "create-delete";
	start_and_identify(10000);
	assert_false(fixture.driver.info.create_delete);
	assert_int_equal(scripted_driver_count(fixture.server, "ControllerGetCapabilities"), 0);
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

		fixture.options.capabilities = rows[i].capabilities;
		start(10000);
		scripted_driver_set(fixture.server, &rule, 1);
		assert_case(rows[i].name, identify() == rows[i].result);
		assert_case(rows[i].name, !rows[i].result || fixture.err.kind == rows[i].kind);
		csi_client_free(take_ptr(fixture.client));
		scripted_driver_stop(take_ptr(fixture.server));
	}
}

static void test_probe(void **state)
{
	static const struct scripted_rule no = {"Probe", .answer = SCRIPTED_NOT_READY};
	static const struct scripted_rule broken = {
		"Probe", .kind = ERROR_FAILED_PRECONDITION, .text = "no disk"};

	(void)state;
	start_and_identify(10000);
	assert_int_equal(fixture.driver.probe(fixture.driver.self, &fixture.err), 0);
	scripted_driver_set(fixture.server, &no, 1);
	assert_int_equal(fixture.driver.probe(fixture.driver.self, &fixture.err), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_string_equal(fixture.err.text, "the driver is not ready yet");
	assert_int_equal(identify(), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	scripted_driver_set(fixture.server, &broken, 1);
	assert_int_equal(fixture.driver.probe(fixture.driver.self, &fixture.err), -1);
	assert_int_equal(fixture.err.kind, ERROR_FAILED_PRECONDITION);
	assert_string_equal(fixture.err.text, "no disk");
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
		fixture.options.name = names[i].name;
		start(10000);
		assert_case(names[i].name, identify() == names[i].result);
		assert_case(names[i].name, !names[i].result || fixture.err.kind == ERROR_INVALID);
		csi_client_free(take_ptr(fixture.client));
		scripted_driver_stop(take_ptr(fixture.server));
	}
}

static char *mode_names[] = {(char *)"ReadWriteOnce", (char *)"ReadWriteOncePod",
	(char *)"ReadOnlyMany", (char *)"ReadWriteMany", (char *)"Odd"};
static char *flags[] = {(char *)"hard", (char *)"noatime"};
static struct string_pair parameter_pairs[] = {
	{(char *)"a", (char *)"1"}, {(char *)"b", (char *)"2"}};
static struct string_pair secret_pairs[] = {
	{(char *)"user", (char *)"bob"}, {(char *)"password", (char *)"hunter2\n"}};
static const struct strings modes = {mode_names, ARRAY_SIZE(mode_names)};
static const struct strings mount_options = {flags, ARRAY_SIZE(flags)};
static const struct string_map parameters = {parameter_pairs, ARRAY_SIZE(parameter_pairs)};
static const struct string_map secrets = {secret_pairs, ARRAY_SIZE(secret_pairs)};

static const struct csi_create_request plain = {.name = "pvc-1",
	.required_bytes = 1LL << 40,
	.parameters = &parameters,
	.access_modes = &modes,
	.mount_options = &mount_options,
	.fs_type = "xfs"};

static int create(const struct csi_create_request *request, struct csi_volume *ret_volume)
{
	return fixture.driver.create_volume(fixture.driver.self, request, ret_volume, &fixture.err);
}

static int delete_handle(const char *handle, const struct string_map *with)
{
	return fixture.driver.delete_volume(fixture.driver.self, handle, with, &fixture.err);
}

static void test_create(void **state)
{
	struct csi_volume volume;

	(void)state;
	start_and_identify(10000);
	assert_int_equal(create(&plain, &volume), 0);
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
	struct csi_create_request request = plain;
	struct csi_volume volume;

	(void)state;
	_Static_assert(MODE(SINGLE_NODE_SINGLE_WRITER) == 6 && MODE(SINGLE_NODE_MULTI_WRITER) == 7,
		"the text below says so");
	fixture.options.capabilities = ALL;
	start_and_identify(10000);
	request.block = true;
	request.parameters = &(struct string_map){.count = 0};
	assert_int_equal(create(&request, &volume), 0);
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
		{"secrets", NULL, NULL, &secrets, NULL, NULL,
			HEAD " secrets=[user:bob,password:hunter2\n]", false},
		{"a volume", NULL, NULL, NULL, "h9", NULL,
			HEAD " volume_content_source={volume={volume_id=h9}}", true},
		{"a snapshot", NULL, NULL, NULL, NULL, "s9",
			HEAD " volume_content_source={snapshot={snapshot_id=s9}}", true},
	};

	(void)state;
	start_and_identify(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct csi_create_request request = plain;
		struct csi_volume volume;

		request.access_modes = &(struct strings){.count = 0};
		request.parameters = &(struct string_map){.count = 0};
		request.requisite = rows[i].requisite;
		request.preferred = rows[i].preferred;
		request.secrets = rows[i].secrets;
		request.source_volume = rows[i].volume;
		request.source_snapshot = rows[i].snapshot;
		assert_case(rows[i].name, create(&request, &volume) == 0);
		check_asked(rows[i].name, rows[i].asked);
		assert_case(rows[i].name, volume.has_source == rows[i].has_source);
		csi_volume_done(&volume);
	}
}

/* No answer of these says whether there is a volume: none is final. */
static void test_wrong_answers(void **state)
{
	static const struct {
		struct scripted_rule rule;
		const char *text;
	} rows[] = {
		{{.answer = SCRIPTED_EMPTY}, "the driver answered without a volume"},
		{{.answer = SCRIPTED_NO_ID}, "the driver answered without a volume id"},
		{{.answer = SCRIPTED_RAW_ID, .text = "h1\0x", .size = 4},
			"the answer to CreateVolume: volume: volume_id: holds a NUL byte"},
		{{.answer = SCRIPTED_RAW_ID, .text = "h\xc3", .size = 2},
			"the answer to CreateVolume: volume: volume_id: is not valid UTF-8"},
		{{.answer = SCRIPTED_RAW_VALUE, .text = "\xff", .size = 1},
			"the answer to CreateVolume: volume: volume_context: value: is not valid "
			"UTF-8"},
		{{.answer = SCRIPTED_RAW_VALUE, .text = "a\0", .size = 2},
			"the answer to CreateVolume: volume: volume_context: value: holds a NUL "
			"byte"},
		{{.answer = SCRIPTED_LONG_ID, .size = 4097},
			"the driver answered with a volume id of more than 4096 bytes"},
		{{.answer = SCRIPTED_MANY, .size = 100000},
			"the driver answered with a volume context and topology of more than "
			"262144 bytes"},
		{{.answer = SCRIPTED_CAPACITY, .size = -1},
			"the driver answered with a negative capacity"},
		{{.answer = SCRIPTED_GARBAGE}, "the answer to CreateVolume does not decode"},
		{{.answer = SCRIPTED_OVERSIZED},
			"the answer to CreateVolume is larger than 16777216 bytes"},
	};

	(void)state;
	start_and_identify(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct csi_volume volume;

		scripted_driver_set(fixture.server, &rows[i].rule, 1);
		assert_case(rows[i].text, create(&plain, &volume) == -1);
		assert_case_text(rows[i].text, fixture.err.text, rows[i].text);
		assert_case(rows[i].text, fixture.err.kind == ERROR_ABORTED);
	}
}

/* What the specification does not like, and drivers that exist do. */
static void test_odd_answers(void **state)
{
	static const struct scripted_rule rows[] = {
		{.answer = SCRIPTED_LONG_ID, .size = 400}, {.answer = SCRIPTED_MANY, .size = 1000},
		{.answer = SCRIPTED_CAPACITY, .size = 0},
		{.answer = SCRIPTED_CAPACITY, .size = 5}, /* for the controller to judge */
	};
	struct csi_volume volume;

	(void)state;
	start_and_identify(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scripted_driver_set(fixture.server, &rows[i], 1);
		assert_int_equal(create(&plain, &volume), 0);
		if (rows[i].answer == SCRIPTED_LONG_ID)
			assert_int_equal(strlen(volume.handle), 400);
		if (rows[i].answer == SCRIPTED_MANY)
			assert_int_equal(volume.context.count, 1000);
		if (rows[i].answer == SCRIPTED_CAPACITY)
			assert_int_equal(volume.capacity_bytes, rows[i].size);
		csi_volume_done(&volume);
	}
}

static void test_delete(void **state)
{
	(void)state;
	start_and_identify(10000);
	assert_int_equal(delete_handle("h/7", NULL), 0);
	check_asked("plain", "volume_id=h/7");
	assert_int_equal(delete_handle("h/7", &secrets), 0);
	check_asked("secrets", "volume_id=h/7 secrets=[user:bob,password:hunter2\n]");
}

static int expand(const struct csi_expand_request *request, int64_t *ret_bytes, bool *ret_node)
{
	return fixture.driver.expand_volume(
		fixture.driver.self, request, ret_bytes, ret_node, &fixture.err);
}

static void test_expand(void **state)
{
	static char *once[] = {(char *)"ReadWriteOncePod", (char *)"ReadWriteOnce"};
	static const struct strings once_only = {once, 2};
	static const struct scripted_rule node = {.answer = SCRIPTED_NODE_TOO};
	struct csi_expand_request request = {.handle = "h1",
		.required_bytes = 1LL << 41,
		.access_modes = &modes,
		.mount_options = &mount_options,
		.fs_type = "xfs",
		.secrets = &secrets};
	struct csi_volume volume;
	int64_t bytes = 0;
	bool needs_node = true;

	(void)state;
	fixture.options.capabilities = ALL;
	start_and_identify(10000);
	assert_int_equal(create(&plain, &volume), 0);
	csi_volume_done(&volume);
	assert_int_equal(expand(&request, &bytes, &needs_node), 0);
	check_asked("all",
		"volume_id=h1 capacity_range={required_bytes=2199023255552}"
		" secrets=[user:bob,password:hunter2\n] volume_capability={mount={fs_type=xfs"
		" mount_flags=[hard,noatime]} access_mode={mode=5}}");
	assert_int_equal(bytes, 1LL << 41);
	assert_false(needs_node);
	scripted_driver_set(fixture.server, &node, 1);
	request = (struct csi_expand_request){.handle = "h1",
		.required_bytes = 1LL << 41,
		.access_modes = &once_only,
		.mount_options = &mount_options,
		.fs_type = "",
		.block = true};
	assert_int_equal(expand(&request, &bytes, &needs_node), 0);
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
		.access_modes = &modes,
		.mount_options = &mount_options,
		.fs_type = ""};
	struct csi_volume volume;

	(void)state;
	start_and_identify(10000);
	assert_int_equal(create(&plain, &volume), 0);
	csi_volume_done(&volume);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct scripted_rule rule = {
			.answer = SCRIPTED_CAPACITY, .size = rows[i].said};
		int64_t bytes = 0;
		bool needs_node;

		scripted_driver_set(fixture.server, &rule, 1);
		fixture.err = (struct error){0};
		assert_int_equal(expand(&request, &bytes, &needs_node), rows[i].kind ? -1 : 0);
		assert_int_equal(fixture.err.kind, rows[i].kind);
		assert_int_equal(bytes, rows[i].bytes);
	}
}

static void test_modify(void **state)
{
	(void)state;
	start_and_identify(10000);
	assert_int_equal(fixture.driver.modify_volume(
				 fixture.driver.self, "h1", &parameters, &secrets, &fixture.err),
		0);
	check_asked("modify", "volume_id=h1 secrets=[user:bob,password:hunter2\n] "
			      "mutable_parameters=[a:1,b:2]");
}

struct listing {
	size_t count, limit;
	int64_t bytes;
};

static int count_volume(void *context, const struct csi_volume *volume, struct error *err)
{
	struct listing *listing = context;

	if (listing->count == listing->limit)
		return error_set(err, ERROR_EXHAUSTED, "enough");
	listing->count++;
	listing->bytes += volume->capacity_bytes;
	return 0;
}

static int list(struct listing *listing)
{
	fixture.err = (struct error){0};
	return fixture.driver.list_volumes(
		fixture.driver.self, count_volume, listing, &fixture.err);
}

static void create_many(int count)
{
	for (int i = 0; i < count; i++) {
		struct csi_create_request request = plain;
		struct csi_volume volume;
		char name[16];

		snprintf(name, sizeof(name), "pvc-%d", i);
		request.name = name;
		request.required_bytes = i;
		assert_int_equal(create(&request, &volume), 0);
		csi_volume_done(&volume);
	}
}

static void test_list(void **state)
{
	struct listing listing = {0, SIZE_MAX, 0};

	(void)state;
	fixture.options.page_entries = 7;
	start_and_identify(10000);
	assert_int_equal(list(&listing), 0);
	assert_int_equal(listing.count, 0);
	create_many(23);
	assert_int_equal(list(&listing), 0);
	assert_int_equal(listing.count, 23);
	assert_int_equal(listing.bytes, 22 * 23 / 2);
	check_asked("the last page", "max_entries=500 starting_token=21");
	listing = (struct listing){0, 5, 0};
	assert_int_equal(list(&listing), -1);
	assert_string_equal(fixture.err.text, "enough");
}

static void test_wrong_lists(void **state)
{
	static const struct {
		struct scripted_rule rule;
		enum error_kind kind;
		const char *text;
	} rows[] = {
		{{.answer = SCRIPTED_ENDLESS}, ERROR_ABORTED,
			"the driver's list of volumes does not end"},
		{{.answer = SCRIPTED_REPEATING}, ERROR_ABORTED,
			"the driver's list of volumes repeats itself"},
		{{.answer = SCRIPTED_NO_VOLUME}, ERROR_ABORTED,
			"the driver listed an entry without a volume"},
		{{.answer = SCRIPTED_NO_ID}, ERROR_ABORTED,
			"the driver answered without a volume id"},
		{{.answer = SCRIPTED_GARBAGE}, ERROR_ABORTED,
			"the answer to ListVolumes does not decode"},
		{{.answer = SCRIPTED_FAIL, .after = 1, .kind = ERROR_ABORTED, .text = "start over"},
			ERROR_ABORTED, "start over"},
	};

	(void)state;
	fixture.options.page_entries = 1;
	start_and_identify(10000);
	create_many(2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct listing listing = {0, SIZE_MAX, 0};

		scripted_driver_set(fixture.server, &rows[i].rule, 1);
		assert_case(rows[i].text, list(&listing) == -1);
		assert_case(rows[i].text, fixture.err.kind == rows[i].kind);
		assert_case_text(rows[i].text, fixture.err.text, rows[i].text);
	}
}

/* Every method of the Controller, with the kind of the driver's status and its words. */
static void check_failure(const char *name, enum error_kind kind, const char *text)
{
	const struct csi_expand_request grow = {.handle = "h1",
		.access_modes = &modes,
		.mount_options = &mount_options,
		.fs_type = ""};
	struct listing listing = {0, SIZE_MAX, 0};
	struct csi_volume volume;
	int64_t bytes;
	bool node;

	for (int i = 0; i < 5; i++) {
		fixture.err = (struct error){0};
		assert_case(name,
			(i == 0          ? create(&plain, &volume)
				: i == 1 ? delete_handle("h1", NULL)
				: i == 2 ? expand(&grow, &bytes, &node)
				: i == 3 ? list(&listing)
					 : fixture.driver.modify_volume(fixture.driver.self, "h1",
						   &parameters, NULL, &fixture.err)) == -1);
		assert_case(name, fixture.err.kind == kind);
		assert_case_text(name, fixture.err.text, text);
	}
}

static void test_error_kinds(void **state)
{
	static const enum error_kind kinds[] = {ERROR_CANCELLED, ERROR_INVALID, ERROR_TIMEOUT,
		ERROR_NOT_FOUND, ERROR_ALREADY_EXISTS, ERROR_FORBIDDEN, ERROR_EXHAUSTED,
		ERROR_FAILED_PRECONDITION, ERROR_ABORTED, ERROR_OUT_OF_RANGE, ERROR_UNIMPLEMENTED,
		ERROR_INTERNAL, ERROR_UNAVAILABLE, ERROR_UNAUTHORIZED};

	(void)state;
	start_and_identify(10000);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct scripted_rule rule = {.kind = kinds[i], .text = "the driver said no"};

		scripted_driver_set(fixture.server, &rule, 1);
		check_failure(error_kind_name(kinds[i]), kinds[i], "the driver said no");
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *said, *text;
	} rows[] = {
		{"", "CreateVolume failed with FAILED_PRECONDITION and no message"},
		{"login bob/hunter2 failed", "login bob/******* failed"},
		{"hunter2hunter2", "**************"},
		{"password=hunt", "password=****"}, /* as if the text had been cut there */
		{"a hunter", "a ******"}, {"a hunter hunts", "a hunter hunts"},
		{"bob", "bob"}, /* too short to be told from a word */
	};

	(void)state;
	start_and_identify(10000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct scripted_rule rule = {
			.kind = ERROR_FAILED_PRECONDITION, .text = rows[i].said};
		struct csi_create_request request = plain;
		struct csi_volume volume;

		request.secrets = &secrets;
		scripted_driver_set(fixture.server, &rule, 1);
		assert_case(rows[i].said, create(&request, &volume) == -1);
		assert_case_text(rows[i].said, fixture.err.text, rows[i].text);
	}
}

static void test_timeout(void **state)
{
	static const struct scripted_rule rule = {"CreateVolume", .answer = SCRIPTED_HANG};
	struct csi_volume volume;

	(void)state;
	start_and_identify(100);
	scripted_driver_set(fixture.server, &rule, 1);
	assert_int_equal(create(&plain, &volume), -1);
	assert_int_equal(fixture.err.kind, ERROR_TIMEOUT);
	assert_string_equal(fixture.err.text, "no answer to CreateVolume within 0.1 s");
}

static bool driver_is_back(void *context)
{
	return create(&plain, context) == 0;
}

/* The same client finds a driver again that was away, and the driver its volumes. */
static void test_restart(void **state)
{
	_cleanup_free_ char *file = NULL;
	struct csi_volume volume;

	(void)state;
	if (asprintf(&file, "%s/state", fixture.folder) < 0)
		abort();
	fixture.options.state_file = file;
	start_and_identify(10000);
	assert_int_equal(create(&plain, &volume), 0);
	csi_volume_done(&volume);
	scripted_driver_stop(take_ptr(fixture.server));
	assert_int_equal(create(&plain, &volume), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	start(10000);
	assert_int_equal(scripted_driver_volume(fixture.server, "pvc-1"), 1LL << 40);
	assert_true(wait_until(driver_is_back, &volume));
	assert_string_equal(volume.handle, "h1");
	csi_volume_done(&volume);
	assert_int_equal(delete_handle("h1", NULL), 0);
	assert_int_equal(scripted_driver_volumes(fixture.server), 0);
	/* A volume of that name again is another one. */
	assert_int_equal(create(&plain, &volume), 0);
	assert_string_equal(volume.handle, "h2");
	csi_volume_done(&volume);
}

/* build/tests/provisioner/scripted_driver, beside which this test was built. */
static pid_t spawn_driver(char *endpoint, char *state_file)
{
	char path[4096];
	ssize_t length =
		readlink("/proc/self/exe", path, sizeof(path) - sizeof("/scripted_driver"));
	char *argv[] = {(char *)"scripted_driver", endpoint, state_file,
		(char *)"--name=d.example.com", (char *)"--crash-after=CreateVolume:2",
		(char *)"--fail=DeleteVolume:10:1", NULL};
	posix_spawn_file_actions_t files;
	pid_t pid;

	assert_true(length > 0);
	path[length] = '\0';
	strcpy(strrchr(path, '/'), "/scripted_driver");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawn(&pid, path, &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	return pid;
}

static bool is_identified(void *context)
{
	(void)context;
	return identify() == 0;
}

/* A driver that dies before it answers: what it did shows when it is back. */
static void test_crash(void **state)
{
	_cleanup_free_ char *endpoint = NULL, *state_file = NULL;
	struct csi_create_request request = plain;
	struct csi_volume volume;
	int status;
	pid_t pid;

	(void)state;
	if (asprintf(&endpoint, "--endpoint=unix://%s", fixture.socket) < 0 ||
		asprintf(&state_file, "--state=%s/state", fixture.folder) < 0)
		abort();
	assert_int_equal(csi_client_new(fixture.socket, 10000, &fixture.client, NULL), 0);
	pid = spawn_driver(endpoint, state_file);
	assert_true(wait_until(is_identified, NULL));
	assert_int_equal(create(&plain, &volume), 0);
	csi_volume_done(&volume);
	request.name = "pvc-2";
	assert_int_equal(create(&request, &volume), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	pid = spawn_driver(endpoint, state_file);
	assert_true(wait_until(is_identified, NULL));
	assert_int_equal(create(&request, &volume), 0);
	assert_string_equal(volume.handle, "h2");
	csi_volume_done(&volume);
	assert_int_equal(delete_handle("h2", NULL), -1);
	assert_int_equal(fixture.err.kind, ERROR_ABORTED);
	assert_int_equal(delete_handle("h2", NULL), 0);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_no_driver(void **state)
{
	_cleanup_(csi_client_freep) struct csi_client *client = NULL;
	struct csi_volume volume;

	(void)state;
	start_and_identify(10000);
	/* A second client, on a socket that is not there, with the table of the first. */
	assert_int_equal(csi_client_new("unix:///nowhere/csi.sock", 1000, &client, NULL), 0);
	fixture.driver.self = client;
	assert_int_equal(create(&plain, &volume), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	/* What is wrong with the socket is told at once. */
	assert_int_equal(csi_client_identify(client, &fixture.driver, &fixture.err), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	assert_non_null(strstr(fixture.err.text, "No such file or directory"));
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

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
		TEST(test_wrong_answers),
		TEST(test_odd_answers),
		TEST(test_delete),
		TEST(test_expand),
		TEST(test_expanded_size),
		TEST(test_modify),
		TEST(test_list),
		TEST(test_wrong_lists),
		TEST(test_error_kinds),
		TEST(test_words),
		TEST(test_timeout),
		TEST(test_restart),
		TEST(test_crash),
		TEST(test_no_driver),
		cmocka_unit_test(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
