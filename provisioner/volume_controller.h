/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings one PersistentVolume a step nearer to its end: the finalizer that keeps its object until
 * its data are gone, and the deletion of what was released with reclaim policy Delete.
 */
#ifndef ORDINAL_VOLUME_CONTROLLER_H
#define ORDINAL_VOLUME_CONTROLLER_H

#include "controller.h"

/* Sync the volume called NAME. 0 when nothing is left to do now; -1 when it has to be tried again,
 * with the reason for the log (the user has been told by an event). Many threads may sync, but no
 * two the same volume. */
int volume_controller_sync(
	const struct controller *controller, const char *name, struct error *err);

/* Whether a sync would do anything about VOLUME: with most of what happens to volumes we have
 * nothing to do. The driver must be known. Any thread may ask. */
bool volume_controller_concerns(const struct controller *controller, const struct volume *volume);

/* The PersistentVolume called NAME as the API server has it now; *RET_VOLUME is NULL where there is
 * none. Caller unrefs. */
int volume_controller_get(const struct controller *controller, const char *name,
	struct volume **ret_volume, struct error *err);

#endif
