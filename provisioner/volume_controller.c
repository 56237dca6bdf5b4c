/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_controller.h"

#include <string.h>
#include <time.h>

#include "journal.h"
#include "log.h"
#include "metrics.h"
#include "patches.h"
#include "recent.h"
#include "secrets.h"
#include "topology.h"

static bool is_ours(const struct controller *controller, const struct volume *volume)
{
	const char *driver = controller->driver.info.name;

	if (*volume->provisioned_by)
		return !strcmp(volume->provisioned_by, driver) ||
		       !strcmp(volume->migrated_to, driver);
	return !strcmp(volume->driver, driver) || !strcmp(volume->migrated_to, driver);
}

static bool has_finalizer(const struct volume *volume)
{
	return strings_contain(&volume->finalizers, VOLUME_FINALIZER);
}

static char *volume_path(const struct volume *volume)
{
	char *path;

	if (asprintf(&path, "%s/%s", volume_type.path, volume->object.name) < 0)
		abort();
	return path;
}

/* Add or remove our finalizer, where the volume is not gone meanwhile. */
static int patch_finalizer(const struct controller *controller, const struct volume *volume,
	bool add, struct error *err)
{
	_cleanup_free_ char *path = volume_path(volume);
	int result = patches_finalizer(
		&controller->api, path, volume->object.uid, VOLUME_FINALIZER, add, err);

	return result < 0 && err->kind == ERROR_NOT_FOUND ? 0 : result;
}

/* The finalizer belongs on volumes whose data we will delete, and on no others. */
static bool lacks_finalizer(const struct volume *volume)
{
	return !strcmp(volume->reclaim_policy, "Delete") && !has_finalizer(volume) &&
	       !volume->object.deleting && !strcmp(volume->phase, "Bound");
}

static bool has_needless_finalizer(const struct volume *volume)
{
	return strcmp(volume->reclaim_policy, "Delete") != 0 && has_finalizer(volume);
}

static bool should_delete(const struct controller *controller, const struct volume *volume)
{
	/* Someone took our finalizer away from a volume that is going: it is no longer ours to
	 * decide about. */
	if (volume->object.deleting && !has_finalizer(volume))
		return false;
	/* Nor is there anything left to do for one that is gone, whatever the cache says yet. */
	return is_ours(controller, volume) && !strcmp(volume->phase, "Released") &&
	       !strcmp(volume->reclaim_policy, "Delete") &&
	       !recent_has(controller->deleted, volume->object.uid);
}

bool volume_controller_concerns(const struct controller *controller, const struct volume *volume)
{
	return is_ours(controller, volume) &&
	       (lacks_finalizer(volume) || has_needless_finalizer(volume) ||
		       should_delete(controller, volume));
}

int volume_controller_get(const struct controller *controller, const char *name,
	struct volume **ret_volume, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct json_object *json;
	struct error why = {0};

	if (asprintf(&path, "%s/%s", volume_type.path, name) < 0)
		abort();
	request.path = path;
	*ret_volume = NULL;
	if (controller->api.call(controller->api.self, &request, &json, &why) == 0) {
		*ret_volume = (struct volume *)object_parse(&volume_type, json, &why);
		json_object_put(json);
	}
	if (!why.kind || why.kind == ERROR_NOT_FOUND)
		return 0;
	*err = why;
	return -1;
}

/* The cache may be a moment old, and deleting data is not undone when the policy was changed to
 * Retain in that moment. *RET_FRESH is NULL where that volume is gone. */
static int get_fresh(const struct controller *controller, const struct volume *volume,
	struct volume **ret_fresh, struct error *err)
{
	if (volume_controller_get(controller, volume->object.name, ret_fresh, err) < 0)
		return -1;
	if (*ret_fresh && strcmp((*ret_fresh)->object.uid, volume->object.uid)) {
		object_unref(*ret_fresh);
		*ret_fresh = NULL;
	}
	return 0;
}

static bool attaches_volume(struct json_object *attachment, const char *name)
{
	struct json_object *spec = json_member(attachment, "spec", json_type_object);
	const char *volume =
		json_string(json_member(spec, "source", json_type_object), "persistentVolumeName");

	return volume && !strcmp(volume, name);
}

/* A volume that a node still has attached must not be deleted under it. */
static int check_detached(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	struct rest_request request = {
		.method = "GET", .path = "/apis/storage.k8s.io/v1/volumeattachments"};
	struct json_object *list, *items;
	bool attached = false;
	size_t count;

	if (!controller->driver.info.attaches)
		return 0;
	if (controller->api.call(controller->api.self, &request, &list, err) < 0)
		return -1;
	items = json_member(list, "items", json_type_array);
	count = items ? json_object_array_length(items) : 0;
	for (size_t i = 0; i < count && !attached; i++)
		attached =
			attaches_volume(json_object_array_get_idx(items, i), volume->object.name);
	json_object_put(list);
	if (attached)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"persistentvolume %s is still attached to a node", volume->object.name);
	return 0;
}

static int delete_object(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	_cleanup_free_ char *path = volume_path(volume);
	struct json_object *body = json_object_new_object();
	struct json_object *preconditions = json_object_new_object();
	struct rest_request request = {.method = "DELETE", .path = path, .body = body};
	int result;

	json_object_object_add(body, "apiVersion", json_object_new_string("v1"));
	json_object_object_add(body, "kind", json_object_new_string("DeleteOptions"));
	json_object_object_add(preconditions, "uid", json_object_new_string(volume->object.uid));
	json_object_object_add(body, "preconditions", preconditions);
	result = controller->api.call(controller->api.self, &request, NULL, err);
	json_object_put(body);
	if (result < 0 && err->kind == ERROR_NOT_FOUND)
		return 0;
	return result;
}

/* A volume that is ours by annotation alone may be of a type that has no handle, or be another
 * driver's, whose handles mean nothing to ours. */
static int check_source(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	if (*volume->handle && !strcmp(volume->driver, controller->driver.info.name))
		return 0;
	return error_set(err, ERROR_INVALID, "persistentvolume %s is not a CSI volume of driver %s",
		volume->object.name, controller->driver.info.name);
}

static int delete_from_driver(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	struct string_map secret;
	int result;

	if (secrets_read_for_deletion(controller, volume, &secret, err) < 0)
		return -1;
	result = controller->driver.delete_volume(
		controller->driver.self, volume->handle, secret.count ? &secret : NULL, err);
	string_map_wipe(&secret);
	return result;
}

/* A journal that still told of the making of this volume would have it made again, once its
 * PersistentVolume is gone. Where it tells of a making whose end nobody saw, that may have been
 * made already, under another handle: by a claim that did not know yet that the driver had deleted
 * this one. */
static int forget_request(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	const char *claim = volume->resize.claim_uid;
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		claim ? journal_find(controller->journal, claim) : NULL;

	if (!claim || (request && strcmp(request->name, volume->object.name)))
		return 0;
	if (request && volume_request_undo(request, controller, volume->handle, err) < 0)
		return -1;
	return journal_forget(controller->journal, claim, err);
}

static int delete_data(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	if (check_source(controller, volume, err) == 0 &&
		topology_check_volume(controller, volume, err) == 0 &&
		check_detached(controller, volume, err) == 0 &&
		forget_request(controller, volume, err) == 0 &&
		delete_from_driver(controller, volume, err) == 0)
		return 0;
	event_record(controller->events, &volume->object, EVENT_WARNING, "VolumeFailedDelete", "%s",
		err->text);
	return -1;
}

static int delete_volume(const struct controller *controller, const struct volume *cached,
	bool *ret_deleted, struct error *err)
{
	_cleanup_object_ struct volume *volume = NULL;

	*ret_deleted = false;
	if (get_fresh(controller, cached, &volume, err) < 0)
		return -1;
	if (!volume || !should_delete(controller, volume))
		return 0;
	if (delete_data(controller, volume, err) < 0 || delete_object(controller, volume, err) < 0)
		return -1;
	if (has_finalizer(volume) && patch_finalizer(controller, volume, false, err) < 0)
		return -1;
	*ret_deleted = true;
	recent_add(controller->deleted, volume->object.uid);
	log_event(LOG_LEVEL_INFO, "deleted volume", LOG_STR("volume", volume->object.name),
		LOG_STR("handle", volume->handle));
	return 0;
}

/* The same, counted under the names of sig-storage-lib. */
static int delete_counted(
	const struct controller *controller, const struct volume *volume, struct error *err)
{
	const char *class = volume->class_name;
	struct timespec began, now;
	bool deleted;

	clock_gettime(CLOCK_MONOTONIC, &began);
	if (delete_volume(controller, volume, &deleted, err) < 0) {
		metrics_add(controller->metrics, METRIC_DELETE_FAILED_TOTAL, 1, class);
		return -1;
	}
	if (!deleted)
		return 0; /* the cache did not know yet */
	clock_gettime(CLOCK_MONOTONIC, &now);
	metrics_add(controller->metrics, METRIC_DELETE_TOTAL, 1, class);
	metrics_observe(controller->metrics, METRIC_DELETE_SECONDS,
		(double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9,
		class);
	return 0;
}

int volume_controller_sync(const struct controller *controller, const char *name, struct error *err)
{
	_cleanup_object_ struct volume *volume = store_get(controller->volumes, name);
	int result = 0;

	if (!volume || !volume_controller_concerns(controller, volume) ||
		!topology_has_volume(controller, volume))
		return 0;
	if (lacks_finalizer(volume))
		result = patch_finalizer(controller, volume, true, err);
	else if (has_needless_finalizer(volume))
		result = patch_finalizer(controller, volume, false, err);
	else
		result = delete_counted(controller, volume, err);
	return result < 0 ? error_prefix(err, "volume %s", name) : 0;
}
