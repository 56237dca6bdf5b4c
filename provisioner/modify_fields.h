/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What claims and volumes say of their VolumeAttributesClass, from JSON. Few claims have one, so
 * that the others take no memory for it.
 */
#ifndef ORDINAL_MODIFY_FIELDS_H
#define ORDINAL_MODIFY_FIELDS_H

#include "objects.h"

/* The fields of CLAIM and VOLUME that are named modify, in PACK. What is missing or makes no sense
 * counts as not said. */
void modify_fields_of_claim(
	const struct claim_modify **field, struct pack *pack, struct json_object *claim);
void modify_fields_of_volume(
	struct volume_modify **field, struct pack *pack, struct json_object *volume);

/* What a claim's status calls STATE; NULL for MODIFY_NONE. Static memory. */
const char *modify_fields_state_name(enum modify_state state);

/* Names of the conditions, by the bits of struct claim_modify. Static memory; NULL after the last.
 */
const char *modify_fields_condition(size_t bit);

#endif
