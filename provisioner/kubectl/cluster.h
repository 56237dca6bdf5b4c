/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster that a command is about: its API server, and lists of what it has.
 */
#ifndef ORDINAL_KUBECTL_CLUSTER_H
#define ORDINAL_KUBECTL_CLUSTER_H

#include "arguments.h"
#include "rest_client.h"

struct cluster {
	struct kube_config *config;
	struct rest_client *client;
	struct kube_api api;
	const char *namespace; /* that was asked for, or is the context's; "" for all of them */
};

/* Connecting is lazy: this fails only without a usable kubeconfig. ARGUMENTS must outlive it. */
int cluster_open(struct cluster *ret_cluster, const struct arguments *arguments, struct error *err);
void cluster_close(struct cluster *cluster);

/* All items of the collection at PATH, of one moment, as an array. Caller puts. */
int cluster_list(const struct kube_api *api, const char *path, struct json_object **ret_items,
	struct error *err);

/* The path of the collection PLURAL of PREFIX ("/apis/apps/v1"), in NAMESPACE or, where that is "",
 * in all. Caller frees. */
char *cluster_path(const char *prefix, const char *namespace, const char *plural);

#endif
