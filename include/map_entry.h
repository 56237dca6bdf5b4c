/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry of a CSI map<string, string>. protobuf-c generates a type of its own for every map;
 * they all have this shape, so that one function can read or make any of them.
 */
#ifndef ORDINAL_MAP_ENTRY_H
#define ORDINAL_MAP_ENTRY_H

#include <assert.h>
#include <stddef.h>

#include "csi.pb-c.h"

struct map_entry {
	ProtobufCMessage base;
	char *key;
	char *value;
};
static_assert(sizeof(struct map_entry) == sizeof(Csi__V1__Topology__SegmentsEntry) &&
		      offsetof(struct map_entry, key) ==
			      offsetof(Csi__V1__Topology__SegmentsEntry, key) &&
		      offsetof(struct map_entry, value) ==
			      offsetof(Csi__V1__Topology__SegmentsEntry, value),
	"map entries as generated");

#endif
