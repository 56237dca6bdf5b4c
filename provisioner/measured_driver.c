/* SPDX-License-Identifier: Apache-2.0 */
#include "measured_driver.h"

#include <time.h>

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

/* Count a call of METHOD that began at BEGAN, and hand its RESULT on, and WHY it failed to ERR,
 * which may be NULL. */
static int note(const struct measured_driver *measured, const char *method,
	const struct timespec *began, int result, const struct error *why, struct error *err)
{
	struct timespec end = now();
	double seconds =
		(double)(end.tv_sec - began->tv_sec) + (double)(end.tv_nsec - began->tv_nsec) / 1e9;

	metrics_observe(measured->metrics, METRIC_CSI_SECONDS, seconds, measured->driver.info.name,
		method, metrics_grpc_code(result < 0 ? error_kind_to_grpc(why->kind) : 0));
	if (result < 0 && err)
		*err = *why;
	return result;
}

static int create_volume(void *self, const struct csi_create_request *request,
	struct csi_volume *ret_volume, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/CreateVolume", &began,
		measured->driver.create_volume(measured->driver.self, request, ret_volume, &why),
		&why, err);
}

static int delete_volume(
	void *self, const char *handle, const struct string_map *secrets, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/DeleteVolume", &began,
		measured->driver.delete_volume(measured->driver.self, handle, secrets, &why), &why,
		err);
}

static int expand_volume(void *self, const struct csi_expand_request *request, int64_t *ret_bytes,
	bool *ret_node_expansion, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/ControllerExpandVolume", &began,
		measured->driver.expand_volume(
			measured->driver.self, request, ret_bytes, ret_node_expansion, &why),
		&why, err);
}

static int list_volumes(void *self,
	int (*each)(void *context, const struct csi_volume *volume, struct error *err),
	void *context, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/ListVolumes", &began,
		measured->driver.list_volumes(measured->driver.self, each, context, &why), &why,
		err);
}

static int modify_volume(void *self, const char *handle, const struct string_map *parameters,
	const struct string_map *secrets, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/ControllerModifyVolume", &began,
		measured->driver.modify_volume(
			measured->driver.self, handle, parameters, secrets, &why),
		&why, err);
}

static int list_snapshots(
	void *self, const char *id, csi_snapshot_fn *each, void *context, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/ListSnapshots", &began,
		measured->driver.list_snapshots(measured->driver.self, id, each, context, &why),
		&why, err);
}

static int delete_snapshot(void *self, const char *id, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Controller/DeleteSnapshot", &began,
		measured->driver.delete_snapshot(measured->driver.self, id, &why), &why, err);
}

static int probe(void *self, struct error *err)
{
	const struct measured_driver *measured = self;
	struct timespec began = now();
	struct error why = {0};

	return note(measured, "/csi.v1.Identity/Probe", &began,
		measured->driver.probe(measured->driver.self, &why), &why, err);
}

struct csi_driver measured_driver_table(struct measured_driver *measured)
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
		.self = measured,
		.info = measured->driver.info,
	};
}
