/* SPDX-License-Identifier: Apache-2.0 */
#include "claim_controller.h"

#include <json-c/linkhash.h>
#include <pthread.h>
#include <string.h>

#include "log.h"
#include "names.h"
#include "ownership.h"
#include "provisioning.h"

/* A claim for which the driver may have made a volume that no PersistentVolume tells of yet. It is
 * kept until that is settled, even if the claim goes away meanwhile: nothing may leak. The driver
 * knows its volume again by what it was asked for first: that place stays, whatever becomes of the
 * set. */
struct unsettled {
	struct claim *claim;
	struct storage_class *class;
	struct place place; /* without a name where there is none */
};

struct claim_controller {
	const struct controller *controller;
	pthread_mutex_t lock;       /* guards all below */
	struct lh_table *unsettled; /* UID, borrowed from the claim -> struct unsettled */
};

struct claim_controller *claim_controller_new(const struct controller *controller)
{
	struct claim_controller *claims = calloc(1, sizeof(*claims));

	if (!claims)
		abort();
	claims->controller = controller;
	claims->unsettled = lh_kchar_table_new(16, NULL);
	if (!claims->unsettled)
		abort();
	pthread_mutex_init(&claims->lock, NULL);
	return claims;
}

static void unsettled_done(struct unsettled *unsettled)
{
	object_unref(unsettled->claim);
	object_unref(unsettled->class);
}

static void drop_unsettled(struct claim_controller *claims, struct lh_entry *slot)
{
	struct unsettled *unsettled = (struct unsettled *)lh_entry_v(slot);

	lh_table_delete_entry(claims->unsettled, slot);
	unsettled_done(unsettled);
	free(unsettled);
}

void claim_controller_free(struct claim_controller *claims)
{
	while (claims->unsettled->head)
		drop_unsettled(claims, claims->unsettled->head);
	lh_table_free(claims->unsettled);
	pthread_mutex_destroy(&claims->lock);
	free(claims);
}

static void settle(struct claim_controller *claims, const char *uid)
{
	struct lh_entry *slot;

	pthread_mutex_lock(&claims->lock);
	slot = lh_table_lookup_entry(claims->unsettled, uid);
	if (slot)
		drop_unsettled(claims, slot);
	pthread_mutex_unlock(&claims->lock);
}

static void remember(struct claim_controller *claims, const struct provisioning *provisioning)
{
	const struct claim *claim = provisioning->claim;
	struct unsettled *unsettled = malloc(sizeof(*unsettled));

	if (!unsettled)
		abort();
	settle(claims, claim->object.uid);
	*unsettled = (struct unsettled){
		object_ref(claim), object_ref(provisioning->class), provisioning->place};
	pthread_mutex_lock(&claims->lock);
	if (lh_table_insert(claims->unsettled, unsettled->claim->object.uid, unsettled) < 0)
		abort();
	pthread_mutex_unlock(&claims->lock);
}

/* A copy of what is remembered under UID, for which unsettled_done() is due, or false. */
static bool recall(struct claim_controller *claims, const char *uid, struct unsettled *ret)
{
	struct lh_entry *slot;

	pthread_mutex_lock(&claims->lock);
	slot = lh_table_lookup_entry(claims->unsettled, uid);
	if (slot) {
		const struct unsettled *unsettled = lh_entry_v(slot);

		*ret = (struct unsettled){object_ref(unsettled->claim),
			object_ref(unsettled->class), unsettled->place};
	}
	pthread_mutex_unlock(&claims->lock);
	return slot != NULL;
}

static bool is_unsettled(struct claim_controller *claims, const char *uid)
{
	bool found;

	pthread_mutex_lock(&claims->lock);
	found = lh_table_lookup_entry(claims->unsettled, uid) != NULL;
	pthread_mutex_unlock(&claims->lock);
	return found;
}

/* Whether the driver may still be at work on what it answered with an error (external-provisioner's
 * checkError): only a final answer says that there is no volume. */
static bool is_final(enum error_kind kind)
{
	switch (kind) {
	case ERROR_CANCELLED:
	case ERROR_TIMEOUT:
	case ERROR_UNAVAILABLE:
	case ERROR_ABORTED:
		return false;
	default:
		return true;
	}
}

/* Sources of other kinds belong to volume populators, which make the volume themselves. */
static bool is_populated_by_others(const struct claim *claim)
{
	return *claim->data_source && strcmp(claim->data_source_kind, "VolumeSnapshot") &&
	       strcmp(claim->data_source_kind, "PersistentVolumeClaim");
}

/* A claim that is bound to the volume that we made for it shows that there is a PersistentVolume,
 * even if the answer to its creation was lost. */
static void settle_bound(struct claim_controller *claims, const struct claim *claim)
{
	char name[VOLUME_NAME_MAX];

	provisioning_volume_name(claims->controller, claim, name);
	if (!strcmp(claim->volume_name, name))
		settle(claims, claim->object.uid);
}

/* The rules, in order. On true *RET_CLASS is the caller's. */
static int should_provision(struct claim_controller *claims, const struct claim *claim,
	bool *ret_should, struct storage_class **ret_class, int64_t *ret_wait_ms, struct error *err)
{
	const struct controller *controller = claims->controller;
	_cleanup_object_ struct storage_class *class = NULL;
	bool ours;

	*ret_should = false;
	settle_bound(claims, claim);
	if (*claim->volume_name || strcmp(claim->provisioner, controller->driver.info.name))
		return 0;
	if (claim->object.deleting && !is_unsettled(claims, claim->object.uid))
		return 0;
	class = store_get(controller->classes, claim->class_name);
	if (!class)
		return error_set(err, ERROR_NOT_FOUND, "storage class \"%s\" does not exist",
			claim->class_name);
	if (strcmp(class->provisioner, controller->driver.info.name))
		return 0;
	if (class->wait_for_first_consumer && !*claim->selected_node)
		return 0;
	if (is_populated_by_others(claim)) {
		if (ownership_speaks(controller, claim))
			event_record(controller->events, &claim->object, EVENT_NORMAL,
				"Provisioning",
				"Assuming an external populator will provision the volume");
		return 0;
	}
	/* Last: it may take the claim. */
	if (ownership_of_claim(controller, claim, class, &ours, ret_wait_ms, err) < 0)
		return -1;
	if (!ours)
		return 0;
	*ret_should = true;
	*ret_class = take_ptr(class);
	return 0;
}

static void report_failure(const struct controller *controller,
	const struct provisioning *provisioning, const struct error *err)
{
	event_record(controller->events, &provisioning->claim->object, EVENT_WARNING,
		"ProvisioningFailed", "failed to provision volume with StorageClass \"%s\": %s",
		provisioning->class->object.name, err->text);
}

/* Tell the user, and try again later or on another node. */
static int fail(const struct controller *controller, const struct provisioning *provisioning,
	bool other_node_may_do, struct error *err)
{
	struct error ignored;

	report_failure(controller, provisioning, err);
	if (other_node_may_do && *provisioning->claim->selected_node &&
		ownership_select_node(controller, provisioning->claim, NULL, &ignored) == 0)
		return 0;
	return -1;
}

static int save_volume(const struct controller *controller, const struct provisioning *provisioning,
	const struct csi_volume *volume, struct error *err)
{
	struct rest_request request = {
		.method = "POST",
		.path = volume_type.path,
		.body = provisioning_volume_object(provisioning, controller, volume),
	};
	int result = controller->api.call(controller->api.self, &request, NULL, err);

	json_object_put(request.body);
	/* An earlier attempt of ours, whose answer was lost: the name holds the claim's UID. */
	if (result < 0 && err->kind == ERROR_ALREADY_EXISTS)
		result = 0;
	return result;
}

/* Our driver lets a volume keep clear of data that are not its own, by a name that ends in the
 * volume's. Who looks for the data at the usual place has to know. */
static void report_other_place(const struct controller *controller,
	const struct provisioning *provisioning, const struct csi_volume *volume)
{
	const char *path = string_map_get(&volume->context, ORDINAL_KEY_PATH);
	const char *suffix = path ? strrchr(path, '@') : NULL;

	if (!controller->driver.info.ours || !suffix ||
		strcmp(suffix + 1, provisioning->volume_name))
		return;
	event_record(controller->events, &provisioning->claim->object, EVENT_WARNING,
		"PlaceOccupied",
		"%.*s holds data of another volume or of nobody: they are left alone, and this "
		"claim's volume is at %s",
		(int)(suffix - path), path, path);
}

static int create_and_save(
	struct claim_controller *claims, const struct provisioning *provisioning, struct error *err)
{
	const struct controller *controller = claims->controller;
	const struct claim *claim = provisioning->claim;
	struct csi_volume volume;
	int result;

	remember(claims, provisioning);
	if (provisioning_create(provisioning, controller, &volume, err) < 0) {
		if (is_final(err->kind))
			settle(claims, claim->object.uid);
		return fail(controller, provisioning,
			err->kind == ERROR_EXHAUSTED && provisioning->has_topology, err);
	}
	result = save_volume(controller, provisioning, &volume, err);
	if (result == 0)
		report_other_place(controller, provisioning, &volume);
	csi_volume_done(&volume);
	if (result < 0) {
		error_prefix(err, "Error creating provisioned PV object for claim %s/%s",
			claim->object.namespace, claim->object.name);
		report_failure(controller, provisioning, err);
		return -1;
	}
	settle(claims, claim->object.uid);
	event_record(controller->events, &claim->object, EVENT_NORMAL, "ProvisioningSucceeded",
		"Successfully provisioned volume %s", provisioning->volume_name);
	log_info("claim %s/%s: provisioned volume %s", claim->object.namespace, claim->object.name,
		provisioning->volume_name);
	return 0;
}

static int prepare(struct claim_controller *claims, const struct claim *claim,
	const struct storage_class *class, struct provisioning *provisioning, struct error *err)
{
	struct unsettled earlier;
	bool asked = recall(claims, claim->object.uid, &earlier);
	int result = provisioning_init(
		provisioning, claims->controller, claim, class, asked ? &earlier.place : NULL, err);

	if (asked)
		unsettled_done(&earlier);
	return result;
}

static int provision(struct claim_controller *claims, const struct claim *claim,
	const struct storage_class *class, struct error *err)
{
	const struct controller *controller = claims->controller;
	_cleanup_object_ struct volume *existing = NULL;
	struct provisioning provisioning;
	char name[VOLUME_NAME_MAX];
	int result;

	/* First of all: with a volume there is nothing to complain about, or to reschedule. */
	provisioning_volume_name(controller, claim, name);
	existing = store_get(controller->volumes, name);
	if (existing) {
		settle(claims, claim->object.uid);
		return 0;
	}
	if (prepare(claims, claim, class, &provisioning, err) < 0) {
		result = fail(controller, &provisioning, err->kind == ERROR_NOT_FOUND, err);
		provisioning_done(&provisioning);
		return result;
	}
	event_record(controller->events, &claim->object, EVENT_NORMAL, "Provisioning",
		"External provisioner is provisioning volume for claim \"%s/%s\"",
		claim->object.namespace, claim->object.name);
	result = create_and_save(claims, &provisioning, err);
	provisioning_done(&provisioning);
	return result;
}

static int volume_exists(
	const struct controller *controller, const char *name, bool *ret_exists, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};
	struct error why;

	if (asprintf(&path, "%s/%s", volume_type.path, name) < 0)
		abort();
	request.path = path;
	*ret_exists = controller->api.call(controller->api.self, &request, NULL, &why) == 0;
	if (*ret_exists || why.kind == ERROR_NOT_FOUND)
		return 0;
	*err = why;
	return -1;
}

/* The claim is gone, and its volume has no PersistentVolume: asking for it again tells its handle,
 * by which it is deleted. */
static int delete_unclaimed(const struct controller *controller,
	const struct provisioning *provisioning, struct error *err)
{
	struct csi_volume volume;
	int result;

	if (provisioning_create(provisioning, controller, &volume, err) < 0)
		return is_final(err->kind) ? 0 : -1;
	result =
		controller->driver.delete_volume(controller->driver.self, volume.handle, NULL, err);
	if (result == 0)
		log_info("claim %s/%s went away: deleted its volume %s",
			provisioning->claim->object.namespace, provisioning->claim->object.name,
			provisioning->volume_name);
	csi_volume_done(&volume);
	return result;
}

static int abandon(
	struct claim_controller *claims, const struct unsettled *unsettled, struct error *err)
{
	const struct controller *controller = claims->controller;
	struct provisioning provisioning;
	bool exists = false;
	int result;

	result = provisioning_init(&provisioning, controller, unsettled->claim, unsettled->class,
		&unsettled->place, err);
	/* The node may be gone, too. A volume is known by its name: where it was to be does not
	 * matter any more. */
	if (result < 0 && (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_FAILED_PRECONDITION))
		result = 0;
	if (result == 0)
		result = volume_exists(controller, provisioning.volume_name, &exists, err);
	/* With a PersistentVolume the volume is known, and goes the way of a released one. */
	if (result == 0 && !exists)
		result = delete_unclaimed(controller, &provisioning, err);
	provisioning_done(&provisioning);
	if (result == 0)
		settle(claims, unsettled->claim->object.uid);
	return result;
}

int claim_controller_sync(
	struct claim_controller *claims, const char *uid, int64_t *ret_wait_ms, struct error *err)
{
	_cleanup_object_ struct claim *claim = store_get(claims->controller->claims, uid);
	_cleanup_object_ struct storage_class *class = NULL;
	struct unsettled unsettled;
	bool should;
	int result;

	*ret_wait_ms = 0;
	if (!claim) {
		if (!recall(claims, uid, &unsettled))
			return 0;
		result = abandon(claims, &unsettled, err);
		unsettled_done(&unsettled);
		return result < 0 ? error_prefix(err, "claim %s, which is gone", uid) : 0;
	}
	result = should_provision(claims, claim, &should, &class, ret_wait_ms, err);
	if (result == 0 && should)
		result = provision(claims, claim, class, err);
	return result < 0 ? error_prefix(
				    err, "claim %s/%s", claim->object.namespace, claim->object.name)
			  : 0;
}
