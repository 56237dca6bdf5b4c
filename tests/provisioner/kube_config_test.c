/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_config.h"

#include <string.h>
#include <sys/stat.h>

#include "testing.h"

/* A kubeconfig with these lines for its cluster and its user. */
#define CONFIG(cluster, user)                                                                      \
	"apiVersion: v1\nkind: Config\ncurrent-context: main\n"                                    \
	"contexts:\n- name: other\n  context: {cluster: x, user: x}\n"                             \
	"- name: main\n  context:\n    cluster: here\n    user: me\n"                              \
	"clusters:\n- name: x\n  cluster: {server: https://wrong}\n"                               \
	"- name: here\n  cluster:\n" cluster "users:\n- name: me\n  user:\n" user
#define SERVER     "    server: https://10.0.0.1:6443\n"
#define TOKEN      "    token: secret\n"
#define V1         "client.authentication.k8s.io/v1"
#define EXEC(more) "    exec: {command: aws, apiVersion: " V1 more "}\n"

static char *folder;

static int set_up(void **state)
{
	(void)state;
	folder = make_folder();
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_folder(take_ptr(folder));
	return 0;
}

/* Load what TEXT says as a file; NULL where it is refused. */
static struct kube_config *load(const char *text, struct error *err)
{
	_cleanup_free_ char *path = write_file(folder, "config", text);
	struct kube_config *config = NULL;

	kube_config_load(path, &config, err);
	return config;
}

#define _cleanup_config_ _cleanup_(kube_config_freep)

static int mkdir_below(const char *parent, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	return mkdir(path, 0700);
}

static void check_path(const char *got, const char *name)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "%s/%s", folder, name);
	assert_string_equal(got, wanted);
}

static void test_files(void **state)
{
	_cleanup_config_ struct kube_config *config =
		load(CONFIG("    server: https://api.example.com:6443/\n"
			    "    certificate-authority: pki/ca.crt\n"
			    "    tls-server-name: kubernetes\n",
			     "    client-certificate: /etc/admin.crt\n    client-key: admin.key\n"),
			NULL);

	(void)state;
	assert_string_equal(config->server, "https://api.example.com:6443");
	assert_string_equal(config->tls_server_name, "kubernetes");
	check_path(config->ca.file, "pki/ca.crt");
	assert_string_equal(config->certificate.file, "/etc/admin.crt");
	check_path(config->key.file, "admin.key");
	assert_null(config->ca.data);
	assert_null(config->token);
	assert_null(config->token_file);
	assert_false(config->insecure);
}

/* Inline wins over a file, as with kubectl. */
static void test_inline(void **state)
{
	_cleanup_config_ struct kube_config *config = load(
		CONFIG(SERVER "    certificate-authority: /ca.crt\n"
			      "    certificate-authority-data: Q0EK\n",
			"    client-certificate-data: Q0VSVAo=\n    client-key-data: S0VZCg==\n"),
		NULL);

	(void)state;
	assert_string_equal(config->ca.data, "CA\n");
	assert_null(config->ca.file);
	assert_string_equal(config->certificate.data, "CERT\n");
	assert_string_equal(config->key.data, "KEY\n");
}

static void test_token(void **state)
{
	_cleanup_config_ struct kube_config *config =
		load(CONFIG(SERVER "    insecure-skip-tls-verify: true\n", TOKEN), NULL);
	_cleanup_free_ char *token = NULL;

	(void)state;
	assert_true(config->insecure);
	assert_int_equal(kube_config_token(config, &token, NULL), 0);
	assert_string_equal(token, "secret");
}

static void test_no_credentials(void **state)
{
	_cleanup_config_ struct kube_config *config = load(CONFIG(SERVER, "    {}\n"), NULL);
	char *token = (char *)"unset";

	(void)state;
	assert_int_equal(kube_config_token(config, &token, NULL), 0);
	assert_null(token);
}

static void check_token(const struct kube_config *config, const char *wanted)
{
	_cleanup_free_ char *token = NULL;

	assert_int_equal(kube_config_token(config, &token, NULL), 0);
	assert_string_equal(token, wanted);
}

/* A token file wins over a token, and is read afresh each time. */
static void test_token_file(void **state)
{
	_cleanup_config_ struct kube_config *config =
		load(CONFIG(SERVER, TOKEN "    tokenFile: token\n"), NULL);
	struct error err = {0};
	char *token = NULL;

	(void)state;
	check_path(config->token_file, "token");
	assert_int_equal(kube_config_token(config, &token, &err), -1);
	assert_non_null(strstr(err.text, "/token: No such file"));
	free(write_file(folder, "token", "first\n"));
	check_token(config, "first");
	free(write_file(folder, "token", "second\r\n"));
	check_token(config, "second");
	free(write_file(folder, "token", "\n"));
	assert_int_equal(kube_config_token(config, &token, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.text, "is empty"));
	assert_null(token);
}

static void test_json(void **state)
{
	_cleanup_config_ struct kube_config *config = load(
		"{\"kind\": \"Config\", \"current-context\": \"main\", \"contexts\": [{\"name\":"
		" \"main\", \"context\": {\"cluster\": \"c\", \"user\": \"u\"}}], \"clusters\":"
		" [{\"name\": \"c\", \"cluster\": {\"server\": \"https:\\/\\/[::1]:6443\"}}],"
		" \"users\": [{\"name\": \"u\", \"user\": {\"token\": \"t\"}}]}",
		NULL);

	(void)state;
	assert_string_equal(config->server, "https://[::1]:6443");
	assert_string_equal(config->token, "t");
}

static void test_exec(void **state)
{
	_cleanup_config_ struct kube_config *config =
		load(CONFIG("    server: https://a\n    tls-server-name: b\n"
			    "    certificate-authority-data: Q0EK\n",
			     "    exec:\n      command: bin/login\n      apiVersion: " V1 "beta1\n"
			     "      args: [get, '', token]\n      env:\n"
			     "      - {name: A, value: b}\n      - {name: C, value: ''}\n"
			     "      installHint: get it\n      interactiveMode: IfAvailable\n"
			     "      provideClusterInfo: true\n"),
			NULL);

	(void)state;
	check_path(config->exec->command, "bin/login");
	assert_string_equal(config->exec->api_version, V1 "beta1");
	assert_int_equal(config->exec->args.count, 3);
	assert_string_equal(config->exec->args.items[1], "");
	assert_string_equal(config->exec->args.items[2], "token");
	assert_string_equal(string_map_get(&config->exec->env, "A"), "b");
	assert_string_equal(string_map_get(&config->exec->env, "C"), "");
	assert_string_equal(config->exec->install_hint, "get it");
	assert_string_equal(config->exec->cluster,
		"{\"server\":\"https:\\/\\/a\",\"tls-server-name\":\"b\","
		"\"certificate-authority-data\":\"Q0EK\"}");
}

/* A name without a slash is looked up in $PATH; the cluster is told only where that is wanted. */
static void test_exec_by_name(void **state)
{
	_cleanup_config_ struct kube_config *config = load(CONFIG(SERVER, EXEC("")), NULL);
	_cleanup_config_ struct kube_config *fixed = load(CONFIG(SERVER, TOKEN EXEC("")), NULL);

	(void)state;
	assert_string_equal(config->exec->command, "aws");
	assert_null(config->exec->cluster);
	/* What is fixed wins. */
	assert_string_equal(fixed->token, "secret");
	assert_null(fixed->exec);
}

static void test_namespace(void **state)
{
	_cleanup_config_ struct kube_config *none = load(CONFIG(SERVER, TOKEN), NULL);
	_cleanup_config_ struct kube_config *config =
		load("current-context: a\ncontexts:\n"
		     "- {name: a, context: {cluster: a, user: a, namespace: storage}}\n"
		     "clusters:\n- {name: a, cluster: {server: 'https://a'}}\n"
		     "users:\n- {name: a, user: {token: t}}\n",
			NULL);

	(void)state;
	assert_null(none->namespace);
	assert_string_equal(config->namespace, "storage");
}

/* Several files: the first that has something wins, and those that are missing are skipped. */
static void test_several_files(void **state)
{
	_cleanup_free_ char *contexts = write_file(folder, "contexts",
		"current-context: a\ncontexts:\n- {name: a, context: {cluster: a, user: a}}\n");
	_cleanup_free_ char *rest = NULL, *paths = NULL, *wrong = NULL;
	struct kube_config *config = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(mkdir_below(folder, "sub"), 0);
	rest = write_file(folder, "sub/rest",
		"current-context: b\ncontexts:\n- {name: a, context: {cluster: x, user: x}}\n"
		"clusters:\n- {name: a, cluster: {server: 'https://a', certificate-authority: ca}}\n"
		"users:\n- {name: a, user: {tokenFile: token}}\n");
	if (asprintf(&paths, "%s:/nowhere/config::%s", contexts, rest) < 0 ||
		asprintf(&wrong, "/nowhere/config:%s/none:", folder) < 0)
		abort();
	setenv("KUBECONFIG", paths, 1);
	if (kube_config_load(NULL, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(config->server, "https://a");
	check_path(config->ca.file, "sub/ca");
	check_path(config->token_file, "sub/token");
	kube_config_free(take_ptr(config));
	assert_int_equal(kube_config_load(wrong, &config, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_non_null(strstr(err.text, "none of these files is there"));
}

/* An alias is the same node once more; it costs nothing. */
static void test_aliases(void **state)
{
	_cleanup_config_ struct kube_config *config =
		load("current-context: &n main\ncontexts:\n- name: *n\n"
		     "  context: {cluster: *n, user: *n}\n"
		     "clusters:\n- {name: *n, cluster: {server: 'https://a'}}\n"
		     "users:\n- {name: *n, user: {token: *n}}\n",
			NULL);

	(void)state;
	assert_string_equal(config->token, "main");
}

static const struct {
	const char *name, *text, *says;
} refused[] = {
	{"empty", "", "there is no current-context"},
	{"no context chosen", "contexts: []\n", "there is no current-context"},
	{"a list", "- a\n- b\n", "there is no current-context"},
	{"context missing", "current-context: gone\n", "no entry \"gone\" in contexts"},
	{"contexts is a map", "current-context: a\ncontexts: {a: b}\n",
		"no entry \"a\" in contexts"},
	{"context without a cluster",
		"current-context: a\ncontexts:\n- name: a\n  context: {user: u}\n",
		"context \"a\" lacks a cluster or a user"},
	{"context without a user",
		"current-context: a\ncontexts:\n- name: a\n  context: {cluster: u}\n",
		"context \"a\" lacks a cluster or a user"},
	{"cluster missing",
		"current-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\n",
		"no entry \"c\" in clusters"},
	{"user missing",
		"current-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\n"
		"clusters:\n- {name: c, cluster: {server: 'https://a'}}\n",
		"no entry \"u\" in users"},
	{"no server", CONFIG("    {}\n", TOKEN), "the cluster has no server"},
	{"no scheme", CONFIG("    server: api:6443\n", TOKEN), "is not a http(s):// address"},
	{"ftp", CONFIG("    server: ftp://a\n", TOKEN), "is not a http(s):// address"},
	{"no host", CONFIG("    server: https://\n", TOKEN), "is not a http(s):// address"},
	{"only slashes", CONFIG("    server: http:///////\n", TOKEN),
		"is not a http(s):// address"},
	{"password in the address", CONFIG("    server: https://u:p@a\n", TOKEN),
		"a character that no address has"},
	{"line end in the address", CONFIG("    server: \"https://a\\r\\nX\"\n", TOKEN),
		"a character that no address has"},
	{"NUL in the address", CONFIG("    server: \"https://a\\0b\"\n", TOKEN), "has no server"},
	{"proxy", CONFIG(SERVER "    proxy-url: http://p\n", TOKEN), "proxy-url"},
	{"CA is no base64", CONFIG(SERVER "    certificate-authority-data: '%%'\n", TOKEN),
		"certificate-authority-data is not base64"},
	{"CA is no text", CONFIG(SERVER "    certificate-authority-data: AAAA\n", TOKEN),
		"certificate-authority-data is not base64"},
	{"key is no base64",
		CONFIG(SERVER, "    client-certificate: a\n    client-key-data: '*'\n"),
		"client-key-data is not base64"},
	{"key without certificate", CONFIG(SERVER, "    client-key: k\n"),
		"a client-key and no client-certificate"},
	{"certificate without key", CONFIG(SERVER, "    client-certificate-data: Q0VSVAo=\n"),
		"a client-certificate and no client-key"},
	{"exec without a command", CONFIG(SERVER, "    exec: {apiVersion: " V1 "}\n"),
		"exec: there is no command"},
	{"exec is a text", CONFIG(SERVER, "    exec: aws\n"), "exec: there is no command"},
	{"exec without a version", CONFIG(SERVER, "    exec: {command: aws}\n"),
		"exec: apiVersion \"\" is not supported"},
	{"exec of an old version",
		CONFIG(SERVER,
			"    exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1}\n"),
		"/v1alpha1\" is not supported"},
	{"exec that asks", CONFIG(SERVER, EXEC(", interactiveMode: Always")),
		"interactiveMode is Always, and nobody is here to ask"},
	{"exec that does what?", CONFIG(SERVER, EXEC(", interactiveMode: Maybe")),
		"interactiveMode \"Maybe\" is unknown"},
	{"exec args of a wrong type", CONFIG(SERVER, EXEC(", args: [a, [b]]")),
		"args[1] is not a text"},
	{"exec env without a name", CONFIG(SERVER, EXEC(", env: [{value: b}]")),
		"env[0] lacks a name or a value"},
	{"exec env with a strange name", CONFIG(SERVER, EXEC(", env: [{name: a=b, value: b}]")),
		"env[0] lacks a name or a value"},
	{"exec wants a CA that is not there",
		CONFIG(SERVER "    certificate-authority: gone\n",
			EXEC(", provideClusterInfo: true")),
		"certificate-authority /tmp/"},
	{"exec wants the cluster's extension",
		CONFIG(SERVER "    extensions: [{name: client.authentication.k8s.io/exec}]\n",
			EXEC(", provideClusterInfo: true")),
		"the cluster's extension"},
	{"auth-provider", CONFIG(SERVER, "    auth-provider: {name: gcp}\n"),
		"authenticates by \"auth-provider\""},
	{"password", CONFIG(SERVER, "    username: u\n    password: p\n"),
		"authenticates by \"username\""},
	{"impersonation", CONFIG(SERVER, TOKEN "    as: root\n"), "authenticates by \"as\""},
	{"groups", CONFIG(SERVER, TOKEN "    as-groups: [a]\n"), "authenticates by \"as-groups\""},
	{"not YAML", "a: [\nb: {", "line "},
	{"a tab", "a:\n\t- b\n", "line 2"},
	{"unknown alias", "a: *nothing\n", "line 1"},
	{"not UTF-8", "a: \xff\xfe\n", "config"},
	{"an alias of itself", "&a [*a, *a]\n", "there is no current-context"},
	{"a map that is its own key", "&a {? *a : *a}\n", "there is no current-context"},
	{"a context that holds itself",
		"current-context: a\ncontexts:\n- &x {name: a, context: *x}\n",
		"lacks a cluster or a user"},
	{"a billion laughs",
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
		"c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
		"e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
		"g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"
		"current-context: *h\n",
		"there is no current-context"},
};

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		_cleanup_config_ struct kube_config *config = NULL;
		struct error err = {0};

		config = load(refused[i].text, &err);
		assert_case(refused[i].name, !config && err.kind == ERROR_INVALID);
		if (!strstr(err.text, refused[i].says))
			assert_case_text(refused[i].name, err.text, refused[i].says);
		assert_case(refused[i].name, strstr(err.text, "kubeconfig /tmp/"));
	}
}

static void test_deep_nesting(void **state)
{
	char text[20001];

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_null(load(text, NULL));
}

static void test_where_it_is(void **state)
{
	_cleanup_free_ char *path = write_file(folder, "by-name", CONFIG(SERVER, TOKEN));
	struct kube_config *config = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(kube_config_load(NULL, &config, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_non_null(strstr(err.text, "use --kubeconfig=FILE"));
	setenv("KUBECONFIG", path, 1);
	assert_int_equal(kube_config_load(NULL, &config, &err), 0);
	kube_config_free(take_ptr(config));
	assert_int_equal(kube_config_load("", &config, &err), 0);
	kube_config_free(take_ptr(config));
	assert_int_equal(kube_config_load("/nowhere/config", &config, &err), -1);
	assert_int_equal(err.kind, ERROR_NOT_FOUND);
	assert_string_equal(err.text, "kubeconfig /nowhere/config: No such file or directory");
	assert_int_equal(kube_config_load(folder, &config, &err), -1);
}

static void test_context(void **state)
{
	_cleanup_free_ char *path = write_file(folder, "config",
		"current-context: a\ncontexts:\n- {name: a, context: {cluster: a, user: u}}\n"
		"- {name: b, context: {cluster: b, user: u, namespace: n}}\n"
		"clusters:\n- {name: a, cluster: {server: 'https://a'}}\n"
		"- {name: b, cluster: {server: 'https://b'}}\nusers:\n- {name: u, user: {}}\n");
	struct kube_config *config = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(kube_config_load_context(path, "b", &config, &err), 0);
	assert_string_equal(config->server, "https://b");
	assert_string_equal(config->namespace, "n");
	kube_config_free(take_ptr(config));
	assert_int_equal(kube_config_load_context(path, NULL, &config, &err), 0);
	assert_string_equal(config->server, "https://a");
	kube_config_free(take_ptr(config));
	assert_int_equal(kube_config_load_context(path, "c", &config, &err), -1);
	assert_non_null(strstr(err.text, "there is no entry \"c\" in contexts"));
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	assert_int_equal(kube_config_load_context(NULL, "b", &config, &err), -1);
	assert_non_null(strstr(err.text, "there is no context \"b\": inside a pod"));
}

static void test_in_cluster(void **state)
{
	struct kube_config *config = NULL;
	struct error err = {0};

	(void)state;
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	assert_int_equal(kube_config_load(NULL, &config, &err), -1);
	assert_int_equal(err.kind, ERROR_INVALID);
	assert_non_null(strstr(err.text, "KUBERNETES_SERVICE_PORT is not"));
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(kube_config_in_cluster(folder, &config, &err), -1);
	assert_non_null(strstr(err.text, "/token: No such file"));
	free(write_file(folder, "token", "t\n"));
	assert_int_equal(kube_config_in_cluster(folder, &config, &err), 0);
	assert_string_equal(config->server, "https://[fd00::1]:443");
	check_path(config->ca.file, "ca.crt");
	assert_null(config->namespace);
	check_token(config, "t");
	kube_config_free(take_ptr(config));
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	free(write_file(folder, "namespace", "kube-system"));
	assert_int_equal(kube_config_in_cluster(folder, &config, &err), 0);
	assert_string_equal(config->server, "https://10.96.0.1:443");
	assert_string_equal(config->namespace, "kube-system");
	kube_config_free(config);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_inline),
		TEST(test_token),
		TEST(test_no_credentials),
		TEST(test_token_file),
		TEST(test_json),
		TEST(test_exec),
		TEST(test_exec_by_name),
		TEST(test_namespace),
		TEST(test_several_files),
		TEST(test_aliases),
		TEST(test_refuses),
		TEST(test_deep_nesting),
		TEST(test_where_it_is),
		TEST(test_context),
		TEST(test_in_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
