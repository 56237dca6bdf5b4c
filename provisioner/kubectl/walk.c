/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define KEY_MAX 64 /* of a path's keys, which are constants */

struct json_object *walk_to(struct json_object *object, const char *path, enum json_type type)
{
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		char key[KEY_MAX];

		snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		object = json_member(object, key, json_type_object);
		path = dot + 1;
	}
	return json_member(object, path, type);
}

const char *walk_text(struct json_object *object, const char *path)
{
	return json_text(walk_to(object, path, json_type_string));
}

const char *walk_text_or_empty(struct json_object *object, const char *path)
{
	const char *text = walk_text(object, path);

	return text ? text : "";
}

int64_t walk_number(struct json_object *object, const char *path, int64_t otherwise)
{
	struct json_object *number = walk_to(object, path, json_type_int);

	return number ? json_object_get_int64(number) : otherwise;
}

bool walk_truth(struct json_object *object, const char *path)
{
	struct json_object *truth = walk_to(object, path, json_type_boolean);

	return truth && json_object_get_boolean(truth);
}

size_t walk_count(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

struct json_object *walk_item(struct json_object *array, size_t index)
{
	return json_object_array_get_idx(array, index);
}

bool walk_holds(struct json_object *object, const char *path, const char *text)
{
	struct json_object *array = walk_to(object, path, json_type_array);

	for (size_t i = 0; i < walk_count(array); i++) {
		const char *item = json_text(walk_item(array, i));

		if (item && !strcmp(item, text))
			return true;
	}
	return false;
}

static char *key_of(const char *namespace, const char *name)
{
	char *key;

	if (asprintf(&key, "%s/%s", namespace, name) < 0)
		abort();
	return key;
}

struct json_object *walk_index(struct json_object *array)
{
	struct json_object *index = json_object_new_object();

	for (size_t i = 0; i < walk_count(array); i++) {
		struct json_object *item = walk_item(array, i);
		const char *name = walk_text(item, "metadata.name");
		_cleanup_free_ char *key = NULL;

		if (!name)
			continue;
		key = key_of(walk_text_or_empty(item, "metadata.namespace"), name);
		json_object_object_add(index, key, json_object_get(item));
	}
	return index;
}

struct json_object *walk_find(struct json_object *index, const char *namespace, const char *name)
{
	_cleanup_free_ char *key = key_of(namespace, name);

	return json_member(index, key, json_type_object);
}
