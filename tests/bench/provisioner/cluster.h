/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster that is measured on: requests to it, which end the benchmark when they fail, and the
 * objects that every figure needs. The provisioner's own client makes the requests.
 */
#ifndef ORDINAL_BENCH_CLUSTER_H
#define ORDINAL_BENCH_CLUSTER_H

#include "rest_client.h"

#define CLUSTER_NAMESPACE "ordinal-bench"
#define CLUSTER_CLASS     "ordinal-bench"
#define CLUSTER_DRIVER    "bench.ordinal.dev"
#define CLUSTER_NODE      "ordinal-bench"
#define CLUSTER_THREADS   16 /* that make requests at once: the provisioner's default */

#define CLUSTER_CLAIMS  "/api/v1/namespaces/" CLUSTER_NAMESPACE "/persistentvolumeclaims"
#define CLUSTER_VOLUMES "/api/v1/persistentvolumes"
#define CLUSTER_SETS    "/apis/apps/v1/namespaces/" CLUSTER_NAMESPACE "/statefulsets"

struct cluster {
	const char *kubeconfig;
	struct kube_config *config;
	struct rest_client *client;
	struct kube_api api;
};

/* Connect by the file KUBECONFIG. */
void cluster_open(struct cluster *cluster, const char *kubeconfig);
void cluster_close(struct cluster *cluster);

/* Make namespace, class, node and what the driver would tell of the node, after removing whatever
 * an earlier run has left. */
void cluster_prepare(const struct cluster *cluster);

/* Remove all that benchmarks make, and wait until it is gone. */
void cluster_clean(const struct cluster *cluster);

/* Remove the StatefulSet PATH and all pods. */
void cluster_remove_pods(const struct cluster *cluster, const char *path);

/* POST the JSON that FORMAT makes. Any thread may call these. */
void cluster_post(const struct cluster *cluster, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* PATCH PATH with the merge patch PATCH. */
void cluster_patch(const struct cluster *cluster, const char *path, const char *patch);

/* DELETE what the path is that FORMAT makes; false where there is nothing. */
bool cluster_delete(const struct cluster *cluster, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The continue token of a page of a list, NULL for the last. Caller frees. */
char *cluster_continue(struct json_object *list);

/* GET PATH. NULL where there is nothing. Caller puts. */
struct json_object *cluster_get(const struct cluster *cluster, const char *path);

#endif
