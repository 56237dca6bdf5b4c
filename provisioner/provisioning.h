/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a claim's volume is to be: what the driver is asked for, and the secrets that others need
 * for it. It follows from the claim and its class alone, so that a repeated call asks for the same
 * again.
 */
#ifndef ORDINAL_PROVISIONING_H
#define ORDINAL_PROVISIONING_H

#include "annotations.h"
#include "data_source.h"
#include "volume_request.h"

#define VOLUME_NAME_MAX 254 /* a DNS name and its NUL */

struct provisioning {
	const struct claim *claim;
	const struct storage_class *class;
	struct volume_request *request; /* for the driver, and the journal */
	struct annotations annotations; /* of the claim */
	struct data_source source;
	struct secret_reference secrets[SECRET_USES];
};

/* The name of CLAIM's volume, for the driver and as a PersistentVolume. */
void provisioning_volume_name(const struct controller *controller, const struct claim *claim,
	char out[static VOLUME_NAME_MAX]);

/* Work out what to ask for. CLAIM and CLASS are borrowed until provisioning_done(), which is due
 * also after a failure. PLACE is that of an earlier attempt, without a name where there was none;
 * NULL: find out. ERROR_INVALID, ERROR_OUT_OF_RANGE and ERROR_FAILED_PRECONDITION say what
 * the user has to mend; ERROR_NOT_FOUND that the selected node is gone; others pass. */
int provisioning_init(struct provisioning *provisioning, const struct controller *controller,
	const struct claim *claim, const struct storage_class *class, const struct place *place,
	struct error *err);
void provisioning_done(struct provisioning *provisioning);

#endif
