/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_config.h"

#include <errno.h>
#include <resolv.h>
#include <string.h>
#include <yaml.h>

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_MAX       (16 * 1024)

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
	free(config);
}

/* The value of KEY in MAPPING, or NULL. Borrowed from the document. */
static yaml_node_t *member(yaml_document_t *document, yaml_node_t *mapping, const char *key)
{
	yaml_node_pair_t *pair;

	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
		pair++) {
		yaml_node_t *name = yaml_document_get_node(document, pair->key);

		if (name && name->type == YAML_SCALAR_NODE &&
			!strcmp((const char *)name->data.scalar.value, key))
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

static const char *scalar(yaml_document_t *document, yaml_node_t *mapping, const char *key)
{
	yaml_node_t *node = member(document, mapping, key);

	if (!node || node->type != YAML_SCALAR_NODE || !node->data.scalar.length)
		return NULL;
	/* One that holds a NUL would be used as another than the file says. */
	if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
		return NULL;
	return (const char *)node->data.scalar.value;
}

/* The entry called NAME of the list LIST ("clusters"), and in it the mapping KEY ("cluster"). */
static yaml_node_t *named(yaml_document_t *document, const char *list, const char *name,
	const char *key, struct error *err)
{
	yaml_node_t *all = member(document, yaml_document_get_root_node(document), list);
	yaml_node_item_t *item;

	if (all && all->type == YAML_SEQUENCE_NODE) {
		for (item = all->data.sequence.items.start; item < all->data.sequence.items.top;
			item++) {
			yaml_node_t *entry = yaml_document_get_node(document, *item);
			const char *found = scalar(document, entry, "name");

			if (found && !strcmp(found, name))
				return member(document, entry, key);
		}
	}
	error_set(err, ERROR_INVALID, "there is no entry \"%s\" in %s", name, list);
	return NULL;
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
static int read_blob(yaml_document_t *document, yaml_node_t *mapping, const char *config_path,
	const char *key, struct kube_blob *blob, struct error *err)
{
	char data_key[64];
	const char *data, *file = scalar(document, mapping, key);

	snprintf(data_key, sizeof(data_key), "%s-data", key);
	data = scalar(document, mapping, data_key);
	if (data)
		return decode(data, data_key, &blob->data, err);
	if (file)
		blob->file = resolve(config_path, file);
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

static int read_cluster(struct kube_config *config, yaml_document_t *document, yaml_node_t *cluster,
	const char *path, struct error *err)
{
	const char *server = scalar(document, cluster, "server");
	const char *insecure = scalar(document, cluster, "insecure-skip-tls-verify");

	if (!server)
		return error_set(err, ERROR_INVALID, "the cluster has no server");
	if (read_server(config, server, err) < 0)
		return -1;
	if (scalar(document, cluster, "proxy-url"))
		return error_set(
			err, ERROR_INVALID, "the cluster has a proxy-url, which is not supported");
	config->tls_server_name = copy(scalar(document, cluster, "tls-server-name"));
	config->insecure = insecure && !strcmp(insecure, "true");
	return read_blob(document, cluster, path, "certificate-authority", &config->ca, err);
}

static bool is_given(const struct kube_blob *blob)
{
	return blob->data || blob->file;
}

static int read_user(struct kube_config *config, yaml_document_t *document, yaml_node_t *user,
	const char *path, struct error *err)
{
	static const char *const unsupported[] = {
		"exec", "auth-provider", "username", "as", "as-uid", "as-groups", "as-user-extra"};
	const char *file = scalar(document, user, "tokenFile");

	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
		if (member(document, user, unsupported[i]))
			return error_set(err, ERROR_INVALID,
				"the user authenticates by \"%s\", which is not supported: use a "
				"client certificate, a token or a tokenFile",
				unsupported[i]);
	if (file)
		config->token_file = resolve(path, file);
	else
		config->token = copy(scalar(document, user, "token"));
	if (read_blob(document, user, path, "client-certificate", &config->certificate, err) < 0 ||
		read_blob(document, user, path, "client-key", &config->key, err) < 0)
		return -1;
	if (is_given(&config->certificate) != is_given(&config->key))
		return error_set(err, ERROR_INVALID,
			"the user has %s: a client certificate needs both",
			is_given(&config->key) ? "a client-key and no client-certificate"
					       : "a client-certificate and no client-key");
	return 0;
}

static int read_document(
	struct kube_config *config, yaml_document_t *document, const char *path, struct error *err)
{
	yaml_node_t *root = yaml_document_get_root_node(document);
	const char *name = scalar(document, root, "current-context");
	yaml_node_t *context, *entry;
	const char *cluster, *user;

	if (!name)
		return error_set(err, ERROR_INVALID, "there is no current-context");
	context = named(document, "contexts", name, "context", err);
	if (!context)
		return error_prefix(err, "current-context");
	cluster = scalar(document, context, "cluster");
	user = scalar(document, context, "user");
	if (!cluster || !user)
		return error_set(
			err, ERROR_INVALID, "context \"%s\" lacks a cluster or a user", name);
	entry = named(document, "clusters", cluster, "cluster", err);
	if (!entry || read_cluster(config, document, entry, path, err) < 0)
		return error_prefix(err, "context \"%s\"", name);
	entry = named(document, "users", user, "user", err);
	if (!entry || read_user(config, document, entry, path, err) < 0)
		return error_prefix(err, "context \"%s\"", name);
	return 0;
}

static int load_file(struct kube_config *config, const char *path, struct error *err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	yaml_document_t document;
	yaml_parser_t parser;
	int result;

	if (!file)
		return error_set_errno(err, errno, "kubeconfig %s", path);
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &document)) {
		result = read_document(config, &document, path, err);
		yaml_document_delete(&document);
	} else {
		result = error_set(err, ERROR_INVALID, "line %zu: %s", parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
	return result < 0 ? error_prefix(err, "kubeconfig %s", path) : 0;
}

/* What every pod with a service account is given (client-go's rest.InClusterConfig). */
static int load_service_account(struct kube_config *config, const char *host, struct error *err)
{
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool ipv6 = strchr(host, ':') != NULL;

	if (!port)
		return error_set(err, ERROR_INVALID,
			"KUBERNETES_SERVICE_HOST is set, but KUBERNETES_SERVICE_PORT is not");
	if (access(SERVICE_ACCOUNT "/token", R_OK) < 0)
		return error_set_errno(err, errno, SERVICE_ACCOUNT "/token");
	if (asprintf(&config->server, ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port) < 0)
		abort();
	config->token_file = copy(SERVICE_ACCOUNT "/token");
	config->ca.file = copy(SERVICE_ACCOUNT "/ca.crt");
	return 0;
}

int kube_config_load(const char *path, struct kube_config **ret_config, struct error *err)
{
	_cleanup_(kube_config_freep) struct kube_config *config = calloc(1, sizeof(*config));
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	int result;

	if (!config)
		abort();
	if (!path || !*path)
		path = getenv("KUBECONFIG");
	if (path && *path)
		result = load_file(config, path, err);
	else if (host && *host)
		result = load_service_account(config, host, err);
	else
		result = error_set(err, ERROR_NOT_FOUND,
			"not inside a pod, and no kubeconfig given: use --kubeconfig=FILE");
	if (result == 0)
		*ret_config = take_ptr(config);
	return result;
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
