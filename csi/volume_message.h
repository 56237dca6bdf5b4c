/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume as CSI's messages show it: the Volume of CreateVolume, ListVolumes and
 * ControllerGetVolume, and how it fares.
 */
#ifndef ORDINAL_VOLUME_MESSAGE_H
#define ORDINAL_VOLUME_MESSAGE_H

#include "csi.pb-c.h"
#include "driver.h"

#define VOLUME_CONTEXT_MAX 8

/* All that .volume points to; it must not be moved. */
struct volume_message {
	Csi__V1__Volume volume;
	char *path, *predecessor;
	Csi__V1__Volume__VolumeContextEntry entries[VOLUME_CONTEXT_MAX];
	Csi__V1__Volume__VolumeContextEntry *context[VOLUME_CONTEXT_MAX];
	Csi__V1__Topology__SegmentsEntry segment, *segments[1];
	Csi__V1__Topology topology, *topologies[1];
	Csi__V1__VolumeContentSource source;
	Csi__V1__VolumeContentSource__VolumeSource source_volume;
	Csi__V1__VolumeContentSource__SnapshotSource source_snapshot;
};

/* Fill *RET; VOLUME and DRIVER are borrowed for as long. Caller calls volume_message_done(). */
void volume_message_init(
	struct volume_message *ret, const struct driver *driver, const struct volume *volume);
void volume_message_done(struct volume_message *message);

/* How a volume fares. *RET points into REASON, which the caller has. */
void volume_message_condition(struct driver *driver, const struct volume *volume,
	Csi__V1__VolumeCondition *ret, struct error *reason);

#endif
