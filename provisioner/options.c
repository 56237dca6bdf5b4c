/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "flags.h"
#include "log.h"
#include "rpc_client.h"
#include "sweep.h"

#define PROGRAM "ordinal-provisioner"

/* With the defaults, until the command line was read. */
static struct options parsed = {
	.csi_address = "unix:///run/csi/socket",
	.volume_name_prefix = "pvc",
	.extra_create_metadata = true,
	.node_deployment_immediate_binding = true,
	.node_deployment_base_delay_ms = 20000,
	.node_deployment_max_delay_ms = 60000,
	.immediate_topology = true,
	.eager = true,
	.lease_duration_ms = 15000,
	.renew_deadline_ms = 10000,
	.retry_period_ms = 2000,
	.http_endpoint = "",
	.metrics_path = "/metrics",
	.sweep_interval_ms = 3600000,
	.sweep_grace_ms = SWEEP_GRACE_MS,
	.workers = 48,
	.timeout_ms = 10000,
	.retry_interval_start_ms = 1000,
	.retry_interval_max_ms = 300000,
	.log_format = LOG_FORMAT_TEXT,
	.log_level = LOG_LEVEL_INFO,
};

static const struct flag flags[] = {
	{"csi-address", FLAG_STRING, &parsed.csi_address,
		"The CSI driver's socket. Default unix:///run/csi/socket.", 0, 0, NULL},
	{"kubeconfig", FLAG_STRING, &parsed.kubeconfig,
		"How to reach the API server. Default $KUBECONFIG, else, in a pod, its "
		"service account.",
		0, 0, NULL},
	{"volume-name-prefix", FLAG_STRING, &parsed.volume_name_prefix,
		"PersistentVolumes are called PREFIX-<claim uid>. Default pvc.", 0, 0, NULL},
	{"extra-create-metadata", FLAG_BOOL, &parsed.extra_create_metadata,
		"Tell the driver the names of claim and volume. Default true.", 0, 0, NULL},
	{"node", FLAG_STRING, &parsed.node,
		"The node whose volumes this instance makes and deletes, where one runs "
		"beside the driver on each; those of others are left to theirs. Default: all.",
		0, 0, NULL},
	{"node-deployment", FLAG_BOOL, &parsed.node_deployment,
		"One instance on each node: each makes the volumes of claims whose selected "
		"node is its --node, or $NODE_NAME.",
		0, 0, NULL},
	{"node-deployment-immediate-binding", FLAG_BOOL, &parsed.node_deployment_immediate_binding,
		"Claims that no node is selected for are shared among the instances. "
		"Default true.",
		0, 0, NULL},
	{"node-deployment-base-delay", FLAG_DURATION, &parsed.node_deployment_base_delay_ms,
		"How long another instance waits for the one that should take such a claim. "
		"Default 20s.",
		0, 3600000, NULL},
	{"node-deployment-max-delay", FLAG_DURATION, &parsed.node_deployment_max_delay_ms,
		"How long the last of them waits. Default 60s.", 0, 3600000, NULL},
	{"strict-topology", FLAG_BOOL, &parsed.strict_topology,
		"A claim's selected node is all that the driver is told of the topology.", 0, 0,
		NULL},
	{"immediate-topology", FLAG_BOOL, &parsed.immediate_topology,
		"Tell the driver the cluster's topology also for claims without a selected "
		"node. Default true.",
		0, 0, NULL},
	{"workers", FLAG_INT, &parsed.workers,
		"Claims and volumes that are worked on at once, 1 to 256. Default 48.", 1, 256,
		NULL},
	{"timeout", FLAG_DURATION, &parsed.timeout_ms,
		"Deadline of each call to the driver. Default 10s.", 100, 3600000, NULL},
	{"retry-interval-start", FLAG_DURATION, &parsed.retry_interval_start_ms,
		"Wait after a first failure, doubling with each. Default 1s.", 10, 3600000, NULL},
	{"retry-interval-max", FLAG_DURATION, &parsed.retry_interval_max_ms,
		"Longest wait between two tries. Default 5m.", 10, 86400000, NULL},
	{"log-format", FLAG_CHOICE, &parsed.log_format, "Default text.", 0, 0, "text|json"},
	{"log-level", FLAG_CHOICE, &parsed.log_level, "Default info.", 0, 0,
		"debug|info|warn|error"},
	{"eager", FLAG_BOOL, &parsed.eager,
		"Make volumes of our own driver before the controller-manager has asked for "
		"them, where no volume that is there could serve the claim. Default true.",
		0, 0, NULL},
	{"leader-election", FLAG_BOOL, &parsed.leader_election,
		"Work only while this instance is the one that holds the Lease.", 0, 0, NULL},
	{"leader-election-namespace", FLAG_STRING, &parsed.leader_election_namespace,
		"Where the Lease and the journal of requests under way are. Default: the "
		"pod's namespace, or the kubeconfig's.",
		0, 0, NULL},
	{"leader-election-lease-duration", FLAG_DURATION, &parsed.lease_duration_ms,
		"How long others wait for a leader that is not heard of. Default 15s.", 1000,
		3600000, NULL},
	{"leader-election-renew-deadline", FLAG_DURATION, &parsed.renew_deadline_ms,
		"How long a leader goes on without a renewal. Default 10s.", 500, 3600000, NULL},
	{"leader-election-retry-period", FLAG_DURATION, &parsed.retry_period_ms,
		"Time between two renewals. Default 2s.", 100, 3600000, NULL},
	{"http-endpoint", FLAG_STRING, &parsed.http_endpoint,
		"Where metrics and health checks are served: HOST:PORT or :PORT. Default: "
		"nowhere.",
		0, 0, NULL},
	{"metrics-path", FLAG_STRING, &parsed.metrics_path,
		"Path of the metrics. Default /metrics.", 0, 0, NULL},
	{"status-page", FLAG_BOOL, &parsed.status_page,
		"Serve /status there, a page that shows the replicas of all StatefulSets and their "
		"volumes, and /status.json: to whoever reaches it.",
		0, 0, NULL},
	{"archives", FLAG_BOOL, &parsed.archives,
		"Serve /archives there, the data of deleted volumes, to be listed and deleted with "
		"kubectl ordinal archive: to who may list, and delete, persistentvolumes.",
		0, 0, NULL},
	{"sweep", FLAG_CHOICE, &parsed.sweep,
		"What is done about volumes of our own driver that nothing in this cluster "
		"knows any more (needs --extra-create-metadata). Default report.",
		0, 0, "report|archive|off"},
	{"sweep-interval", FLAG_DURATION, &parsed.sweep_interval_ms,
		"Time between two looks for such volumes; 0s: never. Default 1h.", 0, 86400000,
		NULL},
	{"sweep-grace", FLAG_DURATION, &parsed.sweep_grace_ms,
		"How long a volume must have been unknown before it counts as one. Default "
		"10m.",
		0, 86400000, NULL},
	{.name = NULL},
};

static void check_address(const char *address)
{
	struct error err;

	if (rpc_client_check_endpoint(address, &err) < 0)
		flags_reject(PROGRAM, flags, "csi-address", err.text);
}

/* A PV's name is the prefix, a dash and a UID of 36 characters, and PV names are DNS names. */
static void check_prefix(const char *prefix)
{
	if (!*prefix || strlen(prefix) > 200 ||
		strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(prefix) ||
		*prefix == '-')
		flags_reject(PROGRAM, flags, "volume-name-prefix",
			"must be lower-case letters, digits and dashes");
}

static void check_node(struct options *options)
{
	if (options->node_deployment && !options->node)
		options->node = getenv("NODE_NAME");
	if (options->node && !*options->node)
		flags_reject(PROGRAM, flags, "node", "must be the name of a node");
	if (options->node_deployment && !options->node)
		flags_reject(PROGRAM, flags, "node-deployment",
			"needs the node's name: give --node=NAME, or set NODE_NAME from spec.nodeName");
	if (options->node_deployment_max_delay_ms < options->node_deployment_base_delay_ms)
		flags_reject(PROGRAM, flags, "node-deployment-max-delay",
			"is shorter than --node-deployment-base-delay");
}

static void check_lease(const struct options *options)
{
	if (options->renew_deadline_ms >= options->lease_duration_ms)
		flags_reject(PROGRAM, flags, "leader-election-renew-deadline",
			"must be shorter than --leader-election-lease-duration");
	if (options->retry_period_ms >= options->renew_deadline_ms / 2)
		flags_reject(PROGRAM, flags, "leader-election-retry-period",
			"must be shorter than half of --leader-election-renew-deadline");
}

static void check(struct options *options)
{
	check_address(options->csi_address);
	check_prefix(options->volume_name_prefix);
	check_node(options);
	check_lease(options);
	if (*options->metrics_path != '/')
		flags_reject(PROGRAM, flags, "metrics-path", "must begin with a slash");
	if (options->status_page && !*options->http_endpoint)
		flags_reject(PROGRAM, flags, "status-page", "needs --http-endpoint");
	if (options->archives && !*options->http_endpoint)
		flags_reject(PROGRAM, flags, "archives", "needs --http-endpoint");
	if (options->retry_interval_max_ms < options->retry_interval_start_ms)
		flags_reject(PROGRAM, flags, "retry-interval-max",
			"is shorter than --retry-interval-start");
}

void options_parse(struct options *options, int argc, char **argv)
{
	flags_parse(
		PROGRAM, "gives claims their volumes through any CSI driver", flags, argc, argv);
	check(&parsed);
	*options = parsed;
}
