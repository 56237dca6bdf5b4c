/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The claim by which an archive's data come back, as a replica's claim: what the user says, then
 * what the StatefulSet's template says, then what the archive says. No I/O.
 */
#ifndef ORDINAL_KUBECTL_RESTORE_CLAIM_H
#define ORDINAL_KUBECTL_RESTORE_CLAIM_H

#include "archives.h"
#include "arguments.h"

/* As an annotation of a claim: the archive that its volume begins with. */
#define RESTORE_CLAIM_ANNOTATION "ordinal.dev/restore-from"

/* The claim for ARCHIVE in NAMESPACE, by the flags in ARGUMENTS; SET is its StatefulSet, or NULL
 * where there is none any more. ERROR_INVALID says which flag is missing or wrong. Caller puts. */
int restore_claim_make(const struct archive *archive, const struct arguments *arguments,
	const char *namespace, struct json_object *set, struct json_object **ret_claim,
	struct error *err);

#endif
