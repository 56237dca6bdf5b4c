/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings one claim a step nearer to its volume: whether it should be provisioned, by the rules of
 * sig-storage-lib and external-provisioner; the volume; and the PersistentVolume bound to it.
 */
#ifndef ORDINAL_CLAIM_CONTROLLER_H
#define ORDINAL_CLAIM_CONTROLLER_H

#include "controller.h"

struct claim_controller;

/* CONTROLLER must outlive it. Caller frees. */
struct claim_controller *claim_controller_new(const struct controller *controller);
void claim_controller_free(struct claim_controller *claims);
DEFINE_CLEANUP(struct claim_controller *, claim_controller_free);

/* Sync the claim with this UID. 0 when nothing is left to do now, or, where *RET_AGAIN_MS is not 0,
 * nothing before that time is over; -1 when it has to be tried again, with the reason for the log
 * (the user has been told by an event). Many threads may sync, but no two the same claim. */
int claim_controller_sync(
	struct claim_controller *claims, const char *uid, int64_t *ret_again_ms, struct error *err);

#endif
