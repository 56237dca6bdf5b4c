/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the controllers work with: the caches, the API server, the driver, and the events' recorder.
 * All of it outlives them, and each part may be used by many threads at once.
 */
#ifndef ORDINAL_CONTROLLER_H
#define ORDINAL_CONTROLLER_H

#include "csi_client.h"
#include "events.h"
#include "rest_client.h"
#include "store.h"

/* Finalizer of external-provisioner, kept in step with it: the volume's data are ours to delete
 * before the PV object may go (enhancements#2644, HonorPVReclaimPolicy). */
#define VOLUME_FINALIZER "external-provisioner.volume.kubernetes.io/finalizer"

struct journal;
struct metrics;
struct ordinals;
struct ownership;
struct recent;

struct controller {
	struct kube_api api;
	struct csi_driver driver;
	struct event_recorder *events;
	struct store *claims, *volumes, *classes, *sets, *nodes, *csi_nodes;
	struct ordinals *ordinals;
	const char *volume_name_prefix;
	bool extra_create_metadata;
	const char *cluster_uid; /* UID of namespace kube-system; NULL: not told */
	bool strict_topology;    /* a claim with a selected node gets its topology alone */
	bool immediate_topology; /* one without gets those of the cluster */
	bool eager; /* claims of our own classes need not be annotated, see claim_controller.c */
	const char *node; /* whose volumes are ours, where every node has its own; NULL: all */
	struct ownership *ownership; /* of claims without a node, in node deployment; else NULL */
	struct journal *journal;
	struct recent *served;   /* claims, whose volume a cache may not have yet; NULL: not kept */
	struct recent *deleted;  /* volumes, with their data; NULL: not kept */
	struct metrics *metrics; /* or NULL */
	const size_t *unclaimed; /* how many volumes nobody has claimed, atomic; NULL: not known */
	int retry_max_ms;        /* between two tries of what looks hopeless */
};

#endif
