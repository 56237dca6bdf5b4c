/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a claim's volume is to begin with: a copy of another claim's volume, or of a snapshot, by
 * external-provisioner's rules. A claim is kept by a finalizer while its volume is copied.
 */
#ifndef ORDINAL_DATA_SOURCE_H
#define ORDINAL_DATA_SOURCE_H

#include "controller.h"

enum data_source_kind {
	DATA_SOURCE_NONE,
	DATA_SOURCE_CLAIM,
	DATA_SOURCE_SNAPSHOT,
	DATA_SOURCE_OTHER, /* a volume populator's, which makes the volume itself */
};

/* What CLAIM has as its data source: the kind counts only with its API group. */
enum data_source_kind data_source_kind(const struct claim *claim);

/* The driver's handle of the source; at most one is set. That of a snapshot also comes from the
 * annotation ordinal.dev/restore-from, which our own driver alone may be given. */
struct data_source {
	char *volume_handle;
	char *snapshot_handle;
};

/* Find CLAIM's source, and see that a volume of REQUIRED_BYTES can be made from it; another claim
 * then carries the finalizer. Neither is set for the kinds NONE and OTHER. ERROR_INVALID and
 * ERROR_FAILED_PRECONDITION say what the user has to mend; ERROR_UNAVAILABLE that the source is
 * not there or not ready yet; other errors are the API server's and pass. The driver was not
 * called. On success data_source_done() is due for *RET. */
int data_source_resolve(const struct controller *controller, const struct claim *claim,
	int64_t required_bytes, struct data_source *ret, struct error *err);
void data_source_done(struct data_source *source);

/* To be called for each CLAIM that is cloning_protected: take the finalizer away when no claim
 * without a volume has it as its source any more. Claims whose volumes are another driver's are
 * left alone. ERROR_UNAVAILABLE where CLAIM is to be deleted but still in use: try again later. */
int data_source_sync_protection(
	const struct controller *controller, const struct claim *claim, struct error *err);

/* To be called when CLONE, whatever its data source is, has got its PersistentVolume: do the same
 * for the claim that it was copied from, without waiting for CLONE to be bound. */
int data_source_release(
	const struct controller *controller, const struct claim *clone, struct error *err);

#endif
