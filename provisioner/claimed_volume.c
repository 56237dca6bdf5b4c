/* SPDX-License-Identifier: Apache-2.0 */
#include "claimed_volume.h"

#include <string.h>

#include "topology.h"

bool claimed_volume_is_ours(
	const struct controller *controller, const struct claim *claim, const struct volume *volume)
{
	return !volume->object.deleting && *volume->handle &&
	       !strcmp(volume->driver, controller->driver.info.name) && volume->resize.claim_uid &&
	       !strcmp(volume->resize.claim_uid, claim->object.uid) &&
	       topology_has_volume(controller, volume);
}

bool claimed_volume_is_final(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CANCELLED:
	case ERROR_TIMEOUT:
	case ERROR_UNAVAILABLE:
	case ERROR_EXHAUSTED:
	case ERROR_ABORTED:
		return false;
	default:
		return true;
	}
}
