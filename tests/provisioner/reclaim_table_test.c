/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every case of support/reclaim_table.c with the real driver, as a process, and the whole
 * provisioner: all at the same time, each in a namespace of its own.
 *
 *	reclaim_table_test            all, and whether tests/reclaim.md is the table
 *	reclaim_table_test --print    print what tests/reclaim.md has to be
 */
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api_server.h"
#include "controller_manager.h"
#include "kubectl.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "reclaim_table.h"
#include "sweep.h"
#include "testing.h"

#define DRIVER  ORDINAL_HOSTPATH_DRIVER
#define CLAIMS  "persistentvolumeclaims"
#define VOLUMES "persistentvolumes"
#define SETS    "statefulsets"

#define WAITS        6 /* of 20 seconds each, for all that has to come */
#define ROUNDS_QUIET 5 /* 20 ms apart: nobody does anything any more */
#define STOP_MS      60000

struct replica {
	struct reclaim_case which;
	struct reclaim_outcome wanted;
	char namespace[16], claim[32];
	char volume[256], path[PATH_MAX]; /* of the first volume, "" until it is there */
};

static struct cluster {
	char *folder, *root, *socket;
	struct api_objects *objects;
	struct api_server *server;
	struct controller_manager *controllers;
	pid_t driver_pid;
	struct csi_client *client;
	struct csi_driver driver;
	struct kube_config config;
	struct options options;
	struct rest_client *rest;
	struct manager *manager; /* NULL: the provisioner is down */
	struct replica replicas[RECLAIM_CASES];
} cluster;

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *text, ...)
{
	char *made;
	va_list args;

	va_start(args, text);
	if (vasprintf(&made, text, args) < 0)
		abort();
	va_end(args);
	return made;
}

/* Beside this program, which is tests/provisioner/reclaim_table_test. */
static char *driver_path(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length <= 0)
		abort();
	path[length] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	return format("%s/ordinal-csi", path);
}

static void start_driver(void)
{
	_cleanup_free_ char *path = driver_path();
	_cleanup_free_ char *endpoint = format("--endpoint=unix://%s", cluster.socket);
	_cleanup_free_ char *root = format("--hostpath-root=%s", cluster.root);

	cluster.driver_pid = fork();
	if (cluster.driver_pid < 0)
		abort();
	if (cluster.driver_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, endpoint, root, "--nodeid=n1", "--log-level=error", NULL);
		_exit(127);
	}
}

static void start_provisioner(void)
{
	cluster.rest = rest_client_new(&cluster.config);
	cluster.manager = manager_new(cluster.rest, &cluster.driver,
		&(struct manager_options){
			.options = &cluster.options,
			.component = "tester",
			.holder = "tester",
			.namespace = "default",
			.journal = "journal",
			.timing = {.begin_retry_ms = 20,
				.flush_after_ms = 30,
				.reflector.back_off_ms = 10},
		});
	manager_start(cluster.manager);
}

static void stop_provisioner(void)
{
	if (!cluster.manager)
		return;
	if (!manager_stop(cluster.manager, STOP_MS))
		abort();
	manager_free(take_ptr(cluster.manager));
	rest_client_free(cluster.rest);
}

static void make_node(void)
{
	kubectl_create(cluster.objects, "nodes",
		"{'metadata': {'name': 'n1', 'labels': {'topology." DRIVER "/node': 'n1'}}}");
	kubectl_create(cluster.objects, "csinodes",
		"{'metadata': {'name': 'n1'}, 'spec': {'drivers': [{'name': '" DRIVER
		"', 'nodeID': 'n1', 'topologyKeys': ['topology." DRIVER "/node']}]}}");
}

static bool driver_answers(void *context)
{
	struct error err;

	(void)context;
	return access(cluster.socket, F_OK) == 0 &&
	       csi_client_identify(cluster.client, &cluster.driver, &err) == 0;
}

static int set_up(void **state)
{
	struct error err;

	(void)state;
	cluster.folder = make_folder();
	cluster.root = format("%s/root", cluster.folder);
	cluster.socket = format("%s/csi.sock", cluster.folder);
	if (mkdir(cluster.root, 0755) < 0)
		return -1;
	start_driver();
	cluster.objects = api_objects_new(NULL);
	make_node();
	cluster.server = api_server_start(cluster.objects, NULL);
	cluster.controllers = controller_manager_new(cluster.objects, NULL);
	controller_manager_start(cluster.controllers);
	cluster.config.server = (char *)api_server_url(cluster.server);
	cluster.options = (struct options){.volume_name_prefix = "pvc",
		.extra_create_metadata = true,
		.immediate_topology = true,
		.workers = 8,
		.retry_interval_start_ms = 5,
		.retry_interval_max_ms = 100,
		.sweep = SWEEP_OFF};
	if (csi_client_new(cluster.socket, 20000, &cluster.client, &err) < 0)
		return -1;
	return wait_until(driver_answers, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	stop_provisioner();
	if (cluster.client)
		csi_client_free(cluster.client);
	if (cluster.controllers)
		controller_manager_free(cluster.controllers);
	if (cluster.server)
		api_server_stop(cluster.server);
	if (cluster.objects)
		api_objects_free(cluster.objects);
	kill(cluster.driver_pid, SIGKILL);
	waitpid(cluster.driver_pid, NULL, 0);
	remove_folder(cluster.folder);
	free(cluster.root);
	free(cluster.socket);
	return 0;
}

/* What the StatefulSet controller does, in so far as it concerns claims: it makes them, they are
 * owned by the set where whenDeleted is Delete, and go with it; where whenScaled is Delete they go
 * with their replica. */
static const char *set_uid(const struct replica *replica, char out[static 64])
{
	_cleanup_free_ char *name = format("%s/web", replica->namespace);
	_cleanup_free_ char *uid = kubectl_text(cluster.objects, SETS, name, "metadata.uid");

	snprintf(out, 64, "%s", uid);
	return out;
}

static void make_set(const struct replica *replica)
{
	enum reclaim_act act = replica->which.act;

	kubectl_create(cluster.objects, SETS,
		"{'metadata': {'name': 'web', 'namespace': '%s'}, 'spec': {'replicas': 1, "
		"'selector': {'matchLabels': {'app': 'web'}}, "
		"'persistentVolumeClaimRetentionPolicy': {'whenScaled': '%s', 'whenDeleted': "
		"'%s'}, 'volumeClaimTemplates': [{'metadata': {'name': 'data'}}]}}",
		replica->namespace, act == RECLAIM_SCALED_DOWN_DELETE ? "Delete" : "Retain",
		act == RECLAIM_SET_DELETED_DELETE ? "Delete" : "Retain");
}

static void make_claim(const struct replica *replica)
{
	_cleanup_free_ char *owner = NULL;
	char uid[64];

	if (replica->which.act == RECLAIM_SET_DELETED_DELETE)
		owner = format(", 'ownerReferences': [{'apiVersion': 'apps/v1', 'kind': "
			       "'StatefulSet', 'name': 'web', 'uid': '%s'}]",
			set_uid(replica, uid));
	kubectl_create(cluster.objects, CLAIMS,
		"{'metadata': {'name': 'data-web-0', 'namespace': '%s', 'labels': {'app': 'web'}%s}, "
		"'spec': {'storageClassName': 'of-%s', 'accessModes': ['ReadWriteOnce'], "
		"'resources': {'requests': {'storage': '1Mi'}}}}",
		replica->namespace, owner ? owner : "", replica->namespace);
}

static void delete_claim(const struct replica *replica)
{
	kubectl_delete(cluster.objects, CLAIMS, replica->claim);
}

static void delete_set(const struct replica *replica)
{
	_cleanup_free_ char *name = format("%s/web", replica->namespace);
	_cleanup_free_ char *policy = kubectl_text(cluster.objects, SETS, name,
		"spec.persistentVolumeClaimRetentionPolicy.whenDeleted");

	kubectl_delete(cluster.objects, SETS, name);
	if (!strcmp(policy, "Delete"))
		delete_claim(replica);
}

static void scale_down(const struct replica *replica)
{
	_cleanup_free_ char *name = format("%s/web", replica->namespace);
	_cleanup_free_ char *policy = kubectl_text(cluster.objects, SETS, name,
		"spec.persistentVolumeClaimRetentionPolicy.whenScaled");

	kubectl_patch(cluster.objects, SETS, name, "{'spec': {'replicas': 0}}");
	if (!strcmp(policy, "Delete"))
		delete_claim(replica);
}

static void make_class(const struct replica *replica)
{
	kubectl_create(cluster.objects, "storageclasses",
		"{'metadata': {'name': 'of-%s'}, 'provisioner': '" DRIVER
		"', 'reclaimPolicy': '%s', 'parameters': {'onDelete': '%s', 'reuse': '%s'}}",
		replica->namespace, reclaim_table_policy(replica->which.policy),
		reclaim_table_on_delete(replica->which.on_delete),
		reclaim_table_reuse(replica->which.reuse));
}

static void delete_class(const struct replica *replica)
{
	_cleanup_free_ char *name = format("of-%s", replica->namespace);

	kubectl_delete(cluster.objects, "storageclasses", name);
}

static void set_policy(const struct replica *replica, const char *policy)
{
	kubectl_patch(cluster.objects, VOLUMES, replica->volume,
		"{'spec': {'persistentVolumeReclaimPolicy': '%s'}}", policy);
}

static void make_again(const struct replica *replica)
{
	make_class(replica);
	make_set(replica);
	make_claim(replica);
}

static bool claim_is_gone(struct api_objects *objects, void *context)
{
	const struct replica *replica = context;
	struct json_object *claim = kubectl_get(objects, CLAIMS, replica->claim);

	json_object_put(claim);
	return !claim;
}

static void recreate_at_once(struct replica *replica)
{
	delete_set(replica);
	delete_claim(replica);
	assert_true(kubectl_wait(cluster.objects, claim_is_gone, replica));
	make_again(replica);
}

/* The namespace controller deletes what is in it first. */
static void recreate_namespace(struct replica *replica)
{
	delete_set(replica);
	delete_claim(replica);
	assert_true(kubectl_wait(cluster.objects, claim_is_gone, replica));
	assert_int_equal(kubectl_delete(cluster.objects, "namespaces", replica->namespace), 200);
	assert_int_equal(kubectl_create(cluster.objects, "namespaces",
				 "{'metadata': {'name': '%s'}}", replica->namespace),
		201);
}

static void act(struct replica *replica)
{
	switch (replica->which.act) {
	case RECLAIM_SCALED_DOWN:
	case RECLAIM_SCALED_DOWN_DELETE:
		scale_down(replica);
		return;
	case RECLAIM_SET_DELETED:
	case RECLAIM_SET_DELETED_DELETE:
		delete_set(replica);
		return;
	case RECLAIM_RECREATED_AT_ONCE:
		recreate_at_once(replica);
		return;
	case RECLAIM_NAMESPACE_DELETED:
		recreate_namespace(replica);
		return;
	case RECLAIM_SET_AND_CLAIM_DELETED:
		delete_set(replica);
		break;
	case RECLAIM_CLASS_DELETED_FIRST:
		delete_class(replica);
		break;
	case RECLAIM_VOLUME_DELETED_FIRST:
		kubectl_delete(cluster.objects, VOLUMES, replica->volume);
		break;
	case RECLAIM_POLICY_TO_RETAIN:
		set_policy(replica, "Retain");
		break;
	case RECLAIM_POLICY_TO_RETAIN_AND_BACK:
		set_policy(replica, "Retain");
		set_policy(replica, "Delete");
		break;
	case RECLAIM_CLAIM_DELETED:
	case RECLAIM_PROVISIONER_DOWN:
		break;
	default: /* a pod is nothing to claims */
		return;
	}
	delete_claim(replica);
}

static bool holds(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[64] = "";

	return file && fgets(line, sizeof(line), file) && !strcmp(line, text);
}

/* Where the data are that the replica wrote: nowhere else may be two. */
static enum reclaim_data data_of(const struct replica *replica)
{
	_cleanup_free_ char *file = format("%s/owner", replica->path);
	_cleanup_free_ char *archived =
		format("%s/.ordinal/archive/%s/*/*/*/owner", cluster.root, replica->namespace);
	enum reclaim_data where = holds(file, replica->namespace) ? DATA_IN_PLACE : DATA_GONE;
	glob_t found;

	if (glob(archived, 0, NULL, &found) == 0) {
		if (found.gl_pathc == 1 && where == DATA_GONE &&
			holds(found.gl_pathv[0], replica->namespace))
			where = DATA_ARCHIVED;
		globfree(&found);
	}
	return where;
}

static enum reclaim_volume volume_of(const struct replica *replica)
{
	_cleanup_free_ char *phase =
		kubectl_text(cluster.objects, VOLUMES, replica->volume, "status.phase");

	if (!*phase)
		return VOLUME_GONE;
	return !strcmp(phase, "Released") ? VOLUME_RELEASED : VOLUME_BOUND;
}

static bool is_bound(const struct replica *replica)
{
	_cleanup_free_ char *phase =
		kubectl_text(cluster.objects, CLAIMS, replica->claim, "status.phase");

	return !strcmp(phase, "Bound");
}

/* The volume's name, and where its data are. */
static void find_volume(
	const struct replica *replica, char volume[static 256], char path[static PATH_MAX])
{
	_cleanup_free_ char *name =
		kubectl_text(cluster.objects, CLAIMS, replica->claim, "spec.volumeName");
	struct json_object *json = kubectl_get(cluster.objects, VOLUMES, name);
	struct json_object *csi =
		json_member(json_member(json, "spec", json_type_object), "csi", json_type_object);
	const char *at = json_string(
		json_member(csi, "volumeAttributes", json_type_object), ORDINAL_KEY_PATH);

	assert_case(replica->namespace, at);
	snprintf(volume, 256, "%s", name);
	snprintf(path, PATH_MAX, "%s", at);
	json_object_put(json);
}

static struct reclaim_outcome outcome_of(const struct replica *replica)
{
	return (struct reclaim_outcome){
		.claim = claim_is_gone(cluster.objects, (void *)replica) ? CLAIM_GONE : CLAIM_BOUND,
		.volume = volume_of(replica),
		.data = data_of(replica),
		.again = replica->wanted.again,
	};
}

static bool is_as_wanted(const struct replica *replica)
{
	struct reclaim_outcome is = outcome_of(replica);

	return is.claim == replica->wanted.claim && is.volume == replica->wanted.volume &&
	       is.data == replica->wanted.data && (is.claim == CLAIM_GONE || is_bound(replica));
}

static bool is_of_phase(const struct replica *replica, bool down)
{
	return down == (replica->which.act == RECLAIM_PROVISIONER_DOWN);
}

static bool all_bound(struct api_objects *objects, void *context)
{
	(void)objects;
	(void)context;
	for (size_t i = 0; i < RECLAIM_CASES; i++)
		if (!is_bound(&cluster.replicas[i]))
			return false;
	return true;
}

static bool all_as_wanted(struct api_objects *objects, void *context)
{
	const bool *down = context;

	(void)objects;
	for (size_t i = 0; i < RECLAIM_CASES; i++)
		if (is_of_phase(&cluster.replicas[i], *down) && !is_as_wanted(&cluster.replicas[i]))
			return false;
	return true;
}

/* Until CONDITION holds, and nobody does anything any more: it may be that something is still to
 * come that should not. */
static void wait_for(bool (*condition)(struct api_objects *, void *), void *context)
{
	static const struct timespec pause = {0, 20000000};
	uint64_t version = 0;
	int quiet = 0;

	for (int i = 0; i < WAITS && !kubectl_wait(cluster.objects, condition, context); i++)
		;
	for (int i = 0; i < 500 && quiet < ROUNDS_QUIET; i++) {
		uint64_t now = api_objects_version(cluster.objects);

		quiet = now == version && manager_is_idle(cluster.manager) ? quiet + 1 : 0;
		version = now;
		nanosleep(&pause, NULL);
	}
}

static void begin(void)
{
	for (size_t i = 0; i < RECLAIM_CASES; i++) {
		struct replica *replica = &cluster.replicas[i];

		replica->which = reclaim_table_case(i);
		replica->wanted = reclaim_table_outcome(&replica->which);
		snprintf(replica->namespace, sizeof(replica->namespace), "r%zu", i);
		snprintf(replica->claim, sizeof(replica->claim), "r%zu/data-web-0", i);
		make_again(replica);
	}
	wait_for(all_bound, NULL);
	for (size_t i = 0; i < RECLAIM_CASES; i++) {
		struct replica *replica = &cluster.replicas[i];

		find_volume(replica, replica->volume, replica->path);
		free(write_file(replica->path, "owner", replica->namespace));
	}
}

static void act_all(bool down)
{
	for (size_t i = 0; i < RECLAIM_CASES; i++)
		if (is_of_phase(&cluster.replicas[i], down))
			act(&cluster.replicas[i]);
}

static void report(const struct replica *replica, const struct reclaim_outcome *is)
{
	fputs("case: ", stderr);
	reclaim_table_print_case(stderr, &replica->which);
	fputs("\n  wanted ", stderr);
	reclaim_table_print_outcome(stderr, &replica->wanted);
	fputs("\n  is     ", stderr);
	reclaim_table_print_outcome(stderr, is);
	fputc('\n', stderr);
}

static size_t check_outcomes(void)
{
	size_t wrong = 0;

	for (size_t i = 0; i < RECLAIM_CASES; i++) {
		const struct replica *replica = &cluster.replicas[i];
		struct reclaim_outcome is = outcome_of(replica);

		if (is_as_wanted(replica))
			continue;
		report(replica, &is);
		wrong++;
	}
	return wrong;
}

/* Whether VOLUME says that it took up the data of the replica's first one, where that is gone. */
static bool names_predecessor(const struct replica *replica, const char *volume)
{
	struct json_object *json = kubectl_get(cluster.objects, VOLUMES, volume);
	struct json_object *csi =
		json_member(json_member(json, "spec", json_type_object), "csi", json_type_object);
	const char *whose = json_string(
		json_member(csi, "volumeAttributes", json_type_object), ORDINAL_KEY_PREDECESSOR);
	bool same = !strcmp(volume, replica->volume) || replica->wanted.again == AGAIN_EMPTY;
	bool fits =
		same ? !whose : whose && !strncmp(whose, replica->volume, strlen(replica->volume));

	json_object_put(json);
	return fits;
}

/* Set and claim are there again. Who begins anew has nothing of anybody else, and what was kept is
 * kept still. */
static size_t check_again(void)
{
	size_t wrong = 0;

	for (size_t i = 0; i < RECLAIM_CASES; i++) {
		const struct replica *replica = &cluster.replicas[i];
		struct reclaim_outcome is = replica->wanted;
		char volume[256], path[PATH_MAX];
		_cleanup_free_ char *file = NULL;
		bool kept;

		find_volume(replica, volume, path);
		file = format("%s/owner", path);
		is.again = holds(file, replica->namespace) ? AGAIN_SAME : AGAIN_EMPTY;
		kept = is.again == AGAIN_SAME || data_of(replica) == replica->wanted.data;
		if (is.again == replica->wanted.again && kept &&
			names_predecessor(replica, volume) &&
			(is.again == AGAIN_SAME || access(file, F_OK) < 0))
			continue;
		report(replica, &is);
		wrong++;
	}
	return wrong;
}

static void test_table(void **state)
{
	bool down = false;

	(void)state;
	start_provisioner();
	begin();
	act_all(false);
	wait_for(all_as_wanted, &down);
	stop_provisioner();
	act_all(true);
	start_provisioner();
	down = true;
	wait_for(all_as_wanted, &down);
	assert_int_equal(check_outcomes(), 0);
	for (size_t i = 0; i < RECLAIM_CASES; i++)
		make_again(&cluster.replicas[i]);
	wait_for(all_bound, NULL);
	assert_true(all_bound(cluster.objects, NULL));
	assert_int_equal(check_again(), 0);
}

static char *read_all(FILE *file)
{
	char *text = NULL;
	size_t size = 0;

	return file && getdelim(&text, &size, '\0', file) > 0 ? text : (free(text), NULL);
}

/* The file is the table. */
static void test_document(void **state)
{
	_cleanup_fclose_ FILE *file = fopen("tests/reclaim.md", "re");
	_cleanup_free_ char *is = read_all(file), *wanted = NULL;
	size_t size;
	FILE *out = open_memstream(&wanted, &size);

	(void)state;
	assert_non_null(out);
	reclaim_table_print(out);
	fclose(out);
	assert_case_text("tests/reclaim.md (make tests/reclaim.md)", is, wanted);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),
		cmocka_unit_test_setup_teardown(test_table, set_up, tear_down),
	};

	if (argc > 1 && !strcmp(argv[1], "--print")) {
		reclaim_table_print(stdout);
		return 0;
	}
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
