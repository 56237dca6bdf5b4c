/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives one claim's volume the VolumeAttributesClass that the claim names, by the rules of
 * external-resizer. As with growth, all that has to be known later is in the claim's status.
 */
#ifndef ORDINAL_MODIFY_CONTROLLER_H
#define ORDINAL_MODIFY_CONTROLLER_H

#include "controller.h"

/* Sync the claim with this UID. 0 when nothing is left to do now; then it should be called again in
 * *RET_AGAIN_MS milliseconds, if that is not 0. -1 when it has to be tried again, with the reason
 * for the log (the user has been told by an event). Many threads may sync, but no two the same
 * claim. */
int modify_controller_sync(const struct controller *controller, const char *claim_uid,
	int64_t *ret_again_ms, struct error *err);

/* Whether the step from OLD, NULL for a new claim, to NEW is a reason to sync. Our own patches are
 * none, as in resize_controller.h. */
bool modify_controller_concerns(const struct claim *old, const struct claim *new);

/* The same of a volume, for its claim: somebody else has given it another class. */
bool modify_controller_concerns_volume(
	const struct controller *controller, const struct volume *old, const struct volume *new);

#endif
