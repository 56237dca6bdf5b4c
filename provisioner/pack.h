/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A struct and all that it points to, as one block of just the size that takes. It is put together
 * in memory of the pack's own, in any order, and then sealed. There are tens of thousands of
 * snapshots: with an allocation for each of their strings they would take twice the memory.
 *
 * Not for more than one thread at a time. What a FIELD below is must be in memory of the pack.
 */
#ifndef ORDINAL_PACK_H
#define ORDINAL_PACK_H

#include <json-c/json.h>
#include <stdalign.h>
#include <stddef.h>

#include "cleanup.h"
#include "string_map.h"

struct pack_chunk {
	struct pack_chunk *next;
	char *bytes;
	size_t used, size;
	size_t place; /* in the block, while it is made */
};

struct pack {
	struct pack_chunk first, *last;
	void **fields; /* the pointers into the pack */
	size_t field_count;
	alignas(max_align_t) char bytes[2048]; /* of the first: enough for most */
};

void pack_init(struct pack *pack);
void pack_done(struct pack *pack);

/* Zeroed memory for COUNT structs of SIZE bytes, for pointers to what the pack holds, too; NULL for
 * none. What is taken first is at the beginning of the block. Borrowed until the pack is sealed or
 * done. */
void *pack_take(struct pack *pack, size_t count, size_t size);

/* Set the pointer FIELD to TARGET, which is in the pack. */
void pack_point(struct pack *pack, void *field, const void *target);

/* Set FIELD to a copy of TEXT; without TEXT pack_string() sets it to "", and pack_optional() to
 * NULL. */
void pack_string(struct pack *pack, char **field, const char *text);
void pack_optional(struct pack *pack, char **field, const char *text);

/* What strings_copy() and string_map_copy() do, into the pack. */
void pack_strings(
	struct pack *pack, struct strings *list, struct json_object *array, const char *key);
void pack_map(struct pack *pack, struct string_map *map, struct json_object *json);

/* All of it as one block. Caller frees it, and does the pack. */
void *pack_seal(struct pack *pack);

#endif
