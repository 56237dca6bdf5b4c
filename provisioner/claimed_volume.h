/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What growing a claim's volume and giving it other attributes have in common. Any thread may call.
 */
#ifndef ORDINAL_CLAIMED_VOLUME_H
#define ORDINAL_CLAIMED_VOLUME_H

#include "controller.h"

/* The volume that CLAIM names; *RET_VOLUME is NULL where it is not CLAIM's, not of the driver of
 * CONTROLLER, or not for this instance to change. ERROR_NOT_FOUND where the cache has none. Caller
 * unrefs. */
int claimed_volume_find(const struct controller *controller, const struct claim *claim,
	struct volume **ret_volume, struct error *err);

/* Milliseconds from now until what was found impossible at the time FAILED_AT, in seconds since
 * 1970, is tried again: as late as anything is. */
int64_t claimed_volume_wait_ms(const struct controller *controller, int64_t failed_at);

/* Whether the driver has ended its work for sure when it answers a change with an error of KIND.
 * Unlike a new volume, one that changes may do so later, when there is room. */
bool claimed_volume_is_final(enum error_kind kind);

#endif
