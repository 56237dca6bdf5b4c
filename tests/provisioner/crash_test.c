/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program itself, killed at every step of its work: before each request to the API server and
 * each call of the driver is done, and after that, before it is answered. The next process brings
 * it to the same end: one volume for each claim, no other, and an empty journal.
 *
 *	crash_test                             all
 *	crash_test SCENARIO [STEP [SECOND]]    one, numbered from 0
 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "api_server.h"
#include "controller_manager.h"
#include "kubectl.h"
#include "scripted_driver.h"
#include "testing.h"

#define PROCESSES 6 /* they mostly wait */
#define STEPS_MIN 6 /* of any scenario */
#define STEPS_MAX 200
#define WAIT_MS   20000
#define PAIRS     24
#define CLAIM     "default/c"

struct trial;

struct scenario {
	const char *name;
	const char *class;
	const char *grown; /* the size of claim and volume at the end */
	size_t volumes;    /* at the end */
	bool prepared;     /* the claim has its volume before the first kill */
	bool vanishes;     /* the claim is deleted when the driver is asked */
	void (*act)(struct trial *trial);
	const struct scripted_rule *rules;
};

struct trial {
	const struct scenario *scenario;
	char *folder, *kubeconfig, *socket;
	struct api_objects *objects;
	struct api_server *server;
	struct controller_manager *manager;
	struct scripted_driver *driver;
	int kills[2]; /* the steps at which it is killed; 0: never */
	int step;     /* atomic, as are the following */
	bool armed, vanished;
	pid_t pid; /* 0: none */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One more step: whether the program is killed at it. */
static bool kill_here(struct trial *trial)
{
	pid_t pid = __atomic_load_n(&trial->pid, __ATOMIC_ACQUIRE);
	int step;

	if (!__atomic_load_n(&trial->armed, __ATOMIC_ACQUIRE) || !pid)
		return false;
	step = __atomic_add_fetch(&trial->step, 1, __ATOMIC_ACQ_REL);
	if (step != trial->kills[0] && step != trial->kills[1])
		return false;
	kill(pid, SIGKILL);
	return true;
}

/* What was not sent before the end never comes. */
static struct api_fault decide(void *context, const struct api_request *request, bool applied)
{
	(void)applied;
	if (request->watch || !kill_here(context))
		return (struct api_fault){API_FAULT_NONE, 0};
	return (struct api_fault){API_FAULT_CUT, 0};
}

static bool decide_call(void *context, const char *method, bool applied)
{
	struct trial *trial = context;

	if (trial->scenario->vanishes && !applied && !strcmp(method, "CreateVolume") &&
		!__atomic_exchange_n(&trial->vanished, true, __ATOMIC_ACQ_REL))
		kubectl_delete(trial->objects, "persistentvolumeclaims", CLAIM);
	return !kill_here(trial);
}

static void create_claim(struct trial *trial)
{
	kubectl_create(trial->objects, "persistentvolumeclaims",
		"{'metadata': {'name': 'c', 'namespace': 'default'}, 'spec': {'storageClassName': "
		"'%s', 'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': "
		"'1Gi'}}}}",
		trial->scenario->class);
}

static void delete_claim(struct trial *trial)
{
	kubectl_delete(trial->objects, "persistentvolumeclaims", CLAIM);
}

static void grow_claim(struct trial *trial)
{
	kubectl_patch(trial->objects, "persistentvolumeclaims", CLAIM,
		"{'spec': {'resources': {'requests': {'storage': '2Gi'}}}}");
}

static const struct scripted_rule full_once[] = {
	{"CreateVolume", SCRIPTED_FAIL, 0, 1, ERROR_EXHAUSTED, "this node is full", 0}};

static const struct scenario scenarios[] = {
	{"provision", "now", "1Gi", 1, false, false, create_claim, NULL},
	{"vanish", "now", NULL, 0, false, true, create_claim, NULL},
	{"delete", "now", NULL, 0, true, false, delete_claim, NULL},
	{"grow", "now", "2Gi", 1, true, false, grow_claim, NULL},
	{"reschedule", "later", "1Gi", 1, false, false, create_claim, full_once},
};

static void make_cluster(struct api_objects *objects)
{
	static const char *const modes[][2] = {
		{"now", "Immediate"}, {"later", "WaitForFirstConsumer"}};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		kubectl_create(objects, "storageclasses",
			"{'metadata': {'name': '%s'}, 'provisioner': 'd.example.com', "
			"'volumeBindingMode': '%s', 'reclaimPolicy': 'Delete', "
			"'allowVolumeExpansion': true}",
			modes[i][0], modes[i][1]);
	for (int i = 1; i <= 2; i++) {
		kubectl_create(objects, "nodes",
			"{'metadata': {'name': 'n%d', 'labels': {'host': 'n%d'}}}", i, i);
		kubectl_create(objects, "csinodes",
			"{'metadata': {'name': 'n%d'}, 'spec': {'drivers': [{'name': "
			"'d.example.com', 'nodeID': 'n%d', 'topologyKeys': ['host']}]}}",
			i, i);
	}
}

static void begin(struct trial *trial, const struct scenario *scenario)
{
	const struct api_server_options served = {
		.decide = decide, .context = trial, .bookmark_ms = 50};
	struct scripted_options driven = {.name = "d.example.com",
		.capabilities = "controller,topology,create-delete,expand",
		.topology = "host=n1",
		.decide = decide_call,
		.context = trial};
	struct error err;

	trial->scenario = scenario;
	trial->folder = make_folder();
	if (asprintf(&trial->socket, "%s/csi.sock", trial->folder) < 0)
		abort();
	trial->objects = api_objects_new(NULL);
	make_cluster(trial->objects);
	trial->server = api_server_start(trial->objects, &served);
	trial->kubeconfig = api_server_kubeconfig(trial->server, trial->folder, "kubeconfig");
	driven.socket_path = trial->socket;
	if (scripted_driver_start(&driven, &trial->driver, &err) < 0)
		abort();
	if (scenario->rules)
		scripted_driver_set(trial->driver, scenario->rules, 1);
	trial->manager = controller_manager_new(trial->objects, NULL);
	controller_manager_start(trial->manager);
}

static void done(struct trial *trial)
{
	controller_manager_free(trial->manager);
	scripted_driver_stop(trial->driver);
	api_server_stop(trial->server);
	api_objects_free(trial->objects);
	remove_folder(trial->folder);
	free(trial->kubeconfig);
	free(trial->socket);
}

/* build/ordinal-provisioner, beside which this test was built. */
static const char *program_path(void)
{
	static char path[PATH_MAX];
	ssize_t length =
		readlink("/proc/self/exe", path, sizeof(path) - sizeof("/ordinal-provisioner"));

	if (length <= 0)
		abort();
	path[length] = '\0';
	for (int i = 0; i < 3; i++) /* tests/provisioner/crash_test */
		*strrchr(path, '/') = '\0';
	return strcat(path, "/ordinal-provisioner");
}

static void start(struct trial *trial)
{
	_cleanup_free_ char *config = NULL, *address = NULL;
	const char *path = program_path();
	pid_t pid;

	if (asprintf(&config, "--kubeconfig=%s", trial->kubeconfig) < 0 ||
		asprintf(&address, "--csi-address=unix://%s", trial->socket) < 0)
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, config, address, "--retry-interval-start=10ms",
			"--retry-interval-max=100ms", "--workers=4", "--log-level=error", NULL);
		_exit(127);
	}
	__atomic_store_n(&trial->pid, pid, __ATOMIC_RELEASE);
}

static bool has_text(struct trial *trial, const char *plural, const char *name, const char *path,
	const char *wanted)
{
	_cleanup_free_ char *text = kubectl_text(trial->objects, plural, name, path);

	return !strcmp(text, wanted);
}

static bool journal_is_empty(struct trial *trial)
{
	struct json_object *map =
		kubectl_get(trial->objects, "configmaps", "default/ordinal-journal-d-example-com");
	struct json_object *data = json_member(map, "data", json_type_object);
	bool empty = map && (!data || !json_object_object_length(data));

	json_object_put(map);
	return empty;
}

/* The claim is bound to the one volume there is, which is as large as they say. */
static bool is_bound(struct trial *trial, const char *size)
{
	_cleanup_free_ char *volume =
		kubectl_text(trial->objects, "persistentvolumeclaims", CLAIM, "spec.volumeName");

	return has_text(trial, "persistentvolumeclaims", CLAIM, "status.phase", "Bound") &&
	       has_text(trial, "persistentvolumeclaims", CLAIM, "status.capacity.storage", size) &&
	       has_text(trial, "persistentvolumes", volume, "spec.capacity.storage", size) &&
	       has_text(trial, "persistentvolumes", volume, "status.phase", "Bound") &&
	       scripted_driver_volume(trial->driver, volume) == (int64_t)(*size - '0') << 30;
}

static bool has_ended(struct trial *trial, size_t volumes, const char *size)
{
	if (trial->scenario->vanishes && !__atomic_load_n(&trial->vanished, __ATOMIC_ACQUIRE))
		return false;
	return kubectl_count(trial->objects, "persistentvolumes") == volumes &&
	       kubectl_count(trial->objects, "persistentvolumeclaims") == volumes &&
	       scripted_driver_volumes(trial->driver) == volumes && journal_is_empty(trial) &&
	       (!volumes || is_bound(trial, size));
}

/* Wait for that, starting the program again whenever it was killed. */
static bool wait_end(struct trial *trial, size_t volumes, const char *size)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int64_t deadline = now_ms() + WAIT_MS;
	int status;

	while (!has_ended(trial, volumes, size)) {
		if (waitpid(trial->pid, &status, WNOHANG) == trial->pid)
			start(trial);
		if (now_ms() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* End the program in order; whether it did, unless it was just killed. */
static bool end(struct trial *trial)
{
	int status;

	__atomic_store_n(&trial->armed, false, __ATOMIC_RELEASE);
	kill(trial->pid, SIGTERM);
	waitpid(trial->pid, &status, 0);
	return status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* How many steps the scenario took, or -1 where it came to another end than it should. */
static int try_kills(const struct scenario *scenario, int first, int second)
{
	struct trial trial = {.kills = {first, second}};
	bool good = true;

	begin(&trial, scenario);
	start(&trial);
	if (scenario->prepared) {
		create_claim(&trial);
		good = wait_end(&trial, 1, "1Gi");
	}
	__atomic_store_n(&trial.armed, true, __ATOMIC_RELEASE);
	scenario->act(&trial);
	good = good && wait_end(&trial, scenario->volumes, scenario->grown);
	good = end(&trial) && good && has_ended(&trial, scenario->volumes, scenario->grown);
	if (!good) {
		_cleanup_free_ char *log = api_server_log(trial.server);

		fprintf(stderr, "%s, killed at %d and %d: the wrong end:\n%s", scenario->name,
			first, second, log);
	}
	done(&trial);
	return good ? trial.step : -1;
}

/* Every PROCESSESth step, from the one of NUMBER on, until there are no more. */
static int try_steps(const struct scenario *scenario, int number)
{
	for (int step = 1 + number; step <= STEPS_MAX; step += PROCESSES) {
		int steps = try_kills(scenario, step, 0);

		if (steps < STEPS_MIN)
			return 1;
		if (steps < step)
			return 0;
	}
	return 1;
}

static int try_share(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		if (try_steps(&scenarios[i], number))
			return 1;
	return 0;
}

/* The next process is killed, too. */
static int try_pairs(int number)
{
	for (int i = number; i < PAIRS; i += PROCESSES) {
		int first = 1 + i * 3 % 40;

		if (try_kills(&scenarios[i & 1], first, first + 1 + i * 7 % 40) < 0)
			return 1;
	}
	return 0;
}

static void run_all(int (*run)(int number))
{
	pid_t children[PROCESSES];
	int status, failures = 0;

	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			exit(run(i));
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		failures += status != 0;
	}
	assert_int_equal(failures, 0);
}

static void test_every_step(void **state)
{
	(void)state;
	run_all(try_share);
}

static void test_pairs(void **state)
{
	(void)state;
	run_all(try_pairs);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_pairs),
	};

	if (argc > 1) {
		int steps = try_kills(&scenarios[(size_t)atoi(argv[1]) % ARRAY_SIZE(scenarios)],
			argc > 2 ? atoi(argv[2]) : 0, argc > 3 ? atoi(argv[3]) : 0);

		printf("%d steps\n", steps);
		return steps < 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
