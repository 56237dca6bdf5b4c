/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which paths below a base are taken, and by which volume. No path in it is equal to, above or
 * below another. Not locked: the owner does.
 */
#ifndef ORDINAL_PLACE_INDEX_H
#define ORDINAL_PLACE_INDEX_H

#include <stddef.h>

#include "volume_id.h"

struct place {
	char *path;
	struct volume_hash hash;
};

/* Zeroed memory is an empty index. */
struct place_index {
	struct place *places; /* sorted by path */
	size_t count, room;
};

void place_index_done(struct place_index *index);

/* The place that is equal to, above or below PATH; NULL if none is. Borrowed until the next
 * change. */
const struct place *place_index_find(const struct place_index *index, const char *path);

/* Add PATH, which must not collide with any. */
void place_index_add(struct place_index *index, const char *path, const struct volume_hash *hash);

/* Remove PATH if it is there. */
void place_index_remove(struct place_index *index, const char *path);

/* Remove all places of a volume; looks at every place. */
void place_index_remove_all(struct place_index *index, const struct volume_hash *hash);

#endif
