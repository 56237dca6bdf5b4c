/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_exec.h"

#include <json-c/json.h>
#include <resolv.h>
#include <string.h>

#define CA_MAX    (1024 * 1024)
#define API_GROUP "client.authentication.k8s.io/"

static char *copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	if (text && !made)
		abort();
	return made;
}

static void add_member(struct json_object *json, const char *key, struct json_object *value)
{
	if (json_object_object_add(json, key, value) < 0)
		abort();
}

/* The PEM text of FILE, which is NULL where it could not be opened. */
static char *read_file(FILE *file, const char *path, struct error *err)
{
	char *text;

	if (!file) {
		error_set(err, ERROR_INVALID, "certificate-authority %s: %s", path,
			strerrordesc_np(errno));
		return NULL;
	}
	text = calloc(1, CA_MAX + 1);
	if (!text)
		abort();
	if (fread(text, 1, CA_MAX, file))
		return text;
	error_set(err, ERROR_INVALID, "certificate-authority %s is empty", path);
	free(text);
	return NULL;
}

/* The CA's PEM text, from wherever it is; NULL with *ERR where its file cannot be read. */
static char *read_ca(const struct kube_blob *ca, struct error *err)
{
	_cleanup_fclose_ FILE *file = ca->data ? NULL : fopen(ca->file, "re");

	return ca->data ? copy(ca->data) : read_file(file, ca->file, err);
}

static int add_ca(struct json_object *json, const struct kube_blob *ca, struct error *err)
{
	_cleanup_free_ char *text = NULL, *base64 = NULL;
	size_t size;

	if (!ca->data && !ca->file)
		return 0;
	text = read_ca(ca, err);
	if (!text)
		return -1;
	size = strlen(text) / 3 * 4 + 8;
	base64 = malloc(size);
	if (!base64 || b64_ntop((const unsigned char *)text, strlen(text), base64, size) < 0)
		abort();
	add_member(json, "certificate-authority-data", json_object_new_string(base64));
	return 0;
}

/* The cluster's own entry for plug-ins may hold anything; so far nobody was seen to need it. */
static int check_extensions(struct yaml_value cluster, struct error *err)
{
	struct yaml_value list = yaml_value_member(cluster, "extensions");

	for (size_t i = 0; i < yaml_value_count(list); i++) {
		const char *name = yaml_value_text(yaml_value_item(list, i), "name");

		if (name && !strcmp(name, API_GROUP "exec"))
			return error_set(err, ERROR_INVALID,
				"exec: the cluster's extension \"%s\" is not supported", name);
	}
	return 0;
}

/* provideClusterInfo: what the program is told of the cluster. */
static int read_cluster_info(
	struct yaml_value cluster, struct kube_config *config, struct error *err)
{
	struct json_object *json = json_object_new_object();
	int result = check_extensions(cluster, err);

	if (!json)
		abort();
	add_member(json, "server", json_object_new_string(config->server));
	if (config->tls_server_name)
		add_member(
			json, "tls-server-name", json_object_new_string(config->tls_server_name));
	if (config->insecure)
		add_member(json, "insecure-skip-tls-verify", json_object_new_boolean(1));
	if (result == 0)
		result = add_ca(json, &config->ca, err);
	if (result == 0)
		config->exec->cluster =
			copy(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	json_object_put(json);
	return result;
}

static int read_args(struct yaml_value list, struct strings *args, struct error *err)
{
	size_t count = yaml_value_count(list);

	args->items = calloc(count + 1, sizeof(*args->items));
	if (!args->items)
		abort();
	for (size_t i = 0; i < count; i++) {
		const char *text = yaml_value_scalar(yaml_value_item(list, i));

		if (!text)
			return error_set(err, ERROR_INVALID, "exec: args[%zu] is not a text", i);
		args->items[args->count++] = copy(text);
	}
	return 0;
}

static int read_env(struct yaml_value list, struct string_map *env, struct error *err)
{
	for (size_t i = 0; i < yaml_value_count(list); i++) {
		struct yaml_value item = yaml_value_item(list, i);
		const char *name = yaml_value_text(item, "name");
		const char *value = yaml_value_scalar(yaml_value_member(item, "value"));

		if (!name || !value || strchr(name, '='))
			return error_set(
				err, ERROR_INVALID, "exec: env[%zu] lacks a name or a value", i);
		string_map_add(env, name, value);
	}
	return 0;
}

static int check_version(const char *version, struct error *err)
{
	if (version && (!strcmp(version, API_GROUP "v1") || !strcmp(version, API_GROUP "v1beta1")))
		return 0;
	return error_set(err, ERROR_INVALID,
		"exec: apiVersion \"%s\" is not supported: " API_GROUP "v1 and v1beta1 are",
		version ? version : "");
}

int kube_exec_read(struct yaml_value exec, char *command, struct yaml_value cluster,
	struct kube_config *config, struct error *err)
{
	const char *mode = yaml_value_text(exec, "interactiveMode");
	const char *inform = yaml_value_text(exec, "provideClusterInfo");

	config->exec = calloc(1, sizeof(*config->exec));
	if (!config->exec)
		abort();
	config->exec->command = command;
	config->exec->api_version = copy(yaml_value_text(exec, "apiVersion"));
	config->exec->install_hint = copy(yaml_value_text(exec, "installHint"));
	if (check_version(config->exec->api_version, err) < 0)
		return -1;
	if (mode && !strcmp(mode, "Always"))
		return error_set(err, ERROR_INVALID,
			"exec: interactiveMode is Always, and nobody is here to ask");
	if (mode && strcmp(mode, "Never") && strcmp(mode, "IfAvailable"))
		return error_set(
			err, ERROR_INVALID, "exec: interactiveMode \"%s\" is unknown", mode);
	if (read_args(yaml_value_member(exec, "args"), &config->exec->args, err) < 0 ||
		read_env(yaml_value_member(exec, "env"), &config->exec->env, err) < 0)
		return -1;
	return inform && !strcmp(inform, "true") ? read_cluster_info(cluster, config, err) : 0;
}
