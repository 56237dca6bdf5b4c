/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scripted_driver: the CSI driver of the tests as a program of its own, for tests that run
 * ordinal-provisioner itself. Prints a line for every call: METHOD SUBJECT RESULT; before it, where
 * they came with it, METHOD secrets KEY,KEY and METHOD source HANDLE.
 */
#include "scripted_driver.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "flags.h"

static struct scripted_rule rules[9];
static size_t rule_count;

static struct scripted_options options = {
	.name = "scripted.example.com", .capabilities = "controller,create-delete,list,expand"};
static const char *endpoint = "";
static bool node_expansion;
static struct flag_strings failures, crashes, losses;

static const struct flag flags[] = {
	{"endpoint", FLAG_STRING, &endpoint, "The socket to serve on: unix:///path/csi.sock.", 0, 0,
		NULL},
	{"name", FLAG_STRING, &options.name, "What GetPluginInfo says.", 0, 0, NULL},
	{"manifest", FLAG_STRING, &options.manifest, "The value of ordinal.dev/driver there.", 0, 0,
		NULL},
	{"caps", FLAG_STRING, &options.capabilities, "Capabilities, with commas between them.", 0,
		0, NULL},
	{"topology", FLAG_STRING, &options.topology, "KEY=VALUE, where all volumes are.", 0, 0,
		NULL},
	{"state", FLAG_STRING, &options.state_file, "The file that keeps the volumes.", 0, 0, NULL},
	{"delay-ms", FLAG_INT, &options.delay_ms, "Milliseconds before every answer.", 0, 600000,
		NULL},
	{"page-entries", FLAG_INT, &options.page_entries, "Volumes on a page of ListVolumes.", 0,
		100000, NULL},
	{"fail", FLAG_STRINGS, &failures,
		"METHOD:CODE:N, the first N calls fail with CODE, as gRPC numbers it; 0: all do.",
		0, 0, NULL},
	{"lose", FLAG_STRINGS, &losses, "The same, but what was asked for is done.", 0, 0, NULL},
	{"crash-after", FLAG_STRINGS, &crashes,
		"METHOD:N, do what the Nth call asks for, and end without an answer.", 0, 0, NULL},
	{"node-expansion", FLAG_BOOL, &node_expansion, "Nodes have to expand volumes, too.", 0, 0,
		NULL},
	{.name = NULL},
};

static void add_rule(
	const char *text, const char *format, const char *flag, enum scripted_answer answer)
{
	struct scripted_rule *rule = &rules[rule_count++];
	char method[64];
	int first, second = 0, read;

	if (rule_count >= ARRAY_SIZE(rules))
		flags_reject("scripted_driver", flags, flag, "is given too often");
	read = sscanf(text, "%63[^:]:%d:%d", method, &first, &second);
	if (read != (answer == SCRIPTED_CRASH ? 2 : 3))
		flags_reject("scripted_driver", flags, flag, format);
	*rule = (struct scripted_rule){.method = strdup(method), .answer = answer};
	if (answer == SCRIPTED_CRASH) {
		rule->after = first - 1;
		rule->count = 1;
	} else {
		rule->kind = error_kind_from_grpc(first);
		rule->count = second;
		rule->text = "the script says so";
	}
}

int main(int argc, char **argv)
{
	struct scripted_driver *driver;
	struct error err;
	sigset_t signals;
	int signal;

	flags_parse("scripted_driver", "A CSI driver for tests.", flags, argc, argv);
	for (int i = 0; i < failures.count; i++)
		add_rule(failures.values[i], "is METHOD:CODE:N", "fail", SCRIPTED_FAIL);
	for (int i = 0; i < losses.count; i++)
		add_rule(losses.values[i], "is METHOD:CODE:N", "lose", SCRIPTED_LOSE);
	for (int i = 0; i < crashes.count; i++)
		add_rule(crashes.values[i], "is METHOD:N", "crash-after", SCRIPTED_CRASH);
	if (node_expansion)
		rules[rule_count++] = (struct scripted_rule){
			"ControllerExpandVolume", .answer = SCRIPTED_NODE_TOO};
	if (strncmp(endpoint, "unix://", 7))
		flags_reject("scripted_driver", flags, "endpoint", "is unix:///path");
	options.socket_path = endpoint + 7;
	options.log = stdout;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (scripted_driver_start(&options, &driver, &err) < 0) {
		fprintf(stderr, "scripted_driver: %s\n", err.text);
		return 1;
	}
	scripted_driver_set(driver, rules, rule_count);
	puts("ready");
	fflush(stdout);
	sigwait(&signals, &signal);
	scripted_driver_stop(driver);
	return 0;
}
