/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_lease.h"

#include <string.h>

#include "testing.h"

#define COLLECTION "/apis/coordination.k8s.io/v1/namespaces/ns/leases"

void fake_lease_init(struct fake_lease *lease)
{
	*lease = (struct fake_lease){.version = 100};
	pthread_mutex_init(&lease->lock, NULL);
}

void fake_lease_done(struct fake_lease *lease)
{
	json_object_put(lease->record);
	pthread_mutex_destroy(&lease->lock);
}

static struct json_object *copy_of(struct json_object *json)
{
	struct json_object *copy = NULL;

	if (json && json_object_deep_copy(json, &copy, NULL) < 0)
		abort();
	return copy;
}

static struct json_object *metadata_of(struct json_object *record)
{
	return json_member(record, "metadata", json_type_object);
}

static void set_text(struct json_object *object, const char *key, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	json_object_object_add(object, key, json_object_new_string(text));
}

/* Keep RECORD, which is taken, as the next version. */
static void store_record(struct fake_lease *lease, struct json_object *record)
{
	set_text(metadata_of(record), "resourceVersion", ++lease->version);
	json_object_put(lease->record);
	lease->record = record;
}

static bool same_text(struct json_object *a, struct json_object *b, const char *key)
{
	const char *text_a = json_string(metadata_of(a), key);
	const char *text_b = json_string(metadata_of(b), key);

	return text_a && text_b && !strcmp(text_a, text_b);
}

static bool is_number(struct json_object *spec, const char *key, int minimum)
{
	struct json_object *number = json_member(spec, key, json_type_int);

	return number && json_object_get_int64(number) >= minimum &&
	       json_object_get_int64(number) <= INT32_MAX;
}

static bool is_time(struct json_object *spec, const char *key)
{
	const char *text = json_string(spec, key), *form = "9999-99-99T99:99:99.999999Z";

	for (; text && *text && *form; text++, form++)
		if (*form == '9' ? !strchr("0123456789", *text) : *form != *text)
			return false;
	return text && !*text && !*form;
}

static bool is_valid(struct json_object *record)
{
	struct json_object *spec = json_member(record, "spec", json_type_object);
	const char *name = json_string(metadata_of(record), "name");

	return name && !strcmp(name, "l") && json_string(spec, "holderIdentity") &&
	       is_number(spec, "leaseDurationSeconds", 1) &&
	       is_number(spec, "leaseTransitions", 0) && is_time(spec, "acquireTime") &&
	       is_time(spec, "renewTime");
}

static int create(struct fake_lease *lease, struct json_object *body, struct error *err)
{
	struct json_object *record;

	if (lease->record)
		return error_set(err, ERROR_ALREADY_EXISTS, "leases \"l\" already exists");
	record = copy_of(body);
	set_text(metadata_of(record), "uid", ++lease->uid);
	store_record(lease, record);
	return 0;
}

static int update(struct fake_lease *lease, struct json_object *body, struct error *err)
{
	if (!lease->record)
		return error_set(err, ERROR_NOT_FOUND, "leases \"l\" not found");
	if (!same_text(body, lease->record, "resourceVersion") ||
		!same_text(body, lease->record, "uid"))
		return error_set(err, ERROR_CONFLICT, "the object has been modified");
	store_record(lease, copy_of(body));
	return 0;
}

static int answer(struct fake_lease *lease, const struct rest_request *request, struct error *err)
{
	bool post = !strcmp(request->method, "POST"), get = !strcmp(request->method, "GET");

	if (strcmp(request->path, post ? COLLECTION : COLLECTION "/l"))
		return error_set(err, ERROR_INTERNAL, "no such path: %s", request->path);
	if (get && !lease->record)
		return error_set(err, ERROR_NOT_FOUND, "leases \"l\" not found");
	if (get)
		return 0;
	if (!is_valid(request->body))
		return error_set(err, ERROR_INVALID, "invalid");
	return post ? create(lease, request->body, err) : update(lease, request->body, err);
}

int fake_lease_call(struct fake_lease *lease, const struct rest_request *request,
	struct json_object **ret_body, struct error *err)
{
	int result;

	pthread_mutex_lock(&lease->lock);
	result = answer(lease, request, err);
	if (result == 0 && ret_body)
		*ret_body = copy_of(lease->record);
	pthread_mutex_unlock(&lease->lock);
	return result;
}

struct json_object *fake_lease_read(struct fake_lease *lease)
{
	struct json_object *record;

	pthread_mutex_lock(&lease->lock);
	record = copy_of(lease->record);
	pthread_mutex_unlock(&lease->lock);
	return record;
}

char *fake_lease_holder(struct fake_lease *lease)
{
	struct json_object *record = fake_lease_read(lease);
	const char *text =
		json_string(json_member(record, "spec", json_type_object), "holderIdentity");
	char *holder = strdup(text ? text : "");

	json_object_put(record);
	return holder;
}

void fake_lease_edit(struct fake_lease *lease, const char *key, const char *value)
{
	struct json_object *record, *metadata;

	pthread_mutex_lock(&lease->lock);
	record = lease->record ? copy_of(lease->record)
			       : json_of("{'metadata': {'name': 'l', 'namespace': 'ns'}}");
	metadata = metadata_of(record);
	if (!lease->record)
		set_text(metadata, "uid", ++lease->uid);
	json_object_object_add(key ? json_member(record, "spec", json_type_object) : record,
		key ? key : "spec", json_of(value));
	store_record(lease, record);
	pthread_mutex_unlock(&lease->lock);
}

void fake_lease_delete(struct fake_lease *lease)
{
	pthread_mutex_lock(&lease->lock);
	json_object_put(take_ptr(lease->record));
	pthread_mutex_unlock(&lease->lock);
}
