/* SPDX-License-Identifier: Apache-2.0 */
#include "restore_claim.h"

#include <string.h>

#include "testing.h"

#define SET                                                                                        \
	"{'spec': {'selector': {'matchLabels': {'app': 'web'}}, 'volumeClaimTemplates': "          \
	"[{'metadata': {'name': 'data', 'labels': {'tier': 'x'}}, 'spec': {'accessModes': "        \
	"['ReadWriteMany'], 'storageClassName': 'kept', 'resources': {'requests': {'storage': "    \
	"'1Gi'}}}}]}}"

static const struct archive full = {.id = "1:x",
	.namespace = "shop",
	.set = "web",
	.template = "data",
	.ordinal = 2,
	.size = INT64_C(2) << 30,
	.ready = true};
static const struct archive bare = {.id = "1:y", .ordinal = -1, .size = -1};

static const struct {
	const char *name;
	const struct archive *archive;
	struct arguments flags;
	const char *set;
	const char *claim; /* what is made; NULL: it is refused, */
	const char *says;  /* and this is said */
} cases[] = {
	{"by the set", &full, {.json = false}, SET,
		"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data-web-2',"
		"'namespace':'shop','annotations':{'ordinal.dev/restore-from':'1:x'},'labels':{"
		"'tier':'x','app':'web'}},'spec':{'resources':{'requests':{'storage':'2Gi'}},"
		"'storageClassName':'kept','accessModes':['ReadWriteMany']}}",
		NULL},
	{"by flags", &full, {.class = "fast", .size = "5Gi", .claim = "old"}, SET,
		"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'old',"
		"'namespace':'shop','annotations':{'ordinal.dev/restore-from':'1:x'}},'spec':{"
		"'resources':{'requests':{'storage':'5Gi'}},'storageClassName':'fast','accessModes':"
		"['ReadWriteMany']}}",
		NULL},
	{"without a set", &full, {.class = "fast"}, NULL,
		"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data-web-2',"
		"'namespace':'shop','annotations':{'ordinal.dev/restore-from':'1:x'}},'spec':{"
		"'resources':{'requests':{'storage':'2Gi'}},'storageClassName':'fast','accessModes':"
		"['ReadWriteOnce']}}",
		NULL},
	{"no class", &full, {.json = false}, NULL, NULL, "say which with --class"},
	{"wrong class", &full, {.class = "a/b"}, NULL, NULL,
		"\"a/b\" is not a StorageClass's name"},
	{"no replica's", &bare, {.class = "fast"}, NULL, NULL, "with --claim"},
	{"no size", &bare, {.class = "fast", .claim = "c"}, NULL, NULL, "with --size"},
	{"wrong size", &full, {.class = "fast", .size = "big"}, NULL, NULL,
		"--size: \"big\" is not a size"},
	{"size of 0", &full, {.class = "fast", .size = "0"}, NULL, NULL, "with --size"},
	{"wrong claim", &full, {.class = "fast", .claim = "../c"}, NULL, NULL,
		"\"../c\" is not a claim's name"},
};

static void test_claims(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_object *set = cases[i].set ? json_of(cases[i].set) : NULL;
		struct json_object *claim = NULL, *wanted;
		struct error err = {.text = ""};
		int result = restore_claim_make(
			cases[i].archive, &cases[i].flags, "shop", set, &claim, &err);

		assert_case(cases[i].name, (result == 0) == (cases[i].claim != NULL));
		if (cases[i].says && !strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].name, err.text);
		if (cases[i].claim) {
			wanted = json_of(cases[i].claim);
			assert_case_text(cases[i].name, json_object_to_json_string(claim),
				json_object_to_json_string(wanted));
			json_object_put(wanted);
		}
		json_object_put(claim);
		json_object_put(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_claims)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
