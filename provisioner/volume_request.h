/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver is asked for on behalf of one claim, as a value that outlives the claim and its
 * class: in the journal it outlives the process, too, so that whoever comes next can ask for just
 * the same again.
 */
#ifndef ORDINAL_VOLUME_REQUEST_H
#define ORDINAL_VOLUME_REQUEST_H

#include "controller.h"
#include "ordinals.h"
#include "secrets.h"

/* Shared, and never changed once it is. */
struct volume_request {
	int refs; /* atomic */
	char *claim_uid, *claim_namespace, *claim_name;
	char *name; /* of the volume, for the driver */
	int64_t required_bytes;
	struct string_map parameters, mutable_parameters;
	struct strings access_modes, mount_options;
	char *fs_type; /* "" where the class does not say */
	bool block;
	struct csi_topologies requisite, preferred; /* both empty: anywhere */
	char *source_volume, *source_snapshot;      /* handles of what it is a copy of, or NULL */
	struct secret_reference secret;             /* of the provisioner */
	struct place place;                         /* without a name where there is none */
};

/* An empty one for CLAIM. */
struct volume_request *volume_request_new(const struct claim *claim, const char *name);

/* One more reference, or one less; the last one frees. NULL is ignored by both. */
struct volume_request *volume_request_ref(struct volume_request *request);
void volume_request_unref(struct volume_request *request);
DEFINE_CLEANUP(struct volume_request *, volume_request_unref);

/* REQUEST as a line of JSON. The secret's contents are not in it. Caller frees. */
char *volume_request_encode(const struct volume_request *request);

/* NULL with ERROR_INVALID for what volume_request_encode() does not write. Caller unrefs. */
struct volume_request *volume_request_decode(const char *text, struct error *err);

/* What the secret of REQUEST holds, empty where it has none. It is read before the driver is asked
 * for anything, so that its absence never looks like an answer of the driver: ERROR_UNAVAILABLE.
 * Caller wipes with string_map_wipe(). */
int volume_request_secret(const struct volume_request *request, const struct controller *controller,
	struct string_map *ret_secret, struct error *err);

/* Ask the driver. On success csi_volume_done() is due for *RET_VOLUME, whose size is set. A driver
 * that gives less than it was asked for, or an empty volume where a copy was asked for, has its
 * volume deleted again: ERROR_OUT_OF_RANGE, or ERROR_ABORTED where that failed too. */
int volume_request_send(const struct volume_request *request, const struct controller *controller,
	const struct string_map *secret, struct csi_volume *ret_volume, struct error *err);

/* Whether the driver says, by failing so, that there is no volume (external-provisioner's
 * checkError). After any other answer it may still be at work. */
bool volume_request_is_final(enum error_kind kind);

/* Have the driver delete what it made of REQUEST, if anything, but not the volume KEEP (a handle,
 * or NULL). Only asking again tells its handle. */
int volume_request_undo(const struct volume_request *request, const struct controller *controller,
	const char *keep, struct error *err);

#endif
