/* SPDX-License-Identifier: Apache-2.0 */
#include "path_pattern.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static const struct path_variable *find(
	const struct path_variable *variables, const char *name, size_t length)
{
	for (; variables->name; variables++)
		if (strlen(variables->name) == length && !memcmp(variables->name, name, length))
			return variables;
	return NULL;
}

static bool has_control_character(const char *value)
{
	for (; *value; value++)
		if (iscntrl((unsigned char)*value))
			return true;
	return false;
}

static bool starts_with_namespace(const char *pattern)
{
	static const char *const starts[] = {
		"${namespace}/", "${.PVC.namespace}/", "${pvc.metadata.namespace}/"};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (!strncmp(pattern, starts[i], strlen(starts[i])))
			return true;
	return false;
}

static int value_of(const char *pattern, const struct path_variable *variables, const char *name,
	size_t length, const char **ret_value, struct error *err)
{
	const struct path_variable *variable = find(variables, name, length);
	bool is_namespace;

	if (!variable)
		return error_set(err, ERROR_INVALID, "unknown variable ${%.*s}", (int)length, name);
	if (!variable->value || !*variable->value)
		return error_set(err, ERROR_INVALID,
			"${%s} has no value here: the claim has none, or the provisioner did not "
			"send it",
			variable->name);
	if (has_control_character(variable->value))
		return error_set(err, ERROR_INVALID, "the value of ${%s} holds a control character",
			variable->name);
	is_namespace = strstr(variable->name, "namespace") != NULL;
	if (strchr(variable->value, '/') && (is_namespace || !starts_with_namespace(pattern)))
		return error_set(err, ERROR_INVALID,
			"the value of ${%s} holds a slash: start the pattern with ${namespace}/ to "
			"allow it",
			variable->name);
	*ret_value = variable->value;
	return 0;
}

int path_pattern_expand(const char *pattern, const struct path_variable *variables, char **ret_path,
	struct error *err)
{
	_cleanup_free_ char *path = NULL;
	size_t size;
	FILE *out = open_memstream(&path, &size);
	int result = 0;

	if (!out)
		abort();
	if (has_control_character(pattern))
		result = error_set(err, ERROR_INVALID, "the pattern holds a control character");
	for (const char *at = pattern; *at && result == 0;) {
		size_t length = strcspn(at + 1, "}") + 1; /* of "${name" */
		const char *value = "";

		if (at[0] != '$' || at[1] != '{') {
			fputc(*at++, out);
			continue;
		}
		if (at[length] != '}') {
			result = error_set(err, ERROR_INVALID, "\"%s\" lacks its }", at);
			break;
		}
		result = value_of(pattern, variables, at + 2, length - 2, &value, err);
		fputs(value, out);
		at += length + 1;
	}
	fclose(out);
	if (result == 0)
		*ret_path = take_ptr(path);
	return result;
}
