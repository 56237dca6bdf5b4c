/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose place in a StatefulSet a PersistentVolume of ours has, or had: what it takes to find the
 * volume of an earlier claim of that place.
 */
#ifndef ORDINAL_VOLUME_PLACE_H
#define ORDINAL_VOLUME_PLACE_H

#include "json_access.h"
#include "pack.h"

struct place;

struct volume_place {
	char *owner;         /* as volume_place_owner() makes it */
	char *namespace_uid; /* of the life of the namespace that it is from; NULL: not noted */
	char *created;       /* RFC 3339, in UTC: later ones are greater as texts, too */
};

/* Set FIELD, in PACK, to what the object VOLUME says; NULL where it is no set's, or its claimRef is
 * not the claim of its place: somebody has given it to another claim. */
void volume_place_parse(struct volume_place **field, struct pack *pack, struct json_object *volume);

/* One text for PLACE in NAMESPACE. Caller frees. */
char *volume_place_owner(const char *namespace, const struct place *place);

#endif
