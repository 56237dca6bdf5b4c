/* SPDX-License-Identifier: Apache-2.0 */
/* The client and TLS: what it trusts, what it shows, and what of that is replaced while it runs. */
#include "rest_client.h"

#include <string.h>

#include "testing.h"
#include "tls_server.h"

/* Configurations of TLS, and whether they reach the server, which wants a client certificate of
 * the same CA. File names are below the server's folder; inline is what their files hold. */
static const struct {
	const char *name, *host;
	const char *ca, *certificate, *key;
	const char *tls_server_name;
	bool inline_data, insecure, works;
	const char *says;
} tls_cases[] = {
	{"files", "127.0.0.1", "ca.crt", "client.crt", "client.key", NULL, false, false, true,
		NULL},
	{"inline", "127.0.0.1", "ca.crt", "client.crt", "client.key", NULL, true, false, true,
		NULL},
	{"another CA", "127.0.0.1", "other.crt", "client.crt", "client.key", NULL, false, false,
		false, ": its certificate is not trusted: "},
	{"another CA, inline", "127.0.0.1", "other.crt", "client.crt", "client.key", NULL, true,
		false, false, ": its certificate is not trusted: "},
	{"another CA, not verified", "127.0.0.1", "other.crt", "client.crt", "client.key", NULL,
		false, true, true, NULL},
	{"no client certificate", "127.0.0.1", "ca.crt", NULL, NULL, NULL, false, false, false,
		"alert certificate required"},
	{"a client certificate of another CA", "127.0.0.1", "ca.crt", "stranger.crt",
		"stranger.key", NULL, false, false, false, "alert"},
	{"no CA file", "127.0.0.1", "missing.crt", "client.crt", "client.key", NULL, false, false,
		false, ": the CA cannot be read: "},
	{"the name is not in the certificate", "localhost", "ca.crt", "client.crt", "client.key",
		NULL, false, false, false, "not trusted: SSL: no alternative certificate subject"},
	{"the expected name is", "localhost", "ca.crt", "client.crt", "client.key",
		"kubernetes.test", false, false, true, NULL},
	{"the expected name is not", "127.0.0.1", "ca.crt", "client.crt", "client.key",
		"other.test", false, false, false, ": its certificate is not trusted: "},
	{"no client certificate file", "127.0.0.1", "ca.crt", "missing.crt", "client.key", NULL,
		false, false, false, ": our client certificate cannot be used: "},
};

static void set_blob(struct kube_blob *blob, const char *name, bool inline_data)
{
	if (!name)
		return;
	if (inline_data)
		blob->data = tls_server_read(name);
	else
		blob->file = tls_server_file(name);
}

static void check_tls(const struct tls_server *server, size_t i)
{
	_cleanup_(kube_config_freep) struct kube_config *config = calloc(1, sizeof(*config));
	struct rest_request get = {.method = "GET", .path = "/version"};
	struct rest_client *client;
	struct error err = {0};
	struct kube_api api;
	int result;

	if (asprintf(&config->server, "https://%s:%d/", tls_cases[i].host,
		    tls_server_port(server)) < 0)
		abort();
	config->server[strlen(config->server) - 1] = '\0';
	set_blob(&config->ca, tls_cases[i].ca, tls_cases[i].inline_data);
	set_blob(&config->certificate, tls_cases[i].certificate, tls_cases[i].inline_data);
	set_blob(&config->key, tls_cases[i].key, tls_cases[i].inline_data);
	config->insecure = tls_cases[i].insecure;
	if (tls_cases[i].tls_server_name)
		config->tls_server_name = strdup(tls_cases[i].tls_server_name);
	client = rest_client_new(config);
	api = rest_client_api(client);
	result = api.call(api.self, &get, NULL, &err);
	if (result < 0 && tls_cases[i].works)
		print_error("%s\n", err.text);
	assert_case(tls_cases[i].name, result == (tls_cases[i].works ? 0 : -1));
	assert_case(tls_cases[i].name, tls_cases[i].works || err.kind == ERROR_UNAVAILABLE);
	if (tls_cases[i].says && !strstr(err.text, tls_cases[i].says))
		assert_case_text(tls_cases[i].name, err.text, tls_cases[i].says);
	rest_client_free(client);
}

static void test_tls(void **state)
{
	struct tls_server *server = tls_server_start();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tls_cases); i++)
		check_tls(server, i);
	tls_server_stop(server);
}

static struct kube_config *tls_config(const struct tls_server *server, const char *host)
{
	struct kube_config *config = calloc(1, sizeof(*config));

	if (asprintf(&config->server, "https://%s:%d", host, tls_server_port(server)) < 0)
		abort();
	config->ca.file = tls_server_file("trusted.crt");
	return config;
}

/* Put what the file NAME holds where the client reads its CA. */
static void trust(const char *name)
{
	_cleanup_free_ char *text = tls_server_read(name), *path = tls_server_file("trusted.crt");

	*strrchr(path, '/') = '\0';
	free(write_file(path, "trusted.crt", text));
}

static int get_version(struct rest_client *client, struct error *err)
{
	struct kube_api api = rest_client_api(client);
	struct rest_request get = {.method = "GET", .path = "/version"};

	return api.call(api.self, &get, NULL, err);
}

/* The CA's file is replaced, and the server's certificate is then one of the new CA: it is taken
 * up without a new start, and what the old CA signed is not trusted any more. */
static void test_ca_rotation(void **state)
{
	struct tls_server *server = tls_server_start();
	_cleanup_(kube_config_freep) struct kube_config *config = tls_config(server, "127.0.0.1");
	struct rest_client *client = rest_client_new(config);
	struct error err = {0};

	(void)state;
	trust("ca.crt");
	config->certificate.file = tls_server_file("client.crt");
	config->key.file = tls_server_file("client.key");
	assert_int_equal(get_version(client, &err), 0);
	tls_server_restart(server, "rotated");
	assert_int_equal(get_version(client, &err), -1);
	assert_non_null(strstr(err.text, "its certificate is not trusted"));
	trust("other.crt");
	assert_int_equal(get_version(client, &err), 0);
	tls_server_restart(server, "server");
	assert_int_equal(get_version(client, &err), -1);
	assert_non_null(strstr(err.text, "its certificate is not trusted"));
	rest_client_free(client);
	tls_server_stop(server);
}

/* A pod of a cluster whose addresses are IPv6, with its service account's files. */
static void test_in_cluster_ipv6(void **state)
{
	struct tls_server *server = tls_server_start_ipv6();
	_cleanup_free_ char *ca = tls_server_read("ca.crt");
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	struct rest_client *client;
	struct error err = {0};
	char *folder = make_folder(), port[16];

	(void)state;
	free(write_file(folder, "ca.crt", ca));
	free(write_file(folder, "token", "t\n"));
	snprintf(port, sizeof(port), "%d", tls_server_port(server));
	setenv("KUBERNETES_SERVICE_HOST", "::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", port, 1);
	assert_int_equal(kube_config_in_cluster(folder, &config, &err), 0);
	client = rest_client_new(config);
	if (get_version(client, &err) < 0)
		fail_msg("%s", err.text);
	rest_client_free(client);
	tls_server_stop(server);
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_ca_rotation),
		cmocka_unit_test(test_in_cluster_ipv6),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
