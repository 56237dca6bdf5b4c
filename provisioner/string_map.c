/* SPDX-License-Identifier: Apache-2.0 */
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

#include "json_access.h"

static char *copy(const char *text)
{
	char *made = strdup(text ? text : "");

	if (!made)
		abort();
	return made;
}

/* ITEMS, COUNT of SIZE bytes each, with room for one more. It doubles: how many there are is up to
 * whoever wrote the object. */
static void *grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	items = reallocarray(items, count ? 2 * count : 1, size);
	if (!items)
		abort();
	return items;
}

void strings_add(struct strings *list, const char *text)
{
	list->items = grow(list->items, list->count, sizeof(*list->items));
	list->items[list->count++] = copy(text);
}

void strings_copy(struct strings *list, struct json_object *array, const char *key)
{
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		const char *text = key ? json_string(item, key) : json_text(item);

		if (text)
			strings_add(list, text);
	}
}

void strings_done(struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

bool strings_contain(const struct strings *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i], text))
			return true;
	return false;
}

void string_map_add(struct string_map *map, const char *key, const char *value)
{
	map->items = grow(map->items, map->count, sizeof(*map->items));
	map->items[map->count++] = (struct string_pair){copy(key), copy(value)};
}

void string_map_copy(struct string_map *map, struct json_object *json)
{
	if (!json)
		return;
	json_object_object_foreach(json, key, value)
	{
		const char *text = json_text(value);

		if (text)
			string_map_add(map, key, text);
	}
}

void string_map_done(struct string_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		free(map->items[i].key);
		free(map->items[i].value);
	}
	free(map->items);
}

void string_map_wipe(struct string_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		explicit_bzero(map->items[i].value, strlen(map->items[i].value));
	string_map_done(map);
	*map = (struct string_map){.count = 0};
}

const char *string_map_get(const struct string_map *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (!strcmp(map->items[i].key, key))
			return map->items[i].value;
	return NULL;
}

bool string_map_equal(const struct string_map *a, const struct string_map *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const char *value = string_map_get(b, a->items[i].key);

		if (!value || strcmp(value, a->items[i].value))
			return false;
	}
	return true;
}
