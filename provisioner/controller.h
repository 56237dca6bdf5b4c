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

struct controller {
	struct kube_api api;
	struct csi_driver driver;
	struct event_recorder *events;
	struct store *claims, *volumes, *classes, *sets, *nodes;
	const char *volume_name_prefix;
	bool extra_create_metadata;
	const char *cluster_uid; /* UID of namespace kube-system; NULL: not told */
	const char *node; /* whose volumes are ours, where every node has its own; NULL: all */
};

#endif
