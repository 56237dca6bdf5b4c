/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets.h"

#include <string.h>

#include "testing.h"
#include "world.h"

#define KEY(key)  "csi.storage.k8s.io/" key
#define CLAIM_GET "GET /api/v1/namespaces/shop/persistentvolumeclaims/data"
#define GET       "GET /api/v1/namespaces/vault/secrets/s"

static const char claim_text[] = "{'metadata': {'name': 'data', 'namespace': 'shop', 'uid': 'u1'}}";

/* Annotations as they are: their keys may hold a '. */
static const char annotated[] =
	"{'metadata': {'uid': 'u1', 'annotations': {'example.com/key': 'chosen', 'empty': '',"
	" 'bad': '../x', 'number': 7}}}";

enum knows { CLAIM, NO_ANNOTATIONS, NOTHING };

static const struct {
	const char *name;
	const char *parameters[4][2];
	enum secret_use use;
	enum knows knows;
	struct api_step step; /* the answer to the claim's GET */
	const char *wanted;   /* "namespace/name", "" for none, NULL for an error */
	enum error_kind kind;
	const char *says;
} cases[] = {
	{"nothing", {{"other", "x"}}, SECRET_PROVISIONER, CLAIM, {0}, "", 0, NULL},
	{"each use has its own",
		{{KEY("node-stage-secret-name"), "a"}, {KEY("node-stage-secret-namespace"), "b"}},
		SECRET_PROVISIONER, CLAIM, {0}, "", 0, NULL},
	{"provisioner",
		{{KEY("provisioner-secret-name"), "a.b"},
			{KEY("provisioner-secret-namespace"), "n"}},
		SECRET_PROVISIONER, NOTHING, {0}, "n/a.b", 0, NULL},
	{"controller-publish",
		{{KEY("controller-publish-secret-name"), "a"},
			{KEY("controller-publish-secret-namespace"), "n"}},
		SECRET_CONTROLLER_PUBLISH, NOTHING, {0}, "n/a", 0, NULL},
	{"node-stage",
		{{KEY("node-stage-secret-name"), "a"}, {KEY("node-stage-secret-namespace"), "n"}},
		SECRET_NODE_STAGE, NOTHING, {0}, "n/a", 0, NULL},
	{"node-publish",
		{{KEY("node-publish-secret-name"), "a"},
			{KEY("node-publish-secret-namespace"), "n"}},
		SECRET_NODE_PUBLISH, NOTHING, {0}, "n/a", 0, NULL},
	{"controller-expand",
		{{KEY("controller-expand-secret-name"), "a"},
			{KEY("controller-expand-secret-namespace"), "n"}},
		SECRET_CONTROLLER_EXPAND, NOTHING, {0}, "n/a", 0, NULL},
	{"node-expand",
		{{KEY("node-expand-secret-name"), "a"}, {KEY("node-expand-secret-namespace"), "n"}},
		SECRET_NODE_EXPAND, NOTHING, {0}, "n/a", 0, NULL},
	{"controller-modify",
		{{KEY("controller-modify-secret-name"), "a"},
			{KEY("controller-modify-secret-namespace"), "n"}},
		SECRET_CONTROLLER_MODIFY, NOTHING, {0}, "n/a", 0, NULL},
	{"for all uses", {{KEY("secret-name"), "a"}, {KEY("secret-namespace"), "n"}},
		SECRET_NODE_EXPAND, NOTHING, {0}, "n/a", 0, NULL},
	{"the use's own wins",
		{{KEY("secret-name"), "a"}, {KEY("secret-namespace"), "n"},
			{KEY("node-stage-secret-name"), "b"},
			{KEY("node-stage-secret-namespace"), "m"}},
		SECRET_NODE_STAGE, NOTHING, {0}, "m/b", 0, NULL},

	/* The deprecated keys */
	{"deprecated, provisioner",
		{{"csiProvisionerSecretName", "a"}, {"csiProvisionerSecretNamespace", "n"}},
		SECRET_PROVISIONER, NOTHING, {0}, "n/a", 0, NULL},
	{"deprecated, controller-publish",
		{{"csiControllerPublishSecretName", "a"},
			{"csiControllerPublishSecretNamespace", "n"}},
		SECRET_CONTROLLER_PUBLISH, NOTHING, {0}, "n/a", 0, NULL},
	{"deprecated, node-stage",
		{{"csiNodeStageSecretName", "a"}, {"csiNodeStageSecretNamespace", "n"}},
		SECRET_NODE_STAGE, NOTHING, {0}, "n/a", 0, NULL},
	{"deprecated, node-publish",
		{{"csiNodePublishSecretName", "a"}, {"csiNodePublishSecretNamespace", "n"}},
		SECRET_NODE_PUBLISH, NOTHING, {0}, "n/a", 0, NULL},
	{"half deprecated",
		{{"csiNodeStageSecretName", "a"}, {KEY("node-stage-secret-namespace"), "n"}},
		SECRET_NODE_STAGE, NOTHING, {0}, "n/a", 0, NULL},
	{"both names",
		{{"csiNodeStageSecretName", "a"}, {KEY("node-stage-secret-name"), "a"},
			{KEY("node-stage-secret-namespace"), "n"}},
		SECRET_NODE_STAGE, NOTHING, {0}, NULL, ERROR_INVALID,
		"class fast: has both csi.storage.k8s.io/node-stage-secret-name and the deprecated "
		"csiNodeStageSecretName"},
	{"both namespaces",
		{{"csiNodeStageSecretNamespace", "n"}, {KEY("node-stage-secret-name"), "a"},
			{KEY("node-stage-secret-namespace"), "n"}},
		SECRET_NODE_STAGE, NOTHING, {0}, NULL, ERROR_INVALID,
		"the deprecated csiNodeStageSecretNamespace"},

	/* Both or none */
	{"a name alone", {{KEY("provisioner-secret-name"), "a"}}, SECRET_PROVISIONER, NOTHING, {0},
		NULL, ERROR_INVALID,
		"csi.storage.k8s.io/provisioner-secret-name needs "
		"csi.storage.k8s.io/provisioner-secret-namespace beside it"},
	{"a namespace alone", {{KEY("provisioner-secret-namespace"), "a"}}, SECRET_PROVISIONER,
		NOTHING, {0}, NULL, ERROR_INVALID,
		"csi.storage.k8s.io/provisioner-secret-namespace needs "
		"csi.storage.k8s.io/provisioner-secret-name beside it"},
	{"a name for all uses alone", {{KEY("secret-name"), "a"}}, SECRET_PROVISIONER, NOTHING, {0},
		NULL, ERROR_INVALID, "csi.storage.k8s.io/secret-name needs"},
	{"an empty name", {{KEY("secret-name"), ""}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, NOTHING, {0}, NULL, ERROR_INVALID,
		"\"\" resolved to \"\", which is no secret's name"},
	{"an empty namespace", {{KEY("secret-name"), "a"}, {KEY("secret-namespace"), ""}},
		SECRET_PROVISIONER, NOTHING, {0}, NULL, ERROR_INVALID, "no namespace's name"},

	/* Templates */
	{"volume and claim",
		{{KEY("secret-name"), "${pv.name}.${pvc.name}-${pvc.namespace}-x"},
			{KEY("secret-namespace"), "${pvc.namespace}-${pv.name}"}},
		SECRET_PROVISIONER, CLAIM, {0}, "shop-pvc-u1/pvc-u1.data-shop-x", 0, NULL},
	{"an annotation",
		{{KEY("secret-name"), "${pvc.annotations['example.com/key']}"},
			{KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, 0, annotated, false}, "n/chosen", 0, NULL},
	{"the claim is read once",
		{{KEY("secret-name"), "${pvc.annotations['example.com/key']}-"
				      "${pvc.annotations['example.com/key']}"},
			{KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, 0, annotated, false}, "n/chosen-chosen", 0,
		NULL},
	{"no such annotation",
		{{KEY("secret-name"), "${pvc.annotations['other']}"},
			{KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, 0, annotated, false}, NULL, ERROR_INVALID,
		"class fast: csi.storage.k8s.io/secret-name: ${pvc.annotations['other']} has no "
		"value here: a name may hold ${pv.name}"},
	{"an annotation that is no text",
		{{KEY("secret-name"), "${pvc.annotations['number']}"},
			{KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, 0, annotated, false}, NULL, ERROR_INVALID,
		"has no value"},
	{"an empty annotation",
		{{KEY("secret-name"), "${pvc.annotations['empty']}"},
			{KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, 0, annotated, false}, NULL, ERROR_INVALID,
		"resolved to \"\""},
	{"an annotation that leads elsewhere",
		{{KEY("secret-name"), "${pvc.annotations['bad']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, 0, annotated, false}, NULL, ERROR_INVALID,
		"resolved to \"../x\", which is no secret's name"},
	{"the claim is gone",
		{{KEY("secret-name"), "${pvc.annotations['k']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, ERROR_NOT_FOUND, "gone", false}, NULL,
		ERROR_FAILED_PRECONDITION, "annotations: gone"},
	{"another claim of that name",
		{{KEY("secret-name"), "${pvc.annotations['k']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM,
		{CLAIM_GET, 0, "{'metadata': {'uid': 'u2', 'annotations': {'k': 'x'}}}", false},
		NULL, ERROR_FAILED_PRECONDITION, "is another one by now"},
	{"the API server is away",
		{{KEY("secret-name"), "${pvc.annotations['k']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {CLAIM_GET, ERROR_TIMEOUT, "slow", false}, NULL,
		ERROR_TIMEOUT, "slow"},
	{"annotations that are not to be had",
		{{KEY("secret-name"), "${pvc.annotations['k']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, NO_ANNOTATIONS, {0}, NULL, ERROR_INVALID, "has no value"},
	{"a claim that nobody knows",
		{{KEY("secret-name"), "${pvc.name}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, NOTHING, {0}, NULL, ERROR_INVALID, "${pvc.name} has no value"},
	{"a claim's namespace that nobody knows",
		{{KEY("secret-name"), "a"}, {KEY("secret-namespace"), "${pvc.namespace}"}},
		SECRET_PROVISIONER, NOTHING, {0}, NULL, ERROR_INVALID,
		"${pvc.namespace} has no value"},

	/* Users choose no namespaces. */
	{"the claim's name as a namespace",
		{{KEY("secret-name"), "a"}, {KEY("secret-namespace"), "${pvc.name}"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID,
		"secret-namespace: ${pvc.name} has no value here: a namespace may hold ${pv.name} "
		"and ${pvc.namespace}"},
	{"an annotation as a namespace",
		{{KEY("secret-name"), "a"},
			{KEY("secret-namespace"), "${pvc.annotations['example.com/key']}"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "a namespace may hold"},

	/* What is no template */
	{"an unknown token", {{KEY("secret-name"), "${pvc.uid}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "${pvc.uid} has no value"},
	{"an empty token", {{KEY("secret-name"), "a${}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "${} has no value"},
	{"an annotation without a key",
		{{KEY("secret-name"), "${pvc.annotations['']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "has no value"},
	{"an annotation cut short",
		{{KEY("secret-name"), "${pvc.annotations['}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "has no value"},
	{"a token that does not end",
		{{KEY("secret-name"), "a${pv.name"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "which is no secret's name"},
	{"a bare variable", {{KEY("secret-name"), "$pv"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "which is no secret's name"},
	{"a template in a value is none",
		{{KEY("secret-name"), "${pvc.annotations['k']}"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM,
		{CLAIM_GET, 0, "{'metadata': {'uid': 'u1', 'annotations': {'k': '${pv.name}'}}}",
			false},
		NULL, ERROR_INVALID, "resolved to \"${pv.name}\""},
	{"a name that leads elsewhere",
		{{KEY("secret-name"), "../pods/x"}, {KEY("secret-namespace"), "n"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "which is no secret's name"},
	{"a namespace with a dot", {{KEY("secret-name"), "a"}, {KEY("secret-namespace"), "n.m"}},
		SECRET_PROVISIONER, CLAIM, {0}, NULL, ERROR_INVALID, "no namespace's name"},
};

/* A class of which no JSON tells: in the tests' JSON a ' is a ". */
static void make_class(struct storage_class *class, const char *const parameters[4][2])
{
	static char name[] = "fast";

	*class = (struct storage_class){.object = {.name = name}};
	for (size_t i = 0; i < 4 && parameters[i][0]; i++)
		string_map_add(&class->parameters, parameters[i][0], parameters[i][1]);
}

static void check_reference(const char *name, struct secret_reference *got, const char *wanted)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s%s%s", got->namespace ? got->namespace : "", got->name ? "/" : "",
		    got->name ? got->name : "") < 0)
		abort();
	assert_case_text(name, text, wanted);
	secret_reference_done(got);
}

static void test_resolve(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type, claim_text);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct storage_class class;
		struct fake_api fake;
		struct kube_api api;
		struct annotations annotations;
		struct secrets_context context = {.volume_name = "pvc-u1"};
		struct secret_reference reference = {NULL, NULL};
		struct error err = {0};
		int result;

		make_class(&class, cases[i].parameters);
		fake_api_init(&fake, &cases[i].step, cases[i].step.match ? 1 : 0);
		api = fake_api_table(&fake);
		annotations_init(&annotations, &api, claim);
		if (cases[i].knows != NOTHING) {
			context.claim_name = claim->object.name;
			context.claim_namespace = claim->object.namespace;
		}
		if (cases[i].knows == CLAIM)
			context.annotations = &annotations;
		result = secrets_resolve(&class, cases[i].use, &context, &reference, &err);
		assert_case(cases[i].name, result == (cases[i].wanted ? 0 : -1));
		if (cases[i].wanted)
			check_reference(cases[i].name, &reference, cases[i].wanted);
		else
			assert_case(cases[i].name, err.kind == cases[i].kind);
		if (cases[i].says && !strstr(err.text, cases[i].says))
			assert_case_text(cases[i].name, err.text, cases[i].says);
		/* The claim is read where it is asked for, once. */
		assert_case(cases[i].name, fake_api_count(&fake) == (cases[i].step.match ? 1 : 0));
		annotations_done(&annotations);
		fake_api_done(&fake);
		string_map_done(&class.parameters);
	}
}

static void test_keys(void **state)
{
	static const struct {
		const char *key;
		bool known;
	} keys[] = {
		{KEY("secret-name"), true},
		{KEY("secret-namespace"), true},
		{KEY("provisioner-secret-name"), true},
		{KEY("controller-publish-secret-namespace"), true},
		{KEY("node-stage-secret-name"), true},
		{KEY("node-publish-secret-name"), true},
		{KEY("controller-expand-secret-name"), true},
		{KEY("node-expand-secret-namespace"), true},
		{KEY("controller-modify-secret-name"), true},
		{KEY("fstype"), false},
		{KEY("secret-"), false},
		{KEY("secret-names"), false},
		{KEY("stage-secret-name"), false},
		{KEY("pvc/name"), false},
		{"secret-name", false},
		{"csiProvisionerSecretName", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_case(keys[i].key, secrets_is_key(keys[i].key) == keys[i].known);
	assert_non_null(strstr(secrets_known_keys(), "node-expand- and controller-modify-"));
}

/* "data" of the secret s, and what becomes of it. */
static const struct {
	const char *name;
	struct api_step step;
	const char *wanted; /* "key=value,...", or NULL for an error */
	enum error_kind kind;
	const char *says;
} secrets[] = {
	{"some",
		{GET, 0, "{'data': {'user': 'YWRtaW4=', 'password': 'cGFzc3dvcmQ=', 'none': ''}}",
			false},
		"user=admin,password=password,none=", 0, NULL},
	{"characters beyond ASCII", {GET, 0, "{'data': {'k': 'w7w='}}", false}, "k=\xc3\xbc", 0,
		NULL},
	{"no data", {GET, 0, "{'metadata': {}}", false}, "", 0, NULL},
	{"null data", {GET, 0, "{'data': null}", false}, "", 0, NULL},
	{"a NUL", {GET, 0, "{'data': {'a': 'YQ==', 'k': 'YQBi'}}", false}, NULL,
		ERROR_FAILED_PRECONDITION, "secret vault/s: k holds bytes that are not text"},
	{"a NUL at the end", {GET, 0, "{'data': {'k': 'YQA='}}", false}, NULL,
		ERROR_FAILED_PRECONDITION, "k holds bytes"},
	{"not UTF-8", {GET, 0, "{'data': {'k': '//4='}}", false}, NULL, ERROR_FAILED_PRECONDITION,
		"k holds bytes"},
	{"not base64", {GET, 0, "{'data': {'k': 'topsecret!'}}", false}, NULL, ERROR_INTERNAL,
		"k is not base64"},
	{"not text", {GET, 0, "{'data': {'k': 7}}", false}, NULL, ERROR_INTERNAL,
		"k is not base64"},
	{"not there yet", {GET, ERROR_NOT_FOUND, "no such secret", false}, NULL, ERROR_UNAVAILABLE,
		"secret vault/s: no such secret"},
	{"not for us", {GET, ERROR_FORBIDDEN, "not for you", false}, NULL, ERROR_FORBIDDEN,
		"not for you"},
	{"away", {GET, ERROR_TIMEOUT, "slow", false}, NULL, ERROR_TIMEOUT, "slow"},
};

static void check_data(const char *name, struct string_map *data, const char *wanted)
{
	char text[256] = "";

	for (size_t i = 0; i < data->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%s", i ? "," : "",
			data->items[i].key, data->items[i].value);
	assert_case_text(name, text, wanted);
	string_map_wipe(data);
	assert_case(name, data->count == 0 && !data->items);
}

static void test_read(void **state)
{
	static char namespace[] = "vault", secret_name[] = "s";
	const struct secret_reference reference = {namespace, secret_name};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		struct string_map data = {.count = 0};
		struct error err = {0};
		struct fake_api fake;
		struct kube_api api;
		int result;

		fake_api_init(&fake, &secrets[i].step, 1);
		api = fake_api_table(&fake);
		result = secrets_read(&api, &reference, &data, &err);
		assert_case(secrets[i].name, result == (secrets[i].wanted ? 0 : -1));
		if (result == 0) {
			check_data(secrets[i].name, &data, secrets[i].wanted);
		} else {
			assert_case(secrets[i].name, err.kind == secrets[i].kind);
			assert_case(secrets[i].name, strstr(err.text, secrets[i].says));
			assert_case(secrets[i].name, !strstr(err.text, "topsecret"));
		}
		fake_api_done(&fake);
	}
}

static void test_no_reference(void **state)
{
	const struct secret_reference none = {NULL, NULL};
	struct string_map data = {.count = 1};
	struct fake_api fake;
	struct kube_api api;

	(void)state;
	fake_api_init(&fake, NULL, 0);
	api = fake_api_table(&fake);
	assert_int_equal(secrets_read(&api, &none, &data, NULL), 0);
	assert_int_equal(data.count, 0);
	assert_int_equal(fake_api_count(&fake), 0);
	fake_api_done(&fake);
}

#define VOLUME(annotations, spec)                                                                  \
	"{'metadata': {'name': 'pv-1', 'uid': 'v1', 'annotations': {" annotations "}},"            \
	" 'spec': {" spec "}}"
#define TOLD(namespace, name)                                                                                                                         \
	"'volume.kubernetes.io/provisioner-deletion-secret-namespace': '" namespace "',"                                                              \
										    "'volume.kubernetes.io/provisioner-deletion-secret-name': '" name \
										    "'"
#define SPEC(class)                                                                                \
	"'storageClassName': '" class "', 'claimRef': {'namespace': 'shop', 'name': 'data'}"
#define SECRET "{'data': {'k': 'dg=='}}"

/* Class "fast" names shop/data-pv-1, "wrong" an annotation, "plain" nothing; "gone" is gone. */
static const struct {
	const char *name, *volume;
	struct api_step step;
	const char *wanted; /* as above */
	enum error_kind kind;
	const char *says;
} deletions[] = {
	{"told", VOLUME(TOLD("vault", "s"), SPEC("fast")), {GET, 0, SECRET, false}, "k=v", 0, NULL},
	{"told, none", VOLUME(TOLD("", ""), SPEC("fast")), {0}, "", 0, NULL},
	{"told, half", VOLUME(TOLD("vault", ""), SPEC("fast")), {0}, "", 0, NULL},
	{"told, a name that leads elsewhere", VOLUME(TOLD("vault", "../x"), SPEC("fast")), {0},
		NULL, ERROR_INVALID, "do not name a secret"},
	{"told, a namespace that leads elsewhere", VOLUME(TOLD("a/b", "s"), SPEC("fast")), {0},
		NULL, ERROR_INVALID, "do not name a secret"},
	{"told, gone", VOLUME(TOLD("vault", "s"), SPEC("fast")),
		{GET, ERROR_NOT_FOUND, "gone", false}, "", 0, NULL},
	{"told, not for us", VOLUME(TOLD("vault", "s"), SPEC("fast")),
		{GET, ERROR_FORBIDDEN, "not for you", false}, NULL, ERROR_FORBIDDEN, "not for you"},
	{"told, binary", VOLUME(TOLD("vault", "s"), SPEC("fast")),
		{GET, 0, "{'data': {'k': 'YQA='}}", false}, NULL, ERROR_FAILED_PRECONDITION,
		"not text"},
	{"by its class", VOLUME("", SPEC("fast")),
		{"GET /api/v1/namespaces/shop/secrets/data-pv-1", 0, SECRET, false}, "k=v", 0,
		NULL},
	{"by its class, gone", VOLUME("", SPEC("fast")),
		{"GET /api/v1/namespaces/shop/secrets/data-pv-1", ERROR_NOT_FOUND, "gone", false},
		"", 0, NULL},
	{"its class names none", VOLUME("", SPEC("plain")), {0}, "", 0, NULL},
	{"its class is gone", VOLUME("", SPEC("gone")), {0}, "", 0, NULL},
	{"it has no class", VOLUME("", SPEC("")), {0}, "", 0, NULL},
	{"it has no claim", VOLUME("", "'storageClassName': 'fast'"), {0}, "", 0, NULL},
	{"its class asks the claim's annotations", VOLUME("", SPEC("wrong")), {0}, NULL,
		ERROR_INVALID, "the volume itself can tell its secret, by the annotations"},
};

static void add_class(struct world *world, const char *name, const char *secret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_object_ struct storage_class *class = NULL;

	if (asprintf(&text, "{'metadata': {'name': '%s', 'uid': '%s'}, 'provisioner': 'd'}", name,
		    name) < 0)
		abort();
	class = object_of(&storage_class_type, text);
	if (*secret) {
		string_map_add(&class->parameters, KEY("provisioner-secret-namespace"),
			"${pvc.namespace}");
		string_map_add(&class->parameters, KEY("provisioner-secret-name"), secret);
	}
	store_set(world->controller.classes, &class->object);
}

static void test_deletion(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(deletions); i++) {
		_cleanup_object_ struct volume *volume =
			object_of(&volume_type, deletions[i].volume);
		struct string_map data = {.count = 0};
		struct error err = {0};
		struct world world;
		int result;

		world_init(&world, NULL, 0, &deletions[i].step, deletions[i].step.match ? 1 : 0);
		add_class(&world, "fast", "${pvc.name}-${pv.name}");
		add_class(&world, "wrong", "${pvc.annotations['k']}");
		add_class(&world, "plain", "");
		result = secrets_read_for_deletion(&world.controller, volume, &data, &err);
		assert_case(deletions[i].name, result == (deletions[i].wanted ? 0 : -1));
		if (result == 0) {
			check_data(deletions[i].name, &data, deletions[i].wanted);
		} else {
			assert_case(deletions[i].name, err.kind == deletions[i].kind);
			assert_case(deletions[i].name, strstr(err.text, deletions[i].says));
		}
		assert_case(deletions[i].name,
			fake_api_count(&world.api) == (deletions[i].step.match ? 1 : 0));
		world_done(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_no_reference),
		cmocka_unit_test(test_deletion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
