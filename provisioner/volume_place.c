/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "ordinals.h"

/* None of the names can hold a newline; what an annotation holds may, and then fits none. */
static char *owner_text(
	const char *namespace, const char *set, const char *template, const char *ordinal)
{
	char *owner;

	if (asprintf(&owner, "%s\n%s\n%s\n%s", namespace, set, template, ordinal) < 0)
		abort();
	return owner;
}

char *volume_place_owner(const char *namespace, const struct place *place)
{
	return owner_text(namespace, place->statefulset, place->template, place->ordinal);
}

static bool is_claim_of(
	const char *claim, const char *set, const char *template, const char *ordinal)
{
	_cleanup_free_ char *name = NULL;

	if (asprintf(&name, "%s-%s-%s", template, set, ordinal) < 0)
		abort();
	return !strcmp(claim, name);
}

void volume_place_parse(struct volume_place **field, struct pack *pack, struct json_object *volume)
{
	struct json_object *metadata = json_member(volume, "metadata", json_type_object);
	struct json_object *notes = json_member(metadata, "annotations", json_type_object);
	struct json_object *claim = json_member(
		json_member(volume, "spec", json_type_object), "claimRef", json_type_object);
	const char *set = json_string(notes, ORDINAL_KEY_STATEFULSET);
	const char *template = json_string(notes, ORDINAL_KEY_TEMPLATE);
	const char *ordinal = json_string(notes, ORDINAL_KEY_ORDINAL);
	const char *namespace = json_string(claim, "namespace");
	const char *name = json_string(claim, "name");
	_cleanup_free_ char *owner = NULL;
	struct volume_place *place;

	*field = NULL;
	if (!set || !template || !ordinal || !namespace || !name ||
		!is_claim_of(name, set, template, ordinal))
		return;
	owner = owner_text(namespace, set, template, ordinal);
	place = pack_take(pack, 1, sizeof(*place));
	pack_point(pack, field, place);
	pack_string(pack, &place->owner, owner);
	pack_optional(pack, &place->namespace_uid, json_string(notes, ORDINAL_KEY_NAMESPACE_UID));
	pack_optional(pack, &place->created, json_string(metadata, "creationTimestamp"));
}
