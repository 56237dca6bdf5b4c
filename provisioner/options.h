/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of ordinal-provisioner, named as csi-provisioner names them where they mean the same.
 */
#ifndef ORDINAL_OPTIONS_H
#define ORDINAL_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *csi_address;
	const char *kubeconfig; /* NULL: $KUBECONFIG, or the service account */
	const char *volume_name_prefix;
	bool extra_create_metadata;
	const char *node;     /* NULL: the driver's volumes are ours wherever they are */
	bool node_deployment; /* node is set */
	bool node_deployment_immediate_binding;
	int node_deployment_base_delay_ms;
	int node_deployment_max_delay_ms;
	bool strict_topology;
	bool immediate_topology;
	bool eager;
	bool leader_election;
	const char *leader_election_namespace; /* NULL: the pod's, or the kubeconfig's */
	int lease_duration_ms, renew_deadline_ms, retry_period_ms;
	const char *http_endpoint; /* "": none */
	const char *metrics_path;
	bool status_page;
	bool archives;
	int sweep; /* enum sweep_mode */
	int sweep_interval_ms, sweep_grace_ms;
	int workers;
	int timeout_ms;
	int retry_interval_start_ms;
	int retry_interval_max_ms;
	int log_format; /* enum log_format */
	int log_level;  /* enum log_level */
};

/* Read the command line. Prints what is wrong and exits 2 where it cannot be understood. */
void options_parse(struct options *options, int argc, char **argv);

#endif
