/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kube-controller-manager and the scheduler do to claims and volumes: annotate claims for
 * their provisioner, choose nodes, match and bind volumes, release them, and take the protecting
 * finalizers away. It writes as those do: one field at a time, from a cache, with the
 * resourceVersion as a precondition.
 *
 * Either it is stepped, which is as deterministic as its caller, or it runs in a thread.
 */
#ifndef ORDINAL_TESTS_CONTROLLER_MANAGER_H
#define ORDINAL_TESTS_CONTROLLER_MANAGER_H

#include "api_objects.h"

struct controller_manager_options {
	uint64_t seed;     /* of the choice of nodes, and of when they are chosen */
	bool no_scheduler; /* the test sets volume.kubernetes.io/selected-node itself */
};

struct controller_manager;

/* OBJECTS must outlive it. OPTIONS may be NULL. Caller frees. */
struct controller_manager *controller_manager_new(
	struct api_objects *objects, const struct controller_manager_options *options);

/* Ends the thread, if there is one. */
void controller_manager_free(struct controller_manager *manager);
DEFINE_CLEANUP(struct controller_manager *, controller_manager_free);

/* Look at what changed, and write at most once to each object; whether anything was written. */
bool controller_manager_step(struct controller_manager *manager);

/* Step until nothing is left to do. */
void controller_manager_settle(struct controller_manager *manager);

/* From now on do so by itself, in a thread. */
void controller_manager_start(struct controller_manager *manager);

#endif
