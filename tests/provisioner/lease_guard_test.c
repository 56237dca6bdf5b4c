/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_guard.h"

#include "lease_pair.h"
#include "testing.h"

struct calls {
	int api, create, delete;
};

static int count_api(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	(void)request;
	(void)ret_body;
	(void)err;
	((struct calls *)self)->api++;
	return 0;
}

static int count_create(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	(void)request;
	(void)ret_volume;
	(void)err;
	((struct calls *)self)->create++;
	return 0;
}

static int count_delete(void *self, const char *handle, struct error *err)
{
	(void)handle;
	(void)err;
	((struct calls *)self)->delete ++;
	return 0;
}

/* Only the holder changes anything. */
static void test_guard(void **state)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "get", ""};
	struct lease_pair pair;

	(void)state;
	lease_pair_init(&pair);
	for (int held = 0; held <= 1; held++) {
		struct calls calls = {0};
		struct lease_guard guard = {pair.a.lease, {count_api, &calls},
			{count_create, count_delete, &calls, {.name = "d"}}};
		struct kube_api api = lease_guard_api(&guard);
		struct csi_driver driver = lease_guard_driver(&guard);
		int passed = 0, wanted = held ? 0 : -1;
		struct error err = {0};

		assert_int_equal(held, held && lease_pair_step(&pair.a));
		for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
			struct rest_request request = {.method = methods[i], .path = "/"};

			if (api.call(api.self, &request, NULL, &err) == 0)
				passed++;
		}
		assert_int_equal(passed, held ? ARRAY_SIZE(methods) : 1);
		assert_int_equal(calls.api, passed);
		assert_int_equal(driver.create_volume(driver.self, NULL, NULL, &err), wanted);
		assert_int_equal(driver.delete_volume(driver.self, "h", &err), wanted);
		assert_int_equal(calls.create + calls.delete, held ? 2 : 0);
		assert_int_equal(err.kind, held ? ERROR_NONE : ERROR_ABORTED);
		assert_string_equal(driver.info.name, "d");
	}
	lease_pair_ms += DEADLINE;
	assert_false(lease_is_held(pair.a.lease));
	lease_pair_done(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
