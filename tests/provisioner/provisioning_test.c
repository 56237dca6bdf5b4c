/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning.h"

#include <string.h>

#include "names.h"
#include "testing.h"
#include "volume_object.h"
#include "world.h"

#define NO_SECRET                                                                                  \
	"'volume.kubernetes.io/provisioner-deletion-secret-name': '',"                             \
	"'volume.kubernetes.io/provisioner-deletion-secret-namespace': ''"

static const char web_0[] =
	"{'metadata': {'name': 'data-web-0', 'namespace': 'shop', 'uid': 'u1',"
	" 'resourceVersion': '77', 'labels': {'app': 'web'}},"
	"'spec': {'storageClassName': 'fast', 'accessModes': ['ReadWriteOnce', 'ReadOnlyMany'],"
	" 'resources': {'requests': {'storage': '1.5Gi'}}}}";
static const char plain[] = "{'metadata': {'name': 'plain', 'namespace': 'shop', 'uid': 'u1',"
			    " 'resourceVersion': '77'},"
			    "'spec': {'storageClassName': 'fast', 'volumeMode': 'Block',"
			    " 'resources': {'requests': {'storage': '1Gi'}}}}";
static const char class_delete[] =
	"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd.example.com',"
	"'parameters': {'server': 'nfs', 'csi.storage.k8s.io/fstype': 'xfs', 'share': '/x'},"
	"'mountOptions': ['hard', 'noatime']}";
static const char class_retain[] = "{'metadata': {'name': 'fast', 'uid': 'c1'},"
				   "'provisioner': 'd.example.com', 'reclaimPolicy': 'Retain'}";
static const char web_set[] = "{'metadata': {'name': 'web', 'namespace': 'shop', 'uid': 's1'},"
			      "'spec': {'selector': {'matchLabels': {'app': 'web'}},"
			      " 'volumeClaimTemplates': [{'metadata': {'name': 'data'}}]}}";

/* A claim's provisioning, with what it borrows. */
struct fixture {
	struct world world;
	struct claim *claim;
	struct storage_class *class;
	struct provisioning provisioning;
	struct error err;
};

static int begin(struct fixture *fixture, const char *claim, const char *class,
	const struct driver_step *steps, size_t count)
{
	world_init(&fixture->world, steps, count, NULL, 0);
	world_set(fixture->world.controller.sets, &stateful_set_type, web_set);
	fixture->world.controller.driver.info.ours = true;
	fixture->claim = object_of(&claim_type, claim);
	fixture->class = object_of(&storage_class_type, class);
	fixture->err = (struct error){0};
	return provisioning_init(&fixture->provisioning, &fixture->world.controller, fixture->claim,
		fixture->class, NULL, &fixture->err);
}

static void end(struct fixture *fixture)
{
	provisioning_done(&fixture->provisioning);
	object_unref(fixture->claim);
	object_unref(fixture->class);
	world_done(&fixture->world);
}

/* Create the volume, and check what the driver was asked and what the PV says of it. */
static void check_volume(struct fixture *fixture, const char *call, const char *object)
{
	_cleanup_free_ char *calls = NULL;
	struct json_object *made, *wanted = json_of(object);
	struct csi_volume volume;

	assert_int_equal(volume_request_send(fixture->provisioning.request,
				 &fixture->world.controller, NULL, &volume, &fixture->err),
		0);
	calls = world_calls(&fixture->world);
	assert_string_equal(calls, call);
	made = volume_object_make(&fixture->provisioning, &fixture->world.controller, &volume);
	if (!json_object_equal(made, wanted))
		assert_string_equal(
			json_object_to_json_string(made), json_object_to_json_string(wanted));
	json_object_put(made);
	json_object_put(wanted);
	csi_volume_done(&volume);
}

static void test_volume_of_a_set(void **state)
{
	static const struct driver_step step = {
		ERROR_NONE, "handle-1", 2LL << 30, {"share", "/x/web"}, {"host", "h1"}};
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, web_0, class_delete, &step, 1), 0);
	check_volume(&fixture,
		"create pvc-u1 1610612736 parameters{server=nfs,share=/x,"
		"csi.storage.k8s.io/pvc/name=data-web-0,csi.storage.k8s.io/pvc/namespace=shop,"
		"csi.storage.k8s.io/pv/name=pvc-u1,ordinal.dev/statefulset=web,"
		"ordinal.dev/statefulset-uid=s1,ordinal.dev/template=data,ordinal.dev/ordinal=0}"
		" modes[ReadWriteOnce,ReadOnlyMany] options[hard,noatime] fs=xfs",
		"{'apiVersion': 'v1', 'kind': 'PersistentVolume', 'metadata': {'name': 'pvc-u1',"
		" 'annotations': {'pv.kubernetes.io/provisioned-by': 'd.example.com'," NO_SECRET ","
		"  'ordinal.dev/statefulset': 'web', 'ordinal.dev/template': 'data',"
		"  'ordinal.dev/ordinal': '0'},"
		" 'labels': {'ordinal.dev/statefulset': 'web', 'ordinal.dev/template': 'data',"
		"  'ordinal.dev/ordinal': '0'},"
		" 'finalizers': ['external-provisioner.volume.kubernetes.io/finalizer']},"
		"'spec': {'capacity': {'storage': '2Gi'},"
		" 'accessModes': ['ReadWriteOnce', 'ReadOnlyMany'],"
		" 'claimRef': {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim',"
		"  'namespace': 'shop', 'name': 'data-web-0', 'uid': 'u1',"
		"  'resourceVersion': '77'},"
		" 'csi': {'driver': 'd.example.com', 'volumeHandle': 'handle-1',"
		"  'volumeAttributes': {'share': '/x/web'}, 'fsType': 'xfs'},"
		" 'persistentVolumeReclaimPolicy': 'Delete', 'storageClassName': 'fast',"
		" 'volumeMode': 'Filesystem', 'mountOptions': ['hard', 'noatime'],"
		" 'nodeAffinity': {'required': {'nodeSelectorTerms': [{'matchExpressions':"
		"  [{'key': 'host', 'operator': 'In', 'values': ['h1']}]}]}}}}");
	end(&fixture);
}

/* Retain: no finalizer. No capacity in the answer: what was asked for. */
static void test_plain_volume(void **state)
{
	static const struct driver_step step = {ERROR_NONE, "handle-1", 0, {NULL}, {NULL}};
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, plain, class_retain, &step, 1), 0);
	check_volume(&fixture,
		"create pvc-u1 1073741824 parameters{csi.storage.k8s.io/pvc/name=plain,"
		"csi.storage.k8s.io/pvc/namespace=shop,csi.storage.k8s.io/pv/name=pvc-u1}"
		" modes[] options[] block",
		"{'apiVersion': 'v1', 'kind': 'PersistentVolume', 'metadata': {'name': 'pvc-u1',"
		" 'annotations': {'pv.kubernetes.io/provisioned-by': 'd.example.com'," NO_SECRET
		"},"
		" 'labels': {}, 'finalizers': []},"
		"'spec': {'capacity': {'storage': '1Gi'}, 'accessModes': [],"
		" 'claimRef': {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim',"
		"  'namespace': 'shop', 'name': 'plain', 'uid': 'u1', 'resourceVersion': '77'},"
		" 'csi': {'driver': 'd.example.com', 'volumeHandle': 'handle-1',"
		"  'volumeAttributes': {}},"
		" 'persistentVolumeReclaimPolicy': 'Retain', 'storageClassName': 'fast',"
		" 'volumeMode': 'Block'}}");
	end(&fixture);
}

/* Data that may outlive their volume are known by the life of their namespace; only our own drivers
 * are told. */
static void test_namespace_uid(void **state)
{
	static const char class_archive[] =
		"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd.example.com',"
		"'parameters': {'onDelete': 'archive'}}";
	static const struct {
		struct api_step step;
		bool ours;
		const char *uid; /* NULL: refused with KIND */
		enum error_kind kind;
	} cases[] = {
		{{"GET /api/v1/namespaces/shop", ERROR_NONE, "{'metadata': {'uid': 'n1'}}", false},
			true, "n1", ERROR_NONE},
		{{"GET /api/v1/namespaces/shop", ERROR_NONE, "{'metadata': {}}", false}, true, NULL,
			ERROR_INTERNAL},
		{{"GET /api/v1/namespaces/shop", ERROR_NOT_FOUND, "not found", false}, true, NULL,
			ERROR_FAILED_PRECONDITION},
		{{"GET /api/v1/namespaces/shop", ERROR_UNAVAILABLE, "gone", false}, true, NULL,
			ERROR_UNAVAILABLE},
		{{"GET /nothing", ERROR_NONE, "{}", false}, false, "", ERROR_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture fixture;
		const char *uid;
		int result;

		world_init(&fixture.world, NULL, 0, &cases[i].step, 1);
		world_set(fixture.world.controller.sets, &stateful_set_type, web_set);
		fixture.world.controller.driver.info.ours = cases[i].ours;
		fixture.claim = object_of(&claim_type, web_0);
		fixture.class = object_of(&storage_class_type, class_archive);
		result = provisioning_init(&fixture.provisioning, &fixture.world.controller,
			fixture.claim, fixture.class, NULL, &fixture.err);
		assert_int_equal(result, cases[i].uid ? 0 : -1);
		if (result < 0)
			assert_int_equal(fixture.err.kind, cases[i].kind);
		uid = string_map_get(
			&fixture.provisioning.request->parameters, ORDINAL_KEY_NAMESPACE_UID);
		assert_string_equal(uid ? uid : "", cases[i].uid ? cases[i].uid : "");
		end(&fixture);
	}
}

#define STABLE "GET /apis/storage.k8s.io/v1/volumeattributesclasses/gold"
#define BETA   "GET /apis/storage.k8s.io/v1beta1/volumeattributesclasses/gold"
#define GOLD   "{'driverName': 'd.example.com', 'parameters': {'iops': '100'}}"

/* The class of attributes that a claim names: the driver gets its parameters, and the volume says
 * its name, without which the claim would never be bound. */
static void test_attributes_class(void **state)
{
	static const char claim[] = "{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1'},"
				    "'spec': {'volumeAttributesClassName': 'gold', 'resources':"
				    " {'requests': {'storage': '1Gi'}}}}";
	static const char odd[] = "{'metadata': {'name': 'c', 'namespace': 'shop', 'uid': 'u1'},"
				  "'spec': {'volumeAttributesClassName': '../x', 'resources':"
				  " {'requests': {'storage': '1Gi'}}}}";
	static const struct driver_step made = {ERROR_NONE, "h", 0, {NULL}, {NULL}};
	static const struct {
		const char *claim;
		struct api_step steps[2];
		bool can;
		enum error_kind kind;
		const char *says;
	} cases[] = {
		{claim, {{STABLE, ERROR_NONE, GOLD, false}}, true, ERROR_NONE, NULL},
		{claim,
			{{STABLE, ERROR_UNAVAILABLE, "404", false},
				{BETA, ERROR_NONE, GOLD, false}},
			true, ERROR_NONE, NULL},
		{claim, {{STABLE, ERROR_NOT_FOUND, "no", false}}, true, ERROR_FAILED_PRECONDITION,
			"gold does not exist: create it"},
		{claim,
			{{STABLE, ERROR_UNAVAILABLE, "404", false},
				{BETA, ERROR_NOT_FOUND, "no", false}},
			true, ERROR_FAILED_PRECONDITION, "gold does not exist: create it"},
		{claim,
			{{STABLE, ERROR_UNAVAILABLE, "away", false},
				{BETA, ERROR_UNAVAILABLE, "404", false}},
			true, ERROR_UNAVAILABLE, "VolumeAttributesClass gold: away"},
		{claim, {{STABLE, ERROR_NONE, "{'driverName': 'other'}", false}}, true,
			ERROR_INVALID, "is for the driver other, and the volume is of d.example"},
		{claim, {{STABLE, ERROR_NONE, GOLD, false}}, false, ERROR_INVALID,
			"has no MODIFY_VOLUME"},
		{odd, {{STABLE, ERROR_NONE, GOLD, false}}, true, ERROR_INVALID,
			"is not the name of an object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture fixture = {.err = {0}};
		struct json_object *object;
		struct csi_volume volume;
		int result;

		world_init(
			&fixture.world, &made, 1, cases[i].steps, cases[i].steps[1].match ? 2 : 1);
		fixture.world.controller.driver.info.modify_volume = cases[i].can;
		fixture.claim = object_of(&claim_type, cases[i].claim);
		fixture.class = object_of(&storage_class_type, class_retain);
		result = provisioning_init(&fixture.provisioning, &fixture.world.controller,
			fixture.claim, fixture.class, NULL, &fixture.err);
		assert_int_equal(result, cases[i].kind ? -1 : 0);
		if (result < 0) {
			assert_int_equal(fixture.err.kind, cases[i].kind);
			assert_non_null(strstr(fixture.err.text, cases[i].says));
			end(&fixture);
			continue;
		}
		assert_int_equal(volume_request_send(fixture.provisioning.request,
					 &fixture.world.controller, NULL, &volume, &fixture.err),
			0);
		assert_non_null(strstr(fixture.world.calls[0], " mutable{iops=100} "));
		object = volume_object_make(
			&fixture.provisioning, &fixture.world.controller, &volume);
		assert_string_equal(json_string(json_member(object, "spec", json_type_object),
					    "volumeAttributesClassName"),
			"gold");
		json_object_put(object);
		csi_volume_done(&volume);
		end(&fixture);
	}
}

/* A file system's type means nothing for a block device. */
static void test_block_has_no_fs_type(void **state)
{
	static const struct driver_step step = {ERROR_NONE, "h", 0, {NULL}, {NULL}};
	struct json_object *object, *spec;
	struct csi_volume volume;
	struct fixture fixture;

	(void)state;
	begin(&fixture, plain, class_delete, &step, 1);
	volume_request_send(fixture.provisioning.request, &fixture.world.controller, NULL, &volume,
		&fixture.err);
	object = volume_object_make(&fixture.provisioning, &fixture.world.controller, &volume);
	spec = json_member(object, "spec", json_type_object);
	assert_null(json_string(json_member(spec, "csi", json_type_object), "fsType"));
	json_object_put(object);
	csi_volume_done(&volume);
	end(&fixture);
}

/* What a label cannot say is an annotation alone. */
static void test_labels(void **state)
{
#define X20 "xxxxxxxxxxxxxxxxxxxx"
	static const struct {
		const char *set, *template;
		bool set_fits, template_fits;
	} cases[] = {
		{"web", "data", true, true},
		{X20 X20 X20 "xxx", "data", true, true},
		{X20 X20 X20 "xxxx", "data", false, true},
		{"web", X20 X20 X20 X20, true, false},
		{"web.v1", "data.1", true, true},
		/* Older API servers do not look at the names of templates. */
		{"web", "data-", true, false},
		{"web", "-data", true, false},
		{"web", "da/ta", true, false},
		{"web", "DA_ta", true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct csi_volume volume = {.handle = (char *)"h"};
		struct json_object *object, *metadata, *labels, *annotations;
		struct fixture fixture;

		begin(&fixture, web_0, class_delete, NULL, 0);
		strcpy(fixture.provisioning.request->place.statefulset, cases[i].set);
		strcpy(fixture.provisioning.request->place.template, cases[i].template);
		object = volume_object_make(
			&fixture.provisioning, &fixture.world.controller, &volume);
		metadata = json_member(object, "metadata", json_type_object);
		labels = json_member(metadata, "labels", json_type_object);
		annotations = json_member(metadata, "annotations", json_type_object);
		assert_case_text(cases[i].set, json_string(labels, ORDINAL_KEY_STATEFULSET),
			cases[i].set_fits ? cases[i].set : NULL);
		assert_case_text(cases[i].template, json_string(labels, ORDINAL_KEY_TEMPLATE),
			cases[i].template_fits ? cases[i].template : NULL);
		assert_string_equal(json_string(labels, ORDINAL_KEY_ORDINAL), "0");
		assert_string_equal(
			json_string(annotations, ORDINAL_KEY_STATEFULSET), cases[i].set);
		assert_string_equal(
			json_string(annotations, ORDINAL_KEY_TEMPLATE), cases[i].template);
		json_object_put(object);
		end(&fixture);
	}
#undef X20
}

/* What the class allows is what the driver is asked for, in the ordinal's order. */
static void test_allowed_topologies(void **state)
{
#define CLASS                                                                                      \
	"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd.example.com',"              \
	"'allowedTopologies': [{'matchLabelExpressions': [{'key': 'z', 'values': ['a', 'b']}]}]}"
	static const struct driver_step step = {ERROR_NONE, "h", 0, {NULL}, {NULL}};
	_cleanup_free_ char *calls = NULL;
	struct csi_volume volume;
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, plain, CLASS, &step, 1), 0);
	assert_false(fixture.provisioning.request->requisite.count > 0);
	provisioning_done(&fixture.provisioning);
	fixture.world.controller.driver.info.topology = true;
	fixture.world.controller.driver.info.ours = false;
	assert_int_equal(provisioning_init(&fixture.provisioning, &fixture.world.controller,
				 fixture.claim, fixture.class, NULL, &fixture.err),
		0);
	assert_int_equal(volume_request_send(fixture.provisioning.request,
				 &fixture.world.controller, NULL, &volume, &fixture.err),
		0);
	csi_volume_done(&volume);
	calls = world_calls(&fixture.world);
	assert_non_null(strstr(calls, " topology{z=a} topology{z=b} preferred{z="));
	end(&fixture);
#undef CLASS
}

static void check_parameters(struct fixture *fixture, const char *wanted)
{
	static const struct driver_step step = {ERROR_NONE, "h", 0, {NULL}, {NULL}};
	_cleanup_free_ char *calls = NULL;
	struct csi_volume volume;

	fixture->world.steps = &step;
	fixture->world.step_count = 1;
	assert_int_equal(volume_request_send(fixture->provisioning.request,
				 &fixture->world.controller, NULL, &volume, &fixture->err),
		0);
	csi_volume_done(&volume);
	calls = world_calls(&fixture->world);
	if (!strstr(calls, wanted))
		assert_string_equal(calls, wanted);
}

/* Only our own driver is told of sets, and no driver of names that it was not to be told. */
static void test_metadata(void **state)
{
	struct fixture fixture;
	struct controller *controller = &fixture.world.controller;

	(void)state;
	begin(&fixture, web_0, class_retain, NULL, 0);
	provisioning_done(&fixture.provisioning);
	controller->driver.info.ours = false;
	controller->extra_create_metadata = false;
	controller->volume_name_prefix = "vol";
	assert_int_equal(provisioning_init(&fixture.provisioning, controller, fixture.claim,
				 fixture.class, NULL, NULL),
		0);
	check_parameters(&fixture, "create vol-u1 1610612736 parameters{} ");
	end(&fixture);
}

/* Whose volume it is, our own driver is told of every claim. */
static void test_cluster(void **state)
{
	static const struct {
		bool ours;
		const char *cluster, *parameters;
	} cases[] = {
		{true, "k1", "parameters{ordinal.dev/cluster-uid=k1} "},
		{true, NULL, "parameters{} "},
		{false, "k1", "parameters{} "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture fixture;
		struct controller *controller = &fixture.world.controller;

		begin(&fixture, plain, class_retain, NULL, 0);
		provisioning_done(&fixture.provisioning);
		controller->driver.info.ours = cases[i].ours;
		controller->cluster_uid = cases[i].cluster;
		controller->extra_create_metadata = false;
		assert_int_equal(provisioning_init(&fixture.provisioning, controller, fixture.claim,
					 fixture.class, NULL, NULL),
			0);
		check_parameters(&fixture, cases[i].parameters);
		end(&fixture);
	}
}

/* Labels hold 63 characters, annotations hold more. */
static void test_long_names(void **state)
{
	static const char name[] = "a234567890123456789012345678901234567890"
				   "1234567890123456789012345678901234567890";
	static const struct driver_step step = {ERROR_NONE, "h", 0, {NULL}, {NULL}};
	struct json_object *object, *metadata;
	struct csi_volume volume;
	struct fixture fixture;

	(void)state;
	begin(&fixture, web_0, class_retain, &step, 1);
	snprintf(fixture.provisioning.request->place.template, 254, "%s", name);
	volume_request_send(fixture.provisioning.request, &fixture.world.controller, NULL, &volume,
		&fixture.err);
	object = volume_object_make(&fixture.provisioning, &fixture.world.controller, &volume);
	metadata = json_member(object, "metadata", json_type_object);
	assert_null(json_string(
		json_member(metadata, "labels", json_type_object), "ordinal.dev/template"));
	assert_string_equal(json_string(json_member(metadata, "annotations", json_type_object),
				    "ordinal.dev/template"),
		name);
	json_object_put(object);
	csi_volume_done(&volume);
	end(&fixture);
}

#define CLAIM_WITH(spec)                                                                           \
	"{'metadata': {'name': 'plain', 'namespace': 'shop', 'uid': 'u1'}, 'spec': {" spec "}}"
#define SIZE "'resources': {'requests': {'storage': '1Gi'}}"
#define CLASS_WITH(parameter)                                                                      \
	"{'metadata': {'name': 'fast', 'uid': 'c1'}, 'provisioner': 'd.example.com',"              \
	"'parameters': {'server': 'nfs', '" parameter "': 'x'}}"

static const struct {
	const char *name, *claim, *class;
	enum error_kind kind;
	const char *says;
} refused[] = {
	{"selector", CLAIM_WITH(SIZE ", 'selector': {'matchLabels': {}}"), class_delete,
		ERROR_INVALID, "remove spec.selector"},
	{"no size", CLAIM_WITH(""), class_delete, ERROR_INVALID, "\"\" is not a size"},
	{"negative", CLAIM_WITH("'resources': {'requests': {'storage': '-1'}}"), class_delete,
		ERROR_INVALID, "\"-1\" is not a size"},
	{"too large", CLAIM_WITH("'resources': {'requests': {'storage': '9Ei'}}"), class_delete,
		ERROR_OUT_OF_RANGE, "9Ei"},
	{"our own key", plain, CLASS_WITH("ordinal.dev/ordinal"), ERROR_INVALID,
		"ordinal.dev/ordinal is not for classes"},
	{"any key of ours", plain, CLASS_WITH("ordinal.dev/"), ERROR_INVALID, "is not for classes"},
	{"the claim's name", plain, CLASS_WITH("csi.storage.k8s.io/pvc/name"), ERROR_INVALID,
		"csi.storage.k8s.io/pvc/name is not known"},
	{"half a secret", plain, CLASS_WITH("csi.storage.k8s.io/provisioner-secret-name"),
		ERROR_INVALID, "csi.storage.k8s.io/provisioner-secret"},
	{"a typing error", plain, CLASS_WITH("csi.storage.k8s.io/fsType"), ERROR_INVALID,
		"csi.storage.k8s.io/fsType is not known"},
};

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct fixture fixture;

		assert_case(refused[i].name,
			begin(&fixture, refused[i].claim, refused[i].class, NULL, 0) == -1);
		assert_case(refused[i].name, fixture.err.kind == refused[i].kind);
		assert_case(refused[i].name, strstr(fixture.err.text, refused[i].says));
		end(&fixture);
	}
}

/* Less than was asked for: deleted again; only if that worked there is none. */
static void test_too_small(void **state)
{
	static const struct driver_step steps[][2] = {
		{{ERROR_NONE, "h1", 1, {NULL}, {NULL}}, {ERROR_NONE, NULL, 0, {NULL}, {NULL}}},
		{{ERROR_NONE, "h1", (1 << 30) - 1, {"a", "b"}, {"c", "d"}},
			{ERROR_INTERNAL, "no", 0, {NULL}, {NULL}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_free_ char *calls = NULL;
		struct csi_volume volume;
		struct fixture fixture;

		assert_int_equal(begin(&fixture, plain, class_retain, steps[i], 2), 0);
		assert_int_equal(volume_request_send(fixture.provisioning.request,
					 &fixture.world.controller, NULL, &volume, &fixture.err),
			-1);
		assert_int_equal(fixture.err.kind, i ? ERROR_ABORTED : ERROR_OUT_OF_RANGE);
		assert_non_null(strstr(fixture.err.text, "smaller than the 1Gi"));
		calls = world_calls(&fixture.world);
		assert_non_null(strstr(calls, "; delete h1"));
		end(&fixture);
	}
}

/* A repeated call must ask for exactly the same: the driver knows its volume again by that. */
static void test_same_again(void **state)
{
	static const struct driver_step steps[] = {{ERROR_UNAVAILABLE, "away", 0, {NULL}, {NULL}},
		{ERROR_UNAVAILABLE, "away", 0, {NULL}, {NULL}}};
	struct csi_volume volume;
	struct fixture fixture;

	(void)state;
	assert_int_equal(begin(&fixture, web_0, class_delete, steps, 2), 0);
	volume_request_send(fixture.provisioning.request, &fixture.world.controller, NULL, &volume,
		&fixture.err);
	provisioning_done(&fixture.provisioning);
	provisioning_init(&fixture.provisioning, &fixture.world.controller, fixture.claim,
		fixture.class, NULL, NULL);
	volume_request_send(fixture.provisioning.request, &fixture.world.controller, NULL, &volume,
		&fixture.err);
	assert_int_equal(fixture.world.call_count, 2);
	assert_string_equal(fixture.world.calls[0], fixture.world.calls[1]);
	end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume_of_a_set),
		cmocka_unit_test(test_plain_volume),
		cmocka_unit_test(test_namespace_uid),
		cmocka_unit_test(test_attributes_class),
		cmocka_unit_test(test_block_has_no_fs_type),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_allowed_topologies),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_cluster),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
