/* SPDX-License-Identifier: Apache-2.0 */
#include "data_source.h"

#include <string.h>

#include "dns_name.h"
#include "names.h"
#include "patches.h"
#include "quantity.h"

#define SNAPSHOT_GROUP    "snapshot.storage.k8s.io"
#define SNAPSHOT_API      "/apis/" SNAPSHOT_GROUP "/v1"
#define HANDLE_MAX        128 /* of a snapshot, as CSI limits it */
#define ALLOW_MODE_CHANGE "snapshot.storage.kubernetes.io/allow-volume-mode-change"

enum data_source_kind data_source_kind(const struct claim *claim)
{
	if (!claim->data_source_name)
		return DATA_SOURCE_NONE;
	if (!strcmp(claim->data_source_kind, "PersistentVolumeClaim") && !*claim->data_source_group)
		return DATA_SOURCE_CLAIM;
	if (!strcmp(claim->data_source_kind, "VolumeSnapshot") &&
		!strcmp(claim->data_source_group, SNAPSHOT_GROUP))
		return DATA_SOURCE_SNAPSHOT;
	return DATA_SOURCE_OTHER;
}

void data_source_done(struct data_source *source)
{
	free(source->volume_handle);
	free(source->snapshot_handle);
	*source = (struct data_source){NULL, NULL};
}

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		abort();
	return made;
}

static const char *text_of(struct json_object *object, const char *key)
{
	const char *text = json_string(object, key);

	return text ? text : "";
}

static struct json_object *part(struct json_object *object, const char *key)
{
	return json_member(object, key, json_type_object);
}

static char *claim_path(const char *namespace, const char *name)
{
	char *path;

	if (asprintf(&path, "/api/v1/namespaces/%s/persistentvolumeclaims/%s", namespace, name) < 0)
		abort();
	return path;
}

/* What is at PATH now: sources are few, so they are in no cache. One that is not there may come. */
static int fetch(const struct controller *controller, const char *path,
	struct json_object **ret_object, struct error *err)
{
	const struct rest_request request = {.method = "GET", .path = path};
	struct error why;

	if (controller->api.call(controller->api.self, &request, ret_object, &why) == 0)
		return 0;
	if (why.kind == ERROR_NOT_FOUND)
		why.kind = ERROR_UNAVAILABLE;
	if (err)
		*err = why;
	return -1;
}

/* Whether REFERENCE is one to OBJECT, and not to another that had its name before. */
static bool refers_to(struct json_object *reference, struct json_object *object)
{
	struct json_object *metadata = part(object, "metadata");
	static const char *const keys[] = {"uid", "namespace", "name"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(text_of(reference, keys[i]), text_of(metadata, keys[i])))
			return false;
	return *text_of(metadata, "uid") != '\0';
}

/* As strconv.ParseBool, which the annotation's other readers use. */
static bool is_true(const char *text)
{
	static const char *const words[] = {"1", "t", "T", "true", "TRUE", "True"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i]))
			return true;
	return false;
}

/* SIZE is a quantity's text, or a number where somebody wrote one by hand. */
static int check_size(struct json_object *size, int64_t required_bytes, struct error *err)
{
	int64_t bytes;

	if (!json_object_is_type(size, json_type_string) &&
		!json_object_is_type(size, json_type_int))
		return 0;
	if (quantity_parse(json_object_get_string(size), &bytes, err) < 0)
		return error_prefix(err, "its size");
	if (required_bytes < bytes)
		return error_set(err, ERROR_INVALID,
			"it holds %s, more than the claim asks for: ask for at least that much",
			json_object_get_string(size));
	return 0;
}

static struct json_object *requested_of(struct json_object *claim)
{
	struct json_object *resources = part(part(claim, "spec"), "resources");
	struct json_object *size = NULL;

	json_object_object_get_ex(part(resources, "requests"), "storage", &size);
	return size;
}

static bool is_deleting(struct json_object *object)
{
	return json_string(part(object, "metadata"), "deletionTimestamp") != NULL;
}

/* A claim and its volume, as the API server has them now. */
struct original {
	struct json_object *json;
	struct claim *claim;
	struct json_object *volume;
};

static void original_done(struct original *original)
{
	json_object_put(original->json);
	object_unref(original->claim);
	json_object_put(original->volume);
}

/* One that is protected stays, so that a copy that was begun can be ended. */
static int check_claim(const struct original *original, int64_t required_bytes, struct error *err)
{
	const struct claim *claim = original->claim;

	if (strcmp(text_of(part(original->json, "status"), "phase"), "Bound"))
		return error_set(err, ERROR_UNAVAILABLE, "it is not bound to a volume yet");
	if (claim->object.deleting && !claim->cloning_protected)
		return error_set(err, ERROR_FAILED_PRECONDITION, "it is being deleted");
	if (!dns_name_is_subdomain(claim->volume_name))
		return error_set(err, ERROR_FAILED_PRECONDITION, "it names no volume");
	return check_size(requested_of(original->json), required_bytes, err);
}

static int check_volume(const struct controller *controller, const struct claim *claim,
	const struct original *original, struct error *err)
{
	struct json_object *volume = original->volume, *spec = part(volume, "spec");
	struct json_object *csi = part(spec, "csi");
	bool block = !strcmp(text_of(spec, "volumeMode"), "Block");

	if (strcmp(text_of(csi, "driver"), controller->driver.info.name) ||
		!*text_of(csi, "volumeHandle"))
		return error_set(err, ERROR_INVALID,
			"its volume is not one of driver %s, which alone can copy it for this "
			"claim's class",
			controller->driver.info.name);
	if (!refers_to(part(spec, "claimRef"), original->json) ||
		strcmp(text_of(part(volume, "status"), "phase"), "Bound"))
		return error_set(err, ERROR_FAILED_PRECONDITION, "its volume is not bound to it");
	if (block != claim->block)
		return error_set(err, ERROR_INVALID,
			"its volumeMode is %s, and this claim's is %s: a copy has the same one",
			block ? "Block" : "Filesystem", claim->block ? "Block" : "Filesystem");
	return 0;
}

static int fetch_claim(const struct controller *controller, const char *path,
	struct original *original, struct error *err)
{
	if (fetch(controller, path, &original->json, err) < 0)
		return -1;
	original->claim = (struct claim *)object_parse(&claim_type, original->json, err);
	return original->claim ? 0 : -1;
}

static int fetch_volume(
	const struct controller *controller, struct original *original, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", volume_type.path, original->claim->volume_name) < 0)
		abort();
	return fetch(controller, path, &original->volume, err);
}

/* Where the finalizer is to go, the claim is there, or else it may come; where it is to be taken
 * from, that is done once the claim is gone. */
static int set_protection(
	const struct controller *controller, const struct claim *claim, bool on, struct error *err)
{
	_cleanup_free_ char *path = claim_path(claim->object.namespace, claim->object.name);
	struct error why;

	if (patches_finalizer(
		    &controller->api, path, claim->object.uid, CLONING_FINALIZER, on, &why) == 0)
		return 0;
	if (why.kind == ERROR_NOT_FOUND && !on)
		return 0;
	if (why.kind == ERROR_NOT_FOUND)
		why.kind = ERROR_UNAVAILABLE;
	if (err)
		*err = why;
	return -1;
}

static int resolve_original(const struct controller *controller, const struct claim *claim,
	int64_t required_bytes, struct original *original, struct error *err)
{
	_cleanup_free_ char *path = claim_path(claim->object.namespace, claim->data_source_name);

	if (fetch_claim(controller, path, original, err) < 0 ||
		check_claim(original, required_bytes, err) < 0 ||
		fetch_volume(controller, original, err) < 0 ||
		check_volume(controller, claim, original, err) < 0)
		return -1;
	if (original->claim->cloning_protected)
		return 0;
	/* The API server refuses that where the deletion has begun since. */
	return set_protection(controller, original->claim, true, err);
}

static int resolve_claim(const struct controller *controller, const struct claim *claim,
	int64_t required_bytes, struct data_source *ret, struct error *err)
{
	struct original original = {NULL, NULL, NULL};
	int result;

	if (!controller->driver.info.clone)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"driver %s does not copy volumes (no capability CLONE_VOLUME)",
			controller->driver.info.name);
	result = resolve_original(controller, claim, required_bytes, &original, err);
	if (result == 0)
		ret->volume_handle =
			copy(text_of(part(part(original.volume, "spec"), "csi"), "volumeHandle"));
	original_done(&original);
	return result;
}

static int check_snapshot(struct json_object *snapshot, struct error *err)
{
	const char *content = text_of(part(snapshot, "status"), "boundVolumeSnapshotContentName");

	if (is_deleting(snapshot))
		return error_set(err, ERROR_FAILED_PRECONDITION, "it is being deleted");
	if (!*content)
		return error_set(err, ERROR_UNAVAILABLE, "it is not bound to its content yet");
	if (!dns_name_is_subdomain(content))
		return error_set(err, ERROR_FAILED_PRECONDITION, "it names no content");
	return 0;
}

/* Whether the content may be read as CLAIM wants it, as a file system or as a device. */
static int check_mode(const struct claim *claim, struct json_object *content, struct error *err)
{
	const char *source = json_string(part(content, "spec"), "sourceVolumeMode");
	struct json_object *metadata = part(content, "metadata");
	const char *wanted = claim->block ? "Block" : "Filesystem";

	if (!source || !strcmp(source, wanted) ||
		is_true(text_of(part(metadata, "annotations"), ALLOW_MODE_CHANGE)))
		return 0;
	return error_set(err, ERROR_INVALID,
		"its volumeMode is %s, and this claim's is %s: only with the annotation " ALLOW_MODE_CHANGE
		": \"true\" of the volumesnapshotcontent %s that is allowed",
		source, wanted, text_of(metadata, "name"));
}

static int check_content(const struct controller *controller, struct json_object *snapshot,
	struct json_object *content, struct error *err)
{
	struct json_object *status = part(snapshot, "status");
	struct json_object *ready = json_member(status, "readyToUse", json_type_boolean);
	const char *why = json_string(part(status, "error"), "message");

	if (!refers_to(part(part(content, "spec"), "volumeSnapshotRef"), snapshot))
		return error_set(
			err, ERROR_FAILED_PRECONDITION, "its content belongs to another snapshot");
	if (strcmp(text_of(part(content, "spec"), "driver"), controller->driver.info.name))
		return error_set(err, ERROR_INVALID,
			"it is not one of driver %s, which alone can read it for this claim's "
			"class",
			controller->driver.info.name);
	if (!json_object_get_boolean(ready))
		return error_set(err, ERROR_UNAVAILABLE, "it is not ready to use yet%s%s",
			why ? ": " : "", why ? why : "");
	if (!*text_of(part(content, "status"), "snapshotHandle"))
		return error_set(err, ERROR_UNAVAILABLE, "its content has no handle yet");
	return 0;
}

static int fetch_content_of(const struct controller *controller, struct json_object *snapshot,
	struct json_object **ret_content, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, SNAPSHOT_API "/volumesnapshotcontents/%s",
		    text_of(part(snapshot, "status"), "boundVolumeSnapshotContentName")) < 0)
		abort();
	return fetch(controller, path, ret_content, err);
}

static int fetch_snapshot(const struct controller *controller, const struct claim *claim,
	struct json_object **ret_snapshot, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, SNAPSHOT_API "/namespaces/%s/volumesnapshots/%s",
		    claim->object.namespace, claim->data_source_name) < 0)
		abort();
	return fetch(controller, path, ret_snapshot, err);
}

static int find_handle(const struct controller *controller, const struct claim *claim,
	int64_t required_bytes, struct json_object *snapshot, char **ret_handle, struct error *err)
{
	struct json_object *content, *size = NULL;
	int result;

	if (fetch_content_of(controller, snapshot, &content, err) < 0)
		return -1;
	json_object_object_get_ex(part(snapshot, "status"), "restoreSize", &size);
	result = check_content(controller, snapshot, content, err);
	if (result == 0)
		result = check_size(size, required_bytes, err);
	if (result == 0)
		result = check_mode(claim, content, err);
	if (result == 0)
		*ret_handle = copy(text_of(part(content, "status"), "snapshotHandle"));
	json_object_put(content);
	return result;
}

static int resolve_snapshot(const struct controller *controller, const struct claim *claim,
	int64_t required_bytes, struct data_source *ret, struct error *err)
{
	struct json_object *snapshot;
	int result;

	if (!controller->driver.info.snapshots)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"driver %s knows no snapshots (no capability CREATE_DELETE_SNAPSHOT)",
			controller->driver.info.name);
	if (fetch_snapshot(controller, claim, &snapshot, err) < 0)
		return -1;
	result = check_snapshot(snapshot, err);
	if (result == 0)
		result = find_handle(
			controller, claim, required_bytes, snapshot, &ret->snapshot_handle, err);
	json_object_put(snapshot);
	return result;
}

/* The one that the claim's annotation names by the driver's own handle. What a
 * VolumeSnapshotContent binds to one namespace anybody may write there: only our own driver looks
 * whose it is. */
static int resolve_handle(const struct controller *controller, const struct claim *claim,
	struct data_source *ret, struct error *err)
{
	const struct csi_driver_info *info = &controller->driver.info;

	if (*claim->data_source)
		return error_set(err, ERROR_INVALID,
			"the claim has a data source (%s), too: remove one of the two",
			claim->data_source);
	if (!info->snapshots)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"driver %s knows no snapshots (no capability CREATE_DELETE_SNAPSHOT)",
			info->name);
	if (!info->ours)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"driver %s does not look in which namespace a snapshot may be used: use a "
			"VolumeSnapshot and its content",
			info->name);
	if (strlen(claim->restore_from) > HANDLE_MAX)
		return error_set(err, ERROR_INVALID, "it is longer than %d bytes", HANDLE_MAX);
	ret->snapshot_handle = copy(claim->restore_from);
	return 0;
}

static bool is_elsewhere(const struct claim *claim)
{
	return *claim->data_source_namespace &&
	       strcmp(claim->data_source_namespace, claim->object.namespace);
}

/* The API server looks at neither of the two. */
static int check_reference(const struct claim *claim, struct error *err)
{
	if (is_elsewhere(claim))
		return error_set(err, ERROR_INVALID,
			"it is in namespace %s, and sources are taken from the claim's own "
			"namespace only: make the claim there",
			claim->data_source_namespace);
	if (!dns_name_is_subdomain(claim->data_source_name))
		return error_set(err, ERROR_INVALID, "that is no name");
	return 0;
}

int data_source_resolve(const struct controller *controller, const struct claim *claim,
	int64_t required_bytes, struct data_source *ret, struct error *err)
{
	enum data_source_kind kind = data_source_kind(claim);
	struct data_source source = {NULL, NULL};
	int result = 0;

	if (*claim->restore_from) {
		if (resolve_handle(controller, claim, &source, err) < 0)
			return error_prefix(err, "annotation " ORDINAL_KEY_RESTORE_FROM);
		*ret = source;
		return 0;
	}
	if (kind == DATA_SOURCE_CLAIM || kind == DATA_SOURCE_SNAPSHOT)
		result = check_reference(claim, err);
	if (result == 0 && kind == DATA_SOURCE_CLAIM)
		result = resolve_claim(controller, claim, required_bytes, &source, err);
	if (result == 0 && kind == DATA_SOURCE_SNAPSHOT)
		result = resolve_snapshot(controller, claim, required_bytes, &source, err);
	if (result < 0)
		return error_prefix(err, "data source %s", claim->data_source);
	*ret = source;
	return 0;
}

/* A search through the cache of claims. */
struct search {
	const char *namespace, *name; /* of the source */
	const char *but_uid;          /* a claim that does not count, or "" */
	struct claim *found;
};

static bool is_copy_of(const struct claim *claim, const struct search *source)
{
	return data_source_kind(claim) == DATA_SOURCE_CLAIM && !is_elsewhere(claim) &&
	       !strcmp(claim->data_source_name, source->name) &&
	       !strcmp(claim->object.namespace, source->namespace);
}

static void find_user(void *context, const struct object *object)
{
	const struct claim *claim = (const struct claim *)object;
	struct search *search = context;

	if (!search->found && !*claim->volume_name && is_copy_of(claim, search) &&
		strcmp(object->uid, search->but_uid))
		search->found = object_ref(object);
}

static void find_source(void *context, const struct object *object)
{
	struct search *search = context;

	if (!search->found && ((const struct claim *)object)->cloning_protected &&
		!strcmp(object->name, search->name) &&
		!strcmp(object->namespace, search->namespace))
		search->found = object_ref(object);
}

/* The finalizer is every external-provisioner's as well: whose it is, the volume tells. */
static bool is_ours(const struct controller *controller, const struct claim *claim)
{
	_cleanup_object_ struct volume *volume = store_get(controller->volumes, claim->volume_name);

	return !strcmp(volume ? volume->driver : claim->provisioner, controller->driver.info.name);
}

/* BUT_UID is a claim that has its volume, though it is not bound yet. */
static int unprotect(const struct controller *controller, const struct claim *claim,
	const char *but_uid, struct error *err)
{
	struct search search = {claim->object.namespace, claim->object.name, but_uid, NULL};
	_cleanup_object_ struct claim *user = NULL;

	if (!claim->cloning_protected || !is_ours(controller, claim))
		return 0;
	store_each(controller->claims, find_user, &search);
	user = search.found;
	if (user && claim->object.deleting)
		return error_set(err, ERROR_UNAVAILABLE,
			"it is deleted once claim %s, which copies it, has its volume",
			user->object.name);
	return user ? 0 : set_protection(controller, claim, false, err);
}

int data_source_sync_protection(
	const struct controller *controller, const struct claim *claim, struct error *err)
{
	return unprotect(controller, claim, "", err);
}

int data_source_release(
	const struct controller *controller, const struct claim *clone, struct error *err)
{
	struct search search = {clone->object.namespace, clone->data_source_name, "", NULL};
	_cleanup_object_ struct claim *source = NULL;

	if (data_source_kind(clone) != DATA_SOURCE_CLAIM || is_elsewhere(clone))
		return 0;
	store_each(controller->claims, find_source, &search);
	source = search.found;
	return source ? unprotect(controller, source, clone->object.uid, err) : 0;
}
