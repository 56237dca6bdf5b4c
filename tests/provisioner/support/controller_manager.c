/* SPDX-License-Identifier: Apache-2.0 */
#include "controller_manager.h"

#include <string.h>

#include "api_faults.h"
#include "kubectl.h"
#include "object_cache.h"
#include "quantity.h"
#include "testing.h"

#define PROVISIONER       "volume.kubernetes.io/storage-provisioner"
#define PROVISIONER_BETA  "volume.beta.kubernetes.io/storage-provisioner"
#define SELECTED_NODE     "volume.kubernetes.io/selected-node"
#define BIND_COMPLETED    "pv.kubernetes.io/bind-completed"
#define BOUND_BY          "pv.kubernetes.io/bound-by-controller"
#define PROVISIONED_BY    "pv.kubernetes.io/provisioned-by"
#define CLAIM_PROTECTION  "kubernetes.io/pvc-protection"
#define VOLUME_PROTECTION "kubernetes.io/pv-protection"

#define NODES_MAX 64

struct controller_manager {
	struct api_objects *objects;
	struct controller_manager_options options;
	struct object_cache cache; /* touched by one thread at a time */
	uint64_t steps;
	size_t waiting; /* claims whose node is chosen later */
	pthread_t thread;
	bool started;
	bool stopped; /* atomic */
};

static struct json_object *metadata_of(struct json_object *json)
{
	return json_member(json, "metadata", json_type_object);
}

static const char *text_in(struct json_object *json, const char *part, const char *key)
{
	const char *text = json_string(json_member(json, part, json_type_object), key);

	return text ? text : "";
}

static const char *annotation_of(struct json_object *json, const char *key)
{
	return text_in(metadata_of(json), "annotations", key);
}

struct controller_manager *controller_manager_new(
	struct api_objects *objects, const struct controller_manager_options *options)
{
	struct controller_manager *manager = calloc(1, sizeof(*manager));

	if (!manager)
		abort();
	manager->objects = objects;
	if (options)
		manager->options = *options;
	object_cache_init(&manager->cache, objects);
	return manager;
}

/* Patch JSON's object by FORMAT, whose first argument is its metadata's preconditions; whoever
 * changed it meanwhile makes us look again. */
static bool write_patch(struct controller_manager *manager, enum cached_objects kind,
	struct json_object *json, const char *metadata, const char *rest)
{
	_cleanup_free_ char *key = object_cache_key(json);

	kubectl_patch(manager->objects, object_cache_plurals[kind], key,
		"{'metadata': {'uid': '%s', 'resourceVersion': '%s'%s%s}%s%s}",
		text_in(json, "metadata", "uid"), text_in(json, "metadata", "resourceVersion"),
		*metadata ? ", " : "", metadata, *rest ? ", " : "", rest);
	return true;
}

static bool set_phase(struct controller_manager *manager, enum cached_objects kind,
	struct json_object *json, const char *phase)
{
	char rest[96];

	if (!strcmp(text_in(json, "status", "phase"), phase))
		return false;
	snprintf(rest, sizeof(rest), "'status': {'phase': '%s'}", phase);
	return write_patch(manager, kind, json, "", rest);
}

static struct json_object *finalizers_of(struct json_object *json)
{
	return json_member(metadata_of(json), "finalizers", json_type_array);
}

static bool is_deleting(struct json_object *json)
{
	return *text_in(json, "metadata", "deletionTimestamp");
}

/* Take FINALIZER away from what is being deleted; whether it was there. */
static bool drop_finalizer(struct controller_manager *manager, enum cached_objects kind,
	struct json_object *json, const char *finalizer)
{
	struct json_object *list = finalizers_of(json), *rest = json_object_new_array();
	size_t count = list ? json_object_array_length(list) : 0;
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (strcmp(json_object_get_string(item), finalizer) != 0)
			json_object_array_add(rest, json_object_get(item));
	}
	if (asprintf(&text, "'finalizers': %s", json_object_to_json_string(rest)) < 0)
		abort();
	count -= json_object_array_length(rest);
	json_object_put(rest);
	return count && write_patch(manager, kind, json, text, "");
}

static struct json_object *claim_ref_of(struct json_object *volume)
{
	return json_member(
		json_member(volume, "spec", json_type_object), "claimRef", json_type_object);
}

/* Whether VOLUME is meant for CLAIM: by its uid, or by its name alone where it has no uid. */
static bool is_for(struct json_object *volume, struct json_object *claim)
{
	struct json_object *reference = claim_ref_of(volume);
	const char *uid = json_string(reference, "uid");
	const char *name = json_string(reference, "name");
	const char *namespace = json_string(reference, "namespace");

	if (uid && *uid)
		return !strcmp(uid, text_in(claim, "metadata", "uid"));
	return name && namespace && !strcmp(name, text_in(claim, "metadata", "name")) &&
	       !strcmp(namespace, text_in(claim, "metadata", "namespace"));
}

static int64_t size_in(struct json_object *json, const char *part, const char *key)
{
	struct json_object *spec = json_member(json, "spec", json_type_object);
	struct json_object *from = json_member(spec, part, json_type_object);
	int64_t bytes = 0;
	struct error err;

	if (key)
		from = json_member(from, key, json_type_object);
	if (json_string(from, "storage"))
		quantity_parse(json_string(from, "storage"), &bytes, &err);
	return bytes;
}

static bool has_modes(struct json_object *volume, struct json_object *claim)
{
	struct json_object *have = json_member(
		json_member(volume, "spec", json_type_object), "accessModes", json_type_array);
	struct json_object *want = json_member(
		json_member(claim, "spec", json_type_object), "accessModes", json_type_array);

	for (size_t i = 0; want && i < json_object_array_length(want); i++) {
		bool found = false;

		for (size_t j = 0; have && j < json_object_array_length(have); j++)
			found |= json_object_equal(json_object_array_get_idx(want, i),
				json_object_array_get_idx(have, j));
		if (!found)
			return false;
	}
	return true;
}

/* Whether VOLUME, which was made by hand, would do for CLAIM. */
static bool would_do(struct json_object *volume, struct json_object *claim)
{
	return !claim_ref_of(volume) && !is_deleting(volume) &&
	       !strcmp(text_in(volume, "status", "phase"), "Available") &&
	       !strcmp(text_in(volume, "spec", "storageClassName"),
		       text_in(claim, "spec", "storageClassName")) &&
	       !strcmp(text_in(volume, "spec", "volumeMode"),
		       text_in(claim, "spec", "volumeMode")) &&
	       size_in(volume, "capacity", NULL) >= size_in(claim, "resources", "requests") &&
	       has_modes(volume, claim);
}

/* The volume that is CLAIM's already, or else the smallest one that would do; NULL: none. */
static struct json_object *find_volume(
	const struct controller_manager *manager, struct json_object *claim)
{
	struct json_object *best = NULL;
	struct lh_entry *entry;

	lh_foreach(manager->cache.tables[OBJECTS_VOLUMES], entry)
	{
		struct json_object *volume = (struct json_object *)lh_entry_v(entry);

		if (is_for(volume, claim))
			return volume;
		if (would_do(volume, claim) && (!best || size_in(volume, "capacity", NULL) <
								 size_in(best, "capacity", NULL)))
			best = volume;
	}
	return best;
}

static bool set_claim_ref(
	struct controller_manager *manager, struct json_object *volume, struct json_object *claim)
{
	char rest[1024];

	snprintf(rest, sizeof(rest),
		"'spec': {'claimRef': {'kind': 'PersistentVolumeClaim', 'apiVersion': 'v1', "
		"'namespace': '%s', 'name': '%s', 'uid': '%s', 'resourceVersion': '%s'}}",
		text_in(claim, "metadata", "namespace"), text_in(claim, "metadata", "name"),
		text_in(claim, "metadata", "uid"), text_in(claim, "metadata", "resourceVersion"));
	return write_patch(
		manager, OBJECTS_VOLUMES, volume, "'annotations': {'" BOUND_BY "': 'yes'}", rest);
}

static bool set_volume_name(
	struct controller_manager *manager, struct json_object *claim, struct json_object *volume)
{
	char rest[320];

	snprintf(rest, sizeof(rest), "'spec': {'volumeName': '%s'}",
		text_in(volume, "metadata", "name"));
	return write_patch(manager, OBJECTS_CLAIMS, claim,
		"'annotations': {'" BIND_COMPLETED "': 'yes', '" BOUND_BY "': 'yes'}", rest);
}

static bool set_bound(
	struct controller_manager *manager, struct json_object *claim, struct json_object *volume)
{
	struct json_object *spec = json_member(volume, "spec", json_type_object);
	struct json_object *capacity = json_member(spec, "capacity", json_type_object);
	struct json_object *modes = json_member(spec, "accessModes", json_type_array);
	_cleanup_free_ char *rest = NULL;

	if (!strcmp(text_in(claim, "status", "phase"), "Bound"))
		return false;
	if (asprintf(&rest, "'status': {'phase': 'Bound', 'accessModes': %s, 'capacity': %s}",
		    modes ? json_object_to_json_string(modes) : "[]",
		    capacity ? json_object_to_json_string(capacity) : "{}") < 0)
		abort();
	return write_patch(manager, OBJECTS_CLAIMS, claim, "", rest);
}

/* The next of the four steps of binding. */
static bool bind_claim(
	struct controller_manager *manager, struct json_object *claim, struct json_object *volume)
{
	const char *uid = json_string(claim_ref_of(volume), "uid");

	if (!uid || !*uid)
		return set_claim_ref(manager, volume, claim);
	if (strcmp(text_in(volume, "status", "phase"), "Bound") != 0)
		return set_phase(manager, OBJECTS_VOLUMES, volume, "Bound");
	if (!*annotation_of(claim, BIND_COMPLETED))
		return set_volume_name(manager, claim, volume);
	return set_bound(manager, claim, volume);
}

static size_t schedulable_nodes(
	const struct controller_manager *manager, const char *names[static NODES_MAX])
{
	struct lh_entry *entry;
	size_t count = 0;

	lh_foreach(manager->cache.tables[OBJECTS_NODES], entry)
	{
		struct json_object *node = (struct json_object *)lh_entry_v(entry);
		struct json_object *spec = json_member(node, "spec", json_type_object);
		struct json_object *cordoned =
			json_member(spec, "unschedulable", json_type_boolean);

		if (count < NODES_MAX && !(cordoned && json_object_get_boolean(cordoned)))
			names[count++] = text_in(node, "metadata", "name");
	}
	return count;
}

/* Choose a node, sooner or later. */
static bool schedule(struct controller_manager *manager, struct json_object *claim)
{
	const char *names[NODES_MAX];
	size_t count = schedulable_nodes(manager, names);
	char text[400];
	uint64_t dice;

	if (manager->options.no_scheduler || !count)
		return false;
	snprintf(text, sizeof(text), "%s %llu", text_in(claim, "metadata", "uid"),
		(unsigned long long)manager->steps);
	dice = api_faults_hash(manager->options.seed, text);
	manager->waiting += dice % 4 != 0;
	if (dice % 4)
		return false;
	snprintf(text, sizeof(text), "'annotations': {'" SELECTED_NODE "': '%s'}",
		names[dice / 4 % count]);
	return write_patch(manager, OBJECTS_CLAIMS, claim, text, "");
}

/* Ask the class's provisioner for a volume. */
static bool ask_provisioner(struct controller_manager *manager, struct json_object *claim)
{
	struct json_object *class = object_cache_get(
		&manager->cache, OBJECTS_CLASSES, text_in(claim, "spec", "storageClassName"));
	const char *provisioner = json_string(class, "provisioner");
	const char *mode = json_string(class, "volumeBindingMode");
	char text[512];

	if (!provisioner || is_deleting(claim))
		return false;
	if (mode && !strcmp(mode, "WaitForFirstConsumer") && !*annotation_of(claim, SELECTED_NODE))
		return schedule(manager, claim);
	if (!strcmp(annotation_of(claim, PROVISIONER), provisioner))
		return false;
	snprintf(text, sizeof(text),
		"'annotations': {'" PROVISIONER "': '%s', '" PROVISIONER_BETA "': '%s'}",
		provisioner, provisioner);
	return write_patch(manager, OBJECTS_CLAIMS, claim, text, "");
}

static bool sync_claim(struct controller_manager *manager, struct json_object *claim)
{
	const char *name = text_in(claim, "spec", "volumeName");
	struct json_object *volume =
		*name ? object_cache_get(&manager->cache, OBJECTS_VOLUMES, name)
		      : find_volume(manager, claim);

	if (is_deleting(claim) && drop_finalizer(manager, OBJECTS_CLAIMS, claim, CLAIM_PROTECTION))
		return true;
	if (*annotation_of(claim, BIND_COMPLETED) && (!volume || !is_for(volume, claim)))
		return set_phase(manager, OBJECTS_CLAIMS, claim, "Lost");
	if (volume && (!claim_ref_of(volume) || is_for(volume, claim)))
		return bind_claim(manager, claim, volume);
	return *name ? false : ask_provisioner(manager, claim);
}

/* The claim that VOLUME names, as the API server has it: a cache may be behind. NULL: it is gone,
 * or is another by now. Caller puts. */
static struct json_object *live_claim(
	struct controller_manager *manager, struct json_object *volume)
{
	struct json_object *reference = claim_ref_of(volume), *claim;
	const char *namespace = json_string(reference, "namespace");
	const char *name = json_string(reference, "name");
	char key[400];

	snprintf(key, sizeof(key), "%s/%s", namespace ? namespace : "", name ? name : "");
	claim = kubectl_get(manager->objects, object_cache_plurals[OBJECTS_CLAIMS], key);
	if (claim &&
		strcmp(text_in(claim, "metadata", "uid"), json_string(reference, "uid")) != 0) {
		json_object_put(claim);
		claim = NULL;
	}
	return claim;
}

/* Its claim has another volume: what was made for it is of no use, and what was not is free. */
static bool give_up_volume(struct controller_manager *manager, struct json_object *volume)
{
	if (*annotation_of(volume, PROVISIONED_BY) &&
		!strcmp(text_in(volume, "spec", "persistentVolumeReclaimPolicy"), "Delete"))
		return set_phase(manager, OBJECTS_VOLUMES, volume, "Released");
	if (!*annotation_of(volume, BOUND_BY))
		return false;
	return write_patch(manager, OBJECTS_VOLUMES, volume,
		"'annotations': {'" BOUND_BY "': null}",
		"'spec': {'claimRef': null}, 'status': {'phase': 'Available'}");
}

static bool sync_volume(struct controller_manager *manager, struct json_object *volume)
{
	const char *uid = json_string(claim_ref_of(volume), "uid"), *bound;
	struct json_object *claim;
	bool wrote = false;

	if (is_deleting(volume) && strcmp(text_in(volume, "status", "phase"), "Bound") != 0 &&
		drop_finalizer(manager, OBJECTS_VOLUMES, volume, VOLUME_PROTECTION))
		return true;
	if (!uid || !*uid)
		return set_phase(manager, OBJECTS_VOLUMES, volume, "Available");
	claim = live_claim(manager, volume);
	bound = text_in(claim, "spec", "volumeName");
	if (!claim)
		wrote = set_phase(manager, OBJECTS_VOLUMES, volume, "Released");
	else if (*bound && strcmp(bound, text_in(volume, "metadata", "name")) != 0)
		wrote = give_up_volume(manager, volume);
	json_object_put(claim);
	return wrote;
}

static bool work_once(struct controller_manager *manager)
{
	struct lh_entry *entry;
	bool wrote = false;

	manager->steps++;
	manager->waiting = 0;
	lh_foreach(manager->cache.tables[OBJECTS_CLAIMS], entry)
	{
		wrote |= sync_claim(manager, (struct json_object *)lh_entry_v(entry));
	}
	lh_foreach(manager->cache.tables[OBJECTS_VOLUMES], entry)
	{
		wrote |= sync_volume(manager, (struct json_object *)lh_entry_v(entry));
	}
	return wrote;
}

bool controller_manager_step(struct controller_manager *manager)
{
	object_cache_update(&manager->cache, 0);
	return work_once(manager);
}

void controller_manager_settle(struct controller_manager *manager)
{
	while (controller_manager_step(manager) || manager->waiting)
		;
}

static void *run(void *context)
{
	struct controller_manager *manager = context;

	while (!__atomic_load_n(&manager->stopped, __ATOMIC_ACQUIRE)) {
		object_cache_update(&manager->cache, manager->waiting ? 1 : 50);
		while (work_once(manager) && !__atomic_load_n(&manager->stopped, __ATOMIC_ACQUIRE))
			object_cache_update(&manager->cache, 0);
	}
	return NULL;
}

void controller_manager_start(struct controller_manager *manager)
{
	if (pthread_create(&manager->thread, NULL, run, manager))
		abort();
	manager->started = true;
}

void controller_manager_free(struct controller_manager *manager)
{
	if (manager->started) {
		__atomic_store_n(&manager->stopped, true, __ATOMIC_RELEASE);
		api_objects_wake(manager->objects);
		pthread_join(manager->thread, NULL);
	}
	object_cache_done(&manager->cache);
	free(manager);
}
