/* SPDX-License-Identifier: Apache-2.0 */
#include "locations.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "parameters.h"

void locations_done(struct locations *locations)
{
	free(locations->items);
	*locations = (struct locations){0};
}

void locations_add(struct locations *locations, const struct location *location)
{
	locations->items =
		reallocarray(locations->items, locations->count + 1, sizeof(*locations->items));
	if (!locations->items)
		abort();
	locations->items[locations->count++] = *location;
}

bool locations_have(const struct locations *locations, const struct location *location)
{
	for (size_t i = 0; i < locations->count; i++)
		if (location_equal(&locations->items[i], location))
			return true;
	return false;
}

static int parse_entry(struct locations *locations, const char *text, size_t length,
	const char *options, struct error *err)
{
	struct location location = {0};
	char name[LOCATION_NAME_MAX + 1];

	while (length && *text == ' ') {
		text++;
		length--;
	}
	while (length && text[length - 1] == ' ')
		length--;
	if (location_parse(&location, text, length, err) < 0)
		return -1;
	location_name(&location, name);
	if (locations_have(locations, &location))
		return error_set(err, ERROR_INVALID, "%s is there twice", name);
	if (locations->count == LOCATIONS_MAX)
		return error_set(err, ERROR_INVALID, "there are more than %d", LOCATIONS_MAX);
	snprintf(location.options, sizeof(location.options), "%s", options ? options : "");
	locations_add(locations, &location);
	return 0;
}

int locations_parse(
	struct locations *locations, const char *text, const char *options, struct error *err)
{
	size_t number = 1;

	for (const char *at = text;; at++, number++) {
		size_t length = strcspn(at, ",");

		if (parse_entry(locations, at, length, options, err) < 0)
			return error_prefix(err, "entry %zu", number);
		at += length;
		if (!*at)
			return 0;
	}
}

/* TEXT, a number of any length, modulo COUNT; false where it is none. */
static bool take_modulo(const char *text, size_t count, size_t *ret)
{
	size_t rest = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		rest = (rest * 10 + (size_t)(*text - '0')) % count;
	}
	*ret = rest;
	return true;
}

/* FNV-1a over what is a good hash already. */
static size_t fold(const struct volume_hash *hash, size_t count)
{
	uint32_t value = 2166136261;

	for (const char *at = hash->text; *at; at++)
		value = (value ^ (unsigned char)*at) * 16777619;
	return value % count;
}

size_t locations_choose(const struct locations *locations, const struct parameters *parameters,
	const struct volume_hash *name_hash)
{
	struct volume_hash hash = *name_hash;
	_cleanup_free_ char *claim = NULL;
	size_t index;

	if (parameters->statefulset && parameters->ordinal &&
		take_modulo(parameters->ordinal, locations->count, &index))
		return index;
	if (parameters->namespace && parameters->claim) {
		if (asprintf(&claim, "%s/%s", parameters->namespace, parameters->claim) < 0)
			abort();
		volume_id_hash(claim, &hash);
	}
	return fold(&hash, locations->count);
}
