/* SPDX-License-Identifier: Apache-2.0 */
#include "api_resources.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define SEGMENTS_MAX 7

#define STORAGE  "storage.k8s.io", "v1"
#define SNAPSHOT "snapshot.storage.k8s.io", "v1"

const struct api_resource api_resources[API_RESOURCES] = {
	{"", "v1", "persistentvolumes", "PersistentVolume", .cluster = true, .status = true,
		.returns_deleted = true, .finalizer = "kubernetes.io/pv-protection",
		.defaults = "{'spec': {'persistentVolumeReclaimPolicy': 'Retain', 'volumeMode': "
			    "'Filesystem'}, 'status': {'phase': 'Pending'}}"},
	{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", .status = true,
		.returns_deleted = true, .finalizer = "kubernetes.io/pvc-protection",
		.defaults = "{'spec': {'volumeMode': 'Filesystem'}, 'status': {'phase': "
			    "'Pending'}}"},
	{"", "v1", "namespaces", "Namespace", .cluster = true, .status = true,
		.defaults = "{'spec': {'finalizers': ['kubernetes']}, 'status': {'phase': "
			    "'Active'}}"},
	{"", "v1", "nodes", "Node", .cluster = true, .status = true},
	{"", "v1", "configmaps", "ConfigMap", .cluster = false},
	{"", "v1", "secrets", "Secret", .defaults = "{'type': 'Opaque'}"},
	{"", "v1", "events", "Event", .cluster = false},
	{"", "v1", "pods", "Pod", .status = true},
	{"", "v1", "endpoints", "Endpoints", .cluster = false},
	{STORAGE, "storageclasses", "StorageClass", .cluster = true, .returns_deleted = true,
		.defaults = "{'reclaimPolicy': 'Delete', 'volumeBindingMode': 'Immediate'}"},
	{STORAGE, "volumeattributesclasses", "VolumeAttributesClass", .cluster = true},
	{STORAGE, "csidrivers", "CSIDriver", .cluster = true},
	{STORAGE, "csinodes", "CSINode", .cluster = true, .returns_deleted = true},
	{STORAGE, "volumeattachments", "VolumeAttachment", .cluster = true, .status = true,
		.returns_deleted = true},
	{"apps", "v1", "statefulsets", "StatefulSet", .status = true},
	{"coordination.k8s.io", "v1", "leases", "Lease", .needs_version = true},
	{SNAPSHOT, "volumesnapshots", "VolumeSnapshot", .status = true, .custom = true},
	{SNAPSHOT, "volumesnapshotcontents", "VolumeSnapshotContent", .cluster = true,
		.status = true, .custom = true},
	{SNAPSHOT, "volumesnapshotclasses", "VolumeSnapshotClass", .cluster = true, .custom = true},
};

const struct api_resource *api_resources_find(const char *plural)
{
	for (size_t i = 0; i < API_RESOURCES; i++)
		if (!strcmp(api_resources[i].plural, plural))
			return &api_resources[i];
	fprintf(stderr, "no resource %s\n", plural);
	abort();
}

/* Cut PATH at its slashes; the number of segments, or 0 for what is no path of ours. */
static size_t split(char *path, char *segments[static SEGMENTS_MAX])
{
	size_t count = 0;
	char *saved;

	for (char *at = strtok_r(path, "/", &saved); at; at = strtok_r(NULL, "/", &saved)) {
		if (count == SEGMENTS_MAX)
			return 0;
		segments[count++] = at;
	}
	return count;
}

static const struct api_resource *find_in(
	const char *group, const char *version, const char *plural, bool namespaced)
{
	for (size_t i = 0; i < API_RESOURCES; i++) {
		const struct api_resource *resource = &api_resources[i];

		if (!strcmp(resource->group, group) && !strcmp(resource->version, version) &&
			!strcmp(resource->plural, plural) && !(namespaced && resource->cluster))
			return resource;
	}
	return NULL;
}

/* Where the resource's name stands: behind "namespaces/NAME", if something follows that. */
static bool is_namespaced(char *const *rest, size_t count)
{
	return count >= 3 && !strcmp(rest[0], "namespaces") && strcmp(rest[2], "status") != 0;
}

bool api_resources_parse(const char *path, struct api_path *ret_path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *segments[SEGMENTS_MAX], **rest = segments;
	size_t count = split(copy, segments);
	bool core = count >= 3 && !strcmp(segments[0], "api"), namespaced;
	const char *group = core ? "" : count >= 4 ? segments[1] : "";
	const char *version = core ? segments[1] : count >= 4 ? segments[2] : "";

	if (!core && (count < 4 || strcmp(segments[0], "apis") != 0))
		return false;
	rest += core ? 2 : 3;
	count -= core ? 2 : 3;
	*ret_path = (struct api_path){0};
	namespaced = is_namespaced(rest, count);
	if (namespaced) {
		snprintf(ret_path->namespace, sizeof(ret_path->namespace), "%s", rest[1]);
		rest += 2;
		count -= 2;
	}
	ret_path->resource = find_in(group, version, rest[0], namespaced);
	if (count > 1)
		snprintf(ret_path->name, sizeof(ret_path->name), "%s", rest[1]);
	ret_path->status = count == 3 && !strcmp(rest[2], "status");
	return ret_path->resource && count <= 3 &&
	       (count < 3 || (ret_path->status && ret_path->resource->status));
}

struct api_text *api_text_new(const char *text, size_t length)
{
	struct api_text *made = malloc(sizeof(*made) + length + 1);

	if (!made)
		abort();
	*made = (struct api_text){.refs = 1, .length = length};
	memcpy(made->text, text, length);
	made->text[length] = '\0';
	return made;
}

struct api_text *api_text_ref(struct api_text *text)
{
	__atomic_add_fetch(&text->refs, 1, __ATOMIC_RELAXED);
	return text;
}

void api_text_unref(struct api_text *text)
{
	if (text && __atomic_sub_fetch(&text->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(text);
}

struct api_text *api_text_of(struct json_object *json)
{
	size_t length;
	const char *text = json_object_to_json_string_length(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	return api_text_new(text, length);
}

const char *api_resource_title(const struct api_resource *resource, char out[static 128])
{
	snprintf(
		out, 128, "%s%s%s", resource->plural, *resource->group ? "." : "", resource->group);
	return out;
}

static struct json_object *details_of(const struct api_resource *resource, const char *name)
{
	struct json_object *details = json_object_new_object();

	if (name && *name)
		json_object_object_add(details, "name", json_object_new_string(name));
	if (*resource->group)
		json_object_object_add(details, "group", json_object_new_string(resource->group));
	json_object_object_add(details, "kind", json_object_new_string(resource->plural));
	return details;
}

struct api_answer api_answer_failure(int code, const char *reason,
	const struct api_resource *resource, const char *name, const char *format, ...)
{
	struct json_object *status = json_object_new_object();
	struct api_answer answer = {.code = code};
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	json_object_object_add(status, "kind", json_object_new_string("Status"));
	json_object_object_add(status, "apiVersion", json_object_new_string("v1"));
	json_object_object_add(status, "metadata", json_object_new_object());
	json_object_object_add(status, "status", json_object_new_string("Failure"));
	json_object_object_add(status, "message", json_object_new_string(message));
	json_object_object_add(status, "reason", json_object_new_string(reason));
	if (resource)
		json_object_object_add(status, "details", details_of(resource, name));
	json_object_object_add(status, "code", json_object_new_int(code));
	answer.text = api_text_of(status);
	json_object_put(status);
	return answer;
}

struct api_answer api_answer_plain(int code, const char *text)
{
	return (struct api_answer){
		.code = code, .text = api_text_new(text, strlen(text)), .plain = true};
}
