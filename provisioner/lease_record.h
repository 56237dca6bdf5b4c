/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written in a coordination.k8s.io/v1 Lease, by us and by client-go. It came from the
 * network: any JSON will do, and what makes no sense reads as the safer thing.
 */
#ifndef ORDINAL_LEASE_RECORD_H
#define ORDINAL_LEASE_RECORD_H

#include "objects.h"

/* A Lease as the object of an event. Key: namespace/name. */
extern const struct object_type lease_type;

/* Who holds it, "" for nobody; of what is no string nobody can tell, but it is somebody. Borrowed
 * from RECORD, which may be NULL. */
const char *lease_record_holder(struct json_object *record);

/* Its resourceVersion, or NULL. Borrowed. */
const char *lease_record_version(struct json_object *record);

/* How long others leave it to its holder after each renewal; 0 where it does not say. */
int64_t lease_record_duration_ms(struct json_object *record);

/* OLD as HOLDER renews it, takes it or, being "", releases it. All else in it stays, above all its
 * resourceVersion. A new one where OLD is NULL. Caller puts. */
struct json_object *lease_record_make(struct json_object *old, const char *namespace,
	const char *name, const char *holder, int duration_ms);

#endif
