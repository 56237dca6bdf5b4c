/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include <string.h>

#include "data_source.h"
#include "journal.h"
#include "modify_controller.h"
#include "recent.h"
#include "resize_controller.h"
#include "volume_controller.h"

/* What a key names is told by its first letter. */
#define CLAIM_KEY   'c'
#define GROWTH_KEY  'g'
#define MODIFY_KEY  'm'
#define VOLUME_KEY  'v'
#define JOURNAL_KEY 'j'
#define SWEEP_KEY   's'

static bool is_working(const struct dispatch *dispatch)
{
	return __atomic_load_n(&dispatch->working, __ATOMIC_ACQUIRE);
}

static void enqueue(struct dispatch *dispatch, char kind, const char *name)
{
	_cleanup_free_ char *key = NULL;

	if (!is_working(dispatch))
		return;
	if (asprintf(&key, "%c%s", kind, name) < 0)
		abort();
	workqueue_add(dispatch->queue, key);
}

/* A claim that is gone matters while its provisioning is not settled. One that has its volume
 * matters once more, for that; and then when it grows, or is modified. */
static void on_claim(void *context, const struct object *old, const struct object *new)
{
	const struct claim *was = (const struct claim *)old, *is = (const struct claim *)new;

	if (!is) {
		enqueue(context, CLAIM_KEY, old->key);
		return;
	}
	if (!*is->volume_name || !was || !*was->volume_name || is->cloning_protected)
		enqueue(context, CLAIM_KEY, new->key);
	if (resize_controller_concerns(was, is))
		enqueue(context, GROWTH_KEY, new->key);
	if (modify_controller_concerns(was, is))
		enqueue(context, MODIFY_KEY, new->key);
}

static void count_unclaimed(
	struct dispatch *dispatch, const struct object *old, const struct object *new)
{
	bool was = old && volume_is_unclaimed((const struct volume *)old);
	bool is = new &&volume_is_unclaimed((const struct volume *)new);

	if (is && !was)
		__atomic_add_fetch(&dispatch->unclaimed, 1, __ATOMIC_RELAXED);
	if (was && !is)
		__atomic_sub_fetch(&dispatch->unclaimed, 1, __ATOMIC_RELAXED);
}

static void enqueue_modification(
	struct dispatch *dispatch, const struct volume *old, const struct volume *new)
{
	if (old && new &&modify_controller_concerns_volume(&dispatch->controller, old, new))
		enqueue(dispatch, MODIFY_KEY, new->resize.claim_uid);
}

static void enqueue_volume(void *context, const struct object *object)
{
	struct dispatch *dispatch = context;

	if (is_working(dispatch) &&
		volume_controller_concerns(&dispatch->controller, (const struct volume *)object))
		enqueue(dispatch, VOLUME_KEY, object->key);
}

/* Its claim may want another one. */
static void on_volume_gone(struct dispatch *dispatch, const char *claim_uid)
{
	recent_remove(dispatch->controller.served, claim_uid);
	enqueue(dispatch, CLAIM_KEY, claim_uid);
}

static void on_volume(void *context, const struct object *old, const struct object *new)
{
	const struct volume *gone = (const struct volume *)old;

	count_unclaimed(context, old, new);
	enqueue_modification(context, gone, (const struct volume *)new);
	if (new)
		enqueue_volume(context, new);
	else if (gone->resize.claim_uid)
		on_volume_gone(context, gone->resize.claim_uid);
}

/* Which claims wait for a class or a node is not recorded: those without a volume are looked at. */
static void enqueue_pending(void *context, const struct object *object)
{
	if (!*((const struct claim *)object)->volume_name)
		enqueue(context, CLAIM_KEY, object->key);
}

/* At the start. Of claims that have their volume only those in the journal are not settled. */
static void enqueue_claim(void *context, const struct object *object)
{
	const struct claim *claim = (const struct claim *)object;

	if (!*claim->volume_name || claim->cloning_protected)
		enqueue(context, CLAIM_KEY, object->key);
	if (resize_controller_concerns(NULL, claim))
		enqueue(context, GROWTH_KEY, object->key);
	if (modify_controller_concerns(NULL, claim))
		enqueue(context, MODIFY_KEY, object->key);
}

static void enqueue_journaled(void *context, const char *claim_uid)
{
	enqueue(context, CLAIM_KEY, claim_uid);
}

static void on_class(void *context, const struct object *old, const struct object *new)
{
	struct dispatch *dispatch = context;

	(void)old;
	if (new)
		store_each(dispatch->controller.claims, enqueue_pending, dispatch);
}

/* Nodes are written every few seconds; only these changes can make a claim possible, or show that
 * a volume is on our node. */
static void on_node(void *context, const struct object *old, const struct object *new)
{
	struct dispatch *dispatch = context;
	const struct node *was = (const struct node *)old, *is = (const struct node *)new;

	if (was && is && was->schedulable == is->schedulable &&
		string_map_equal(&was->labels, &is->labels))
		return;
	store_each(dispatch->controller.claims, enqueue_pending, dispatch);
	store_each(dispatch->controller.volumes, enqueue_volume, dispatch);
}

static void on_csi_node(void *context, const struct object *old, const struct object *new)
{
	struct dispatch *dispatch = context;

	(void)old;
	(void)new;
	store_each(dispatch->controller.claims, enqueue_pending, dispatch);
}

void dispatch_init(struct dispatch *dispatch)
{
	struct controller *controller = &dispatch->controller;

	controller->claims = store_new(on_claim, dispatch);
	controller->volumes = store_new(on_volume, dispatch);
	controller->classes = store_new(on_class, dispatch);
	controller->sets = store_new(NULL, NULL);
	controller->nodes = store_new(on_node, dispatch);
	controller->csi_nodes = store_new(on_csi_node, dispatch);
	controller->unclaimed = &dispatch->unclaimed;
}

void dispatch_done(struct dispatch *dispatch)
{
	struct controller *controller = &dispatch->controller;

	store_free(controller->claims);
	store_free(controller->volumes);
	store_free(controller->classes);
	store_free(controller->sets);
	store_free(controller->nodes);
	store_free(controller->csi_nodes);
}

void dispatch_begin(struct dispatch *dispatch)
{
	struct controller *controller = &dispatch->controller;

	__atomic_store_n(&dispatch->working, true, __ATOMIC_RELEASE);
	journal_each(controller->journal, enqueue_journaled, dispatch);
	store_each(controller->claims, enqueue_claim, dispatch);
	store_each(controller->volumes, enqueue_volume, dispatch);
	if (dispatch->sweep)
		enqueue(dispatch, SWEEP_KEY, "");
}

/* A claim first has to get its volume; later it may no longer need protection. */
static int sync_claim(
	struct dispatch *dispatch, const char *uid, int64_t *ret_again_ms, struct error *err)
{
	const struct controller *controller = &dispatch->controller;
	_cleanup_object_ struct claim *claim = NULL;
	int result = claim_controller_sync(dispatch->claims, uid, ret_again_ms, err);

	if (!journal_is_clean(controller->journal))
		workqueue_add_after(
			dispatch->queue, (const char[]){JOURNAL_KEY, 0}, dispatch->flush_after_ms);
	if (result < 0)
		return result;
	claim = store_get(controller->claims, uid);
	if (claim && claim->cloning_protected)
		return data_source_sync_protection(controller, claim, err);
	return 0;
}

static int run_sweep(struct dispatch *dispatch, int64_t *ret_again_ms, struct error *err)
{
	*ret_again_ms = dispatch->sweep_interval_ms;
	return sweep_run(dispatch->sweep, err);
}

/* The UID of the claim that KEY is about, or whose volume it is; NULL: of none. Caller frees. */
static char *claim_of_key(const struct dispatch *dispatch, const char *key)
{
	_cleanup_object_ struct volume *volume = NULL;
	char *uid = NULL;

	if (*key == CLAIM_KEY || *key == GROWTH_KEY || *key == MODIFY_KEY)
		uid = strdup(key + 1);
	if (*key != VOLUME_KEY)
		return uid;
	volume = store_get(dispatch->controller.volumes, key + 1);
	return volume && volume->resize.claim_uid ? strdup(volume->resize.claim_uid) : NULL;
}

static int sync_key(
	struct dispatch *dispatch, const char *key, int64_t *ret_again_ms, struct error *err)
{
	switch (*key) {
	case CLAIM_KEY:
		return sync_claim(dispatch, key + 1, ret_again_ms, err);
	case GROWTH_KEY:
		return resize_controller_sync(&dispatch->controller, key + 1, ret_again_ms, err);
	case MODIFY_KEY:
		return modify_controller_sync(&dispatch->controller, key + 1, ret_again_ms, err);
	case VOLUME_KEY:
		return volume_controller_sync(&dispatch->controller, key + 1, err);
	case JOURNAL_KEY:
		return journal_flush(dispatch->controller.journal, err);
	default:
		return run_sweep(dispatch, ret_again_ms, err);
	}
}

/* A claim and its volume take turns: whoever asks for a volume by a claim of a moment ago must not
 * do so while another deletes just that volume. */
int dispatch_sync(
	struct dispatch *dispatch, const char *key, int64_t *ret_again_ms, struct error *err)
{
	_cleanup_free_ char *claim = claim_of_key(dispatch, key);
	int result;

	*ret_again_ms = 0;
	if (claim && !turns_begin(dispatch->turns, claim, key))
		return 0;
	result = sync_key(dispatch, key, ret_again_ms, err);
	if (claim)
		turns_end(dispatch->turns, claim);
	return result;
}
