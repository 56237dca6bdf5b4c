/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "cleanup.h"
#include "map_entry.h"
#include "parameters.h"

static int parse(const char *key, const char *value, struct parameters *ret, struct error *err)
{
	struct map_entry entry = {.key = (char *)key, .value = (char *)value};
	struct map_entry *entries[] = {&entry};

	return parameters_parse(entries, 1, ret, err);
}

static void test_defaults(void **state)
{
	struct parameters parameters;

	(void)state;
	assert_int_equal(parameters_parse(NULL, 0, &parameters, NULL), 0);
	assert_null(parameters.path);
	assert_int_equal(parameters.mode, 0777);
	assert_int_equal(parameters.uid, (uid_t)-1);
	assert_int_equal(parameters.gid, (gid_t)-1);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {{"90s", 90}, {"1h30m", 5400}, {"30d", 2592000}, {"2w1d", 1296000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parameters parameters;

		assert_int_equal(parse("archiveTTL", cases[i].text, &parameters, NULL), 0);
		assert_int_equal(parameters.archive_ttl, cases[i].seconds);
	}
}

/* nfs-subdir-external-provisioner's way to say it counts where ours says nothing. */
static void test_on_delete(void **state)
{
	static const struct {
		const char *on_delete, *archive_on_delete;
		enum on_delete result;
	} cases[] = {
		{NULL, NULL, ON_DELETE_DELETE},
		{NULL, "true", ON_DELETE_ARCHIVE},
		{NULL, "false", ON_DELETE_DELETE},
		{"retain", "true", ON_DELETE_RETAIN},
		{"delete", "true", ON_DELETE_DELETE},
		{"archive", "false", ON_DELETE_ARCHIVE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct map_entry list[2] = {0};
		struct map_entry *entries[] = {&list[0], &list[1]};
		struct parameters parameters;
		size_t count = 0;

		if (cases[i].on_delete)
			list[count++] = (struct map_entry){
				.key = (char *)"onDelete", .value = (char *)cases[i].on_delete};
		if (cases[i].archive_on_delete)
			list[count++] = (struct map_entry){.key = (char *)"archiveOnDelete",
				.value = (char *)cases[i].archive_on_delete};
		assert_int_equal(parameters_parse(entries, count, &parameters, NULL), 0);
		assert_int_equal(parameters.on_delete, cases[i].result);
	}
}

static void test_values(void **state)
{
	static const struct {
		const char *key, *value;
		const char *wrong; /* part of the error, or NULL */
	} cases[] = {
		{"path", "/data", NULL},
		{"path", "data", "parameter path: \"data\" is not an absolute path"},
		{"path", "", "absolute path"},
		{"pathPattern", "${claim}", NULL},
		{"mode", "0750", NULL},
		{"mode", "2775", NULL},
		{"mode", "8", "octal"},
		{"mode", "10000", "octal"},
		{"mode", "-1", "octal"},
		{"mode", " 7", "octal"},
		{"mode", "", "octal"},
		{"mountPermissions", "0", NULL},
		{"mountPermissions", "x", "octal"},
		{"uid", "0", NULL},
		{"uid", "4294967294", NULL},
		{"uid", "4294967295", "number"},
		{"gid", "99999999999999999999", "number"},
		{"gid", "12x", "number"},
		{"onDelete", "delete", NULL},
		{"onDelete", "retain", NULL},
		{"onDelete", "Delete", "\"Delete\" is not one of delete, archive, retain"},
		{"onDelete", "", "is not one of"},
		{"archiveOnDelete", "true", NULL},
		{"archiveOnDelete", "yes", "is not one of false, true"},
		{"reuse", "ordinal", NULL},
		{"reuse", "always", "is not one of never, ordinal"},
		{"reuseAcrossNamespaces", "false", NULL},
		{"reuseAcrossNamespaces", "1", "is not one of false, true"},
		{"archiveTTL", "", "is not a duration"},
		{"archiveTTL", "0s", "keeps nothing"},
		{"archiveTTL", "30", "is not a duration"},
		{"archiveTTL", "-1h", "is not a duration"},
		{"archiveTTL", "1h ", "is not a duration"},
		{"archiveTTL", "99999999999999999999s", "is not a duration"},
		{"archiveTTL", "9223372036854775807w", "is not a duration"},
		{"ordinal.dev/namespace-uid", "a\nb", "control character"},
		{"ondelete", "delete", "unknown parameter \"ondelete\""},
		{"csi.storage.k8s.io/pvc/name", "c", NULL},
		{"csi.storage.k8s.io/fstype", "ext4", "unknown parameter"},
		{"ordinal.dev/other", "x", "unknown parameter"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parameters parameters;
		struct error err = {0};
		int result = parse(cases[i].key, cases[i].value, &parameters, &err);

		if ((result < 0) != (cases[i].wrong != NULL) ||
			(cases[i].wrong && !strstr(err.text, cases[i].wrong)))
			fail_msg("%s=%s: %s", cases[i].key, cases[i].value, err.text);
		if (result < 0)
			assert_int_equal(err.kind, ERROR_INVALID);
	}
}

static void test_mount_permissions(void **state)
{
	struct parameters parameters;

	(void)state;
	assert_int_equal(parse("mountPermissions", "0", &parameters, NULL), 0);
	assert_int_equal(parameters.mode, 0777);
	assert_int_equal(parse("mountPermissions", "0700", &parameters, NULL), 0);
	assert_int_equal(parameters.mode, 0700);
}

#define CLAIM  .claim = "data-web-2", .namespace = "shop", .pv = "pvc-1"
#define OF_SET CLAIM, .statefulset = "web", .template = "data", .ordinal = "2"

static void test_places(void **state)
{
	static const struct {
		struct parameters parameters;
		const char *place; /* or, after "!", part of the error */
	} cases[] = {
		{{OF_SET}, "shop/web/data-2"},
		{{CLAIM}, "shop/data-web-2/pvc-1"},
		{{0}, "volumes/aaaaaaaaaaaaaaaaaaaaaa"},
		{{.pv = "pvc-1"}, "volumes/aaaaaaaaaaaaaaaaaaaaaa"},
		{{OF_SET, .path_pattern = "${pv}"}, "pvc-1"},
		{{OF_SET, .path_pattern = "x/${.PVC.namespace}-${.PVC.name}"}, "x/shop-data-web-2"},
		{{OF_SET, .path_pattern = "${pvc.metadata.namespace}/${pvc.metadata.name}/"
					  "${pv.metadata.name}"},
			"shop/data-web-2/pvc-1"},
		{{OF_SET, .path_pattern = "$5/${ordinal}$"}, "$5/2$"},
		{{OF_SET, .path_pattern = "${labels.app}"}, "!unknown variable ${labels.app}"},
		{{OF_SET, .path_pattern = "${.PVC.labels.app}"}, "!unknown variable"},
		{{OF_SET, .path_pattern = "${}"}, "!unknown variable ${}"},
		{{OF_SET, .path_pattern = "${namespace"}, "!lacks its }"},
		{{OF_SET, .path_pattern = "${"}, "!lacks its }"},
		{{CLAIM, .path_pattern = "${statefulset}"}, "!${statefulset} has no value"},
		{{OF_SET, .path_pattern = "../${pv}"}, "!component"},
		{{OF_SET, .path_pattern = "a/./b"}, "!component"},
		{{OF_SET, .path_pattern = "/a"}, "!component"},
		{{OF_SET, .path_pattern = "a/"}, "!component"},
		{{OF_SET, .path_pattern = ".ordinal/volumes"}, "!component"},
		{{.pv = "..", .path_pattern = "${pv}"}, "!component"},
		{{.pv = "a/b", .path_pattern = "${pv}"}, "!holds a slash"},
		{{.pv = "a/b", .namespace = "n", .path_pattern = "${namespace}/${pv}"}, "n/a/b"},
		{{.pv = "../b", .namespace = "n", .path_pattern = "${namespace}/${pv}"},
			"!component"},
		{{.namespace = "a/b", .path_pattern = "${namespace}/x"}, "!holds a slash"},
		{{.pv = "a\nb", .path_pattern = "${pv}"}, "!control character"},
		{{.pv = "p", .path_pattern = "a\nb/${pv}"}, "!control character"},
	};
	struct volume_hash hash = {"aaaaaaaaaaaaaaaaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *place = NULL;
		struct error err = {0};
		int result = parameters_place(&cases[i].parameters, &hash, &place, &err);

		if (*cases[i].place == '!') {
			if (result == 0 || !strstr(err.text, cases[i].place + 1))
				fail_msg("case %zu: %s", i, result ? err.text : place);
			continue;
		}
		if (result < 0)
			fail_msg("case %zu: %s", i, err.text);
		assert_string_equal(place, cases[i].place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_on_delete),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_mount_permissions),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
