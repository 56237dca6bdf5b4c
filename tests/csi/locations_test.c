/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "cleanup.h"
#include "locations.h"

/* What LIST holds, as "server:/share server:/share". */
static void spell(const struct locations *list, char *ret, size_t size)
{
	size_t length = 0;

	*ret = '\0';
	for (size_t i = 0; i < list->count; i++) {
		char name[LOCATION_NAME_MAX + 1];

		location_name(&list->items[i], name);
		length += (size_t)snprintf(ret + length, size - length, "%s%s", i ? " " : "", name);
	}
}

static void test_lists(void **state)
{
	static const struct {
		const char *text, *list;
	} cases[] = {
		{"a:/export", "a:/export"},
		{"a:/export,b:/export", "a:/export b:/export"},
		{"  a:/export ,  B.Example.:/srv/,c:/ ", "a:/export b.example:/srv c:/"},
		{"[fd00::1]:/export,[FD00:0::2]:/export,10.0.0.1:/a",
			"[fd00::1]:/export [fd00::2]:/export 10.0.0.1:/a"},
		{"[fe80::1%eth0]:/a", "[fe80::1%eth0]:/a"},
		{"a:/one,a:/two", "a:/one a:/two"},
		{"a:/with space", "a:/with space"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(locations_done) struct locations list = {0};
		struct error err = {0};
		char text[1024];

		if (locations_parse(&list, cases[i].text, "hard", &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		spell(&list, text, sizeof(text));
		assert_string_equal(text, cases[i].list);
		for (size_t j = 0; j < list.count; j++)
			assert_string_equal(list.items[j].options, "hard");
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *wrong;
	} cases[] = {
		{"", "entry 1: \"\" is not server:/share"},
		{"a:/export,", "entry 2: \"\" is not server:/share"},
		{"a:/export,,b:/export", "entry 2: \"\" is not"},
		{"a", "entry 1: \"a\" is not server:/share"},
		{"a:/export,b:export", "entry 2: \"b:export\" is not"},
		{"a:/export;b:/export,c:/x/../y", "entry 2"},
		{":/export", "entry 1: \"\" is not a host name"},
		{"a:/export,[b]:/export", "entry 2: \"[b]\" is not a host name or an address"},
		{"a b:/export", "\"a b\" is not a host name"},
		{"-oremount:/export", "is not a host name"},
		{"a:/x,b:/x,a:/x", "entry 3: a:/x is there twice"},
		{"a:/x,A.:/x/", "entry 2: a:/x is there twice"},
		{"[fd00::1]:/x,[fd00:0::1]:/x", "entry 2: [fd00::1]:/x is there twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(locations_done) struct locations list = {0};
		struct error err = {0};

		assert_int_equal(locations_parse(&list, cases[i].text, NULL, &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
		if (!strstr(err.text, cases[i].wrong))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

/* LOCATIONS_MAX entries are allowed, and no more. */
static void test_bounds(void **state)
{
	char text[(LOCATIONS_MAX + 1) * 16] = "";
	struct error err;

	(void)state;
	for (int i = 0; i <= LOCATIONS_MAX; i++) {
		_cleanup_(locations_done) struct locations list = {0};

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%ss%d:/e", i ? "," : "",
			i);
		assert_int_equal(
			locations_parse(&list, text, NULL, &err), i < LOCATIONS_MAX ? 0 : -1);
	}
	assert_non_null(strstr(err.text, "there are more than"));
}

static void make_list(size_t count, struct locations *ret)
{
	*ret = (struct locations){0};
	for (size_t i = 0; i < count; i++)
		locations_add(ret, &(struct location){0});
}

static void test_ordinals(void **state)
{
	static const struct {
		const char *ordinal;
		size_t count, index;
	} cases[] = {
		{"0", 1, 0},
		{"7", 1, 0},
		{"0", 3, 0},
		{"2", 3, 2},
		{"3", 3, 0},
		{"2147483647", 10, 7},
		{"123456789012345678901234567890", 7, 0},
		{"007", 4, 3},
	};
	struct volume_hash name;

	(void)state;
	volume_id_hash("pvc-1", &name);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(locations_done) struct locations list;
		const struct parameters parameters = {
			.statefulset = "web", .ordinal = cases[i].ordinal};

		make_list(cases[i].count, &list);
		assert_int_equal(locations_choose(&list, &parameters, &name), cases[i].index);
	}
}

/* Claims outside of sets, what has an ordinal that is no number, and volumes without a claim. */
static void test_others(void **state)
{
	static const size_t counts[] = {2, 3, 7, 16, 31, 32};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_(locations_done) struct locations list;
		size_t claims[32] = {0}, names[32] = {0};

		make_list(counts[i], &list);
		for (size_t n = 0; n < counts[i] * 100; n++) {
			char text[32];
			struct volume_hash hash;
			struct parameters parameters = {.namespace = "shop",
				.claim = text,
				.statefulset = n % 2 ? "web" : NULL,
				.ordinal = "1x"};

			snprintf(text, sizeof(text), "claim-%zu", n);
			volume_id_hash("pvc-1", &hash);
			claims[locations_choose(&list, &parameters, &hash)]++;
			volume_id_hash(text, &hash);
			names[locations_choose(&list, &(struct parameters){0}, &hash)]++;
		}
		for (size_t j = 0; j < counts[i]; j++) {
			assert_in_range(claims[j], 50, 200);
			assert_in_range(names[j], 50, 200);
		}
	}
}

/* The same claim means the same server, whatever its volume is called. */
static void test_same_claim(void **state)
{
	const struct parameters parameters = {.namespace = "shop", .claim = "cart"};
	_cleanup_(locations_done) struct locations list;
	struct volume_hash one, two;

	(void)state;
	make_list(LOCATIONS_MAX, &list);
	volume_id_hash("pvc-1", &one);
	volume_id_hash("pvc-2", &two);
	assert_int_equal(locations_choose(&list, &parameters, &one),
		locations_choose(&list, &parameters, &two));
}

/* What a class says, and which bases that is. */
static void test_classes(void **state)
{
	static const struct {
		const struct backend_ops *ops;
		struct parameters parameters;
		const char *list, *wrong;
	} cases[] = {
		{&backend_nfs, {.server = NULL}, "first:/export", NULL},
		{&backend_nfs, {.server = "a", .share = "/x"}, "a:/x", NULL},
		{&backend_nfs, {.servers = "a:/x,b:/x"}, "a:/x b:/x", NULL},
		{&backend_nfs, {.servers = "b:/x"}, "b:/x", NULL},
		{&backend_nfs, {.server = "a", .servers = "a:/x"}, NULL,
			"servers and parameter server exclude one another"},
		{&backend_nfs, {.share = "/x", .servers = "a:/x"}, NULL,
			"servers and parameter share exclude one another"},
		{&backend_nfs, {.server = "a", .share = "/x", .servers = "a:/x"}, NULL,
			"exclude one another"},
		{&backend_nfs, {.path = "/x", .servers = "a:/x"}, NULL, "is for host paths"},
		{&backend_nfs, {.servers = "a:/x,b"}, NULL,
			"parameter servers: entry 2: \"b\" is not server:/share"},
		{&backend_nfs, {.server = "a"}, NULL, "parameter share is missing"},
		{&backend_hostpath, {.path = "/srv/a"}, "/srv/a", NULL},
		{&backend_hostpath, {.servers = "a:/x"}, NULL, "servers are for NFS"},
	};
	const struct flag_strings roots = {.values = {"/srv"}, .count = 1};
	const struct flag_strings exports = {.values = {"first:/export=/srv/first"}, .count = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(locations_done) struct locations list = {0};
		const struct backend backend = {
			.ops = cases[i].ops, .roots = &roots, .exports = &exports};
		struct error err = {0};
		char text[256] = "";

		if (cases[i].ops->locate(&backend, &cases[i].parameters, &list, &err) == 0)
			spell(&list, text, sizeof(text));
		else
			assert_int_equal(err.kind, ERROR_INVALID);
		if (cases[i].wrong ? !strstr(err.text, cases[i].wrong)
				   : strcmp(text, cases[i].list) != 0)
			fail_msg("case %zu: \"%s\", %s", i, text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_ordinals),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_same_claim),
		cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
