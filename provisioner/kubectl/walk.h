/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is looked into by paths, "spec.csi.driver": what the API server says may be anything,
 * so types are checked at each step. No key that a path names holds a dot.
 */
#ifndef ORDINAL_KUBECTL_WALK_H
#define ORDINAL_KUBECTL_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "json_access.h"

/* What is at PATH in OBJECT, which may be NULL, if it is of TYPE; else NULL. Borrowed. */
struct json_object *walk_to(struct json_object *object, const char *path, enum json_type type);

/* The same for strings without a NUL, and, where OTHERWISE stands for all else, integers and
 * booleans. */
const char *walk_text(struct json_object *object, const char *path);
int64_t walk_number(struct json_object *object, const char *path, int64_t otherwise);
bool walk_truth(struct json_object *object, const char *path);

/* The text at PATH, or "". */
const char *walk_text_or_empty(struct json_object *object, const char *path);

/* Whether the array at PATH holds TEXT. */
bool walk_holds(struct json_object *object, const char *path, const char *text);

/* How many there are in ARRAY, which may be NULL; and its item INDEX. Borrowed. */
size_t walk_count(struct json_object *array);
struct json_object *walk_item(struct json_object *array, size_t index);

/* The items of ARRAY, which may be NULL, by "NAMESPACE/NAME", or "/NAME" where they have no
 * namespace. Caller puts. */
struct json_object *walk_index(struct json_object *array);

/* What INDEX has for NAMESPACE ("" for none) and NAME, or NULL. Borrowed. */
struct json_object *walk_find(struct json_object *index, const char *namespace, const char *name);

#endif
