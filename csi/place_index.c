/* SPDX-License-Identifier: Apache-2.0 */
#include "place_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void place_index_done(struct place_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		free(index->places[i].path);
	free(index->places);
	*index = (struct place_index){0};
}

/* Compare PATH with the first LENGTH bytes of KEY, as strcmp() does with whole strings. */
static int compare(const char *path, const char *key, size_t length)
{
	int order = strncmp(path, key, length);

	return order ? order : path[strnlen(path, length)] != '\0';
}

/* The first place that is not before KEY. */
static size_t lower_bound(const struct place_index *index, const char *key, size_t length)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(index->places[middle].path, key, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct place *find_equal(
	const struct place_index *index, const char *key, size_t length)
{
	size_t at = lower_bound(index, key, length);

	if (at < index->count && !compare(index->places[at].path, key, length))
		return &index->places[at];
	return NULL;
}

/* Places below PATH are neighbours in the order, from "PATH/" on. */
static const struct place *find_below(const struct place_index *index, const char *path)
{
	size_t length = strlen(path), at = lower_bound(index, path, length);

	/* "PATH-x" and the like sort before "PATH/". */
	for (; at < index->count && !strncmp(index->places[at].path, path, length); at++) {
		char next = index->places[at].path[length];

		if (next == '/')
			return &index->places[at];
		if (next > '/')
			break;
	}
	return NULL;
}

const struct place *place_index_find(const struct place_index *index, const char *path)
{
	for (size_t length = strcspn(path, "/");; length += 1 + strcspn(path + length + 1, "/")) {
		const struct place *found = find_equal(index, path, length);

		if (found || !path[length])
			return found ? found : find_below(index, path);
	}
}

void place_index_add(struct place_index *index, const char *path, const struct volume_hash *hash)
{
	size_t at = lower_bound(index, path, strlen(path));
	char *copy = strdup(path);

	if (index->count == index->room) {
		index->room = index->room ? index->room * 2 : 64;
		index->places = reallocarray(index->places, index->room, sizeof(*index->places));
	}
	if (!copy || !index->places)
		abort();
	memmove(&index->places[at + 1], &index->places[at],
		(index->count - at) * sizeof(*index->places));
	index->places[at].path = copy;
	index->places[at].hash = *hash;
	index->count++;
}

void place_index_remove(struct place_index *index, const char *path)
{
	size_t at = lower_bound(index, path, strlen(path));

	if (at == index->count || strcmp(index->places[at].path, path))
		return;
	free(index->places[at].path);
	index->count--;
	memmove(&index->places[at], &index->places[at + 1],
		(index->count - at) * sizeof(*index->places));
}

void place_index_remove_all(struct place_index *index, const struct volume_hash *hash)
{
	size_t kept = 0;

	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->places[i].hash.text, hash->text))
			index->places[kept++] = index->places[i];
		else
			free(index->places[i].path);
	index->count = kept;
}
