/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CreateVolume's parameters say: those of the StorageClass, and what the provisioner adds
 * about the claim. Parsing is strict: a parameter that is not understood must not be ignored.
 */
#ifndef ORDINAL_PARAMETERS_H
#define ORDINAL_PARAMETERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"
#include "record.h"
#include "volume_id.h"

/* Whether a quota enforces the size of a volume: where the file system has quotas, always, or
 * never. */
enum quota_wish { QUOTA_AUTO, QUOTA_REQUIRED, QUOTA_NONE };

/* Strings are borrowed from the request, and NULL where it does not say. */
struct parameters {
	const char *path;   /* the base directory, of a host path */
	const char *server; /* its NFS server and export, otherwise */
	const char *share;
	const char *servers;       /* or several of both: "server:/share,…" */
	const char *mount_options; /* as mount_options.h has them; the caller sets them */
	const char *path_pattern;  /* where below it */
	mode_t mode;               /* of the volume's directory */
	uid_t uid;                 /* its owner; (uid_t)-1: as created */
	gid_t gid;
	enum on_delete on_delete;
	int64_t archive_ttl; /* seconds; 0: for ever */
	enum quota_wish quota;
	bool reuse; /* take up what the predecessor in the same place of the set left */
	bool reuse_across_namespaces;
	bool allow_live_copy; /* copy a volume though a pod uses it */

	const char *claim;
	const char *namespace;
	const char *namespace_uid;
	const char *pv;
	const char *statefulset;
	const char *statefulset_uid;
	const char *template;
	const char *ordinal;
	const char *cluster_uid;
};

/* Read COUNT entries: an array of pointers to map entries, as protobuf-c has them. ERROR_INVALID
 * names the parameter that is wrong and what is understood. */
int parameters_parse(const void *entries, size_t count, struct parameters *ret, struct error *err);

/* The same of mutable parameters, those of a VolumeAttributesClass: *ON_DELETE stays as it is where
 * they do not say. */
int parameters_parse_mutable(
	const void *entries, size_t count, enum on_delete *on_delete, struct error *err);

/* The path below the base where PARAMETERS want the volume whose name has the hash HASH: the class'
 * pathPattern, or the default for its kind of claim. ERROR_INVALID for a pattern that does not fit.
 * Caller frees. */
int parameters_place(const struct parameters *parameters, const struct volume_hash *hash,
	char **ret_place, struct error *err);

#endif
