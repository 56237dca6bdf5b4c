/* SPDX-License-Identifier: Apache-2.0 */
#include "csi_client.h"

#include <semaphore.h>
#include <string.h>

#include "csi.pb-c.h"
#include "names.h"
#include "rpc_server.h" /* the driver's own server, with a scripted driver behind it */
#include "testing.h"

#define MODE(name)       CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__##name
#define CAPABILITY(name) CSI__V1__CONTROLLER_SERVICE_CAPABILITY__RPC__TYPE__##name
#define SERVICE(name)    CSI__V1__PLUGIN_CAPABILITY__SERVICE__TYPE__##name

/* How the driver answers, and what it was asked. */
static struct driver {
	const char *name, *manifest;      /* value of our key in its manifest, or NULL */
	int ready;                        /* Probe: 1, 0, or -1 to say nothing */
	int services[3], capabilities[5]; /* ending with 0 */
	enum error_kind fails;            /* every call; or ERROR_NONE */
	const char *says;                 /* when it fails */
	const char *handle;               /* "": none; NULL: no volume at all */
	int64_t capacity;
	sem_t *hang; /* CreateVolume waits for it */
	char asked[2048];
} driver;

static int get_plugin_info(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	Csi__V1__GetPluginInfoResponse response = CSI__V1__GET_PLUGIN_INFO_RESPONSE__INIT;
	Csi__V1__GetPluginInfoResponse__ManifestEntry entry =
		CSI__V1__GET_PLUGIN_INFO_RESPONSE__MANIFEST_ENTRY__INIT;
	Csi__V1__GetPluginInfoResponse__ManifestEntry *entries = &entry;

	(void)context;
	(void)request;
	if (driver.fails)
		return error_set(err, driver.fails, "%s", driver.says);
	response.name = (char *)driver.name;
	response.vendor_version = (char *)"1.2.3";
	entry.key = (char *)ORDINAL_MANIFEST_KEY;
	entry.value = (char *)driver.manifest;
	response.n_manifest = driver.manifest ? 1 : 0;
	response.manifest = &entries;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int get_plugin_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	Csi__V1__GetPluginCapabilitiesResponse response =
		CSI__V1__GET_PLUGIN_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__PluginCapability messages[3], *pointers[3];
	Csi__V1__PluginCapability__Service services[3];

	(void)context;
	(void)request;
	(void)err;
	for (size_t i = 0; driver.services[i]; i++) {
		csi__v1__plugin_capability__init(&messages[i]);
		csi__v1__plugin_capability__service__init(&services[i]);
		services[i].type = (Csi__V1__PluginCapability__Service__Type)driver.services[i];
		messages[i].type_case = CSI__V1__PLUGIN_CAPABILITY__TYPE_SERVICE;
		messages[i].service = &services[i];
		pointers[response.n_capabilities++] = &messages[i];
	}
	response.capabilities = pointers;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int get_capabilities(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	Csi__V1__ControllerGetCapabilitiesResponse response =
		CSI__V1__CONTROLLER_GET_CAPABILITIES_RESPONSE__INIT;
	Csi__V1__ControllerServiceCapability messages[5], *pointers[5];
	Csi__V1__ControllerServiceCapability__RPC rpcs[5];

	(void)context;
	(void)request;
	(void)err;
	for (size_t i = 0; driver.capabilities[i]; i++) {
		csi__v1__controller_service_capability__init(&messages[i]);
		csi__v1__controller_service_capability__rpc__init(&rpcs[i]);
		rpcs[i].type =
			(Csi__V1__ControllerServiceCapability__RPC__Type)driver.capabilities[i];
		messages[i].type_case = CSI__V1__CONTROLLER_SERVICE_CAPABILITY__TYPE_RPC;
		messages[i].rpc = &rpcs[i];
		pointers[response.n_capabilities++] = &messages[i];
	}
	response.capabilities = pointers;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int probe(
	void *context, const ProtobufCMessage *request, struct rpc_reply *reply, struct error *err)
{
	Csi__V1__ProbeResponse response = CSI__V1__PROBE_RESPONSE__INIT;
	Google__Protobuf__BoolValue ready = GOOGLE__PROTOBUF__BOOL_VALUE__INIT;

	(void)context;
	(void)request;
	(void)err;
	ready.value = driver.ready == 1;
	if (driver.ready >= 0)
		response.ready = &ready;
	rpc_reply_set(reply, &response.base);
	return 0;
}

/* What was asked for, as text. */
static void note_create(const Csi__V1__CreateVolumeRequest *request)
{
	FILE *out = fmemopen(driver.asked, sizeof(driver.asked), "w");

	fprintf(out, "%s %lld-%lld", request->name,
		(long long)request->capacity_range->required_bytes,
		(long long)request->capacity_range->limit_bytes);
	for (size_t i = 0; i < request->n_parameters; i++)
		fprintf(out, " %s=%s", request->parameters[i]->key, request->parameters[i]->value);
	for (size_t i = 0; i < request->n_volume_capabilities; i++) {
		const Csi__V1__VolumeCapability *capability = request->volume_capabilities[i];

		fprintf(out, " mode %d", (int)capability->access_mode->mode);
		if (capability->access_type_case == CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK)
			fputs(" block", out);
		else
			fprintf(out, " mount %s", capability->mount->fs_type);
		for (size_t j = 0; capability->access_type_case ==
					   CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT &&
				   j < capability->mount->n_mount_flags;
			j++)
			fprintf(out, ",%s", capability->mount->mount_flags[j]);
	}
	for (size_t i = 0; request->accessibility_requirements &&
			   i < request->accessibility_requirements->n_requisite;
		i++)
		fprintf(out, " topology %s=%s, %zu preferred",
			request->accessibility_requirements->requisite[i]->segments[0]->key,
			request->accessibility_requirements->requisite[i]->segments[0]->value,
			request->accessibility_requirements->n_preferred);
	fprintf(out, " secrets %zu%s", request->n_secrets,
		request->volume_content_source ? " source" : "");
	fclose(out);
}

static int create_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	Csi__V1__CreateVolumeResponse response = CSI__V1__CREATE_VOLUME_RESPONSE__INIT;
	Csi__V1__Volume volume = CSI__V1__VOLUME__INIT;
	Csi__V1__Volume__VolumeContextEntry entry = CSI__V1__VOLUME__VOLUME_CONTEXT_ENTRY__INIT;
	Csi__V1__Volume__VolumeContextEntry *entries = &entry;
	Csi__V1__Topology topology = CSI__V1__TOPOLOGY__INIT, *topologies = &topology;
	Csi__V1__Topology__SegmentsEntry segment = CSI__V1__TOPOLOGY__SEGMENTS_ENTRY__INIT;
	Csi__V1__Topology__SegmentsEntry *segments = &segment;

	(void)context;
	note_create((const Csi__V1__CreateVolumeRequest *)message);
	if (driver.hang)
		sem_wait(driver.hang);
	if (driver.fails)
		return error_set(err, driver.fails, "%s", driver.says);
	entry.key = (char *)"share";
	entry.value = (char *)"/x";
	segment.key = (char *)"host";
	segment.value = (char *)"h1";
	topology.n_segments = 1;
	topology.segments = &segments;
	volume.volume_id = (char *)driver.handle;
	volume.capacity_bytes = driver.capacity;
	volume.n_volume_context = 1;
	volume.volume_context = &entries;
	volume.n_accessible_topology = 1;
	volume.accessible_topology = &topologies;
	response.volume = driver.handle ? &volume : NULL;
	rpc_reply_set(reply, &response.base);
	return 0;
}

static int delete_volume(
	void *context, const ProtobufCMessage *message, struct rpc_reply *reply, struct error *err)
{
	const Csi__V1__DeleteVolumeRequest *request = (const Csi__V1__DeleteVolumeRequest *)message;
	Csi__V1__DeleteVolumeResponse response = CSI__V1__DELETE_VOLUME_RESPONSE__INIT;

	(void)context;
	snprintf(driver.asked, sizeof(driver.asked), "%s secrets %zu", request->volume_id,
		request->n_secrets);
	if (driver.fails)
		return error_set(err, driver.fails, "%s", driver.says);
	rpc_reply_set(reply, &response.base);
	return 0;
}

static const struct rpc_method methods[] = {
	{"/csi.v1.Identity/GetPluginInfo", &csi__v1__get_plugin_info_request__descriptor,
		get_plugin_info, NULL},
	{"/csi.v1.Identity/GetPluginCapabilities",
		&csi__v1__get_plugin_capabilities_request__descriptor, get_plugin_capabilities,
		NULL},
	{"/csi.v1.Identity/Probe", &csi__v1__probe_request__descriptor, probe, NULL},
	{"/csi.v1.Controller/ControllerGetCapabilities",
		&csi__v1__controller_get_capabilities_request__descriptor, get_capabilities, NULL},
	{"/csi.v1.Controller/CreateVolume", &csi__v1__create_volume_request__descriptor,
		create_volume, NULL},
	{"/csi.v1.Controller/DeleteVolume", &csi__v1__delete_volume_request__descriptor,
		delete_volume, NULL},
	{.path = NULL},
};

static const struct rpc_service services[] = {{methods, NULL}, {.methods = NULL}};

/* A driver that works, on a socket, and a client of it. */
static struct fixture {
	char *folder, *socket;
	struct rpc_server *server;
	struct csi_client *client;
	struct csi_driver driver;
	struct error err;
} fixture;

static void start_client(int timeout_ms)
{
	assert_int_equal(
		csi_client_new(fixture.socket, timeout_ms, &fixture.client, &fixture.err), 0);
}

static int set_up(void **state)
{
	struct rpc_server_options options = {
		.socket_mode = 0600, .socket_gid = (gid_t)-1, .services = services, .workers = 2};

	(void)state;
	driver = (struct driver){.name = "d.example.com",
		.says = "the driver said no",
		.ready = 1,
		.services = {SERVICE(CONTROLLER_SERVICE)},
		.capabilities = {CAPABILITY(CREATE_DELETE_VOLUME)},
		.handle = "h1"};
	fixture = (struct fixture){.folder = make_folder()};
	if (asprintf(&fixture.socket, "%s/csi.sock", fixture.folder) < 0)
		abort();
	options.socket_path = fixture.socket;
	assert_int_equal(rpc_server_start(&options, &fixture.server, &fixture.err), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	csi_client_freep(&fixture.client);
	rpc_server_stop(fixture.server, 0);
	remove_folder(fixture.folder);
	free(fixture.socket);
	return 0;
}

static int identify(void)
{
	fixture.err = (struct error){0};
	return csi_client_identify(fixture.client, &fixture.driver, &fixture.err);
}

static void test_identify(void **state)
{
	(void)state;
	driver.manifest = ORDINAL_MANIFEST_VALUE;
	driver.services[1] = SERVICE(VOLUME_ACCESSIBILITY_CONSTRAINTS);
	driver.capabilities[1] = CAPABILITY(PUBLISH_UNPUBLISH_VOLUME);
	driver.capabilities[2] = CAPABILITY(SINGLE_NODE_MULTI_WRITER);
	driver.capabilities[3] = 999; /* of a later specification */
	start_client(10000);
	assert_int_equal(identify(), 0);
	assert_string_equal(fixture.driver.info.name, "d.example.com");
	assert_string_equal(fixture.driver.info.version, "1.2.3");
	assert_true(fixture.driver.info.ours && fixture.driver.info.create_delete);
	assert_true(fixture.driver.info.topology && fixture.driver.info.attaches);
	assert_true(fixture.driver.info.single_node_multi_writer);
}

static void test_identify_little(void **state)
{
	(void)state;
	driver.ready = -1; /* not to say it means that it is ready */
	driver.manifest = "something-else";
	driver.capabilities[0] = CAPABILITY(PUBLISH_UNPUBLISH_VOLUME);
	start_client(10000);
	assert_int_equal(identify(), 0);
	assert_false(fixture.driver.info.ours || fixture.driver.info.create_delete);
	assert_false(fixture.driver.info.topology);
	assert_false(fixture.driver.info.single_node_multi_writer);
}

/* Without the controller service its methods need not exist, and are not asked. */
static void test_no_controller_service(void **state)
{
	(void)state;
	driver.services[0] = 0;
	start_client(10000);
	assert_int_equal(identify(), 0);
	assert_false(fixture.driver.info.create_delete);
}

static void test_not_ready(void **state)
{
	(void)state;
	driver.ready = 0;
	start_client(10000);
	assert_int_equal(identify(), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
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
	start_client(10000);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		driver.name = names[i].name;
		assert_case(names[i].name, identify() == names[i].result);
		assert_case(names[i].name, !names[i].result || fixture.err.kind == ERROR_INVALID);
	}
}

static char *texts[] = {(char *)"ReadWriteOnce", (char *)"ReadWriteOncePod", (char *)"ReadOnlyMany",
	(char *)"ReadWriteMany", (char *)"Odd"};

/* Ask for NAME with all access modes. */
static int create(
	bool block, const struct csi_topologies *topologies, struct csi_volume *ret_volume)
{
	char *flags[] = {(char *)"hard", (char *)"noatime"};
	struct string_pair pairs[] = {{(char *)"a", (char *)"1"}, {(char *)"b", (char *)"2"}};
	struct string_map parameters = {pairs, 2};
	struct strings modes = {texts, ARRAY_SIZE(texts)}, options = {flags, 2};
	struct csi_create_request request = {.name = "pvc-1",
		.required_bytes = 1LL << 40,
		.parameters = &parameters,
		.access_modes = &modes,
		.mount_options = &options,
		.fs_type = "xfs",
		.block = block,
		.requisite = topologies,
		.preferred = topologies};

	return fixture.driver.create_volume(
		fixture.driver.self, &request, ret_volume, &fixture.err);
}

static void test_create(void **state)
{
	struct string_map topology = {.count = 0};
	struct csi_volume volume;

	(void)state;
	driver.capacity = 1LL << 41;
	start_client(10000);
	assert_int_equal(identify(), 0);
	string_map_add(&topology, "host", "h1");
	assert_int_equal(create(false, &(struct csi_topologies){&topology, 1}, &volume), 0);
	string_map_done(&topology);
	assert_string_equal(driver.asked,
		"pvc-1 1099511627776-0 a=1 b=2 mode 1 mount xfs,hard,noatime"
		" mode 1 mount xfs,hard,noatime mode 3 mount xfs,hard,noatime"
		" mode 5 mount xfs,hard,noatime mode 0 mount xfs,hard,noatime"
		" topology host=h1, 1 preferred secrets 0");
	assert_string_equal(volume.handle, "h1");
	assert_int_equal(volume.capacity_bytes, 1LL << 41);
	assert_string_equal(string_map_get(&volume.context, "share"), "/x");
	assert_int_equal(volume.topologies.count, 1);
	assert_string_equal(string_map_get(&volume.topologies.items[0], "host"), "h1");
	csi_volume_done(&volume);
}

/* A driver that knows the newer modes is told them. */
static void test_newer_modes(void **state)
{
	struct csi_volume volume;

	(void)state;
	_Static_assert(MODE(SINGLE_NODE_SINGLE_WRITER) == 6 && MODE(SINGLE_NODE_MULTI_WRITER) == 7,
		"the text below says so");
	driver.capabilities[1] = CAPABILITY(SINGLE_NODE_MULTI_WRITER);
	start_client(10000);
	assert_int_equal(identify(), 0);
	assert_int_equal(create(true, NULL, &volume), 0);
	csi_volume_done(&volume);
	assert_string_equal(driver.asked,
		"pvc-1 1099511627776-0 a=1 b=2 mode 7 block mode 6 block mode 3 block"
		" mode 5 block mode 0 block secrets 0");
}

static void test_no_volume_in_the_answer(void **state)
{
	static const char *const handles[] = {NULL, ""};
	static const char *const texts_wanted[] = {
		"the driver answered without a volume", "the driver answered without a volume id"};
	struct csi_volume volume;

	(void)state;
	start_client(10000);
	assert_int_equal(identify(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		driver.handle = handles[i];
		assert_int_equal(create(false, NULL, &volume), -1);
		assert_string_equal(fixture.err.text, texts_wanted[i]);
		/* It may have made one: not a final answer. */
		assert_int_equal(fixture.err.kind, ERROR_ABORTED);
	}
}

static void test_delete(void **state)
{
	(void)state;
	start_client(10000);
	assert_int_equal(identify(), 0);
	assert_int_equal(
		fixture.driver.delete_volume(fixture.driver.self, "h/7", NULL, &fixture.err), 0);
	assert_string_equal(driver.asked, "h/7 secrets 0");
}

/* The kind of the driver's status comes through, with its words. */
static void test_error_kinds(void **state)
{
	static const enum error_kind kinds[] = {ERROR_CANCELLED, ERROR_INVALID, ERROR_TIMEOUT,
		ERROR_NOT_FOUND, ERROR_ALREADY_EXISTS, ERROR_FORBIDDEN, ERROR_EXHAUSTED,
		ERROR_FAILED_PRECONDITION, ERROR_ABORTED, ERROR_OUT_OF_RANGE, ERROR_UNIMPLEMENTED,
		ERROR_INTERNAL, ERROR_UNAVAILABLE, ERROR_UNAUTHORIZED};
	struct csi_volume volume;

	(void)state;
	start_client(10000);
	assert_int_equal(identify(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *name = error_kind_name(kinds[i]);

		driver.fails = kinds[i];
		assert_case(name, create(false, NULL, &volume) == -1);
		assert_case(name, fixture.err.kind == kinds[i]);
		assert_case_text(name, fixture.err.text, "the driver said no");
		assert_case(name, fixture.driver.delete_volume(
					  fixture.driver.self, "h", NULL, &fixture.err) == -1);
		assert_case(name, fixture.err.kind == kinds[i]);
	}
}

static void test_no_words(void **state)
{
	struct csi_volume volume;

	(void)state;
	start_client(10000);
	assert_int_equal(identify(), 0);
	driver.fails = ERROR_FAILED_PRECONDITION;
	driver.says = "";
	assert_int_equal(create(false, NULL, &volume), -1);
	assert_string_equal(
		fixture.err.text, "CreateVolume failed with FAILED_PRECONDITION and no message");
}

static void test_timeout(void **state)
{
	struct csi_volume volume;
	sem_t hang;

	(void)state;
	sem_init(&hang, 0, 0);
	driver.hang = &hang;
	start_client(100);
	assert_int_equal(identify(), 0);
	assert_int_equal(create(false, NULL, &volume), -1);
	assert_int_equal(fixture.err.kind, ERROR_TIMEOUT);
	assert_string_equal(fixture.err.text, "no answer to CreateVolume within 0.1 s");
	sem_post(&hang);
}

static void test_no_driver(void **state)
{
	_cleanup_(csi_client_freep) struct csi_client *client = NULL;
	struct csi_driver table;
	struct csi_volume volume;

	(void)state;
	start_client(10000);
	assert_int_equal(identify(), 0);
	table = fixture.driver;
	/* A second client, on a socket that is not there, with the table of the first. */
	assert_int_equal(csi_client_new("unix:///nowhere/csi.sock", 1000, &client, NULL), 0);
	table.self = client;
	fixture.driver = table;
	assert_int_equal(create(false, NULL, &volume), -1);
	assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
	/* What is wrong with the socket is told at once. */
	assert_int_equal(csi_client_identify(client, &table, &fixture.err), -1);
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
		TEST(test_not_ready),
		TEST(test_names),
		TEST(test_create),
		TEST(test_newer_modes),
		TEST(test_no_volume_in_the_answer),
		TEST(test_delete),
		TEST(test_error_kinds),
		TEST(test_no_words),
		TEST(test_timeout),
		TEST(test_no_driver),
		cmocka_unit_test(test_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
