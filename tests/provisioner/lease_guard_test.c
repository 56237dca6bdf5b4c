/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_guard.h"

#include "lease_pair.h"
#include "testing.h"

struct calls {
	int api, writes, reads;
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
	((struct calls *)self)->writes++;
	return 0;
}

static int count_delete(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	(void)handle;
	(void)secrets;
	(void)err;
	((struct calls *)self)->writes++;
	return 0;
}

static int count_expand(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	(void)request;
	(void)ret_bytes;
	(void)ret_node_expansion;
	(void)err;
	((struct calls *)self)->writes++;
	return 0;
}

static int count_modify(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	(void)handle;
	(void)parameters;
	(void)secrets;
	(void)err;
	((struct calls *)self)->writes++;
	return 0;
}

static int count_list(void *self,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	(void)each;
	(void)context;
	(void)err;
	((struct calls *)self)->reads++;
	return 0;
}

static int count_list_snapshots(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	(void)id;
	(void)each;
	(void)context;
	(void)err;
	((struct calls *)self)->reads++;
	return 0;
}

static int count_delete_snapshot(void *self, const char *id, struct error *err)
{
	(void)id;
	(void)err;
	((struct calls *)self)->writes++;
	return 0;
}

static int count_probe(void *self, struct error *err)
{
	(void)err;
	((struct calls *)self)->reads++;
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
			{count_create, count_delete, count_expand, count_list, count_modify,
				count_list_snapshots, count_delete_snapshot, count_probe, &calls,
				{.name = "d"}}};
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
		assert_int_equal(driver.delete_volume(driver.self, "h", NULL, &err), wanted);
		assert_int_equal(driver.expand_volume(driver.self, NULL, NULL, NULL, &err), wanted);
		assert_int_equal(driver.modify_volume(driver.self, "h", NULL, NULL, &err), wanted);
		assert_int_equal(driver.delete_snapshot(driver.self, "s", &err), wanted);
		assert_int_equal(calls.writes, held ? 5 : 0);
		assert_int_equal(driver.list_volumes(driver.self, NULL, NULL, &err), 0);
		assert_int_equal(driver.probe(driver.self, &err), 0);
		assert_int_equal(driver.list_snapshots(driver.self, NULL, NULL, NULL, &err), 0);
		assert_int_equal(calls.reads, 3);
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
