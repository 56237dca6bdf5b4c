/* SPDX-License-Identifier: Apache-2.0 */
#include "resize_controller.h"

#include <string.h>

#include "claimed_volume.h"
#include "log.h"
#include "quantity.h"
#include "resize_fields.h"
#include "resize_status.h"
#include "secrets.h"

#define NODE_MESSAGE                                                                               \
	"Waiting for user to (re-)start a pod to finish file system resize of volume on node."

struct resize {
	const struct controller *controller;
	struct claim *claim; /* as the API server had it last; owned */
	const struct volume *volume;
	int64_t requested;         /* bytes that the claim asks for */
	int64_t wanted;            /* what the driver is asked for: where that is not the same, an
				    * earlier size that it may still be at work on */
	struct string_map secrets; /* owned */
};

/* Whether there is no hope in trying the same size again soon. */
static bool is_infeasible(enum error_kind kind)
{
	return kind == ERROR_INVALID || kind == ERROR_OUT_OF_RANGE || kind == ERROR_NOT_FOUND;
}

static void report(
	const struct resize *resize, enum event_type type, const char *reason, const char *message)
{
	event_record(
		resize->controller->events, &resize->claim->object, type, reason, "%s", message);
}

/* The size of a growth that was begun, or else the one asked for. */
static int64_t begun(const struct resize *resize)
{
	int64_t allocated = resize->claim->resize.allocated;

	return allocated >= 0 ? allocated : resize->requested;
}

/* The same, unless the driver has said for sure that it does not work on that any more. */
static int64_t under_way(const struct resize *resize)
{
	bool ended = resize->claim->resize.conditions & RESIZE_CONTROLLER_ERROR;

	return ended ? resize->requested : begun(resize);
}

/* The volume is smaller than asked for. Whether there is something to do; sets WANTED. A growth
 * that was begun ends first. */
static bool choose_growth(struct resize *resize)
{
	switch ((enum resize_state)resize->claim->resize.state) {
	case RESIZE_NODE_INFEASIBLE:
		resize->wanted = begun(resize);
		return true;
	case RESIZE_NODE_PENDING:
	case RESIZE_NODE_IN_PROGRESS:
		resize->wanted = begun(resize);
		return resize->volume->resize.capacity < resize->wanted;
	case RESIZE_CONTROLLER_IN_PROGRESS:
		resize->wanted = under_way(resize);
		return true;
	default:
		resize->wanted = resize->requested;
		return true;
	}
}

/* The volume is as large as asked for, but the claim's status does not say so: the node has yet to
 * act, or what was done was not written down, or the user wants less again. */
static bool choose_end(struct resize *resize)
{
	const struct claim_resize *status = &resize->claim->resize;

	resize->wanted = resize->requested;
	switch ((enum resize_state)status->state) {
	case RESIZE_NODE_PENDING:
	case RESIZE_NODE_IN_PROGRESS:
		return false;
	case RESIZE_NODE_INFEASIBLE:
		if (resize->controller->driver.info.expand)
			resize->wanted = begun(resize);
		return true;
	case RESIZE_CONTROLLER_IN_PROGRESS:
		resize->wanted = under_way(resize);
		return true;
	case RESIZE_CONTROLLER_INFEASIBLE:
		return true;
	default:
		if (status->allocated > resize->requested)
			resize->wanted = status->allocated;
		return status->allocated >= 0 || !(status->conditions & RESIZE_NODE_HAS_TO);
	}
}

static bool choose_size(struct resize *resize)
{
	return resize->volume->resize.capacity < resize->requested ? choose_growth(resize)
								   : choose_end(resize);
}

/* Milliseconds until a size that was found impossible is tried again. */
static int64_t wait_ms(const struct resize *resize)
{
	const struct claim_resize *status = &resize->claim->resize;

	if ((status->state != RESIZE_CONTROLLER_INFEASIBLE &&
		    status->state != RESIZE_NODE_INFEASIBLE) ||
		status->allocated != resize->wanted || !status->failed_at)
		return 0;
	return claimed_volume_wait_ms(resize->controller, status->failed_at);
}

static int change_claim(
	struct resize *resize, const struct resize_change *change, struct error *err)
{
	struct claim *changed;

	if (resize_status_patch_claim(
		    &resize->controller->api, resize->claim, change, &changed, err) < 0)
		return -1;
	object_unref(resize->claim);
	resize->claim = changed;
	return 0;
}

/* Before the driver is asked: what it may be at work on from now on, and no word of an error that
 * would pass for its answer. */
static int begin(struct resize *resize, struct error *err)
{
	const struct claim_resize *status = &resize->claim->resize;
	const struct resize_change change = {
		.condition = RESIZE_RESIZING & (uint8_t)~status->conditions,
		.drop = status->conditions & (uint8_t)~RESIZE_RESIZING,
		.state = RESIZE_CONTROLLER_IN_PROGRESS,
		.allocated = resize->wanted,
	};

	/* Also where this changes nothing: it fails where the cache is behind, by which the driver
	 * must not be asked. */
	return change_claim(resize, &change, err);
}

/* An API server that does not track the growth (RecoverVolumeExpansionFailure) has dropped what
 * begin() wrote. */
static bool is_tracked(const struct resize *resize)
{
	return resize->claim->resize.state != RESIZE_NONE;
}

static int read_secrets(struct resize *resize, struct error *err)
{
	const struct volume_resize *fields = &resize->volume->resize;
	const struct secret_reference reference = {fields->secret_namespace, fields->secret_name};

	if (!fields->secret_name || !resize->controller->driver.info.expand)
		return 0;
	return secrets_read(&resize->controller->api, &reference, &resize->secrets, err);
}

static int call_driver(struct resize *resize, int64_t *ret_bytes, bool *ret_node, struct error *err)
{
	const struct csi_driver *driver = &resize->controller->driver;
	const struct volume_resize *fields = &resize->volume->resize;
	char *modes[8];
	struct strings access_modes = {modes, 0};
	const struct csi_expand_request request = {.handle = resize->volume->handle,
		.required_bytes = resize->wanted,
		.access_modes = &access_modes,
		.mount_options = &fields->mount_options,
		.fs_type = fields->fs_type ? fields->fs_type : "",
		.block = fields->block,
		.secrets = resize->secrets.count ? &resize->secrets : NULL};

	/* Only nodes can do it. */
	if (!driver->info.expand) {
		*ret_bytes = resize->wanted;
		*ret_node = true;
		return 0;
	}
	for (size_t bit = 0; bit < ARRAY_SIZE(modes) && resize_fields_access_mode(bit); bit++)
		if (fields->access_modes & 1u << bit)
			modes[access_modes.count++] = (char *)resize_fields_access_mode(bit);
	return driver->expand_volume(driver->self, &request, ret_bytes, ret_node, err);
}

/* Write down that the driver has ended its work for sure. Where that fails, the size stays the one
 * that it may be at work on. */
static int note_failure(struct resize *resize, const struct error *failure)
{
	const struct resize_change change = {
		.condition = RESIZE_CONTROLLER_ERROR,
		.message = failure->text,
		.state = is_infeasible(failure->kind) ? RESIZE_CONTROLLER_INFEASIBLE
						      : RESIZE_STATE_KEEP,
	};
	struct error ignored;

	return is_tracked(resize) ? change_claim(resize, &change, &ignored) : 0;
}

static int fail(struct resize *resize, int64_t *ret_again_ms, struct error *err)
{
	error_prefix(err, "resize volume \"%s\" by resizer \"%s\" failed",
		resize->volume->object.name, resize->controller->driver.info.name);
	report(resize, EVENT_WARNING, "VolumeResizeFailed", err->text);
	if (!claimed_volume_is_final(err->kind) || note_failure(resize, err) < 0 ||
		!is_infeasible(err->kind))
		return -1;
	log_warn("claim %s/%s: %s", resize->claim->object.namespace, resize->claim->object.name,
		err->text);
	*ret_again_ms = resize->controller->retry_max_ms;
	return 0;
}

static int save_size(struct resize *resize, int64_t bytes, bool node, struct error *err)
{
	const struct volume_resize *fields = &resize->volume->resize;
	bool mark = node && !fields->is_marked;

	if (fields->capacity >= bytes && !mark)
		return 0;
	return resize_status_patch_volume(&resize->controller->api, resize->volume,
		bytes > fields->capacity ? bytes : fields->capacity,
		mark ? resize->claim->resize.capacity : -1, err);
}

static int leave_to_node(struct resize *resize, struct error *err)
{
	const struct resize_change change = {
		.condition = RESIZE_NODE_HAS_TO,
		.message = NODE_MESSAGE,
		.drop = resize->claim->resize.conditions & (uint8_t)~RESIZE_NODE_HAS_TO,
		.state = is_tracked(resize) ? RESIZE_NODE_PENDING : RESIZE_STATE_KEEP,
	};

	if (change_claim(resize, &change, err) < 0)
		return -1;
	report(resize, EVENT_NORMAL, "FileSystemResizeRequired",
		"Require file system resize of volume on node");
	return 0;
}

static int finish(struct resize *resize, int64_t bytes, struct error *err)
{
	const struct resize_change change = {
		.drop = resize->claim->resize.conditions,
		.state = is_tracked(resize) ? RESIZE_NONE : RESIZE_STATE_KEEP,
		.capacity = bytes,
	};

	if (change_claim(resize, &change, err) < 0)
		return -1;
	report(resize, EVENT_NORMAL, "VolumeResizeSuccessful", "Resize volume succeeded");
	if (resize->volume->resize.unenforced)
		report(resize, EVENT_NORMAL, "SizeNotEnforced",
			"The new size is written down, but nothing enforces it: the volume has no quota, "
			"and shares the room of its file system with others");
	return 0;
}

/* The driver has not failed, but something else that may pass; a conflict is nothing to tell. */
static int give_up(struct resize *resize, struct error *err)
{
	error_prefix(err, "resize volume \"%s\"", resize->volume->object.name);
	if (err->kind != ERROR_CONFLICT)
		report(resize, EVENT_WARNING, "VolumeResizeFailed", err->text);
	return -1;
}

static int grow(struct resize *resize, int64_t *ret_again_ms, struct error *err)
{
	int64_t bytes;
	bool node;

	/* First: nothing has been begun then. */
	if (read_secrets(resize, err) < 0)
		return give_up(resize, err);
	if (begin(resize, err) < 0)
		return give_up(resize, err);
	event_record(resize->controller->events, &resize->claim->object, EVENT_NORMAL, "Resizing",
		"External resizer is resizing volume %s", resize->volume->object.name);
	if (call_driver(resize, &bytes, &node, err) < 0)
		return fail(resize, ret_again_ms, err);
	if (save_size(resize, bytes, node, err) < 0 ||
		(node ? leave_to_node(resize, err) : finish(resize, bytes, err)) < 0)
		return give_up(resize, err);
	log_info("claim %s/%s: volume %s has %lld bytes now%s", resize->claim->object.namespace,
		resize->claim->object.name, resize->volume->object.name, (long long)bytes,
		node ? ", which its node has yet to use" : "");
	return 0;
}

/* Said once: the condition stays until there is a driver that can. */
static int refuse(struct resize *resize, struct error *err)
{
	const char *driver = resize->controller->driver.info.name;
	struct resize_change change = {
		.condition = RESIZE_CONTROLLER_ERROR, .state = RESIZE_STATE_KEEP};
	char message[256];

	if (resize->claim->resize.conditions & RESIZE_CONTROLLER_ERROR)
		return 0;
	snprintf(message, sizeof(message),
		"resize volume \"%.64s\" by resizer \"%.64s\" failed: the driver can expand volumes "
		"neither itself nor on nodes",
		resize->volume->object.name, driver);
	change.message = message;
	if (change_claim(resize, &change, err) < 0)
		return -1;
	report(resize, EVENT_WARNING, "VolumeResizeFailed", message);
	return 0;
}

static int resize_volume(struct resize *resize, int64_t *ret_again_ms, struct error *err)
{
	const struct csi_driver_info *info = &resize->controller->driver.info;

	if (!choose_size(resize))
		return 0;
	if (!info->expand && !info->node_expand)
		return refuse(resize, err);
	*ret_again_ms = wait_ms(resize);
	return *ret_again_ms ? 0 : grow(resize, ret_again_ms, err);
}

/* Whether CLAIM asks for more than it has. */
static int wants_more(
	const struct claim *claim, int64_t *ret_requested, bool *ret_wants, struct error *err)
{
	*ret_wants = false;
	if (!claim->resize.bound || !*claim->volume_name || claim->object.deleting ||
		claim->resize.capacity < 0 || !*claim->requested)
		return 0;
	if (quantity_parse(claim->requested, ret_requested, err) < 0)
		return -1;
	*ret_wants = *ret_requested > claim->resize.capacity;
	return 0;
}

static int sync_claim(const struct controller *controller, struct claim *claim,
	int64_t *ret_again_ms, struct error *err)
{
	_cleanup_object_ struct volume *volume = NULL;
	struct resize resize = {.controller = controller};
	bool wants;
	int result;

	if (wants_more(claim, &resize.requested, &wants, err) < 0)
		return -1;
	if (!wants)
		return 0;
	if (claimed_volume_find(controller, claim, &volume, err) < 0)
		return -1;
	if (!volume)
		return 0;
	resize.claim = object_ref(claim);
	resize.volume = volume;
	result = resize_volume(&resize, ret_again_ms, err);
	object_unref(resize.claim);
	string_map_wipe(&resize.secrets);
	return result;
}

int resize_controller_sync(const struct controller *controller, const char *claim_uid,
	int64_t *ret_again_ms, struct error *err)
{
	_cleanup_object_ struct claim *claim = store_get(controller->claims, claim_uid);

	*ret_again_ms = 0;
	if (!claim || sync_claim(controller, claim, ret_again_ms, err) == 0)
		return 0;
	return error_prefix(err, "claim %s/%s", claim->object.namespace, claim->object.name);
}

bool resize_controller_concerns(const struct claim *old, const struct claim *new)
{
	if (!new->resize.bound)
		return false;
	return !old || !old->resize.bound || strcmp(old->requested, new->requested) ||
	       old->resize.capacity != new->resize.capacity ||
	       strcmp(old->volume_name, new->volume_name) ||
	       (new->resize.state == RESIZE_NODE_INFEASIBLE &&
		       old->resize.state != RESIZE_NODE_INFEASIBLE);
}
