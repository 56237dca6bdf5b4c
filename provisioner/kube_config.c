/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_config.h"

#include <errno.h>
#include <resolv.h>
#include <string.h>

#include "kube_exec.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_MAX       (16 * 1024)
#define SOURCES_MAX     16

static char *copy(const char *text)
{
	char *made = text ? strdup(text) : NULL;

	if (text && !made)
		abort();
	return made;
}

void kube_config_free(struct kube_config *config)
{
	free(config->server);
	free(config->tls_server_name);
	free(config->ca.data);
	free(config->ca.file);
	free(config->certificate.data);
	free(config->certificate.file);
	free(config->key.data);
	free(config->key.file);
	free(config->token);
	free(config->token_file);
	free(config->namespace);
	exec_plugin_free(config->exec);
	free(config);
}

/* One file of a kubeconfig, and a value in it. */
struct source {
	char *path;
	yaml_document_t document;
};
struct place {
	struct yaml_value value;
	const char *path;
};

/* All files of one, of which the first that has something wins. */
struct sources {
	struct source list[SOURCES_MAX];
	size_t count;
};

/* The first entry called NAME of the list LIST ("clusters"), and in it the mapping KEY. */
static int find_entry(struct sources *sources, const char *list, const char *name, const char *key,
	struct place *ret_place, struct error *err)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct yaml_value all =
			yaml_value_member(yaml_value_root(&sources->list[i].document), list);

		for (size_t j = 0; j < yaml_value_count(all); j++) {
			struct yaml_value entry = yaml_value_item(all, j);
			const char *found = yaml_value_text(entry, "name");

			if (!found || strcmp(found, name))
				continue;
			*ret_place = (struct place){
				yaml_value_member(entry, key), sources->list[i].path};
			return 0;
		}
	}
	return error_set(err, ERROR_INVALID, "there is no entry \"%s\" in %s", name, list);
}

/* A file name of a kubeconfig is relative to the kubeconfig's own folder. */
static char *resolve(const char *config_path, const char *file)
{
	const char *slash = strrchr(config_path, '/');
	char *made;

	if (*file == '/' || !slash)
		return copy(file);
	if (asprintf(&made, "%.*s/%s", (int)(slash - config_path), config_path, file) < 0)
		abort();
	return made;
}

static int decode(const char *base64, const char *key, char **ret_data, struct error *err)
{
	size_t size = strlen(base64) / 4 * 3 + 4;
	_cleanup_free_ char *data = calloc(1, size);
	int length;

	if (!data)
		abort();
	length = b64_pton(base64, (unsigned char *)data, size - 1);
	if (length < 0 || strlen(data) != (size_t)length)
		return error_set(err, ERROR_INVALID, "%s is not base64 of PEM text", key);
	*ret_data = take_ptr(data);
	return 0;
}

/* KEY names a file, KEY-data holds the same inline and wins. */
static int read_blob(struct place at, const char *key, struct kube_blob *blob, struct error *err)
{
	char data_key[64];
	const char *data, *file = yaml_value_text(at.value, key);

	snprintf(data_key, sizeof(data_key), "%s-data", key);
	data = yaml_value_text(at.value, data_key);
	if (data)
		return decode(data, data_key, &blob->data, err);
	if (file)
		blob->file = resolve(at.path, file);
	return 0;
}

/* A server address without what is behind it: "https://host:port/" as "https://host:port". */
static int read_server(struct kube_config *config, const char *server, struct error *err)
{
	const char *host = server;
	size_t length = strlen(server);

	if (!strncmp(server, "https://", 8) || !strncmp(server, "http://", 7))
		host = strstr(server, "://") + 3;
	while (length && server[length - 1] == '/')
		length--;
	if (host == server || length <= (size_t)(host - server))
		return error_set(
			err, ERROR_INVALID, "server \"%s\" is not a http(s):// address", server);
	if (strcspn(server, " \t\r\n\"<>@") < length)
		return error_set(err, ERROR_INVALID,
			"server \"%s\" holds a character that no address has", server);
	config->server = copy(server);
	config->server[length] = '\0';
	return 0;
}

static int read_cluster(struct kube_config *config, struct place cluster, struct error *err)
{
	const char *server = yaml_value_text(cluster.value, "server");
	const char *insecure = yaml_value_text(cluster.value, "insecure-skip-tls-verify");

	if (!server)
		return error_set(err, ERROR_INVALID, "the cluster has no server");
	if (read_server(config, server, err) < 0)
		return -1;
	if (yaml_value_text(cluster.value, "proxy-url"))
		return error_set(
			err, ERROR_INVALID, "the cluster has a proxy-url, which is not supported");
	config->tls_server_name = copy(yaml_value_text(cluster.value, "tls-server-name"));
	config->insecure = insecure && !strcmp(insecure, "true");
	return read_blob(cluster, "certificate-authority", &config->ca, err);
}

static bool is_given(const struct kube_blob *blob)
{
	return blob->data || blob->file;
}

static int check_user(struct place user, struct error *err)
{
	static const char *const unsupported[] = {
		"auth-provider", "username", "as", "as-uid", "as-groups", "as-user-extra"};

	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
		if (yaml_value_member(user.value, unsupported[i]).node)
			return error_set(err, ERROR_INVALID,
				"the user authenticates by \"%s\", which is not supported: use a "
				"client certificate, a token, a tokenFile or exec",
				unsupported[i]);
	return 0;
}

static int read_user(struct kube_config *config, struct place user, struct error *err)
{
	const char *file = yaml_value_text(user.value, "tokenFile");

	if (check_user(user, err) < 0)
		return -1;
	if (file)
		config->token_file = resolve(user.path, file);
	else
		config->token = copy(yaml_value_text(user.value, "token"));
	if (read_blob(user, "client-certificate", &config->certificate, err) < 0 ||
		read_blob(user, "client-key", &config->key, err) < 0)
		return -1;
	if (is_given(&config->certificate) != is_given(&config->key))
		return error_set(err, ERROR_INVALID,
			"the user has %s: a client certificate needs both",
			is_given(&config->key) ? "a client-key and no client-certificate"
					       : "a client-certificate and no client-key");
	return 0;
}

/* What is fixed in the kubeconfig wins over a program, as with kubectl. */
static int read_exec(
	struct kube_config *config, struct place cluster, struct place user, struct error *err)
{
	struct yaml_value exec = yaml_value_member(user.value, "exec");
	const char *command = yaml_value_text(exec, "command");

	if (!exec.node || config->token || config->token_file || is_given(&config->certificate))
		return 0;
	if (!command)
		return error_set(err, ERROR_INVALID, "exec: there is no command");
	return kube_exec_read(exec,
		strchr(command, '/') ? resolve(user.path, command) : copy(command), cluster.value,
		config, err);
}

static int read_context(
	struct kube_config *config, struct sources *sources, const char *name, struct error *err)
{
	struct place context, cluster, user;
	const char *cluster_name, *user_name;

	if (find_entry(sources, "contexts", name, "context", &context, err) < 0)
		return -1;
	cluster_name = yaml_value_text(context.value, "cluster");
	user_name = yaml_value_text(context.value, "user");
	if (!cluster_name || !user_name)
		return error_set(
			err, ERROR_INVALID, "context \"%s\" lacks a cluster or a user", name);
	config->namespace = copy(yaml_value_text(context.value, "namespace"));
	if (find_entry(sources, "clusters", cluster_name, "cluster", &cluster, err) < 0 ||
		read_cluster(config, cluster, err) < 0 ||
		find_entry(sources, "users", user_name, "user", &user, err) < 0 ||
		read_user(config, user, err) < 0 || read_exec(config, cluster, user, err) < 0)
		return error_prefix(err, "context \"%s\"", name);
	return 0;
}

/* CONTEXT is which to use; NULL: the current one. */
static int read_sources(
	struct kube_config *config, struct sources *sources, const char *context, struct error *err)
{
	const char *name = context;

	for (size_t i = 0; i < sources->count && !name; i++)
		name = yaml_value_text(
			yaml_value_root(&sources->list[i].document), "current-context");
	if (!name)
		return error_set(err, ERROR_INVALID, "there is no current-context");
	return read_context(config, sources, name, err);
}

/* The document in the file PATH becomes one more source. */
static int add_source(struct sources *sources, const char *path, struct error *err)
{
	struct source *source = &sources->list[sources->count];
	_cleanup_fclose_ FILE *file = NULL;
	yaml_parser_t parser;
	int result = 0;

	if (sources->count == SOURCES_MAX)
		return error_set(err, ERROR_INVALID, "there are more than %d files", SOURCES_MAX);
	file = fopen(path, "re");
	if (!file)
		return error_set_errno(err, errno, "kubeconfig %s", path);
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &source->document)) {
		source->path = copy(path);
		sources->count++;
	} else {
		result = error_set(err, ERROR_INVALID, "kubeconfig %s: line %zu: %s", path,
			parser.problem_mark.line + 1, parser.problem ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
	return result;
}

/* Several files are separated by colons; of these some may be missing, as with kubectl. */
static int add_sources(struct sources *sources, const char *paths, struct error *err)
{
	_cleanup_free_ char *list = copy(paths);
	char *rest = list, *path;

	if (!strchr(paths, ':'))
		return add_source(sources, paths, err);
	while ((path = strsep(&rest, ":")))
		if (*path && add_source(sources, path, err) < 0 && err->kind != ERROR_NOT_FOUND)
			return -1;
	if (!sources->count)
		return error_set(
			err, ERROR_NOT_FOUND, "kubeconfig %s: none of these files is there", paths);
	return 0;
}

static int load_files(
	struct kube_config *config, const char *paths, const char *context, struct error *err)
{
	struct sources sources = {.count = 0};
	struct error why = {0};
	int result = add_sources(&sources, paths, &why);

	if (result == 0) {
		result = read_sources(config, &sources, context, &why);
		if (result < 0)
			error_prefix(&why, "kubeconfig %s", paths);
	}
	while (sources.count) {
		struct source *source = &sources.list[--sources.count];

		yaml_document_delete(&source->document);
		free(source->path);
	}
	if (result < 0 && err)
		*err = why;
	return result;
}

/* The namespace of the pod: nice to know, and not more. */
static char *read_namespace(const char *folder)
{
	_cleanup_free_ char *path = NULL, *line = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	size_t size = 0;

	if (asprintf(&path, "%s/namespace", folder) < 0)
		abort();
	file = fopen(path, "re");
	if (!file || getline(&line, &size, file) <= 0)
		return NULL;
	line[strcspn(line, "\r\n")] = '\0';
	return *line ? take_ptr(line) : NULL;
}

/* What every pod with a service account is given (client-go's rest.InClusterConfig). */
int kube_config_in_cluster(const char *folder, struct kube_config **ret_config, struct error *err)
{
	struct kube_config *config;
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (!host || !*host || !port || !*port)
		return error_set(err, ERROR_INVALID,
			"KUBERNETES_SERVICE_HOST is set, but KUBERNETES_SERVICE_PORT is not");
	config = calloc(1, sizeof(*config));
	if (!config)
		abort();
	if (asprintf(&config->token_file, "%s/token", folder) < 0 ||
		asprintf(&config->ca.file, "%s/ca.crt", folder) < 0 ||
		asprintf(&config->server, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s",
			host, port) < 0)
		abort();
	if (access(config->token_file, R_OK) < 0) {
		error_set_errno(err, errno, "%s", config->token_file);
		kube_config_free(config);
		return -1;
	}
	config->namespace = read_namespace(folder);
	*ret_config = config;
	return 0;
}

int kube_config_load_context(
	const char *path, const char *context, struct kube_config **ret_config, struct error *err)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	const char *host = getenv("KUBERNETES_SERVICE_HOST");

	if (!path || !*path)
		path = getenv("KUBECONFIG");
	if ((!path || !*path) && host && *host && context)
		return error_set(err, ERROR_INVALID,
			"there is no context \"%s\": inside a pod its service account is used, unless "
			"a kubeconfig is given",
			context);
	if ((!path || !*path) && host && *host)
		return kube_config_in_cluster(SERVICE_ACCOUNT, ret_config, err);
	if (!path || !*path)
		return error_set(err, ERROR_NOT_FOUND,
			"not inside a pod, and no kubeconfig given: use --kubeconfig=FILE");
	config = calloc(1, sizeof(*config));
	if (!config)
		abort();
	if (load_files(config, path, context, err) < 0)
		return -1;
	*ret_config = take_ptr(config);
	return 0;
}

int kube_config_load(const char *path, struct kube_config **ret_config, struct error *err)
{
	return kube_config_load_context(path, NULL, ret_config, err);
}

/* The first line of FILE, which is NULL where it could not be opened. */
static int read_token(FILE *file, const char *path, char **ret_token, struct error *err)
{
	char token[TOKEN_MAX + 1] = "";

	if (!file)
		return error_set_errno(err, errno, "token file %s", path);
	if (fread(token, 1, TOKEN_MAX, file))
		token[strcspn(token, "\r\n")] = '\0';
	if (!*token)
		return error_set(err, ERROR_INVALID, "token file %s is empty", path);
	*ret_token = copy(token);
	return 0;
}

int kube_config_token(const struct kube_config *config, char **ret_token, struct error *err)
{
	_cleanup_fclose_ FILE *file = config->token_file ? fopen(config->token_file, "re") : NULL;

	if (config->token_file)
		return read_token(file, config->token_file, ret_token, err);
	*ret_token = copy(config->token);
	return 0;
}
