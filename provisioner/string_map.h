/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists and maps of strings, as objects of Kubernetes and messages of CSI have them.
 */
#ifndef ORDINAL_STRING_MAP_H
#define ORDINAL_STRING_MAP_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* A list of strings. */
struct strings {
	char **items;
	size_t count;
};

/* A map of strings, in the order of the JSON. */
struct string_map {
	struct string_pair {
		char *key;
		char *value;
	} * items;
	size_t count;
};

/* Add a pair, copying both, or all pairs of strings of a JSON object (NULL: none); free what MAP
 * holds. For maps that are being built, not snapshots. */
void string_map_add(struct string_map *map, const char *key, const char *value);
void string_map_copy(struct string_map *map, struct json_object *json);
void string_map_done(struct string_map *map);

/* The same for a map of secrets: what it held is overwritten first. MAP is empty afterwards. */
void string_map_wipe(struct string_map *map);

/* The same for lists. Of a JSON array (NULL: none) its strings are copied or, with KEY, the member
 * KEY of its objects. */
void strings_add(struct strings *list, const char *text);
void strings_copy(struct strings *list, struct json_object *array, const char *key);
void strings_done(struct strings *list);

/* Whether A and B hold the same pairs, in whatever order. */
bool string_map_equal(const struct string_map *a, const struct string_map *b);

/* The value of KEY, or NULL. Borrowed from MAP. */
const char *string_map_get(const struct string_map *map, const char *key);

/* Whether LIST holds TEXT. */
bool strings_contain(const struct strings *list, const char *text);

#endif
