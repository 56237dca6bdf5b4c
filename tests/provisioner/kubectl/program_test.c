/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program itself, by its command line, against an API server over HTTP: what it prints, what it
 * asks for, and its exit code.
 */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "api_server.h"
#include "kubectl.h"
#include "testing.h"

#define WORDS_MAX 16
#define TOKEN     "let-me-in"
#define SOON      "2026-11-21T09:32:07Z"

extern char **environ;

/* One cluster, and what the last run of the program came to. */
struct fixture {
	struct api_objects *objects;
	struct api_server *server;
	char *folder, *kubeconfig;
	bool no_stats;  /* kubelet does not answer */
	char *archives; /* what the provisioner answers, ' for "; NULL: that it serves none */
	char *deleted;  /* the query of the last DELETE */
	int code;
	char *out, *err;
};

static struct api_answer json_answer(const char *text)
{
	struct json_object *json = json_of(text);
	struct api_answer answer = {.code = 200, .text = api_text_of(json)};

	json_object_put(json);
	return answer;
}

static struct api_answer serve_archives(struct fixture *fixture, const struct api_request *request)
{
	if (!fixture->archives)
		return api_answer_plain(404, "Not Found");
	if (strcmp(request->token, TOKEN))
		return api_answer_failure(401, "Unauthorized", NULL, NULL, "wrong token");
	if (!strcmp(request->method, "GET"))
		return json_answer(fixture->archives);
	free(fixture->deleted);
	fixture->deleted = strdup(request->query);
	return (struct api_answer){.code = 204, .text = api_text_new("", 0), .plain = true};
}

static struct api_answer serve_proxy(void *context, const struct api_request *request)
{
	struct fixture *fixture = context;

	if (!strcmp(request->path, "/api/v1/nodes/n1/proxy/stats/summary") && !fixture->no_stats)
		return json_answer("{'pods': [{'volume': [{'usedBytes': 1536, 'pvcRef': {'name': "
				   "'data-web-0', 'namespace': 'shop'}}]}]}");
	if (!strcmp(request->path,
		    "/api/v1/namespaces/ordinal-system/pods/leader:9809/proxy/archives"))
		return serve_archives(fixture, request);
	return api_answer_plain(503, "no endpoints available");
}

static void make_driver(struct api_objects *objects)
{
	static const char *const pods[] = {"standby", "leader"};

	kubectl_create(objects, "nodes",
		"{'metadata': {'name': 'n1'}, 'status': {'conditions': [{'type': 'Ready', "
		"'status': 'True'}]}}");
	kubectl_create(objects, "csidrivers",
		"{'metadata': {'name': 'hostpath.ordinal.dev'}, 'spec': {'attachRequired': "
		"false}}");
	kubectl_create(objects, "csinodes",
		"{'metadata': {'name': 'n1'}, 'spec': {'drivers': [{'name': "
		"'hostpath.ordinal.dev'}]}}");
	kubectl_create(objects, "storageclasses",
		"{'metadata': {'name': 'kept'}, 'provisioner': 'hostpath.ordinal.dev'}");
	for (size_t i = 0; i < ARRAY_SIZE(pods); i++)
		kubectl_create(objects, "pods",
			"{'metadata': {'namespace': 'ordinal-system', 'name': '%s'}, 'spec': "
			"{'nodeName': 'n1', 'containers': [{'name': 'driver', 'command': "
			"['/usr/bin/ordinal-csi'], 'args': ['--kubelet-registration-path=/x']}, "
			"{'name': 'provisioner', 'command': ['/usr/bin/ordinal-provisioner'], "
			"'args': ['--leader-election', '--http-endpoint=:9809']}]}, 'status': "
			"{'phase': 'Running', 'containerStatuses': [{'name': 'driver', 'ready': "
			"true, 'state': {'running': {}}}]}}",
			pods[i]);
	kubectl_create(objects, "leases",
		"{'metadata': {'namespace': 'ordinal-system', 'name': 'hostpath-ordinal-dev'}, "
		"'spec': {'holderIdentity': 'leader_1', 'leaseDurationSeconds': 15, 'renewTime': "
		"'2126-11-21T09:32:07Z'}}");
}

static void make_set(struct api_objects *objects)
{
	kubectl_create(objects, "statefulsets",
		"{'metadata': {'namespace': 'shop', 'name': 'web'}, 'spec': {'replicas': 2, "
		"'selector': {'matchLabels': {'app': 'web'}}, 'volumeClaimTemplates': "
		"[{'metadata': {'name': 'data'}, 'spec': {'accessModes': ['ReadWriteOnce'], "
		"'storageClassName': 'kept', 'resources': {'requests': {'storage': '1Gi'}}}}]}}");
	kubectl_create(objects, "pods",
		"{'metadata': {'namespace': 'shop', 'name': 'web-0'}, 'spec': {'nodeName': 'n1'}, "
		"'status': {'conditions': [{'type': 'Ready', 'status': 'True'}]}}");
	kubectl_create(objects, "persistentvolumeclaims",
		"{'metadata': {'namespace': 'shop', 'name': 'data-web-0'}, 'spec': "
		"{'storageClassName': 'kept', 'volumeName': 'pvc-1'}, 'status': {'phase': "
		"'Bound'}}");
	kubectl_create(objects, "persistentvolumes",
		"{'metadata': {'name': 'pvc-1'}, 'spec': {'capacity': {'storage': '1Gi'}, "
		"'claimRef': {'namespace': 'shop', 'name': 'data-web-0'}, 'csi': {'driver': "
		"'hostpath.ordinal.dev', 'volumeHandle': 'h', 'volumeAttributes': "
		"{'ordinal.dev/path': '/d/shop/\\u001b[31mweb'}}, 'nodeAffinity': {'required': "
		"{'nodeSelectorTerms': [{'matchExpressions': [{'key': "
		"'topology.hostpath.ordinal.dev/node', 'operator': 'In', 'values': ['n1']}]}]}}}, "
		"'status': {'phase': 'Bound'}}");
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct api_server_options options = {.proxy = serve_proxy, .context = fixture};

	fixture->folder = make_folder();
	fixture->objects = api_objects_new(NULL);
	fixture->server = api_server_start(fixture->objects, &options);
	fixture->kubeconfig = api_server_kubeconfig(fixture->server, fixture->folder, "config");
	fixture->archives = strdup(
		"{'archives': [{'id': '1:a&b', 'volume': 'pvc-7', 'size': 2147483648, 'created': "
		"'" SOON "', 'ready': true, 'namespace': 'shop', 'statefulset': 'web', 'template': "
		"'data', 'ordinal': 1, 'path': '/d/.ordinal/archive/x'}, {'id': '1:c', 'size': 5, "
		"'ready': false}, {'size': 3}, 7]}");
	make_driver(fixture->objects);
	make_set(fixture->objects);
	setenv("ORDINAL_TOKEN", TOKEN, 1);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	api_server_stop(fixture->server);
	api_objects_free(fixture->objects);
	remove_folder(fixture->folder);
	free(fixture->kubeconfig);
	free(fixture->archives);
	free(fixture->deleted);
	free(fixture->out);
	free(fixture->err);
	free(fixture);
	return 0;
}

static char *read_file(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file || getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		return strdup("");
	}
	return text;
}

static pid_t start(const char *out, const char *err, char *const *argv)
{
	const char *build = getenv("BUILD");
	posix_spawn_file_actions_t actions;
	char path[256];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/kubectl-ordinal", build ? build : "build");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (posix_spawn(&pid, path, &actions, NULL, argv, environ))
		fail_msg("%s cannot be started", path);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* Run the program with the words of LINE; what it prints is in the fixture. */
static void run(struct fixture *fixture, const char *line)
{
	_cleanup_free_ char *words = strdup(line), *out = NULL, *err = NULL;
	char *argv[WORDS_MAX + 4] = {
		(char *)"kubectl-ordinal", (char *)"--kubeconfig", fixture->kubeconfig};
	int argc = 3, status;
	char *saved;

	for (char *at = strtok_r(words, " ", &saved); at && argc < WORDS_MAX + 3;
		at = strtok_r(NULL, " ", &saved))
		argv[argc++] = at;
	if (asprintf(&out, "%s/out", fixture->folder) < 0 ||
		asprintf(&err, "%s/err", fixture->folder) < 0)
		abort();
	assert_int_equal(waitpid(start(out, err, argv), &status, 0) > 0, 1);
	free(fixture->out);
	free(fixture->err);
	fixture->out = read_file(out);
	fixture->err = read_file(err);
	fixture->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It exits with CODE, and OUT and ERR are in what it prints. */
static void check(
	struct fixture *fixture, const char *line, int code, const char *out, const char *err)
{
	run(fixture, line);
	if (fixture->code != code || !strstr(fixture->out, out) || !strstr(fixture->err, err))
		fail_msg("%s: exit code %d\n%s%s", line, fixture->code, fixture->out, fixture->err);
}

static void test_get(void **state)
{
	struct fixture *fixture = *state;

	check(fixture, "get -n shop", 0,
		"SET   ORDINAL   POD     NODE   CLAIM        VOLUME   ON   PATH                "
		"  SIZE   USED    STATE\n"
		"web   0         web-0   n1     data-web-0   pvc-1    n1   "
		"/d/shop/\\x1b[31mweb   1Gi    1.5Ki   Ready\n"
		"web   1         -       -      -            -        -    -                   "
		"  -      -       Missing\n",
		"");
	check(fixture, "get -A", 0, "NAMESPACE   SET   ORDINAL", "");
	check(fixture, "get web -n shop -o json", 0, "\"usedBytes\": 1536", "");
	assert_non_null(strstr(fixture->out, "\"path\": \"/d/shop/\\u001b[31mweb\""));
	check(fixture, "get", 0, "", "No StatefulSet with volumeClaimTemplates found.");
	check(fixture, "get other -n shop", 1, "",
		"there is no StatefulSet \"other\" in namespace shop");
	fixture->no_stats = true;
	check(fixture, "get web -n shop", 0, "1Gi    -      Ready\n", "no used space of node n1: ");
}

static void test_get_json(void **state)
{
	struct fixture *fixture = *state;
	struct json_object *json, *replicas, *first;

	run(fixture, "get -n shop -o json");
	json = json_tokener_parse(fixture->out);
	replicas = json_member(json, "replicas", json_type_array);
	first = json_object_array_get_idx(replicas, 0);
	assert_int_equal(json_object_array_length(replicas), 2);
	assert_string_equal(json_string(first, "claim"), "data-web-0");
	assert_string_equal(json_string(first, "node"), "n1");
	assert_string_equal(json_string(first, "state"), "Ready");
	json_object_put(json);
	run(fixture, "get -n default -o json");
	json = json_tokener_parse(fixture->out);
	assert_int_equal(
		json_object_array_length(json_member(json, "replicas", json_type_array)), 0);
	json_object_put(json);
}

static void test_doctor(void **state)
{
	struct fixture *fixture = *state;

	check(fixture, "doctor", 0, "ok     StorageClasses: 1 looked at\n", "");
	assert_null(strstr(fixture->out, "FAIL"));
	check(fixture, "doctor -o json", 0, "\"healthy\": true", "");
	kubectl_create(fixture->objects, "storageclasses",
		"{'metadata': {'name': 'fast'}, 'provisioner': 'hostpath.ordinal.dev', "
		"'parameters': {'onDelet\\u001b': 'x'}}");
	check(fixture, "doctor", 1,
		"FAIL   StorageClass/fast: unknown parameter \"onDelet\\x1b\": no claim of this "
		"class gets a volume\n       -> a class cannot be changed",
		"");
	check(fixture, "doctor -o json", 1, "\"object\": \"StorageClass/fast\"", "");
	check(fixture, "doctor --provisioner-namespace nowhere", 1,
		"no pod of Ordinal in namespace nowhere", "");
}

static void test_archive_list(void **state)
{
	struct fixture *fixture = *state;

	check(fixture, "archive list", 0, "1:a&b   shop        web   1         data       2Gi", "");
	assert_non_null(strstr(fixture->out, "NotReady"));
	check(fixture, "archive list -n shop -o json", 0, "\"id\": \"1:a&b\"", "");
	assert_null(strstr(fixture->out, "1:c"));
	unsetenv("ORDINAL_TOKEN");
	check(fixture, "archive list", 1, "", "the archives need a token: give --token-file");
	setenv("ORDINAL_TOKEN", "wrong", 1);
	check(fixture, "archive list", 1, "", "wrong token");
	assert_null(strstr(fixture->err, "the archives need a token"));
	setenv("ORDINAL_TOKEN", "a b", 1);
	check(fixture, "archive list", 1, "", "ORDINAL_TOKEN: what is there is no token");
	free(write_file(fixture->folder, "token", TOKEN "\n"));
	{
		_cleanup_free_ char *line = NULL;

		if (asprintf(&line, "archive list --token-file %s/token", fixture->folder) < 0)
			abort();
		check(fixture, line, 0, "1:a&b", "");
	}
	setenv("ORDINAL_TOKEN", TOKEN, 1);
	free(take_ptr(fixture->archives));
	check(fixture, "archive list", 1, "",
		"the provisioner in pod leader serves no archives: it needs the argument "
		"--archives\n");
	kubectl_delete(fixture->objects, "pods", "ordinal-system/leader");
	kubectl_delete(fixture->objects, "pods", "ordinal-system/standby");
	check(fixture, "archive list", 1, "", "no provisioner of Ordinal runs in namespace");
}

static void test_archive_restore(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *from = NULL, *class = NULL, *size = NULL;
	struct json_object *claim;

	check(fixture, "archive restore 1:a&b", 0,
		"persistentvolumeclaim/data-web-1 created in namespace shop, class kept\n", "");
	claim = kubectl_get(fixture->objects, "persistentvolumeclaims", "shop/data-web-1");
	assert_non_null(claim);
	assert_non_null(
		strstr(json_object_to_json_string_ext(claim, JSON_C_TO_STRING_NOSLASHESCAPE),
			"\"ordinal.dev/restore-from\":\"1:a&b\""));
	json_object_put(claim);
	size = kubectl_text(fixture->objects, "persistentvolumeclaims", "shop/data-web-1",
		"spec.resources.requests.storage");
	assert_string_equal(size, "2Gi");
	check(fixture, "archive restore 1:a&b", 1, "", "claim shop/data-web-1 exists");
	check(fixture, "archive restore 1:a&b --claim again --class other", 0, "class other", "");
	class = kubectl_text(
		fixture->objects, "persistentvolumeclaims", "shop/again", "spec.storageClassName");
	assert_string_equal(class, "other");
	check(fixture, "archive restore 1:c", 1, "", "the archive is not ready yet");
	check(fixture, "archive restore none", 1, "", "there is no archive \"none\"");
	check(fixture, "archive restore 1:a&b --claim third -o json", 0, "\"name\": \"third\"", "");
}

static void test_archive_rm(void **state)
{
	struct fixture *fixture = *state;

	check(fixture, "archive rm 1:a&b", 1, "", "give --yes to delete the archive for ever");
	assert_null(fixture->deleted);
	check(fixture, "archive rm none --yes", 1, "", "there is no archive \"none\"");
	assert_null(fixture->deleted);
	check(fixture, "archive rm 1:a&b --yes", 0, "archive 1:a&b deleted\n", "");
	assert_string_equal(fixture->deleted, "id=1%3Aa%26b");
}

static void test_no_server(void **state)
{
	struct fixture *fixture = *state;

	check(fixture, "get --frob", 2, "", "unknown flag --frob");
	check(fixture, "completion bash", 2, "", "--kubeconfig is no flag of \"completion\"");
	check(fixture, "get --context none", 1, "", "there is no entry \"none\" in contexts");
	api_server_pause(fixture->server, true);
	check(fixture, "get", 1, "", "kubectl-ordinal: GET /apis/apps/v1/namespaces/default/");
	check(fixture, "doctor", 1, "", "kubectl-ordinal: GET /apis/storage.k8s.io/");
	api_server_pause(fixture->server, false);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_get_json),
		TEST(test_doctor),
		TEST(test_archive_list),
		TEST(test_archive_restore),
		TEST(test_archive_rm),
		TEST(test_no_server),
	};

	unsetenv("KUBECONFIG");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
