/* SPDX-License-Identifier: Apache-2.0 */
#include "ordinals.h"

#include <string.h>

#include "set_lists.h"

#define ORDINAL_DIGITS_MAX 10
#define NAME_LENGTH_MAX    253 /* of any object */

/* How surely a set whose names fit owns the claim. The StatefulSet controller gives its claims the
 * labels of the template and of the selector's matchLabels, and no others; but somebody may have
 * added some since, and a set takes up a claim that it finds whatever its labels are. */
enum quality { FITS_NOT, FITS_BY_NAME, FITS_BY_LABELS, FITS_BY_LABELS_ALONE, FITS_BY_OWNER };

/* The sets that fit a claim, so far. */
struct search {
	const struct claim *claim;
	size_t stem;          /* length of the claim's name up to the last dash */
	int64_t ordinal;      /* what follows it */
	enum quality quality; /* of the best fit */
	bool several;         /* with that quality */
	struct place place;
};

struct ordinals {
	struct store *sets;
	struct set_lists *lists;
};

struct ordinals *ordinals_new(struct store *sets, const struct kube_api *api)
{
	struct ordinals *ordinals = calloc(1, sizeof(*ordinals));

	if (!ordinals)
		abort();
	ordinals->sets = sets;
	ordinals->lists = set_lists_new(api);
	return ordinals;
}

void ordinals_free(struct ordinals *ordinals)
{
	set_lists_free(ordinals->lists);
	free(ordinals);
}

/* Whether the name ends in a dash and an ordinal, written as Kubernetes does: without leading
 * zeros, within 32 bits (spec.replicas and spec.ordinals.start are int32). Before it there must be
 * a dash for template and set to be told apart by. */
static bool search_init(struct search *search, const struct claim *claim)
{
	const char *name = claim->object.name, *dash = strrchr(name, '-');
	size_t digits = dash ? strlen(dash + 1) : 0;

	*search = (struct search){.claim = claim};
	if (!digits || digits > ORDINAL_DIGITS_MAX || strlen(name) > NAME_LENGTH_MAX ||
		strspn(dash + 1, "0123456789") != digits)
		return false;
	if (dash[1] == '0' && digits > 1)
		return false;
	search->stem = (size_t)(dash - name);
	search->ordinal = strtoll(dash + 1, NULL, 10);
	return search->ordinal <= INT32_MAX && search->stem > 2 &&
	       memchr(name + 1, '-', search->stem - 2);
}

static bool has_label(const struct string_map *labels, const struct string_pair *pair)
{
	const char *value = string_map_get(labels, pair->key);

	return value && !strcmp(value, pair->value);
}

/* Expressions ask something of the set's pods. Of a claim they say something only where it has a
 * label of that key: -1 that it is no such set's, 1 that it may well be, else 0. */
static int weigh(const struct label_expression *expression, const struct string_map *labels)
{
	const char *value = string_map_get(labels, expression->key);

	if (!value)
		return 0;
	switch (expression->verb) {
	case LABEL_IN:
		return strings_contain(&expression->values, value) ? 1 : -1;
	case LABEL_NOT_IN:
		return strings_contain(&expression->values, value) ? -1 : 0;
	case LABEL_EXISTS:
		return 1;
	case LABEL_DOES_NOT_EXIST:
		return -1;
	default:
		return 0;
	}
}

/* How many of the labels of TEMPLATE, a claim of SET has; -1 where it lacks one. The selector's win
 * over the template's. */
static int count_labels(const struct stateful_set *set, const struct set_template *template,
	const struct string_map *labels)
{
	int count = 0;

	for (size_t i = 0; i < set->match_labels.count; i++, count++)
		if (!has_label(labels, &set->match_labels.items[i]))
			return -1;
	for (size_t i = 0; i < template->labels.count; i++) {
		if (string_map_get(&set->match_labels, template->labels.items[i].key))
			continue;
		if (!has_label(labels, &template->labels.items[i]))
			return -1;
		count++;
	}
	return count;
}

static enum quality fit_quality(const struct claim *claim, const struct stateful_set *set,
	const struct set_template *template)
{
	int count = count_labels(set, template, &claim->labels), weight = 0;

	if (strings_contain(&claim->owner_uids, set->object.uid))
		return FITS_BY_OWNER;
	for (size_t i = 0; i < set->expression_count; i++) {
		int one = weigh(&set->expressions[i], &claim->labels);

		if (one < 0)
			return FITS_BY_NAME;
		weight += one;
	}
	if (count < 0 || count + weight == 0)
		return FITS_BY_NAME;
	return (size_t)count == claim->labels.count ? FITS_BY_LABELS_ALONE : FITS_BY_LABELS;
}

static const struct set_template *find_template(
	const struct stateful_set *set, const char *name, size_t length)
{
	for (size_t i = 0; i < set->template_count; i++) {
		const char *candidate = set->templates[i].name;

		if (strlen(candidate) == length && !memcmp(candidate, name, length))
			return &set->templates[i];
	}
	return NULL;
}

static void consider(struct search *search, const struct stateful_set *set, size_t template_length)
{
	const char *name = search->claim->object.name;
	const struct set_template *template = find_template(set, name, template_length);
	struct place *place = &search->place;
	enum quality quality;

	if (!template || search->ordinal < set->first_ordinal ||
		strlen(set->object.uid) >= sizeof(place->statefulset_uid))
		return;
	quality = fit_quality(search->claim, set, template);
	if (quality < search->quality)
		return;
	search->several = quality == search->quality;
	search->quality = quality;
	/* The parts of a name of at most NAME_LENGTH_MAX: they fit. */
	snprintf(place->statefulset, sizeof(place->statefulset), "%s", set->object.name);
	snprintf(place->statefulset_uid, sizeof(place->statefulset_uid), "%s", set->object.uid);
	snprintf(place->template, sizeof(place->template), "%s", template->name);
	snprintf(place->ordinal, sizeof(place->ordinal), "%s", name + search->stem + 1);
}

/* Try each dash of the stem as the one between template and set: a look-up each, however many sets
 * there are. */
static void search_sets(struct search *search, struct store *sets)
{
	const char *name = search->claim->object.name;
	char key[2 * NAME_LENGTH_MAX + 2];

	search->quality = FITS_NOT;
	search->several = false;
	for (size_t i = 1; i + 1 < search->stem; i++) {
		_cleanup_object_ struct stateful_set *set = NULL;

		if (name[i] != '-')
			continue;
		snprintf(key, sizeof(key), "%s/%.*s", search->claim->object.namespace,
			(int)(search->stem - i - 1), name + i + 1);
		set = store_get(sets, key);
		if (set)
			consider(search, set, i);
	}
}

/* Two sets that fit equally well: guessing could give one set the other's data. */
static bool search_result(const struct search *search, struct place *ret_place)
{
	if (search->quality == FITS_NOT || search->several)
		return false;
	*ret_place = search->place;
	return true;
}

int ordinals_resolve(struct ordinals *ordinals, const struct claim *claim, struct place *ret_place,
	bool *ret_found, struct error *err)
{
	struct search search;
	struct set_list *list;

	*ret_found = false;
	if (!search_init(&search, claim))
		return 0;
	search_sets(&search, ordinals->sets);
	/* Anything less could be meant for another set, which is not cached yet. Two sets of one
	 * namespace whose claims get the same labels select each other's pods: there are none. */
	if (search.quality < FITS_BY_LABELS_ALONE || search.several) {
		if (set_lists_get(ordinals->lists, claim->object.namespace, claim->object.seen_ns,
			    &list, err) < 0)
			return -1;
		search_sets(&search, set_list_sets(list));
		set_list_put(ordinals->lists, list);
	}
	*ret_found = search_result(&search, ret_place);
	return 0;
}

bool ordinals_find_cached(
	const struct ordinals *ordinals, const struct claim *claim, struct place *ret_place)
{
	struct search search;

	if (!search_init(&search, claim))
		return false;
	search_sets(&search, ordinals->sets);
	return search_result(&search, ret_place);
}
