/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_access.h"

#define ALIGNMENT alignof(max_align_t)

static size_t aligned(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

void pack_init(struct pack *pack)
{
	pack->first = (struct pack_chunk){.bytes = pack->bytes, .size = sizeof(pack->bytes)};
	pack->last = &pack->first;
	pack->fields = NULL;
	pack->field_count = 0;
}

void pack_done(struct pack *pack)
{
	struct pack_chunk *chunk, *next;

	for (chunk = pack->first.next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk->bytes);
		free(chunk);
	}
	free(pack->fields);
}

/* Each is twice as large as the one before: there are only a few, whatever comes. */
static void add_chunk(struct pack *pack, size_t size)
{
	struct pack_chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		abort();
	chunk->size = 2 * pack->last->size;
	if (chunk->size < size)
		chunk->size = size;
	chunk->bytes = malloc(chunk->size);
	if (!chunk->bytes)
		abort();
	pack->last = pack->last->next = chunk;
}

static void *take(struct pack *pack, size_t size, size_t alignment)
{
	size_t start = (pack->last->used + alignment - 1) & ~(alignment - 1);

	if (start > pack->last->size || size > pack->last->size - start) {
		add_chunk(pack, size);
		start = 0;
	}
	pack->last->used = start + size;
	return pack->last->bytes + start;
}

void *pack_take(struct pack *pack, size_t count, size_t size)
{
	return count ? memset(take(pack, count * size, alignof(void *)), 0, count * size) : NULL;
}

void pack_point(struct pack *pack, void *field, const void *target)
{
	size_t count = pack->field_count;

	memcpy(field, &target, sizeof(target));
	if (!(count & (count - 1)) && (count == 0 || count >= 64)) {
		pack->fields =
			reallocarray(pack->fields, count ? 2 * count : 64, sizeof(*pack->fields));
		if (!pack->fields)
			abort();
	}
	pack->fields[pack->field_count++] = field;
}

void pack_optional(struct pack *pack, char **field, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;

	*field = NULL;
	if (text)
		pack_point(pack, field, memcpy(take(pack, size, 1), text, size));
}

void pack_string(struct pack *pack, char **field, const char *text)
{
	if (text && *text)
		pack_optional(pack, field, text);
	else
		*field = (char *)"";
}

void pack_strings(
	struct pack *pack, struct strings *list, struct json_object *array, const char *key)
{
	size_t count = array ? json_object_array_length(array) : 0;

	pack_point(pack, &list->items, pack_take(pack, count, sizeof(*list->items)));
	list->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		const char *text = key ? json_string(item, key) : json_text(item);

		if (text)
			pack_string(pack, &list->items[list->count++], text);
	}
}

void pack_map(struct pack *pack, struct string_map *map, struct json_object *json)
{
	size_t count = json ? (size_t)json_object_object_length(json) : 0;

	pack_point(pack, &map->items, pack_take(pack, count, sizeof(*map->items)));
	map->count = 0;
	if (!json)
		return;
	json_object_object_foreach(json, key, value)
	{
		const char *text = json_text(value);

		if (!text)
			continue;
		pack_string(pack, &map->items[map->count].key, key);
		pack_string(pack, &map->items[map->count++].value, text);
	}
}

/* Where in BLOCK the thing is that is at ADDRESS in the pack; what is not in it stays. */
static void *moved(const struct pack *pack, char *block, void *address)
{
	for (const struct pack_chunk *chunk = &pack->first; chunk; chunk = chunk->next) {
		uintptr_t offset = (uintptr_t)address - (uintptr_t)chunk->bytes;

		if (offset < chunk->used)
			return block + chunk->place + offset;
	}
	return address;
}

void *pack_seal(struct pack *pack)
{
	size_t size = 0;
	char *block;

	for (struct pack_chunk *chunk = &pack->first; chunk; chunk = chunk->next) {
		chunk->place = aligned(size);
		size = chunk->place + chunk->used;
	}
	block = malloc(size);
	if (!block)
		abort();
	for (struct pack_chunk *chunk = &pack->first; chunk; chunk = chunk->next)
		memcpy(block + chunk->place, chunk->bytes, chunk->used);
	for (size_t i = 0; i < pack->field_count; i++) {
		void *target;

		memcpy(&target, pack->fields[i], sizeof(target));
		target = moved(pack, block, target);
		memcpy(moved(pack, block, pack->fields[i]), &target, sizeof(target));
	}
	return block;
}
