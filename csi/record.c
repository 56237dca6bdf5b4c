/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdbool.h>
#include <string.h>

#define VERSION 1
#define DEPTH   4

static const char *const state_names[] = {
	[RECORD_CREATING] = "creating",
	[RECORD_READY] = "ready",
	[RECORD_RETAINED] = "retained",
	[RECORD_ARCHIVED] = "archived",
	[RECORD_BASE] = "base",
};

static const char *const on_delete_names[] = {
	[ON_DELETE_DELETE] = "delete",
	[ON_DELETE_ARCHIVE] = "archive",
	[ON_DELETE_RETAIN] = "retain",
};

static const struct {
	const char *key;
	size_t field;
	bool required;
} texts[] = {
	{"name", offsetof(struct record, name), true},
	{"place", offsetof(struct record, place), true},
	{"path", offsetof(struct record, path), true},
	{"archive", offsetof(struct record, archive), false},
	{"predecessor", offsetof(struct record, predecessor), false},
	{"predecessorPv", offsetof(struct record, predecessor_pv), false},
	{"source", offsetof(struct record, source), false},
	{"namespace", offsetof(struct record, namespace), false},
	{"namespaceUid", offsetof(struct record, namespace_uid), false},
	{"claim", offsetof(struct record, claim), false},
	{"pv", offsetof(struct record, pv), false},
	{"statefulset", offsetof(struct record, statefulset), false},
	{"statefulsetUid", offsetof(struct record, statefulset_uid), false},
	{"template", offsetof(struct record, template), false},
	{"ordinal", offsetof(struct record, ordinal), false},
	{"clusterUid", offsetof(struct record, cluster_uid), false},
	{"mountOptions", offsetof(struct record, mount_options), false},
	{"idOptions", offsetof(struct record, id_options), false},
};

static const struct {
	const char *key;
	size_t field;
	bool required;
} numbers[] = {
	{"capacity", offsetof(struct record, capacity), true},
	{"mode", offsetof(struct record, mode), true},
	{"uid", offsetof(struct record, uid), true},
	{"gid", offsetof(struct record, gid), true},
	{"reuse", offsetof(struct record, reuse), false},
	{"archiveTtl", offsetof(struct record, archive_ttl), false},
	{"copied", offsetof(struct record, copied), false},
	{"retired", offsetof(struct record, retired), false},
	{"predecessorRetired", offsetof(struct record, predecessor_retired), false},
	{"modified", offsetof(struct record, modified), false},
	{"project", offsetof(struct record, project), false},
	{"snapshot", offsetof(struct record, snapshot), false},
};

static char **text_at(const struct record *record, size_t field)
{
	return (char **)((char *)record + field);
}

static int64_t *number_at(const struct record *record, size_t field)
{
	return (int64_t *)((char *)record + field);
}

static void put_json(json_object **object)
{
	json_object_put(*object);
}

static void free_tokener(json_tokener **tokener)
{
	json_tokener_free(*tokener);
}

void record_free(struct record *record)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*text_at(record, texts[i].field));
	free(record);
}

char *record_encode(const struct record *record)
{
	_cleanup_(put_json) json_object *object = json_object_new_object();
	enum record_state state = record->state == RECORD_CREATING ? RECORD_READY : record->state;
	char *text;

	json_object_object_add(object, "version", json_object_new_int(VERSION));
	json_object_object_add(object, "state", json_object_new_string(state_names[state]));
	json_object_object_add(
		object, "onDelete", json_object_new_string(on_delete_names[record->on_delete]));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *value = *text_at(record, texts[i].field);

		if (value)
			json_object_object_add(object, texts[i].key, json_object_new_string(value));
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_object_add(object, numbers[i].key,
			json_object_new_int64(*number_at(record, numbers[i].field)));
	text = strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	if (!text)
		abort();
	return text;
}

static const char *get_text(json_object *object, const char *key)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

static bool get_number(json_object *object, const char *key, int64_t *ret)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_int))
		return false;
	*ret = json_object_get_int64(value);
	return true;
}

/* Which of COUNT names the text at KEY is; -1 for none, ABSENT where there is no text. */
static int get_choice(
	json_object *object, const char *key, const char *const *names, size_t count, int absent)
{
	const char *name = get_text(object, key);

	for (size_t i = 0; name && i < count; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return name ? -1 : absent;
}

static bool get_choices(json_object *object, struct record *record)
{
	int state = get_choice(object, "state", state_names, ARRAY_SIZE(state_names), -1);
	int on_delete = get_choice(
		object, "onDelete", on_delete_names, ARRAY_SIZE(on_delete_names), ON_DELETE_DELETE);

	record->state = (enum record_state)state;
	record->on_delete = (enum on_delete)on_delete;
	return state >= 0 && on_delete >= 0;
}

static bool fill(json_object *object, struct record *record)
{
	int64_t version;

	if (!get_number(object, "version", &version) || version != VERSION ||
		!get_choices(object, record))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *value = get_text(object, texts[i].key);

		if (!value && texts[i].required)
			return false;
		if (value && !(*text_at(record, texts[i].field) = strdup(value)))
			abort();
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!get_number(object, numbers[i].key, number_at(record, numbers[i].field)) &&
			numbers[i].required)
			return false;
	return true;
}

int record_decode(const char *text, size_t length, struct record **ret_record, struct error *err)
{
	_cleanup_(record_freep) struct record *record = calloc(1, sizeof(*record));
	_cleanup_(free_tokener) json_tokener *tokener = json_tokener_new_ex(DEPTH);
	_cleanup_(put_json) json_object *object = NULL;

	if (!record || !tokener)
		abort();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)length);
	if (!json_object_is_type(object, json_type_object) || !fill(object, record))
		return error_set(err, ERROR_INTERNAL,
			"is not a volume's record that this version understands");
	*ret_record = take_ptr(record);
	return 0;
}
