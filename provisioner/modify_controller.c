/* SPDX-License-Identifier: Apache-2.0 */
#include "modify_controller.h"

#include <string.h>

#include "attributes_class.h"
#include "claimed_volume.h"
#include "dns_name.h"
#include "log.h"
#include "modify_status.h"
#include "secrets.h"

struct modification {
	const struct controller *controller;
	struct claim *claim; /* as the API server had it last; owned */
	const struct volume *volume;
	const char *wanted;                    /* the class that the claim names, or "" */
	struct string_map parameters, secrets; /* owned */
};

enum step { STEP_NONE, STEP_CANCEL, STEP_MODIFY };

static void warn(const struct modification *modification, const char *message)
{
	event_record(modification->controller->events, &modification->claim->object, EVENT_WARNING,
		"VolumeModifyFailed", "%s", message);
}

/* A class that was tried in vain, and is not named any more, is forgotten. Where the driver may
 * have begun with it, it is told the one that the volume has once more. */
static enum step choose_step(const struct modification *modification)
{
	const struct claim_modify *status = modification->claim->modify;
	const char *wanted = modification->wanted;
	bool has = !strcmp(modification->volume->attributes_class, wanted) &&
		   !strcmp(status->current, wanted);

	if (!has || status->state == MODIFY_IN_PROGRESS)
		return *wanted ? STEP_MODIFY : STEP_NONE;
	return status->state != MODIFY_NONE || status->conditions ? STEP_CANCEL : STEP_NONE;
}

static bool is_told(const struct modification *modification, enum modify_state state)
{
	const struct claim_modify *status = modification->claim->modify;

	return status->state == state && !strcmp(status->target, modification->wanted);
}

/* Milliseconds until a class that the driver found impossible is tried again. */
static int64_t wait_ms(const struct modification *modification)
{
	return is_told(modification, MODIFY_INFEASIBLE)
		       ? claimed_volume_wait_ms(
				 modification->controller, modification->claim->modify->failed_at)
		       : 0;
}

static int change_claim(
	struct modification *modification, const struct modify_change *change, struct error *err)
{
	struct claim *changed;

	if (modify_status_patch_claim(
		    &modification->controller->api, modification->claim, change, &changed, err) < 0)
		return -1;
	object_unref(modification->claim);
	modification->claim = changed;
	return 0;
}

/* The driver has not failed, but something else that may pass; a conflict is nothing to tell. */
static int give_up(const struct modification *modification, struct error *err)
{
	error_prefix(err, "modify volume \"%s\"", modification->volume->object.name);
	if (err->kind != ERROR_CONFLICT)
		warn(modification, err->text);
	return -1;
}

/* Try again as late as anything is: only the user can do something. */
static int wait_for_user(
	const struct modification *modification, int64_t *ret_again_ms, const struct error *why)
{
	log_warn("claim %s/%s: %s", modification->claim->object.namespace,
		modification->claim->object.name, why->text);
	*ret_again_ms = modification->controller->retry_max_ms;
	return 0;
}

/* The class cannot be had, as ERR says. Another driver's stays that, but one that is not there may
 * come at any moment. */
static int fail_class(struct modification *modification, int64_t *ret_again_ms, struct error *err)
{
	const struct modify_change pending = {
		.state = MODIFY_PENDING, .target = modification->wanted};
	struct error ignored;

	give_up(modification, err);
	if (err->kind != ERROR_FAILED_PRECONDITION && err->kind != ERROR_INVALID)
		return -1;
	if (!is_told(modification, MODIFY_PENDING) &&
		change_claim(modification, &pending, &ignored) < 0)
		return -1;
	return err->kind == ERROR_INVALID ? wait_for_user(modification, ret_again_ms, err) : -1;
}

/* Whoever may annotate the volume may name any secret, but nothing else by its name. */
static int read_secrets(struct modification *modification, struct error *err)
{
	const struct volume_modify *fields = modification->volume->modify;
	struct secret_reference reference;

	if (!fields)
		return 0;
	if (!dns_name_is_label(fields->secret_namespace) ||
		!dns_name_is_subdomain(fields->secret_name))
		return error_set(err, ERROR_INVALID,
			"its annotations " MODIFY_SECRET_NAME
			" and ...-namespace do not name a secret");
	reference = (struct secret_reference){fields->secret_namespace, fields->secret_name};
	return secrets_read(
		&modification->controller->api, &reference, &modification->secrets, err);
}

/* Before the driver is asked: what it may be at work on from now on. Where that was another class,
 * it is not waited for: the driver is asked for the new one until it has nothing else under way,
 * and the last class that it took is the one that counts. */
static int begin(struct modification *modification, struct error *err)
{
	uint8_t conditions = modification->claim->modify->conditions;
	const struct modify_change change = {
		.condition = MODIFY_MODIFYING & (uint8_t)~conditions,
		.message = "ModifyVolume operation in progress.",
		.drop = MODIFY_ERROR & conditions,
		.state = MODIFY_IN_PROGRESS,
		.target = modification->wanted,
	};

	if (is_told(modification, MODIFY_IN_PROGRESS) && !change.condition)
		return 0;
	return change_claim(modification, &change, err);
}

static int call_driver(const struct modification *modification, struct error *err)
{
	const struct csi_driver *driver = &modification->controller->driver;
	const struct string_map *secrets = &modification->secrets;

	return driver->modify_volume(driver->self, modification->volume->handle,
		&modification->parameters, secrets->count ? secrets : NULL, err);
}

static int fail(struct modification *modification, int64_t *ret_again_ms, struct error *err)
{
	bool infeasible = err->kind == ERROR_INVALID;
	const struct modify_change change = {
		.condition = MODIFY_ERROR,
		.message = err->text,
		.state = infeasible ? MODIFY_INFEASIBLE : MODIFY_STATE_KEEP,
		.target = modification->wanted,
	};
	struct error ignored;

	error_prefix(err, "modify volume \"%s\" with vac %s failed",
		modification->volume->object.name, modification->wanted);
	warn(modification, err->text);
	if (!claimed_volume_is_final(err->kind) ||
		change_claim(modification, &change, &ignored) < 0 || !infeasible)
		return -1;
	return wait_for_user(modification, ret_again_ms, err);
}

/* The volume first: where the claim's status cannot be written, all is done once more. */
static int finish(struct modification *modification, struct error *err)
{
	const struct volume *volume = modification->volume;
	const struct modify_change change = {
		.drop = modification->claim->modify->conditions,
		.state = MODIFY_NONE,
		.current = modification->wanted,
	};

	if (strcmp(volume->attributes_class, modification->wanted) &&
		modify_status_patch_volume(
			&modification->controller->api, volume, modification->wanted, err) < 0)
		return -1;
	return change_claim(modification, &change, err);
}

static int modify(struct modification *modification, int64_t *ret_again_ms, struct error *err)
{
	struct event_recorder *events = modification->controller->events;
	const char *volume = modification->volume->object.name, *wanted = modification->wanted;

	/* First what others have to give: nothing has been begun then. */
	if (attributes_class_read(
		    modification->controller, wanted, &modification->parameters, err) < 0)
		return fail_class(modification, ret_again_ms, err);
	if (read_secrets(modification, err) < 0 || begin(modification, err) < 0)
		return give_up(modification, err);
	event_record(events, &modification->claim->object, EVENT_NORMAL, "VolumeModify",
		"external resizer is modifying volume %s with vac %s", volume, wanted);
	if (call_driver(modification, err) < 0)
		return fail(modification, ret_again_ms, err);
	if (finish(modification, err) < 0)
		return give_up(modification, err);
	event_record(events, &modification->claim->object, EVENT_NORMAL, "VolumeModifySuccessful",
		"external resizer modified volume %s with vac %s successfully", volume, wanted);
	log_info("claim %s/%s: volume %s is of VolumeAttributesClass %s now",
		modification->claim->object.namespace, modification->claim->object.name, volume,
		wanted);
	return 0;
}

/* Said once: the condition stays until there is a driver that can. */
static int refuse(struct modification *modification, struct error *err)
{
	struct modify_change change = {.condition = MODIFY_ERROR, .state = MODIFY_STATE_KEEP};
	char message[512];

	if (modification->claim->modify->conditions & MODIFY_ERROR)
		return 0;
	snprintf(message, sizeof(message),
		"modify volume \"%.64s\" with vac %.253s failed: the driver %.64s has no "
		"MODIFY_VOLUME",
		modification->volume->object.name, modification->wanted,
		modification->controller->driver.info.name);
	change.message = message;
	if (change_claim(modification, &change, err) < 0)
		return -1;
	warn(modification, message);
	return 0;
}

static int take_step(struct modification *modification, int64_t *ret_again_ms, struct error *err)
{
	const struct modify_change cancel = {
		.drop = modification->claim->modify->conditions, .state = MODIFY_NONE};

	switch (choose_step(modification)) {
	case STEP_CANCEL:
		return change_claim(modification, &cancel, err);
	case STEP_MODIFY:
		if (!modification->controller->driver.info.modify_volume)
			return refuse(modification, err);
		*ret_again_ms = wait_ms(modification);
		return *ret_again_ms ? 0 : modify(modification, ret_again_ms, err);
	default:
		return 0;
	}
}

/* Whether CLAIM has a volume, and says anything of classes. */
static bool is_concerned(const struct claim *claim)
{
	return claim->resize.bound && *claim->volume_name && !claim->object.deleting &&
	       (*claim->attributes_class || claim->modify->state || claim->modify->conditions);
}

static int sync_claim(const struct controller *controller, struct claim *claim,
	int64_t *ret_again_ms, struct error *err)
{
	_cleanup_object_ struct volume *volume = NULL;
	struct modification modification = {
		.controller = controller, .wanted = claim->attributes_class};
	int result;

	if (!is_concerned(claim))
		return 0;
	if (claimed_volume_find(controller, claim, &volume, err) < 0)
		return -1;
	if (!volume)
		return 0;
	modification.claim = object_ref(claim);
	modification.volume = volume;
	result = take_step(&modification, ret_again_ms, err);
	object_unref(modification.claim);
	string_map_done(&modification.parameters);
	string_map_wipe(&modification.secrets);
	return result;
}

int modify_controller_sync(const struct controller *controller, const char *claim_uid,
	int64_t *ret_again_ms, struct error *err)
{
	_cleanup_object_ struct claim *claim = store_get(controller->claims, claim_uid);

	*ret_again_ms = 0;
	if (!claim || sync_claim(controller, claim, ret_again_ms, err) == 0)
		return 0;
	return error_prefix(err, "claim %s/%s", claim->object.namespace, claim->object.name);
}

bool modify_controller_concerns(const struct claim *old, const struct claim *new)
{
	if (!is_concerned(new))
		return false;
	return !old || !old->resize.bound || strcmp(old->attributes_class, new->attributes_class) ||
	       (strcmp(old->modify->current, new->modify->current) &&
		       strcmp(new->modify->current, new->attributes_class));
}

bool modify_controller_concerns_volume(
	const struct controller *controller, const struct volume *old, const struct volume *new)
{
	_cleanup_object_ struct claim *claim = NULL;

	if (!new->resize.claim_uid || !strcmp(old->attributes_class, new->attributes_class))
		return false;
	claim = store_get(controller->claims, new->resize.claim_uid);
	return claim && strcmp(claim->attributes_class, new->attributes_class);
}
