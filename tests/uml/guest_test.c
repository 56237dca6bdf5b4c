/* SPDX-License-Identifier: Apache-2.0 */
/* The guests themselves: what every other test here takes for granted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <cmocka.h>

#include "host.h"

static void test_questions(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(host_ask(text, sizeof(text), "something else"), 127);
	assert_non_null(strstr(text, "nobody here knows: something else"));
}

static void test_second_guest(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(host_ask(text, sizeof(text), "guest 2 uname -n; exit 7"), 7);
	assert_string_equal(text, "guest-2\n");
	host_do("guest 2 mkdir -p /mnt/nfs && mount -t nfs4 guest-1:/srv /mnt/nfs && "
		"touch /mnt/nfs/from-2 && umount /mnt/nfs");
	assert_int_equal(unlink("/srv/from-2"), 0);
}

static void test_power_cut(void **state)
{
	(void)state;
	host_do("guest 2 touch /run/before");
	host_do("kill guest 2");
	host_do("boot guest 2");
	host_do("guest 2 test ! -e /run/before");
}

/* It serves after it hung, and as another one: handles of before are stale then. */
static void test_ganesha(void **state)
{
	struct statvfs status;
	int fd;

	(void)state;
	assert_int_equal(mkdir("/run/ganesha", 0755), 0);
	assert_int_equal(
		system("mount -t nfs4 -o soft,timeo=20,retrans=1 host:/export /run/ganesha"), 0);
	assert_int_equal(mkdir("/run/ganesha/volume", 0755), 0);
	host_do("ganesha hang");
	host_do("ganesha resume");
	host_do("ganesha stop");
	host_do("ganesha start");
	assert_int_equal(access("/run/ganesha/volume", F_OK), 0);
	fd = open("/run/ganesha/volume", O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	host_do("ganesha replace");
	assert_int_equal(fstatvfs(fd, &status), -1);
	assert_int_equal(errno, ESTALE);
	close(fd);
	assert_int_equal(umount("/run/ganesha"), 0);
	assert_int_equal(rmdir("/run/ganesha"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_second_guest),
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_ganesha),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
