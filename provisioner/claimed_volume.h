/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What growing a claim's volume and giving it other attributes have in common. Any thread may call.
 */
#ifndef ORDINAL_CLAIMED_VOLUME_H
#define ORDINAL_CLAIMED_VOLUME_H

#include "controller.h"

/* Whether VOLUME is CLAIM's, of the driver of CONTROLLER, and for this instance to change. */
bool claimed_volume_is_ours(const struct controller *controller, const struct claim *claim,
	const struct volume *volume);

/* Whether the driver has ended its work for sure when it answers a change with an error of KIND.
 * Unlike a new volume, one that changes may do so later, when there is room. */
bool claimed_volume_is_final(enum error_kind kind);

#endif
