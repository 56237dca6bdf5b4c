/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small changes to objects that others write as well: of one entry of a list, so that nothing of
 * theirs is lost.
 */
#ifndef ORDINAL_PATCHES_H
#define ORDINAL_PATCHES_H

#include <stdbool.h>

#include "rest_client.h"

/* Add FINALIZER to the object at PATH, or remove it; either is done already where it is so. The
 * UID makes sure that it is the same object: ERROR_CONFLICT where it is another of that name,
 * ERROR_NOT_FOUND where it is gone. For built-in kinds only: others do not know this patch. */
int patches_finalizer(const struct kube_api *api, const char *path, const char *uid,
	const char *finalizer, bool add, struct error *err);

#endif
