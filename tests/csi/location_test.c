/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <string.h>
#include <sys/mount.h>

#include "location.h"

static void test_spellings(void **state)
{
	static const struct {
		const char *server, *share, *name;
	} cases[] = {
		{"nfs.Example.org.", "/srv/", "nfs.example.org:/srv"},
		{"10.0.0.1", "/", "10.0.0.1:/"},
		{"[FD00:0::1]", "/a/b//", "[fd00::1]:/a/b"},
		{"fd00::1", "/a", "[fd00::1]:/a"},
		{"fe80::1%eth0", "/a", "[fe80::1%eth0]:/a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct location location = {0}, again = {0};
		char name[LOCATION_NAME_MAX + 1], text[VOLUME_ID_MAX + 1];
		struct volume_id id = {0}, back;

		assert_int_equal(location_set_server(&location, cases[i].server, NULL), 0);
		assert_int_equal(location_set_share(&location, cases[i].share, NULL), 0);
		location_name(&location, name);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(location_parse(&again, name, strlen(name), NULL), 0);
		assert_true(location_equal(&location, &again));
		volume_id_hash("pvc-1", &id.hash);
		strcpy(id.server, location.server);
		strcpy(id.share, location.share);
		assert_int_equal(volume_id_format(&id, text, NULL), 0);
		assert_int_equal(volume_id_parse(text, &back, NULL), 0);
		assert_string_equal(back.server, location.server);
		assert_string_equal(back.share, location.share);
	}
}

static void test_refusals(void **state)
{
	static const char *const servers[] = {
		"", "-a", "a b", "a/b", "[a]", "[]", "fd00::g", "fd00::1%e/h", "a:b", "-oremount"};
	static const char *const shares[] = {"", "a", "/a/../b", "/a/./b", "/..", "/a//b"};
	struct location location = {0};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		assert_int_equal(location_set_server(&location, servers[i], &err), -1);
		assert_int_equal(err.kind, ERROR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		assert_int_equal(location_set_share(&location, shares[i], &err), -1);
}

static void test_options(void **state)
{
	static const struct {
		const char *given, *text;
		unsigned long flags;
	} cases[] = {
		{"nfsvers=4.1", "nfsvers=4.1", 0},
		{"hard,ro,timeo=600,nosharecache", "hard,timeo=600,nosharecache", MS_RDONLY},
		{"sec=krb5p:sys,noexec,,", "sec=krb5p:sys", MS_NOEXEC},
		{"rw", "", 0},
	};
	static const char *const refused[] = {"bg", "remount", "addr=1.2.3.4", "bind", "loop",
		"nfsvers=", "nfsvers", "hard=1", "nfsvers=4 1", "x-systemd.automount", "user"};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mount_options options = {0};

		assert_int_equal(mount_options_add_nfs(cases[i].given, &options, NULL), 0);
		assert_string_equal(options.text, cases[i].text);
		assert_int_equal(options.flags, cases[i].flags);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct mount_options options = {0};

		assert_int_equal(mount_options_add_nfs(refused[i], &options, &err), -1);
		assert_non_null(strstr(err.text, "is not understood"));
	}
}

static void test_long_options(void **state)
{
	struct mount_options options = {0};
	struct error err;
	int result = 0;

	(void)state;
	for (int i = 0; result == 0; i++) {
		assert_true(i < MOUNT_OPTIONS_MAX);
		result = mount_options_add_nfs("nosharecache", &options, &err);
	}
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.text, "longer than"));
}

/* Another port is another server, wherever one is said. */
static void test_ports(void **state)
{
	static const struct {
		const char *a, *b;
		bool any, equal;
	} cases[] = {
		{"", "", false, true},
		{"", "port=2049,hard", false, true},
		{"vers=3,port=2050", "port=2050", false, true},
		{"port=2050", "", false, false},
		{"port=2050", "", true, true},
		{"port=2050", "port=2051", true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct location a = {.server = "s", .share = "/x"}, b = a;

		strcpy(a.options, cases[i].a);
		strcpy(b.options, cases[i].b);
		b.any_options = cases[i].any;
		assert_int_equal(location_equal(&a, &b), cases[i].equal);
		assert_int_equal(location_equal(&b, &a), cases[i].equal);
	}
}

static void test_reaching(void **state)
{
	static const struct {
		const char *given, *reaching;
	} cases[] = {
		{"", ""},
		{"hard,timeo=600", ""},
		{"nfsvers=4.1", "nfsvers=4.1"},
		{"hard,vers=3,timeo=600,nolock,tcp", "vers=3,nolock,tcp"},
		{"mountport=1,port=2,retrans=3,sec=sys", "mountport=1,port=2,sec=sys"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char reaching[MOUNT_OPTIONS_MAX + 1];

		mount_options_reaching(cases[i].given, reaching);
		assert_string_equal(reaching, cases[i].reaching);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_reaching),
		cmocka_unit_test(test_long_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
