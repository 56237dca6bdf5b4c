/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinals.c against a plain model, with random sets and claims whose names are made to be mistaken
 * for each other. The model knows labels as small numbers, and writes down each name that each set
 * can make. A seed can be given: ordinals_model_test [SEED].
 */
#include <string.h>

#include "ordinals.h"
#include "testing.h"

#define ROUNDS    20000
#define SETS      6
#define TEMPLATES 3
#define KEYS      3 /* labels k0, k1, k2; value 0 is none, else v1, v2, ... */
#define VALUES    3

struct model_set {
	const char *namespace, *name;
	int uid;
	const char *templates[TEMPLATES];
	int template_labels[TEMPLATES][KEYS];
	size_t template_count;
	int match[KEYS];
	struct model_expression {
		int key;
		const char *verb;
		int value;
	} expression;
	bool has_expression;
	long start;
	bool cached; /* the cache has it */
	bool exists; /* the API server has it */
};

struct model_claim {
	char name[64];
	int labels[KEYS];
	int owner; /* the UID of a set, or 0 */
};

struct model {
	struct model_set sets[SETS];
	struct model_claim claim;
	int maker; /* the set that made the claim, or -1 */
	size_t maker_template;
	long ordinal;
	int lists;
};

static unsigned long random_state;

static unsigned pick(unsigned count)
{
	random_state = random_state * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(random_state >> 33) % count;
}

static const char *pick_name(void)
{
	static const char *const names[] = {
		"a", "b", "a-a", "a-b", "b-a", "a-b-a", "a-a-a", "1", "a-1", "1-a", "b-1-a"};

	return names[pick(ARRAY_SIZE(names))];
}

static void pick_labels(int labels[static KEYS])
{
	for (int i = 0; i < KEYS; i++)
		labels[i] = pick(2) ? 0 : (int)pick(VALUES);
}

static void make_set(struct model *model, int index)
{
	static const char *const verbs[] = {"In", "NotIn", "Exists", "DoesNotExist", "Other"};
	struct model_set *set = &model->sets[index];

	*set = (struct model_set){.namespace = pick(8) ? "shop" : "bank", .name = pick_name()};
	set->uid = index + 1;
	set->template_count = pick(TEMPLATES + 1);
	for (size_t i = 0; i < set->template_count; i++) {
		set->templates[i] = pick_name();
		pick_labels(set->template_labels[i]);
	}
	pick_labels(set->match);
	set->has_expression = !pick(3);
	set->expression = (struct model_expression){
		(int)pick(KEYS), verbs[pick(ARRAY_SIZE(verbs))], 1 + (int)pick(VALUES - 1)};
	set->start = pick(4) ? 0 : (long)pick(3);
	set->cached = pick(4);
	set->exists = !pick(8) ? false : true;
	/* No two of one name. */
	for (int i = 0; i < index; i++)
		if (!strcmp(model->sets[i].name, set->name) &&
			!strcmp(model->sets[i].namespace, set->namespace))
			set->cached = set->exists = false;
}

/* The labels that the StatefulSet controller gives the claims of a template. */
static void controller_labels(const struct model_set *set, size_t template, int labels[static KEYS])
{
	for (int i = 0; i < KEYS; i++)
		labels[i] = set->match[i] ? set->match[i] : set->template_labels[template][i];
}

static void make_claim(struct model *model)
{
	struct model_claim *claim = &model->claim;
	int index = (int)pick(SETS);
	const struct model_set *set = &model->sets[index];

	*claim = (struct model_claim){.owner = pick(6) ? 0 : (int)pick(SETS + 2)};
	model->maker = -1;
	model->ordinal = pick(4) ? (long)pick(4) : 2147483646L + pick(4);
	if (!set->template_count || !pick(3)) {
		snprintf(claim->name, sizeof(claim->name), "%s-%s-%ld", pick_name(), pick_name(),
			model->ordinal);
		pick_labels(claim->labels);
		return;
	}
	model->maker_template = pick((unsigned)set->template_count);
	snprintf(claim->name, sizeof(claim->name), "%s-%s-%ld",
		set->templates[model->maker_template], set->name, model->ordinal);
	controller_labels(set, model->maker_template, claim->labels);
	if (!pick(3)) {
		pick_labels(claim->labels);
		return;
	}
	if (!claim->owner && set->exists && !strcmp(set->namespace, "shop") &&
		model->ordinal >= set->start && model->ordinal <= INT32_MAX)
		model->maker = index;
}

/* -1: against, 0: nothing, 1: for. */
static int model_weigh(const struct model_set *set, const int labels[static KEYS])
{
	const struct model_expression *expression = &set->expression;
	int value = labels[expression->key];

	if (!set->has_expression || !value || !strcmp(expression->verb, "Other"))
		return 0;
	if (!strcmp(expression->verb, "In"))
		return value == expression->value ? 1 : -1;
	if (!strcmp(expression->verb, "NotIn"))
		return value == expression->value ? -1 : 0;
	return !strcmp(expression->verb, "Exists") ? 1 : -1;
}

/* 0: by name, 1: by labels, 2: by labels and no others, 3: as its owner. */
static int model_quality(
	const struct model_set *set, size_t template, const struct model_claim *claim)
{
	int wanted[KEYS], common = 0, extra = 0;

	if (claim->owner == set->uid)
		return 3;
	controller_labels(set, template, wanted);
	for (int i = 0; i < KEYS; i++) {
		if (wanted[i] && wanted[i] != claim->labels[i])
			return 0;
		common += wanted[i] != 0;
		extra += !wanted[i] && claim->labels[i];
	}
	if (model_weigh(set, claim->labels) < 0 ||
		(!common && model_weigh(set, claim->labels) == 0))
		return 0;
	return extra ? 1 : 2;
}

/* Which set and template the claim fits best, by those that are in the cache or that exist. */
static int model_search(const struct model *model, bool cache, int *ret_set, size_t *ret_template,
	bool *ret_several)
{
	int best = -1;

	*ret_several = false;
	for (int i = 0; i < SETS; i++) {
		const struct model_set *set = &model->sets[i];
		bool done = false;

		if (!(cache ? set->cached : set->exists) || strcmp(set->namespace, "shop"))
			continue;
		for (size_t j = 0; j < set->template_count && !done; j++) {
			char name[64];
			int quality;

			snprintf(name, sizeof(name), "%s-%s-%ld", set->templates[j], set->name,
				model->ordinal);
			if (strcmp(name, model->claim.name) || model->ordinal < set->start)
				continue;
			done = true;
			quality = model_quality(set, j, &model->claim);
			*ret_several = quality == best || (*ret_several && quality < best);
			if (quality < best)
				continue;
			best = quality;
			*ret_set = i;
			*ret_template = j;
		}
	}
	return best;
}

static void model_resolve(const struct model *model, char *out, size_t size, int *ret_lists)
{
	bool several;
	size_t template = 0;
	int set = 0, best = -1;

	*ret_lists = 0;
	*out = '\0';
	if (model->ordinal > INT32_MAX)
		return;
	best = model_search(model, true, &set, &template, &several);
	if (best < 2 || several) {
		*ret_lists = 1;
		best = model_search(model, false, &set, &template, &several);
	}
	if (best >= 0 && !several)
		snprintf(out, size, "%s %s %ld %d", model->sets[set].name,
			model->sets[set].templates[template], model->ordinal, model->sets[set].uid);
}

static struct json_object *labels_json(const int labels[static KEYS])
{
	struct json_object *json = json_object_new_object();
	char key[8], value[8];

	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "v%d", labels[i]);
		if (labels[i])
			json_object_object_add(json, key, json_object_new_string(value));
	}
	return json;
}

static char *labels_text(const int labels[static KEYS])
{
	struct json_object *json = labels_json(labels);
	char *text = strdup(json_object_to_json_string(json));

	json_object_put(json);
	return text;
}

static struct json_object *set_json(const struct model_set *set)
{
	char *match = labels_text(set->match), *text = NULL;
	struct json_object *json;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out,
		"{'metadata': {'name': '%s', 'namespace': '%s', 'uid': '%d'}, 'spec': {"
		"'ordinals': {'start': %ld}, 'selector': {'matchLabels': %s, "
		"'matchExpressions': [",
		set->name, set->namespace, set->uid, set->start, match);
	if (set->has_expression)
		fprintf(out, "{'key': 'k%d', 'operator': '%s', 'values': ['v%d', 'w']}",
			set->expression.key, set->expression.verb, set->expression.value);
	fputs("]}, 'volumeClaimTemplates': [", out);
	for (size_t i = 0; i < set->template_count; i++) {
		char *labels = labels_text(set->template_labels[i]);

		fprintf(out, "%s{'metadata': {'name': '%s', 'labels': %s}}", i ? "," : "",
			set->templates[i], labels);
		free(labels);
	}
	fputs("]}}", out);
	fclose(out);
	json = json_of(text);
	free(match);
	free(text);
	return json;
}

static struct claim *claim_of(const struct model_claim *model)
{
	char *labels = labels_text(model->labels), *text;
	struct claim *claim;

	if (asprintf(&text,
		    "{'metadata': {'name': '%s', 'namespace': 'shop', 'uid': 'u', 'labels': %s,"
		    "'ownerReferences': [{'uid': '%d'}]}}",
		    model->name, labels, model->owner) < 0)
		abort();
	claim = object_of(&claim_type, text);
	free(labels);
	free(text);
	return claim;
}

static int list(void *self, const struct rest_request *request, struct json_object **ret_body,
	struct error *err)
{
	struct model *model = self;
	struct json_object *items = json_object_new_array();

	(void)request;
	(void)err;
	model->lists++;
	for (int i = 0; i < SETS; i++)
		if (model->sets[i].exists)
			json_object_array_add(items, set_json(&model->sets[i]));
	*ret_body = json_object_new_object();
	json_object_object_add(*ret_body, "items", items);
	return 0;
}

static void real_resolve(struct model *model, char *out, size_t size)
{
	_cleanup_(store_freep) struct store *cache = store_new(NULL, NULL);
	_cleanup_object_ struct claim *claim = claim_of(&model->claim);
	struct kube_api api = {list, model};
	struct ordinals *ordinals = ordinals_new(cache, &api);
	struct place place;
	bool found;

	for (int i = 0; i < SETS; i++) {
		struct json_object *json = set_json(&model->sets[i]);
		struct object *set = object_parse(&stateful_set_type, json, NULL);

		if (model->sets[i].cached)
			store_set(cache, set);
		object_unref(set);
		json_object_put(json);
	}
	*out = '\0';
	assert_int_equal(ordinals_resolve(ordinals, claim, &place, &found, NULL), 0);
	if (found)
		snprintf(out, size, "%s %s %s %s", place.statefulset, place.template, place.ordinal,
			place.statefulset_uid);
	ordinals_free(ordinals);
}

/* Whether nothing that a set says of its own claims, or another of them, speaks against the maker:
 * no set's claims get the same labels as the maker's. */
static bool is_told_apart(const struct model *model)
{
	const struct model_set *maker = &model->sets[model->maker];
	int labels[KEYS], others[KEYS], count = 0;

	controller_labels(maker, model->maker_template, labels);
	for (int i = 0; i < KEYS; i++)
		count += labels[i];
	if (!count || model_weigh(maker, labels) < 0)
		return false;
	for (int i = 0; i < SETS; i++)
		for (size_t j = 0; j < model->sets[i].template_count; j++) {
			controller_labels(&model->sets[i], j, others);
			if (i != model->maker && !memcmp(labels, others, sizeof(labels)))
				return false;
		}
	return true;
}

static void run_round(unsigned long seed, int *told_apart, int *found)
{
	struct model model = {.lists = 0};
	char name[96], wanted[640], got[640], maker[640];
	int lists;

	random_state = seed;
	pick(2);
	for (int i = 0; i < SETS; i++)
		make_set(&model, i);
	make_claim(&model);
	model_resolve(&model, wanted, sizeof(wanted), &lists);
	real_resolve(&model, got, sizeof(got));
	snprintf(name, sizeof(name), "seed %lu, claim %s", seed, model.claim.name);
	assert_case_text(name, got, wanted);
	assert_case(name, model.lists == lists);
	*found += *got != '\0';
	if (model.maker < 0 || !is_told_apart(&model))
		return;
	/* Whatever the rules are: it must come out whose claim it is. */
	snprintf(maker, sizeof(maker), "%s %s %ld %d", model.sets[model.maker].name,
		model.sets[model.maker].templates[model.maker_template], model.ordinal,
		model.sets[model.maker].uid);
	assert_case_text(name, got, maker);
	(*told_apart)++;
}

static unsigned long first_seed = 1;

static void test_model(void **state)
{
	int told_apart = 0, found = 0;

	(void)state;
	for (unsigned long seed = first_seed; seed < first_seed + ROUNDS; seed++)
		run_round(seed, &told_apart, &found);
	/* The rounds are worth something. */
	assert_true(told_apart > ROUNDS / 20);
	assert_true(found > ROUNDS / 5 && found < ROUNDS * 9 / 10);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

	if (argc > 1)
		first_seed = strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
