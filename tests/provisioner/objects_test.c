/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include <string.h>

#include "testing.h"

/* A snapshot of TYPE from TEXT, with NULL for one that is refused. */
static struct object *parse(const struct object_type *type, const char *text, struct error *err)
{
	struct json_object *json = json_of(text);
	struct object *object = object_parse(type, json, err);

	json_object_put(json);
	return object;
}

#define META "'metadata': {'name': 'n', 'uid': 'u', 'namespace': 'ns', 'resourceVersion': '7'}"

static void test_claim(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type,
		"{'metadata': {'name': 'data-web-0', 'namespace': 'shop', 'uid': 'u1',"
		" 'resourceVersion': '7', 'deletionTimestamp': '2026-01-01T00:00:00Z',"
		" 'labels': {'app': 'web', 'n': 1}, 'annotations': {"
		"  'volume.kubernetes.io/storage-provisioner': 'new',"
		"  'volume.beta.kubernetes.io/storage-provisioner': 'old',"
		"  'volume.kubernetes.io/selected-node': 'node-1'},"
		" 'ownerReferences': [{'uid': 'o1'}, {'uid': 7}, {}, 'x', {'uid': 'o2'}]},"
		"'spec': {'storageClassName': 'fast', 'volumeName': 'pv', 'volumeMode': 'Block',"
		" 'accessModes': ['ReadWriteOnce', 5, null, 'ReadOnlyMany'], 'selector': {},"
		" 'resources': {'requests': {'storage': '1Gi'}},"
		" 'dataSourceRef': {'kind': 'VolumeSnapshot', 'name': 'snap'}}}");

	(void)state;
	assert_string_equal(claim->object.key, "u1");
	assert_string_equal(claim->object.name, "data-web-0");
	assert_string_equal(claim->object.namespace, "shop");
	assert_string_equal(claim->object.resource_version, "7");
	assert_true(claim->object.deleting);
	assert_string_equal(claim->provisioner, "new");
	assert_string_equal(claim->selected_node, "node-1");
	assert_string_equal(claim->class_name, "fast");
	assert_string_equal(claim->volume_name, "pv");
	assert_string_equal(claim->requested, "1Gi");
	assert_string_equal(claim->data_source, "VolumeSnapshot snap");
	assert_string_equal(claim->data_source_kind, "VolumeSnapshot");
	assert_int_equal(claim->access_modes.count, 2);
	assert_string_equal(claim->access_modes.items[1], "ReadOnlyMany");
	assert_int_equal(claim->labels.count, 1);
	assert_int_equal(claim->owner_uids.count, 2);
	assert_true(strings_contain(&claim->owner_uids, "o2"));
	assert_true(claim->block);
	assert_true(claim->has_selector);
}

static void test_claim_with_nothing(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type, "{" META "}");

	(void)state;
	assert_false(claim->object.deleting || claim->block || claim->has_selector);
	assert_string_equal(claim->class_name, "");
	assert_string_equal(claim->provisioner, "");
	assert_string_equal(claim->requested, "");
	assert_string_equal(claim->data_source, "");
	assert_null(claim->data_source_group);
	assert_null(claim->data_source_name);
	assert_null(claim->data_source_namespace);
	assert_false(claim->cloning_protected);
	assert_int_equal(claim->access_modes.count + claim->labels.count, 0);
}

static void test_claim_annotations(void **state)
{
	_cleanup_object_ struct claim *claim =
		object_of(&claim_type, "{'metadata': {'name': 'n', 'uid': 'u', 'annotations': {"
				       "  'volume.beta.kubernetes.io/storage-provisioner': 'old',"
				       "  'volume.beta.kubernetes.io/storage-class': 'legacy'}},"
				       "'spec': {'storageClassName': 'fast'}}");

	(void)state;
	assert_string_equal(claim->provisioner, "old");
	assert_string_equal(claim->class_name, "legacy");
}

static void test_claim_source(void **state)
{
	_cleanup_object_ struct claim *claim = object_of(&claim_type,
		"{'metadata': {'name': 'n', 'uid': 'u', 'finalizers': [7, 'x',"
		"  'provisioner.storage.kubernetes.io/cloning-protection']},"
		"'spec': {'dataSource': {'kind': 'PersistentVolumeClaim', 'name': 'c'},"
		" 'dataSourceRef': {'apiGroup': 'x.io', 'kind': 'Thing', 'name': 't',"
		"  'namespace': 'bank'}}}");

	(void)state;
	assert_string_equal(claim->data_source, "Thing t");
	assert_string_equal(claim->data_source_kind, "Thing");
	assert_string_equal(claim->data_source_group, "x.io");
	assert_string_equal(claim->data_source_name, "t");
	assert_string_equal(claim->data_source_namespace, "bank");
	assert_true(claim->cloning_protected);
}

#define SECRET_NAME      "'volume.kubernetes.io/provisioner-deletion-secret-name': "
#define SECRET_NAMESPACE "'volume.kubernetes.io/provisioner-deletion-secret-namespace': "

/* The class and the claim are kept only where they are needed to find the secret. */
static void test_deletion_secret(void **state)
{
	static const struct {
		const char *annotations;
		bool told;
		const char *name, *claim;
	} cases[] = {
		{SECRET_NAME "'s', " SECRET_NAMESPACE "'n'", true, "s", NULL},
		{SECRET_NAME "'', " SECRET_NAMESPACE "''", true, NULL, NULL},
		{SECRET_NAME "'s', " SECRET_NAMESPACE "''", true, NULL, NULL},
		{SECRET_NAME "'s'", false, NULL, "data"},
		{SECRET_NAME "'s', " SECRET_NAMESPACE "7", false, NULL, "data"},
		{"", false, NULL, "data"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_object_ struct volume *volume = NULL;

		if (asprintf(&text,
			    "{'metadata': {'name': 'pv', 'uid': 'u1', 'annotations': {%s}},"
			    " 'spec': {'storageClassName': 'fast',"
			    " 'claimRef': {'namespace': 'shop', 'name': 'data'}}}",
			    cases[i].annotations) < 0)
			abort();
		volume = object_of(&volume_type, text);
		assert_int_equal(volume->deletion_secret_told, cases[i].told);
		assert_case_text(cases[i].annotations, volume->deletion_secret_name, cases[i].name);
		assert_case_text(cases[i].annotations, volume->deletion_secret_namespace,
			cases[i].name ? "n" : NULL);
		assert_case_text(cases[i].annotations, volume->class_name, "fast");
		assert_case_text(cases[i].annotations, volume->claim_namespace,
			cases[i].claim ? "shop" : NULL);
		assert_case_text(cases[i].annotations, volume->claim_name, cases[i].claim);
	}
}

static void test_volume(void **state)
{
	_cleanup_object_ struct volume *volume = object_of(&volume_type,
		"{'metadata': {'name': 'pv', 'uid': 'u1', 'finalizers': ['a', {}, 'b'],"
		" 'annotations': {'pv.kubernetes.io/provisioned-by': 'p',"
		"  'pv.kubernetes.io/migrated-to': 'm'}},"
		"'spec': {'persistentVolumeReclaimPolicy': 'Delete',"
		" 'csi': {'driver': 'd', 'volumeHandle': 'h'}},"
		"'status': {'phase': 'Released'}}");

	(void)state;
	assert_string_equal(volume->object.key, "pv");
	assert_string_equal(volume->phase, "Released");
	assert_string_equal(volume->reclaim_policy, "Delete");
	assert_string_equal(volume->provisioned_by, "p");
	assert_string_equal(volume->migrated_to, "m");
	assert_string_equal(volume->driver, "d");
	assert_string_equal(volume->handle, "h");
	assert_int_equal(volume->finalizers.count, 2);
}

static void test_storage_class(void **state)
{
	_cleanup_object_ struct storage_class *class = object_of(&storage_class_type,
		"{'metadata': {'name': 'c', 'uid': 'u'}, 'provisioner': 'p',"
		"'parameters': {'server': 'a', 'n': 5}, 'mountOptions': ['hard', 'nfsvers=4.1'],"
		"'volumeBindingMode': 'WaitForFirstConsumer', 'allowedTopologies': [{}, 7,"
		"{'matchLabelExpressions': [{'key': 'zone', 'values': ['a', 'b']}, 5]}]}");

	(void)state;
	assert_string_equal(class->reclaim_policy, "Delete");
	assert_true(class->wait_for_first_consumer);
	assert_int_equal(class->allowed_count, 3);
	assert_int_equal(class->allowed[0].count, 0);
	assert_int_equal(class->allowed[2].count, 2);
	assert_string_equal(class->allowed[2].requirements[0].key, "zone");
	assert_true(strings_contain(&class->allowed[2].requirements[0].values, "b"));
	assert_int_equal(class->parameters.count, 1);
	assert_string_equal(string_map_get(&class->parameters, "server"), "a");
	assert_null(string_map_get(&class->parameters, "n"));
	assert_int_equal(class->mount_options.count, 2);
}

static void test_stateful_set(void **state)
{
	_cleanup_object_ struct stateful_set *set = object_of(&stateful_set_type,
		"{" META ", 'spec': {'selector': {'matchLabels': {'app': 'web'},"
		" 'matchExpressions': [{'key': 'tier', 'operator': 'NotIn', 'values': ['x']},"
		"  {'key': 'tier', 'operator': 'Like'}, 7]}, 'ordinals': {'start': 3},"
		"'volumeClaimTemplates': [{'metadata': {'name': 'data', 'labels': {'a': 'b'}}},"
		" {}, 7, {'metadata': {'name': 'log'}}]}}");

	(void)state;
	assert_string_equal(set->object.key, "ns/n");
	assert_int_equal(set->template_count, 4);
	assert_string_equal(set->templates[3].name, "log");
	assert_string_equal(string_map_get(&set->match_labels, "app"), "web");
	assert_string_equal(string_map_get(&set->templates[0].labels, "a"), "b");
	assert_int_equal(set->expression_count, 3);
	assert_string_equal(set->expressions[0].key, "tier");
	assert_int_equal(set->expressions[0].verb, LABEL_NOT_IN);
	assert_int_equal(set->expressions[0].values.count, 1);
	assert_int_equal(set->expressions[1].verb, LABEL_UNKNOWN);
	assert_int_equal(set->expressions[2].verb, LABEL_UNKNOWN);
	assert_int_equal(set->first_ordinal, 3);
}

static void test_csi_node(void **state)
{
	_cleanup_object_ struct csi_node *node = object_of(&csi_node_type,
		"{'metadata': {'name': 'n', 'uid': 'u'}, 'spec': {'drivers': [{'name': 'd',"
		"'topologyKeys': ['a', 7, 'b']}, 7, {}]}}");
	_cleanup_object_ struct csi_node *empty = object_of(
		&csi_node_type, "{'metadata': {'name': 'n', 'uid': 'u'}, 'spec': {'drivers': {}}}");

	(void)state;
	assert_int_equal(node->driver_count, 3);
	assert_string_equal(node->drivers[0].name, "d");
	assert_int_equal(node->drivers[0].topology_keys.count, 2);
	assert_string_equal(node->drivers[1].name, "");
	assert_int_equal(empty->driver_count, 0);
}

static void test_schedulable(void **state)
{
	static const struct {
		const char *spec;
		bool schedulable;
	} cases[] = {
		{"{}", true},
		{"7", true},
		{"{'unschedulable': false}", true},
		{"{'unschedulable': true}", false},
		{"{'unschedulable': 'true'}", true},
		{"{'taints': [{'key': 'a', 'effect': 'NoSchedule'}]}", false},
		{"{'taints': [{'key': 'a', 'effect': 'NoExecute'}]}", false},
		{"{'taints': [{'key': 'a', 'effect': 'PreferNoSchedule'}]}", true},
		{"{'taints': [{'key': 'node.kubernetes.io/not-ready', 'effect': 'NoExecute'}]}",
			true},
		{"{'taints': [{'key': 'node-role.kubernetes.io/control-plane',"
		 " 'effect': 'NoSchedule'}]}",
			false},
		{"{'taints': [{'key': 'a'}, {'effect': 'NoSchedule'}, 3, null]}", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_object_ struct node *node = NULL;
		char text[512];

		snprintf(text, sizeof(text), "{" META ", 'spec': %s}", cases[i].spec);
		node = object_of(&node_type, text);
		assert_case(cases[i].spec, node->schedulable == cases[i].schedulable);
	}
}

#define IN(key, values) "{'key': '" key "', 'operator': 'In', 'values': [" values "]}"

static void test_fits_node(void **state)
{
	static const struct {
		const char *terms;
		bool fits;
	} cases[] = {
		{"[]", true},
		{"'x'", true},
		{"[{'matchExpressions': [" IN("zone", "'a'") "]}]", true},
		{"[{'matchExpressions': [" IN("zone", "'b', 'a'") "]}]", true},
		{"[{'matchExpressions': [" IN("zone", "'b'") "]}]", false},
		{"[{'matchExpressions': [" IN("zone", "") "]}]", false},
		{"[{'matchExpressions': [" IN("other", "'a'") "]}]", false},
		{"[{'matchExpressions': [" IN("zone", "'a'") "," IN("disk", "'ssd'") "]}]", true},
		{"[{'matchExpressions': [" IN("zone", "'a'") "," IN("disk", "'hdd'") "]}]", false},
		{"[{'matchExpressions': [" IN("zone", "'b'") "]},"
							     " {'matchExpressions': [" IN(
								     "disk", "'ssd'") "]}]",
			true},
		{"[{'matchExpressions': []}]", false},
		{"[{}]", false},
		{"[7]", false},
		{"[{'matchExpressions': [{'key': 'zone', 'operator': 'Exists'}]}]", false},
		{"[{'matchExpressions': [" IN("zone", "'a'") "], 'matchFields': []}]", false},
	};
	struct string_map labels = {.count = 0};

	(void)state;
	string_map_add(&labels, "zone", "a");
	string_map_add(&labels, "disk", "ssd");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_object_ struct volume *volume = NULL;
		char text[1024];

		snprintf(text, sizeof(text),
			"{" META ", 'spec': {'nodeAffinity': {'required': "
			"{'nodeSelectorTerms': %s}}}}",
			cases[i].terms);
		volume = object_of(&volume_type, text);
		assert_case(cases[i].terms, volume_fits_node(volume, &labels) == cases[i].fits);
	}
	string_map_done(&labels);
}

static const struct object_type *const types[] = {
	&claim_type, &volume_type, &storage_class_type, &stateful_set_type, &node_type};

/* Refused, whatever the kind. */
static void test_refuses(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"7",
		"'metadata'",
		"{'metadata': null}",
		"{'metadata': []}",
		"{'metadata': 'x'}",
		"{'metadata': {}}",
		"{'metadata': {'name': 'n'}}",
		"{'metadata': {'uid': 'u'}}",
		"{'metadata': {'name': '', 'uid': 'u'}}",
		"{'metadata': {'name': 'n', 'uid': ''}}",
		"{'metadata': {'name': 5, 'uid': 'u'}}",
		"{'metadata': {'name': 'n', 'uid': ['u']}}",
		"{'metadata': {'name': 'n\\u0000x', 'uid': 'u'}}",
		"{'metadata': {'name': 'n', 'uid': 'u\\u0000'}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
			struct error err = {0};

			assert_case(texts[j], parse(types[i], texts[j], &err) == NULL);
			assert_case(texts[j], err.kind == ERROR_INVALID);
		}
		assert_null(object_parse(types[i], NULL, NULL));
	}
	assert_null(parse(&storage_class_type, "{" META "}", NULL));
	assert_null(parse(&storage_class_type, "{" META ", 'provisioner': 5}", NULL));
}

/* Every field that any kind reads, with a value of every type: nothing may be taken for what it is
 * not, and nothing may crash. */
static void test_wrong_types(void **state)
{
	static const char *const values[] = {"null", "true", "7", "1.5", "'x\\u0000y'", "[]",
		"[[]]", "[null]", "[{}]", "{}", "{'a': {}}", "{'': null}"};
	static const char *const fields[] = {"spec", "status", "parameters", "mountOptions",
		"reclaimPolicy", "volumeBindingMode"};
	static const char *const spec_fields[] = {"storageClassName", "volumeName", "volumeMode",
		"accessModes", "selector", "resources", "dataSource", "dataSourceRef", "csi",
		"persistentVolumeReclaimPolicy", "nodeAffinity", "volumeClaimTemplates", "taints",
		"unschedulable"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(values); i++) {
		const struct object_type *type = types[i % ARRAY_SIZE(types)];
		const char *value = values[i / ARRAY_SIZE(types)];

		for (size_t j = 0; j < ARRAY_SIZE(fields); j++) {
			snprintf(text, sizeof(text), "{" META ", 'provisioner': 'p', '%s': %s}",
				fields[j], value);
			object_unref(object_of(type, text));
		}
		for (size_t j = 0; j < ARRAY_SIZE(spec_fields); j++) {
			snprintf(text, sizeof(text),
				"{" META ", 'provisioner': 'p', 'spec': {'%s': %s}}",
				spec_fields[j], value);
			object_unref(object_of(type, text));
		}
	}
}

static void test_wrong_types_in_metadata(void **state)
{
	static const char *const values[] = {"null", "7", "[]", "[7]", "{}", "'x'", "[[[[]]]]"};
	static const char *const fields[] = {"labels", "annotations", "finalizers",
		"ownerReferences", "deletionTimestamp", "namespace", "resourceVersion"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(values); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(fields); j++) {
			snprintf(text, sizeof(text),
				"{'metadata': {'name': 'n', 'uid': 'u', '%s': %s},"
				" 'provisioner': 'p'}",
				fields[j], values[i / ARRAY_SIZE(types)]);
			object_unref(object_of(types[i % ARRAY_SIZE(types)], text));
		}
	}
}

/* A string with a NUL in it could pass a check as one thing and be used as another. */
static void test_nul_in_strings(void **state)
{
	_cleanup_object_ struct volume *volume = object_of(&volume_type,
		"{'metadata': {'name': 'n', 'uid': 'u',"
		" 'annotations': {'pv.kubernetes.io/provisioned-by': 'p\\u0000x'}},"
		"'spec': {'persistentVolumeReclaimPolicy': 'Delete\\u0000', 'csi':"
		" {'driver': 'd\\u0000', 'volumeHandle': 'h\\u0000'}}}");

	(void)state;
	assert_string_equal(volume->provisioned_by, "");
	assert_string_equal(volume->reclaim_policy, "");
	assert_string_equal(volume->driver, "");
	assert_string_equal(volume->handle, "");
}

static void test_huge_arrays(void **state)
{
	struct json_object *json = json_of("{" META "}"), *spec = json_object_new_object();
	struct json_object *modes = json_object_new_array(), *labels = json_object_new_object();
	struct claim *claim;
	char key[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		json_object_array_add(modes, json_object_new_string("ReadWriteOnce"));
		snprintf(key, sizeof(key), "label-%d", i);
		json_object_object_add(labels, key, json_object_new_string("x"));
	}
	json_object_object_add(spec, "accessModes", modes);
	json_object_object_add(json, "spec", spec);
	json_object_object_add(json_object_object_get(json, "metadata"), "labels", labels);
	claim = (struct claim *)object_parse(&claim_type, json, NULL);
	json_object_put(json);
	assert_int_equal(claim->access_modes.count, 100000);
	assert_int_equal(claim->labels.count, 100000);
	assert_string_equal(string_map_get(&claim->labels, "label-99999"), "x");
	object_unref(claim);
}

static void test_deep_nesting(void **state)
{
	struct json_object *json = json_of("{" META "}"), *nest = json_object_new_object();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct json_object *outer = json_object_new_object();

		json_object_object_add(outer, "spec", nest);
		nest = outer;
	}
	json_object_object_add(json, "spec", nest);
	object_unref(object_parse(&volume_type, json, NULL));
	json_object_put(json);
}

static void test_string_maps(void **state)
{
	struct string_map a = {.count = 0}, b = {.count = 0};

	(void)state;
	assert_true(string_map_equal(&a, &b));
	string_map_add(&a, "x", "1");
	assert_false(string_map_equal(&a, &b));
	string_map_add(&b, "y", "2");
	assert_false(string_map_equal(&a, &b));
	string_map_add(&b, "x", "1");
	string_map_add(&a, "y", "2");
	assert_true(string_map_equal(&a, &b));
	string_map_done(&a);
	string_map_done(&b);
}

static void test_references(void **state)
{
	struct object *object = object_of(&volume_type, "{" META "}");

	(void)state;
	assert_ptr_equal(object_ref(object), object);
	assert_int_equal(object->refs, 2);
	object_unref(object);
	object_unref(object);
	assert_null(object_ref(NULL));
	object_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_claim_with_nothing),
		cmocka_unit_test(test_claim_annotations),
		cmocka_unit_test(test_claim_source),
		cmocka_unit_test(test_deletion_secret),
		cmocka_unit_test(test_volume),
		cmocka_unit_test(test_storage_class),
		cmocka_unit_test(test_stateful_set),
		cmocka_unit_test(test_csi_node),
		cmocka_unit_test(test_schedulable),
		cmocka_unit_test(test_fits_node),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_wrong_types_in_metadata),
		cmocka_unit_test(test_nul_in_strings),
		cmocka_unit_test(test_huge_arrays),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_string_maps),
		cmocka_unit_test(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
