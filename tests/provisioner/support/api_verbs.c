/* SPDX-License-Identifier: Apache-2.0 */
#include "api_verbs.h"

#include <string.h>
#include <time.h>

#include "api_patch.h"
#include "testing.h"

#define NAME_RULE                                                                                  \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "  \
	"or '.', and must start and end with an alphanumeric character (e.g. 'example.com', "      \
	"regex used for validation is "                                                            \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

/* One call: all of it is done with the lock held. */
struct work {
	struct api_objects *objects;
	const struct api_call *call;
	const struct api_resource *resource;
	const char *name;
	char key[400];
	struct api_item *item; /* the object as it is, or NULL */
};

static struct json_object *metadata_of(struct json_object *json)
{
	return json_member(json, "metadata", json_type_object);
}

static void set_text(struct json_object *json, const char *key, const char *value)
{
	json_object_object_add(json, key, json_object_new_string(value));
}

static void set_time(struct json_object *metadata, const char *key)
{
	time_t now = time(NULL);
	struct tm utc;
	char text[32];

	gmtime_r(&now, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	set_text(metadata, key, text);
}

static struct api_answer bad_request(const char *message)
{
	return api_answer_failure(400, "BadRequest", NULL, NULL, "%s", message);
}

static struct api_answer not_found(const struct work *work)
{
	char title[128];

	return api_answer_failure(404, "NotFound", work->resource, work->name,
		"%s \"%s\" not found", api_resource_title(work->resource, title), work->name);
}

static struct api_answer conflict(const struct work *work, const char *why)
{
	char title[128];

	return api_answer_failure(409, "Conflict", work->resource, work->name,
		"Operation cannot be fulfilled on %s \"%s\": %s",
		api_resource_title(work->resource, title), work->name, why);
}

static struct api_answer invalid(const struct work *work, const char *why)
{
	char title[128];

	snprintf(title, sizeof(title), "%s%s%s", work->resource->kind,
		*work->resource->group ? "." : "", work->resource->group);
	return api_answer_failure(422, "Invalid", work->resource, work->name,
		"%s \"%s\" is invalid: %s", title, work->name, why);
}

static struct api_answer success(int code, struct api_text *text)
{
	return (struct api_answer){.code = code, .text = api_text_ref(text)};
}

static void set_key(struct work *work, const char *namespace, const char *name)
{
	work->name = name;
	snprintf(work->key, sizeof(work->key), "%s%s%s", namespace, *namespace ? "/" : "", name);
	work->item = api_objects_find(work->objects, work->resource, work->key);
}

/* Whether NAME is a DNS subdomain. */
static bool is_valid_name(const char *name)
{
	size_t length = strlen(name);

	if (!length || length > 253 || strspn(name, "-.") || strchr("-.", name[length - 1]) ||
		strstr(name, "..") || strstr(name, ".-") || strstr(name, "-."))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length;
}

/* What is stored begins with its kind, and says nothing that only the server may say. */
static struct json_object *normalize(const struct work *work, struct json_object *body)
{
	static const char *const servers[] = {"uid", "resourceVersion", "creationTimestamp",
		"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"};
	struct json_object *json = json_object_new_object();
	const struct api_resource *resource = work->resource;
	struct json_object *metadata;
	char version[96];

	snprintf(version, sizeof(version), "%s%s%s", resource->group, *resource->group ? "/" : "",
		resource->version);
	set_text(json, "kind", resource->kind);
	set_text(json, "apiVersion", version);
	json_object_object_foreach(body, key, value)
	{
		if (strcmp(key, "kind") != 0 && strcmp(key, "apiVersion") != 0)
			json_object_object_add(json, key, api_patch_copy(value));
	}
	metadata = metadata_of(json);
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		json_object_object_del(metadata, servers[i]);
	return json;
}

static void add_finalizer(struct json_object *metadata, const char *finalizer)
{
	struct json_object *list = json_member(metadata, "finalizers", json_type_array);

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(list, i)), finalizer))
			return;
	if (!list) {
		list = json_object_new_array();
		json_object_object_add(metadata, "finalizers", list);
	}
	json_object_array_add(list, json_object_new_string(finalizer));
}

/* A new object as it is stored: with what the server says, and with its defaults. */
static struct json_object *complete(const struct work *work)
{
	struct json_object *json = normalize(work, work->call->body);
	struct json_object *metadata = metadata_of(json), *defaults;
	char uid[40];

	api_objects_make_uid(work->objects, uid);
	set_text(metadata, "name", work->name);
	if (*work->call->path.namespace)
		set_text(metadata, "namespace", work->call->path.namespace);
	set_text(metadata, "uid", uid);
	set_time(metadata, "creationTimestamp");
	if (work->resource->finalizer && !work->objects->options.no_protection)
		add_finalizer(metadata, work->resource->finalizer);
	if (work->resource->status && !work->call->raw)
		json_object_object_del(json, "status");
	if (work->resource->defaults) {
		defaults = json_of(work->resource->defaults);
		api_patch_default(json, defaults);
		json_object_put(defaults);
	}
	return json;
}

static void make_namespace(const struct work *work, const char *name)
{
	struct json_object *body = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct api_call call = {.verb = API_CREATE, .body = body};
	struct work making = {.objects = work->objects,
		.call = &call,
		.resource = api_resources_find("namespaces")};

	json_object_object_add(body, "metadata", metadata);
	set_key(&making, "", name);
	api_objects_commit(
		work->objects, API_ADDED, making.resource, making.key, complete(&making));
	json_object_put(body);
}

/* Whether the namespace is there; *RET_ANSWER is due if not. */
static bool check_namespace(const struct work *work, struct api_answer *ret_answer)
{
	const struct api_resource *namespaces = api_resources_find("namespaces");
	const char *name = work->call->path.namespace;

	if (!*name || api_objects_find(work->objects, namespaces, name))
		return true;
	if (work->call->raw) {
		make_namespace(work, name);
		return true;
	}
	*ret_answer = api_answer_failure(
		404, "NotFound", namespaces, name, "namespaces \"%s\" not found", name);
	return false;
}

static void choose_name(struct work *work, struct json_object *metadata, char out[static 300])
{
	const char *name = json_string(metadata, "name");
	const char *prefix = json_string(metadata, "generateName");

	if (name)
		snprintf(out, 300, "%s", name);
	else
		snprintf(out, 300, "%s%05llx", prefix ? prefix : "",
			(unsigned long long)++work->objects->uids % 0x100000);
}

static struct api_answer create(struct work *work)
{
	struct json_object *metadata = metadata_of(work->call->body);
	const char *namespace = json_string(metadata, "namespace");
	struct api_answer answer;
	char name[300], title[128], why[700];

	choose_name(work, metadata, name);
	if (namespace && strcmp(namespace, work->call->path.namespace) != 0)
		return bad_request("the namespace of the provided object does not match the "
				   "namespace sent on the request");
	if (!work->resource->cluster && !*work->call->path.namespace)
		return bad_request("an empty namespace may not be set during creation");
	set_key(work, work->call->path.namespace, name);
	if (!is_valid_name(name)) {
		snprintf(
			why, sizeof(why), "metadata.name: Invalid value: \"%s\": " NAME_RULE, name);
		return invalid(work, why);
	}
	if (work->item)
		return api_answer_failure(409, "AlreadyExists", work->resource, name,
			"%s \"%s\" already exists", api_resource_title(work->resource, title),
			name);
	if (!check_namespace(work, &answer))
		return answer;
	return success(201, api_objects_commit(work->objects, API_ADDED, work->resource, work->key,
				    complete(work)));
}

/* Whether the uid and the resourceVersion in GIVEN, where they are, are the object's. */
static bool check_preconditions(
	const struct work *work, struct json_object *given, struct api_answer *ret_answer)
{
	struct json_object *metadata = metadata_of(work->item->json);
	const char *uid = json_string(given, "uid");
	const char *version = json_string(given, "resourceVersion");
	char why[300];

	if (uid && *uid && strcmp(uid, json_string(metadata, "uid")) != 0) {
		snprintf(why, sizeof(why),
			"Precondition failed: UID in precondition: %.60s, UID in object meta: %s",
			uid, json_string(metadata, "uid"));
		*ret_answer = conflict(work, why);
		return false;
	}
	if (version && *version && strcmp(version, json_string(metadata, "resourceVersion")) != 0) {
		*ret_answer = conflict(work, "the object has been modified; please apply your "
					     "changes to the latest version and try again");
		return false;
	}
	return true;
}

static void copy_member(struct json_object *to, struct json_object *from, const char *key)
{
	struct json_object *value;

	if (json_object_object_get_ex(from, key, &value))
		json_object_object_add(to, key, api_patch_copy(value));
	else
		json_object_object_del(to, key);
}

/* Give NEW back what this request may not change. */
static void keep_fixed(const struct work *work, struct json_object *new)
{
	static const char *const fixed[] = {"name", "namespace", "uid", "resourceVersion",
		"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"};
	struct json_object *old = work->item->json;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		copy_member(metadata_of(new), metadata_of(old), fixed[i]);
	if (work->call->raw || !work->resource->status)
		return;
	if (!work->call->path.status) {
		copy_member(new, old, "status");
		return;
	}
	json_object_object_foreach(old, key, value)
	{
		(void)value;
		if (strcmp(key, "status") != 0 && strcmp(key, "metadata") != 0)
			copy_member(new, old, key);
	}
}

static size_t finalizer_count(struct json_object *json)
{
	struct json_object *list = json_member(metadata_of(json), "finalizers", json_type_array);

	return list ? json_object_array_length(list) : 0;
}

static bool is_deleting(struct json_object *json)
{
	return json_string(metadata_of(json), "deletionTimestamp") != NULL;
}

/* The first finalizer of NEW that OLD has not, or NULL. */
static const char *new_finalizer(struct json_object *old, struct json_object *new)
{
	struct json_object *before = json_member(metadata_of(old), "finalizers", json_type_array);
	struct json_object *after = json_member(metadata_of(new), "finalizers", json_type_array);

	for (size_t i = 0; after && i < json_object_array_length(after); i++) {
		struct json_object *item = json_object_array_get_idx(after, i);
		bool known = false;

		for (size_t j = 0; before && j < json_object_array_length(before); j++)
			known |= json_object_equal(item, json_object_array_get_idx(before, j));
		if (!known)
			return json_object_get_string(item);
	}
	return NULL;
}

/* Store NEW, which is taken, in place of the object. */
static struct api_answer replace(struct work *work, struct json_object *new)
{
	const char *added =
		is_deleting(work->item->json) ? new_finalizer(work->item->json, new) : NULL;
	struct api_answer answer;
	char why[400];

	keep_fixed(work, new);
	if (added) {
		snprintf(why, sizeof(why),
			"metadata.finalizers: Forbidden: no new finalizers can be added if the "
			"object is being deleted, found new finalizers []string{\"%.200s\"}",
			added);
		answer = invalid(work, why);
		json_object_put(new);
		return answer;
	}
	/* What changes nothing is no change. */
	if (json_object_equal(work->item->json, new)) {
		json_object_put(new);
		return success(200, work->item->text);
	}
	return success(
		200, api_objects_commit(work->objects,
			     is_deleting(new) && !finalizer_count(new) ? API_DELETED : API_MODIFIED,
			     work->resource, work->key, new));
}

static struct api_answer update(struct work *work)
{
	struct json_object *metadata = metadata_of(work->call->body);
	const char *name = json_string(metadata, "name");
	struct api_answer answer;

	if (!name || strcmp(name, work->name) != 0)
		return bad_request("the name of the object does not match the name on the URL");
	if (!work->item)
		return not_found(work);
	if (work->resource->needs_version && !json_string(metadata, "resourceVersion"))
		return invalid(work, "metadata.resourceVersion: Invalid value: 0x0: must be "
				     "specified for an update");
	if (!check_preconditions(work, metadata, &answer))
		return answer;
	return replace(work, normalize(work, work->call->body));
}

static struct api_answer patch(struct work *work)
{
	struct json_object *new;
	struct api_answer answer;

	if (!work->item)
		return not_found(work);
	if (!check_preconditions(work, metadata_of(work->call->body), &answer))
		return answer;
	if (work->call->verb == API_PATCH_STRATEGIC && work->resource->custom)
		return api_answer_failure(415, "UnsupportedMediaType", NULL, NULL,
			"the body of the request was in an unknown format - accepted media types "
			"include: application/json-patch+json, application/merge-patch+json, "
			"application/apply-patch+yaml");
	new = api_patch_copy(work->item->json);
	if (work->call->verb == API_PATCH_MERGE)
		api_patch_merge(new, work->call->body);
	else if (!api_patch_strategic(new, work->call->body)) {
		json_object_put(new);
		return bad_request("a directive that these tests' API server does not know");
	}
	if (!metadata_of(new)) {
		json_object_put(new);
		return invalid(work, "metadata: Required value");
	}
	return replace(work, new);
}

static struct api_answer deleted(const struct work *work, struct api_text *text, const char *uid)
{
	struct api_answer answer = {.code = 200};
	char status[1024];

	if (work->resource->returns_deleted)
		return success(200, text);
	snprintf(status, sizeof(status),
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\","
		"\"details\":{\"name\":\"%s\",\"group\":\"%s\",\"kind\":\"%s\",\"uid\":\"%s\"}}",
		work->name, work->resource->group, work->resource->plural, uid);
	answer.text = api_text_new(status, strlen(status));
	return answer;
}

static struct api_answer delete_now(struct work *work)
{
	struct json_object *json = api_patch_copy(work->item->json);
	_cleanup_free_ char *uid = strdup(json_string(metadata_of(json), "uid"));

	return deleted(work,
		api_objects_commit(work->objects, API_DELETED, work->resource, work->key, json),
		uid);
}

static struct api_answer delete (struct work *work)
{
	struct json_object *preconditions =
		json_member(work->call->body, "preconditions", json_type_object);
	struct json_object *json;
	struct api_answer answer;

	if (!work->item)
		return not_found(work);
	if (!check_preconditions(work, preconditions, &answer))
		return answer;
	if (!finalizer_count(work->item->json))
		return delete_now(work);
	if (is_deleting(work->item->json))
		return success(200, work->item->text);
	json = api_patch_copy(work->item->json);
	set_time(metadata_of(json), "deletionTimestamp");
	json_object_object_add(
		metadata_of(json), "deletionGracePeriodSeconds", json_object_new_int(0));
	return success(200,
		api_objects_commit(work->objects, API_MODIFIED, work->resource, work->key, json));
}

static struct api_answer get(struct work *work)
{
	return work->item ? success(200, work->item->text) : not_found(work);
}

static const struct {
	struct api_answer (*run)(struct work *work);
	bool needs_body, needs_metadata;
} verbs[] = {
	[API_GET] = {get, false, false},
	[API_CREATE] = {create, true, true},
	[API_UPDATE] = {update, true, true},
	[API_PATCH_MERGE] = {patch, true, false},
	[API_PATCH_STRATEGIC] = {patch, true, false},
	[API_DELETE] = {delete, false, false},
};

/* What a body says it is must be what its collection holds. */
static bool check_kind(const struct api_call *call)
{
	const char *kind = json_string(call->body, "kind");

	return !kind || call->verb == API_DELETE || !strcmp(kind, call->path.resource->kind);
}

struct api_answer api_verbs_call(struct api_objects *objects, const struct api_call *call)
{
	struct work work = {.objects = objects, .call = call, .resource = call->path.resource};
	struct api_answer answer;

	if (verbs[call->verb].needs_body && !json_object_is_type(call->body, json_type_object))
		return bad_request("the body of the request is no object");
	if (verbs[call->verb].needs_metadata && !metadata_of(call->body))
		return bad_request("metadata is missing");
	if (!check_kind(call))
		return bad_request("the object provided is unrecognized");
	pthread_mutex_lock(&objects->lock);
	set_key(&work, call->path.namespace, call->path.name);
	answer = verbs[call->verb].run(&work);
	pthread_mutex_unlock(&objects->lock);
	/* cppcheck-suppress returnDanglingLifetime; an answer points to nothing of the work */
	return answer;
}
