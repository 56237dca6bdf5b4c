/* SPDX-License-Identifier: Apache-2.0 */
#include "replica_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "volume_view.h"
#include "walk.h"

#define REPLICAS_MAX 100000 /* of a set that are looked for */

/* The sources by their names, and what has been found so far. */
struct filling {
	struct replica_list *list;
	struct json_object *sets, *pods, *claims, *volumes;
	struct json_object *by_claim; /* volumes, by the claim that they name */
	struct json_object *seen;     /* claims that have their line, by the same key */
	int64_t began_ns;             /* all sources are from before */
};

static const char *const state_names[] = {
	[REPLICA_READY] = "Ready",
	[REPLICA_NOT_READY] = "NotReady",
	[REPLICA_NO_POD] = "NoPod",
	[REPLICA_KEPT] = "Kept",
	[REPLICA_RELEASED] = "Released",
	[REPLICA_MISSING] = "Missing",
	[REPLICA_PENDING] = "Pending",
	[REPLICA_LOST] = "Lost",
	[REPLICA_TERMINATING] = "Terminating",
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *replica_list_state(enum replica_state state)
{
	return state_names[state];
}

void replica_list_done(struct replica_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].claim_name);
	free(list->items);
}

/* Of several volumes that name one claim the one that was made last is its newest data. */
static struct json_object *index_by_claim(struct json_object *volumes)
{
	struct json_object *index = json_object_new_object();

	for (size_t i = 0; i < walk_count(volumes); i++) {
		struct json_object *volume = walk_item(volumes, i), *old;
		const char *namespace = walk_text(volume, "spec.claimRef.namespace");
		const char *name = walk_text(volume, "spec.claimRef.name");
		_cleanup_free_ char *key = NULL;

		if (!namespace || !name)
			continue;
		if (asprintf(&key, "%s/%s", namespace, name) < 0)
			abort();
		old = json_member(index, key, json_type_object);
		if (!old || strcmp(walk_text_or_empty(old, "metadata.creationTimestamp"),
				    walk_text_or_empty(volume, "metadata.creationTimestamp")) < 0)
			json_object_object_add(index, key, json_object_get(volume));
	}
	return index;
}

static bool is_ready(struct json_object *pod)
{
	struct json_object *conditions = walk_to(pod, "status.conditions", json_type_array);

	for (size_t i = 0; i < walk_count(conditions); i++) {
		struct json_object *condition = walk_item(conditions, i);

		if (!strcmp(walk_text_or_empty(condition, "type"), "Ready"))
			return !strcmp(walk_text_or_empty(condition, "status"), "True");
	}
	return false;
}

/* WANTED: the set asks for it. */
static enum replica_state state_of(const struct replica *replica, bool wanted)
{
	const char *phase = walk_text_or_empty(replica->claim, "status.phase");

	if (!replica->claim)
		return replica->volume ? REPLICA_RELEASED : REPLICA_MISSING;
	if (walk_text(replica->claim, "metadata.deletionTimestamp"))
		return REPLICA_TERMINATING;
	if (!strcmp(phase, "Lost") || (!strcmp(phase, "Bound") && !replica->volume))
		return REPLICA_LOST;
	if (strcmp(phase, "Bound"))
		return REPLICA_PENDING;
	if (!wanted)
		return REPLICA_KEPT;
	if (!replica->pod)
		return REPLICA_NO_POD;
	return is_ready(replica->pod) ? REPLICA_READY : REPLICA_NOT_READY;
}

static bool was_seen(const struct filling *filling, const char *namespace, const char *claim)
{
	_cleanup_free_ char *key = NULL;

	if (asprintf(&key, "%s/%s", namespace, claim) < 0)
		abort();
	return json_object_object_get_ex(filling->seen, key, NULL);
}

static void note_seen(struct filling *filling, const struct replica *replica)
{
	_cleanup_free_ char *key = NULL;

	if (asprintf(&key, "%s/%s", replica->namespace, replica->claim_name) < 0)
		abort();
	json_object_object_add(filling->seen, key, NULL);
}

/* The volume that the claim is bound to, or that waits for it. */
static struct json_object *find_volume(struct filling *filling, const struct replica *replica)
{
	const char *name = walk_text_or_empty(replica->claim, "spec.volumeName");

	if (replica->claim)
		return *name ? walk_find(filling->volumes, "", name) : NULL;
	return walk_find(filling->by_claim, replica->namespace, replica->claim_name);
}

static struct json_object *find_pod(
	const struct filling *filling, const struct replica *replica, const char **ret_name)
{
	_cleanup_free_ char *name = NULL;
	struct json_object *pod;

	if (asprintf(&name, "%s-%" PRId64, replica->set, replica->ordinal) < 0)
		abort();
	pod = walk_find(filling->pods, replica->namespace, name);
	*ret_name = walk_text(pod, "metadata.name");
	return pod;
}

/* One more line. What it is of is in REPLICA, whose claim's name is taken. */
static void add(struct filling *filling, struct replica replica, bool wanted)
{
	struct replica_list *list = filling->list;

	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 64;
		list->items = reallocarray(list->items, list->room, sizeof(*list->items));
		if (!list->items)
			abort();
	}
	replica.claim = walk_find(filling->claims, replica.namespace, replica.claim_name);
	replica.volume = find_volume(filling, &replica);
	replica.pod = find_pod(filling, &replica, &replica.pod_name);
	replica.state = state_of(&replica, wanted);
	list->items[list->count++] = replica;
	note_seen(filling, &replica);
}

static void add_wanted(struct filling *filling, struct json_object *set, const char *template,
	int64_t first, int64_t count)
{
	const char *name = walk_text(set, "metadata.name");

	for (int64_t ordinal = first; ordinal < first + count; ordinal++) {
		struct replica replica = {
			.namespace = walk_text_or_empty(set, "metadata.namespace"),
			.set = name,
			.template = template,
			.ordinal = ordinal,
		};

		if (asprintf(&replica.claim_name, "%s-%s-%" PRId64, template, name, ordinal) < 0)
			abort();
		add(filling, replica, true);
	}
}

/* The replicas that SET asks for. */
static void add_set(struct filling *filling, struct json_object *set)
{
	struct json_object *templates = walk_to(set, "spec.volumeClaimTemplates", json_type_array);
	int64_t first = walk_number(set, "spec.ordinals.start", 0);
	int64_t count = walk_number(set, "spec.replicas", 1);

	if (!walk_text(set, "metadata.name") || first < 0 || first > INT32_MAX)
		return;
	if (count > REPLICAS_MAX)
		count = REPLICAS_MAX;
	for (size_t i = 0; i < walk_count(templates); i++) {
		const char *name = walk_text(walk_item(templates, i), "metadata.name");

		if (name)
			add_wanted(filling, set, name, first, count);
	}
}

/* The template of SET that is called NAME: its own text, which lives as long as the sources. */
static const char *find_template(struct json_object *set, const char *name)
{
	struct json_object *templates = walk_to(set, "spec.volumeClaimTemplates", json_type_array);

	for (size_t i = 0; i < walk_count(templates); i++) {
		const char *found = walk_text(walk_item(templates, i), "metadata.name");

		if (found && !strcmp(found, name))
			return found;
	}
	return NULL;
}

/* A claim that no set asks for by name: of an ordinal that a set had before. */
static int add_claim(struct filling *filling, struct json_object *claim, struct ordinals *ordinals,
	struct error *err)
{
	_cleanup_object_ struct object *object = object_parse(&claim_type, claim, NULL);
	struct replica replica = {.namespace = walk_text_or_empty(claim, "metadata.namespace")};
	struct json_object *set;
	struct place place = {.ordinal = ""};
	bool found;

	if (!object || was_seen(filling, object->namespace, object->name))
		return 0;
	object->seen_ns = filling->began_ns; /* so that all share one list of the sets */
	if (ordinals_resolve(ordinals, (const struct claim *)object, &place, &found, err) < 0)
		return -1;
	set = found ? walk_find(filling->sets, object->namespace, place.statefulset) : NULL;
	replica.set = walk_text(set, "metadata.name");
	replica.template = find_template(set, place.template);
	if (!replica.set || !replica.template)
		return 0; /* no set's, or that of one that came since */
	replica.ordinal = strtoll(place.ordinal, NULL, 10);
	replica.claim_name = strdup(object->name);
	if (!replica.claim_name)
		abort();
	add(filling, replica, false);
	return 0;
}

/* A volume whose place no line is of: its claim or its set is gone. */
static void add_volume(struct filling *filling, struct json_object *volume)
{
	struct volume_view_place place;
	struct replica replica;

	if (!volume_view_place(volume, &place) || was_seen(filling, place.namespace, place.claim))
		return;
	replica = (struct replica){
		.namespace = place.namespace,
		.set = place.statefulset,
		.template = place.template,
		.ordinal = place.ordinal,
		.claim_name = strdup(place.claim),
	};
	if (!replica.claim_name)
		abort();
	add(filling, replica, false);
}

static int compare(const void *a, const void *b)
{
	const struct replica *left = a, *right = b;
	int order = strcmp(left->namespace, right->namespace);

	if (!order)
		order = strcmp(left->set, right->set);
	if (!order)
		order = strcmp(left->template, right->template);
	if (!order)
		order = (left->ordinal > right->ordinal) - (left->ordinal < right->ordinal);
	return order;
}

static int fill(struct filling *filling, const struct replica_sources *sources,
	struct ordinals *ordinals, struct error *err)
{
	for (size_t i = 0; i < walk_count(sources->sets); i++)
		add_set(filling, walk_item(sources->sets, i));
	for (size_t i = 0; i < walk_count(sources->claims); i++)
		if (add_claim(filling, walk_item(sources->claims, i), ordinals, err) < 0)
			return -1;
	for (size_t i = 0; i < walk_count(sources->volumes); i++)
		add_volume(filling, walk_item(sources->volumes, i));
	return 0;
}

int replica_list_fill(struct replica_list *list, const struct replica_sources *sources,
	struct ordinals *ordinals, struct error *err)
{
	struct filling filling = {
		.list = list,
		.sets = walk_index(sources->sets),
		.pods = walk_index(sources->pods),
		.claims = walk_index(sources->claims),
		.volumes = walk_index(sources->volumes),
		.by_claim = index_by_claim(sources->volumes),
		.seen = json_object_new_object(),
		.began_ns = now_ns(),
	};
	int result = fill(&filling, sources, ordinals, err);

	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare);
	json_object_put(filling.sets);
	json_object_put(filling.pods);
	json_object_put(filling.claims);
	json_object_put(filling.volumes);
	json_object_put(filling.by_claim);
	json_object_put(filling.seen);
	return result;
}
