/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_view.h"

#include "testing.h"
#include "usage.h"

#define HASH "1:AAAAAAAAAAAAAAAAAAAAAA:"

/* PersistentVolumes, and where their data are. */
static const struct {
	const char *name, *json, *driver, *server, *path, *node;
	int64_t capacity;
} volumes[] = {
	{"ours, host path",
		"{'spec': {'capacity': {'storage': '1Gi'}, 'csi': {'driver': "
		"'hostpath.ordinal.dev', 'volumeHandle': '" HASH ":/var/lib/ordinal', "
		"'volumeAttributes': {'ordinal.dev/path': '/var/lib/ordinal/shop/web/data-0'}}, "
		"'nodeAffinity': {'required': {'nodeSelectorTerms': [{'matchExpressions': [{'key': "
		"'topology.hostpath.ordinal.dev/node', 'operator': 'In', 'values': ['n1']}]}]}}}}",
		"hostpath.ordinal.dev", NULL, "/var/lib/ordinal/shop/web/data-0", "n1", 1 << 30},
	{"ours, NFS",
		"{'spec': {'csi': {'driver': 'nfs.ordinal.dev', 'volumeHandle': '" HASH "nas:/e', "
		"'volumeAttributes': {'ordinal.dev/path': 'nas:/e/shop/web/data-0'}}}}",
		"nfs.ordinal.dev", "nas", "/e/shop/web/data-0", NULL, -1},
	{"ours, NFS by address",
		"{'spec': {'csi': {'driver': 'nfs.ordinal.dev', 'volumeAttributes': "
		"{'ordinal.dev/path': '[fd00::1]:/e/a'}}}}",
		"nfs.ordinal.dev", "fd00::1", "/e/a", NULL, -1},
	{"ours, without attributes",
		"{'spec': {'csi': {'driver': 'nfs.ordinal.dev', 'volumeHandle': '" HASH
		"nas:/e'}}}",
		"nfs.ordinal.dev", "nas", "/e", NULL, -1},
	{"ours, host path without attributes",
		"{'spec': {'csi': {'driver': 'hostpath.ordinal.dev', 'volumeHandle': '" HASH
		":/d'}}}",
		"hostpath.ordinal.dev", NULL, "/d", NULL, -1},
	{"a path with a colon",
		"{'spec': {'csi': {'driver': 'hostpath.ordinal.dev', 'volumeAttributes': "
		"{'ordinal.dev/path': '/d/a:/b'}}}}",
		"hostpath.ordinal.dev", NULL, "/d/a:/b", NULL, -1},
	{"csi-driver-nfs",
		"{'spec': {'csi': {'driver': 'nfs.csi.k8s.io', 'volumeHandle': 'x', "
		"'volumeAttributes': {'server': 'nas', 'share': '/e', 'subdir': 'pvc-1'}}}}",
		"nfs.csi.k8s.io", "nas", "/e/pvc-1", NULL, -1},
	{"another driver",
		"{'spec': {'csi': {'driver': 'ebs.csi.aws.com', 'volumeHandle': 'vol-1'}}}",
		"ebs.csi.aws.com", NULL, "vol-1", NULL, -1},
	{"nfs", "{'spec': {'nfs': {'server': 'nas', 'path': '/e/a'}}}", "nfs", "nas", "/e/a", NULL,
		-1},
	{"local",
		"{'spec': {'local': {'path': '/d'}, 'nodeAffinity': {'required': "
		"{'nodeSelectorTerms': [{'matchExpressions': [{'key': 'kubernetes.io/hostname', "
		"'operator': 'In', 'values': ['n1']}]}]}}}}",
		"local", NULL, "/d", "n1", -1},
	{"two nodes",
		"{'spec': {'hostPath': {'path': '/d'}, 'nodeAffinity': {'required': "
		"{'nodeSelectorTerms': [{'matchExpressions': [{'key': 'kubernetes.io/hostname', "
		"'operator': 'In', 'values': ['n1', 'n2']}]}]}}}}",
		"hostPath", NULL, "/d", NULL, -1},
	{"a zone",
		"{'spec': {'nodeAffinity': {'required': {'nodeSelectorTerms': "
		"[{'matchExpressions': [{'key': 'topology.kubernetes.io/zone', 'operator': 'In', "
		"'values': ['a']}]}]}}}}",
		"", NULL, NULL, NULL, -1},
	{"wrong types",
		"{'spec': {'capacity': {'storage': 5}, 'csi': {'driver': ['x'], 'volumeHandle': {}, "
		"'volumeAttributes': 'a'}, 'nodeAffinity': {'required': {'nodeSelectorTerms': "
		"[7]}}}}",
		"", NULL, NULL, NULL, -1},
	{"no size", "{'spec': {'capacity': {'storage': 'much'}, 'hostPath': {'path': '/d'}}}",
		"hostPath", NULL, "/d", NULL, -1},
	{"a list", "[]", "", NULL, NULL, NULL, -1},
};

static void test_views(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++) {
		struct json_object *json = json_of(volumes[i].json);
		struct volume_view view;

		volume_view_init(&view, json);
		assert_case_text(volumes[i].name, view.driver, volumes[i].driver);
		assert_case_text(volumes[i].name, view.server, volumes[i].server);
		assert_case_text(volumes[i].name, view.path, volumes[i].path);
		assert_case_text(volumes[i].name, view.node, volumes[i].node);
		assert_case(volumes[i].name, view.capacity == volumes[i].capacity);
		volume_view_done(&view);
		json_object_put(json);
	}
}

#define PLACE(set, template, ordinal)                                                              \
	"{'metadata': {'annotations': {'ordinal.dev/statefulset': '" set                           \
	"', 'ordinal.dev/template': '" template "', 'ordinal.dev/ordinal': '" ordinal              \
						"'}}, 'spec': {'claimRef': {'namespace': 'shop', 'name': 'data-web-3'}}}"

static const struct {
	const char *name, *json;
	bool found;
} places[] = {
	{"good", PLACE("web", "data", "3"), true},
	{"of another claim", PLACE("web", "data", "4"), false},
	{"no number", PLACE("web", "data", "3x"), false},
	{"empty", PLACE("web", "data", ""), false},
	{"too large", PLACE("web", "data", "99999999999999999999"), false},
	{"no annotations", "{'spec': {'claimRef': {'namespace': 'a', 'name': 'b'}}}", false},
};

static void test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct json_object *json = json_of(places[i].json);
		struct volume_view_place place = {.namespace = ""};

		assert_case(places[i].name, volume_view_place(json, &place) == places[i].found);
		if (places[i].found) {
			assert_case_text(places[i].name, place.template, "data");
			assert_int_equal(place.ordinal, 3);
		}
		json_object_put(json);
	}
}

static void test_usage(void **state)
{
	_cleanup_(usage_freep) struct usage *usage = usage_new();
	struct json_object *summary = json_of(
		"{'pods': [{'volume': [{'name': 'token', 'usedBytes': 9}, {'name': 'data', "
		"'usedBytes': 4096, 'pvcRef': {'name': 'data-web-0', 'namespace': 'shop'}}, 5]}, "
		"{'volume': [{'pvcRef': {'name': 'data-web-1', 'namespace': 'shop'}, 'usedBytes': "
		"'4096'}, {'pvcRef': {'name': 'data-web-2', 'namespace': 'shop'}, 'usedBytes': "
		"-4}]}, null, {'volume': {}}]}");

	(void)state;
	usage_add(usage, summary);
	json_object_put(summary);
	usage_add(usage, NULL);
	assert_int_equal(usage_of(usage, "shop", "data-web-0"), 4096);
	assert_int_equal(usage_of(usage, "other", "data-web-0"), -1);
	assert_int_equal(usage_of(usage, "shop", "data-web-1"), -1);
	assert_int_equal(usage_of(usage, "shop", "data-web-2"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
