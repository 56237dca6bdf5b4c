/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume id holds: `1:<hash of the name>:<server>:<share>`, and `//<mount options>` where
 * the server is not reached without them. It says where the volume's record is, without any state
 * outside that place. A snapshot's begins with `a:`, and its hash is that of an archive. Pure
 * functions.
 */
#ifndef ORDINAL_VOLUME_ID_H
#define ORDINAL_VOLUME_ID_H

#include <stdbool.h>

#include "error.h"
#include "mount_options.h"

/* 132 bits of SHA-256 in the URL's base64: a name for files and ids that no two names share. */
#define VOLUME_HASH_LENGTH 22

/* What CSI allows a volume id to be. */
#define VOLUME_ID_MAX 128

struct volume_hash {
	char text[VOLUME_HASH_LENGTH + 1];
};

struct volume_id {
	struct volume_hash hash;
	char server[VOLUME_ID_MAX + 1]; /* empty for a host path */
	char share[VOLUME_ID_MAX + 1];  /* the export, or the base directory on the node */
	char options[MOUNT_OPTIONS_MAX +
		     1]; /* as mount_options_reaching() has them; mostly empty */
};

bool volume_hash_equal(const struct volume_hash *a, const struct volume_hash *b);

/* The hash of a CSI volume name. */
void volume_id_hash(const char *name, struct volume_hash *ret_hash);

/* Write ID as text. ERROR_INVALID, in words for the author of the StorageClass, when it would be
 * longer than CSI allows or SERVER holds ":/". */
int volume_id_format(
	const struct volume_id *id, char ret_text[VOLUME_ID_MAX + 1], struct error *err);

/* Read TEXT. ERROR_NOT_FOUND for anything that volume_id_format() does not write: no volume of
 * ours can have such an id. */
int volume_id_parse(const char *text, struct volume_id *ret_id, struct error *err);

/* The same of snapshots; and whether TEXT looks like the id of one. */
int volume_id_format_snapshot(
	const struct volume_id *id, char ret_text[VOLUME_ID_MAX + 1], struct error *err);
int volume_id_parse_snapshot(const char *text, struct volume_id *ret_id, struct error *err);
bool volume_id_is_snapshot(const char *text);

#endif
