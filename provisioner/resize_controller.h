/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings one claim's volume a step nearer to the size that the claim asks for, by the rules of
 * external-resizer. All that has to be known later is in the claim's status, so that the next
 * leader goes on where this one ended.
 */
#ifndef ORDINAL_RESIZE_CONTROLLER_H
#define ORDINAL_RESIZE_CONTROLLER_H

#include "controller.h"

/* Sync the claim with this UID. 0 when nothing is left to do now; then it should be called again in
 * *RET_AGAIN_MS milliseconds, if that is not 0. -1 when it has to be tried again, with the reason
 * for the log (the user has been told by an event). Many threads may sync, but no two the same
 * claim. */
int resize_controller_sync(const struct controller *controller, const char *claim_uid,
	int64_t *ret_again_ms, struct error *err);

/* Whether the step from OLD, NULL for a new claim, to NEW is a reason to sync. Our own patches are
 * none: with them a failing claim would be tried again at once, over and over. */
bool resize_controller_concerns(const struct claim *old, const struct claim *new);

#endif
