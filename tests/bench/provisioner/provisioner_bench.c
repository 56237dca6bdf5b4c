/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "figures.h"
#include "flags.h"
#include "measure.h"
#include "stack.h"
#include "supervisor.h"

#define PROGRAM "provisioner_bench"

enum only { ONLY_ALL, ONLY_RATES, ONLY_LATENCY, ONLY_POPULATION };

static const char *dir;
static int only;
static bool throwaway;
static struct bench bench = {
	.provisioner = "build/ordinal-provisioner",
	.driver = "build/ordinal-csi",
	.claims = 1000,
	.rounds = 3,
	.objects = 20000,
	.latency_claims = 50,
};

static const struct flag flags[] = {
	{"kubeconfig", FLAG_STRING, &bench.kubeconfig, "The cluster to measure on. Required.", 0, 0,
		NULL},
	{"provisioner", FLAG_STRING, &bench.provisioner,
		"The program to measure. Default build/ordinal-provisioner.", 0, 0, NULL},
	{"driver", FLAG_STRING, &bench.driver, "Its driver. Default build/ordinal-csi.", 0, 0,
		NULL},
	{"dir", FLAG_STRING, &dir, "Directory that volumes are made below. Default build.", 0, 0,
		NULL},
	{"claims", FLAG_INT, &bench.claims, "Claims of a burst. Default 1000.", 10, 100000, NULL},
	{"rounds", FLAG_INT, &bench.rounds,
		"How often the provisioner and what it is compared with take turns. Default 3.", 1,
		MEASURE_ROUNDS_MAX, NULL},
	{"objects", FLAG_INT, &bench.objects,
		"Claims, and volumes, of the large population. Default 20000.", 100, 1000000, NULL},
	{"only", FLAG_CHOICE, &only, "Which figures. Default all.", 0, 0,
		"all|rates|latency|population"},
	{"throwaway", FLAG_BOOL, &throwaway,
		"The cluster ends after this: what was made there is left.", 0, 0, NULL},
	{0},
};

static bool wanted(enum only figure)
{
	return only == ONLY_ALL || only == (int)figure;
}

static void measure_all(void *context)
{
	(void)context;
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	cluster_open(&bench.cluster, bench.kubeconfig);
	cluster_prepare(&bench.cluster);
	bench.watcher = watcher_new(&bench.cluster, (unsigned long)bench.claims);
	if (wanted(ONLY_RATES))
		rates_measure(&bench);
	if (wanted(ONLY_LATENCY))
		latency_measure(&bench);
	if (wanted(ONLY_POPULATION))
		population_measure(&bench);
	watcher_free(bench.watcher);
	if (!throwaway)
		cluster_clean(&bench.cluster);
	cluster_close(&bench.cluster);
}

/* Whether the provisioner's help tells of a flag. */
static bool knows(const char *flag)
{
	_cleanup_free_ char *command = NULL;
	char line[512];
	bool found = false;
	FILE *help;

	if (asprintf(&command, "'%s' --help", bench.provisioner) < 0)
		abort();
	help = popen(command, "re");
	while (help && fgets(line, sizeof(line), help))
		found = found || strstr(line, flag);
	if (!help || pclose(help))
		failure_exit("run %s", command);
	return found;
}

int main(int argc, char **argv)
{
	int code;

	flags_parse(PROGRAM, "a benchmark of ordinal-provisioner", flags, argc, argv);
	if (!bench.kubeconfig)
		flags_reject(PROGRAM, flags, "kubeconfig", "is required");
	if (bench.latency_claims > bench.claims)
		bench.latency_claims = bench.claims;
	bench.knows_eager = knows("--eager");
	scratch_make(&bench.scratch, dir ? dir : "build");
	printf("Benchmark of %s, volumes on %s, %ld processors\n", bench.provisioner,
		bench.scratch.type, sysconf(_SC_NPROCESSORS_ONLN));
	code = supervisor_run(measure_all, NULL);
	if (code == 1)
		stack_show_logs(&bench);
	scratch_remove(&bench.scratch);
	return code;
}
