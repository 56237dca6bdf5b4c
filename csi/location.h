/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A base directory as volume ids name it: an export of an NFS server, or a directory of the node.
 * Two spellings of one place become the same text here, so that no base is opened twice. Pure
 * functions.
 */
#ifndef ORDINAL_LOCATION_H
#define ORDINAL_LOCATION_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "mount_options.h"
#include "volume_id.h"

/* "[server]:/share" */
#define LOCATION_NAME_MAX (2 * VOLUME_ID_MAX + 4)

struct location {
	char server[VOLUME_ID_MAX + 1]; /* empty for a host path; IPv6 without brackets */
	char share[VOLUME_ID_MAX + 1];  /* absolute, without a slash at its end unless it is / */

	/* How to mount it, for mount.nfs; no part of its name. ANY_OPTIONS: a mount of it that is
	 * there will do, however it was mounted. */
	char options[MOUNT_OPTIONS_MAX + 1];
	bool any_options;
};

/* Set the server: a host name, which becomes lower case, or an address, in brackets or without.
 * ERROR_INVALID for anything else. */
int location_set_server(struct location *location, const char *server, struct error *err);

/* Set the share: absolute and without `..`; slashes at its end go. ERROR_INVALID otherwise. */
int location_set_share(struct location *location, const char *share, struct error *err);

/* Whether they are one export: another port is another server, where both say or imply one. */
bool location_equal(const struct location *a, const struct location *b);

/* As mount.nfs and messages have it: "server:/share", "[fd00::1]:/share"; a host path as it is. */
void location_name(const struct location *location, char ret[LOCATION_NAME_MAX + 1]);

/* Read "server:/share" from LENGTH bytes. */
int location_parse(struct location *location, const char *text, size_t length, struct error *err);

#endif
