/* SPDX-License-Identifier: Apache-2.0 */
#include "api_patch.h"

#include <stdlib.h>
#include <string.h>

#include "objects.h"

#define DELETE_FROM "$deleteFromPrimitiveList/"

/* Lists that are merged, by the key that tells their items apart; NULL: they are sets of strings.
 */
static const struct {
	const char *list, *key;
} merged[] = {
	{"finalizers", NULL},
	{"conditions", "type"},
	{"ownerReferences", "uid"},
};

struct json_object *api_patch_copy(struct json_object *json)
{
	struct json_object *copy = NULL;

	if (json && json_object_deep_copy(json, &copy, NULL) < 0)
		abort();
	return copy;
}

/* The object KEY of TARGET, made where TARGET has none. */
static struct json_object *object_at(struct json_object *target, const char *key)
{
	struct json_object *member = json_member(target, key, json_type_object);

	if (!member) {
		member = json_object_new_object();
		json_object_object_add(target, key, member);
	}
	return member;
}

void api_patch_merge(struct json_object *target, struct json_object *patch)
{
	json_object_object_foreach(patch, key, value)
	{
		if (!value)
			json_object_object_del(target, key);
		else if (json_object_is_type(value, json_type_object))
			api_patch_merge(object_at(target, key), value);
		else
			json_object_object_add(target, key, api_patch_copy(value));
	}
}

void api_patch_default(struct json_object *target, struct json_object *defaults)
{
	json_object_object_foreach(defaults, key, value)
	{
		if (json_object_is_type(value, json_type_object))
			api_patch_default(object_at(target, key), value);
		else if (!json_object_object_get_ex(target, key, NULL))
			json_object_object_add(target, key, api_patch_copy(value));
	}
}

/* Which of LIST's items ITEM is; the length of LIST where it is none. */
static size_t index_of(struct json_object *list, struct json_object *item, const char *key)
{
	size_t count = json_object_array_length(list), i;
	const char *wanted = key ? json_string(item, key) : json_object_get_string(item);

	for (i = 0; i < count; i++) {
		struct json_object *other = json_object_array_get_idx(list, i);
		const char *text = key ? json_string(other, key) : json_object_get_string(other);

		if (text && wanted && !strcmp(text, wanted))
			break;
	}
	return i;
}

static void remove_items(struct json_object *target, const char *key, struct json_object *items)
{
	struct json_object *list = json_member(target, key, json_type_array);

	for (size_t i = 0; list && i < json_object_array_length(items); i++) {
		size_t at = index_of(list, json_object_array_get_idx(items, i), NULL);

		if (at < json_object_array_length(list))
			json_object_array_del_idx(list, at, 1);
	}
	if (list && json_object_array_length(list) == 0)
		json_object_object_del(target, key);
}

static bool merge_item(struct json_object *list, struct json_object *item, const char *key)
{
	size_t at = index_of(list, item, key);
	bool known = at < json_object_array_length(list);
	const char *directive = json_string(item, "$patch");

	if (directive && strcmp(directive, "delete") != 0)
		return false;
	if (directive && known)
		json_object_array_del_idx(list, at, 1);
	else if (!directive && !known)
		json_object_array_add(list, api_patch_copy(item));
	else if (!directive && key)
		return api_patch_strategic(json_object_array_get_idx(list, at), item);
	return true;
}

static bool merge_list(
	struct json_object *target, const char *name, const char *key, struct json_object *items)
{
	struct json_object *list = json_member(target, name, json_type_array);

	if (!list) {
		list = json_object_new_array();
		json_object_object_add(target, name, list);
	}
	for (size_t i = 0; i < json_object_array_length(items); i++)
		if (!merge_item(list, json_object_array_get_idx(items, i), key))
			return false;
	return true;
}

static bool patch_list(struct json_object *target, const char *name, struct json_object *items)
{
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++)
		if (!strcmp(merged[i].list, name))
			return merge_list(target, name, merged[i].key, items);
	json_object_object_add(target, name, api_patch_copy(items));
	return true;
}

static bool patch_member(struct json_object *target, const char *key, struct json_object *value)
{
	if (!strncmp(key, DELETE_FROM, strlen(DELETE_FROM)) &&
		json_object_is_type(value, json_type_array)) {
		remove_items(target, key + strlen(DELETE_FROM), value);
		return true;
	}
	if (*key == '$')
		return !strncmp(key, "$setElementOrder/", 17) || !strcmp(key, "$retainKeys");
	if (!value)
		json_object_object_del(target, key);
	else if (json_object_is_type(value, json_type_object))
		return api_patch_strategic(object_at(target, key), value);
	else if (json_object_is_type(value, json_type_array))
		return patch_list(target, key, value);
	else
		json_object_object_add(target, key, api_patch_copy(value));
	return true;
}

static void clear(struct json_object *target)
{
	struct json_object_iterator at = json_object_iter_begin(target);
	struct json_object_iterator end = json_object_iter_end(target);

	while (!json_object_iter_equal(&at, &end)) {
		json_object_object_del(target, json_object_iter_peek_name(&at));
		at = json_object_iter_begin(target);
		end = json_object_iter_end(target);
	}
}

bool api_patch_strategic(struct json_object *target, struct json_object *patch)
{
	const char *directive = json_string(patch, "$patch");

	if (directive && strcmp(directive, "replace") != 0)
		return false;
	if (directive)
		clear(target);
	json_object_object_foreach(patch, key, value)
	{
		if (strcmp(key, "$patch") != 0 && !patch_member(target, key, value))
			return false;
	}
	return true;
}
