/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NodePublishVolume asked for in few words. Checks fail the running cmocka test.
 */
#ifndef ORDINAL_TEST_PUBLISHING_H
#define ORDINAL_TEST_PUBLISHING_H

#include "fixture.h"

enum publishing_mode {
	WRITER = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_WRITER,
	READER = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_READER_ONLY,
	SINGLE_WRITER = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_SINGLE_WRITER,
	MULTI_WRITER = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__SINGLE_NODE_MULTI_WRITER,
	SHARED_READER = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_READER_ONLY,
	SHARED_SINGLE = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_SINGLE_WRITER,
	SHARED_WRITER = CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__MODE__MULTI_NODE_MULTI_WRITER,
};

/* What is zero or NULL is as most tests want it. */
struct publishing {
	const char *id, *target;
	const char *flags[4];
	bool readonly, no_capability, block;
	enum publishing_mode mode; /* WRITER */
};

/* A request with all that it points to. */
struct publishing_request {
	Csi__V1__VolumeCapability__AccessMode mode;
	Csi__V1__VolumeCapability__MountVolume mount_volume;
	Csi__V1__VolumeCapability__BlockVolume block;
	Csi__V1__VolumeCapability capability;
	Csi__V1__NodePublishVolumeRequest request;
};

/* Fill CALL, which borrows from PUBLISHING; send it; and both. What the driver answers. */
void publishing_fill(struct publishing_request *call, const struct publishing *publishing);
struct error publishing_send(struct fixture *fixture, const struct publishing_request *call);
struct error publishing_try(struct fixture *fixture, const struct publishing *publishing);

/* The same, and fail the test unless it gives KIND, and a text that holds TEXT. */
void publishing_expect(struct fixture *fixture, const struct publishing *publishing,
	enum error_kind kind, const char *text);

#endif
