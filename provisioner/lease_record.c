/* SPDX-License-Identifier: Apache-2.0 */
#include "lease_record.h"

#include <string.h>
#include <time.h>

static int parse_nothing(
	struct object *object, struct pack *pack, struct json_object *json, struct error *err)
{
	(void)object;
	(void)pack;
	(void)json;
	(void)err;
	return 0;
}

const struct object_type lease_type = {
	.plural = "leases",
	.path = "/apis/coordination.k8s.io/v1/leases",
	.size = sizeof(struct object),
	.parse = parse_nothing,
};

static struct json_object *spec_of(struct json_object *record)
{
	return json_member(record, "spec", json_type_object);
}

const char *lease_record_holder(struct json_object *record)
{
	struct json_object *holder = NULL, *spec = spec_of(record);
	const char *text = json_string(spec, "holderIdentity");

	if (spec)
		json_object_object_get_ex(spec, "holderIdentity", &holder);
	return text ? text : holder ? "(not a name)" : "";
}

const char *lease_record_version(struct json_object *record)
{
	return json_string(json_member(record, "metadata", json_type_object), "resourceVersion");
}

/* The integer KEY as far as the API allows one, else 0. */
static int64_t spec_number(struct json_object *record, const char *key)
{
	struct json_object *json = json_member(spec_of(record), key, json_type_int);
	int64_t number = json ? json_object_get_int64(json) : 0;

	return number > 0 && number < INT32_MAX ? number : 0;
}

int64_t lease_record_duration_ms(struct json_object *record)
{
	return spec_number(record, "leaseDurationSeconds") * 1000;
}

static void set_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void set_number(struct json_object *object, const char *key, int64_t number)
{
	json_object_object_add(object, key, json_object_new_int64(number));
}

/* The time now, as a MicroTime of the API. */
static void set_time(struct json_object *spec, const char *key)
{
	struct timespec now;
	struct tm utc;
	char date[32], text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, sizeof(text), "%s.%06ldZ", date, now.tv_nsec / 1000);
	set_text(spec, key, text);
}

static struct json_object *new_record(const char *namespace, const char *name)
{
	struct json_object *record = json_object_new_object();
	struct json_object *metadata = json_object_new_object();

	set_text(record, "apiVersion", "coordination.k8s.io/v1");
	set_text(record, "kind", "Lease");
	set_text(metadata, "name", name);
	set_text(metadata, "namespace", namespace);
	json_object_object_add(record, "metadata", metadata);
	return record;
}

struct json_object *lease_record_make(struct json_object *old, const char *namespace,
	const char *name, const char *holder, int duration_ms)
{
	bool taken = *holder && strcmp(holder, lease_record_holder(old));
	struct json_object *record = NULL, *spec;

	if (!old)
		record = new_record(namespace, name);
	else if (json_object_deep_copy(old, &record, NULL) < 0)
		abort();
	spec = spec_of(record);
	if (!spec) {
		spec = json_object_new_object();
		json_object_object_add(record, "spec", spec);
	}
	set_text(spec, "holderIdentity", holder);
	set_number(spec, "leaseDurationSeconds", *holder ? (duration_ms + 999) / 1000 : 1);
	set_number(spec, "leaseTransitions",
		spec_number(old, "leaseTransitions") + (old && taken ? 1 : 0));
	if (taken || !json_string(spec, "acquireTime"))
		set_time(spec, "acquireTime");
	set_time(spec, "renewTime");
	return record;
}
