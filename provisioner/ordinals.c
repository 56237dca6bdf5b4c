/* SPDX-License-Identifier: Apache-2.0 */
#include "ordinals.h"

#include <string.h>

#define ORDINAL_DIGITS_MAX 10

/* How surely a set whose names fit owns the claim. */
enum quality { FITS_NOT, FITS_BY_NAME, FITS_BY_LABELS, FITS_BY_OWNER };

/* The sets that fit a claim, so far. */
struct search {
	const struct claim *claim;
	size_t stem;          /* length of the claim's name up to the last dash */
	enum quality quality; /* of the best fit */
	bool several;         /* with that quality */
	struct place place;
};

/* Whether the name ends in a dash and an ordinal, written as Kubernetes does: without leading
 * zeros, within 32 bits (spec.replicas and spec.ordinals.start are int32). */
static bool find_ordinal(const char *name, size_t *ret_stem)
{
	const char *dash = strrchr(name, '-');
	size_t digits = dash ? strlen(dash + 1) : 0;

	if (!digits || dash == name || digits > ORDINAL_DIGITS_MAX ||
		strspn(dash + 1, "0123456789") != digits)
		return false;
	if (dash[1] == '0' && digits > 1)
		return false;
	*ret_stem = (size_t)(dash - name);
	return strtoll(dash + 1, NULL, 10) <= INT32_MAX;
}

/* The StatefulSet controller puts the labels of the set's selector on the claims that it makes. */
static bool labels_match(const struct string_map *wanted, const struct string_map *labels)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const char *value = string_map_get(labels, wanted->items[i].key);

		if (!value || strcmp(value, wanted->items[i].value))
			return false;
	}
	return wanted->count > 0;
}

static enum quality fit_quality(const struct claim *claim, const struct stateful_set *set)
{
	if (strings_contain(&claim->owner_uids, set->object.uid))
		return FITS_BY_OWNER;
	return labels_match(&set->match_labels, &claim->labels) ? FITS_BY_LABELS : FITS_BY_NAME;
}

/* The template with which SET makes the claim's name, or NULL. */
static const char *fitting_template(const struct search *search, const struct stateful_set *set)
{
	const char *name = search->claim->object.name;
	size_t set_length = strlen(set->object.name);

	for (size_t i = 0; i < set->templates.count; i++) {
		const char *template = set->templates.items[i];
		size_t length = strlen(template);

		if (length + 1 + set_length == search->stem && !strncmp(name, template, length) &&
			name[length] == '-' &&
			!strncmp(name + length + 1, set->object.name, set_length))
			return template;
	}
	return NULL;
}

static void consider(void *context, const struct object *object)
{
	const struct stateful_set *set = (const struct stateful_set *)object;
	struct search *search = context;
	const struct claim *claim = search->claim;
	const char *template;
	enum quality quality;

	if (strcmp(object->namespace, claim->object.namespace))
		return;
	template = fitting_template(search, set);
	if (!template)
		return;
	quality = fit_quality(claim, set);
	if (quality < search->quality)
		return;
	search->several = quality == search->quality;
	search->quality = quality;
	snprintf(search->place.statefulset, sizeof(search->place.statefulset), "%s", object->name);
	snprintf(search->place.statefulset_uid, sizeof(search->place.statefulset_uid), "%s",
		object->uid);
	snprintf(search->place.template, sizeof(search->place.template), "%s", template);
	snprintf(search->place.ordinal, sizeof(search->place.ordinal), "%s",
		claim->object.name + search->stem + 1);
}

static int consider_listed(struct search *search, const struct kube_api *api, struct error *err)
{
	struct json_object *list, *items;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	size_t count;

	if (asprintf(&path, "/apis/apps/v1/namespaces/%s/statefulsets",
		    search->claim->object.namespace) < 0)
		abort();
	request.path = path;
	if (api->call(api->self, &request, &list, err) < 0)
		return -1;
	items = json_member(list, "items", json_type_array);
	count = items ? json_object_array_length(items) : 0;
	for (size_t i = 0; i < count; i++) {
		struct object *set =
			object_parse(&stateful_set_type, json_object_array_get_idx(items, i), NULL);

		if (set)
			consider(search, set);
		object_unref(set);
	}
	json_object_put(list);
	return 0;
}

int ordinals_resolve(const struct claim *claim, struct store *sets, const struct kube_api *api,
	struct place *ret_place, bool *ret_found, struct error *err)
{
	struct search search = {.claim = claim};

	*ret_found = false;
	if (!find_ordinal(claim->object.name, &search.stem))
		return 0;
	store_each(sets, consider, &search);
	/* The name alone could be that of another set, which is not cached yet. */
	if (search.quality <= FITS_BY_NAME) {
		search = (struct search){.claim = claim, .stem = search.stem};
		if (consider_listed(&search, api, err) < 0)
			return -1;
	}
	/* Two sets that fit equally well: guessing could give one set the other's data. */
	if (search.quality == FITS_NOT || search.several)
		return 0;
	*ret_place = search.place;
	*ret_found = true;
	return 0;
}
