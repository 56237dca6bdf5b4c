/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What claims and volumes say of their size and its growth, from JSON. Kept small: there is one of
 * these for every claim and volume of the cluster.
 */
#ifndef ORDINAL_RESIZE_FIELDS_H
#define ORDINAL_RESIZE_FIELDS_H

#include "objects.h"

/* Annotation of a volume that its node has yet to grow: what its claim had before. Whoever binds
 * the volume again goes by it. */
#define RESIZE_FIELDS_PRE_RESIZE "volume.alpha.kubernetes.io/pre-resize-capacity"

/* The fields of CLAIM and VOLUME that are named resize. What is missing or makes no sense counts as
 * not said. A volume's, which is zeroed before, is in PACK. */
void resize_fields_of_claim(struct claim_resize *resize, struct json_object *claim);
void resize_fields_of_volume(
	struct volume_resize *resize, struct pack *pack, struct json_object *volume);

/* Names of access modes, by the bits of struct volume_resize. Static memory; NULL after the last.
 */
const char *resize_fields_access_mode(size_t bit);

/* What a claim's status calls STATE; NULL for RESIZE_NONE. Static memory. */
const char *resize_fields_state_name(enum resize_state state);

/* Names of the conditions, by the bits of struct claim_resize. Static memory; NULL after the last.
 */
const char *resize_fields_condition(size_t bit);

#endif
