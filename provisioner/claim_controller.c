/* SPDX-License-Identifier: Apache-2.0 */
#include "claim_controller.h"

#include <string.h>
#include <time.h>

#include "data_source.h"
#include "infeasible.h"
#include "journal.h"
#include "log.h"
#include "metrics.h"
#include "names.h"
#include "ownership.h"
#include "provisioning.h"
#include "recent.h"
#include "reuse.h"
#include "topology.h"
#include "volume_controller.h"
#include "volume_object.h"

#define SEEN_MS 10000 /* a cache has the volume by then that was made */

struct claim_controller {
	const struct controller *controller;
	struct infeasible *infeasible;
};

struct claim_controller *claim_controller_new(const struct controller *controller)
{
	struct claim_controller *claims = calloc(1, sizeof(*claims));

	if (!claims)
		abort();
	claims->controller = controller;
	claims->infeasible = infeasible_new();
	return claims;
}

void claim_controller_free(struct claim_controller *claims)
{
	infeasible_free(claims->infeasible);
	free(claims);
}

/* A volume that nobody has claimed, and that the controller-manager may give to CLAIM. */
struct search {
	const struct claim *claim;
	bool found;
};

static void consider_volume(void *context, const struct object *object)
{
	const struct volume *volume = (const struct volume *)object;
	struct search *search = context;

	if (volume_is_unclaimed(volume) && !strcmp(volume->class_name, search->claim->class_name))
		search->found = true;
}

/* Whether the claim is ours to serve. Usually the controller-manager says so by an annotation, once
 * it found no volume that exists already. For classes of our own that do not wait for a consumer we
 * need not wait for it either, where there is no such volume. */
static bool is_assigned(const struct controller *controller, const struct claim *claim,
	const struct storage_class *class)
{
	struct search search = {.claim = claim};

	if (*claim->provisioner)
		return !strcmp(claim->provisioner, controller->driver.info.name);
	if (!controller->eager || !controller->driver.info.ours || class->wait_for_first_consumer ||
		claim->has_selector)
		return false;
	if (controller->unclaimed && __atomic_load_n(controller->unclaimed, __ATOMIC_RELAXED))
		store_each(controller->volumes, consider_volume, &search);
	return !search.found;
}

/* The rules, in order. On true *RET_CLASS is the caller's. */
static int should_provision(const struct controller *controller, const struct claim *claim,
	bool *ret_should, struct storage_class **ret_class, int64_t *ret_again_ms,
	struct error *err)
{
	_cleanup_object_ struct storage_class *class = NULL;
	const char *driver = controller->driver.info.name;
	bool ours;

	*ret_should = false;
	if (*claim->volume_name || (*claim->provisioner && strcmp(claim->provisioner, driver)))
		return 0;
	class = store_get(controller->classes, claim->class_name);
	if (!class && !*claim->provisioner)
		return 0;
	if (!class)
		return error_set(err, ERROR_NOT_FOUND, "storage class \"%s\" does not exist",
			claim->class_name);
	if (strcmp(class->provisioner, driver) || !is_assigned(controller, claim, class))
		return 0;
	if (class->wait_for_first_consumer && !*claim->selected_node)
		return 0;
	if (data_source_kind(claim) == DATA_SOURCE_OTHER) {
		if (ownership_speaks(controller, claim))
			event_record(controller->events, &claim->object, EVENT_NORMAL,
				"Provisioning",
				"Assuming an external populator will provision the volume");
		return 0;
	}
	/* Last: it may take the claim. */
	if (ownership_of_claim(controller, claim, class, &ours, ret_again_ms, err) < 0)
		return -1;
	if (!ours)
		return 0;
	*ret_should = true;
	*ret_class = take_ptr(class);
	return 0;
}

/* Under the names of sig-storage-lib. */
static void count_failure(
	const struct controller *controller, const struct provisioning *provisioning)
{
	metrics_add(controller->metrics, METRIC_PROVISION_FAILED_TOTAL, 1,
		provisioning->class->object.name, provisioning->claim->data_source_kind);
}

static void report_failure(const struct controller *controller,
	const struct provisioning *provisioning, const struct error *err)
{
	count_failure(controller, provisioning);
	event_record(controller->events, &provisioning->claim->object, EVENT_WARNING,
		"ProvisioningFailed", "failed to provision volume with StorageClass \"%s\": %s",
		provisioning->class->object.name, err->text);
}

/* The driver, or what the claim and its class say, rules it out: that is told once, and not asked
 * again at once. */
static int64_t give_up(struct claim_controller *claims, const struct provisioning *provisioning,
	const struct error *err)
{
	const struct controller *controller = claims->controller;
	const struct object *claim = &provisioning->claim->object;
	_cleanup_free_ char *label = object_label(claim);

	count_failure(controller, provisioning);
	event_record(controller->events, claim, EVENT_WARNING, "ProvisioningFailed",
		"Volume provisioning failed with infeasible error. Retries will be delayed. failed "
		"to provision volume with StorageClass \"%s\": %s",
		provisioning->class->object.name, err->text);
	log_event(LOG_LEVEL_WARN, "claim is infeasible", LOG_STR("claim", label),
		LOG_STR("error", err->text));
	infeasible_set(claims->infeasible, claim->uid, provisioning->class->object.uid,
		controller->retry_max_ms);
	return controller->retry_max_ms;
}

/* Tell the user, and try again later or on another node. */
static int fail(struct claim_controller *claims, const struct provisioning *provisioning,
	bool other_node_may_do, int64_t *ret_again_ms, struct error *err)
{
	struct error ignored;

	if (err->kind == ERROR_INVALID) {
		*ret_again_ms = give_up(claims, provisioning, err);
		return 0;
	}
	report_failure(claims->controller, provisioning, err);
	if (other_node_may_do && *provisioning->claim->selected_node &&
		ownership_select_node(claims->controller, provisioning->claim, NULL, &ignored) == 0)
		return 0;
	return -1;
}

/* Whether VOLUME is on its way out: its claim is gone, and its data may be, too. */
static bool is_going(const struct volume *volume)
{
	return volume->object.deleting || !strcmp(volume->phase, "Released") ||
	       !strcmp(volume->phase, "Failed");
}

/* A PersistentVolume of that name is usually of an earlier attempt whose answer was lost. By a
 * cache that is behind, it may also be one that is being deleted, with what the driver made before;
 * and, where every node has its own instance, one of another node. Then ours is known to nobody. */
static int check_existing(const struct controller *controller, const struct volume_request *request,
	const struct csi_volume *made, struct error *err)
{
	_cleanup_object_ struct volume *volume = NULL;

	if (volume_controller_get(controller, request->name, &volume, err) < 0)
		return -1;
	if (volume && !is_going(volume) && topology_has_volume(controller, volume) &&
		!strcmp(volume->handle, made->handle))
		return 0;
	return error_set(err, ERROR_CONFLICT,
		"there is another PersistentVolume %s, which is going", request->name);
}

/* The claim counts as served before the answer is there: by then the volume may be seen, and even
 * be gone again. */
static int save_volume(const struct controller *controller, const struct provisioning *provisioning,
	const struct csi_volume *volume, struct error *err)
{
	const char *claim = provisioning->claim->object.uid;
	struct rest_request request = {
		.method = "POST",
		.path = volume_type.path,
		.body = volume_object_make(provisioning, controller, volume),
	};
	int result;

	recent_add(controller->served, claim);
	result = controller->api.call(controller->api.self, &request, NULL, err);
	json_object_put(request.body);
	if (result < 0)
		recent_remove(controller->served, claim);
	if (result < 0 && err->kind == ERROR_ALREADY_EXISTS)
		result = check_existing(controller, provisioning->request, volume, err);
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
		strcmp(suffix + 1, provisioning->request->name))
		return;
	event_record(controller->events, &provisioning->claim->object, EVENT_WARNING,
		"PlaceOccupied",
		"%.*s holds data of another volume or of nobody: they are left alone, and this "
		"claim's volume is at %s",
		(int)(suffix - path), path, path);
}

static void report_success(const struct controller *controller,
	const struct provisioning *provisioning, const struct csi_volume *volume)
{
	const struct object *claim = &provisioning->claim->object;
	_cleanup_free_ char *label = object_label(claim);

	report_other_place(controller, provisioning, volume);
	reuse_report(controller, provisioning, volume);
	event_record(controller->events, claim, EVENT_NORMAL, "ProvisioningSucceeded",
		"Successfully provisioned volume %s", provisioning->request->name);
	log_event(LOG_LEVEL_INFO, "provisioned volume", LOG_STR("claim", label),
		LOG_STR("volume", provisioning->request->name), LOG_STR("handle", volume->handle),
		LOG_INT("bytes", volume->capacity_bytes));
}

/* What the answer means for the journal. A final one settles the request, with one exception: where
 * the driver has a volume of that name already, by another request, that one stays. */
static void note_failure(const struct controller *controller, const struct volume_request *request,
	struct volume_request *earlier, enum error_kind kind)
{
	struct error ignored;

	if (kind == ERROR_ALREADY_EXISTS && earlier)
		journal_begin(controller->journal, earlier, &ignored);
	else if (volume_request_is_final(kind))
		journal_settle(controller->journal, request->claim_uid);
}

/* Ask the driver, which has been noted in the journal. */
static int create(const struct controller *controller, const struct provisioning *provisioning,
	struct csi_volume *ret_volume, struct error *err)
{
	struct volume_request *request = provisioning->request;
	_cleanup_(volume_request_unrefp) struct volume_request *earlier =
		journal_find(controller->journal, request->claim_uid);
	struct string_map secret;
	int result;

	if (volume_request_secret(request, controller, &secret, err) < 0)
		return -1;
	result = journal_begin(controller->journal, request, err);
	if (result == 0) {
		result = volume_request_send(request, controller, &secret, ret_volume, err);
		if (result < 0)
			note_failure(controller, request, earlier, err->kind);
	}
	string_map_wipe(&secret);
	return result;
}

/* Count the success of the try that began at BEGAN, under the names of sig-storage-lib. */
static void count_success(const struct controller *controller,
	const struct provisioning *provisioning, const struct timespec *began)
{
	const char *class = provisioning->class->object.name;
	const char *source = provisioning->claim->data_source_kind;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	metrics_add(controller->metrics, METRIC_PROVISION_TOTAL, 1, class, source);
	metrics_observe(controller->metrics, METRIC_PROVISION_SECONDS,
		(double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9,
		class, source);
}

static int save(const struct controller *controller, const struct provisioning *provisioning,
	const struct csi_volume *volume, struct error *err)
{
	const struct object *claim = &provisioning->claim->object;
	struct error ignored;

	if (save_volume(controller, provisioning, volume, err) < 0) {
		error_prefix(err, "Error creating provisioned PV object for claim %s/%s",
			claim->namespace, claim->name);
		report_failure(controller, provisioning, err);
		return -1;
	}
	journal_settle(controller->journal, claim->uid);
	report_success(controller, provisioning, volume);
	if (data_source_release(controller, provisioning->claim, &ignored) < 0)
		log_warn("%s", ignored.text);
	return 0;
}

static int create_and_save(struct claim_controller *claims, const struct provisioning *provisioning,
	int64_t *ret_again_ms, struct error *err)
{
	const struct controller *controller = claims->controller;
	struct csi_volume volume;
	struct timespec began;
	int result;

	clock_gettime(CLOCK_MONOTONIC, &began);
	if (create(controller, provisioning, &volume, err) < 0) {
		return fail(claims, provisioning,
			err->kind == ERROR_EXHAUSTED && provisioning->request->requisite.count,
			ret_again_ms, err);
	}
	result = save(controller, provisioning, &volume, err);
	csi_volume_done(&volume);
	if (result == 0)
		count_success(controller, provisioning, &began);
	return result;
}

/* The volume of an earlier claim of the same place comes before one that is to be made. What the
 * driver may have made already for this claim comes before both. */
static int serve(struct claim_controller *claims, const struct provisioning *provisioning,
	bool is_begun, int64_t *ret_again_ms, struct error *err)
{
	const struct controller *controller = claims->controller;
	const struct object *claim = &provisioning->claim->object;
	bool served = false;

	if (!is_begun && reuse_volume(controller, provisioning, &served, err) < 0) {
		if (err->kind == ERROR_FAILED_PRECONDITION)
			report_failure(controller, provisioning, err);
		return -1;
	}
	if (served)
		return 0;
	event_record(controller->events, claim, EVENT_NORMAL, "Provisioning",
		"External provisioner is provisioning volume for claim \"%s/%s\"", claim->namespace,
		claim->name);
	return create_and_save(claims, provisioning, ret_again_ms, err);
}

static int provision(struct claim_controller *claims, const struct claim *claim,
	const struct storage_class *class, int64_t *ret_again_ms, struct error *err)
{
	const struct controller *controller = claims->controller;
	_cleanup_(volume_request_unrefp) struct volume_request *earlier =
		journal_find(controller->journal, claim->object.uid);
	struct provisioning provisioning;
	int result;

	*ret_again_ms = infeasible_wait(claims->infeasible, claim->object.uid, class->object.uid);
	if (*ret_again_ms)
		return 0;
	/* The driver knows its volume again by what it was asked for first: the place stays,
	 * whatever became of the set since. */
	if (provisioning_init(&provisioning, controller, claim, class,
		    earlier ? &earlier->place : NULL, err) < 0)
		result = fail(
			claims, &provisioning, err->kind == ERROR_NOT_FOUND, ret_again_ms, err);
	else
		result = serve(claims, &provisioning, earlier != NULL, ret_again_ms, err);
	provisioning_done(&provisioning);
	return result;
}

/* Nobody waits any more for what the driver was asked for. While there is a PersistentVolume that
 * will be deleted it is not known whether that takes the volume with it: its end brings us here
 * again, if the request is not forgotten by then. */
static int abandon(const struct controller *controller, const char *uid, struct error *err)
{
	_cleanup_(volume_request_unrefp) struct volume_request *request =
		journal_find(controller->journal, uid);
	_cleanup_object_ struct volume *volume = NULL;

	if (!request)
		return 0;
	if (volume_controller_get(controller, request->name, &volume, err) < 0)
		return -1;
	if (volume && topology_has_volume(controller, volume)) {
		if (strcmp(volume->reclaim_policy, "Delete"))
			journal_settle(controller->journal, uid);
		return 0;
	}
	if (volume_request_undo(request, controller, NULL, err) < 0)
		return -1;
	journal_settle(controller->journal, uid);
	return 0;
}

/* Whether the claim waits for no volume of ours: it has another one, or went to another node. */
static bool is_served_elsewhere(const struct controller *controller, const struct claim *claim,
	const char *name, const struct volume *volume)
{
	if (*claim->volume_name && strcmp(claim->volume_name, name))
		return true;
	if (volume)
		return !topology_has_volume(controller, volume);
	return controller->node && controller->driver.info.topology && *claim->selected_node &&
	       strcmp(claim->selected_node, controller->node);
}

static int sync_claim(struct claim_controller *claims, const struct claim *claim,
	int64_t *ret_again_ms, struct error *err)
{
	const struct controller *controller = claims->controller;
	_cleanup_object_ struct storage_class *class = NULL;
	_cleanup_object_ struct volume *volume = NULL;
	char name[VOLUME_NAME_MAX];
	bool should;

	provisioning_volume_name(controller, claim, name);
	volume = store_get(controller->volumes, name);
	if (is_served_elsewhere(controller, claim, name, volume))
		return abandon(controller, claim->object.uid, err);
	/* With its volume it is served, even if the answer to the making of the PersistentVolume
	 * was lost. */
	if (*claim->volume_name || (volume && !is_going(volume))) {
		infeasible_clear(claims->infeasible, claim->object.uid);
		journal_settle(controller->journal, claim->object.uid);
		return 0;
	}
	if (claim->object.deleting && !journal_has(controller->journal, claim->object.uid))
		return 0;
	/* The controller-manager's annotation may come before our own volume does. Should that have
	 * come and gone while nobody watched, nothing else brings us here again. */
	if (!volume && recent_has(controller->served, claim->object.uid)) {
		*ret_again_ms = SEEN_MS;
		return 0;
	}
	if (should_provision(controller, claim, &should, &class, ret_again_ms, err) < 0)
		return -1;
	if (should)
		return provision(claims, claim, class, ret_again_ms, err);
	return 0;
}

int claim_controller_sync(
	struct claim_controller *claims, const char *uid, int64_t *ret_again_ms, struct error *err)
{
	_cleanup_object_ struct claim *claim = store_get(claims->controller->claims, uid);
	int result;

	*ret_again_ms = 0;
	if (!claim) {
		infeasible_clear(claims->infeasible, uid);
		result = abandon(claims->controller, uid, err);
		return result < 0 ? error_prefix(err, "claim %s, which is gone", uid) : 0;
	}
	result = sync_claim(claims, claim, ret_again_ms, err);
	return result < 0 ? error_prefix(
				    err, "claim %s/%s", claim->object.namespace, claim->object.name)
			  : 0;
}
