/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "cleanup.h"
#include "volume_id.h"

/* The first 22 characters of `printf NAME | openssl dgst -sha256 -binary | base64 | tr +/ -_`. */
static void test_hash(void **state)
{
	static const struct {
		const char *name, *hash;
	} cases[] = {
		{"", "47DEQpj8HBSa-_TImW-5JC"},
		{"abc", "ungWv48Bz-pBQUDeXa4iI7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct volume_hash hash;

		volume_id_hash(cases[i].name, &hash);
		assert_string_equal(hash.text, cases[i].hash);
	}
}

static void test_round_trip(void **state)
{
	static const struct {
		const char *server, *share, *options, *text;
	} cases[] = {
		{"", "/var/lib/ordinal", "", ":/var/lib/ordinal"},
		{"nfs.example", "/export", "", "nfs.example:/export"},
		{"", "/a:b", "", ":/a:b"},
		{"nfs.example", "/export", "nfsvers=3,nolock",
			"nfs.example:/export//nfsvers=3,nolock"},
		{"fd00::1", "/", "port=2050", "fd00::1:///port=2050"},
		{"a", "/b/c", "sec=krb5p:sys", "a:/b/c//sec=krb5p:sys"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct volume_id id = {0}, back;
		char text[VOLUME_ID_MAX + 1];

		volume_id_hash("pvc-1", &id.hash);
		strcpy(id.server, cases[i].server);
		strcpy(id.share, cases[i].share);
		strcpy(id.options, cases[i].options);
		assert_int_equal(volume_id_format(&id, text, NULL), 0);
		assert_string_equal(text + strlen("1::") + VOLUME_HASH_LENGTH, cases[i].text);
		assert_int_equal(volume_id_parse(text, &back, NULL), 0);
		assert_memory_equal(&id, &back, sizeof(id));
	}
}

static void test_length(void **state)
{
	struct volume_id id = {.share = "/"};
	char text[VOLUME_ID_MAX + 1];
	struct error err;

	(void)state;
	volume_id_hash("pvc-1", &id.hash);
	memset(id.share + 1, 'x', VOLUME_ID_MAX - strlen("1:::/") - VOLUME_HASH_LENGTH);
	assert_int_equal(volume_id_format(&id, text, &err), 0);
	strcat(id.share, "x");
	assert_int_equal(volume_id_format(&id, text, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	strcpy(id.options, "port=2050");
	id.share[strlen(id.share) - strlen("x//port=2050")] = '\0';
	assert_int_equal(volume_id_format(&id, text, &err), 0);
	assert_int_equal(strlen(text), VOLUME_ID_MAX);
	strcat(id.options, "1");
	assert_int_equal(volume_id_format(&id, text, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.text, "port=20501) are 1 bytes too long"));
}

static void test_refusals(void **state)
{
	static const char *const texts[] = {"", "1:", "volume", "2:aaaaaaaaaaaaaaaaaaaaaa::/x",
		"1:aaaaaaaaaaaaaaaaaaaaa::/x", "1:aaaaaaaaaaaaaaaaaaaaaaa::/x",
		"1:aaaaaaaaaaaa/aaaaaaaaa::/x", "1:aaaaaaaaaaaaaaaaaaaaaa",
		"1:aaaaaaaaaaaaaaaaaaaaaa:", "1:aaaaaaaaaaaaaaaaaaaaaa:/x",
		"1:aaaaaaaaaaaaaaaaaaaaaa::x", "1:aaaaaaaaaaaaaaaaaaaaaa::/x/",
		"1:aaaaaaaaaaaaaaaaaaaaaa:://x", "1:aaaaaaaaaaaaaaaaaaaaaa::/x/./y",
		"1:aaaaaaaaaaaaaaaaaaaaaa::/x/../y", "1:aaaaaaaaaaaaaaaaaaaaaa::/x/.",
		/* What does not say how a server is reached, and what is no option, is not for
		   mount.nfs. */
		"1:aaaaaaaaaaaaaaaaaaaaaa:s:/x//", "1:aaaaaaaaaaaaaaaaaaaaaa:s:/x//hard",
		"1:aaaaaaaaaaaaaaaaaaaaaa:s:/x//vers=3,ro", "1:aaaaaaaaaaaaaaaaaaaaaa:s:/x//bg",
		"1:aaaaaaaaaaaaaaaaaaaaaa:s:/x//vers=3//port=1",
		"1:aaaaaaaaaaaaaaaaaaaaaa:s:/x//vers=3,",
		"1:aaaaaaaaaaaaaaaaaaaaaa:s:/x/y///vers=3",
		"1:aaaaaaaaaaaaaaaaaaaaaa:s:////vers=3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct volume_id id;
		struct error err;

		assert_int_equal(volume_id_parse(texts[i], &id, &err), -1);
		assert_int_equal(err.kind, ERROR_NOT_FOUND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
