/* SPDX-License-Identifier: Apache-2.0 */
#include "api_server.h"

#include <string.h>
#include <time.h>

#include "api_faults.h"
#include "kubectl.h"
#include "reflector.h"
#include "testing.h"

#define VOLUMES "/api/v1/persistentvolumes"
#define CLAIMS  "/api/v1/namespaces/default/persistentvolumeclaims"
#define MERGE   "application/merge-patch+json"
#define SMART   "application/strategic-merge-patch+json"

/* A server with faults from a list, and the provisioner's own client of it. */
struct fixture {
	struct api_objects *objects;
	struct api_server *server;
	struct kube_config config;
	struct rest_client *client;
	struct kube_api api;
	struct api_fault fault; /* of every request that the next two say */
	const char *method, *wanted;
	bool applied;
	size_t nth, event;
};

static struct api_fault decide(void *context, const struct api_request *request, bool applied)
{
	const struct fixture *fixture = context;

	if (!fixture->method || strcmp(fixture->method, request->method) != 0 ||
		request->nth != fixture->nth || applied != fixture->applied ||
		request->event != fixture->event || !strstr(request->path, fixture->wanted))
		return (struct api_fault){0};
	return fixture->fault;
}

static void begin_with(struct fixture *fixture, const struct api_objects_options *stored,
	struct api_server_options options)
{
	options.decide = decide;
	options.context = fixture;
	fixture->objects = api_objects_new(stored);
	fixture->server = api_server_start(fixture->objects, &options);
	fixture->config = (struct kube_config){.server = (char *)api_server_url(fixture->server)};
	fixture->client = rest_client_new(&fixture->config);
	fixture->api = rest_client_api(fixture->client);
}

static void begin(struct fixture *fixture)
{
	const struct api_objects_options stored = {.no_protection = true};

	begin_with(fixture, &stored, (struct api_server_options){.bookmark_ms = 1});
}

static void end(struct fixture *fixture)
{
	rest_client_free(fixture->client);
	api_server_stop(fixture->server);
	api_objects_free(fixture->objects);
}

/* "OK", and the answer's TEXT; or the error's kind and text. */
static char *ask(struct fixture *fixture, const char *method, const char *path, const char *type,
	const char *body)
{
	struct rest_request request = {.method = method,
		.path = path,
		.content_type = type,
		.body = body ? json_of(body) : NULL};
	struct json_object *answer = NULL;
	struct error err;
	char *text;
	int result = fixture->api.call(fixture->api.self, &request, &answer, &err);

	if ((result < 0 ? asprintf(&text, "%s %s", error_kind_name(err.kind), err.text)
			: asprintf(&text, "OK %s",
				  json_object_to_json_string_ext(
					  answer, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE))) < 0)
		abort();
	json_object_put(request.body);
	json_object_put(answer);
	return text;
}

/* Each row is asked in its order; the answer contains ANSWER. @ in a body is the UID of the
 * object that the first row made, # its version. */
static const struct {
	const char *name, *method, *path, *type, *body, *answer;
} requests[] = {
	{"create", "POST", VOLUMES, NULL,
		"{'kind': 'PersistentVolume', 'metadata': {'name': 'a', 'finalizers': ['x/y']}, "
		"'spec': {'capacity': {'storage': '1Gi'}}, 'status': {'phase': 'Bound'}}",
		"\"status\":{\"phase\":\"Pending\"}"},
	{"again", "POST", VOLUMES, NULL, "{'metadata': {'name': 'a'}}",
		"ALREADY_EXISTS POST " VOLUMES ": persistentvolumes \"a\" already exists"},
	{"bad name", "POST", VOLUMES, NULL, "{'metadata': {'name': 'A_'}}",
		"INVALID POST " VOLUMES ": PersistentVolume \"A_\" is invalid: metadata.name: "},
	{"another kind", "POST", VOLUMES, NULL, "{'kind': 'Node', 'metadata': {'name': 'b'}}",
		"INVALID"},
	{"no namespace", "POST", "/api/v1/namespaces/none/configmaps", NULL,
		"{'metadata': {'name': 'a'}}", "namespaces \"none\" not found"},
	{"get", "GET", VOLUMES "/a", NULL, NULL, "\"persistentVolumeReclaimPolicy\":\"Retain\""},
	{"none", "GET", VOLUMES "/b", NULL, NULL,
		"NOT_FOUND GET " VOLUMES "/b: persistentvolumes \"b\" not found"},
	{"unknown group", "GET", "/apis/example.com/v1/things", NULL, NULL, "UNAVAILABLE"},
	{"unknown resource", "GET", "/api/v1/services", NULL, NULL, "UNAVAILABLE"},
	{"wrong uid", "PATCH", VOLUMES "/a", MERGE, "{'metadata': {'uid': 'u', 'labels': {}}}",
		"CONFLICT PATCH " VOLUMES "/a: Operation cannot be fulfilled on persistentvolumes "
		"\"a\": Precondition failed: UID in precondition: u, UID in object meta: "},
	{"wrong version", "PATCH", VOLUMES "/a", MERGE, "{'metadata': {'resourceVersion': '1'}}",
		"the object has been modified; please apply your changes to the latest version"},
	{"right ones", "PATCH", VOLUMES "/a", MERGE,
		"{'metadata': {'uid': '@', 'resourceVersion': '#', 'labels': {'l': '1'}}}",
		"\"labels\":{\"l\":\"1\"}"},
	{"null removes", "PATCH", VOLUMES "/a", MERGE, "{'metadata': {'labels': null}}", "OK"},
	{"status only by /status", "PATCH", VOLUMES "/a", MERGE, "{'status': {'phase': 'Bound'}}",
		"\"phase\":\"Pending\""},
	{"status", "PATCH", VOLUMES "/a/status", MERGE,
		"{'status': {'phase': 'Bound'}, 'spec': {'capacity': null}}",
		"\"storage\":\"1Gi\"},\"persistentVolumeReclaimPolicy\":\"Retain\",\"volumeMode\":"
		"\"Filesystem\"},\"status\":{\"phase\":\"Bound\"}"},
	{"finalizer added", "PATCH", VOLUMES "/a", SMART, "{'metadata': {'finalizers': ['z/z']}}",
		"[\"x/y\",\"z/z\"]"},
	{"added once", "PATCH", VOLUMES "/a", SMART, "{'metadata': {'finalizers': ['z/z']}}",
		"[\"x/y\",\"z/z\"]"},
	{"deleted, wrong uid", "DELETE", VOLUMES "/a", NULL, "{'preconditions': {'uid': 'u'}}",
		"CONFLICT"},
	{"deleted", "DELETE", VOLUMES "/a", NULL, "{'preconditions': {'uid': '@'}}",
		"\"deletionTimestamp\""},
	{"no more finalizers", "PATCH", VOLUMES "/a", SMART, "{'metadata': {'finalizers': ['n']}}",
		"no new finalizers can be added if the object is being deleted"},
	{"one finalizer less", "PATCH", VOLUMES "/a", SMART,
		"{'metadata': {'$deleteFromPrimitiveList/finalizers': ['x/y']}}", "[\"z/z\"]"},
	{"the last", "PATCH", VOLUMES "/a", SMART,
		"{'metadata': {'$deleteFromPrimitiveList/finalizers': ['z/z'], 'uid': '@'}}", "OK"},
	{"is gone", "GET", VOLUMES "/a", NULL, NULL, "NOT_FOUND"},
	{"lease", "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", NULL,
		"{'metadata': {'name': 'l'}, 'spec': {'holderIdentity': 'me'}}", "OK"},
	{"lease without version", "PUT",
		"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l", NULL,
		"{'metadata': {'name': 'l'}, 'spec': {'holderIdentity': 'you'}}",
		"Lease.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion"},
	{"lease of another version", "PUT",
		"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l", NULL,
		"{'metadata': {'name': 'l', 'resourceVersion': '7'}, 'spec': {}}",
		"Operation cannot be fulfilled on leases.coordination.k8s.io \"l\""},
	{"claim", "POST", CLAIMS, NULL, "{'metadata': {'generateName': 'c-'}}", "\"name\":\"c-"},
	{"condition", "POST", CLAIMS, NULL, "{'metadata': {'name': 'c'}}", "OK"},
	{"condition set", "PATCH", CLAIMS "/c/status", SMART,
		"{'status': {'conditions': [{'type': 'A', 'status': 'True'}, {'type': 'B'}]}}",
		"[{\"type\":\"A\",\"status\":\"True\"},{\"type\":\"B\"}]"},
	{"condition changed", "PATCH", CLAIMS "/c/status", SMART,
		"{'status': {'conditions': [{'type': 'A', 'status': 'False'}, {'type': 'B', "
		"'$patch': 'delete'}]}}",
		"[{\"type\":\"A\",\"status\":\"False\"}]"},
	{"one of a list", "GET", CLAIMS "?fieldSelector=metadata.name%3Dc", NULL, NULL,
		"\"items\":[{\"metadata\":{\"name\":\"c\","},
	{"unknown field", "GET", CLAIMS "?fieldSelector=spec.x%3Dc", NULL, NULL, "INVALID"},
	{"version", "GET", "/version", NULL, NULL, "OK {\"major\":\"1\""},
};

/* BODY with what the first row's object is called in place of its signs. */
static char *fill_in(struct fixture *fixture, const char *body)
{
	_cleanup_free_ char *uid =
		kubectl_text(fixture->objects, "persistentvolumes", "a", "metadata.uid");
	_cleanup_free_ char *version = kubectl_text(
		fixture->objects, "persistentvolumes", "a", "metadata.resourceVersion");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (; *body; body++) {
		if (*body == '@')
			fputs(uid, out);
		else if (*body == '#')
			fputs(version, out);
		else
			fputc(*body, out);
	}
	fclose(out);
	return text;
}

static void test_requests(void **state)
{
	struct fixture fixture = {0};

	(void)state;
	begin(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_free_ char *body =
			requests[i].body ? fill_in(&fixture, requests[i].body) : NULL;
		_cleanup_free_ char *answer =
			ask(&fixture, requests[i].method, requests[i].path, requests[i].type, body);

		if (!strstr(answer, requests[i].answer))
			assert_case_text(requests[i].name, answer, requests[i].answer);
	}
	assert_int_equal(kubectl_count(fixture.objects, "persistentvolumes"), 0);
	end(&fixture);
}

/* What changes nothing makes no new version, and nobody hears of it. */
static void test_no_change(void **state)
{
	struct fixture fixture = {0};
	uint64_t version;

	(void)state;
	begin(&fixture);
	kubectl_create(fixture.objects, "nodes", "{'metadata': {'name': 'n', 'labels': {}}}");
	version = api_objects_version(fixture.objects);
	assert_int_equal(
		kubectl_patch(fixture.objects, "nodes", "n", "{'metadata': {'labels': {}}}"), 200);
	assert_int_equal(api_objects_version(fixture.objects), version);
	end(&fixture);
}

/* Ways to fail that rest_client tells apart, and whether what was asked for was done. */
static const struct {
	const char *name;
	struct api_fault fault;
	bool applied;
	const char *answer;
} faults[] = {
	{"none", {API_FAULT_NONE, 0}, false, "OK"},
	{"too many", {API_FAULT_TOO_MANY, 1}, false, "OK"}, /* the client asks again */
	{"500", {API_FAULT_ERROR, 500}, false, "UNAVAILABLE"},
	{"502", {API_FAULT_ERROR, 502}, true, "UNAVAILABLE"},
	{"503", {API_FAULT_ERROR, 503}, false, "UNAVAILABLE"},
	{"504", {API_FAULT_ERROR, 504}, true, "TIMEOUT"},
	{"conflict", {API_FAULT_CONFLICT, 0}, false, "CONFLICT"},
	{"cut before", {API_FAULT_CUT, 0}, false, "UNAVAILABLE"},
	{"cut after", {API_FAULT_CUT, 0}, true, "UNAVAILABLE"},
	{"cut inside", {API_FAULT_CUT_INSIDE, 0}, true, "UNAVAILABLE"},
	{"garbage", {API_FAULT_GARBAGE, 0}, true, "INTERNAL"},
	{"truncated", {API_FAULT_TRUNCATED, 0}, true, "INTERNAL"},
	{"unauthorized", {API_FAULT_UNAUTHORIZED, 0}, false, "OK"}, /* the client asks again */
	{"a proxy's 404", {API_FAULT_PROXY_404, 0}, false, "UNAVAILABLE"},
	{"slow", {API_FAULT_STALL, 5}, true, "OK"},
};

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct fixture fixture = {.fault = faults[i].fault,
			.applied = faults[i].applied,
			.method = "POST",
			.wanted = "/configmaps"};
		_cleanup_free_ char *answer = NULL;
		bool done;

		begin(&fixture);
		answer = ask(&fixture, "POST", "/api/v1/namespaces/default/configmaps", NULL,
			"{'metadata': {'name': 'c'}}");
		done = kubectl_count(fixture.objects, "configmaps") == 1;
		if (strncmp(answer, faults[i].answer, strlen(faults[i].answer)) != 0)
			assert_case_text(faults[i].name, answer, faults[i].answer);
		assert_case(faults[i].name, done == (faults[i].applied || *answer == 'O'));
		end(&fixture);
	}
}

/* A reflector sees every volume as it is, whatever happens to its watch on event 3. */
static const struct {
	const char *name;
	enum api_fault_kind kind;
} watch_faults[] = {
	{"none", API_FAULT_NONE},
	{"cut", API_FAULT_CUT},
	{"cut inside", API_FAULT_CUT_INSIDE},
	{"garbage", API_FAULT_GARBAGE},
	{"expired", API_FAULT_EXPIRED},
	{"stall", API_FAULT_STALL},
	{"duplicate", API_FAULT_DUPLICATE},
	{"swap", API_FAULT_SWAP},
	{"end", API_FAULT_END},
};

struct watched {
	struct fixture fixture;
	struct store *store;
	struct reflector *reflector;
};

static void begin_watch(struct watched *watched)
{
	watched->store = store_new(NULL, NULL);
	watched->reflector = reflector_new(watched->fixture.client);
	reflector_add(watched->reflector, &volume_type, watched->store);
	reflector_start(watched->reflector);
	assert_true(reflector_wait_synced(watched->reflector));
}

static void end_watch(struct watched *watched)
{
	reflector_stop(watched->reflector);
	reflector_free(watched->reflector);
	store_free(watched->store);
	end(&watched->fixture);
}

/* Whether the store holds what the server does. */
static bool is_equal(void *context)
{
	struct watched *watched = context;
	struct json_object *list = kubectl_list(watched->fixture.objects, "persistentvolumes");
	size_t count = json_object_array_length(list);
	bool equal = count == store_count(watched->store);

	for (size_t i = 0; i < count; i++) {
		struct json_object *metadata = json_member(
			json_object_array_get_idx(list, i), "metadata", json_type_object);
		_cleanup_object_ struct object *object =
			store_get(watched->store, json_string(metadata, "name"));

		equal &= object && !strcmp(object->resource_version,
					   json_string(metadata, "resourceVersion"));
	}
	json_object_put(list);
	return equal;
}

static void make_volumes(struct fixture *fixture, const char *letter, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(kubectl_create(fixture->objects, "persistentvolumes",
					 "{'metadata': {'name': '%s%d'}}", letter, i),
			201);
}

static void test_watch_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(watch_faults); i++) {
		struct watched watched = {.fixture = {.fault = {watch_faults[i].kind, 2},
						  .applied = true,
						  .method = "GET",
						  .wanted = VOLUMES,
						  .event = 3}};

		begin(&watched.fixture);
		make_volumes(&watched.fixture, "a", 3);
		begin_watch(&watched);
		make_volumes(&watched.fixture, "b", 5);
		kubectl_delete(watched.fixture.objects, "persistentvolumes", "a1");
		kubectl_patch(watched.fixture.objects, "persistentvolumes", "b1",
			"{'metadata': {'labels': {'x': 'y'}}}");
		assert_case(watch_faults[i].name, wait_until(is_equal, &watched));
		end_watch(&watched);
	}
}

/* A server that was away while its history ended: both ways to say so. */
static void test_expired(void **state)
{
	(void)state;
	for (int as_event = 0; as_event < 2; as_event++) {
		struct watched watched = {0};

		begin_with(&watched.fixture, NULL,
			(struct api_server_options){.expired_as_event = as_event});
		make_volumes(&watched.fixture, "a", 3);
		begin_watch(&watched);
		api_server_pause(watched.fixture.server, true);
		make_volumes(&watched.fixture, "b", 2);
		kubectl_patch(watched.fixture.objects, "persistentvolumes", "a1",
			"{'metadata': {'finalizers': null}}");
		kubectl_delete(watched.fixture.objects, "persistentvolumes", "a1");
		api_objects_expire(watched.fixture.objects);
		api_server_pause(watched.fixture.server, false);
		assert_true(wait_until(is_equal, &watched));
		assert_int_equal(store_count(watched.store), 4);
		end_watch(&watched);
	}
}

/* Pages are of one moment, whatever changes between them; and they end with their snapshot. */
static void test_pages(void **state)
{
	struct fixture fixture = {0};
	_cleanup_free_ char *first = NULL, *second = NULL, *third = NULL;

	(void)state;
	begin(&fixture);
	make_volumes(&fixture, "a", 5);
	first = ask(&fixture, "GET", VOLUMES "?limit=2", NULL, NULL);
	assert_non_null(strstr(first, "\"continue\":\"1/2=\",\"remainingItemCount\":3"));
	assert_null(strstr(first, "\"kind\":\"PersistentVolume\""));
	kubectl_delete(fixture.objects, "persistentvolumes", "a3");
	make_volumes(&fixture, "b", 1);
	second = ask(&fixture, "GET", VOLUMES "?limit=500&continue=1%2F2%3D", NULL, NULL);
	assert_non_null(strstr(second, "\"a3\""));
	assert_null(strstr(second, "\"b0\""));
	assert_null(strstr(second, "continue"));
	api_objects_expire(fixture.objects);
	third = ask(&fixture, "GET", VOLUMES "?limit=500&continue=1%2F2%3D", NULL, NULL);
	assert_int_equal(strncmp(third, "EXPIRED", 7), 0);
	end(&fixture);
}

static void test_token(void **state)
{
	struct fixture fixture = {0};
	_cleanup_free_ char *without = NULL, *with = NULL;

	(void)state;
	begin(&fixture);
	api_server_set_token(fixture.server, "secret");
	without = ask(&fixture, "GET", VOLUMES, NULL, NULL);
	assert_int_equal(strncmp(without, "UNAUTHORIZED", 12), 0);
	fixture.config.token = (char *)"secret";
	with = ask(&fixture, "GET", VOLUMES, NULL, NULL);
	assert_int_equal(strncmp(with, "OK", 2), 0);
	assert_int_equal(api_server_count(fixture.server, "GET", "persistentvolumes"), 3);
	end(&fixture);
}

/* A request that stalls is let go, and one that does when the server ends is no obstacle. */
static void *release_it(void *context)
{
	struct fixture *fixture = context;

	while (api_server_count(fixture->server, "GET", "nodes") < 1)
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	/* The request may be a moment away from its stall. */
	for (int code = 0; code == 0; nanosleep(&(struct timespec){0, 1000000}, NULL)) {
		api_server_release(fixture->server);
		free(api_server_seen(fixture->server, 0, &code));
	}
	return NULL;
}

static void test_stall(void **state)
{
	struct fixture fixture = {
		.fault = {API_FAULT_STALL, 0}, .method = "GET", .wanted = "/nodes"};
	_cleanup_free_ char *answer = NULL, *log = NULL;
	pthread_t thread;

	(void)state;
	begin(&fixture);
	assert_int_equal(pthread_create(&thread, NULL, release_it, &fixture), 0);
	answer = ask(&fixture, "GET", "/api/v1/nodes", NULL, NULL);
	pthread_join(thread, NULL);
	assert_int_equal(strncmp(answer, "OK", 2), 0);
	log = api_server_log(fixture.server);
	assert_string_equal(log, "GET /api/v1/nodes 200\n");
	end(&fixture);
}

/* A kubeconfig that the program itself can use. */
static void test_kubeconfig(void **state)
{
	struct fixture fixture = {0};
	char *folder = make_folder();
	_cleanup_free_ char *path = NULL;
	struct kube_config *config = NULL;
	struct error err;

	(void)state;
	begin(&fixture);
	path = api_server_kubeconfig(fixture.server, folder, "config");
	assert_int_equal(kube_config_load(path, &config, &err), 0);
	assert_string_equal(config->server, api_server_url(fixture.server));
	kube_config_free(config);
	end(&fixture);
	remove_folder(folder);
}

/* Without the snapshots' CRDs their paths are unknown ones. */
static void test_no_snapshots(void **state)
{
	static const char path[] = "/apis/snapshot.storage.k8s.io/v1/volumesnapshots";

	(void)state;
	for (int without = 0; without < 2; without++) {
		const struct api_objects_options stored = {.no_snapshots = without};
		struct fixture fixture = {0};
		_cleanup_free_ char *answer = NULL;

		begin_with(&fixture, &stored, (struct api_server_options){0});
		answer = ask(&fixture, "GET", path, NULL, NULL);
		assert_int_equal(strncmp(answer, "OK", 2) == 0, !without);
		if (without)
			assert_non_null(strstr(answer, "HTTP status 404"));
		end(&fixture);
	}
}

/* A watch tells what changed in one namespace, or of one object, and ends when it should. */
static void test_selected_watch(void **state)
{
	struct fixture fixture = {0};
	struct rest_response response;
	CURL *handle = curl_easy_init();
	struct error err;
	char path[256], *text = NULL;

	(void)state;
	begin(&fixture);
	snprintf(path, sizeof(path),
		CLAIMS "?watch=1&timeoutSeconds=0&fieldSelector=metadata.name%%3Dc");
	kubectl_create(fixture.objects, "persistentvolumeclaims", "{'metadata': {'name': 'b'}}");
	kubectl_create(fixture.objects, "persistentvolumeclaims", "{'metadata': {'name': 'c'}}");
	kubectl_create(fixture.objects, "persistentvolumeclaims",
		"{'metadata': {'name': 'c', 'namespace': 'other'}}");
	rest_response_init(&response, 10000);
	assert_int_equal(rest_client_prepare(fixture.client, handle, path, &response, &err), 0);
	assert_int_equal(curl_easy_perform(handle), CURLE_OK);
	text = strdup(json_object_to_json_string_ext(response.json, JSON_C_TO_STRING_PLAIN));
	assert_int_equal(
		strncmp(text, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",", 49),
		0);
	assert_non_null(strstr(text, "\"namespace\":\"default\""));
	free(text);
	rest_response_done(&response);
	curl_easy_cleanup(handle);
	end(&fixture);
}

/* The same seed, the same faults; and none after the end. */
static void test_random_faults(void **state)
{
	struct api_faults *one = api_faults_random(7, 200), *two = api_faults_random(7, 200);
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		const struct api_request request = {
			.sequence = i, .nth = i, .method = "POST", .path = VOLUMES, .query = ""};
		struct api_fault fault = api_faults_decide(one, &request, i % 2);
		struct api_fault same = api_faults_decide(two, &request, i % 2);

		assert_int_equal(fault.kind, same.kind);
		wrong += fault.kind != API_FAULT_NONE;
	}
	assert_in_range(wrong, 800, 1200);
	assert_int_equal(api_faults_count(one), wrong);
	api_faults_stop(one);
	for (size_t i = 0; i < 1000; i++) {
		const struct api_request request = {
			.nth = i, .method = "POST", .path = VOLUMES, .query = ""};

		assert_int_equal(api_faults_decide(one, &request, false).kind, API_FAULT_NONE);
	}
	api_faults_free(one);
	api_faults_free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_no_change),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_watch_faults),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_kubeconfig),
		cmocka_unit_test(test_no_snapshots),
		cmocka_unit_test(test_selected_watch),
		cmocka_unit_test(test_random_faults),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
