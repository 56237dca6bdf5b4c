/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_guard.h"

#include <stddef.h>
#include <string.h>

/* A call that is added to the table must get its guard here. */
_Static_assert(offsetof(struct csi_driver, self) == 8 * sizeof(void (*)(void)),
	"a call of the driver has no guard");

static int check(const struct lease_guard *guard, struct error *err)
{
	if (lease_is_held(guard->lease))
		return 0;
	return error_set(err, ERROR_ABORTED, "the lease was lost");
}

static int call(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct lease_guard *guard = self;

	if (strcmp(request->method, "GET") && check(guard, err) < 0)
		return error_prefix(err, "%s %s", request->method, request->path);
	return guard->api.call(guard->api.self, request, ret_body, err);
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	struct lease_guard *guard = self;

	if (check(guard, err) < 0)
		return -1;
	return guard->driver.create_volume(guard->driver.self, request, ret_volume, err);
}

static int delete_volume(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	struct lease_guard *guard = self;

	if (check(guard, err) < 0)
		return -1;
	return guard->driver.delete_volume(guard->driver.self, handle, secrets, err);
}

static int expand_volume(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	struct lease_guard *guard = self;

	if (check(guard, err) < 0)
		return -1;
	return guard->driver.expand_volume(
		guard->driver.self, request, ret_bytes, ret_node_expansion, err);
}

static int modify_volume(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	struct lease_guard *guard = self;

	if (check(guard, err) < 0)
		return -1;
	return guard->driver.modify_volume(guard->driver.self, handle, parameters, secrets, err);
}

static int list_volumes(void *self,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	struct lease_guard *guard = self;

	return guard->driver.list_volumes(guard->driver.self, each, context, err);
}

static int list_snapshots(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	struct lease_guard *guard = self;

	return guard->driver.list_snapshots(guard->driver.self, id, each, context, err);
}

static int delete_snapshot(void *self, const char *id, struct error *err)
{
	struct lease_guard *guard = self;

	if (check(guard, err) < 0)
		return -1;
	return guard->driver.delete_snapshot(guard->driver.self, id, err);
}

static int probe(void *self, struct error *err)
{
	struct lease_guard *guard = self;

	return guard->driver.probe(guard->driver.self, err);
}

struct kube_api lease_guard_api(struct lease_guard *guard)
{
	return (struct kube_api){call, guard};
}

struct csi_driver lease_guard_driver(struct lease_guard *guard)
{
	return (struct csi_driver){
		.create_volume = create_volume,
		.delete_volume = delete_volume,
		.expand_volume = expand_volume,
		.list_volumes = list_volumes,
		.modify_volume = modify_volume,
		.list_snapshots = list_snapshots,
		.delete_snapshot = delete_snapshot,
		.probe = probe,
		.self = guard,
		.info = guard->driver.info,
	};
}
