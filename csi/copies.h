/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that begin as a copy: of what, and whether it may be copied. How, clone.h knows.
 */
#ifndef ORDINAL_COPIES_H
#define ORDINAL_COPIES_H

#include "creation.h"
#include "volumes.h"

/* Make the volume of CREATION as a copy of REQUEST->source, unless it is there. The source is kept
 * from going meanwhile; without it what was begun is forgotten. Errors as volumes_create(). Caller
 * frees *RET_RECORD. */
int copies_create(struct volumes *volumes, const struct volume_request *request,
	const struct creation *creation, struct record **ret_record, struct error *err);

#endif
