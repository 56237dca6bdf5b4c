/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_credential.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "http_server.h"
#include "rest_client.h"
#include "testing.h"

#define V1            "client.authentication.k8s.io/v1"
#define PRINT(status) "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"," status "}'\n"
#define TOKEN         "\"status\":{\"token\":\"secret\"}"

static char *folder;

static int set_up(void **state)
{
	(void)state;
	folder = make_folder();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_folder(take_ptr(folder));
	return 0;
}

/* A program of these lines of shell. Caller frees. */
static char *write_program(const char *lines)
{
	_cleanup_free_ char *text = NULL;
	char *path;

	if (asprintf(&text, "#!/bin/sh\ncd %s\n%s", folder, lines) < 0)
		abort();
	path = write_file(folder, "program", text);
	if (chmod(path, 0700) < 0)
		abort();
	return path;
}

static int run_lines(const char *lines, struct exec_credential *credential, struct error *err)
{
	_cleanup_free_ char *path = write_program(lines);
	struct exec_plugin plugin = {.api_version = (char *)V1, .command = path};

	return exec_credential_run(&plugin, credential, err);
}

/* What a program prints, and what is made of it: "token certificate key expires". */
static const struct {
	const char *name, *lines, *made;
} good[] = {
	{"token", PRINT(TOKEN), "secret - - 0"},
	{"expires",
		PRINT("\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"1970-01-02T00:00:01Z\"}"),
		"t - - 86401"},
	{"expires, with a fraction",
		PRINT("\"status\":{\"token\":\"t\",\"expirationTimestamp\":"
		      "\"1970-01-02T00:00:01.25Z\"}"),
		"t - - 86401"},
	{"expires, elsewhere",
		PRINT("\"status\":{\"token\":\"t\",\"expirationTimestamp\":"
		      "\"1970-01-02T02:30:00+02:30\"}"),
		"t - - 86400"},
	{"expires, in the west",
		PRINT("\"status\":{\"token\":\"t\",\"expirationTimestamp\":"
		      "\"1970-01-01T22:00:00-02:00\"}"),
		"t - - 86400"},
	{"certificate",
		PRINT("\"status\":{\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\"}"),
		"- c k 0"},
	{"both",
		PRINT("\"status\":{\"token\":\"t\",\"clientCertificateData\":\"c\","
		      "\"clientKeyData\":\"k\"}"),
		"t c k 0"},
	{"chatty", "echo hello >&2\n" PRINT(TOKEN), "secret - - 0"},
	{"in pieces",
		"printf '{\"kind\":'; sleep 0.1\nprintf '\"ExecCredential\",'\n"
		"echo '\"apiVersion\":\"" V1 "\"," TOKEN "}'\n",
		"secret - - 0"},
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct exec_credential made = {.token = NULL};
		struct error err = {0};
		char text[128];

		if (run_lines(good[i].lines, &made, &err) < 0)
			fail_msg("%s: %s", good[i].name, err.text);
		snprintf(text, sizeof(text), "%s %s %s %lld", made.token ? made.token : "-",
			made.certificate ? made.certificate : "-", made.key ? made.key : "-",
			(long long)made.expires);
		assert_case_text(good[i].name, text, good[i].made);
		exec_credential_done(&made);
	}
}

/* What it leaves running, with its pipes open, is not waited for. */
static void test_leaves_something(void **state)
{
	struct exec_credential made = {.token = NULL};
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	int pid = 0;

	(void)state;
	assert_int_equal(run_lines("sleep 1000 & echo $! >pid\n" PRINT(TOKEN), &made, NULL), 0);
	exec_credential_done(&made);
	if (asprintf(&path, "%s/pid", folder) < 0)
		abort();
	file = fopen(path, "re");
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static const struct {
	const char *name, *lines;
	enum error_kind kind;
	const char *says;
} bad[] = {
	{"fails", "echo log in first >&2; exit 3\n", ERROR_UNAVAILABLE,
		"it failed with exit code 3: log in first"},
	{"fails without a word", "exit 1\n", ERROR_UNAVAILABLE, "exit code 1: it said nothing"},
	{"prints and fails", PRINT(TOKEN) "exit 1\n", ERROR_UNAVAILABLE, "exit code 1"},
	{"is killed", "kill -9 $$\n", ERROR_UNAVAILABLE, "it ended by signal 9"},
	{"prints nothing", "true\n", ERROR_INVALID, "did not print an ExecCredential"},
	{"prints a token", "echo secret\n", ERROR_INVALID, "did not print an ExecCredential"},
	{"prints half", "printf '{\"kind\":\"ExecCredential\"'\n", ERROR_INVALID,
		"did not print an ExecCredential"},
	{"prints another kind", "echo '{\"kind\":\"Secret\"}'\n", ERROR_INVALID,
		"did not print an ExecCredential"},
	{"another version",
		"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "beta1\"," TOKEN "}'\n",
		ERROR_INVALID, "an ExecCredential of " V1 "beta1, where the kubeconfig says " V1},
	{"no status", PRINT("\"spec\":{}"), ERROR_INVALID,
		"neither a token nor a client certificate"},
	{"a token of a wrong type", PRINT("\"status\":{\"token\":7}"), ERROR_INVALID,
		"neither a token nor a client certificate"},
	{"an empty token", PRINT("\"status\":{\"token\":\"\"}"), ERROR_INVALID,
		"neither a token nor a client certificate"},
	{"a token with a line end", PRINT("\"status\":{\"token\":\"a\\u000ab\"}"), ERROR_INVALID,
		"its token holds a line end"},
	{"a certificate without its key", PRINT("\"status\":{\"clientCertificateData\":\"c\"}"),
		ERROR_INVALID, "without the other"},
	{"a time that is none",
		PRINT("\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"soon\"}"),
		ERROR_INVALID, "its expirationTimestamp \"soon\" is not a time"},
	{"prints for ever",
		"while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n",
		ERROR_INVALID, "it printed more than 1048576 bytes"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct exec_credential made = {.token = NULL};
		struct error err = {0};

		assert_case(bad[i].name, run_lines(bad[i].lines, &made, &err) == -1);
		if (!strstr(err.text, bad[i].says))
			assert_case_text(bad[i].name, err.text, bad[i].says);
		assert_case(bad[i].name, err.kind == bad[i].kind && !made.token);
		assert_case(bad[i].name, strstr(err.text, "credential plug-in /tmp/"));
	}
}

/* Its standard error is quoted, but not all of it. */
static void test_long_complaint(void **state)
{
	struct exec_credential made;
	struct error err = {0};

	(void)state;
	assert_int_equal(run_lines("i=0; while [ $i -lt 3000 ]; do echo complaint $i >&2;"
				   " i=$((i+1)); done; exit 1\n",
				 &made, &err),
		-1);
	assert_non_null(strstr(err.text, "complaint 0 complaint 1 "));
	assert_null(strstr(err.text, "complaint 2999"));
}

static void test_missing(void **state)
{
	struct exec_plugin plugin = {.api_version = (char *)V1,
		.command = (char *)"ordinal-no-such-program",
		.install_hint = (char *)"see the manual"};
	struct exec_credential made;
	struct error err = {0};

	(void)state;
	assert_int_equal(exec_credential_run(&plugin, &made, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_string_equal(err.text, "credential plug-in ordinal-no-such-program: No such file or"
				      " directory: see the manual");
}

/* It hangs, and so does what it started: all of it ends. */
static void test_hangs(void **state)
{
	_cleanup_free_ char *path = write_program("echo waiting >&2; sleep 1000\n");
	struct exec_plugin plugin = {.api_version = (char *)V1, .command = path, .timeout_ms = 300};
	struct exec_credential made;
	struct error err = {0};

	(void)state;
	assert_int_equal(exec_credential_run(&plugin, &made, &err), -1);
	assert_int_equal(err.kind, ERROR_TIMEOUT);
	assert_non_null(strstr(err.text, "it did not end within 0.3 s"));
}

/* What it is given: arguments, variables in place of ours, nothing to read. */
static void test_what_it_gets(void **state)
{
	_cleanup_free_ char *path = write_program(
		"[ \"$1.$2.$3\" = 'a b..c' ] || exit 1\n"
		"[ \"$ORDINAL_A.$ORDINAL_B.$ORDINAL_C\" = 'new.kept.' ] || exit 2\n"
		"[ -z \"$(cat)\" ] || exit 3\n"
		"[ \"$KUBERNETES_EXEC_INFO\" = '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
		"\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":\"s\"}}}' ] || exit 4\n" PRINT(
			TOKEN));
	char *args[] = {(char *)"a b", (char *)"", (char *)"c"};
	struct string_pair env[] = {{(char *)"ORDINAL_A", (char *)"new"}};
	struct exec_plugin plugin = {.api_version = (char *)V1,
		.command = path,
		.args = {args, 3},
		.env = {env, 1},
		.cluster = (char *)"{\"server\":\"s\"}"};
	struct exec_credential made;
	struct error err = {0};

	(void)state;
	setenv("ORDINAL_A", "old", 1);
	setenv("ORDINAL_B", "kept", 1);
	setenv("KUBERNETES_EXEC_INFO", "old", 1);
	if (exec_credential_run(&plugin, &made, &err) < 0)
		fail_msg("%s", err.text);
	exec_credential_done(&made);
}

/* How a client uses one. Each run counts itself: the token is its number. */
#define COUNT "n=$(($(cat n 2>/dev/null)+1)); echo $n >n\n"
#define PRINT_COUNT(more)                                                                          \
	COUNT "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{" more     \
	      "\"token\":\"'$n'\"}}'\n"

struct fixture {
	struct http_server *server;
	struct exec_plugin plugin;
	struct kube_config config;
	struct rest_client *client;
	struct error err;
};

static void begin(
	struct fixture *fixture, const char *lines, const struct http_step *steps, size_t count)
{
	*fixture = (struct fixture){.server = http_server_start(steps, count),
		.plugin = {.api_version = (char *)V1, .command = write_program(lines)}};
	fixture->config = (struct kube_config){
		.server = (char *)http_server_url(fixture->server), .exec = &fixture->plugin};
	fixture->client = rest_client_new(&fixture->config);
}

static void end(struct fixture *fixture)
{
	rest_client_free(fixture->client);
	http_server_stop(fixture->server);
	free(fixture->plugin.command);
}

static int get(struct fixture *fixture)
{
	struct kube_api api = rest_client_api(fixture->client);
	struct rest_request request = {.method = "GET", .path = "/x"};

	return api.call(api.self, &request, NULL, &fixture->err);
}

static void check_bearer(struct fixture *fixture, size_t index, const char *token)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "\r\nAuthorization: Bearer %s\r\n", token);
	assert_non_null(strstr(http_server_seen(fixture->server, index), wanted));
}

/* Run once for many requests, and again when the token is refused. */
static void test_client(void **state)
{
	static const struct http_step steps[] = {{"", 0, NULL, "{}", 0, 0, 0},
		{"", 0, NULL, "{}", 0, 0, 0}, {"", 401, NULL, "{}", 0, 0, 0},
		{"", 0, NULL, "{}", 0, 0, true}};
	static const char *const tokens[] = {"1", "1", "1", "2", "2"};
	struct fixture fixture;

	(void)state;
	begin(&fixture, PRINT_COUNT("\"expirationTimestamp\":\"2999-01-01T00:00:00Z\","), steps,
		ARRAY_SIZE(steps));
	for (int i = 0; i < 4; i++)
		assert_int_equal(get(&fixture), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		check_bearer(&fixture, i, tokens[i]);
	end(&fixture);
}

/* The server remembers so many requests: not one each moment. */
static bool has_second_token(void *context)
{
	const struct timespec pause = {0, 100000000};
	struct fixture *fixture = context;

	nanosleep(&pause, NULL);
	assert_int_equal(get(fixture), 0);
	return strstr(http_server_seen(fixture->server, http_server_requests(fixture->server) - 1),
		"Bearer 2\r\n");
}

/* One that has expired is used for some seconds, lest the program runs for each request. */
static void test_expiry(void **state)
{
	static const struct http_step steps[] = {{"", 0, NULL, "{}", 0, 0, true}};
	struct fixture fixture;

	(void)state;
	begin(&fixture, PRINT_COUNT("\"expirationTimestamp\":\"2001-01-01T00:00:00Z\","), steps, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(&fixture), 0);
	check_bearer(&fixture, 0, "1");
	check_bearer(&fixture, 2, "1");
	assert_true(wait_until(has_second_token, &fixture));
	end(&fixture);
}

/* One that fails is not run again at once, and its failure is the request's. */
static void test_client_without(void **state)
{
	struct fixture fixture;
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	int runs = 0;

	(void)state;
	begin(&fixture, COUNT "echo no network >&2; exit 1\n", NULL, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(&fixture), -1);
		assert_int_equal(fixture.err.kind, ERROR_UNAVAILABLE);
		assert_non_null(strstr(fixture.err.text, "GET /x: credential plug-in /tmp/"));
		assert_non_null(strstr(fixture.err.text, "no network"));
	}
	assert_int_equal(http_server_requests(fixture.server), 0);
	if (asprintf(&path, "%s/n", folder) < 0)
		abort();
	file = fopen(path, "re");
	assert_int_equal(fscanf(file, "%d", &runs), 1);
	assert_int_equal(runs, 1);
	end(&fixture);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_leaves_something),
		TEST(test_bad),
		TEST(test_long_complaint),
		TEST(test_missing),
		TEST(test_hangs),
		TEST(test_what_it_gets),
		TEST(test_client),
		TEST(test_expiry),
		TEST(test_client_without),
	};
	int failed;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return failed;
}
