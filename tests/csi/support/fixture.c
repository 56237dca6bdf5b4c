/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base_check.h"
#include "helper.h"
#include "map_entry.h"
#include "publishing.h"

#define PARAMETERS_MAX 16
#define KEY_MAX        8192

/* A test program is its own helper, as the driver's is. */
static __attribute__((constructor)) void be_a_helper(int argc, char **argv)
{
	if (helper_is_asked_for(argc, argv))
		_exit(helper_main(argc, argv));
}

unsigned fixture_backend(void)
{
	const char *backend = getenv("ORDINAL_BACKEND");

	if (!backend || strcmp(backend, "nfs"))
		return FIXTURE_HOSTPATH;
	return getenv("ORDINAL_EXPORT") ? FIXTURE_MOUNTED : FIXTURE_GIVEN;
}

bool fixture_is(unsigned backends)
{
	return !backends || (backends & fixture_backend());
}

bool fixture_is_nfs(void)
{
	return fixture_is(FIXTURE_NFS);
}

/* Exports that are mounted, and disks, are those of a guest. */
unsigned fixture_stride(void)
{
	return fixture_is(FIXTURE_MOUNTED) || getenv("ORDINAL_DISK") ? FIXTURE_GUEST_STRIDE : 1;
}

unsigned fixture_fewer(unsigned count)
{
	return (count + fixture_stride() - 1) / fixture_stride();
}

/* Where the export is mounted by the driver and by the tests, for all tests of a program: mounting
 * takes a while in a guest, and a new driver finds what another one has mounted. */
static char kept[64];

/* The export that is the base. */
static const struct location *nfs_export(void)
{
	static struct location location;
	const char *text = getenv("ORDINAL_EXPORT");

	if (!text)
		text = "nfs.example:/export";
	if (!*location.server && location_parse(&location, text, strlen(text), NULL) < 0)
		fail_msg("ORDINAL_EXPORT: \"%s\" is not server:/share", text);
	return &location;
}

static void choose_backend(struct fixture *fixture)
{
	char name[LOCATION_NAME_MAX + 1];

	fixture->roots.values[0] = fixture->root;
	fixture->roots.count = fixture_is(FIXTURE_MOUNTED) ? 0 : 1;
	location_name(nfs_export(), name);
	snprintf(fixture->export, sizeof(fixture->export), "%s=%s", name, fixture->root);
	fixture->exports.values[0] = fixture->export;
	fixture->exports.count = fixture_is(FIXTURE_MOUNTED) ? 0 : 1;
	fixture->backend = (struct backend){
		.ops = fixture_is_nfs() ? &backend_nfs : &backend_hostpath,
		.roots = &fixture->roots,
		.exports = &fixture->exports,
	};
	if (!fixture_is_nfs())
		return;
	snprintf(fixture->mount_dir, sizeof(fixture->mount_dir), "%s/mounts",
		fixture_is(FIXTURE_MOUNTED) ? kept : fixture->dir);
	exports_init(&fixture->mounts, fixture->mount_dir);
	fixture->backend.mounts = &fixture->mounts;
}

static void mount_kept(void)
{
	char name[LOCATION_NAME_MAX + 1], command[LOCATION_NAME_MAX + 200];

	strcpy(kept, "/run/ordinal-csi-test.XXXXXX");
	assert_non_null(mkdtemp(kept));
	location_name(nfs_export(), name);
	snprintf(command, sizeof(command), "mkdir '%s/root' && mount -t nfs '%s' '%s/root'", kept,
		name, kept);
	assert_int_equal(system(command), 0);
}

static const char *kept_root(void)
{
	static char path[80];

	snprintf(path, sizeof(path), "%s/root", kept);
	return path;
}

static void bind_root(const struct fixture *fixture, const char *source)
{
	assert_int_equal(mount(source, fixture->root, NULL, MS_BIND, NULL), 0);
	base_clear(fixture->root);
}

int fixture_scratch(void **state)
{
	static bool own_namespace;
	struct fixture *fixture;

	if (!own_namespace && (unshare(CLONE_NEWNS) < 0 ||
				      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) {
		perror("these tests mount things, which needs root");
		return -1;
	}
	own_namespace = true;
	fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	strcpy(fixture->dir, "/tmp/ordinal-csi-test.XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	assert_int_equal(mount("tmpfs", fixture->dir, "tmpfs", 0, "size=64m,mode=0755"), 0);
	snprintf(fixture->root, sizeof(fixture->root), "%s/root", fixture->dir);
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/csi.sock", fixture->dir);
	assert_int_equal(mkdir(fixture->root, 0755), 0);
	if (fixture_is(FIXTURE_MOUNTED) && !*kept)
		mount_kept();
	choose_backend(fixture);
	*state = fixture;
	/* The tests' own way into an export shares its caches with the driver's mount, as pods do.
	 */
	if (fixture_is(FIXTURE_MOUNTED))
		bind_root(fixture, kept_root());
	else if (getenv("ORDINAL_DISK"))
		bind_root(fixture, getenv("ORDINAL_DISK"));
	return 0;
}

void fixture_start(struct fixture *fixture)
{
	struct rpc_server_options options = {
		.socket_path = fixture->socket,
		.socket_mode = 0660,
		.socket_gid = (gid_t)-1,
		.services = fixture->services,
		.workers = 16,
		.cancelled = driver_interrupt,
		.cancelled_context = &fixture->driver,
	};
	struct error err = {0};

	driver_start(&fixture->driver, fixture_driver_name(), "node-1", &fixture->backend);
	fixture->services[0] = (struct rpc_service){identity_methods, &fixture->driver};
	fixture->services[1] = (struct rpc_service){controller_methods, &fixture->driver};
	fixture->services[2] = (struct rpc_service){node_methods, &fixture->driver};
	if (rpc_server_start(&options, &fixture->server, &err) < 0 ||
		rpc_client_new(fixture->socket, &fixture->client, &err) < 0)
		fail_msg("%s", err.text);
	fixture_visit(&fixture->driver.volumes);
}

void fixture_stop(struct fixture *fixture)
{
	rpc_client_free(fixture->client);
	volumes_interrupt(&fixture->driver.volumes);
	rpc_server_stop(fixture->server, 1000);
	driver_stop(&fixture->driver);
	fixture->server = NULL;
}

int fixture_driver(void **state)
{
	if (fixture_scratch(state) < 0)
		return -1;
	fixture_start(*state);
	return 0;
}

int fixture_done(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->server)
		fixture_stop(fixture);
	if (fixture->backend.mounts)
		exports_done(fixture->backend.mounts);
	umount2(fixture->dir, MNT_DETACH);
	rmdir(fixture->dir);
	free(fixture);
	return 0;
}

const char *fixture_driver_name(void)
{
	return fixture_is_nfs() ? "nfs.ordinal.dev" : "hostpath.ordinal.dev";
}

void fixture_base(const struct backend *backend, struct volume_id *id)
{
	const struct location *location = nfs_export();

	strcpy(id->server, fixture_is_nfs() ? location->server : "");
	strcpy(id->share, fixture_is_nfs() ? location->share : backend->roots->values[0]);
}

char *fixture_base_name(const struct fixture *fixture)
{
	char name[LOCATION_NAME_MAX + 1];
	struct location location = {0};

	if (fixture_is_nfs())
		location = *nfs_export();
	else
		strcpy(location.share, fixture->root);
	location_name(&location, name);
	return strdup(name);
}

void fixture_id(const struct fixture *fixture, const char *name, char ret[VOLUME_ID_MAX + 1])
{
	struct volume_id id = {0};

	volume_id_hash(name, &id.hash);
	fixture_base(&fixture->backend, &id);
	assert_int_equal(volume_id_format(&id, ret, NULL), 0);
}

void fixture_locate(struct parameters *parameters)
{
	if (!fixture_is(FIXTURE_MOUNTED) || parameters->server || parameters->share)
		return;
	parameters->server = nfs_export()->server;
	parameters->share = nfs_export()->share;
}

void fixture_visit(struct volumes *volumes)
{
	struct volume_id id = {0};
	char text[VOLUME_ID_MAX + 1];
	struct error none;

	if (!fixture_is(FIXTURE_MOUNTED))
		return;
	volume_id_hash("nobody's", &id.hash);
	fixture_base(volumes->backend, &id);
	assert_int_equal(volume_id_format(&id, text, NULL), 0);
	(void)volumes_delete(volumes, text, NULL, &none);
}

int fixture_run(const struct CMUnitTest *tests, size_t count)
{
	_cleanup_free_ struct CMUnitTest *chosen = calloc(count, sizeof(*chosen));
	size_t left = 0;

	assert_non_null(chosen);
	for (size_t i = 0; i < count; i++) {
		const struct fixture_only *only = tests[i].initial_state;

		if (!only || fixture_is(only->backends))
			chosen[left++] = tests[i];
		else
			print_message("[   NOT    ] %s, of other back ends: %s\n", tests[i].name,
				only->why);
	}
	return _cmocka_run_group_tests("tests", chosen, left, NULL, NULL);
}

const char *fixture_path(const struct fixture *fixture, const char *format, ...)
{
	static char buffers[8][512];
	static unsigned next;
	char *buffer = buffers[next++ % ARRAY_SIZE(buffers)];
	va_list args;
	int length = snprintf(buffer, sizeof(buffers[0]), "%s/", fixture->dir);

	va_start(args, format);
	vsnprintf(buffer + length, sizeof(buffers[0]) - (size_t)length, format, args);
	va_end(args);
	return buffer;
}

void *fixture_call(struct fixture *fixture, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response, struct error *err)
{
	char path[128];
	struct rpc_call call = {path, request, response, 30000, true};
	ProtobufCMessage *answer = NULL;

	snprintf(path, sizeof(path), "/csi.v1.%s", method);
	return rpc_client_call(fixture->client, &call, &answer, err) == 0 ? answer : NULL;
}

void fixture_check(
	const char *what, const struct error *err, enum error_kind kind, const char *text)
{
	if (err->kind != kind || (text && !strstr(err->text, text)))
		fail_msg("%s: %s: \"%s\", but %s with \"%s\" is right", what,
			error_kind_name(err->kind), err->text, error_kind_name(kind),
			text ? text : "");
}

void *fixture_expect(struct fixture *fixture, const char *method, const void *request,
	const ProtobufCMessageDescriptor *response, enum error_kind kind, const char *text)
{
	struct error err = {0};
	void *answer = fixture_call(fixture, method, request, response, &err);

	fixture_check(method, &err, kind, text);
	return answer;
}

void fixture_free(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
}

/* Fill ENTRIES from "key=value" texts; the keys are copied to KEYS. */
static size_t fill_parameters(const char *const *texts,
	Csi__V1__CreateVolumeRequest__ParametersEntry *entries,
	Csi__V1__CreateVolumeRequest__ParametersEntry **pointers, char (*keys)[KEY_MAX])
{
	size_t count = 0;

	for (; count < PARAMETERS_MAX && texts[count]; count++) {
		snprintf(keys[count], sizeof(keys[count]), "%s", texts[count]);
		csi__v1__create_volume_request__parameters_entry__init(&entries[count]);
		entries[count].key = keys[count];
		entries[count].value = strchr(keys[count], '=');
		*entries[count].value++ = '\0';
		pointers[count] = &entries[count];
	}
	return count;
}

/* What SOURCE, a volume or snapshot, is to CreateVolume; in static memory. */
static Csi__V1__VolumeContentSource *content_source(const char *source)
{
	static Csi__V1__VolumeContentSource content;
	static Csi__V1__VolumeContentSource__VolumeSource volume;
	static Csi__V1__VolumeContentSource__SnapshotSource snapshot;

	csi__v1__volume_content_source__init(&content);
	csi__v1__volume_content_source__volume_source__init(&volume);
	csi__v1__volume_content_source__snapshot_source__init(&snapshot);
	volume.volume_id = snapshot.snapshot_id = (char *)source;
	if (volume_id_is_snapshot(source)) {
		content.type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_SNAPSHOT;
		content.snapshot = &snapshot;
	} else {
		content.type_case = CSI__V1__VOLUME_CONTENT_SOURCE__TYPE_VOLUME;
		content.volume = &volume;
	}
	return &content;
}

static void check_content_source(const Csi__V1__VolumeContentSource *content, const char *source)
{
	assert_true(!content == !source);
	if (source)
		assert_string_equal(volume_id_is_snapshot(source) ? content->snapshot->snapshot_id
								  : content->volume->volume_id,
			source);
}

static bool names_base(const struct create *create)
{
	for (size_t i = 0; i < ARRAY_SIZE(create->parameters) && create->parameters[i]; i++)
		if (!strncmp(create->parameters[i], "path=", 5) ||
			!strncmp(create->parameters[i], "server=", 7))
			return true;
	return false;
}

size_t fixture_add_location(const ProtobufCMessageDescriptor *type, void *entries, size_t count)
{
	static _Thread_local struct map_entry added[2];
	void **pointers = entries;

	if (!fixture_is(FIXTURE_MOUNTED))
		return count;
	for (size_t i = 0; i < ARRAY_SIZE(added); i++) {
		protobuf_c_message_init(type, &added[i].base);
		added[i].key = (char *)(i ? "share" : "server");
		added[i].value = (char *)(i ? nfs_export()->share : nfs_export()->server);
		pointers[count++] = &added[i];
	}
	return count;
}

char *fixture_create(struct fixture *fixture, const struct create *create, enum error_kind kind,
	const char *text)
{
	static char keys[PARAMETERS_MAX][KEY_MAX];
	Csi__V1__CreateVolumeRequest__ParametersEntry entries[PARAMETERS_MAX];
	Csi__V1__CreateVolumeRequest__ParametersEntry *pointers[PARAMETERS_MAX + 2];
	Csi__V1__CapacityRange range = CSI__V1__CAPACITY_RANGE__INIT;
	Csi__V1__VolumeCapability__AccessMode mode = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__VolumeCapability__MountVolume mount_volume =
		CSI__V1__VOLUME_CAPABILITY__MOUNT_VOLUME__INIT;
	Csi__V1__VolumeCapability__BlockVolume block =
		CSI__V1__VOLUME_CAPABILITY__BLOCK_VOLUME__INIT;
	Csi__V1__VolumeCapability capability = CSI__V1__VOLUME_CAPABILITY__INIT;
	Csi__V1__VolumeCapability *capabilities[] = {&capability};
	Csi__V1__CreateVolumeRequest request = CSI__V1__CREATE_VOLUME_REQUEST__INIT;
	char *options[] = {(char *)create->options};
	Csi__V1__CreateVolumeResponse *response;
	char *id = NULL;

	range.required_bytes = create->required;
	range.limit_bytes = create->limit;
	mode.mode = create->shared
			    ? CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER
			    : CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER;
	capability.access_mode = &mode;
	capability.access_type_case = create->block ? CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_BLOCK
						    : CSI__V1__VOLUME_CAPABILITY__ACCESS_TYPE_MOUNT;
	if (create->block)
		capability.block = &block;
	else
		capability.mount = &mount_volume;
	request.volume_content_source = create->source ? content_source(create->source) : NULL;
	mount_volume.mount_flags = options;
	mount_volume.n_mount_flags = create->options ? 1 : 0;
	request.name = (char *)create->name;
	request.capacity_range = create->required || create->limit ? &range : NULL;
	request.volume_capabilities = capabilities;
	request.n_volume_capabilities = create->no_capability ? 0 : 1;
	request.parameters = pointers;
	request.n_parameters = fill_parameters(create->parameters, entries, pointers, keys);
	if (!names_base(create))
		request.n_parameters = fixture_add_location(
			&csi__v1__create_volume_request__parameters_entry__descriptor, pointers,
			request.n_parameters);
	response = fixture_expect(fixture, "Controller/CreateVolume", &request,
		&csi__v1__create_volume_response__descriptor, kind, text);
	if (response) {
		assert_int_equal(response->volume->capacity_bytes, create->required);
		assert_int_equal(response->volume->n_accessible_topology, fixture_is_nfs() ? 0 : 1);
		check_content_source(response->volume->content_source, create->source);
		id = strdup(response->volume->volume_id);
	}
	fixture_free(response);
	return id;
}

void fixture_delete(struct fixture *fixture, const char *id, enum error_kind kind, const char *text)
{
	Csi__V1__DeleteVolumeRequest request = CSI__V1__DELETE_VOLUME_REQUEST__INIT;

	request.volume_id = (char *)id;
	fixture_free(fixture_expect(fixture, "Controller/DeleteVolume", &request,
		&csi__v1__delete_volume_response__descriptor, kind, text));
}

void fixture_publish(struct fixture *fixture, const char *id, const char *target)
{
	publishing_expect(
		fixture, &(struct publishing){.id = id, .target = target}, ERROR_NONE, NULL);
}

struct error fixture_try_unpublish(struct fixture *fixture, const char *id, const char *target)
{
	Csi__V1__NodeUnpublishVolumeRequest request = CSI__V1__NODE_UNPUBLISH_VOLUME_REQUEST__INIT;
	struct error err = {0};

	request.volume_id = (char *)id;
	request.target_path = (char *)target;
	fixture_free(fixture_call(fixture, "Node/NodeUnpublishVolume", &request,
		&csi__v1__node_unpublish_volume_response__descriptor, &err));
	return err;
}

void fixture_unpublish(struct fixture *fixture, const char *id, const char *target)
{
	struct error err = fixture_try_unpublish(fixture, id, target);

	if (err.kind)
		fail_msg("%s", err.text);
}

void fixture_write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

void fixture_check_file(const char *path, const char *text)
{
	char read_text[64] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_non_null(fgets(read_text, sizeof(read_text), file));
	assert_string_equal(read_text, text);
	fclose(file);
}

bool fixture_exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}
