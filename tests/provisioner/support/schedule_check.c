/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubectl.h"
#include "quantity.h"
#include "schedule.h"
#include "testing.h"

static const char *text_in(struct json_object *json, const char *part, const char *key)
{
	const char *text = json_string(json_member(json, part, json_type_object), key);

	return text ? text : "";
}

static struct json_object *spec_of(struct json_object *json)
{
	return json_member(json, "spec", json_type_object);
}

/* The one volume of LIST that is for CLAIM; NULL where there are none or several. */
static struct json_object *volume_of(struct json_object *list, struct json_object *claim)
{
	struct json_object *found = NULL;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *volume = json_object_array_get_idx(list, i);

		if (strcmp(text_in(spec_of(volume), "claimRef", "uid"),
			    text_in(claim, "metadata", "uid")) != 0)
			continue;
		if (found)
			return NULL;
		found = volume;
	}
	return found;
}

static int64_t bytes_at(struct json_object *json, const char *key)
{
	const char *text = json_string(json_member(json, key, json_type_object), "storage");
	int64_t bytes = -1;
	struct error err;

	if (text)
		quantity_parse(text, &bytes, &err);
	return bytes;
}

/* Whether the claim and its volume are as large as is asked for. */
static bool is_large_enough(struct json_object *claim, struct json_object *volume)
{
	int64_t wanted =
		bytes_at(json_member(spec_of(claim), "resources", json_type_object), "requests");

	return bytes_at(json_member(claim, "status", json_type_object), "capacity") >= wanted &&
	       bytes_at(spec_of(volume), "capacity") >= wanted;
}

static void check_claims(FILE *out, struct json_object *claims, struct json_object *volumes)
{
	for (size_t i = 0; i < json_object_array_length(claims); i++) {
		struct json_object *claim = json_object_array_get_idx(claims, i);
		struct json_object *volume = volume_of(volumes, claim);
		const char *name = text_in(claim, "metadata", "name");

		if (*text_in(claim, "metadata", "deletionTimestamp"))
			fprintf(out, "claim %s is still being deleted\n", name);
		else if (!volume)
			fprintf(out, "claim %s has no volume, or several\n", name);
		else if (strcmp(text_in(claim, "status", "phase"), "Bound") != 0 ||
			 strcmp(text_in(claim, "spec", "volumeName"),
				 text_in(volume, "metadata", "name")) != 0 ||
			 strcmp(text_in(volume, "status", "phase"), "Bound") != 0)
			fprintf(out, "claim %s is not bound to its volume\n", name);
		else if (!*text_in(volume, "metadata", "deletionTimestamp") &&
			 !is_large_enough(claim, volume))
			fprintf(out, "claim %s did not grow\n", name);
	}
}

static bool is_claimed(struct json_object *claims, struct json_object *volume)
{
	const char *uid = text_in(spec_of(volume), "claimRef", "uid");

	for (size_t i = 0; i < json_object_array_length(claims); i++)
		if (!strcmp(uid, text_in(json_object_array_get_idx(claims, i), "metadata", "uid")))
			return true;
	return false;
}

static bool is_by_hand(struct json_object *volume)
{
	return !strncmp(
		text_in(volume, "metadata", "name"), SCHEDULE_BY_HAND, strlen(SCHEDULE_BY_HAND));
}

/* A volume without a claim is there to stay, or nobody's. */
static bool may_stay(struct json_object *volume)
{
	if (is_by_hand(volume) && !strcmp(text_in(volume, "status", "phase"), "Available"))
		return true;
	return !strcmp(text_in(volume, "spec", "persistentVolumeReclaimPolicy"), "Retain") &&
	       !strcmp(text_in(volume, "status", "phase"), "Released");
}

/* The volume has just one volume, at one driver. */
static void check_at_driver(struct schedule *schedule, FILE *out, struct json_object *volume)
{
	const char *name = text_in(volume, "metadata", "name");
	const char *handle = text_in(spec_of(volume), "csi", "volumeHandle");
	struct fake_driver *driver = schedule_driver(schedule, 0);
	_cleanup_free_ char *at_driver = NULL;

	for (size_t i = 0; i < SCHEDULE_NODES; i++)
		if (fake_driver_has(schedule_driver(schedule, i), name))
			driver = schedule_driver(schedule, i);
	at_driver = fake_driver_handle(driver, name);
	if (strcmp(handle, at_driver) != 0)
		fprintf(out, "volume %s is \"%s\" at the driver, and has handle %s\n", name,
			at_driver, handle);
	else if (fake_driver_bytes(driver, name) < bytes_at(spec_of(volume), "capacity"))
		fprintf(out, "volume %s is smaller than it says\n", name);
}

static void check_volumes(struct schedule *schedule, FILE *out, struct json_object *claims,
	struct json_object *volumes)
{
	for (size_t i = 0; i < json_object_array_length(volumes); i++) {
		struct json_object *volume = json_object_array_get_idx(volumes, i);

		if (!is_claimed(claims, volume) && !may_stay(volume))
			fprintf(out, "volume %s is nobody's\n",
				text_in(volume, "metadata", "name"));
		if (!is_by_hand(volume))
			check_at_driver(schedule, out, volume);
	}
}

static size_t count_made(struct json_object *volumes)
{
	size_t count = 0;

	for (size_t i = 0; i < json_object_array_length(volumes); i++)
		count += !is_by_hand(json_object_array_get_idx(volumes, i));
	return count;
}

static void check_drivers(struct schedule *schedule, FILE *out, struct json_object *volumes)
{
	size_t count = count_made(volumes), there = 0;
	char *all = NULL;
	size_t size;
	FILE *list = open_memstream(&all, &size);

	for (size_t i = 0; i < SCHEDULE_NODES; i++) {
		struct fake_driver *driver = schedule_driver(schedule, i);
		struct fake_driver_counts counts = fake_driver_count(driver);
		_cleanup_free_ char *mismatch = fake_driver_mismatch(driver);
		_cleanup_free_ char *names = fake_driver_names(driver);

		if (i && driver == schedule_driver(schedule, 0))
			break;
		there += counts.volumes;
		fputs(names, list);
		if (counts.mismatches)
			fprintf(out, "the driver was asked in two ways: %s\n", mismatch);
	}
	fclose(list);
	/* Each volume here is one there, as was seen before; so numbers tell the rest. */
	if (there != count)
		fprintf(out, "there are %zu volumes, and the driver has %zu:\n%s", count, there,
			all);
	free(all);
}

static void check_journals(FILE *out, struct json_object *maps)
{
	for (size_t i = 0; i < json_object_array_length(maps); i++) {
		struct json_object *map = json_object_array_get_idx(maps, i);
		struct json_object *data = json_member(map, "data", json_type_object);

		if (data && json_object_object_length(data))
			fprintf(out, "the journal %s holds %s\n", text_in(map, "metadata", "name"),
				json_object_to_json_string(data));
	}
}

char *schedule_check(struct schedule *schedule)
{
	struct api_objects *objects = schedule_objects(schedule);
	struct json_object *claims = kubectl_list(objects, "persistentvolumeclaims");
	struct json_object *volumes = kubectl_list(objects, "persistentvolumes");
	struct json_object *maps = kubectl_list(objects, "configmaps");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	check_claims(out, claims, volumes);
	check_volumes(schedule, out, claims, volumes);
	check_drivers(schedule, out, volumes);
	check_journals(out, maps);
	fclose(out);
	json_object_put(claims);
	json_object_put(volumes);
	json_object_put(maps);
	return text;
}
