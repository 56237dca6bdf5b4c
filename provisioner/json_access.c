/* SPDX-License-Identifier: Apache-2.0 */
#include "json_access.h"

#include <string.h>
#include <time.h>

struct json_object *json_member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *member;

	if (!json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, key, &member) ||
		!json_object_is_type(member, type))
		return NULL;
	return member;
}

const char *json_text(struct json_object *json)
{
	const char *text;

	if (!json_object_is_type(json, json_type_string))
		return NULL;
	text = json_object_get_string(json);
	return strlen(text) == (size_t)json_object_get_string_len(json) ? text : NULL;
}

const char *json_string(struct json_object *object, const char *key)
{
	return json_text(json_member(object, key, json_type_string));
}

int64_t json_time(struct json_object *object, const char *key)
{
	const char *text = json_string(object, key);
	struct tm time = {.tm_sec = 0};

	return text && strptime(text, "%Y-%m-%dT%H:%M:%S", &time) ? timegm(&time) : 0;
}
