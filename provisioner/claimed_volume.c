/* SPDX-License-Identifier: Apache-2.0 */
#include "claimed_volume.h"

#include <string.h>
#include <time.h>

#include "topology.h"

static bool is_ours(
	const struct controller *controller, const struct claim *claim, const struct volume *volume)
{
	return !volume->object.deleting && *volume->handle &&
	       !strcmp(volume->driver, controller->driver.info.name) && volume->resize.claim_uid &&
	       !strcmp(volume->resize.claim_uid, claim->object.uid) &&
	       topology_has_volume(controller, volume);
}

int claimed_volume_find(const struct controller *controller, const struct claim *claim,
	struct volume **ret_volume, struct error *err)
{
	_cleanup_object_ struct volume *volume = store_get(controller->volumes, claim->volume_name);

	if (!volume)
		return error_set(err, ERROR_NOT_FOUND, "persistentvolume %s is not there",
			claim->volume_name);
	*ret_volume = is_ours(controller, claim, volume) ? take_ptr(volume) : NULL;
	return 0;
}

int64_t claimed_volume_wait_ms(const struct controller *controller, int64_t failed_at)
{
	int64_t since = ((int64_t)time(NULL) - failed_at) * 1000;

	if (since < 0) /* by another's clock */
		since = 0;
	return since < controller->retry_max_ms ? controller->retry_max_ms - since : 0;
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
