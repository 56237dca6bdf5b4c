/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of CSI's Controller service from plain structs, and back. What a driver answered is
 * checked here: sizes and counts are its choice.
 */
#ifndef ORDINAL_CSI_MESSAGES_H
#define ORDINAL_CSI_MESSAGES_H

#include "csi.pb-c.h"
#include "csi_client.h"

/* Everything that a request is built of, freed at once. Starts zeroed. The strings are borrowed
 * from what the request was built from. */
struct csi_parts {
	struct csi_part *first;
};

void csi_messages_done(struct csi_parts *parts);
#define _cleanup_parts_ _cleanup_(csi_messages_done)

/* NEWER_MODES: the driver knows the newer single-node access modes. */
const ProtobufCMessage *csi_messages_create(
	struct csi_parts *parts, const struct csi_create_request *request, bool newer_modes);
const ProtobufCMessage *csi_messages_expand(
	struct csi_parts *parts, const struct csi_expand_request *request, bool newer_modes);

/* MAP, which may be NULL, as the array of pointers to entries of TYPE that protobuf-c wants. */
void *csi_messages_entries(struct csi_parts *parts, const struct string_map *map,
	const ProtobufCMessageDescriptor *type, size_t *ret_count);

/* What the driver says of a volume. ERROR_ABORTED for what cannot be one. On success
 * csi_volume_done() is due for *RET_VOLUME. */
int csi_messages_read_volume(
	const Csi__V1__Volume *message, struct csi_volume *ret_volume, struct error *err);

/* The same of a snapshot, with csi_snapshot_done(). */
int csi_messages_read_snapshot(
	const Csi__V1__Snapshot *message, struct csi_snapshot *ret_snapshot, struct error *err);

#endif
