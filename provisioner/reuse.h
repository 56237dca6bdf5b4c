/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reuse of volumes, for classes with reuse: ordinal: a claim of a StatefulSet gets the volume that
 * an earlier claim of the same namespace, set, template and ordinal left, where its reclaim policy
 * is Retain. What is left without a PersistentVolume, archived or retained by the driver, is for
 * the driver to find.
 */
#ifndef ORDINAL_REUSE_H
#define ORDINAL_REUSE_H

#include "provisioning.h"

/* Bind the Released volume of that place to the claim, the newest where there are several.
 * *RET_SERVED says whether there is nothing to make: it is bound, or was before. Errors, none of
 * which changed anything: ERROR_ABORTED while the place's volume is still on its way to be released
 * or deleted, ERROR_FAILED_PRECONDITION where the claim does not fit the volume and must be changed
 * by its owner; ERROR_CONFLICT where somebody else was quicker. Any thread may call. */
int reuse_volume(const struct controller *controller, const struct provisioning *provisioning,
	bool *ret_served, struct error *err);

/* Tell the claim's user whose data VOLUME, which the driver made for it, has taken up, if any. */
void reuse_report(const struct controller *controller, const struct provisioning *provisioning,
	const struct csi_volume *volume);

#endif
