/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever happens, in the end every claim has its volume and there is no other: random schedules
 * of claims and faults, each from its seed, with the whole provisioner but main.c.
 *
 *	property_test                500 schedules
 *	property_test SEED [COUNT]   those from SEED on; one alone tells all that it did
 *
 * Threads meet as they like, so that a seed that failed may have to be tried some times.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "api_faults.h"
#include "instances.h"
#include "kubectl.h"
#include "log.h"
#include "rest_client.h"
#include "testing.h"

#define SCHEDULES     500
#define PROCESSES     6 /* they mostly wait */
#define FAILURES_MAX  5 /* of one process: then it has seen enough */
#define EVENTS_FACTOR 30

static uint64_t first_seed = 1, seed_count = SCHEDULES;

/* One schedule, with what happens to its provisioners. */
struct trial {
	uint64_t seed;
	struct schedule_options options;
	struct instances_options wanted;
	struct schedule *schedule;
	struct instances *instances;
	bool restarts, cuts;
};

static uint64_t dice(const struct trial *trial, const char *what, unsigned int number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %u", what, number);
	return api_faults_hash(trial->seed, text);
}

static void meanwhile(void *context, unsigned int action)
{
	struct trial *trial = context;
	size_t victim = dice(trial, "victim", action) % trial->wanted.count;

	if (trial->restarts && dice(trial, "restart", action) % 12 == 0)
		instances_restart(trial->instances, victim);
	if (trial->cuts && dice(trial, "cut", action) % 30 == 0)
		instances_cut(trial->instances, victim);
}

static void plan(struct trial *trial, uint64_t seed)
{
	bool node_mode, leases, ours;

	*trial = (struct trial){.seed = seed};
	node_mode = dice(trial, "nodes", 0) % 6 == 0;
	ours = dice(trial, "ours", 0) & 1;
	leases = !node_mode && dice(trial, "leases", 0) % 6 == 0;
	trial->restarts = dice(trial, "restarts", 0) % 3 == 0;
	trial->cuts = leases && dice(trial, "cuts", 0) % 3 == 0;
	trial->options = (struct schedule_options){
		.seed = seed,
		.actions = 20 + (unsigned int)(dice(trial, "actions", 0) % 40),
		.driver_faults = (const unsigned int[]){0, 100, 300}[dice(trial, "driver", 0) % 3],
		.api_faults = (const unsigned int[]){0, 10, 30, 80}[dice(trial, "api", 0) % 4],
		/* Our own driver's volumes are on some node: one provisioner for all says so. */
		.topology = !ours && (dice(trial, "topology", 0) & 1),
		.node_mode = node_mode,
		.pause_us_max = trial->cuts ? 60000 : 0, /* until a lease is lost */
		.ours = ours,
		.meanwhile = meanwhile,
		.context = trial,
	};
	trial->wanted = (struct instances_options){
		.count = node_mode ? SCHEDULE_NODES
			 : leases  ? 2
				   : 1,
		.leases = leases,
		.eager = dice(trial, "eager", 0) & 1,
		.workers = 4 + (int)(dice(trial, "workers", 0) % 5),
	};
}

/* Each user of a claim has few events to read, and no call overlapped another for its volume but
 * where somebody took over from who was still at it. */
static void check_manners(FILE *out, const struct trial *trial, bool lost)
{
	size_t events = kubectl_count(schedule_objects(trial->schedule), "events");
	size_t overlaps = 0;

	for (size_t i = 0; i < SCHEDULE_NODES; i++)
		overlaps += fake_driver_count(schedule_driver(trial->schedule, i)).overlaps;
	if (overlaps && !lost)
		fprintf(out, "calls for one volume overlapped: %zu\n", overlaps);
	if (events > (size_t)trial->options.actions * EVENTS_FACTOR)
		fprintf(out, "there are %zu events\n", events);
}

/* With all requests: where threads meet in another way it may not happen again. */
static void describe(FILE *out, const struct trial *trial)
{
	_cleanup_free_ char *log = api_server_log(schedule_server(trial->schedule));

	fprintf(out,
		"seed %llu: faults %u %u,%s%s%s%s %zu instances, %d workers%s%s\n"
		"replay: property_test %llu\n",
		(unsigned long long)trial->seed, trial->options.api_faults,
		trial->options.driver_faults, trial->options.topology ? " topology," : "",
		trial->options.node_mode ? " nodes," : "", trial->options.ours ? " ours," : "",
		trial->wanted.eager ? " eager," : "", trial->wanted.count, trial->wanted.workers,
		trial->restarts ? ", restarts" : "", trial->cuts ? ", cuts" : "",
		(unsigned long long)trial->seed);
	fputs(schedule_story(trial->schedule), out);
	fputs(log, out);
}

/* What came out wrong, "" if nothing. Caller frees. */
static char *run(struct trial *trial)
{
	_cleanup_free_ char *waited = NULL, *wrong = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool lost;

	trial->instances = instances_new(trial->schedule, &trial->wanted);
	schedule_run(trial->schedule);
	waited = schedule_wait(trial->schedule, instances_are_idle, trial->instances);
	lost = instances_lost(trial->instances);
	instances_free(trial->instances);
	wrong = schedule_check(trial->schedule);
	if (*waited)
		fprintf(out, "after a minute:\n%s", waited);
	if (*wrong)
		fprintf(out, "at the end:\n%s", wrong);
	check_manners(out, trial, lost);
	fclose(out);
	return text;
}

/* Whether the schedule of SEED ended as it should. */
static bool try_seed(uint64_t seed, bool alone)
{
	_cleanup_free_ char *wrong = NULL;
	struct trial trial;

	plan(&trial, seed);
	trial.schedule = schedule_new(&trial.options);
	wrong = run(&trial);
	if (*wrong || alone) {
		describe(stderr, &trial);
		fputs(wrong, stderr);
	}
	schedule_free(trial.schedule);
	return !*wrong;
}

/* Every PROCESSESth seed, from the one of NUMBER on: whether all went well. */
static bool try_share(uint64_t number)
{
	int failures = 0;

	for (uint64_t i = number; i < seed_count && failures < FAILURES_MAX; i += PROCESSES)
		failures += !try_seed(first_seed + i, false);
	return !failures;
}

static void test_schedules(void **state)
{
	pid_t children[PROCESSES];
	int status, failures = 0;

	(void)state;
	fflush(NULL);
	for (unsigned int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			exit(try_share(i) ? 0 : 1);
		}
	}
	for (unsigned int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		failures += status != 0;
	}
	assert_int_equal(failures, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_schedules)};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 10);
	if (argc > 1)
		seed_count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (seed_count == 1) {
		log_init(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
		return try_seed(first_seed, true) ? 0 : 1;
	}
	log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
