/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a class' mountOptions say: flags of the volume's own bind mount, and, for NFS, how the
 * export is mounted. Options that are not known are refused: some would change what mount.nfs does.
 * Pure functions.
 */
#ifndef ORDINAL_MOUNT_OPTIONS_H
#define ORDINAL_MOUNT_OPTIONS_H

#include "error.h"

#define MOUNT_OPTIONS_MAX 512

struct mount_options {
	unsigned long flags; /* MS_…, of the bind */
	char text[MOUNT_OPTIONS_MAX +
		  1]; /* of the export, in mount.nfs' words: "hard,nfsvers=4.1" */
};

/* Add one option of a host path volume, or, separated by commas, those of one on NFS.
 * ERROR_INVALID, with a list, where they cannot be. */
int mount_options_add_bind(const char *option, struct mount_options *options, struct error *err);
int mount_options_add_nfs(const char *option, struct mount_options *options, struct error *err);

/* Those of OPTIONS, the text of an export, without which its server may not be reached at all, or
 * another one would be: version, ports, transport, security and whether there are locks. */
void mount_options_reaching(const char *options, char ret[MOUNT_OPTIONS_MAX + 1]);

/* The port that the server listens on; 2049 where OPTIONS do not say. */
int mount_options_port(const char *options);

#endif
